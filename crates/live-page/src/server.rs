//! The server of a page: a thread of its own, connections that can be ended one by one.

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

/// How long a client may take for the head of a request, and how long a kept connection may be idle.
const HEAD: Duration = Duration::from_secs(15);
/// Connections at one time.
const MOST_CONNECTIONS: usize = 200;
/// How long the end waits for connections that are under way.
const DRAIN: Duration = Duration::from_millis(500);

/// How a board is served.
#[derive(Clone)]
pub struct Settings {
    /// How often readers get new figures.
    pub period: Duration,
    /// The name by which it is reached beside addresses and `localhost`.
    pub host: String,
    /// Locust's routes, and the run that they control; `None`: the page can only be read.
    pub control: Option<Arc<dyn Control>>,
}

/// A page that is served until it is ended.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    readers: Readers,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Why a page is not served.
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
    /// Listens on a host's port; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken or may not be used.
    pub fn bind(host: &str, port: u16) -> Result<TcpListener, ServerError> {
        let name = if host.is_empty() { "localhost" } else { host };
        // `localhost` may also be ::1, where nobody would look.
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

    /// Serves the board on a thread of its own.
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

    /// Where a browser on this machine finds it.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// Readers that were dropped because they did not read.
    pub fn dropped_readers(&self) -> u64 {
        self.readers.dropped()
    }

    /// Shows the last figures to all readers, and ends.
    pub fn end(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported by the hook; the run is not the worse for it.
            drop(thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.join();
    }
}

/// The URL of what listens there.
pub(crate) fn url(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        _ => format!("http://{address}"),
    }
}

/// Serves until `shutdown`; then readers get the last figures.
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
                // Too many open files, which goes away by waiting or not at all.
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

/// One connection to its end; a reader that does not read ends it by its token.
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

/// Ends the connection that a request came on.
#[derive(Debug, Clone)]
pub(crate) struct Connection(pub CancellationToken);
