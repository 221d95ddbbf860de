//! A call: messages in both directions, and a status at the end.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Uri};
use tokio::time::{Instant, sleep_until};

use super::channel::Channel;
use super::frame::{self, Decoder, FrameError};
use super::metadata::{self, Metadata};
use super::session::Session;
use super::status::{Status, code};

/// A status "deadline exceeded" from the server this shortly before the client's own deadline means the same.
const CLOCK_SLACK: Duration = Duration::from_millis(5);
/// How often a call that the server has not processed is sent again.
const MAX_REPEATS: u32 = 1;

/// The parameters of a call.
#[derive(Debug, Clone)]
pub struct Head {
    /// `/package.Service/Method`
    pub path: String,
    pub metadata: Metadata,
    /// The time by which the response has to be here.
    pub deadline: Option<Instant>,
}

/// The direction to the server.
pub struct Outgoing {
    stream: SendStream<Bytes>,
    max_bytes: usize,
    is_finished: bool,
}

/// The direction from the server.
pub struct Incoming {
    channel: Rc<Channel>,
    /// Held as long as the call, even when the channel has a new connection.
    _session: Rc<Session>,
    response: Option<ResponseFuture>,
    body: Option<RecvStream>,
    headers: HeaderMap,
    decoder: Decoder,
    deadline: Option<Instant>,
}

/// An event of the response.
#[derive(Debug)]
pub enum Received {
    Message(Bytes),
    End(Box<Ended>),
}

/// The end of a call.
#[derive(Debug, Default)]
pub struct Ended {
    pub status: Status,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    /// The client abandoned the call because its deadline passed.
    pub is_given_up: bool,
    /// The server has not processed the call.
    is_unprocessed: bool,
}

/// The response to a single message.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: Status,
    pub message: Option<Bytes>,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    /// The client abandoned the call because its deadline passed.
    pub is_given_up: bool,
}

/// The reason why a call could not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unbegun {
    /// Its metadata cannot be sent.
    Metadata(String),
    /// Its deadline has passed.
    Late,
    /// There is no connection to the server.
    Failed(Status),
}

impl Unbegun {
    /// The status for this error.
    pub fn into_status(self) -> Status {
        match self {
            Self::Metadata(why) => Status::new(code::INTERNAL, why),
            Self::Late => Status::late(),
            Self::Failed(status) => status,
        }
    }
}

/// Begins a call.
///
/// # Errors
/// The call cannot be sent.
pub async fn begin(channel: &Rc<Channel>, head: &Head) -> Result<(Outgoing, Incoming), Unbegun> {
    let request = request_of(channel, head).map_err(Unbegun::Metadata)?;
    let begun = tokio::select! {
        biased;
        () = late(head.deadline) => return Err(Unbegun::Late),
        begun = try_begin(channel, head, request) => begun,
    };
    begun.map_err(Unbegun::Failed)
}

async fn try_begin(
    channel: &Rc<Channel>,
    head: &Head,
    request: Request<()>,
) -> Result<(Outgoing, Incoming), Status> {
    let mut repeats = 0;
    loop {
        let session = channel.session().await?;
        let sent = match session.sender().ready().await {
            Ok(mut sender) => sender.send_request(request.clone(), false),
            Err(error) => Err(error),
        };
        match sent {
            Ok((response, stream)) => {
                let settings = &channel.settings;
                let outgoing = Outgoing {
                    stream,
                    max_bytes: settings.max_send_bytes,
                    is_finished: false,
                };
                let incoming = Incoming {
                    channel: Rc::clone(channel),
                    _session: session,
                    response: Some(response),
                    body: None,
                    headers: HeaderMap::new(),
                    decoder: Decoder::new(settings.max_receive_bytes),
                    deadline: head.deadline,
                };
                return Ok((outgoing, incoming));
            }
            // The connection was lost unnoticed: the request has not been sent.
            Err(error) => {
                channel.retire(&session);
                if repeats == MAX_REPEATS {
                    return Err(Status::of_h2(&error));
                }
                repeats += 1;
            }
        }
    }
}

