//! The waiting line and the rate limit of one detector, in real time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fault_profile::line::{Admission, Job, Line, Start};
use fault_profile::queue::QueueConfig;
use fault_profile::rate_limit::{RateLimit, Scope, TokenBucket};
use service_runtime::Shutdown;
use tokio::sync::{Notify, oneshot};

use crate::timer::Timer;

/// Tenants whose limits are kept apart; more share one.
const MAX_TENANTS: usize = 1_000;

/// Who may enter, and when it is their turn.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Origin of the line's virtual time.
    origin: Instant,
    state: Mutex<State>,
    /// Somebody began to wait.
    waits: Notify,
    buckets: Mutex<HashMap<String, TokenBucket>>,
}

#[derive(Debug, Default)]
struct State {
    line: Option<(QueueConfig, Line)>,
    waiting: HashMap<u64, oneshot::Sender<Start>>,
    next_ticket: u64,
    started: Vec<Start>,
}

/// A place in the line, given up when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    ticket: u64,
    start: oneshot::Receiver<Start>,
}

/// When a request's turn came, in real time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) queued: Duration,
    pub(crate) began: Instant,
    /// When the model says that service ends.
    pub(crate) done: Instant,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            state: Mutex::default(),
            waits: Notify::new(),
            buckets: Mutex::default(),
        }
    }

    /// Takes a token, or says how long it is until the next one.
    pub(crate) fn admit(
        &self,
        limit: &RateLimit,
        tenant: &str,
        now: Instant,
    ) -> Result<(), Duration> {
        let now = now.saturating_duration_since(self.origin);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = match limit.scope {
            Scope::Detector => "",
            Scope::Tenant if buckets.len() < MAX_TENANTS || buckets.contains_key(tenant) => tenant,
            Scope::Tenant => "",
        };
        match buckets.get_mut(scope) {
            Some(bucket) => bucket.admit(limit, now),
            None => buckets
                .entry(scope.to_owned())
                .or_default()
                .admit(limit, now),
        }
    }

    /// Joins the line; `None` when it is full.
    pub(crate) fn join(
        self: &Arc<Self>,
        config: &QueueConfig,
        service: Duration,
        now: Instant,
    ) -> Option<Place> {
        let now = now.saturating_duration_since(self.origin);
        let mut state = self.lock();
        let (sender, start) = oneshot::channel();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.insert(ticket, sender);
        let mut started = std::mem::take(&mut state.started);
        let admission = state
            .line(config)
            .arrive(now, Job { ticket, service }, &mut started);
        state.started = started;
        state.deliver();
        if admission == Admission::Overflow {
            state.waiting.remove(&ticket);
            return None;
        }
        let waits = !state.waiting.is_empty();
        drop(state);
        if waits {
            self.waits.notify_one();
        }
        Some(Place {
            gate: self.clone(),
            ticket,
            start,
        })
    }

    /// Requests in line.
    pub(crate) fn depth(&self) -> usize {
        self.lock()
            .line
            .as_ref()
            .map_or(0, |(_, line)| line.waiting())
    }

    /// Moves the line on when workers become free. Runs as long as the detector.
    pub(crate) async fn run(self: Arc<Self>, timer: Timer, stop: Shutdown) {
        loop {
            let next = self
                .lock()
                .line
                .as_ref()
                .and_then(|(_, line)| line.next_event());
            let event = async {
                match next {
                    Some(next) => timer.sleep_until(self.origin + next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = event => self.advance(),
                () = self.waits.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn advance(&self) {
        let now = Instant::now().saturating_duration_since(self.origin);
        let mut state = self.lock();
        let mut started = std::mem::take(&mut state.started);
        if let Some((_, line)) = &mut state.line {
            line.advance(now, &mut started);
        }
        state.started = started;
        state.deliver();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The line under these rules; a change of rules keeps who is in it.
    fn line(&mut self, config: &QueueConfig) -> &mut Line {
        let (rules, line) = self
            .line
            .get_or_insert_with(|| (config.clone(), Line::new(config)));
        if rules != config {
            line.configure(config);
            rules.clone_from(config);
        }
        line
    }

    fn deliver(&mut self) {
        for start in self.started.drain(..) {
            if let Some(sender) = self.waiting.remove(&start.ticket) {
                // The receiver may have gone in this moment; its worker stays busy, as a real
                // one would.
                let _gone = sender.send(start);
            }
        }
    }
}

impl Place {
    /// Waits for the turn.
    pub(crate) async fn turn(mut self, arrived: Instant) -> Option<Turn> {
        let start = (&mut self.start).await.ok()?;
        let origin = self.gate.origin;
        let began = origin + start.at;
        Some(Turn {
            queued: began.saturating_duration_since(arrived),
            began,
            done: origin + start.done,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if state.waiting.remove(&self.ticket).is_some()
            && let Some((_, line)) = &mut state.line
        {
            line.leave(self.ticket);
        }
    }
}
