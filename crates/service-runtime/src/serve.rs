//! Binding a port and serving on it until told to stop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::threads::Threads;

/// Says when to stop. Clones share the signal; a child can be stopped alone.
pub type Shutdown = CancellationToken;

/// How long who has just connected has to say what is wanted, before connections are closed on
/// which nothing runs.
const GRACE: Duration = Duration::from_millis(100);
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

/// How long a client may take for a request's head, and how long a kept connection may be idle:
/// a place that is held by nobody who asks is a place that somebody else cannot have.
pub const HEAD: Duration = Duration::from_secs(30);

/// Serves `router` until `shutdown`, then lets running requests end, for 10 s at most.
///
/// # Errors
/// The listener broke.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> io::Result<()> {
    let stop = Stop::at(shutdown);
    serve_within(listener, router, HEAD, (stop, &Threads::none())).await
}

/// When a server stops.
#[derive(Debug, Clone)]
pub struct Stop {
    /// From here on answers tell clients to take their next request elsewhere: a kept connection
    /// would break under it.
    pub announced: Shutdown,
    /// From here on nobody is let in.
    pub closing: Shutdown,
}

impl Stop {
    /// Without an announcement.
    pub fn at(closing: Shutdown) -> Self {
        Self {
            announced: closing.clone(),
            closing,
        }
    }
}

