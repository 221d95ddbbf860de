//! Expiry of configurations that are in force for a limited time.

use std::time::Instant;

use live_config::{Compiled, Control};
use service_runtime::Shutdown;

use crate::timer::Timer;

/// Reverts expired configurations, until `shutdown`.
pub async fn expire<C: Compiled>(control: &Control<C>, timer: &Timer, shutdown: &Shutdown) {
    loop {
        let changed = control.changed.notified();
        let expires = control.live().expires;
        let expiry = async {
            match expires {
                Some(at) => timer.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expiry => control.expire(Instant::now()),
            () = changed => {}
            () = shutdown.cancelled() => return,
        }
    }
}
