//! Binding a port and serving on it until told to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Says when to stop. Clones share the signal; a child can be stopped alone.
pub type Shutdown = CancellationToken;

/// How long connections may take to finish once shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// A port that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}: {reason}")]
pub struct BindError {
    pub address: SocketAddr,
    /// What wanted the port, such as `the orchestrator`.
    pub what: String,
    pub reason: String,
    #[source]
    pub source: io::Error,
}

/// Listens on `address`; port 0 takes a free one. `what` names the server in the error.
///
/// # Errors
/// The port is taken or may not be used; the message names address and server.
pub async fn bind(address: SocketAddr, what: &str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| BindError {
            address,
            what: what.to_owned(),
            reason: match source.kind() {
                io::ErrorKind::AddrInUse => {
                    format!(
                        "port {} is already in use by another process",
                        address.port()
                    )
                }
                io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => "the system refused it".to_owned(),
            },
            source,
        })
}

/// Serves `router` until `shutdown`, then lets running requests end, for 10 s at most.
///
/// # Errors
/// The listener broke.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> io::Result<()> {
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let stop = shutdown.clone();
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .into_future();
    tokio::select! {
        result = server => result,
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}
