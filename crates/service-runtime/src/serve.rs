//! Binding a port and serving on it until shutdown.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::peer::Peer;
use crate::refusals::Refusals;
use crate::threads::Threads;

/// The signal to stop. Clones share the signal; a child can be stopped alone.
pub type Shutdown = CancellationToken;

/// How long a new connection has to send its request, before idle connections are closed.
const GRACE: Duration = Duration::from_millis(100);
/// How long connections may take to finish after shutdown was requested.
pub const DRAIN: Duration = Duration::from_secs(10);

/// The error of a port that cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}: {reason}")]
pub struct BindError {
    pub address: SocketAddr,
    /// The server that needs the port, such as `the orchestrator`.
    pub what: String,
    pub reason: String,
    #[source]
    pub source: io::Error,
}

/// Listens on `address`; port 0 takes a free one. `what` names the server in the error.
///
/// # Errors
/// The port is in use or not permitted; the message names address and server.
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
                _ if lacks_descriptors(&source) => {
                    "too many files are open; raise the limit with `ulimit -n 65535`".to_owned()
                }
                _ => "the operating system refused it".to_owned(),
            },
            source,
        })
}

/// Whether the process, or the machine, may open no more files.
fn lacks_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// How long a client may take for a request's head, and how long a connection may be idle: an idle connection
/// takes a place that another client may need.
pub const HEAD: Duration = Duration::from_secs(30);

/// Serves `router` until `shutdown`, then lets running requests end, for 10 s at most.
///
/// # Errors
/// The listener failed.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> io::Result<()> {
    let serving = Serving {
        head: HEAD,
        stop: Stop::at(shutdown),
        threads: &Threads::none(),
    };
    serve_within(listener, router, serving).await
}

/// The phases of a server's stop.
#[derive(Debug, Clone)]
pub struct Stop {
    /// From here on, responses tell clients to use a new connection for their next request, since this one will
    /// close.
    pub announced: Shutdown,
    /// From here on, no connection is accepted.
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

/// How a server serves.
#[derive(Debug)]
pub struct Serving<'a> {
    /// The time limit for a request's head. (`axum::serve` has none: a client that never ends its head would hold
    /// its connection for ever.)
    pub head: Duration,
    pub stop: Stop,
    pub threads: &'a Threads,
}

/// The same with given threads and a given time limit for a request's head.
///
/// Connections may be upgraded, as WebSocket needs. An upgraded connection belongs to the task that took it:
/// this function does not wait for it, so that task has to watch the shutdown itself.
///
/// # Errors
/// As [`serve`].
pub async fn serve_within(
    listener: TcpListener,
    router: Router,
    serving: Serving<'_>,
) -> io::Result<()> {
    let Serving {
        head,
        stop,
        threads,
    } = serving;
    // Not hyper-util's automatic choice of a protocol: it reads the first bytes without a time limit.
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(head);
    // A client may close its half; `Peer` detects whether it has left.
    protocol.half_close(true);
    let draining = Shutdown::new();
    let routes = Routes {
        router,
        announced: stop.announced,
    };
    // Connections end with this future.
    let mut connections = JoinSet::new();
    let begin = |connections: &mut JoinSet<()>, stream| {
        let serve = {
            // Its own token, since waiting on a shared one takes a lock at each poll.
            let ending = draining.child_token();
            let (protocol, routes) = (protocol.clone(), routes.clone());
            move |stream| connection(protocol, stream, routes, ending)
        };
        begin_on(threads, connections, stream, serve);
    };
    let mut refusals = Refusals::default();
    loop {
        tokio::select! {
            () = stop.closing.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    refusals.end();
                    begin(&mut connections, stream);
                }
                Err(error) => pause_after(&error, &mut refusals).await,
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
    draining.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    drop(tokio::time::timeout(DRAIN, ended).await);
    Ok(())
}

/// Starts a connection on the thread with the fewest, or here if there are no threads.
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
    // Each runtime polls its own sockets.
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

/// Closes a listener and returns the pending connections: dropped with it, they would be reset, and their
/// clients could not know whether a request was received. A later connection is refused, which is unambiguous.
/// Asks the system and not tokio, which learns of connections a moment later.
fn take_waiting(listener: TcpListener) -> io::Result<Vec<TcpStream>> {
    let listener = listener.into_std()?;
    let mut waiting = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        waiting.push(TcpStream::from_std(stream)?);
    }
    Ok(waiting)
}

/// The client did not wait for its response.
#[derive(Debug, thiserror::Error)]
#[error("the client disconnected before the response")]
struct ClientLeft;

/// What a connection serves.
#[derive(Clone)]
struct Routes {
    router: Router,
    /// Responses tell clients to use a new connection.
    announced: Shutdown,
}

