//! The HTTP client of one VU: its connections, and single requests over them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::connection::{Connection, Dialed, Origin, Traffic};
use super::exchange::{Marks, Wire, exchange};
use super::failure::Failure;
use super::network::Network;
use super::reply::{Reply, Timings};
use super::url::Url;

/// Connections of one VU. Nothing is shared between VUs, as in k6.
pub(crate) struct Client {
    network: Arc<Network>,
    idle: RefCell<Vec<Connection>>,
    traffic: Rc<Traffic>,
}

/// One request, without redirects.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: Url,
    /// In the order in which they are sent, without `Host` and `Content-Length`.
    pub(crate) headers: Vec<(String, String)>,
    /// Instead of the URL's authority.
    pub(crate) host: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) keeps_body: bool,
    pub(crate) deadline: Instant,
}

/// How a request went.
pub(crate) struct Exchanged {
    pub(crate) outcome: Result<Reply, Failure>,
    /// As far as it came.
    pub(crate) timings: Timings,
}

/// Idle connections that a VU keeps at most, when the option `batch` does not say otherwise.
const MAX_IDLE: usize = 20;

impl Client {
    /// A client without connections.
    pub(crate) fn new(network: Arc<Network>) -> Self {
        Self {
            network,
            idle: RefCell::default(),
            traffic: Rc::default(),
        }
    }

    /// Takes the bytes sent and received since the last call.
    pub(crate) fn take_traffic(&self) -> (u64, u64) {
        (self.traffic.sent.take(), self.traffic.received.take())
    }

    /// Closes the connections that are not in use.
    pub(crate) fn close_idle(&self) {
        self.idle.borrow_mut().clear();
    }

    /// Sends a request and receives the response.
    pub(crate) async fn send(&self, request: &Request) -> Exchanged {
        self.network.admit().await;
        let mut progress = Progress::default();
        let sent = timeout_at(request.deadline, self.try_send(request, &mut progress)).await;
        let timings = progress.timings();
        let outcome = sent.unwrap_or_else(|_| Err(Failure::timeout()));
        let outcome = outcome.map(|reply| Reply { timings, ..reply });
        Exchanged { outcome, timings }
    }

    async fn try_send(&self, request: &Request, progress: &mut Progress) -> Result<Reply, Failure> {
        let origin = Origin {
            is_tls: request.url.is_tls,
            host: request.url.host.clone(),
            port: request.url.port,
        };
        let head = self.head_of(request);
        let begin = Instant::now();
        while let Some(connection) = self.take_idle(&origin) {
            let outcome = self.over(connection, (request, &head), progress).await;
            // The server closed the idle connection just when it was used: that is no answer.
            if outcome.is_ok() || progress.marks.first_byte.is_some() || !is_closed(&outcome) {
                return outcome;
            }
            progress.marks = Marks::default();
        }
        let opened =
            Connection::open(origin, &self.network, &self.traffic, &mut progress.dialed).await;
        progress.blocked = begin.elapsed();
        self.over(opened?, (request, &head), progress).await
    }

    /// The exchange over a connection that is at hand.
    async fn over(
        &self,
        mut connection: Connection,
        what: (&Request, &[u8]),
        progress: &mut Progress,
    ) -> Result<Reply, Failure> {
        let (request, head) = what;
        progress.begin = Some(Instant::now());
        let wire = Wire {
            head,
            body: &request.body,
            is_head: request.method == "HEAD",
            keeps_body: request.keeps_body,
        };
        let (reply, can_reuse) =
            exchange(&mut connection.stream, &wire, &mut progress.marks).await?;
        let reply = Reply {
            remote: connection.remote,
            tls: connection.tls.clone(),
            ..reply
        };
        if can_reuse {
            self.give_back(connection);
        }
        Ok(reply)
    }

    fn take_idle(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let at = idle
                .iter()
                .rposition(|connection| connection.origin == *origin)?;
            let connection = idle.swap_remove(at);
            if connection.is_usable() {
                return Some(connection);
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        let options = self.network.options();
        if options.no_connection_reuse.unwrap_or(false) {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let limit = options
            .batch
            .and_then(|batch| usize::try_from(batch).ok())
            .unwrap_or(MAX_IDLE);
        if idle.len() < limit.max(1) {
            idle.push(connection);
        }
    }

    fn head_of(&self, request: &Request) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        let host = request.host.as_deref().unwrap_or(&request.url.authority);
        head.extend_from_slice(request.method.as_bytes());
        head.push(b' ');
        head.extend_from_slice(request.url.target.as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        head.extend_from_slice(host.as_bytes());
        head.extend_from_slice(b"\r\n");
        for (name, value) in &request.headers {
            push_header(&mut head, name, value);
        }
        let expects_body = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
        if !request.body.is_empty() || expects_body {
            push_header(&mut head, "Content-Length", &request.body.len().to_string());
        }
        if self.network.options().no_connection_reuse.unwrap_or(false) {
            push_header(&mut head, "Connection", "close");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn push_header(head: &mut Vec<u8>, name: &str, value: &str) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    // A line end inside of a value would end the head.
    head.extend(
        value
            .bytes()
            .map(|b| if b == b'\r' || b == b'\n' { b' ' } else { b }),
    );
    head.extend_from_slice(b"\r\n");
}

fn is_closed(outcome: &Result<Reply, Failure>) -> bool {
    outcome
        .as_ref()
        .is_err_and(|failure| matches!(failure.code, 1220 | 1201) || failure.message == "EOF")
}

/// How far a request came; survives the time-out that ends it.
#[derive(Default)]
struct Progress {
    blocked: Duration,
    dialed: Dialed,
    begin: Option<Instant>,
    marks: Marks,
}

impl Progress {
    fn timings(&self) -> Timings {
        let mut timings = Timings {
            blocked: self.blocked,
            connecting: self.dialed.connecting,
            tls_handshaking: self.dialed.tls_handshaking,
            ..Timings::default()
        };
        let (Some(begin), Some(sent)) = (self.begin, self.marks.sent) else {
            return timings;
        };
        timings.sending = sent - begin;
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
