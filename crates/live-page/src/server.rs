//! The server of a page, with its own thread and connections that can be closed one by one.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::live_run::{LiveRun, Stage};
use super::locust::Control;
use super::routes::{self, Page};
use super::stream::{Readers, event};

/// Timeout for the head of a request, and for idle connections.
const HEAD: Duration = Duration::from_secs(15);
/// Maximum number of connections.
const MOST_CONNECTIONS: usize = 200;
/// How long a shutdown waits for open connections.
const DRAIN: Duration = Duration::from_millis(500);

/// The settings of a server.
#[derive(Clone)]
pub struct Settings {
    /// The update interval of clients.
    pub period: Duration,
    /// Its host name, in addition to addresses and `localhost`.
    pub host: String,
    /// Locust's routes, and the run that they control; `None`: the page is read-only.
    pub control: Option<Arc<dyn Control>>,
}

/// A server of a page, until it is shut down.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    readers: Readers,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// The reason why a page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{host}:{port} is already in use by another process")]
    InUse { host: String, port: u16 },
    #[error("cannot listen on {host}:{port}: {source}")]
    Listen {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("the thread of the page cannot be started: {0}")]
    Thread(#[source] io::Error),
}

impl Server {
    /// Listens on a port of a host; port 0 selects a free one.
    ///
    /// # Errors
    /// The port is in use or not permitted.
    pub fn bind(host: &str, port: u16) -> Result<TcpListener, ServerError> {
        let name = if host.is_empty() { "localhost" } else { host };
        // `localhost` may also resolve to ::1, which users do not expect.
        let bound = match name {
            "localhost" => TcpListener::bind(("127.0.0.1", port)),
            name => TcpListener::bind((name.trim_matches(['[', ']']), port)),
        };
        bound.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServerError::InUse {
                host: name.to_owned(),
                port,
            },
            _ => ServerError::Listen {
                host: name.to_owned(),
                port,
                source,
            },
        })
    }

    /// Serves the live run on its own thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        listener: TcpListener,
        board: LiveRun,
        settings: Settings,
    ) -> Result<Self, ServerError> {
        listener
            .set_nonblocking(true)
            .map_err(ServerError::Thread)?;
        let address = listener.local_addr().map_err(ServerError::Thread)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(ServerError::Thread)?;
        let (readers, shutdown) = (Readers::default(), CancellationToken::new());
        let page = Page::new(board, settings, readers.clone());
        let over = shutdown.clone();
        let serve = move || runtime.block_on(run(listener, page, over));
        let thread = std::thread::Builder::new()
            .name("live-page".to_owned())
            .spawn(serve);
        Ok(Self {
            address,
            readers,
            shutdown,
            thread: Some(thread.map_err(ServerError::Thread)?),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for a browser on this machine.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// Clients that were disconnected because they were too slow.
    pub fn dropped_readers(&self) -> u64 {
        self.readers.dropped()
    }

    /// Sends the final values to all clients and shuts down.
    pub fn end(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            // The hook has reported its panic, which does not affect the run.
            drop(thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.join();
    }
}

/// The URL of a listener.
pub(crate) fn url(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        _ => format!("http://{address}"),
    }
}

/// Serves until `shutdown`, then sends the final values.
async fn run(listener: TcpListener, page: Arc<Page>, shutdown: CancellationToken) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let router = routes::router(Arc::clone(&page));
    let draining = CancellationToken::new();
    let mut connections = JoinSet::new();
    let period = page.settings.period;
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = ticks.tick() => page.show(),
            accepted = listener.accept() => match accepted {
                Ok(_) if connections.len() >= MOST_CONNECTIONS => {}
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), draining.clone()));
                }
                // For example too many open files, which may resolve over time.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    page.show();
    let word = match page.board.stage() {
        Stage::Ended => "The run has ended. These are its final values.",
        _ => "The page has ended.",
    };
    page.readers.end(event("end", word)).await;
    draining.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    drop(timeout(DRAIN, ended).await);
}

/// Serves one connection; the token of a slow client closes it.
async fn connection(stream: tokio::net::TcpStream, router: Router, draining: CancellationToken) {
    drop(stream.set_nodelay(true));
    let broken = CancellationToken::new();
    let token = broken.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Connection(token.clone()));
        let mut router = router.clone();
        async move {
            let answer = tower_call(&mut router, request).await;
            Ok::<_, Infallible>(answer)
        }
    });
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let serving = protocol.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        () = broken.cancelled() => return,
        () = draining.cancelled() => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving.as_mut() => {}
        () = broken.cancelled() => {}
    }
}

async fn tower_call(router: &mut Router, request: Request<Incoming>) -> axum::response::Response {
    use tower::Service;
    let Ok(answer) = router.call(request).await;
    answer
}

/// Closes the connection of a request.
#[derive(Debug, Clone)]
pub(crate) struct Connection(pub CancellationToken);