/// Sends one message and waits for the response. `is_streaming`: the server may respond with several
/// messages, of which the first is the response and a second one is an error.
pub async fn unary(channel: &Rc<Channel>, head: &Head, message: &[u8]) -> Result<Reply, Unbegun> {
    let mut repeats = 0;
    loop {
        let (mut outgoing, mut incoming) = begin(channel, head).await?;
        if let Err(status) = outgoing.send(message) {
            return Ok(Reply {
                status,
                ..Reply::default()
            });
        }
        outgoing.finish();
        let mut reply = Reply::default();
        let ended = loop {
            match incoming.next().await {
                Received::End(ended) => break *ended,
                Received::Message(message) if reply.message.is_none() => {
                    reply.message = Some(message);
                }
                Received::Message(_) => break incoming.too_many(),
            }
        };
        if ended.is_unprocessed && repeats < MAX_REPEATS {
            repeats += 1;
            continue;
        }
        reply.status = ended.status;
        reply.headers = ended.headers;
        reply.trailers = ended.trailers;
        reply.is_given_up = ended.is_given_up;
        if reply.status.is_ok() && reply.message.is_none() {
            let why =
                "cardinality violation: received no response message from non-server-streaming RPC";
            reply.status = Status::new(code::INTERNAL, why);
        }
        return Ok(reply);
    }
}

impl Outgoing {
    /// Sends a message as soon as the connection has room for it.
    ///
    /// # Errors
    /// The message is too large, or nothing can be sent any more. [`Incoming`] returns the end of the call.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Status> {
        if message.len() > self.max_bytes {
            return Err(Status::new(
                code::RESOURCE_EXHAUSTED,
                format!(
                    "trying to send message larger than max ({} vs. {})",
                    message.len(),
                    self.max_bytes
                ),
            ));
        }
        if self.is_finished {
            return Err(Status::new(
                code::INTERNAL,
                "SendMsg called after CloseSend",
            ));
        }
        // A stream that has ended accepts nothing; its status states the reason.
        let _ = self.stream.send_data(frame::encode(message), false);
        Ok(())
    }

    /// No more messages follow.
    pub fn finish(&mut self) {
        if !self.is_finished {
            self.is_finished = true;
            let _ = self.stream.send_data(Bytes::new(), true);
        }
    }

    /// Cancels the call.
    pub fn cancel(&mut self) {
        self.stream.send_reset(h2::Reason::CANCEL);
    }
}

impl Incoming {
    /// Waits for the next event. Must not be called after the end.
    pub async fn next(&mut self) -> Received {
        let channel = Rc::clone(&self.channel);
        let deadline = self.deadline;
        let ended = tokio::select! {
            biased;
            received = self.receive() => match received {
                Ok(message) => return Received::Message(message),
                Err(ended) => ended,
            },
            () = channel.closed() => Ended::of(closing()),
            () = late(deadline) => Ended::late(),
        };
        Received::End(Box::new(self.complete(ended)))
    }

    /// Completes the end with the received headers. If the connection was closed here, that is the reason of the end.
    fn complete(&mut self, mut ended: Ended) -> Ended {
        let is_over = |deadline: Instant| deadline <= Instant::now() + CLOCK_SLACK;
        if ended.status.code == code::DEADLINE_EXCEEDED && self.deadline.is_some_and(is_over) {
            ended = Ended::late();
        }
        if ended.headers.is_empty() {
            ended.headers = std::mem::take(&mut self.headers);
        }
        if self.channel.is_closed() && ended.status.code == code::UNAVAILABLE {
            ended.status = closing();
        }
        ended
    }

    /// The end of a unary call with two responses.
    fn too_many(&mut self) -> Ended {
        let why = "grpc: client streaming protocol violation: get <nil>, want <EOF>";
        self.complete(Ended::of(Status::new(code::UNKNOWN, why)))
    }

