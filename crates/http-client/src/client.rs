//! The HTTP client of one VU: its connections, and single requests over them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::{Access, ConnectTimings, Connection};
use super::exchange::{Marks, Wire, exchange};
use super::failure::{Failure, OwnLimit};
use super::header_order::place_of;
use super::http2::{Broken, Head, Session};
use super::network::Network;
use super::origin::Origin;
use super::pool::{Lane, Pool};
use super::proxy::Proxy;
use super::reply::{Reply, Timings};
use super::url::Url;

/// Connections of one VU. Nothing is shared between VUs, as in k6.
pub struct Client {
    access: Rc<Access>,
    pool: Pool,
    observer: Option<Observer>,
}

/// Receives observations about the sending machine.
pub type Observer = Rc<dyn Fn(Note)>;

/// An observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A response was read this much later than it arrived.
    Read { late: Duration },
    /// A request was not sent because of a limit of the sending machine.
    OwnLimit(OwnLimit),
}

/// A method; nearly always one of a few names.
pub type Method = Cow<'static, str>;

/// Names and values; requests with the same headers share them.
pub type Headers = Rc<Vec<(String, String)>>;

/// One request, without redirects.
pub struct Request {
    pub method: Method,
    pub url: Url,
    /// In the order in which they are sent ([`crate::header_order`]), without `Host` and `Content-Length`.
    pub headers: Headers,
    /// Sent instead of an `Authorization` header of the script.
    pub authorization: Option<String>,
    /// Sent as the `Host` header instead of the URL's authority.
    pub host: Option<String>,
    pub body: Vec<u8>,
    /// The request has a body, perhaps an empty one.
    pub has_body: bool,
    pub keeps_body: bool,
    pub deadline: Instant,
}

/// The result of a request.
pub struct Exchanged {
    pub outcome: Result<Reply, Failure>,
    /// The response, as far as it arrived.
    pub timings: Timings,
    /// The part of the body that had arrived when the request failed.
    pub partial: Option<Vec<u8>>,
    /// The server's address, once there was a connection.
    pub remote: Option<SocketAddr>,
}

/// A body up to this size goes out together with the head: one system call, one segment, and one wake-up of the
/// server. It always fits into the send buffer of an idle socket.
const JOINED_BYTES: usize = 4096;

/// How often an HTTP/2 request is sent again when the server has not processed it; Go's figure.
const MAX_REPEATS: u32 = 6;

impl Client {
    /// The client of the VU with this number, from 1; without connections.
    pub fn new(network: Arc<Network>, vu: u64, observer: Observer) -> Self {
        Self {
            access: Rc::new(Access::new(network, vu)),
            pool: Pool::default(),
            observer: Some(observer),
        }
    }

    /// A client that loads the imports of scripts. It uses HTTP/1.1 only, which needs no background task.
    pub fn for_modules(network: Arc<Network>) -> Self {
        Self {
            access: Rc::new(Access::new(network, 1)),
            pool: Pool::only_http1(),
            observer: None,
        }
    }

    /// The VU's access to the network.
    pub(crate) fn access(&self) -> &Rc<Access> {
        &self.access
    }

    /// Takes the bytes sent and received since the last call.
    pub fn take_traffic(&self) -> (u64, u64) {
        self.access.take_traffic()
    }

    /// Closes the connections that are not in use.
    pub fn close_idle(&self) {
        self.pool.clear();
    }

    fn network(&self) -> &Network {
        &self.access.network
    }

    /// Sends a request and receives the response.
    pub async fn send(&self, request: &Request) -> Exchanged {
        self.network().admit().await;
        let mut progress = Progress::begin();
        let sent = timeout_at(request.deadline, self.try_send(request, &mut progress)).await;
        let timings = progress.timings();
        let outcome = sent.unwrap_or_else(|_| Err(Failure::timeout()));
        if let Some(tell) = &self.observer {
            match &outcome {
                Ok(_) => tell(Note::Read {
                    late: progress.marks.late,
                }),
                Err(failure) => {
                    if let Some(limit) = failure.own_limit() {
                        tell(Note::OwnLimit(limit));
                    }
                }
            }
        }
        let outcome = outcome.map(|reply| Reply { timings, ..reply });
        Exchanged {
            outcome,
            timings,
            partial: progress.marks.partial.take(),
            remote: progress.remote,
        }
    }

