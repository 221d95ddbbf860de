//! The TLS endpoints of the server: valid ones, and some with one defect each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::keys::{Keys, Wishes};
use super::{deflate, socket};

const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];
const ONLY_2: &[&[u8]] = &[b"h2"];

/// Endpoints that negotiate HTTP/2 and send this to every request.
const BROKEN: [(&str, &[u8]); 7] = [
    // HTTP/1.
    ("H2_TEXT", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    // Settings, then data without a stream.
    ("H2_DATA", b"\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0\0\0\0x"),
    // Settings, then twice the largest step of the window.
    (
        "H2_WINDOW",
        b"\0\0\0\x04\0\0\0\0\0\0\0\x04\x08\0\0\0\0\0\x7f\xff\xff\xff\0\0\x04\x08\0\0\0\0\0\x7f\xff\xff\xff",
    ),
    // Settings of an invalid length.
    ("H2_SETTINGS", b"\0\0\x05\x04\0\0\0\0\0hello"),
    // Settings, then headers that cannot be decoded.
    ("H2_PACKED", b"\0\0\0\x04\0\0\0\0\0\0\0\x05\x01\x05\0\0\0\x01\xff\xff\xff\xff\xff"),
    // Settings, then a status and a header with an invalid name.
    ("H2_HEADER", b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x01\x05\0\0\0\x01\x88\0\x03a b\x01c"),
    // Settings, then a status and `connection: close`.
    (
        "H2_CONNECTION",
        b"\0\0\0\x04\0\0\0\0\0\0\0\x13\x01\x05\0\0\0\x01\x88\0\x0aconnection\x05close",
    ),
];

/// Endpoints that should use TLS and send this to the first bytes of a client.
const LIES: [(&str, &[u8]); 6] = [
    ("TLS_DATA", b"\x17\x03\x03\0\x05hello"),
    ("TLS_CIPHER", b"\x14\x03\x03\0\x01\x01"),
    ("TLS_SHORT_ALERT", b"\x15\x03\x03\0\x01\x02"),
    ("TLS_SHORT_HELLO", b"\x16\x03\x03\0\x06\x02\0\0\x02\0\0"),
    ("TLS_ALERT", b"\x15\x03\x03\0\x02\x02\x50"),
    (
        "TLS_SUITE",
        b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x03abcdefghabcdefghabcdefghabcdefgh\0\x13\x01\0",
    ),
];

/// Starts all endpoints. Returns the variables with their addresses for scripts.
pub async fn start(keys: &Keys, router: &Router) -> Vec<(String, String)> {
    let wishes = |alpn| Wishes {
        alpn,
        ..Wishes::default()
    };
    let mutual = Wishes {
        asks_for_certificate: true,
        ..Wishes::default()
    };
    let older = Wishes {
        only_tls12: true,
        ..Wishes::default()
    };
    let stapling = |staple: &'static [u8]| {
        let wishes = Wishes {
            staple,
            ..Wishes::default()
        };
        keys.server(keys.trusted(), &wishes)
    };
    let ends = [
        ("TLS", keys.server(keys.trusted(), &wishes(BOTH))),
        ("TLS1", keys.server(keys.trusted(), &wishes(&[]))),
        ("TLS12", keys.server(keys.trusted(), &older)),
        ("EXPIRED", keys.server(keys.expired(), &wishes(&[]))),
        ("UNKNOWN", keys.server(Keys::unknown(), &wishes(&[]))),
        ("MUTUAL", keys.server(keys.trusted(), &mutual)),
        ("GOOD", stapling(include_bytes!("staples/good.der"))),
        ("REVOKED", stapling(include_bytes!("staples/revoked.der"))),
        ("NOBODY", stapling(include_bytes!("staples/unknown.der"))),
        ("NONSENSE", stapling(b"nonsense")),
    ];
    let mut variables = Vec::new();
    for (name, config) in ends {
        let (listener, base) = bind().await;
        variables.push((name.to_owned(), base));
        tokio::spawn(serve(listener, config, router.clone()));
    }
    let plain = keys.server(keys.trusted(), &wishes(&[]));
    let (deflate, deflate_tls) = deflate::start(TlsAcceptor::from(Arc::clone(&plain))).await;
    variables.push(("DEFLATE".to_owned(), deflate));
    variables.push(("DEFLATE_TLS".to_owned(), deflate_tls));
    variables.push(("SOCKET_TLS".to_owned(), socket::start_secure(plain)));
    let unknown = keys.server(Keys::unknown(), &wishes(&[]));
    variables.push(("SOCKET_UNKNOWN".to_owned(), socket::start_secure(unknown)));
    let (listener, base) = bind().await;
    variables.push(("FAULTS".to_owned(), base));
    for (name, bytes) in BROKEN {
        let (listener, base) = bind().await;
        variables.push((name.to_owned(), base));
        let config = keys.server(keys.trusted(), &wishes(ONLY_2));
        tokio::spawn(serve_bytes(listener, config, bytes));
    }
    for (name, bytes) in LIES {
        let (listener, base) = bind().await;
        variables.push((name.to_owned(), base));
        tokio::spawn(serve_lie(listener, bytes));
    }
    tokio::spawn(serve_faults(
        listener,
        keys.server(keys.trusted(), &wishes(ONLY_2)),
    ));
    variables
}

async fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, format!("https://localhost:{port}"))
}

