//! HTTP/1.1 on the wire: one request out, one response in.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::arrival::Arrival;
use super::body::{Decoder, Framing};
use super::connection::Stream;
use super::failure::Failure;
use super::reply::Reply;

/// The most headers of a response; more are refused.
const MAX_HEADERS: usize = 256;
/// The most bytes of a response's header lines.
const MAX_HEAD_BYTES: usize = 1 << 20;
/// Size of the buffer that all requests of a thread read into.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    /// A connection needs no buffer of its own, since the bytes are processed before the next read.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// The least time that waiting and receiving take: to scripts, zero means that the phase was not reached.
const LEAST: Duration = Duration::from_nanos(1);

/// The request to send.
pub(crate) struct Wire<'a> {
    /// Request line and header lines, with the empty line, and perhaps the body.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
    /// The response has no body, whatever its headers say.
    pub(crate) is_head: bool,
    /// The body of the response is needed.
    pub(crate) keeps_body: bool,
}

/// The progress of an exchange, with times.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) begin: Instant,
    pub(crate) sent: Option<Instant>,
    pub(crate) first_byte: Option<Instant>,
    /// The arrival of the last bytes that were read.
    pub(super) last_byte: Option<Instant>,
    pub(crate) done: Option<Instant>,
    /// The longest time between an arrival and its read.
    pub(crate) late: Duration,
    /// The part of the body that had arrived when the exchange failed.
    pub(crate) partial: Option<Vec<u8>>,
}

impl Marks {
    /// The marks of an exchange that begins now.
    pub(crate) fn begin() -> Self {
        Self {
            begin: Instant::now(),
            sent: None,
            first_byte: None,
            last_byte: None,
            done: None,
            late: Duration::ZERO,
            partial: None,
        }
    }

    /// Records a piece of the response. It came after the request was sent, though the end of sending may have
    /// been recorded late; and the last piece came after the first, though one read may have returned both.
    pub(crate) fn came(&mut self, arrival: Arrival) {
        let after = |other: Option<Instant>, at: Instant| match other {
            Some(other) => at.max(other + LEAST),
            None => at,
        };
        let at = after(self.sent, arrival.at);
        let first = *self.first_byte.get_or_insert(at);
        self.last_byte = Some(after(Some(first), at));
        self.late = self.late.max(arrival.late());
    }
}

/// Sends a request and receives its response. The flag tells whether the connection can be reused.
///
/// # Errors
/// When the connection breaks or the peer's response is not HTTP/1. `marks` records the progress.
pub(crate) async fn exchange(
    stream: &mut Stream,
    wire: &Wire<'_>,
    marks: &mut Marks,
) -> Result<(Reply, bool), Failure> {
    let broken = |error: io::Error| Failure::broken("write", &error);
    stream.begin(marks.begin);
    stream.write_all(wire.head).await.map_err(broken)?;
    let mut incoming = Incoming {
        receiver: Receiver::new(wire.is_head, wire.keeps_body),
        marks,
    };
    let mut rest = wire.body;
    let sent = poll_fn(|cx| poll_send(stream, cx, &mut rest, &mut incoming)).await?;
    incoming.marks.sent = Some(Instant::now());
    let outcome = poll_fn(|cx| poll_receive(stream, cx, &mut incoming)).await;
    let Incoming {
        mut receiver,
        marks,
    } = incoming;
    if outcome.is_err() {
        marks.partial = receiver.partial();
    }
    match (&sent, outcome) {
        // The server broke off without a response.
        (Sent::Broken(error), Err(_)) => {
            return Err(Failure::broken("write", error));
        }
        (_, outcome) => outcome?,
    }
    marks.done = marks.last_byte;
    let (reply, can_reuse) = receiver.finish();
    Ok((reply, can_reuse && matches!(sent, Sent::Whole)))
}

/// The progress of sending a request.
enum Sent {
    Whole,
    /// The response was complete first.
    Answered,
    Broken(io::Error),
}

/// The response, and the times at which it arrives.
struct Incoming<'a> {
    receiver: Receiver,
    marks: &'a mut Marks,
}