    /// Sends over an idle connection if there is one, else over a new one. A request that the server has
    /// certainly not processed is sent again.
    async fn try_send(&self, request: &Request, progress: &mut Progress) -> Result<Reply, Failure> {
        let begin = progress.marks.begin;
        let mut repeats = 0;
        let mut is_first = true;
        loop {
            let (lane, is_new) = match self.pool.take(&request.url) {
                Some(lane) => (lane, false),
                // Boxed, like the futures below: they are rare and large, and would make every request's future
                // large.
                None => (Box::pin(self.open(&request.url, progress)).await?, true),
            };
            progress.blocked = if is_new {
                begin.elapsed()
            } else {
                Duration::ZERO
            };
            if is_new || !is_first {
                progress.marks = Marks::begin();
            }
            is_first = false;
            progress.remote = lane.remote();
            let again = match lane {
                Lane::Single(connection) => {
                    let outcome = self.over(connection, request, progress).await;
                    // The server closed the idle connection just as it was used, so there is no response.
                    let was_idle = !is_new && progress.marks.first_byte.is_none();
                    if !(was_idle && is_closed(&outcome)) {
                        return outcome;
                    }
                    continue;
                }
                Lane::Shared(session) => {
                    let (again, failure) =
                        match Box::pin(self.on(&session, request, progress)).await {
                            Ok(reply) => return Ok(reply),
                            Err(Broken::Midway(failure)) => return Err(failure),
                            Err(Broken::Refused(failure)) => (Again::Here, failure),
                            Err(Broken::Closing(failure)) => {
                                self.pool.retire(&session);
                                (Again::Elsewhere, failure)
                            }
                        };
                    if repeats == MAX_REPEATS {
                        return Err(failure);
                    }
                    again
                }
            };
            // The first repetition is immediate, the later ones wait longer and longer.
            if repeats > 0 && again == Again::Here {
                let seconds = f64::from(1_u32 << (repeats - 1));
                sleep(Duration::from_secs_f64(
                    seconds * rand::rng().random_range(1.0..1.1),
                ))
                .await;
            }
            repeats += 1;
        }
    }

    async fn open(&self, url: &Url, progress: &mut Progress) -> Result<Lane, Failure> {
        let dialed = &mut progress.dialed;
        self.pool.open(Origin::of(url), &self.access, dialed).await
    }

    /// The exchange over a connection of its own.
    async fn over(
        &self,
        mut connection: Box<Connection>,
        request: &Request,
        progress: &mut Progress,
    ) -> Result<Reply, Failure> {
        let mut head = self.head_of(request, connection.proxy.as_ref());
        let is_joined = request.body.len() <= JOINED_BYTES;
        if is_joined {
            head.extend_from_slice(&request.body);
        }
        let body: &[u8] = if is_joined { &[] } else { &request.body };
        let wire = Wire {
            body,
            ..request.wire(&head)
        };
        let (reply, can_reuse) =
            exchange(&mut connection.stream, &wire, &mut progress.marks).await?;
        let reply = Reply {
            remote: connection.remote,
            tls: connection.tls.clone(),
            ..reply
        };
        if can_reuse {
            self.pool.give_back(connection, self.network());
        }
        Ok(reply)
    }

    /// The exchange on a connection with others.
    async fn on(
        &self,
        session: &Session,
        request: &Request,
        progress: &mut Progress,
    ) -> Result<Reply, Broken> {
        let head = Head {
            method: &request.method,
            is_tls: request.url.is_tls,
            authority: request.host.as_deref().unwrap_or(&request.url.authority),
            target: &request.url.target,
            headers: request.sent_headers().collect(),
            body_bytes: request.announced_bytes(),
        };
        let wire = request.wire(&[]);
        session.exchange(&head, &wire, &mut progress.marks).await
    }

    fn head_of(&self, request: &Request, proxy: Option<&Proxy>) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        let host = request.host.as_deref().unwrap_or(&request.url.authority);
        head.extend_from_slice(request.method.as_bytes());
        head.push(b' ');
        if proxy.is_some() {
            head.extend_from_slice(b"http://");
            head.extend_from_slice(request.url.authority.as_bytes());
        }
        head.extend_from_slice(request.url.target.as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        head.extend_from_slice(host.as_bytes());
        head.extend_from_slice(b"\r\n");
        let mut headers = request.sent_headers().peekable();
        if let Some((name, value)) = headers.next_if(|(name, _)| *name == "User-Agent") {
            push_header(&mut head, name, value);
        }
        if let Some(length) = request.announced_bytes() {
            push_header(&mut head, "Content-Length", &length.to_string());
        }
        if request.is_chunked() {
            push_header(&mut head, "Transfer-Encoding", "chunked");
        }
        for (name, value) in headers {
            push_header(&mut head, name, value);
        }
        if self.network().config().closes_connections {
            push_header(&mut head, "Connection", "close");
        }
        if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.as_deref()) {
            push_header(&mut head, "Proxy-Authorization", authorization);
        }
        head.extend_from_slice(b"\r\n");
        if request.is_chunked() {
            head.extend_from_slice(b"0\r\n\r\n");
        }
        head
    }
}

