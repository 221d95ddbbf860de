//! The connections of one VU that can be used again.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::sync::Notify;

use super::connection::{Access, Connection, Dialed, Origin};
use super::failure::Failure;
use super::http2::Session;
use super::network::Network;
use super::url::Url;

/// Idle connections that a VU keeps at most, and those to one host, when the options `batch` and
/// `batchPerHost` do not say otherwise.
const MAX_IDLE: (i64, i64) = (20, 6);

/// Connections of one VU. Nothing is shared between VUs, as in k6.
#[derive(Default)]
pub(super) struct Pool {
    /// HTTP/1.1, at rest.
    #[expect(
        clippy::vec_box,
        reason = "each request takes one out and gives it back"
    )]
    idle: RefCell<Vec<Box<Connection>>>,
    /// HTTP/2: one for each origin, also while requests are on it.
    sessions: RefCell<Vec<(Origin, Rc<Session>)>>,
    /// Origins whose first connection is being made; whether it speaks HTTP/2 is not known yet.
    dialing: RefCell<Vec<(Origin, Rc<Notify>)>>,
    only_http1: bool,
}

/// What a request goes over.
pub(super) enum Lane {
    /// A connection of its own.
    Single(Box<Connection>),
    /// A connection with others.
    Shared(Rc<Session>),
}

impl Lane {
    /// Who is at its other end.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        match self {
            Self::Single(connection) => connection.remote,
            Self::Shared(session) => session.remote(),
        }
    }
}

impl Pool {
    /// A pool without HTTP/2.
    pub(super) fn only_http1() -> Self {
        Self {
            only_http1: true,
            ..Self::default()
        }
    }

    /// Forgets the connections that are not in use.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.sessions.borrow_mut().clear();
    }

    /// A connection that is there already.
    pub(super) fn take(&self, url: &Url) -> Option<Lane> {
        let shared = self.session(|known| known.is_of(url)).map(Lane::Shared);
        shared.or_else(|| self.take_idle(url).map(Lane::Single))
    }

    fn session(&self, is_wanted: impl Fn(&Origin) -> bool) -> Option<Rc<Session>> {
        let mut sessions = self.sessions.borrow_mut();
        sessions.retain(|(_, session)| session.is_usable());
        let found = sessions.iter().find(|(known, _)| is_wanted(known));
        found.map(|(_, session)| Rc::clone(session))
    }

    /// The session is not to be used for further requests.
    pub(super) fn retire(&self, session: &Rc<Session>) {
        self.sessions
            .borrow_mut()
            .retain(|(_, known)| !Rc::ptr_eq(known, session));
    }

    fn take_idle(&self, url: &Url) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let at = idle
                .iter()
                .rposition(|connection| connection.origin.is_of(url))?;
            let connection = idle.swap_remove(at);
            if connection.is_usable() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for later, if there is room.
    pub(super) fn give_back(&self, connection: Box<Connection>, network: &Network) {
        let options = network.options();
        if options.no_connection_reuse.unwrap_or(false) {
            return;
        }
        let limit = |option: Option<i64>, default: i64, instead: usize| match option {
            Some(0) => instead,
            other => usize::try_from(other.unwrap_or(default)).unwrap_or(instead),
        };
        // Zero means "no limit" for all and "two" for one host, as in Go.
        let all = limit(options.batch, MAX_IDLE.0, usize::MAX);
        let per_host = limit(options.batch_per_host, MAX_IDLE.1, 2);
        let mut idle = self.idle.borrow_mut();
        let of_host = idle
            .iter()
            .filter(|known| known.origin == connection.origin)
            .count();
        if idle.len() < all && of_host < per_host {
            idle.push(connection);
        }
    }

    /// Makes a connection. Requests that need the first one to a TLS origin at the same time wait for
    /// it: if it speaks HTTP/2, they share it.
    pub(super) async fn open(
        &self,
        origin: Origin,
        access: &Rc<Access>,
        dialed: &mut Dialed,
    ) -> Result<Lane, Failure> {
        if !origin.is_tls || self.only_http1 {
            let connection = Connection::open(origin, access, dialed).await?;
            return Ok(Lane::Single(Box::new(connection)));
        }
        if let Some(first) = self.dialer(&origin) {
            first.notified().await;
            if let Some(session) = self.session(|known| *known == origin) {
                return Ok(Lane::Shared(session));
            }
        }
        let _announced = self.announce(&origin);
        let connection = Connection::open_any(origin.clone(), access, dialed).await?;
        if !connection.speaks_http2() {
            return Ok(Lane::Single(Box::new(connection)));
        }
        if let Some(session) = self.session(|known| *known == origin) {
            return Ok(Lane::Shared(session));
        }
        let session = Rc::new(Session::begin(connection).await?);
        if !access
            .network
            .options()
            .no_connection_reuse
            .unwrap_or(false)
        {
            self.sessions
                .borrow_mut()
                .push((origin, Rc::clone(&session)));
        }
        Ok(Lane::Shared(session))
    }

    fn dialer(&self, origin: &Origin) -> Option<Rc<Notify>> {
        let dialing = self.dialing.borrow();
        let found = dialing.iter().find(|(known, _)| known == origin);
        found.map(|(_, notify)| Rc::clone(notify))
    }

    fn announce(&self, origin: &Origin) -> Announced<'_> {
        let notify = Rc::new(Notify::new());
        self.dialing
            .borrow_mut()
            .push((origin.clone(), Rc::clone(&notify)));
        Announced { pool: self, notify }
    }
}

/// An entry in `dialing`; whoever waits for it goes on when it ends, well or not.
struct Announced<'a> {
    pool: &'a Pool,
    notify: Rc<Notify>,
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        self.pool
            .dialing
            .borrow_mut()
            .retain(|(_, notify)| !Rc::ptr_eq(notify, &self.notify));
        self.notify.notify_waiters();
    }
}
