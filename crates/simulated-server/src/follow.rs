//! Following a file while a server runs.

use std::path::Path;

use service_runtime::{FollowedFile, Shutdown};

/// Calls `changed` whenever the file has changed and settled, until `shutdown`; the first call is for the
/// content at the start, which may have changed since it was read. A missing file counts as unchanged, since
/// editors remove files when they replace them.
pub async fn follow(path: &Path, shutdown: &Shutdown, mut changed: impl FnMut()) {
    let mut file = FollowedFile::new(path);
    loop {
        tokio::select! {
            () = file.changed() => changed(),
            () = shutdown.cancelled() => return,
        }
    }
}
