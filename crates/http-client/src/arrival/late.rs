//! Tests with responses that arrive while the thread that waits for them is busy.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::kernel;
use crate::client::{Client, Exchanged, Note, Request};
use crate::config::{Config, TlsConfig};
use crate::network::Network;
use crate::reply::Timings;
use crate::url::Url;

/// How long the thread is busy after the server has received the request.
const BUSY: Duration = Duration::from_millis(400);
/// By this time every server here has answered, and the client has not read the response yet.
const SOON: Duration = Duration::from_millis(200);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The protocol of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServerProtocol {
    Plain,
    Tls,
    Http2,
}

/// Lets a server answer when the client's thread is busy.
struct Gate {
    asked: UnboundedSender<()>,
    busy: UnboundedReceiver<()>,
    /// Responses without delay, one for each of the first requests.
    early: Vec<&'static [u8]>,
}

impl Gate {
    /// The response to a request, in pieces that are sent one after the other.
    async fn answer(&mut self, late: &'static [&'static [u8]]) -> Vec<&'static [u8]> {
        if !self.early.is_empty() {
            return vec![self.early.remove(0)];
        }
        self.asked.send(()).expect("the client waits for this");
        self.busy.recv().await.expect("the client tells");
        late.to_vec()
    }
}

/// Sends one request for each response, the last of which arrives while the thread is busy. Returns the
/// results, and how late each response was read.
fn ask(
    speech: ServerProtocol,
    early: &[&'static [u8]],
    late: &'static [&'static [u8]],
) -> (Exchanged, Vec<Duration>) {
    let ((asked, mut when_asked), (tell, busy)) = (unbounded_channel(), unbounded_channel());
    let gate = Gate {
        asked,
        busy,
        early: early.to_vec(),
    };
    let url = start(speech, gate, late);
    let lateness = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&lateness);
    let asking = async {
        wait_for_stamps().await;
        let network = Arc::new(Network::new(Config {
            tls: TlsConfig {
                accepts_any_server: true,
                ..TlsConfig::default()
            },
            ..Config::default()
        }));
        let client = Client::new(
            network,
            1,
            Rc::new(move |note| {
                if let Note::Read { late } = note {
                    noted.borrow_mut().push(late);
                }
            }),
        );
        for _ in early {
            assert!(client.send(&get(&url)).await.outcome.is_ok());
        }
        let blocking = spawn_local(async move {
            when_asked.recv().await.expect("the server is asked");
            tell.send(()).expect("the server waits for this");
            std::thread::sleep(BUSY);
        });
        let exchanged = client.send(&get(&url)).await;
        blocking.await.expect("it does not panic");
        exchanged
    };
    let exchanged = on_a_thread(asking);
    (exchanged, lateness.take())
}

fn on_a_thread<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), future)
}

fn get(url: &str) -> Request {
    let deadline = Instant::now() + Duration::from_secs(60);
    Request::to_get(Url::parse(url).expect("a URL"), "test", deadline)
}

/// The kernel begins to record arrivals a little after it has been asked to.
async fn wait_for_stamps() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (reader, writer) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (reader, mut writer) = (reader.expect("it connects"), writer.expect("it accepts").0);
    assert!(kernel::note_arrivals(&reader));
    assert_eq!(kernel::out_of_order(&reader), Some(0));
    let wait = async {
        loop {
            writer.write_all(b"x").await.expect("it is written");
            reader.readable().await.expect("it comes");
            let mut space = [0; 8];
            let mut buffer = tokio::io::ReadBuf::new(&mut space);
            if kernel::receive(&reader, &mut buffer).is_ok_and(|piece| piece.stamp.is_some()) {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = timeout(Duration::from_secs(10), wait).await;
    waited.expect("the kernel notes arrivals");
}

/// Starts a server for one client at a time.
fn start(speech: ServerProtocol, mut gate: Gate, late: &'static [&'static [u8]]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("that is possible");
    let address = listener.local_addr().expect("an address");
    let serving = async move {
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let acceptor = (speech != ServerProtocol::Plain).then(|| acceptor(speech));
        while let Ok((tcp, _)) = listener.accept().await {
            let _ = tcp.set_nodelay(true);
            match (&acceptor, speech) {
                (None, _) => serve(tcp, &mut gate, late).await,
                (Some(acceptor), ServerProtocol::Http2) => {
                    let tls = acceptor.accept(tcp).await.expect("a handshake");
                    serve_http2(tls, &mut gate, late).await;
                }
                (Some(acceptor), _) => {
                    let tls = acceptor.accept(tcp).await.expect("a handshake");
                    serve(tls, &mut gate, late).await;
                }
            }
        }
    };
    std::thread::spawn(move || on_a_thread(serving));
    let scheme = ["https", "http"][usize::from(speech == ServerProtocol::Plain)];
    format!("{scheme}://{address}/")
}

fn acceptor(speech: ServerProtocol) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let made = made.expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("they fit");
    if speech == ServerProtocol::Http2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    gate: &mut Gate,
    late: &'static [&'static [u8]],
) {
    let mut request = Vec::new();
    while stream
        .read_buf(&mut request)
        .await
        .is_ok_and(|count| count > 0)
    {
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        let pieces = gate.answer(late).await;
        for piece in &pieces {
            if stream.write_all(piece).await.is_err() || stream.flush().await.is_err() {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
        if !pieces[0].starts_with(b"HTTP/1.1") {
            return;
        }
    }
}

async fn serve_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    gate: &mut Gate,
    late: &'static [&'static [u8]],
) {
    let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let pieces = gate.answer(late).await;
        let sent = respond.send_response(http::Response::new(()), false);
        let mut body = sent.expect("the client waits");
        for (number, piece) in pieces.iter().enumerate() {
            let is_last = number + 1 == pieces.len();
            let sent = body.send_data(Bytes::from_static(piece), is_last);
            sent.expect("the client waits");
        }
    }
}

