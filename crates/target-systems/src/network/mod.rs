//! The simulated system: a queueing network in the caller's time.
//!
//! [`Network`] is a function of its plan and its inputs, each with its time: it reads no clock, does no I/O
//! and owns no randomness. Events are processed in the order (time, class, sequence); at equal nanoseconds,
//! inputs follow departures and changes, and precede expiries. A late call does not shift any event.

mod balance;
mod bound;
mod bus;
mod cache;
mod change;
mod crash;
mod drawn;
mod each;
mod event;
mod fault;
mod fifo;
mod flow;
mod input;
mod ledger;
mod loaded;
mod machine;
mod memory;
mod outcome;
mod pool;
mod reading;
mod record;
mod request;
mod scale;
mod sharing;
mod slab;
mod socket;
mod stage;
mod state;
mod station;
mod store;
mod task;
mod unit;
mod visit;
mod wait_queue;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fault_profile::rate_limit::TokenBucket;
use foldhash::fast::FixedState;

use bus::Buffer;
use event::{Class, Event, Events, Nanos, What};
use ledger::Ledger;
use loaded::Loaded;
use machine::Domain;
use pool::Pool;
use slab::{Id, Slab};
use store::Store;
use task::{Frame, Place, Request, Task};
use unit::Unit;

use crate::plan::Plan;

pub(crate) use bound::{ItemList, items, work_refused};
pub use bound::{MAX_AMOUNT, MAX_TIMES, MAX_WORK};
pub use change::Refusal;
pub(crate) use change::differences;
pub use input::{Effect, Input};
pub use outcome::{Cause, Failed, Outcome};
pub use reading::{
    ComponentReading, HostReading, MachineReading, PoolReading, Reading, StoreReading,
};
pub use socket::Socket;
pub use task::{Arrival, Finished, Key, Ticket, Touched, VisitRecord};

/// The level of detail recorded for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Its visits, for the journal.
    Visits,
    /// Its outcome and times only.
    Totals,
}

/// A simulated system. All times are relative to one origin that the caller chooses.
#[derive(Debug)]
pub struct Network {
    loaded: Arc<Loaded>,
    revision: u64,
    /// Future planned changes.
    timeline: Vec<(Nanos, Arc<Plan>)>,
    detail: Detail,
    now: Nanos,
    events: Events,
    requests: Slab<Request>,
    tasks: Slab<Task>,
    /// Tasks that can continue.
    ready: VecDeque<Id>,
    /// Machines (host, machine, life) whose memory is exhausted.
    exceeded: Vec<(usize, u32, u32)>,
    domains: Vec<Domain>,
    /// One for each component, and one for the edge.
    units: Vec<Unit>,
    buffers: Vec<Buffer>,
    pools: Vec<Pool>,
    stores: Vec<Store>,
    sockets: Slab<socket::Connection>,
    bucket: TokenBucket,
    tenants: HashMap<Arc<str>, TokenBucket, FixedState>,
    ledger: Ledger,
    finished: Vec<Finished>,
    closed: Vec<Socket>,
}

