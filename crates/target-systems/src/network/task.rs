//! Requests, and the tasks that perform them.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::draw::Root;

use super::drawn::Drawn;
use super::event::Nanos;
use super::loaded::Loaded;
use super::outcome::{Failed, Outcome};
use super::slab::Id;
use crate::plan::{Block, Call, Value};

/// The identity of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The caller's own id for it.
    Named(Arc<str>),
    /// Its index in the tenant's stream, from 1, if it has no id.
    Index(u64),
}

/// A request on arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Index in the plan's endpoints.
    pub endpoint: usize,
    pub tenant: Arc<str>,
    pub key: Key,
    /// Counted from 1.
    pub attempt: u32,
    /// Index in the tenant's stream, from 1: for faults by position.
    pub index: u64,
    /// Size of the real request and response, as far as known; it is transferred over the edge's link.
    pub bytes: u64,
    /// `{body, path, query}`, as far as the plan reads it.
    pub input: Value,
}

/// The id of a request for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

impl Ticket {
    /// The form used in logs.
    pub fn word(self) -> u64 {
        self.0
    }

    /// The ticket recorded in a log.
    pub fn from_word(word: u64) -> Self {
        Self(word)
    }
}

/// A completed request.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    pub ticket: Ticket,
    pub endpoint: usize,
    /// The plan's revision under which it arrived.
    pub revision: u64,
    pub arrived: Duration,
    pub at: Duration,
    pub outcome: Outcome,
    /// The time that it would have taken alone: its demands, and of parallel branches the longest.
    pub planned: Duration,
    /// Whether it waited for a slot or a connection.
    pub waited: bool,
    /// In the order of their ends; at most 32.
    pub visits: Vec<VisitRecord>,
    /// Number of visits beyond the space of `visits`.
    pub visits_omitted: u32,
    /// Ids that were drawn, under the names given by the flow.
    pub ids: Vec<(Arc<str>, Arc<str>)>,
    /// The entry that a state step used last.
    pub entry: Option<Touched>,
}

impl Finished {
    pub fn elapsed(&self) -> Duration {
        self.at - self.arrived
    }

    /// Total waiting time: for slots, connections and shares of resources.
    pub fn queued(&self) -> Duration {
        self.elapsed().saturating_sub(self.planned)
    }
}

/// An entry of a store as seen by a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Touched {
    /// Index in the plan's stores.
    pub store: usize,
    pub id: Arc<str>,
    /// Index in the store's states.
    pub state: usize,
    pub rows: usize,
    /// Moves to a state before the last.
    pub steps: u32,
    pub created: Duration,
    pub kept: Value,
    /// Whether the work for it failed.
    pub failed: bool,
}

/// A visit of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitRecord {
    /// Index in the plan's components; the next index is the edge.
    pub component: u32,
    pub operation: u32,
    /// Index of the instance.
    pub instance: u32,
    /// Total waiting time of the visit, without that of its hold.
    pub queued: Duration,
    pub cpu: Duration,
    pub disk: Duration,
    pub network: Duration,
    pub service: Duration,
    /// `None`: it succeeded.
    pub error_type: Option<Arc<str>>,
}

/// Maximum number of recorded visits of a request.
pub(super) const MAX_RECORDS: usize = 32;

/// A block that runs in parallel with others.
pub(super) struct Forked {
    pub(super) block: Block,
    pub(super) root: Root,
    /// The item of an `each` step.
    pub(super) item: Option<Value>,
}

/// A request in the system.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) loaded: Arc<Loaded>,
    pub(super) revision: u64,
    pub(super) arrival: Arrival,
    pub(super) arrived: Nanos,
    pub(super) root: Root,
    /// The task whose end is the response.
    pub(super) main: Option<Id>,
    /// Its other tasks.
    pub(super) others: Vec<Id>,
    /// Number of tasks and messages that still need it.
    pub(super) needed: u32,
    pub(super) answered: bool,
    pub(super) waited: bool,
    pub(super) visits: Vec<VisitRecord>,
    pub(super) omitted: u32,
    /// Number of visits, messages and items so far.
    pub(super) work: u32,
    pub(super) ids: Vec<(Arc<str>, Arc<str>)>,
    /// The id used last in each store that was used.
    pub(super) current: Vec<(usize, Arc<str>)>,
    pub(super) entry: Option<Touched>,
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Runnable.
    Ready,
    Running,
    /// In the queue for a slot.
    Slot,
    /// In the queue for a connection.
    Pool,
    /// At a station, or waiting for a time of its own.
    Stage,
    /// Waiting for its children.
    Children,
    /// Waiting for ever.
    Hang,
}

/// A thread of execution of a flow.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) request: Id,
    /// The request that waits for it.
    pub(super) parent: Option<Parent>,
    pub(super) frames: Vec<Frame>,
    pub(super) place: Place,
    /// Counts wake-ups: the end of an earlier wait has another number.
    pub(super) wait: u32,
    /// Number of branches and messages for which it waits.
    pub(super) children: u32,
    /// The planned time of the longest of them.
    pub(super) child_planned: Nanos,
    /// Counts the joins that it no longer waits for.
    pub(super) joining: u32,
    pub(super) planned: Nanos,
    /// The reason why it cannot continue.
    pub(super) failure: Option<Failed>,
    /// Its result is no longer needed.
    pub(super) cancelled: bool,
    /// It continues after its request is answered or cancelled.
    pub(super) background: bool,
    /// Its end counts as the end of background work.
    pub(super) counted: bool,
    /// Items of the enclosing `each` steps.
    pub(super) items: Vec<Value>,
}

