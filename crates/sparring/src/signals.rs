//! Ctrl-C and SIGTERM: the first asks for a clean end, the second ends at once.

use std::sync::Arc;

use service_runtime::Shutdown;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Exit code of a process that a second signal ended: 128 + SIGINT.
const FORCED: i32 = 130;

/// Cancels `shutdown` at the first signal and ends the process at the second. The task lives as
/// long as the runtime.
pub fn on_interrupt(shutdown: Shutdown) {
    tokio::spawn(async move {
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            tracing::warn!("signals cannot be received; only SIGKILL will end this");
            return;
        };
        let mut asked = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked {
                #[expect(clippy::exit, reason = "a second signal means at once")]
                std::process::exit(FORCED);
            }
            asked = true;
            shutdown.cancel();
        }
    });
}

/// Asks for new settings at every SIGHUP. The task lives as long as the runtime.
pub fn on_hangup(reload: Arc<Notify>) {
    tokio::spawn(async move {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            tracing::warn!("SIGHUP cannot be received; settings follow the file alone");
            return;
        };
        while hangup.recv().await.is_some() {
            reload.notify_one();
        }
    });
}
