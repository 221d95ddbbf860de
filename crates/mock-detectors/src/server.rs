//! Listening: accepting connections, and not accepting them where the profile says so.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use fault_profile::connection::{Certificate, Handshake};
use fault_profile::listener::Admin;
use hyper::body::Incoming;
use hyper::{Request, Response};
use service_runtime::Shutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::admin;
use crate::body::Body;
use crate::config::Config;
use crate::connection;
use crate::detector::Detector;
use crate::fleet::StartError;
use crate::metrics::ConnectionFault;
use crate::raw;
use crate::stream::Stream;
use crate::timer::Timer;
use crate::tls::Tls;

/// Connections may take this long to end once the server stops; delays are made up, so nobody
/// needs to wait for them.
const DRAIN: Duration = Duration::from_millis(500);
/// A port that was given back for a refusal is asked for again at this interval.
const REBIND: Duration = Duration::from_millis(10);

/// Serves one detector until `shutdown`.
///
/// # Errors
/// The profile is not valid, or the timer's thread cannot be started.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    run_all(vec![(config, listener)], shutdown).await
}

/// Serves several detectors until `shutdown`.
///
/// # Errors
/// As [`run`]; nothing is served then.
pub async fn run_all(
    detectors: Vec<(Config, TcpListener)>,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    let timer = Timer::start()?;
    let mut sites = Vec::with_capacity(detectors.len());
    for (config, listener) in detectors {
        let address = listener.local_addr()?;
        sites.push((
            Arc::new(Site::new(config, timer.clone(), address)?),
            listener,
        ));
    }
    serve_all(sites, shutdown).await;
    Ok(())
}

pub(crate) async fn serve_all(sites: Vec<(Arc<Site>, TcpListener)>, shutdown: Shutdown) {
    let tracker = TaskTracker::new();
    for (site, listener) in sites {
        tracker.spawn(site.serve(listener, shutdown.clone()));
    }
    tracker.close();
    tracker.wait().await;
}

/// A detector with its routes.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) detector: Arc<Detector>,
    router: Router,
    tls: Option<Tls>,
    /// The admin API's own listener, where it has one.
    admin: Mutex<Option<std::net::TcpListener>>,
}

/// Starts tasks that end at the latest with the server. Also the executor of HTTP/2.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    abort: Shutdown,
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        // Boxed: what an async function is given lies in its future twice.
        let task = Box::pin(task);
        self.tracker.spawn(async move {
            abort.run_until_cancelled(task).await;
        });
    }
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

impl Site {
    /// A detector that will listen on `address`; its own admin port is taken at once.
    pub(crate) fn new(
        config: Config,
        timer: Timer,
        address: SocketAddr,
    ) -> Result<Self, StartError> {
        let admin = match config.listener.admin {
            Admin::Port(port) => Some(bind_admin(SocketAddr::new(address.ip(), port))?),
            Admin::SamePort | Admin::Off => None,
        };
        let detector = Arc::new(Detector::new(config, timer)?);
        let tls = Tls::of(&detector.listener)?;
        let authority = tls.as_ref().map(|tls| tls.authority_pem.clone());
        let router = admin::router(detector.clone(), authority);
        Ok(Self {
            detector,
            router,
            tls,
            admin: Mutex::new(admin),
        })
    }