/// Sends the body, and receives meanwhile: the server may respond before it has read everything, and both sides
/// would wait for ever if nothing read the response.
fn poll_send(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    rest: &mut &[u8],
    incoming: &mut Incoming<'_>,
) -> Poll<Result<Sent, Failure>> {
    loop {
        let written = if rest.is_empty() {
            Pin::new(&mut *stream).poll_flush(cx).map_ok(|()| None)
        } else {
            Pin::new(&mut *stream).poll_write(cx, rest).map_ok(Some)
        };
        match written {
            Poll::Ready(Ok(None)) => return Poll::Ready(Ok(Sent::Whole)),
            Poll::Ready(Ok(Some(count))) => {
                *rest = &rest[count..];
                continue;
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Ok(Sent::Broken(error))),
            Poll::Pending => {}
        }
        if incoming.receiver.is_done() {
            return Poll::Ready(Ok(Sent::Answered));
        }
        let piece = ready!(poll_piece(stream, cx, incoming));
        piece.map_err(|failure| match incoming.receiver.has_begun() {
            false if failure.is_eof() => Failure::closed("write", stream.ends()),
            _ => failure,
        })?;
    }
}

/// Receives the rest of the response.
fn poll_receive(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    incoming: &mut Incoming<'_>,
) -> Poll<Result<(), Failure>> {
    while !incoming.receiver.is_done() {
        ready!(poll_piece(stream, cx, incoming))?;
    }
    Poll::Ready(Ok(()))
}

/// Reads the available bytes, at least one, or the end of the stream.
fn poll_piece(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    incoming: &mut Incoming<'_>,
) -> Poll<Result<(), Failure>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))
            .map_err(|error| Failure::broken("read", &error))?;
        let bytes = buffer.filled();
        if bytes.is_empty() {
            incoming.marks.last_byte = Some(Instant::now());
            return Poll::Ready(incoming.receiver.close());
        }
        incoming.marks.came(stream.arrival());
        Poll::Ready(incoming.receiver.feed(bytes))
    })
}

/// Assembles a response from bytes in pieces of any size.
pub(crate) struct Receiver {
    is_head: bool,
    keeps_body: bool,
    /// Header bytes that arrived before the head was complete.
    early: Vec<u8>,
    reply: Reply,
    body: Option<Decoder>,
    can_reuse: bool,
    surplus: bool,
}

impl Receiver {
    /// A receiver for the response to one request.
    pub(crate) fn new(is_head: bool, keeps_body: bool) -> Self {
        Self {
            is_head,
            keeps_body,
            early: Vec::new(),
            reply: Reply::default(),
            body: None,
            can_reuse: false,
            surplus: false,
        }
    }

