//! HTTP/2: one connection to a host, many requests on it at the same time.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::arrival::Arrival;
use super::connection::Connection;
use super::exchange::{Marks, Wire};
use super::failure::Failure;
use super::frames::{Frames, Watched};
use super::reply::{Reply, TlsInfo, canonical};

/// The receive window of a stream; Go's figure.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
/// The receive window of a connection; Go's figure.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;
/// The most bytes of a response's headers; Go's figure.
const MAX_HEAD_BYTES: u32 = 10 << 20;

/// Headers that concern a connection and have no meaning on a stream.
const OF_THE_CONNECTION: [&str; 6] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// A connection with HTTP/2.
pub(crate) struct Session {
    sender: SendRequest<Bytes>,
    remote: Option<SocketAddr>,
    tls: Option<TlsInfo>,
    /// The task that moves the frames; it ends with the session.
    driver: AbortHandle,
    frames: Rc<Frames>,
    end: Rc<End>,
}

/// The end of a connection.
#[derive(Default)]
struct End {
    /// The error, unless the end was orderly.
    failure: RefCell<Option<Failure>>,
    came: Notify,
}

/// How long a broken stream waits for the error of its connection.
const WAIT_FOR_END: Duration = Duration::from_millis(500);

/// The reason why a request has no response.
pub(crate) enum Broken {
    /// The server has not processed it, since this connection is closing.
    Closing(Failure),
    /// The server has not processed it, since it refused the stream.
    Refused(Failure),
    /// Anything else.
    Midway(Failure),
}

/// The content of a request on a stream.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    pub(crate) is_tls: bool,
    pub(crate) authority: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    /// The content length, if it is sent for this method.
    pub(crate) body_bytes: Option<usize>,
}

impl Session {
    /// The peer.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Starts HTTP/2 on a connection. Must be called inside a `LocalSet`.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn begin(connection: Connection) -> Result<Self, Failure> {
        let Connection {
            stream,
            remote,
            tls,
            ..
        } = connection;
        let frames = Rc::<Frames>::default();
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(MAX_HEAD_BYTES)
            .enable_push(false)
            .handshake::<Watched, Bytes>(Watched::new(stream, &frames))
            .await
            .map_err(|error| Failure::http2(&error))?;
        let end = Rc::new(End::default());
        let note = Rc::clone(&end);
        let driver = tokio::task::spawn_local(async move {
            let failure = connection.await.err().map(|error| Failure::http2(&error));
            *note.failure.borrow_mut() = failure;
            note.came.notify_waiters();
        });
        Ok(Self {
            sender,
            remote,
            tls,
            driver: driver.abort_handle(),
            frames,
            end,
        })
    }

    /// Whether the connection is still open, as far as known.
    pub(crate) fn is_usable(&self) -> bool {
        !self.driver.is_finished()
    }

    /// Sends a request and receives its response.
    ///
    /// # Errors
    /// When the stream or the connection breaks. `marks` records the progress.
    pub(crate) async fn exchange(
        &self,
        head: &Head<'_>,
        wire: &Wire<'_>,
        marks: &mut Marks,
    ) -> Result<Reply, Broken> {
        let stream = Cell::new(0);
        match self.try_exchange(head, wire, marks, &stream).await {
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.why(error, &stream).await),
        }
    }

    /// A stream only knows that its connection is closed; the connection knows the reason.
    async fn why(&self, error: Cause, stream: &Cell<u32>) -> Broken {
        let error = match error {
            Cause::Request(failure) => return Broken::Midway(failure),
            Cause::Stream(error) => error,
        };
        let mut failure = Failure::http2(&error);
        if let (true, Some(reason)) = (error.is_reset(), error.reason()) {
            let from = if error.is_remote() {
                "; received from peer"
            } else {
                ""
            };
            let name = name_of(reason.into());
            failure.detail = format!("stream error: stream ID {}; {name}{from}", stream.get());
        }
        if error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR) {
            return Broken::Closing(failure);
        }
        if error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) {
            return Broken::Refused(failure);
        }
        if error.is_io() {
            // The connection closes with the reason, perhaps a few polls later.
            if !self.driver.is_finished() {
                let _ = timeout(WAIT_FOR_END, self.end.came.notified()).await;
            }
            if let Some(known) = self.end.failure.borrow().clone() {
                return Broken::Midway(known);
            }
        }
        Broken::Midway(failure)
    }

    async fn try_exchange(
        &self,
        head: &Head<'_>,
        wire: &Wire<'_>,
        marks: &mut Marks,
        number: &Cell<u32>,
    ) -> Result<Reply, Cause> {
        let broken = Cause::Stream;
        let request = request_of(head).map_err(Cause::Request)?;
        let begin = marks.begin;
        let mut sender = self.sender.clone().ready().await.map_err(broken)?;
        let (response, stream) = sender
            .send_request(request, wire.body.is_empty())
            .map_err(broken)?;
        number.set(response.stream_id().as_u32());
        let watch = self.frames.watch(number.get());
        let response = send(stream, response, wire.body).await;
        marks.sent = Some(Instant::now());
        let response = match response {
            Sent::Whole(response) => response.await,
            Sent::Answered(response) => *response,
        };
        let (parts, body) = response.map_err(broken)?.into_parts();
        let (came, now) = (watch.came(), Arrival::now());
        marks.came(came.map_or(now, |came| came.first.not_before(begin)));
        let status = parts.status.as_u16();
        let keeps = wire.keeps_body && status != 204 && status != 304;
        let mut received = Vec::new();
        if let Err(error) = receive(body, keeps, &mut received).await {
            marks.partial = keeps.then_some(received);
            return Err(Cause::Stream(error));
        }
        let (came, now) = (watch.came(), Arrival::now());
        marks.came(came.map_or(now, |came| came.last.not_before(begin)));
        marks.done = marks.last_byte;
        Ok(Reply {
            status,
            reason: reason_of(parts.status).to_owned().into(),
            proto: "HTTP/2.0",
            head: lines_of(&parts.headers),
            body: keeps.then_some(received),
            remote: self.remote,
            tls: self.tls.clone(),
            is_encoded: parts.headers.contains_key(http::header::CONTENT_ENCODING),
            sets_cookies: parts.headers.contains_key(http::header::SET_COOKIE),
            ..Reply::default()
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The failure.
enum Cause {
    Request(Failure),
    Stream(h2::Error),
}

fn request_of(head: &Head<'_>) -> Result<http::Request<()>, Failure> {
    let scheme = if head.is_tls { "https" } else { "http" };
    let mut builder = http::Request::builder()
        .method(head.method)
        .version(http::Version::HTTP_2)
        .uri(format!(
            "{scheme}://{}{}",
            head.authority,
            without_blanks(head.target)
        ));
    for (name, value) in &head.headers {
        let name = name.to_ascii_lowercase();
        if OF_THE_CONNECTION.contains(&name.as_str()) {
            continue;
        }
        builder = builder.header(name, value.as_bytes());
    }
    if let Some(length) = head.body_bytes {
        builder = builder.header("content-length", length);
    }
    builder
        .body(())
        .map_err(|error| Failure::new(1000, format!("net/http: invalid request: {error}")))
}

/// Go sends a space in a query unchanged, which HTTP/2 servers refuse and the library cannot represent.
fn without_blanks(target: &str) -> std::borrow::Cow<'_, str> {
    let is_refused = |c| " \"<>\\^`{|}".contains(c);
    if !target.contains(is_refused) {
        return target.into();
    }
    let encoded = target.chars().map(|c| match is_refused(c) {
        true => format!("%{:02X}", u32::from(c)),
        false => c.to_string(),
    });
    encoded.collect()
}

/// The progress of sending a request.
enum Sent {
    /// The whole request; the response is still missing.
    Whole(ResponseFuture),
    /// The response, or the end of the stream, came first.
    Answered(Box<Result<http::Response<RecvStream>, h2::Error>>),
}

/// Sends the body as fast as the server takes it. A server may respond before it has read everything.
async fn send(mut stream: SendStream<Bytes>, mut response: ResponseFuture, body: &[u8]) -> Sent {
    let mut rest = Bytes::copy_from_slice(body);
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let room = tokio::select! {
            biased;
            answer = &mut response => return Sent::Answered(Box::new(answer)),
            room = poll_fn(|cx| stream.poll_capacity(cx)) => room,
        };
        // The stream ends on an error, and the response reports it in more detail.
        let Some(Ok(room)) = room else { break };
        let piece = rest.split_to(room.min(rest.len()));
        if stream.send_data(piece, rest.is_empty()).is_err() {
            break;
        }
    }
    Sent::Whole(response)
}

async fn receive(mut stream: RecvStream, keeps: bool, body: &mut Vec<u8>) -> Result<(), h2::Error> {
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        if keeps {
            body.extend_from_slice(&piece);
        }
        stream.flow_control().release_capacity(piece.len())?;
    }
    Ok(())
}