    /// The authority that signed the listener's certificate, where it has one.
    pub(crate) fn authority_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.authority_pem.as_str())
    }

    /// Where the admin API listens, if on a port of its own.
    pub(crate) fn admin_address(&self) -> Option<SocketAddr> {
        let admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        admin
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// Everything that is not a call that detects.
    pub(crate) async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        match self
            .router
            .clone()
            .oneshot(request.map(axum::body::Body::new))
            .await
        {
            Ok(response) => response.map(Body::Router),
            Err(never) => match never {},
        }
    }

    /// Serves until `shutdown`; returns when every task has ended.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown) {
        let tasks = Tasks {
            tracker: TaskTracker::new(),
            abort: Shutdown::new(),
        };
        let detector = &self.detector;
        tasks.spawn(
            detector
                .gate
                .clone()
                .run(detector.timer.clone(), shutdown.clone()),
        );
        tasks.spawn(expire(detector.clone(), shutdown.clone()));
        if let Some(admin) = self
            .admin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            tasks.spawn(serve_admin(detector.clone(), admin, shutdown.clone()));
        }
        let address = listener.local_addr();
        match address {
            Ok(address) => {
                self.accept_all(listener, address, (&tasks, &shutdown))
                    .await;
            }
            Err(error) => tracing::error!(%error, "a listener has no address"),
        }
        tasks.tracker.close();
        drop(tokio::time::timeout(DRAIN, tasks.tracker.wait()).await);
        tasks.abort.cancel();
        tasks.tracker.wait().await;
    }

    async fn accept_all(
        self: &Arc<Self>,
        listener: TcpListener,
        address: SocketAddr,
        (tasks, shutdown): (&Tasks, &Shutdown),
    ) {
        let mut listener = Some(listener);
        loop {
            let changed = self.detector.control.changed.notified();
            let (refused, next_change) = self.refused();
            if refused {
                if listener.take().is_some() {
                    let metrics = &self.detector.metrics;
                    metrics.count_connection_fault(ConnectionFault::Refused);
                }
            } else if listener.is_none() {
                listener = bind_again(address).await;
            }
            let accept = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None if refused => std::future::pending().await,
                    None => {
                        tokio::time::sleep(REBIND).await;
                        Err(std::io::ErrorKind::AddrInUse.into())
                    }
                }
            };
            let schedule = async {
                match next_change {
                    Some(at) => self.detector.timer.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                accepted = accept => match accepted {
                    Ok((tcp, _)) => self.start(tcp, tasks, shutdown),
                    Err(error) => pause_after(&error).await,
                },
                () = changed => {}
                () = schedule => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Whether the listener shall be down, and when the schedule may change that.
    fn refused(&self) -> (bool, Option<Instant>) {
        self.detector.connection_behaviour(|live, behaviour| {
            (
                behaviour.connection.refused,
                live.next_change(Instant::now()),
            )
        })
    }

    fn start(self: &Arc<Self>, tcp: TcpStream, tasks: &Tasks, shutdown: &Shutdown) {
        drop(tcp.set_nodelay(true));
        let site = self.clone();
        let detector = self.detector.clone();
        let (own, shutdown) = (tasks.clone(), shutdown.clone());
        detector.metrics.connections.inc();
        let index = detector.connections.next("");
        let wait = detector.connection_behaviour(|live, _| {
            live.model
                .connection_latency(index, live.at(Instant::now()))
        });
        tasks.spawn(async move {
            if !wait.is_zero() {
                let fault = ConnectionFault::SlowAccept;
                detector.metrics.count_connection_fault(fault);
                detector.timer.sleep_until(Instant::now() + wait).await;
            }
            if let Some((stream, http2)) = site.open(tcp, &shutdown).await {
                connection::serve(site, stream, http2, (own, shutdown)).await;
            }
        });
    }

    /// The stream under HTTP and whether it is version 2, unless the connection ends before that.
    async fn open(&self, mut tcp: TcpStream, shutdown: &Shutdown) -> Option<(Stream, bool)> {
        let Some(tls) = &self.tls else {
            let http2 = self.detector.listener.http2 && begins_http2(&tcp).await;
            return Some((Stream::Plain(tcp), http2));
        };
        let connection = self
            .detector
            .connection_behaviour(|_, behaviour| behaviour.connection.clone());
        let count = |fault| self.detector.metrics.count_connection_fault(fault);
        match connection.handshake {
            Handshake::Complete => {
                if connection.certificate != Certificate::Valid {
                    count(ConnectionFault::Certificate);
                }
                // Boxed: connections without TLS need no room for its handshake.
                Box::pin(tls.accept(tcp, connection.certificate)).await
            }
            Handshake::Abort => {
                count(ConnectionFault::HandshakeAbort);
                // The client has said hello when there is something to read.
                drop(tcp.readable().await);
                drop(tcp.set_zero_linger());
                None
            }
            Handshake::Stall => {
                count(ConnectionFault::HandshakeStall);
                tokio::select! {
                    () = raw::discard(&mut tcp) => {}
                    () = shutdown.cancelled() => {}
                }
                None
            }
        }
    }
}

/// Looks, without taking a byte, whether a client begins with HTTP/2's preface.
async fn begins_http2(tcp: &TcpStream) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut bytes = [0; PREFACE.len()];
    loop {
        match tcp.peek(&mut bytes).await {
            Ok(read) if read == PREFACE.len() => return bytes == PREFACE,
            Ok(read) if read > 0 && PREFACE.starts_with(&bytes[..read]) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            _ => return false,
        }
    }
}

fn bind_admin(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn serve_admin(detector: Arc<Detector>, listener: std::net::TcpListener, shutdown: Shutdown) {
    let router = admin::admin_router(detector);
    let served = match TcpListener::from_std(listener) {
        Ok(listener) => service_runtime::serve(listener, router, shutdown).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the admin API stopped");
    }
}

/// Takes expired profiles back.
async fn expire(detector: Arc<Detector>, shutdown: Shutdown) {
    loop {
        let changed = detector.control.changed.notified();
        let expiry = async {
            match detector.control.live().expires {
                Some(at) => detector.timer.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expiry => detector.control.expire(Instant::now()),
            () = changed => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn bind_again(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%address, %error, "the port was taken while connections were refused");
            None
        }
    }
}

/// Running out of descriptors is no reason to spin; a peer that went away is none to wait.
async fn pause_after(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset) {
        tracing::debug!(%error, "a connection was not accepted");
        tokio::time::sleep(REBIND).await;
    }
}