/// The same on threads of one's own and with a time of one's own for a request's head. (`axum::serve`
/// has none: a client that never ends its head would hold its connection for ever.)
///
/// # Errors
/// As [`serve`].
pub async fn serve_within(
    listener: TcpListener,
    router: Router,
    head: Duration,
    (stop, threads): (Stop, &Threads),
) -> io::Result<()> {
    // Finding out which protocol a client speaks would be without any time of its own.
    let mut protocol = Builder::new(TokioExecutor::new()).http1_only();
    let mut http1 = protocol.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(head);
    let draining = GracefulShutdown::new();
    let routes = (router, stop.announced);
    // Connections end with this future.
    let mut connections = JoinSet::new();
    let begin = |connections: &mut JoinSet<()>, stream| {
        let serve = {
            let (protocol, routes, ending) = (protocol.clone(), routes.clone(), draining.watcher());
            move |stream| connection(protocol, stream, routes, ending)
        };
        begin_on(threads, connections, stream, serve);
    };
    loop {
        tokio::select! {
            () = stop.closing.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => begin(&mut connections, stream),
                Err(error) => pause_after(&error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    for stream in take_waiting(listener)? {
        begin(&mut connections, stream);
    }
    if !connections.is_empty() {
        sleep(GRACE).await;
    }
    tokio::select! {
        () = draining.shutdown() => {}
        () = sleep(DRAIN) => {}
    }
    Ok(())
}

/// Begins a connection on the thread that has the fewest, or here where there are none.
fn begin_on<F>(
    threads: &Threads,
    connections: &mut JoinSet<()>,
    stream: TcpStream,
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(chosen) = threads.choose() else {
        connections.spawn(serve(stream));
        return;
    };
    // Each runtime asks the system about the sockets of its own.
    let stream = match stream.into_std() {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, "a connection was lost"),
    };
    let runtime = chosen.runtime.clone();
    let moved = async move {
        let _counted = chosen;
        match TcpStream::from_std(stream) {
            Ok(stream) => serve(stream).await,
            Err(error) => tracing::debug!(%error, "a connection was lost"),
        }
    };
    connections.spawn_on(moved, &runtime);
}

/// Closes a listener and returns who had connected: dropped with it, they would be turned away and
/// could not know whether anything had reached us. Who comes later is refused, and knows. Asks the
/// system and not tokio, which learns of connections a moment later.
fn take_waiting(listener: TcpListener) -> io::Result<Vec<TcpStream>> {
    let listener = listener.into_std()?;
    let mut waiting = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        waiting.push(TcpStream::from_std(stream)?);
    }
    Ok(waiting)
}

/// One connection to its end.
async fn connection(
    protocol: Builder<TokioExecutor>,
    stream: TcpStream,
    (router, announced): (Router, Shutdown),
    ending: Watcher,
) {
    drop(stream.set_nodelay(true));
    // A layer of the router would cost each request two blocks of memory and a clone of its route.
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, announced) = (router.clone().call(request), announced.clone());
        async move {
            let mut answer = answer.await?;
            if announced.is_cancelled() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let serving = protocol.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = ending.watch(serving.into_owned()).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A connection that broke before it was accepted is the client's affair. Anything else, such as
/// too many open files, goes away by waiting or not at all.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if ![ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind()) {
        tracing::error!(%error, "no connection can be accepted; trying again in a second");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::place;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(200);

    /// Sends `parts` one after the other, and looks at what was answered until the server hung up.
    async fn check(parts: &[&str], expected: &str) {
        for threads in [Threads::none(), Threads::start(2, "test").expect("threads")] {
            check_on(threads, parts, expected).await;
        }
    }

    async fn check_on(threads: Threads, parts: &[&str], expected: &str) {
        let local: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let listener = bind(local, "a test").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let router = Router::new().route("/", get(|| async { "hello" }));
        let shutdown = Shutdown::new();
        let stop = Stop::at(shutdown.clone());
        let serving = async move { serve_within(listener, router, SHORT, (stop, &threads)).await };
        let serving = tokio::spawn(serving);
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        for part in parts {
            stream.write_all(part.as_bytes()).await.expect("sent");
            tokio::time::sleep(SHORT / 4).await;
        }
        let mut answer = String::new();
        let reading = stream.read_to_string(&mut answer);
        let ended = tokio::time::timeout(Duration::from_secs(20), reading).await;
        drop(ended.expect("the server hung up"));
        assert!(
            answer.ends_with(expected) && answer.is_empty() == expected.is_empty(),
            "{parts:?} {answer}"
        );
        shutdown.cancel();
        serving.await.expect("no panic").expect("a clean end");
    }

    #[tokio::test]
    async fn a_client_that_never_ends_its_head_is_cut() {
        check(&[], "").await;
        check(&["P"], "").await;
        check(&["GET / HTTP/1.1\r\n", "host: x\r\n"], "").await;
        // Each byte comes in time, the head as a whole does not.
        check(
            &["GET / HTTP/1.1\r\n", "a: 1\r\n", "b: 1\r\n", "c: 1\r\n"],
            "",
        )
        .await;
    }

    #[tokio::test]
    async fn a_client_that_asks_is_answered_and_then_cut_when_it_is_idle() {
        check(&["GET / HTTP/1.1\r\nhost: x\r\n\r\n"], "hello").await;
    }

    #[tokio::test]
    async fn connections_are_spread_over_the_threads_and_stay() {
        let local: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let listener = bind(local, "a test").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let router = Router::new().route("/", get(|| async { place().to_string() }));
        let threads = Threads::start(3, "test").expect("threads");
        let shutdown = Shutdown::new();
        let stop = Stop::at(shutdown.clone());
        let serving = async move { serve_within(listener, router, HEAD, (stop, &threads)).await };
        let serving = tokio::spawn(serving);
        let ask = async |stream: &mut TcpStream| {
            let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            stream.write_all(request).await.expect("sent");
            let mut answer = [0; 1_000];
            let length = stream.read(&mut answer).await.expect("an answer");
            char::from(answer[length - 1])
        };
        let mut streams = Vec::new();
        let mut places = Vec::new();
        for _ in 0..6 {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            places.push(ask(&mut stream).await);
            streams.push(stream);
        }
        for (stream, place) in streams.iter_mut().zip(&places) {
            assert_eq!(ask(stream).await, *place);
        }
        places.sort_unstable();
        assert_eq!(places, ['1', '1', '2', '2', '3', '3']);
        shutdown.cancel();
        drop(streams);
        serving.await.expect("no panic").expect("a clean end");
    }

    #[tokio::test]
    async fn a_request_under_way_ends_before_the_server_does() {
        for threads in [Threads::none(), Threads::start(1, "test").expect("threads")] {
            ends_after_its_requests(threads).await;
        }
    }

    async fn ends_after_its_requests(threads: Threads) {
        let local: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let listener = bind(local, "a test").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let shutdown = Shutdown::new();
        let begun = Shutdown::new();
        let stop = (shutdown.clone(), begun.clone());
        let slow = move || async move {
            stop.1.cancel();
            stop.0.cancelled().await;
            tokio::time::sleep(SHORT).await;
            "done"
        };
        let router = Router::new().route("/", get(slow));
        let stop = Stop::at(shutdown.clone());
        let serving = async move { serve_within(listener, router, HEAD, (stop, &threads)).await };
        let serving = tokio::spawn(serving);
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        begun.cancelled().await;
        shutdown.cancel();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.ends_with("done"), "{answer}");
        serving.await.expect("no panic").expect("a clean end");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }

    #[tokio::test]
    async fn who_has_connected_is_served_and_who_comes_later_is_refused() {
        let local: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let listener = bind(local, "a test").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let router = Router::new().route("/", get(|| async { "well" }));
        // They wait in the system's queue: nobody has accepted them.
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut early = Vec::new();
        for _ in 0..20 {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(request).await.expect("sent");
            early.push(stream);
        }
        let shutdown = Shutdown::new();
        shutdown.cancel();
        let serving = tokio::spawn(serve(listener, router, shutdown));
        for mut stream in early {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.ends_with("well"), "{answer:?}");
        }
        serving.await.expect("no panic").expect("a clean end");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }
}