    async fn receive(&mut self) -> Result<Bytes, Ended> {
        if let Some(response) = &mut self.response {
            let response = response.await.map_err(|error| Ended::broken(&error))?;
            self.response = None;
            self.accept(response)?;
        }
        let Some(body) = &mut self.body else {
            return Err(Ended::of(Status::new(code::INTERNAL, "the call has ended")));
        };
        loop {
            if let Some(message) = self.decoder.next_message().map_err(Ended::of_frame)? {
                return Ok(message);
            }
            match body.data().await {
                Some(Ok(piece)) => {
                    self.decoder.feed(&piece);
                    let released = body.flow_control().release_capacity(piece.len());
                    released.map_err(|error| Ended::broken(&error))?;
                }
                Some(Err(error)) => return Err(Ended::broken(&error)),
                None => break,
            }
        }
        let trailers = body.trailers().await;
        let trailers = trailers.map_err(|error| Ended::broken(&error))?;
        let trailers = trailers.unwrap_or_default();
        let status = match Status::of_trailers(&trailers) {
            Some(status) if status.is_ok() && self.decoder.is_midway() => {
                Status::new(code::INTERNAL, "unexpected EOF")
            }
            Some(status) => status,
            None => Status::new(
                code::INTERNAL,
                "server closed the stream without sending trailers",
            ),
        };
        Err(Ended {
            status,
            trailers,
            ..Ended::default()
        })
    }

    /// Receives the head of the response. If it is the whole response, the call ends.
    #[expect(
        clippy::result_large_err,
        reason = "once in a call, and its caller takes it apart"
    )]
    fn accept(&mut self, response: http::Response<RecvStream>) -> Result<(), Ended> {
        let (parts, body) = response.into_parts();
        let content_type = parts.headers.get("content-type");
        let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let rest = content_type
            .as_deref()
            .and_then(|text| text.strip_prefix("application/grpc"));
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';'])) {
            let status = Status::of_http(parts.status, content_type.as_deref());
            return Err(Ended {
                status,
                headers: parts.headers,
                ..Ended::default()
            });
        }
        if body.is_end_stream() {
            let status = Status::of_trailers(&parts.headers);
            return Err(Ended {
                status: status.unwrap_or_else(|| {
                    Status::new(
                        code::INTERNAL,
                        "server closed the stream without sending trailers",
                    )
                }),
                trailers: parts.headers,
                ..Ended::default()
            });
        }
        self.headers = parts.headers;
        self.body = Some(body);
        Ok(())
    }
}

impl Ended {
    fn of(status: Status) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    fn late() -> Self {
        Self {
            is_given_up: true,
            ..Self::of(Status::late())
        }
    }

    fn of_frame(error: FrameError) -> Self {
        let code = match error {
            FrameError::TooLarge(..) => code::RESOURCE_EXHAUSTED,
            FrameError::Compressed | FrameError::Flag(_) => code::INTERNAL,
        };
        Self::of(Status::new(code, error.to_string()))
    }

    fn broken(error: &h2::Error) -> Self {
        let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let is_draining =
            error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR);
        Self {
            status: Status::of_h2(error),
            is_unprocessed: is_refused || is_draining,
            ..Self::default()
        }
    }
}

fn closing() -> Status {
    Status::new(code::CANCELED, "grpc: the client connection is closing")
}

async fn late(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn request_of(channel: &Channel, head: &Head) -> Result<Request<()>, String> {
    let settings = &channel.settings;
    let scheme = if settings.is_tls { "https" } else { "http" };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(settings.authority.as_str())
        .path_and_query(head.path.as_str())
        .build()
        .map_err(|error| format!("malformed method or authority: {error}"))?;
    let mut request = Request::post(uri).version(http::Version::HTTP_2).body(());
    let request = request.as_mut().map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    let agent = HeaderValue::from_str(&settings.user_agent);
    headers.insert("user-agent", agent.map_err(|error| error.to_string())?);
    headers.insert("te", HeaderValue::from_static("trailers"));
    if let Some(deadline) = head.deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = HeaderValue::from_str(&timeout_text(left));
        headers.insert("grpc-timeout", left.map_err(|error| error.to_string())?);
    }
    metadata::append(headers, &head.metadata)?;
    Ok(request.clone())
}

/// A time with at most eight digits, in the smallest unit for which they suffice.
fn timeout_text(left: Duration) -> String {
    const MAX: u128 = 99_999_999;
    let nanos = left.as_nanos();
    let units = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    let fit = units.iter().find(|(size, _)| nanos.div_ceil(*size) <= MAX);
    let (size, letter) = fit.unwrap_or(&units[5]);
    format!("{}{letter}", nanos.div_ceil(*size).min(MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_at_most_eight_digits() {
        for (left, expected) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_secs(120), "120000m"),
            (Duration::from_secs(100_000_000), "1666667M"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(timeout_text(left), expected, "{left:?}");
        }
    }
}
