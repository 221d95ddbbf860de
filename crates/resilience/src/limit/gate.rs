//! Admission under the limit: which calls start, which wait and for how long, which are rejected. Higher
//! ranks start first and are rejected last.

// A wrapper: it reads the clock for the core.
#![allow(clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Config, Limit, Sample};

/// The importance of a call, from 0; higher ranks go first.
pub type Rank = u8;

const RANKS: usize = 4;

/// The capacity of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub most: usize,
}

/// The reason why a call was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("all slots and the queue are full")]
    Queue,
    #[error("no slot became free in time")]
    Late,
}

/// Bounds the calls in flight by an adaptive limit. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate {
    shared: Arc<Mutex<State>>,
    waiting: Waiting,
}

#[derive(Debug)]
struct State {
    limit: Limit,
    in_flight: u32,
    queues: [VecDeque<Waiter>; RANKS],
    queued: usize,
    next_id: u64,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    tell: oneshot::Sender<Pass>,
}

/// Permission to be in flight. Released on drop; without a [`Pass::report`] it says nothing about the callee.
#[derive(Debug)]
#[must_use = "dropping the pass gives it back uncounted"]
pub struct Pass {
    gate: Gate,
    started: Instant,
    in_flight: u32,
    sample: Sample,
}

impl Gate {
    pub fn new(config: Config, waiting: Waiting) -> Self {
        let state = State {
            limit: Limit::new(config, Instant::now().into_std()),
            in_flight: 0,
            queues: Default::default(),
            queued: 0,
            next_id: 0,
        };
        Self {
            shared: Arc::new(Mutex::new(state)),
            waiting,
        }
    }

    /// A pass, at once or after a wait until `deadline`. When the queue is full, a call with a lower rank has
    /// to leave it.
    ///
    /// # Errors
    /// The queue is full of the same or higher ranks, or the deadline passed.
    pub async fn enter(&self, rank: Rank, deadline: Instant) -> Result<Pass, Full> {
        let (id, told) = {
            let mut state = self.lock();
            if state.in_flight < state.limit.limit() && state.queued == 0 {
                return Ok(self.admit(&mut state));
            }
            // Passes that became free meanwhile belong to calls that already wait.
            let evicted = match self.make_room(&mut state, rank) {
                Ok(evicted) => evicted,
                Err(full) => return Err(full),
            };
            let (tell, told) = oneshot::channel();
            let id = state.next_id;
            state.next_id += 1;
            state.queues[place(rank)].push_back(Waiter { id, tell });
            state.queued += 1;
            drop(state);
            drop(evicted);
            (id, told)
        };
        let _left = Left {
            gate: self,
            rank,
            id,
        };
        match timeout_at(deadline, told).await {
            Ok(Ok(pass)) => Ok(pass),
            Ok(Err(_)) => Err(Full::Queue),
            Err(_) => Err(Full::Late),
        }
    }

    pub fn limit(&self) -> u32 {
        self.lock().limit.limit()
    }

    pub fn in_flight(&self) -> u32 {
        self.lock().in_flight
    }

    pub fn queued(&self) -> usize {
        self.lock().queued
    }

    /// Whether a call would have to wait now.
    pub fn is_full(&self) -> bool {
        let state = self.lock();
        state.queued > 0 || state.in_flight >= state.limit.limit()
    }

    /// The used share of the queue, 0 to 1.
    pub fn pressure(&self) -> f64 {
        self.lock().queued as f64 / self.waiting.most.max(1) as f64
    }

    fn admit(&self, state: &mut State) -> Pass {
        state.in_flight += 1;
        Pass {
            gate: self.clone(),
            started: Instant::now(),
            in_flight: state.in_flight,
            sample: Sample::Ignored,
        }
    }

    /// The call that has to leave the queue so that one with this rank can join it: the newest of the lowest
    /// rank.
    fn make_room(&self, state: &mut State, rank: Rank) -> Result<Option<Waiter>, Full> {
        if state.queued < self.waiting.most {
            return Ok(None);
        }
        let lower = state.queues[..place(rank)]
            .iter_mut()
            .find(|queue| !queue.is_empty());
        let evicted = lower.and_then(VecDeque::pop_back).ok_or(Full::Queue)?;
        state.queued -= 1;
        Ok(Some(evicted))
    }