impl Request {
    /// A `GET` request.
    pub fn to_get(url: Url, agent: &str, deadline: Instant) -> Self {
        Self {
            method: Cow::Borrowed("GET"),
            url,
            headers: Rc::new(vec![("User-Agent".to_owned(), agent.to_owned())]),
            authorization: None,
            host: None,
            body: Vec::new(),
            has_body: false,
            keeps_body: true,
            deadline,
        }
    }

    fn wire<'a>(&'a self, head: &'a [u8]) -> Wire<'a> {
        Wire {
            head,
            body: &self.body,
            is_head: self.method == "HEAD",
            keeps_body: self.keeps_body,
        }
    }

    /// The headers that are sent, in their order.
    pub fn sent_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.authorization.as_deref();
        let shown = move |name: &str, value: &str| match name {
            "Authorization" => own.is_none(),
            "User-Agent" => !value.is_empty(),
            // Go's client writes its own.
            "Transfer-Encoding" | "Trailer" => false,
            _ => true,
        };
        let place = own.map_or(0, |_| place_of(&self.headers, "Authorization"));
        let (before, after) = self.headers.split_at(place);
        let own = own.map(|value| ("Authorization", value));
        pairs(before)
            .filter(move |(name, value)| shown(name, value))
            .chain(own)
            .chain(pairs(after).filter(move |(name, value)| shown(name, value)))
    }

    /// The content length, if it is sent: for an empty body only with methods that usually have a body.
    pub fn announced_bytes(&self) -> Option<usize> {
        let expects_body = matches!(&*self.method, "POST" | "PUT" | "PATCH");
        let says_nothing = self.is_chunked() || !expects_body;
        (!self.body.is_empty() || !says_nothing).then_some(self.body.len())
    }

    /// Go sends an explicit empty body as a chunked body without chunks.
    pub fn is_chunked(&self) -> bool {
        const USUALLY_WITHOUT: [&str; 6] =
            ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "SEARCH"];
        self.has_body && self.body.is_empty() && !USUALLY_WITHOUT.contains(&&*self.method)
    }
}

/// The connection for the next attempt of a request that the server has not processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// The same connection: the server was overloaded.
    Here,
    /// Another one: this one is closing.
    Elsewhere,
}

fn pairs(headers: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

fn push_header(head: &mut Vec<u8>, name: &str, value: &str) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    let begin = head.len();
    head.extend_from_slice(value.as_bytes());
    // A line end inside a value would end the head.
    for byte in &mut head[begin..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    head.extend_from_slice(b"\r\n");
}

fn is_closed(outcome: &Result<Reply, Failure>) -> bool {
    outcome
        .as_ref()
        .is_err_and(|failure| matches!(failure.code, 1220 | 1201) || failure.is_eof())
}

/// The progress of a request; survives the time-out that ends it.
struct Progress {
    blocked: Duration,
    dialed: ConnectTimings,
    marks: Marks,
    remote: Option<SocketAddr>,
}

impl Progress {
    fn begin() -> Self {
        Self {
            blocked: Duration::ZERO,
            dialed: ConnectTimings::default(),
            marks: Marks::begin(),
            remote: None,
        }
    }

    fn timings(&self) -> Timings {
        let mut timings = Timings {
            blocked: self.blocked,
            connecting: self.dialed.connecting,
            tls_handshaking: self.dialed.tls_handshaking,
            ..Timings::default()
        };
        let Some(sent) = self.marks.sent else {
            return timings;
        };
        timings.sending = sent - self.marks.begin;
        let first = self.marks.first_byte.unwrap_or_else(Instant::now);
        timings.waiting = first.saturating_duration_since(sent);
        if self.marks.first_byte.is_some() {
            timings.receiving = self
                .marks
                .done
                .unwrap_or_else(Instant::now)
                .saturating_duration_since(first);
        }
        timings
    }
}
