//! The opening handshake of a WebSocket, and the stream after it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::client::Client;
use super::connection::{ConnectTimings, Connection, Stream};
use super::header_order;
use super::origin::Origin;
use super::reply::Reply;
use super::url::Url;
use crate::websocket::{Decoder, Event, ProtocolError, accept_of, new_key};

/// The time limit for connecting and the handshake together; k6's.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
/// The most bytes of the response's header lines.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Bytes of a refusal's body that scripts can see.
const MAX_REFUSAL_BYTES: usize = 1024;
/// The largest message that is accepted.
const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// The extension that is offered when the script wants compression.
const DEFLATE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The request to the server.
pub struct Opening {
    pub url: Url,
    /// The script's headers, including `User-Agent`, `Cookie` and `Sec-WebSocket-Protocol`, in the order in which they are
    /// sent ([`header_order`]).
    pub headers: Vec<(String, String)>,
    pub host: Option<String>,
    pub compresses: bool,
}

/// The reason why there is no WebSocket.
pub enum Refusal {
    /// No usable response; the text is k6's.
    Failed(String),
    /// A response with another status than 101.
    Answered(Box<Reply>),
}

/// An open WebSocket. Outgoing messages are written while the caller waits for incoming ones.
pub struct Link {
    state: RefCell<State>,
    /// The server's response.
    pub reply: Reply,
    pub deflates: bool,
}

struct State {
    stream: Stream,
    decoder: Decoder,
    out: Vec<u8>,
    written: usize,
    waker: Option<Waker>,
}

/// The end of a wait on a link.
pub enum Incoming {
    Event(Event),
    /// The server violates the protocol.
    Broken(ProtocolError),
    /// The connection closed without a closing handshake.
    Gone(String),
}

/// Opens a WebSocket.
pub async fn open(client: &Client, opening: Opening) -> Result<Link, Refusal> {
    match timeout(HANDSHAKE_TIMEOUT, try_open(client, opening)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::Failed("i/o timeout".to_owned())),
    }
}

async fn try_open(client: &Client, opening: Opening) -> Result<Link, Refusal> {
    let failed = |text: String| Refusal::Failed(text);
    let origin = Origin::of(&opening.url);
    let mut dialed = ConnectTimings::default();
    let opened = Connection::open(origin, client.access(), &mut dialed);
    let connection = opened.await.map_err(|failure| failed(failure.detail))?;
    let key = new_key().map_err(|error| failed(error.to_string()))?;
    let mut stream = connection.stream;
    let head = head(&opening, &key);
    let broken = |error: io::Error| Refusal::Failed(words(&error));
    stream.write_all(&head).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let (reply, rest) = answer(&mut stream).await?;
    let accepts = reply.status == 101
        && reply.header("sec-websocket-accept").as_deref() == Some(&accept_of(&key));
    if !accepts {
        return Err(Refusal::Answered(Box::new(
            refusal(stream, reply, rest).await,
        )));
    }
    let extensions = reply.header("sec-websocket-extensions").unwrap_or_default();
    let deflates = opening.compresses && extensions.contains("permessage-deflate");
    let mut decoder = Decoder::new(MAX_MESSAGE_BYTES);
    if deflates {
        decoder.inflate();
    }
    decoder.feed(&rest);
    let state = State {
        stream,
        decoder,
        out: Vec::new(),
        written: 0,
        waker: None,
    };
    Ok(Link {
        state: RefCell::new(state),
        reply: Reply {
            remote: connection.remote,
            tls: connection.tls,
            ..reply
        },
        deflates,
    })
}

fn head(opening: &Opening, key: &str) -> Vec<u8> {
    let host = opening.host.as_deref().unwrap_or(&opening.url.authority);
    let mut text = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n", opening.url.target);
    let mut headers = opening.headers.clone();
    let extensions = opening
        .compresses
        .then_some(("Sec-WebSocket-Extensions", DEFLATE));
    let own = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
    ];
    for (name, value) in own.into_iter().chain(extensions) {
        header_order::set(&mut headers, name.to_owned(), value.to_owned());
    }
    for (name, value) in headers {
        let value = value.replace(['\r', '\n'], " ");
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Reads the header lines of the response; bytes after them are returned too.
async fn answer(stream: &mut Stream) -> Result<(Reply, Vec<u8>), Refusal> {
    let mut bytes = Vec::new();
    loop {
        let count = stream.read_buf(&mut bytes).await;
        let count = count.map_err(|error| Refusal::Failed(words(&error)))?;
        let mut headers = [httparse::EMPTY_HEADER; 256];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response
            .parse(&bytes)
            .map_err(|error| Refusal::Failed(format!("malformed HTTP response: {error}")))?;
        if let httparse::Status::Complete(length) = parsed {
            let line_end = bytes
                .iter()
                .position(|b| *b == b'\n')
                .map_or(0, |at| at + 1);
            let reply = Reply {
                status: response.code.unwrap_or(0),
                reason: response.reason.unwrap_or("").to_owned().into(),
                proto: "HTTP/1.1",
                head: bytes[line_end..length].to_vec(),
                ..Reply::default()
            };
            return Ok((reply, bytes[length..].to_vec()));
        }
        if count == 0 || bytes.len() > MAX_HEAD_BYTES {
            return Err(Refusal::Failed("unexpected EOF".to_owned()));
        }
    }
}

/// The response with its body, up to the length that is shown.
async fn refusal(mut stream: Stream, mut reply: Reply, mut body: Vec<u8>) -> Reply {
    let length = reply.header("content-length");
    let length = length.and_then(|text| text.parse().ok());
    let wanted = length.unwrap_or(MAX_REFUSAL_BYTES).min(MAX_REFUSAL_BYTES);
    while body.len() < wanted {
        match stream.read_buf(&mut body).await {
            Ok(count) if count > 0 => {}
            _ => break,
        }
    }
    body.truncate(wanted);
    reply.body = Some(body);
    reply
}

fn words(error: &io::Error) -> String {
    super::failure::Failure::broken("read", error).detail
}

impl Link {
    /// Queues a frame.
    pub fn send(&self, frame: &[u8]) {
        let mut state = self.state.borrow_mut();
        state.out.extend_from_slice(frame);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// Whether all queued frames are written.
    pub fn is_flushed(&self) -> bool {
        self.state.borrow().out.is_empty()
    }

    /// Writes what the socket takes at once, for a caller that cannot wait.
    pub fn write_now(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        let _ = self.state.borrow_mut().write(&mut cx);
    }

    /// Waits until all queued frames are written.
    pub async fn flush(&self) {
        let _ = poll_fn(|cx| self.state.borrow_mut().write(cx)).await;
    }

    /// Waits for the next event; meanwhile queued frames are written.
    pub async fn next(&self) -> Incoming {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            state.waker = Some(cx.waker().clone());
            if let Poll::Ready(Err(error)) = state.write(cx) {
                return Poll::Ready(Incoming::Gone(words(&error)));
            }
            state.read(cx)
        })
        .await
    }
}

impl State {
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            let rest = &self.out[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Ok(count) => self.written += count,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.out.clear();
        self.written = 0;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let mut space = [0; 8192];
        loop {
            match self.decoder.next_event() {
                Ok(Some(event)) => return Poll::Ready(Incoming::Event(event)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Incoming::Broken(error)),
            }
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => {
                    return Poll::Ready(Incoming::Gone(
                        "websocket: close 1006 (abnormal closure): unexpected EOF".to_owned(),
                    ));
                }
                Ok(()) => self.decoder.feed(buffer.filled()),
                Err(error) => return Poll::Ready(Incoming::Gone(words(&error))),
            }
        }
    }
}
