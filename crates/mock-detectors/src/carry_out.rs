//! Execution of a decision: a response, or exact bytes on a connection that is taken over from HTTP.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use fault_profile::{Failure, Phase};
use hyper::Response;

use crate::body::{Body, BoxError, Part, Played};
use crate::detector::Detector;
use crate::raw::{End, Plan};
use crate::reply::{Prepared, garbage};
use crate::takeover::ConnectionHandle;

/// Instructions to the HTTP implementation.
#[derive(Debug)]
pub(crate) enum Outcome {
    Respond(Response<Body>),
    /// No response: the request hangs or its connection is taken over.
    Silence,
    /// HTTP/2: the stream is reset, with the error's code.
    Fail(BoxError),
}

/// The longest interval between two pieces of a slow body.
const DRIP_INTERVAL: Duration = Duration::from_millis(100);
/// How long HTTP/2 frames may take to be sent before their connection is taken over.
const FLUSH: Duration = Duration::from_millis(20);

/// The fault of an answer, and the seed of generated parts.
pub(crate) struct Fault {
    pub(crate) failure: Option<Failure>,
    pub(crate) seed: u64,
}

/// The place and the way in which an answer ends.
struct Cut {
    at: Phase,
    end: End,
}

/// The same on a stream of HTTP/2.
struct StreamCut {
    /// Bytes of the body that are sent; `None` when not even the head is sent.
    sent: Option<usize>,
    end: End,
}

/// The outcome, and the status that the caller sees (0: none).
pub(crate) fn carry_out(
    detector: &Detector,
    handle: &ConnectionHandle,
    prepared: Prepared,
    fault: Fault,
) -> (Outcome, u16) {
    let Fault { failure, seed } = fault;
    let cut = |at, end| fail_at(detector, handle, &prepared, Cut { at, end });
    match failure {
        Some(Failure::Hang { at }) => cut(at, End::Hang),
        Some(Failure::Reset { at }) => cut(at, End::Reset),
        Some(Failure::Close { at }) => cut(at, End::Close),
        Some(Failure::Truncate { fraction }) => cut(Phase::BodyFraction(fraction), End::Close),
        Some(Failure::MalformedChunk {}) if handle.http2 => {
            reset_stream(h2::Reason::PROTOCOL_ERROR)
        }
        Some(Failure::MalformedChunk {}) => {
            take_over(handle, malformed_chunk(&prepared), End::Close, 200)
        }
        Some(Failure::Garbage { bytes }) => take_over(handle, garbage(seed, bytes), End::Close, 0),
        Some(Failure::ContentLength { off_by }) => wrong_length(detector, handle, prepared, off_by),
        Some(Failure::Drip { bytes_per_s }) => drip(detector, prepared, bytes_per_s),
        Some(Failure::RstStream { code }) if handle.http2 => reset_stream(code.into()),
        Some(Failure::RstStream { .. }) => cut(Phase::BeforeHead, End::Reset),
        Some(Failure::Goaway { code }) if handle.http2 => {
            take_over(handle, goaway(code), End::Close, 0)
        }
        Some(Failure::Goaway { .. }) => cut(Phase::BeforeHead, End::Close),
        _ => {
            let status = prepared.status.as_u16();
            (Outcome::Respond(prepared.into_response()), status)
        }
    }
}

fn take_over(handle: &ConnectionHandle, bytes: Bytes, end: End, status: u16) -> (Outcome, u16) {
    handle.takeover.take(Plan { bytes, end });
    (Outcome::Silence, status)
}

fn reset_stream(reason: h2::Reason) -> (Outcome, u16) {
    (Outcome::Fail(h2::Error::from(reason).into()), 0)
}

/// A correct answer up to a phase, and then its end.
fn fail_at(
    detector: &Detector,
    handle: &ConnectionHandle,
    prepared: &Prepared,
    Cut { at, end }: Cut,
) -> (Outcome, u16) {
    let body_bytes = match at {
        Phase::BeforeHead | Phase::InHead | Phase::AfterHead => 0,
        Phase::BodyBytes(bytes) => (bytes as usize).min(prepared.body.len()),
        Phase::BodyFraction(fraction) => {
            (prepared.body.len() as f64 * fraction.clamp(0.0, 1.0)) as usize
        }
    };
    let before_head = matches!(at, Phase::BeforeHead | Phase::InHead);
    let status = if before_head {
        0
    } else {
        prepared.status.as_u16()
    };
    if handle.http2 {
        let sent = (!before_head).then_some(body_bytes);
        return fail_stream_at(detector, handle, prepared, StreamCut { sent, end });
    }
    let mut bytes = head(prepared, Length::Of(prepared.body.len()));
    match at {
        Phase::BeforeHead => bytes.clear(),
        Phase::InHead => bytes.truncate(bytes.len() / 2),
        _ => bytes.extend_from_slice(&prepared.body[..body_bytes]),
    }
    take_over(handle, bytes.freeze(), end, status)
}

