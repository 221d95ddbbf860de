//! The HTTP client of one VU: its connections, and single requests over them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use load_engine::RunState;
use rand::RngExt;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::{Access, Connection, Dialed, Origin};
use super::exchange::{Marks, Wire, exchange};
use super::failure::Failure;
use super::http2::{Broken, Head, Session};
use super::network::Network;
use super::pool::{Lane, Pool};
use super::proxy::Proxy;
use super::reply::{Reply, Timings};
use super::url::Url;

/// Connections of one VU. Nothing is shared between VUs, as in k6.
pub(crate) struct Client {
    access: Rc<Access>,
    pool: Pool,
    /// Told how late answers are read.
    run: Option<Arc<RunState>>,
}

/// A method: nearly always one of a few words.
pub(crate) type Method = Cow<'static, str>;

/// Names and values; requests that have the same ones share them.
pub(crate) type Headers = Rc<Vec<(String, String)>>;

/// One request, without redirects.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// In the order in which they are sent, without `Host` and `Content-Length`.
    pub(crate) headers: Headers,
    /// Instead of a header of that name.
    pub(crate) authorization: Option<String>,
    /// Instead of the URL's authority.
    pub(crate) host: Option<String>,
    pub(crate) body: Vec<u8>,
    /// There is a body, perhaps an empty one.
    pub(crate) has_body: bool,
    pub(crate) keeps_body: bool,
    pub(crate) deadline: Instant,
}

/// How a request went.
pub(crate) struct Exchanged {
    pub(crate) outcome: Result<Reply, Failure>,
    /// As far as it came.
    pub(crate) timings: Timings,
    /// What had come of the body when it failed.
    pub(crate) partial: Option<Vec<u8>>,
    /// The server, once there was a connection.
    pub(crate) remote: Option<SocketAddr>,
}

/// A body up to this size goes out together with the head: one system call, one segment, and one
/// wake-up of the server. It always fits into what a socket that has nothing to send takes at once.
const JOINED_BYTES: usize = 4096;

/// Times that an HTTP/2 request is sent again when the server has not begun with it; Go's.
const MAX_REPEATS: u32 = 6;

impl Client {
    /// The client of the VU of a run with this number, from 1; without connections.
    pub(crate) fn new(network: Arc<Network>, vu: u64, run: Arc<RunState>) -> Self {
        Self {
            access: Rc::new(Access::new(network, vu)),
            pool: Pool::default(),
            run: Some(run),
        }
    }

    /// A client for what scripts import; it speaks HTTP/1.1 only, which needs no task beside it.
    pub(crate) fn for_modules(network: Arc<Network>) -> Self {
        Self {
            access: Rc::new(Access::new(network, 1)),
            pool: Pool::only_http1(),
            run: None,
        }
    }

    /// How the VU gets to the network.
    pub(crate) fn access(&self) -> &Rc<Access> {
        &self.access
    }

    /// Takes the bytes sent and received since the last call.
    pub(crate) fn take_traffic(&self) -> (u64, u64) {
        self.access.take_traffic()
    }

    /// Closes the connections that are not in use.
    pub(crate) fn close_idle(&self) {
        self.pool.clear();
    }

    fn network(&self) -> &Network {
        &self.access.network
    }

    /// Sends a request and receives the response.
    pub(crate) async fn send(&self, request: &Request) -> Exchanged {
        self.network().admit().await;
        let mut progress = Progress::begin();
        let sent = timeout_at(request.deadline, self.try_send(request, &mut progress)).await;
        let timings = progress.timings();
        let outcome = sent.unwrap_or_else(|_| Err(Failure::timeout()));
        if let (Ok(_), Some(run)) = (&outcome, &self.run) {
            run.health.note_read(progress.marks.late);
        }
        let outcome = outcome.map(|reply| Reply { timings, ..reply });
        Exchanged {
            outcome,
            timings,
            partial: progress.marks.partial.take(),
            remote: progress.remote,
        }
    }

    /// Sends over what is at hand, then over a new connection. What the server has certainly not
    /// begun with is sent again.
    async fn try_send(&self, request: &Request, progress: &mut Progress) -> Result<Reply, Failure> {
        let begin = progress.marks.begin;
        let mut repeats = 0;
        let mut is_first = true;
        loop {
            let (lane, is_new) = match self.pool.take(&request.url) {
                Some(lane) => (lane, false),
                // Boxed, as is what follows: rare and large, it would make every request's future large.
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
                    // The server closed the idle connection just when it was used: that is no answer.
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
            // The first time at once, then ever later.
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
        for (name, value) in request.sent_headers() {
            push_header(&mut head, name, value);
        }
        if let Some(length) = request.announced_bytes() {
            push_header(&mut head, "Content-Length", &length.to_string());
        }
        if request.is_chunked() {
            push_header(&mut head, "Transfer-Encoding", "chunked");
        }
        if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.as_deref()) {
            push_header(&mut head, "Proxy-Authorization", authorization);
        }
        if self
            .network()
            .options()
            .no_connection_reuse
            .unwrap_or(false)
        {
            push_header(&mut head, "Connection", "close");
        }
        head.extend_from_slice(b"\r\n");
        if request.is_chunked() {
            head.extend_from_slice(b"0\r\n\r\n");
        }
        head
    }
}

impl Request {
    /// A request for a page.
    pub(crate) fn to_get(url: Url, agent: &str, deadline: Instant) -> Self {
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

    pub(crate) fn sent_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.authorization.as_deref();
        let given = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(move |(name, _)| own.is_none() || *name != "Authorization");
        given.chain(own.map(|value| ("Authorization", value)))
    }

    /// The content length, if it is said: methods that usually have a body say so of an empty one.
    pub(crate) fn announced_bytes(&self) -> Option<usize> {
        let expects_body = matches!(&*self.method, "POST" | "PUT" | "PATCH");
        let says_nothing = self.is_chunked() || !expects_body;
        (!self.body.is_empty() || !says_nothing).then_some(self.body.len())
    }

    /// Go sends an empty body that somebody gave in chunks, of which there is none.
    pub(crate) fn is_chunked(&self) -> bool {
        const USUALLY_WITHOUT: [&str; 6] =
            ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "SEARCH"];
        self.has_body && self.body.is_empty() && !USUALLY_WITHOUT.contains(&&*self.method)
    }
}

/// Where a request that the server has not begun with goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// To the same connection: the server had too much to do.
    Here,
    /// To another one: this one is closing.
    Elsewhere,
}

fn push_header(head: &mut Vec<u8>, name: &str, value: &str) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    let begin = head.len();
    head.extend_from_slice(value.as_bytes());
    // A line end inside of a value would end the head.
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
        .is_err_and(|failure| matches!(failure.code, 1220 | 1201) || failure.message == "EOF")
}

/// How far a request came; survives the time-out that ends it.
struct Progress {
    blocked: Duration,
    dialed: Dialed,
    marks: Marks,
    remote: Option<SocketAddr>,
}

impl Progress {
    fn begin() -> Self {
        Self {
            blocked: Duration::ZERO,
            dialed: Dialed::default(),
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