/// The headers as HTTP/1 lines, the only form in which responses store them.
fn lines_of(headers: &http::HeaderMap) -> Vec<u8> {
    let mut lines = Vec::with_capacity(headers.len() * 32);
    for (name, value) in headers {
        lines.extend_from_slice(canonical(name.as_str()).as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

/// HTTP/2 has no reason phrase after the status; this one is Go's.
fn reason_of(status: http::StatusCode) -> &'static str {
    match status.as_u16() {
        203 => "Non-Authoritative Information",
        413 => "Request Entity Too Large",
        414 => "Request URI Too Long",
        416 => "Requested Range Not Satisfiable",
        _ => status.canonical_reason().unwrap_or(""),
    }
}

impl Failure {
    /// A broken stream or connection of HTTP/2, with k6's codes and messages.
    pub(crate) fn http2(error: &h2::Error) -> Self {
        if let Some(cause) = error.get_io() {
            return match cause.kind() {
                io::ErrorKind::BrokenPipe if cause.raw_os_error().is_none() => {
                    Self::new(1000, "unexpected EOF")
                }
                _ => Self::broken("read", cause),
            };
        }
        let Some(reason) = error.reason() else {
            return Self::new(1600, error.to_string());
        };
        if reason == h2::Reason::FRAME_SIZE_ERROR && error.is_go_away() && !error.is_remote() {
            // The response of an HTTP/1 server looks like such a frame, for which Go's reader has no code.
            return Self::new(1000, "http2: frame too large");
        }
        let code = u32::from(reason);
        let (base, what) = match (error.is_go_away(), error.is_remote()) {
            (true, true) => (1610, "received GoAway"),
            (true, false) => (1650, "connection error"),
            (false, _) => (1630, "stream error"),
        };
        // A reason outside the standard has no code of its own.
        let offset = if code <= 0xd { 1 + code as u16 } else { 0 };
        let name = name_of(code);
        let message = format!("http2: {what} with http2 ErrCode {name}");
        let detail = match base {
            1650 => format!("connection error: {name}"),
            _ => message.clone(),
        };
        Self {
            detail,
            ..Self::new(base + offset, message)
        }
    }
}

/// The standard's name of an error code.
fn name_of(code: u32) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let known = usize::try_from(code)
        .ok()
        .and_then(|code| NAMES.get(code))
        .map(|name| (*name).to_owned());
    known.unwrap_or_else(|| format!("unknown error code 0x{code:x}"))
}