/// A task that waits for others, and the join to which they belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) task: Id,
    pub(super) joining: u32,
}

/// A step of a block.
#[derive(Clone, Copy)]
pub(super) struct StepAt<'a> {
    pub(super) block: &'a Block,
    pub(super) at: usize,
}

/// The continuations of a task.
#[derive(Debug)]
pub(super) enum Frame {
    Steps {
        block: Block,
        next: usize,
        root: Root,
    },
    /// A visit without an instance so far.
    Enter(Box<Entering>),
    Visit(Box<Visit>),
    /// Repetitions and attempts of a visit step.
    Attempts(Box<Attempts>),
    Using(Box<Borrowing>),
    /// Adds a key to a cache.
    Fill {
        component: usize,
        machine: u32,
        life: u32,
        key: u64,
    },
    /// The items of an `each` step, sequential or in waves.
    Each(Box<Items>),
    /// Opens a connection to the bus.
    Connect {
        block: Block,
        at: usize,
        root: Root,
        since: Nanos,
    },
    /// The entry of a store that shows the progress of the job.
    Job {
        store: usize,
        id: Arc<str>,
        workers: usize,
    },
}

/// A connection of a pool, from its request to its release.
#[derive(Debug)]
pub(super) struct Borrowing {
    pub(super) pool: usize,
    pub(super) block: Block,
    pub(super) root: Root,
    pub(super) since: Nanos,
    /// The connection has been acquired.
    pub(super) held: bool,
    /// The block has begun.
    pub(super) inside: bool,
}

#[derive(Debug)]
pub(super) struct Entering {
    pub(super) call: Call,
    pub(super) root: Root,
    pub(super) hold: Block,
    pub(super) usage: Usage,
}

/// The purpose of a visit.
#[derive(Debug)]
pub(super) enum Usage {
    Plain,
    Cached {
        key: u64,
        miss: Block,
    },
    Batch {
        messages: Vec<Message>,
        drawn: Drawn,
    },
}

/// A message in transit.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) request: Id,
    /// The task that waits for it.
    pub(super) publisher: Option<Parent>,
    pub(super) root: Root,
    pub(super) consume: Option<Call>,
    pub(super) planned: Nanos,
    pub(super) drawn: Drawn,
    pub(super) call: Call,
}

#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) block: Block,
    pub(super) at: usize,
    pub(super) root: Root,
    pub(super) times: u32,
    pub(super) done: u32,
    pub(super) attempt: u32,
    /// An attempt has begun.
    pub(super) running: bool,
}

#[derive(Debug)]
pub(super) struct Items {
    pub(super) block: Block,
    pub(super) at: usize,
    pub(super) root: Root,
    pub(super) items: Arc<[Value]>,
    /// Indices of items that run in parallel; `None`: sequential.
    pub(super) waves: Option<Vec<Vec<usize>>>,
    pub(super) next: usize,
    /// The scope contains an item of this step.
    pub(super) inside: bool,
}

/// The next stage of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Begin,
    Cpu,
    Disk,
    Link,
    Service,
    /// Its own demands are complete.
    Done,
    /// Its hold is complete.
    Close,
}

/// The relation of a visit to its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Waiting,
    Slot,
}

/// A visit in progress.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) call: Call,
    pub(super) host: usize,
    /// [`NOWHERE`] in the queue of all machines.
    pub(super) machine: u32,
    pub(super) life: u32,
    pub(super) held: Held,
    pub(super) stage: Stage,
    pub(super) root: Root,
    pub(super) entered: Nanos,
    pub(super) service_at: Nanos,
    pub(super) drawn: Drawn,
    /// Disk and link time, without waiting.
    pub(super) disk: Nanos,
    pub(super) link: Nanos,
    /// All demands, without waiting and without contention.
    pub(super) planned: Nanos,
    pub(super) recorded: bool,
    pub(super) injected: Option<Failed>,
    /// An injected fault makes it hang.
    pub(super) hangs: bool,
    pub(super) hold: Block,
    pub(super) usage: Usage,
}

/// The machine of a visit that has none yet.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Whether a task continues.
#[derive(Debug)]
pub(super) enum Flow {
    On,
    Wait,
    Failed(Failed),
}

impl Task {
    pub(super) fn new(request: Id, frames: Vec<Frame>) -> Self {
        Self {
            request,
            parent: None,
            frames,
            place: Place::Running,
            wait: 0,
            children: 0,
            child_planned: 0,
            joining: 0,
            planned: 0,
            failure: None,
            cancelled: false,
            background: false,
            counted: false,
            items: Vec::new(),
        }
    }

    /// The current visit of the task.
    pub(super) fn visit(&mut self) -> Option<&mut Visit> {
        match self.frames.last_mut() {
            Some(Frame::Visit(visit)) => Some(visit),
            _ => None,
        }
    }
}