async fn serve(listener: TcpListener, config: Arc<ServerConfig>, router: Router) {
    let acceptor = TlsAcceptor::from(config);
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            let stream = acceptor.accept(tcp).await.ok()?;
            let service = TowerToHyperService::new(router);
            auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok()
        });
    }
}

/// Sends the same bytes to every client that sends anything.
async fn serve_lie(listener: TcpListener, bytes: &'static [u8]) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    while let Ok((mut tcp, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut heard = [0; 4096];
            if tcp.read(&mut heard).await.ok()? == 0 {
                return None;
            }
            tcp.write_all(bytes).await.ok()?;
            while tcp.read(&mut heard).await.ok()? > 0 {}
            Some(())
        });
    }
}

/// Sends the same bytes to every client that has sent a request, and waits until it disconnects.
async fn serve_bytes(listener: TcpListener, config: Arc<ServerConfig>, bytes: &'static [u8]) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const QUIET: Duration = Duration::from_millis(100);
    let acceptor = TlsAcceptor::from(config);
    while let Ok((tcp, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut stream = acceptor.accept(tcp).await.ok()?;
            let mut heard = [0; 4096];
            while let Ok(count) = tokio::time::timeout(QUIET, stream.read(&mut heard)).await {
                if count.ok()? == 0 {
                    return None;
                }
            }
            stream.write_all(bytes).await.ok()?;
            while stream.read(&mut heard).await.ok()? > 0 {}
            Some(())
        });
    }
}

/// HTTP/2 with the errors that the path selects.
async fn serve_faults(listener: TcpListener, config: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(config);
    let connections = Arc::new(AtomicUsize::new(0));
    while let Ok((tcp, _)) = listener.accept().await {
        let number = connections.fetch_add(1, Ordering::Relaxed);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if misbehave(tcp, acceptor, number).await.is_err() {
                // The client has disconnected, which is how these tests end.
            }
        });
    }
}

async fn misbehave(tcp: TcpStream, acceptor: TlsAcceptor, number: usize) -> Result<(), h2::Error> {
    let Ok(stream) = acceptor.accept(tcp).await else {
        return Ok(());
    };
    let mut connection = h2::server::handshake(stream).await?;
    let mut refused = false;
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request?;
        let path = request.uri().path().to_owned();
        let (action, code) = path
            .trim_start_matches('/')
            .split_once('/')
            .unwrap_or((path.trim_start_matches('/'), ""));
        let code: u32 = code.parse().unwrap_or(0);
        match action {
            "rst" => respond.send_reset(Reason::from(code)),
            "refuse-once" if !refused => {
                refused = true;
                respond.send_reset(Reason::REFUSED_STREAM);
            }
            "goaway" => connection.abrupt_shutdown(Reason::from(code)),
            "close" => return Ok(()),
            "half" => {
                let response = http::Response::builder().status(200).body(());
                let mut body = respond.send_response(response.expect("valid"), false)?;
                body.send_data(Bytes::from_static(b"half"), false)?;
                body.send_reset(Reason::from(code));
            }
            "slow" => {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    answer(&mut respond, number).ok()
                });
            }
            _ => answer(&mut respond, number)?,
        }
    }
    Ok(())
}

fn answer(respond: &mut SendResponse<Bytes>, number: usize) -> Result<(), h2::Error> {
    let response = http::Response::builder().status(200).body(());
    let mut body = respond.send_response(response.expect("valid"), false)?;
    body.send_data(Bytes::from(number.to_string()), true)
}
