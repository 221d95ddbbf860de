//! A detector that fails in one way, and a raw socket that observes it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fault_profile::Listener;
use mock_detectors::{Config, Fleet};
use serde_json::{Value, json};

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// FIN: `read` returned 0.
    Closed,
    /// RST: `ECONNRESET`.
    Reset,
    /// Nothing arrived while the probe waited.
    Silent,
}

/// The data received on a connection.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
    /// From before connecting to the first byte of the answer.
    pub(crate) first_byte: Option<Duration>,
    /// From before connecting to the end.
    pub(crate) total: Duration,
}

impl Seen {
    /// Head and body, split at the empty line.
    pub(crate) fn parts(&self) -> (String, Vec<u8>) {
        let at = self
            .bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n");
        let at = at.unwrap_or_else(|| panic!("no complete head: {}", self.text())) + 4;
        (
            String::from_utf8_lossy(&self.bytes[..at]).into_owned(),
            self.bytes[at..].to_vec(),
        )
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn status(&self) -> u16 {
        let text = self.text();
        text.split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .expect("a status line")
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.parts();
        let line = head.lines().find(|line| {
            line.split_once(':')
                .is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
        })?;
        Some(line.split_once(':')?.1.trim().to_owned())
    }

    pub(crate) fn content_length(&self) -> usize {
        self.header("content-length")
            .and_then(|text| text.parse().ok())
            .expect("a content-length")
    }

    pub(crate) fn json(&self) -> Value {
        let (_, body) = self.parts();
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A value of the decision header.
    pub(crate) fn decision(&self, name: &str) -> Option<String> {
        let header = self.header("x-sparring-decision")?;
        let pairs = header.split(';').filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.to_owned())
    }
}

/// A running detector.
pub(crate) struct Probe {
    fleet: Fleet,
    pub(crate) address: SocketAddr,
}

pub(crate) const CONTENT: &str = "mail ada@example.org or call (212) 555-0147, you idiot";

impl Probe {
    /// A detector that fails every request in this way.
    pub(crate) async fn failing(kind: Value) -> Self {
        Self::with(json!({ "success_rate": 0, "failures": [{ "kind": kind }] })).await
    }

    pub(crate) async fn with(profile: Value) -> Self {
        Self::listening(profile, Listener::default()).await
    }

    pub(crate) async fn with_http2(profile: Value) -> Self {
        Self::listening(
            profile,
            Listener {
                http2: true,
                ..Listener::default()
            },
        )
        .await
    }

    pub(crate) async fn secure(profile: Value, http2: bool) -> Self {
        let tls_host = Some("localhost".to_owned());
        Self::listening(
            profile,
            Listener {
                http2,
                tls_host,
                ..Listener::default()
            },
        )
        .await
    }

    async fn listening(profile: Value, listener: Listener) -> Self {
        let profile = serde_json::from_value(profile).expect("the test's own profile");
        let config = Config {
            listener,
            ..Config::new("mock", profile)
        };
        let fleet = Fleet::start([config]).await.expect("a free port");
        let address = fleet.address("mock").expect("just started");
        Self { fleet, address }
    }

    pub(crate) fn authority_pem(&self) -> &str {
        self.fleet
            .authority_pem("mock")
            .expect("a detector with TLS")
    }

    pub(crate) fn recorded(&self) -> u64 {
        self.fleet.recorded("mock").expect("just started")
    }

    pub(crate) fn patch(&self, patch: Value) {
        self.fleet.patch("mock", &patch).expect("a valid patch");
    }

    /// `POST /detect` with [`CONTENT`].
    pub(crate) async fn detect(&self) -> Seen {
        self.post("/detect", &json!({ "content": CONTENT })).await
    }

    /// `POST /detect/batch` with three contents.
    pub(crate) async fn detect_batch(&self) -> Seen {
        let contents = ["ada@example.org", "nothing", "219-09-9999"];
        let requests: Vec<Value> = contents
            .iter()
            .enumerate()
            .map(|(n, content)| json!({ "content": content, "request_id": n.to_string() }))
            .collect();
        self.post("/detect/batch", &json!({ "requests": requests }))
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Seen {
        self.exchange(request(path, body)).await
    }

    pub(crate) async fn exchange(&self, request: Vec<u8>) -> Seen {
        let address = self.address;
        let seen = tokio::task::spawn_blocking(move || look(address, &request));
        seen.await
            .expect("the probe does not panic")
            .expect("the probe can connect")
    }

    pub(crate) async fn stop(self) {
        self.fleet.stop().await;
    }
}

/// A request after which a healthy server closes the connection.
pub(crate) fn request(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\nx-request-id: key-1\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn look(address: SocketAddr, request: &[u8]) -> std::io::Result<Seen> {
    // Before connecting: the server's delay may start there, and this thread may be slow to continue.
    let begun = Instant::now();
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_millis(400)))?;
    socket.write_all(request)?;
    let (mut bytes, mut first_byte) = (Vec::new(), None);
    let mut buffer = [0; 65_536];
    let end = loop {
        match socket.read(&mut buffer) {
            Ok(0) => break End::Closed,
            Ok(read) => {
                first_byte.get_or_insert_with(|| begun.elapsed());
                bytes.extend_from_slice(&buffer[..read]);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break End::Silent;
            }
            Err(error) => return Err(error),
        }
    };
    Ok(Seen {
        bytes,
        end,
        first_byte,
        total: begun.elapsed(),
    })
}