/// Serves one connection to its end.
async fn connection(protocol: http1::Builder, stream: TcpStream, routes: Routes, ending: Shutdown) {
    let Routes { router, announced } = routes;
    drop(stream.set_nodelay(true));
    let peer = Peer::new(stream);
    let client = peer.client();
    // A router layer would cost two allocations and a clone of the route per request.
    let service = service_fn(move |request: Request<Incoming>| {
        let (version, client) = (request.version(), client.clone());
        let (answer, announced) = (router.clone().call(request), announced.clone());
        async move {
            let mut answer = tokio::select! {
                biased;
                answer = answer => {
                    let Ok(answer) = answer;
                    answer
                }
                // Ends the connection, and drops the response with all work for it.
                () = client.left(version) => return Err(ClientLeft),
            };
            client.answered();
            answer = answer.map(|body| client.watched(body));
            // An upgraded connection is not kept alive, and its response needs the header itself.
            let upgrades = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
            if announced.is_cancelled() && !upgrades {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, ClientLeft>(answer)
        }
    });
    let serving = protocol.serve_connection(TokioIo::new(peer), service);
    let mut serving = pin!(serving.with_upgrades());
    let ended = tokio::select! {
        biased;
        ended = serving.as_mut() => ended,
        () = ending.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A connection that broke before it was accepted is the client's problem. For any other error, such as too
/// many open files, only waiting can help.
async fn pause_after(error: &io::Error, refusals: &mut Refusals) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if ![ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind()) {
        refusals.note(error);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::place;
    use axum::routing::get;

    fn serving(head: Duration, stop: Stop, threads: &Threads) -> Serving<'_> {
        Serving {
            head,
            stop,
            threads,
        }
    }
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(200);

    /// Sends `parts` one after the other. Returns the response until the server disconnected.
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
        let serving =
            async move { serve_within(listener, router, serving(SHORT, stop, &threads)).await };
        let serving = tokio::spawn(serving);
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        for part in parts {
            // The server may have disconnected already.
            if stream.write_all(part.as_bytes()).await.is_err() {
                break;
            }
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
    async fn a_client_that_never_ends_its_head_is_disconnected() {
        check(&[], "").await;
        check(&["P"], "").await;
        check(&["GET / HTTP/1.1\r\n", "host: x\r\n"], "").await;
        // Each byte arrives in time, but the head as a whole does not.
        check(
            &["GET / HTTP/1.1\r\n", "a: 1\r\n", "b: 1\r\n", "c: 1\r\n"],
            "",
        )
        .await;
    }

    #[tokio::test]
    async fn a_client_is_answered_and_later_disconnected_when_idle() {
        check(&["GET / HTTP/1.1\r\nhost: x\r\n\r\n"], "hello").await;
    }

    /// A server whose only route responds after `work`, and the response for a client that closed its half
    /// after its request, or both halves.
    async fn closing(version: &str, work: Duration, leaves: bool) -> (String, bool) {
        let local: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let listener = bind(local, "a test").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let (ended, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
        let handler = move || {
            let held = ended.clone();
            async move {
                sleep(work).await;
                held.try_send(()).ok();
                "hello"
            }
        };
        let router = Router::new().route("/", get(handler));
        let shutdown = Shutdown::new();
        let stop = Stop::at(shutdown.clone());
        let serving = tokio::spawn(async move {
            serve_within(listener, router, serving(GRACE, stop, &Threads::none())).await
        });
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!("GET / {version}\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        if leaves {
            sleep(GRACE / 2).await;
            drop(stream);
        } else {
            stream.shutdown().await.expect("half closed");
            let reading = stream.read_to_string(&mut answer);
            let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
            drop(read.expect("the server hung up"));
        }
        shutdown.cancel();
        serving.await.expect("no panic").expect("a clean end");
        (answer, dropped.try_recv().is_ok())
    }

    #[tokio::test]
    async fn a_client_that_closes_its_half_gets_its_response() {
        for version in ["HTTP/1.1", "HTTP/1.0"] {
            for work_ms in [0, 50, 700] {
                let work = Duration::from_millis(work_ms);
                let (answer, worked) = closing(version, work, false).await;
                let ends = answer.ends_with("hello") && answer.contains(" 200 OK\r\n");
                assert!(ends && worked, "{version} {work_ms} ms: {answer}");
                let interim = answer.starts_with("HTTP/1.1 100 ");
                assert!(!interim || version == "HTTP/1.1", "{answer}");
            }
        }
    }

    #[tokio::test]
    async fn the_work_for_a_client_that_left_is_dropped() {
        let (_, worked) = closing("HTTP/1.1", Duration::from_secs(5), true).await;
        assert!(!worked, "it went on to its end");
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
        let serving =
            async move { serve_within(listener, router, serving(HEAD, stop, &threads)).await };
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
    async fn a_request_in_progress_ends_before_the_server() {
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
        let serving =
            async move { serve_within(listener, router, serving(HEAD, stop, &threads)).await };
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
    async fn pending_connections_are_served_and_later_ones_refused() {
        let local: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let listener = bind(local, "a test").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let router = Router::new().route("/", get(|| async { "well" }));
        // These connections wait in the accept queue.
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

    #[tokio::test]
    async fn an_upgraded_connection_carries_bytes_both_ways_and_the_server_still_ends() {
        let local: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let listener = bind(local, "a test").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let stop = Stop {
            announced: Shutdown::new(),
            closing: Shutdown::new(),
        };
        // After the announcement, responses have `Connection: close`, except the one that switches protocols.
        stop.announced.cancel();
        let router = Router::new().route("/", get(echo));
        let (stopping, none) = (stop.clone(), Threads::none());
        let serving =
            async move { serve_within(listener, router, serving(HEAD, stopping, &none)).await };
        let serving = tokio::spawn(serving);
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(head.contains("connection: upgrade"), "{head}");
        // The upgraded connection outlives the server; its own task ends it.
        stop.closing.cancel();
        serving.await.expect("no panic").expect("a clean end");
        stream.write_all(b"ping").await.expect("sent");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"ping");
    }

    /// Switches to an echo protocol.
    async fn echo(request: Request<axum::body::Body>) -> axum::response::Response {
        let taken = hyper::upgrade::on(request);
        tokio::spawn(async move {
            let taken = TokioIo::new(taken.await.expect("an upgrade"));
            let (mut read, mut write) = tokio::io::split(taken);
            drop(tokio::io::copy(&mut read, &mut write).await);
        });
        axum::http::Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "echo")
            .body(axum::body::Body::empty())
            .expect("valid parts")
    }
}