    /// Gives free passes to waiting calls, which may have left meanwhile.
    fn hand_out(&self) {
        loop {
            let (waiter, pass) = {
                let mut state = self.lock();
                if state.in_flight >= state.limit.limit() {
                    return;
                }
                let Some(waiter) = state.next(self.waiting.most) else {
                    return;
                };
                (waiter, self.admit(&mut state))
            };
            if let Err(mut pass) = waiter.tell.send(pass) {
                pass.take_back();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The oldest call of the highest waiting rank, but the newest once half of the queue is used: under
    /// overload, a call that has waited long is about to give up anyway.
    fn next(&mut self, most: usize) -> Option<Waiter> {
        let newest_first = 2 * self.queued > most;
        let queue = self.queues.iter_mut().rev().find(|it| !it.is_empty())?;
        self.queued -= 1;
        if newest_first {
            queue.pop_back()
        } else {
            queue.pop_front()
        }
    }
}

fn place(rank: Rank) -> usize {
    usize::from(rank).min(RANKS - 1)
}

impl Pass {
    /// Returns the pass and records the end of the call.
    pub fn report(mut self, sample: Sample) {
        self.sample = sample;
    }

    /// The time of admission.
    pub fn started(&self) -> Instant {
        self.started
    }

    fn take_back(&mut self) {
        let now = Instant::now().into_std();
        let mut state = self.gate.lock();
        state.in_flight -= 1;
        let (started, sample) = (self.started.into_std(), self.sample);
        state.limit.count(now, started, self.in_flight, sample);
        drop(state);
        // Counted once; the following drop returns nothing again.
        self.in_flight = 0;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.in_flight > 0 {
            self.take_back();
            self.gate.hand_out();
        }
    }
}

/// Removes a waiter from the queue when it gives up.
struct Left<'a> {
    gate: &'a Gate,
    rank: Rank,
    id: u64,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        let queue = &mut state.queues[place(self.rank)];
        if let Some(at) = queue.iter().position(|waiter| waiter.id == self.id) {
            let gone = queue.remove(at);
            state.queued -= 1;
            drop(state);
            drop(gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn gate(limit: u32, most: usize) -> Gate {
        let config = Config {
            initial: limit,
            max: limit.max(1),
            ..Config::default()
        };
        Gate::new(config, Waiting { most })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    async fn wait_for(gate: &Gate, rank: Rank) -> tokio::task::JoinHandle<Result<Pass, Full>> {
        let (waiting, before) = (gate.clone(), gate.queued());
        let task = tokio::spawn(async move { waiting.enter(rank, soon()).await });
        for _ in 0..100 {
            tokio::task::yield_now().await;
            if gate.queued() != before || task.is_finished() {
                break;
            }
        }
        task
    }

    #[tokio::test(start_paused = true)]
    async fn higher_ranks_are_admitted_first() {
        let gate = gate(1, 100);
        let pass = gate.enter(0, soon()).await.expect("free");
        let mut waiting = Vec::new();
        for rank in [0, 3, 1, 3, 2] {
            waiting.push((rank, wait_for(&gate, rank).await));
        }
        drop(pass);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            tokio::task::yield_now().await;
            if let Some(at) = waiting.iter().position(|(_, task)| task.is_finished()) {
                let (rank, task) = waiting.remove(at);
                order.push(rank);
                drop(task.await.expect("no panic").expect("a pass"));
            }
        }
        assert_eq!(order, [3, 3, 2, 1, 0]);
        assert_eq!((gate.in_flight(), gate.queued()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_lowest_rank_leaves_a_full_queue() {
        let gate = gate(1, 2);
        let _pass = gate.enter(0, soon()).await.expect("free");
        let low = wait_for(&gate, 0).await;
        let normal = wait_for(&gate, 1).await;
        assert_eq!(gate.enter(0, soon()).await.err(), Some(Full::Queue));
        let critical = wait_for(&gate, 3).await;
        assert_eq!(low.await.expect("no panic").err(), Some(Full::Queue));
        let more = wait_for(&gate, 3).await;
        assert_eq!(normal.await.expect("no panic").err(), Some(Full::Queue));
        assert_eq!(
            gate.enter(3, soon()).await.err(),
            Some(Full::Queue),
            "its own rank is not thrown out"
        );
        assert_eq!(critical.await.expect("no panic").err(), Some(Full::Late));
        assert_eq!(more.await.expect("no panic").err(), Some(Full::Late));
        assert_eq!((gate.in_flight(), gate.queued()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn under_overload_the_newest_is_admitted_first() {
        let gate = gate(1, 2);
        let pass = gate.enter(1, soon()).await.expect("free");
        let old = wait_for(&gate, 1).await;
        let new = wait_for(&gate, 1).await;
        drop(pass);
        let pass = new.await.expect("no panic").expect("it went in first");
        assert!(!old.is_finished());
        drop(pass);
        assert!(old.await.expect("no panic").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn cancelled_waits_and_dropped_passes_leave_nothing_behind() {
        let gate = gate(2, 10);
        let passes = (
            gate.enter(1, soon()).await.expect("free"),
            gate.enter(1, soon()).await.expect("free"),
        );
        let waiting: Vec<_> = [
            wait_for(&gate, 1).await,
            wait_for(&gate, 1).await,
            wait_for(&gate, 2).await,
        ]
        .into();
        assert_eq!(gate.queued(), 3);
        waiting[0].abort();
        tokio::task::yield_now().await;
        assert_eq!(gate.queued(), 2);
        // Given to a waiter that is aborted before it can take it.
        drop(passes);
        waiting[1].abort();
        waiting[2].abort();
        for task in waiting {
            drop(task.await);
        }
        assert_eq!((gate.in_flight(), gate.queued()), (0, 0));
        assert!(gate.enter(1, soon()).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn calls_in_flight_never_exceed_the_limit() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let gate = gate(5, 1_000);
        let (inside, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let tasks: Vec<_> = (0..500_u32)
            .map(|n| {
                let (gate, inside, most) = (gate.clone(), inside.clone(), most.clone());
                tokio::spawn(async move {
                    let deadline = Instant::now() + Duration::from_secs(60);
                    let pass = gate.enter((n % 4) as u8, deadline).await.expect("in time");
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    pass.report(Sample::Answered(Duration::from_millis(1)));
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        assert!(most.load(Ordering::SeqCst) <= 5);
        assert_eq!((gate.in_flight(), gate.queued()), (0, 0));
    }
}
