//! The admin API on its own port.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use service_runtime::Shutdown;
use tokio::net::TcpListener;

/// Binds the port of the admin API, before the server begins.
///
/// # Errors
/// The port is in use or not permitted.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves the admin API until `shutdown`; if that fails, the server continues without it.
pub async fn serve(router: Router, listener: std::net::TcpListener, shutdown: Shutdown) {
    let served = match TcpListener::from_std(listener) {
        Ok(listener) => service_runtime::serve(listener, router, shutdown).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the admin API stopped");
    }
}
