//! The queue and the rate limit of one server, in real time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fault_profile::job_queue::{Admission, Job, JobQueue, Start};
use fault_profile::queue::QueueConfig;
use fault_profile::rate_limit::{RateLimit, Scope, TokenBucket};
use service_runtime::Shutdown;
use tokio::sync::{Notify, oneshot};

use crate::timer::Timer;

/// The number of tenants with separate limits; further ones share one.
const MAX_TENANTS: usize = 1_000;

/// Admission: which requests may enter, and when.
#[derive(Debug)]
pub struct Gate {
    /// Origin of the queue's virtual time.
    origin: Instant,
    state: Mutex<State>,
    /// When a request began to wait.
    waits: Notify,
    buckets: Mutex<HashMap<String, TokenBucket>>,
}

#[derive(Debug, Default)]
struct State {
    line: Option<(QueueConfig, JobQueue)>,
    waiting: HashMap<u64, oneshot::Sender<Start>>,
    next_ticket: u64,
    started: Vec<Start>,
}

/// A place in the queue, released on drop.
#[derive(Debug)]
pub struct Ticket {
    gate: Arc<Gate>,
    ticket: u64,
    start: oneshot::Receiver<Start>,
}

/// The start of a request's service, in real time.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    pub queued: Duration,
    pub began: Instant,
    /// The end of service in the model.
    pub done: Instant,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
            state: Mutex::default(),
            waits: Notify::new(),
            buckets: Mutex::default(),
        }
    }

    /// Takes a token, or returns the time until the next one.
    ///
    /// # Errors
    /// The time until a token is available.
    pub fn admit(&self, limit: &RateLimit, tenant: &str, now: Instant) -> Result<(), Duration> {
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

    /// Joins the queue; `None` when it is full.
    pub fn join(
        self: &Arc<Self>,
        config: &QueueConfig,
        service: Duration,
        now: Instant,
    ) -> Option<Ticket> {
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
        Some(Ticket {
            gate: self.clone(),
            ticket,
            start,
        })
    }

    /// The number of requests in the queue.
    pub fn depth(&self) -> usize {
        self.lock()
            .line
            .as_ref()
            .map_or(0, |(_, line)| line.waiting())
    }

    /// Advances the queue when workers become free. Runs as long as the server.
    pub async fn run(self: Arc<Self>, timer: Timer, stop: Shutdown) {
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
    /// Applies these rules to the queue; requests in it stay.
    fn line(&mut self, config: &QueueConfig) -> &mut JobQueue {
        let (rules, line) = self
            .line
            .get_or_insert_with(|| (config.clone(), JobQueue::new(config)));
        if rules != config {
            line.configure(config);
            rules.clone_from(config);
        }
        line
    }

    fn deliver(&mut self) {
        for start in self.started.drain(..) {
            if let Some(sender) = self.waiting.remove(&start.ticket) {
                // The receiver may have just left; its worker stays busy, like a real one.
                let _gone = sender.send(start);
            }
        }
    }
}

impl Ticket {
    /// Waits for the start of service.
    pub async fn turn(mut self, arrived: Instant) -> Option<Turn> {
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

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if state.waiting.remove(&self.ticket).is_some()
            && let Some((_, line)) = &mut state.line
        {
            line.leave(self.ticket);
        }
    }
}
