//! Requests, and the tasks that carry them out.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::draw::Root;

use super::drawn::Drawn;
use super::event::Nanos;
use super::loaded::Loaded;
use super::outcome::{Failed, Outcome};
use super::slab::Id;
use crate::plan::{Block, Call, Value};

/// What a request is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The caller's own id for it.
    Named(Arc<str>),
    /// Its place in the tenant's stream, from 1, when it has no id.
    Index(u64),
}

/// A request as it comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Place in the plan's endpoints.
    pub endpoint: usize,
    pub tenant: Arc<str>,
    pub key: Key,
    /// Counted from 1.
    pub attempt: u32,
    /// Place in the tenant's stream, from 1: for faults by position.
    pub index: u64,
    /// Of the real request and answer, as far as known; they take the edge's link.
    pub bytes: u64,
    /// `{body, path, query}`, as far as the plan reads it.
    pub input: Value,
}

/// Names a request to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

impl Ticket {
    /// As a log keeps it.
    pub fn word(self) -> u64 {
        self.0
    }

    /// The ticket that a log has kept.
    pub fn from_word(word: u64) -> Self {
        Self(word)
    }
}

/// A request that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    pub ticket: Ticket,
    pub endpoint: usize,
    /// The plan's revision that it came under.
    pub revision: u64,
    pub arrived: Duration,
    pub at: Duration,
    pub outcome: Outcome,
    /// What it would have taken alone: its demands, the longest branch of those at once.
    pub planned: Duration,
    /// Whether it waited for a slot or a connection.
    pub waited: bool,
    /// In the order of their ends; 32 at most.
    pub visits: Vec<VisitRecord>,
    /// Visits that `visits` has no room for.
    pub visits_omitted: u32,
    /// Ids that were drawn, under the names that the flow gives them.
    pub ids: Vec<(Arc<str>, Arc<str>)>,
    /// The entry that a state step touched last.
    pub entry: Option<Touched>,
}

impl Finished {
    pub fn elapsed(&self) -> Duration {
        self.at - self.arrived
    }

    /// All waiting: for slots, connections and shares of resources.
    pub fn queued(&self) -> Duration {
        self.elapsed().saturating_sub(self.planned)
    }
}

/// An entry of a store as a request saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Touched {
    /// Place in the plan's stores.
    pub store: usize,
    pub id: Arc<str>,
    /// Place in the store's states.
    pub state: usize,
    pub rows: usize,
    /// Moves to a state before the last.
    pub steps: u32,
    pub created: Duration,
    pub kept: Value,
    /// The work behind it failed.
    pub failed: bool,
}

/// One visit of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitRecord {
    /// Place in the plan's components; one behind them is the edge.
    pub component: u32,
    pub operation: u32,
    /// Place of the instance.
    pub instance: u32,
    /// All waiting of the visit, without what it held its slot for.
    pub queued: Duration,
    pub cpu: Duration,
    pub disk: Duration,
    pub network: Duration,
    pub service: Duration,
    /// `None`: it succeeded.
    pub error_type: Option<Arc<str>>,
}

/// Visits of a request that are kept.
pub(super) const MAX_RECORDS: usize = 32;

/// A request inside.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) loaded: Arc<Loaded>,
    pub(super) revision: u64,
    pub(super) arrival: Arrival,
    pub(super) arrived: Nanos,
    pub(super) root: Root,
    /// The task whose end is the answer.
    pub(super) main: Option<Id>,
    /// Its other tasks.
    pub(super) others: Vec<Id>,
    /// Tasks and messages that still need it.
    pub(super) needed: u32,
    pub(super) answered: bool,
    pub(super) waited: bool,
    pub(super) visits: Vec<VisitRecord>,
    pub(super) omitted: u32,
    /// Visits, messages and items so far.
    pub(super) work: u32,
    pub(super) ids: Vec<(Arc<str>, Arc<str>)>,
    /// The id touched last in each store that was touched.
    pub(super) current: Vec<(usize, Arc<str>)>,
    pub(super) entry: Option<Touched>,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// About to run.
    Ready,
    Running,
    /// In a line for a slot.
    Slot,
    /// In a line for a connection.
    Pool,
    /// With a station, or until a time of its own is over.
    Stage,
    /// Until its children are done.
    Children,
    /// For ever.
    Hang,
}

/// A thread of a flow.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) request: Id,
    /// The request that waits for it.
    pub(super) parent: Option<Parent>,
    pub(super) frames: Vec<Frame>,
    pub(super) place: Place,
    /// Counts wake-ups: what was to end an earlier wait finds another number.
    pub(super) wait: u32,
    /// Branches and messages that it waits for.
    pub(super) children: u32,
    /// The longest of them.
    pub(super) child_planned: Nanos,
    /// Counts what it has stopped waiting for.
    pub(super) joining: u32,
    pub(super) planned: Nanos,
    /// Why it cannot go on.
    pub(super) failure: Option<Failed>,
    /// Its result is no longer needed.
    pub(super) cancelled: bool,
    /// Goes on when its request is answered or cancelled.
    pub(super) background: bool,
    /// Its end is one of work in the background.
    pub(super) counted: bool,
    /// Items of the `each` steps around it.
    pub(super) items: Vec<Value>,
}

/// A task that waits for others, and for which of its waits they count.
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

/// What a task comes back to.
#[derive(Debug)]
pub(super) enum Frame {
    Steps {
        block: Block,
        next: usize,
        root: Root,
    },
    /// A visit that has not chosen its instance.
    Enter(Box<Entering>),
    Visit(Box<Visit>),
    /// Repetitions and attempts of a visit step.
    Attempts(Box<Attempts>),
    Using(Box<Borrowing>),
    /// A cache gets a key.
    Fill {
        component: usize,
        machine: u32,
        life: u32,
        key: u64,
    },
    /// The items of an `each` step, one after the other or in waves.
    Each(Box<Items>),
    /// A connection to the bus is made.
    Connect {
        block: Block,
        at: usize,
        root: Root,
        since: Nanos,
    },
    /// The entry of a store that tells how far the work is.
    Job {
        store: usize,
        id: Arc<str>,
        workers: usize,
    },
}

/// A connection of a pool, from asking for it to giving it back.
#[derive(Debug)]
pub(super) struct Borrowing {
    pub(super) pool: usize,
    pub(super) block: Block,
    pub(super) root: Root,
    pub(super) since: Nanos,
    /// It is there.
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

/// What a visit is for.
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

/// A message on its way.
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
    /// Places of items that run at once; `None`: one after the other.
    pub(super) waves: Option<Vec<Vec<usize>>>,
    pub(super) next: usize,
    /// The scope has an item of this step.
    pub(super) inside: bool,
}

/// What a visit does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Begin,
    Cpu,
    Disk,
    Link,
    Service,
    /// Its own demands are met.
    Done,
    /// What it held its slot for is done.
    Close,
}

/// How a visit stands to its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Waiting,
    Slot,
}

/// A visit under way.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) call: Call,
    pub(super) host: usize,
    /// [`NOWHERE`] in a line of all machines.
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
    /// An injected fault lets it never end.
    pub(super) hangs: bool,
    pub(super) hold: Block,
    pub(super) usage: Usage,
}

/// The machine of a visit that has none yet.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Whether a task goes on.
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

    /// The visit that it is at.
    pub(super) fn visit(&mut self) -> Option<&mut Visit> {
        match self.frames.last_mut() {
            Some(Frame::Visit(visit)) => Some(visit),
            _ => None,
        }
    }
}
