//! Listening: accepting connections, and not accepting them if the profile says so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fault_profile::connection::{Certificate, Handshake};
use service_runtime::Shutdown;
use simulated_server::{Timer, expire};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::admin;
use crate::config::Config;
use crate::connection::Served;
use crate::metrics::ConnectionFault;
use crate::raw;
use crate::site::Site;
use crate::start_error::StartError;
use crate::stream::Stream;
use crate::tasks::Tasks;

/// Maximum time for connections to end once the server stops; delays are simulated, so there is no need to
/// wait for them.
const DRAIN: Duration = Duration::from_millis(500);
/// The interval of attempts to bind a port again that was released for a refusal.
const REBIND: Duration = Duration::from_millis(10);

/// A detector, and the listener that its caller has bound.
#[derive(Debug)]
pub struct Bound {
    pub config: Config,
    pub listener: TcpListener,
}

/// A detector that is ready to be served.
pub(crate) struct Ready {
    pub site: Arc<Site>,
    pub listener: TcpListener,
}

/// Serves one detector until `shutdown`.
///
/// # Errors
/// The profile is invalid, or the timer cannot be started.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    let timer = Timer::start()?;
    let address = listener.local_addr()?;
    let site = Arc::new(Site::new(config, timer, address)?);
    serve_all(vec![Ready { site, listener }], shutdown).await;
    Ok(())
}

pub(crate) async fn serve_all(detectors: Vec<Ready>, shutdown: Shutdown) {
    let tracker = TaskTracker::new();
    for Ready { site, listener } in detectors {
        tracker.spawn(site.serve(listener, shutdown.clone()));
    }
    tracker.close();
    tracker.wait().await;
}

impl Site {
    /// Serves until `shutdown`; returns when every task has ended.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown) {
        let tasks = Tasks::new();
        let detector = &self.detector;
        tasks.spawn(
            detector
                .gate
                .clone()
                .run(detector.timer.clone(), shutdown.clone()),
        );
        let (expiring, stop) = (detector.clone(), shutdown.clone());
        tasks.spawn(async move { expire(&expiring.control, &expiring.timer, &stop).await });
        if let Some(admin) = self.take_admin() {
            let router = admin::admin_router(detector.clone());
            let serving = simulated_server::admin::serve(router, admin, shutdown.clone());
            tasks.spawn(serving);
        }
        let address = listener.local_addr();
        match address {
            Ok(address) => {
                self.accept_all(listener, address, &tasks, &shutdown).await;
            }
            Err(error) => tracing::error!(%error, "a listener has no address"),
        }
        tasks.end(DRAIN).await;
    }

    async fn accept_all(
        self: &Arc<Self>,
        listener: TcpListener,
        address: SocketAddr,
        tasks: &Tasks,
        shutdown: &Shutdown,
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

    /// Whether the listener has to be down, and when the schedule may change that.
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
                let served = Served {
                    site,
                    tasks: own,
                    stop: shutdown,
                };
                served.serve(stream, http2).await;
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
                // The client hello has arrived when there is something to read.
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

/// Peeks whether a client begins with HTTP/2's preface.
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

async fn bind_again(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%address, %error, "the port was taken while connections were refused");
            None
        }
    }
}

/// Waits when descriptors run out, but not when a peer has left.
async fn pause_after(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset) {
        tracing::debug!(%error, "a connection was not accepted");
        tokio::time::sleep(REBIND).await;
    }
}
