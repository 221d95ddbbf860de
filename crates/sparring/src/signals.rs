//! Ctrl-C and SIGTERM: the first signal requests a clean end, the second ends the process at once.

use std::sync::Arc;

use service_runtime::Shutdown;
use suite::drill::Ending;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::terminal::complain;

/// The exit code of a process that a signal ended at once: 128 + SIGINT.
const FORCED: i32 = 130;

/// Cancels `shutdown` at the first signal and ends the process at the second.
pub fn on_interrupt(shutdown: Shutdown) {
    let mut asked = false;
    at_each(move || {
        if asked {
            #[expect(clippy::exit, reason = "a second signal means at once")]
            std::process::exit(FORCED);
        }
        asked = true;
        shutdown.cancel();
    });
}

/// Ctrl-C and SIGTERM during a run: the first signal ends it cleanly. After the second, the run waits for nothing
/// more, but still writes its measurements. The third ends the process at once.
pub fn on_interrupts(ending: Ending) {
    at_each(move || {
        if ending.hurry.is_cancelled() {
            #[expect(clippy::exit, reason = "a third signal means at once")]
            std::process::exit(FORCED);
        }
        if ending.asked.is_cancelled() {
            complain!("second signal: stopping without waiting; a third one exits at once");
            ending.hurry.cancel();
        }
        ending.asked.cancel();
    });
}

/// Calls `act` at each Ctrl-C and SIGTERM, as long as the runtime lives.
fn at_each(mut act: impl FnMut() + Send + 'static) {
    tokio::spawn(async move {
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            tracing::warn!("signals cannot be received; only SIGKILL ends this process");
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            act();
        }
    });
}

/// Every signal that asks a process to end starts the clean end of a drill: Ctrl-C, SIGTERM, SIGQUIT, and the
/// SIGHUP of a terminal that closes. Further signals make it hurry. They never end it at once, which would leave
/// faults in force. The task lives as long as the runtime.
pub fn on_any_end(ending: Ending) {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::quit(),
        SignalKind::hangup(),
    ];
    for kind in kinds {
        // Before the task runs, since a signal may come at once.
        let Ok(mut signals) = signal(kind) else {
            tracing::warn!(?kind, "this signal cannot be received");
            continue;
        };
        let ending = ending.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if ending.asked.is_cancelled() {
                    ending.hurry.cancel();
                }
                ending.asked.cancel();
            }
        });
    }
}

/// Asks for new settings at every SIGHUP. The task lives as long as the runtime.
pub fn on_hangup(reload: Arc<Notify>) {
    tokio::spawn(async move {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            tracing::warn!(
                "SIGHUP cannot be received; settings are reloaded only when the file changes"
            );
            return;
        };
        while hangup.recv().await.is_some() {
            reload.notify_one();
        }
    });
}