    /// Whether the response is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.body.as_ref().is_some_and(Decoder::is_done)
    }

    /// Takes bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.body.is_some() {
            return self.feed_body(bytes);
        }
        if self.early.is_empty() {
            return self.feed_head(bytes);
        }
        let mut early = std::mem::take(&mut self.early);
        early.extend_from_slice(bytes);
        self.feed_head(&early)
    }

    fn feed_head(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut headers = [const { MaybeUninit::uninit() }; 64];
        let mut more;
        let mut response = httparse::Response::new(&mut []);
        let mut parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            bytes,
            &mut headers,
        );
        if parsed == Err(httparse::Error::TooManyHeaders) {
            more = vec![httparse::EMPTY_HEADER; MAX_HEADERS];
            response = httparse::Response::new(&mut more);
            parsed = response.parse(bytes);
        }
        match parsed {
            Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD_BYTES => {
                Err(malformed("response headers are too long"))
            }
            Ok(httparse::Status::Partial) => {
                self.early = bytes.to_vec();
                Ok(())
            }
            Err(error) => Err(malformed(&complaint(bytes, &error.to_string()))),
            Ok(httparse::Status::Complete(length)) => {
                let status = response.code.unwrap_or(0);
                if (100..200).contains(&status) && status != 101 {
                    return if length < bytes.len() {
                        self.feed_head(&bytes[length..])
                    } else {
                        Ok(())
                    };
                }
                if status == 101 {
                    return Err(Failure::new(
                        Failure::EXCEPTION,
                        "unsupported response status: 101 Switching Protocols",
                    ));
                }
                self.begin(&response, &bytes[..length])?;
                self.feed_body(&bytes[length..])
            }
        }
    }

    fn begin(&mut self, response: &httparse::Response<'_, '_>, head: &[u8]) -> Result<(), Failure> {
        let traits = Traits::of(response)?;
        let status = response.code.unwrap_or(0);
        let may_have_body = status != 204 && status != 304;
        let has_body = may_have_body && !self.is_head;
        let framing = match (has_body, traits.is_chunked, traits.length) {
            (false, ..) => Framing::Length(0),
            (true, true, _) => Framing::Chunked,
            (true, false, Some(length)) => Framing::Length(length),
            (true, false, None) => Framing::UntilClose,
        };
        let is_new = response.version == Some(1);
        self.can_reuse = traits.keep_alive.unwrap_or(is_new) && framing != Framing::UntilClose;
        self.body = Some(Decoder::new(framing, self.keeps_body));
        let line_end = head.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
        self.reply = Reply {
            status,
            reason: match response.reason {
                None => Cow::Borrowed(""),
                Some("OK") => Cow::Borrowed("OK"),
                Some(other) => Cow::Owned(other.to_owned()),
            },
            proto: if is_new { "HTTP/1.1" } else { "HTTP/1.0" },
            head: head[line_end..].to_vec(),
            body: (may_have_body && self.keeps_body).then(Vec::new),
            is_encoded: traits.is_encoded,
            sets_cookies: traits.sets_cookies,
            ..Reply::default()
        };
        Ok(())
    }

    fn feed_body(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(body) = &mut self.body else {
            return Ok(());
        };
        let taken = body
            .feed(bytes)
            .map_err(|error| Failure::new(1000, error.to_string()))?;
        self.surplus |= taken < bytes.len();
        Ok(())
    }

    /// Whether anything has arrived.
    fn has_begun(&self) -> bool {
        self.body.is_some() || !self.early.is_empty()
    }

    /// The peer has closed the connection.
    pub(crate) fn close(&mut self) -> Result<(), Failure> {
        match &self.body {
            Some(body) if body.ends_with_connection() => {
                let kept = self.body.take().map(Decoder::into_body).unwrap_or_default();
                self.body = Some(Decoder::ended_with(kept));
                Ok(())
            }
            Some(_) => Err(Failure::new(1000, "unexpected EOF")),
            None if self.early.is_empty() => Err(Failure::eof()),
            // The last line counts as one, though its end is missing.
            None => {
                let mut whole = std::mem::take(&mut self.early);
                whole.push(b'\n');
                Err(malformed(&complaint(&whole, "unexpected EOF")))
            }
        }
    }

    /// The part of the body that has arrived, if the head was complete.
    fn partial(&mut self) -> Option<Vec<u8>> {
        self.reply.body.as_ref()?;
        self.body.take().map(Decoder::into_body)
    }

    /// The complete response, and whether the connection can be reused.
    pub(crate) fn finish(mut self) -> (Reply, bool) {
        if let (Some(slot), Some(body)) = (self.reply.body.as_mut(), self.body.take()) {
            *slot = body.into_body();
        }
        (self.reply, self.can_reuse && !self.surplus)
    }
}

/// The headers that determine the framing and the reuse of the connection.
#[derive(Default)]
struct Traits {
    length: Option<u64>,
    is_chunked: bool,
    keep_alive: Option<bool>,
    is_encoded: bool,
    sets_cookies: bool,
}

impl Traits {
    fn of(response: &httparse::Response<'_, '_>) -> Result<Self, Failure> {
        let mut traits = Self::default();
        for header in response.headers.iter() {
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    traits.length = Some(length_of(header.value)?);
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    traits.is_chunked = header.value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                }
                16 if header.name.eq_ignore_ascii_case("content-encoding") => {
                    traits.is_encoded = true;
                }
                10 if header.name.eq_ignore_ascii_case("set-cookie") => traits.sets_cookies = true,
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    traits.keep_alive = keep_alive(header.value);
                }
                _ => {}
            }
        }
        Ok(traits)
    }
}

fn length_of(value: &[u8]) -> Result<u64, Failure> {
    let text = std::str::from_utf8(value).unwrap_or("").trim();
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let length = if is_number { text.parse().ok() } else { None };
    length.ok_or_else(|| malformed(&format!("bad Content-Length {text:?}")))
}

fn keep_alive(value: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    let has = |word: &str| text.split(',').any(|part| part.trim() == word);
    if has("close") {
        return Some(false);
    }
    has("keep-alive").then_some(true)
}

