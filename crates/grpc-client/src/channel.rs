//! A channel to a server, which connects, and reconnects when the connection is lost.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::session::Session;
pub use super::session::Wire;
use super::status::{Status, code};

/// The wait after the first attempt to connect, and the longest wait; gRPC's figures.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(120);
const WAIT_GROWTH: f64 = 1.6;

/// The reason why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The address cannot be reached: an immediate further attempt is useless.
    Final(String),
    /// The communication with the server failed.
    Passing(String),
}

/// Connects to the server once.
pub type Dial = Rc<dyn Fn() -> LocalBoxFuture<'static, Result<Box<dyn Wire>, Refusal>>>;

/// The settings of all calls of a channel.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the server in requests.
    pub authority: String,
    pub is_tls: bool,
    pub user_agent: String,
    /// The maximum size of a message from the server, in bytes.
    pub max_receive_bytes: usize,
    /// The maximum size of a message to the server, in bytes.
    pub max_send_bytes: usize,
}

/// A channel. Calls share its connection.
pub struct Channel {
    pub(crate) settings: Settings,
    dial: Dial,
    session: RefCell<Option<Rc<Session>>>,
    /// Held while a connection is being made.
    dialing: Mutex<()>,
    /// The reason why the last attempt failed, and when the next one may be made.
    failure: RefCell<Option<(Instant, String)>>,
    failures: Cell<i32>,
    is_closed: Cell<bool>,
    closed: Notify,
}

impl Channel {
    /// Connects. If the communication with the server fails, the channel tries again until the deadline.
    ///
    /// # Errors
    /// There is no connection; the error is in the words of gRPC's own client.
    pub async fn connect(
        dial: Dial,
        settings: Settings,
        deadline: Instant,
    ) -> Result<Rc<Self>, String> {
        let channel = Rc::new(Self {
            settings,
            dial,
            session: RefCell::default(),
            dialing: Mutex::default(),
            failure: RefCell::default(),
            failures: Cell::new(0),
            is_closed: Cell::new(false),
            closed: Notify::new(),
        });
        let late = |last: &Option<String>| match last {
            Some(why) => format!("context deadline exceeded: {why}"),
            None => "context deadline exceeded".to_owned(),
        };
        let mut last = None;
        loop {
            if deadline <= Instant::now() {
                return Err(late(&last));
            }
            match timeout_at(deadline, channel.dial()).await {
                Err(_) => return Err(late(&last)),
                Ok(Ok(_)) => return Ok(channel),
                Ok(Err(Refusal::Final(why))) => return Err(why),
                Ok(Err(Refusal::Passing(why))) => last = Some(why),
            }
            let next = channel.next_attempt().unwrap_or(deadline);
            sleep_until(next.min(deadline)).await;
        }
    }

    /// Ends the connection and all calls.
    pub fn close(&self) {
        self.is_closed.set(true);
        if let Some(session) = self.session.take() {
            session.abort();
        }
        self.closed.notify_waiters();
    }

    /// Whether [`Channel::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Waits until the channel is closed.
    pub(crate) async fn closed(&self) {
        if !self.is_closed.get() {
            self.closed.notified().await;
        }
    }

    /// The connection, or a new one if the last was lost.
    ///
    /// # Errors
    /// There is no connection; like gRPC's own client, the channel waits before another attempt.
    pub(crate) async fn session(&self) -> Result<Rc<Session>, Status> {
        let _one_at_a_time = self.dialing.lock().await;
        if self.is_closed.get() {
            return Err(Status::new(
                code::CANCELED,
                "grpc: the client connection is closing",
            ));
        }
        let known = self.session.borrow().clone();
        if let Some(session) = known.filter(|session| session.is_usable()) {
            return Ok(session);
        }
        let unavailable = |why: String| Status::new(code::UNAVAILABLE, why);
        if let Some((until, why)) = &*self.failure.borrow()
            && *until > Instant::now()
        {
            return Err(unavailable(why.clone()));
        }
        self.dial().await.map_err(|refusal| match refusal {
            Refusal::Final(why) | Refusal::Passing(why) => unavailable(why),
        })
    }

    /// Removes a connection that accepts no more requests.
    pub(crate) fn retire(&self, session: &Rc<Session>) {
        let mut known = self.session.borrow_mut();
        if known
            .as_ref()
            .is_some_and(|known| Rc::ptr_eq(known, session))
        {
            *known = None;
        }
    }

    fn next_attempt(&self) -> Option<Instant> {
        self.failure.borrow().as_ref().map(|(until, _)| *until)
    }

    async fn dial(&self) -> Result<Rc<Session>, Refusal> {
        match self.try_dial().await {
            Ok(session) => {
                let session = Rc::new(session);
                *self.session.borrow_mut() = Some(Rc::clone(&session));
                *self.failure.borrow_mut() = None;
                self.failures.set(0);
                Ok(session)
            }
            Err(refusal) => {
                let (Refusal::Final(why) | Refusal::Passing(why)) = &refusal;
                let until = Instant::now() + wait_after(self.failures.get());
                *self.failure.borrow_mut() = Some((until, why.clone()));
                self.failures.set(self.failures.get().saturating_add(1));
                Err(refusal)
            }
        }
    }

    async fn try_dial(&self) -> Result<Session, Refusal> {
        let describe = |why: String| format!("connection error: desc = \"{why}\"");
        let wire = (self.dial)().await.map_err(|refusal| match refusal {
            Refusal::Final(why) => Refusal::Final(describe(why)),
            Refusal::Passing(why) => Refusal::Passing(describe(why)),
        })?;
        let begun = Session::begin(wire).await;
        begun.map_err(|why| Refusal::Passing(describe(why)))
    }
}

/// The wait after a failure, given the number of failures before it.
fn wait_after(failures: i32) -> Duration {
    let wait = FIRST_WAIT.as_secs_f64() * WAIT_GROWTH.powi(failures.min(64));
    Duration::from_secs_f64(wait.min(LONGEST_WAIT.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit() {
        assert_eq!(wait_after(0), FIRST_WAIT);
        assert!(wait_after(3) > wait_after(2));
        assert_eq!(wait_after(i32::MAX), LONGEST_WAIT);
    }
}