/// Nanoseconds of a time; 584 years at most.
fn nanos(time: Duration) -> Nanos {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Network {
    /// An idle system at time 0.
    ///
    /// # Errors
    /// The problems found by [`Plan::problems`].
    pub fn new(plan: Plan, detail: Detail) -> Result<Self, Vec<String>> {
        let problems = plan.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let loaded = Arc::new(Loaded::new(plan));
        let mut network = Self {
            timeline: Vec::new(),
            detail,
            now: 0,
            events: Events::default(),
            requests: Slab::default(),
            tasks: Slab::default(),
            ready: VecDeque::new(),
            exceeded: Vec::new(),
            domains: Vec::new(),
            units: Vec::new(),
            buffers: Vec::new(),
            pools: Vec::new(),
            stores: Vec::new(),
            sockets: Slab::default(),
            bucket: TokenBucket::default(),
            tenants: HashMap::with_hasher(FixedState::default()),
            ledger: Ledger::default(),
            finished: Vec::new(),
            closed: Vec::new(),
            loaded,
            revision: 1,
        };
        network.build();
        Ok(network)
    }

    /// Processes all events that precede an input at `now`.
    pub fn advance(&mut self, now: Duration) {
        self.advance_to(nanos(now));
    }

    /// The time of the next event for [`Self::advance`].
    pub fn next_event(&self) -> Option<Duration> {
        self.events.next_at().map(Duration::from_nanos)
    }

    /// Requests that have ended since the last call, in the order of their ends.
    pub fn finished(&mut self) -> std::vec::Drain<'_, Finished> {
        self.finished.drain(..)
    }

    /// Like [`Self::finished`], into an empty list whose allocation is reused.
    pub fn take_finished(&mut self, into: &mut Vec<Finished>) {
        std::mem::swap(&mut self.finished, into);
        self.finished.clear();
    }

    /// Connections that the system has closed since the last call.
    pub fn closed(&mut self) -> std::vec::Drain<'_, Socket> {
        self.closed.drain(..)
    }

    /// The plan in force. The edge follows its components as an additional one.
    pub fn plan(&self) -> &Plan {
        &self.loaded.plan
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The time up to which all events have been processed.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// The number of past events, including inputs.
    pub fn events(&self) -> u64 {
        self.events.happened
    }

    /// The number of stored items of requests, tasks, events and sockets, which determines the memory in
    /// use.
    pub fn pieces(&self) -> usize {
        self.requests.len() + self.tasks.len() + self.events.len() + self.sockets.len()
    }

    /// Processes all events that precede an input at `now`, and counts the input as a further event.
    fn input_at(&mut self, now: Duration) {
        self.advance_to(nanos(now));
        self.events.happened += 1;
    }

    /// Time does not go backwards: an input from the past is processed now.
    fn advance_to(&mut self, now: Nanos) {
        let now = now.max(self.now);
        while let Some(event) = self.events.pop_before(now) {
            self.now = event.at.max(self.now);
            self.happen(event);
            self.settle();
        }
        self.now = now;
    }

    /// Runs all runnable tasks.
    fn settle(&mut self) {
        loop {
            if let Some((host, machine, life)) = self.exceeded.pop() {
                if self.domains[host].machines[machine as usize].life == life {
                    self.crash_machine(host, machine);
                }
            } else if let Some(task) = self.ready.pop_front() {
                self.run(task);
            } else {
                return;
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event.what {
            What::Station {
                host,
                machine,
                resource,
            } => self.station_done(host as usize, machine, resource, event.at),
            What::Service { component, machine } => {
                self.service_done(component as usize, machine, event.at);
            }
            What::Delay { task, wait } => self.wake_from(task, wait, Place::Stage),
            What::Batch { component, number } => self.batch_due(component as usize, number),
            What::Resume { host, machine } => self.resume(host as usize, machine),
            What::Up {
                host,
                machine,
                life,
            } => self.up(host as usize, machine, life),
            What::Memory { host, machine } => self.memory_due(host as usize, machine, event.at),
            What::Autoscale { host } => self.autoscale(host as usize),
            What::Planned { place } => self.planned(place as usize),
            What::Patience { task, wait } => self.out_of_patience(task, wait),
            What::Timeout { task, wait } => self.timed_out(task, wait),
            What::Deadline { request } => self.deadline(request),
            What::Store { store } => self.store_due(store as usize, event.at),
        }
    }

    /// Makes a task runnable, once.
    fn wake(&mut self, id: Id) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        if task.place != Place::Ready {
            task.place = Place::Ready;
            task.wait = task.wait.wrapping_add(1);
            self.ready.push_back(id);
        }
    }

    /// Makes a task runnable if it is still in this wait.
    fn wake_from(&mut self, id: Id, wait: u32, place: Place) {
        let waits = |task: &Task| task.place == place && task.wait == wait;
        if self.tasks.get(id).is_some_and(waits) {
            self.wake(id);
        }
    }

    /// Lets a task wait; returns the number of the wait.
    fn rest(&mut self, id: Id, place: Place) -> u32 {
        match self.tasks.get_mut(id) {
            Some(task) => {
                task.place = place;
                task.wait
            }
            None => 0,
        }
    }

    fn after(&self, wait: Duration) -> Nanos {
        self.now.saturating_add(nanos(wait))
    }

    fn spawn(&mut self, task: Task) -> Id {
        let request = task.request;
        let id = self.tasks.insert(task);
        if let Some(request) = self.requests.get_mut(request) {
            request.needed += 1;
            match request.main {
                None => request.main = Some(id),
                Some(_) => request.others.push(id),
            }
        }
        self.wake(id);
        id
    }

    fn push_frame(&mut self, id: Id, frame: Frame) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.frames.push(frame);
        }
    }

    fn schedule(&mut self, at: Nanos, class: Class, what: What) {
        self.events.push(at, class, what);
    }
}