/// Go's error for a malformed head; `otherwise` if Go would accept it.
fn complaint(head: &[u8], otherwise: &str) -> String {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split_inclusive('\n');
    let complete = |line: Option<&str>| {
        let line = line?.strip_suffix('\n')?;
        Some(line.strip_suffix('\r').unwrap_or(line).to_owned())
    };
    let Some(first) = complete(lines.next()) else {
        return otherwise.to_owned();
    };
    let Some((version, status)) = first.split_once(' ') else {
        return format!("malformed HTTP response {first:?}");
    };
    let code = status.trim_start().split(' ').next().unwrap_or_default();
    if code.len() != 3 || code.parse::<u16>().is_err() {
        return format!("malformed HTTP status code {code:?}");
    }
    let is_version = version.strip_prefix("HTTP/").is_some_and(|rest| {
        let digit = |text: &str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_digit());
        rest.split_once('.')
            .is_some_and(|(a, b)| digit(a) && digit(b))
    });
    if !is_version {
        return format!("malformed HTTP version {version:?}");
    }
    while let Some(line) = complete(lines.next()) {
        if line.is_empty() {
            break;
        }
        if !line.contains(':') {
            return format!("malformed MIME header: missing colon: {line:?}");
        }
    }
    otherwise.to_owned()
}

fn malformed(why: &str) -> Failure {
    Failure {
        detail: format!("net/http: HTTP/1.x transport connection broken: {why}"),
        ..Failure::new(1000, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(wire: &[u8], piece: usize) -> Result<(Reply, bool), Failure> {
        let mut receiver = Receiver::new(false, true);
        for bytes in wire.chunks(piece) {
            receiver.feed(bytes)?;
        }
        if !receiver.is_done() {
            receiver.close()?;
        }
        Ok(receiver.finish())
    }

    fn check(wire: &str, status: u16, body: Option<&str>, can_reuse: bool) {
        for piece in [1, 7, wire.len()] {
            let (reply, reuse) = receive(wire.as_bytes(), piece).expect("a valid response");
            let text = reply.body.as_deref().map(String::from_utf8_lossy);
            assert_eq!(
                (reply.status, text.as_deref(), reuse),
                (status, body, can_reuse),
                "{wire:?} by {piece}"
            );
        }
    }

    #[test]
    fn responses_are_parsed_in_pieces_of_any_size() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            200,
            Some("hi"),
            true,
        );
        check("HTTP/1.1 204 No Content\r\n\r\n", 204, None, true);
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            200,
            Some("hi"),
            true,
        );
        check(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            200,
            Some(""),
            false,
        );
        check("HTTP/1.0 200 OK\r\n\r\nrest", 200, Some("rest"), false);
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            404,
            Some(""),
            true,
        );
    }

    #[test]
    fn a_malformed_response_is_an_error() {
        for bad in [
            "",
            "HTTP/1.1",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        ] {
            assert!(receive(bad.as_bytes(), 100).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn surplus_bytes_prevent_reuse_of_the_connection() {
        let (_, can_reuse) =
            receive(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!", 100).expect("valid");
        assert!(!can_reuse);
    }

    /// Pieces of responses, whole and truncated, and arbitrary bytes.
    fn soup() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
        use proptest::prelude::*;
        let piece = prop_oneof![
            Just(&b"HTTP/1.1 200 OK\r\n"[..]),
            Just(&b"HTTP/1.0 204 \r\n"[..]),
            Just(&b"HTTP/1.1 100 Continue\r\n\r\n"[..]),
            Just(&b"HTTP/1.1 101 x\r\n"[..]),
            Just(&b"Content-Length: 3\r\n"[..]),
            Just(&b"Content-Length: 99999999999999999999\r\n"[..]),
            Just(&b"Transfer-Encoding: chunked\r\n"[..]),
            Just(&b"Connection: close\r\n"[..]),
            Just(&b"X: \xff\x00y\n"[..]),
            Just(&b"\r\n"[..]),
            Just(&b"3\r\nabc\r\n"[..]),
            Just(&b"ffffffffffffff\r\n"[..]),
            Just(&b"0\r\n\r\n"[..]),
            Just(&b"abc"[..]),
        ];
        let made = proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
        let cut = (made, any::<prop::sample::Index>()).prop_map(|(bytes, end)| {
            let end = end.index(bytes.len() + 1);
            bytes[..end].to_vec()
        });
        prop_oneof![cut, any::<Vec<u8>>()]
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(crate::fuzz_cases()))]

        #[test]
        fn arbitrary_bytes_never_panic_and_splits_change_nothing(wire in soup(), piece in 1_usize..40) {
            let told = |outcome: Result<(Reply, bool), Failure>| {
                outcome.map(|(reply, _)| (reply.status, reply.head, reply.body)).ok()
            };
            let whole = told(receive(&wire, wire.len().max(1)));
            proptest::prop_assert_eq!(whole, told(receive(&wire, piece)));
        }
    }
}