fn check(
    speech: ServerProtocol,
    early: &[&'static [u8]],
    late: &'static [&'static [u8]],
    body: &[u8],
) {
    let (exchanged, lateness) = ask(speech, early, late);
    let reply = exchanged.outcome.expect("an answer");
    assert!(reply.body.as_deref() == Some(body), "{speech:?} {late:?}");
    let timings: Timings = exchanged.timings;
    let told = format!("{speech:?} {timings:?} {lateness:?}");
    assert!(timings.duration() < SOON, "{told}");
    // To scripts, 0 means that it did not happen.
    let steps = [timings.waiting, timings.receiving];
    assert!(!steps.contains(&Duration::ZERO), "{told}");
    assert!(lateness.iter().any(|late| *late > SOON), "{told}");
}

#[test]
fn a_response_that_is_read_late_is_not_slow() {
    check(ServerProtocol::Plain, &[], &[OK], b"ok");
}

#[test]
fn a_response_in_several_parts_that_is_read_late_is_not_slow() {
    const PARTS: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\nTransfer-Enc",
        b"oding: chunked\r\n\r\n3\r\na",
        b"bc\r\n",
        b"0\r\n\r\n",
    ];
    check(ServerProtocol::Plain, &[], PARTS, b"abc");
    check(ServerProtocol::Tls, &[], PARTS, b"abc");
}

#[test]
fn a_large_response_that_is_read_late_is_not_slow() {
    // The initial window: more bytes would wait for the reader.
    const BODY: &[u8] = &[b'x'; 50_000];
    const PARTS: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", BODY];
    check(ServerProtocol::Plain, &[], PARTS, BODY);
    check(ServerProtocol::Tls, &[], PARTS, BODY);
    check(ServerProtocol::Http2, &[], &[BODY], BODY);
}

#[test]
fn a_late_response_on_a_reused_connection_is_not_slow() {
    check(ServerProtocol::Plain, &[OK, OK], &[OK], b"ok");
    check(ServerProtocol::Tls, &[OK, OK], &[OK], b"ok");
    check(ServerProtocol::Http2, &[b"1", b"2"], &[b"ok"], b"ok");
}

#[test]
fn unsolicited_bytes_after_a_response_are_not_part_of_the_next() {
    const MORE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n";
    check(ServerProtocol::Plain, &[MORE, OK], &[OK], b"ok");
}

#[test]
fn a_slow_response_stays_slow() {
    let (asked, mut when_asked) = unbounded_channel();
    let (tell, busy) = unbounded_channel();
    let gate = Gate {
        asked,
        busy,
        early: Vec::new(),
    };
    let url = start(ServerProtocol::Plain, gate, &[OK]);
    let exchanged = on_a_thread(async {
        let client = Client::for_modules(Arc::new(Network::new(Config::default())));
        let request = get(&url);
        let slow = async {
            when_asked.recv().await.expect("the server is asked");
            sleep(SOON).await;
            tell.send(()).expect("the server waits for this");
        };
        tokio::join!(client.send(&request), slow).0
    });
    assert!(exchanged.timings.waiting >= SOON, "{:?}", exchanged.timings);
}

#[test]
fn a_connection_end_right_after_the_response_is_noticed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            use std::io::{Read, Write};
            let mut space = [0; 1024];
            let _ = stream.read(&mut space);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nuntil the end");
        }
    });
    on_a_thread(async {
        let client = Client::for_modules(Arc::new(Network::new(Config::default())));
        for _ in 0..300 {
            let request = get(&format!("http://{address}/"));
            let sent = timeout(Duration::from_secs(20), client.send(&request)).await;
            let reply = sent.expect("the end is seen").outcome.expect("an answer");
            assert_eq!(reply.body.as_deref(), Some(&b"until the end"[..]));
        }
    });
}
