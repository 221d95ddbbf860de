//! The reusable connections of one VU.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::sync::Notify;

use super::connection::{Access, ConnectTimings, Connection};
use super::failure::Failure;
use super::http2::Session;
use super::network::Network;
use super::origin::Origin;
use super::url::Url;

/// The default limits of a VU's idle connections, in total and to one host.
const MAX_IDLE: (i64, i64) = (20, 6);

/// Connections of one VU. Nothing is shared between VUs, as in k6.
#[derive(Default)]
pub(super) struct Pool {
    /// Idle HTTP/1.1 connections.
    #[expect(
        clippy::vec_box,
        reason = "each request takes one out and gives it back"
    )]
    idle: RefCell<Vec<Box<Connection>>>,
    /// HTTP/2 connections: one for each origin, whether idle or in use.
    sessions: RefCell<Vec<(Origin, Rc<Session>)>>,
    /// Origins to which the first connection is being made; whether it uses HTTP/2 is not known yet.
    dialing: RefCell<Vec<(Origin, Rc<Notify>)>>,
    only_http1: bool,
}

/// The connection of a request.
pub(super) enum Lane {
    /// An exclusive connection.
    Single(Box<Connection>),
    /// A connection shared with other requests.
    Shared(Rc<Session>),
}

impl Lane {
    /// The peer.
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

    /// Drops the connections that are not in use.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.sessions.borrow_mut().clear();
    }

    /// A connection that already exists.
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

    /// Removes a session, so that it is not used for further requests.
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
        let config = network.config();
        if config.closes_connections {
            return;
        }
        let limit = |wanted: Option<i64>, default: i64, instead: usize| match wanted {
            Some(0) => instead,
            other => usize::try_from(other.unwrap_or(default)).unwrap_or(instead),
        };
        // Zero means "no limit" for the total and "two" for one host, as in Go.
        let all = limit(config.max_idle, MAX_IDLE.0, usize::MAX);
        let per_host = limit(config.max_idle_per_host, MAX_IDLE.1, 2);
        let mut idle = self.idle.borrow_mut();
        let of_host = idle
            .iter()
            .filter(|known| known.origin == connection.origin)
            .count();
        if idle.len() < all && of_host < per_host {
            idle.push(connection);
        }
    }

    /// Makes a connection. Requests that need the first one to a TLS origin at the same time wait for it: if it
    /// uses HTTP/2, they share it.
    pub(super) async fn open(
        &self,
        origin: Origin,
        access: &Rc<Access>,
        dialed: &mut ConnectTimings,
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
        if !access.network.config().closes_connections {
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

    fn announce(&self, origin: &Origin) -> DialGuard<'_> {
        let notify = Rc::new(Notify::new());
        self.dialing
            .borrow_mut()
            .push((origin.clone(), Rc::clone(&notify)));
        DialGuard { pool: self, notify }
    }
}

/// An entry in `dialing`; when it is dropped, the requests that wait for it continue, whether it succeeded or
/// not.
struct DialGuard<'a> {
    pool: &'a Pool,
    notify: Rc<Notify>,
}

impl Drop for DialGuard<'_> {
    fn drop(&mut self) {
        self.pool
            .dialing
            .borrow_mut()
            .retain(|(_, notify)| !Rc::ptr_eq(notify, &self.notify));
        self.notify.notify_waiters();
    }
}