/// HTTP/2: silence affects the stream, a reset or an end the connection.
fn fail_stream_at(
    detector: &Detector,
    handle: &ConnectionHandle,
    prepared: &Prepared,
    StreamCut { sent, end }: StreamCut,
) -> (Outcome, u16) {
    let plan = Plan {
        bytes: Bytes::new(),
        end,
    };
    let Some(body_bytes) = sent else {
        if end != End::Hang {
            handle.takeover.take(plan);
        }
        return (Outcome::Silence, 0);
    };
    let mut parts = VecDeque::from([Part::Data(prepared.body.slice(..body_bytes))]);
    if end == End::Hang {
        parts.push_back(Part::Hang);
    } else {
        parts.push_back(Part::Pause(FLUSH));
        parts.push_back(Part::TakeOver(handle.takeover.clone(), plan));
    }
    let length = prepared.body.len() as u64;
    let played = Played::new(detector.timer.clone(), parts, Some(length));
    let status = prepared.status.as_u16();
    (
        Outcome::Respond(prepared.to_response(Body::Played(Box::new(played)))),
        status,
    )
}

fn wrong_length(
    detector: &Detector,
    handle: &ConnectionHandle,
    prepared: Prepared,
    off_by: i32,
) -> (Outcome, u16) {
    let declared = (prepared.body.len() as i64 + i64::from(off_by)).max(0) as usize;
    let status = prepared.status.as_u16();
    if !handle.http2 {
        let mut bytes = head(&prepared, Length::Of(declared));
        bytes.extend_from_slice(&prepared.body);
        return take_over(handle, bytes.freeze(), End::Close, status);
    }
    let parts = [Part::Data(prepared.body.clone())];
    let played = Played::new(detector.timer.clone(), parts, Some(declared as u64));
    (
        Outcome::Respond(prepared.to_response(Body::Played(Box::new(played)))),
        status,
    )
}

/// The whole answer at a rate.
fn drip(detector: &Detector, prepared: Prepared, bytes_per_s: f64) -> (Outcome, u16) {
    let piece = (bytes_per_s * DRIP_INTERVAL.as_secs_f64()).max(1.0);
    let pause = Duration::from_secs_f64((piece.floor() / bytes_per_s).min(86_400.0));
    let pieces = prepared
        .body
        .chunks(piece as usize)
        .map(|piece| prepared.body.slice_ref(piece));
    let parts: VecDeque<Part> = pieces
        .flat_map(|piece| [Part::Pause(pause), Part::Data(piece)])
        .collect();
    let length = prepared.body.len() as u64;
    let played = Played::new(detector.timer.clone(), parts, Some(length));
    let status = prepared.status.as_u16();
    (
        Outcome::Respond(prepared.to_response(Body::Played(Box::new(played)))),
        status,
    )
}

enum Length {
    Of(usize),
    Chunked,
}

/// A head as HTTP/1.1 writes it.
fn head(prepared: &Prepared, length: Length) -> BytesMut {
    let reason = prepared.status.canonical_reason().unwrap_or("Unknown");
    let mut bytes = BytesMut::with_capacity(512 + prepared.body.len());
    bytes.put(format!("HTTP/1.1 {} {reason}\r\n", prepared.status.as_u16()).as_bytes());
    for (name, value) in prepared.headers() {
        bytes.put(name.as_str().as_bytes());
        bytes.put(&b": "[..]);
        bytes.put(value.as_bytes());
        bytes.put(&b"\r\n"[..]);
    }
    let length = match length {
        Length::Of(length) => format!("content-length: {length}\r\n\r\n"),
        Length::Chunked => "transfer-encoding: chunked\r\n\r\n".to_owned(),
    };
    bytes.put(length.as_bytes());
    bytes
}

/// One valid chunk with half of the body, then one whose size is not a number.
fn malformed_chunk(prepared: &Prepared) -> Bytes {
    let mut bytes = head(prepared, Length::Chunked);
    let (first, rest) = prepared.body.split_at(prepared.body.len() / 2);
    bytes.put(format!("{:x}\r\n", first.len()).as_bytes());
    bytes.put(first);
    bytes.put(&b"\r\nzz\r\n"[..]);
    bytes.put(rest);
    bytes.put(&b"\r\n0\r\n\r\n"[..]);
    bytes.freeze()
}

/// A GOAWAY frame (RFC 9113, section 6.8) that reports that no stream was processed.
fn goaway(code: u32) -> Bytes {
    let mut frame = BytesMut::with_capacity(17);
    frame.put(&[0, 0, 8, 7, 0, 0, 0, 0, 0][..]);
    frame.put_u32(0);
    frame.put_u32(code);
    frame.freeze()
}
