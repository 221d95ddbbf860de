//! Flows: the steps of a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Expression, Path};

/// Steps in sequence.
pub type Block = Arc<[Step]>;

/// An endpoint's flow; routes and bodies are handled outside of the network.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub name: Arc<str>,
    /// The status of a request that does not fail.
    pub status: u16,
    pub flow: Block,
}

/// A step of a flow after toggles are applied: steps that are switched off are not included.
#[derive(Debug, Clone)]
pub enum Step {
    Visit(Visit),
    /// Parallel branches that are joined. The first failure cancels the others.
    Parallel(Vec<Block>),
    Cached(Cached),
    Using(Using),
    Publish(Publish),
    /// One of several branches, chosen randomly.
    Either(Vec<Share>),
    When(Case),
    Each(Each),
    State(StateStep),
    Later(Later),
    Fail(Failure),
}

/// An operation of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Index in [`super::Plan::components`].
    pub component: usize,
    /// Index in the component's operations.
    pub operation: usize,
}

#[derive(Debug, Clone)]
pub struct Visit {
    pub call: Call,
    /// Number of sequential visits; rounded down, at most 10 000. A request for more is rejected.
    pub times: Expression,
    /// Steps that run with the slot held, after the visit's own demands.
    pub hold: Block,
    /// The maximum time of each attempt, including waits; then it fails with `timeout` 504.
    pub timeout: Option<Duration>,
    /// Further attempts after a failure.
    pub retries: u32,
    pub on_error: OnError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    Fail,
    /// Continues as if the visit had succeeded.
    Continue,
}

/// A visit to a cache, and the steps on a miss.
#[derive(Debug, Clone)]
pub struct Cached {
    /// A call of a component with a cache.
    pub call: Call,
    pub key: CacheKey,
    /// After these steps succeed, the cache contains the key.
    pub miss: Block,
}

#[derive(Debug, Clone)]
pub enum CacheKey {
    /// A random key of the cache's population.
    Population,
    /// The value at a path.
    Field(Path),
    /// A number, rounded down.
    Number(Expression),
}

/// Steps with a connection of a pool.
#[derive(Debug, Clone)]
pub struct Using {
    /// Index in [`super::Plan::pools`].
    pub pool: usize,
    pub block: Block,
}

#[derive(Debug, Clone)]
pub struct Publish {
    /// A call of a component with a bus.
    pub call: Call,
    /// Rounded down, at most 10 000. A request for more is rejected.
    pub messages: Expression,
    /// The visit for each message after its delivery.
    pub consume: Option<Call>,
    /// Whether the flow waits until all are delivered and consumed.
    pub wait: bool,
}

/// A branch that is chosen randomly.
#[derive(Debug, Clone)]
pub struct Share {
    /// Probability, 0 to 1; the remainder to 1 does nothing.
    pub share: f64,
    pub block: Block,
}

/// Branches by a value.
#[derive(Debug, Clone)]
pub struct Case {
    pub value: Path,
    /// Branches by the value as text.
    pub is: BTreeMap<String, Block>,
    pub otherwise: Block,
}

/// Steps for each item of a list, or as many times as a number says; paths of the block read it as `item`.
/// At most 10 000 items; a request with more is rejected.
#[derive(Debug, Clone)]
pub struct Each {
    pub list: Path,
    pub order: Order,
    pub block: Block,
}

#[derive(Debug, Clone)]
pub enum Order {
    Sequence,
    AtOnce,
    /// Items with an `id`, and a list of `{from, to}` at this path: an item begins in the wave after all of
    /// its predecessors; the items of a wave run in parallel.
    Graph(Path),
}

/// An operation on a store.
#[derive(Debug, Clone)]
pub struct StateStep {
    /// Index in [`super::Plan::stores`].
    pub store: usize,
    pub id: Identity,
    pub action: StateAction,
}

#[derive(Debug, Clone)]
pub enum Identity {
    /// Drawn from the request's key, and available to the response under this name.
    Drawn(Arc<str>),
    /// Chosen by the client, at most 128 bytes; absent or longer: `bad_request` 400.
    Given(Path),
    /// The id of the entry that this request used last in this store.
    Current,
}

#[derive(Debug, Clone)]
pub enum StateAction {
    /// Creates an entry; an existing one remains and is touched.
    Create {
        /// Index in the store's states.
        state: usize,
        /// Values of the request that the entry keeps, as `state.NAME`.
        keep: Vec<(Arc<str>, Path)>,
    },
    /// Without the entry, the request fails with `not_found` 404.
    Require,
    /// Adds a row under the id; the entry is created if necessary.
    Append,
    /// Without the entry: `not_found` 404; for a move backwards or out of the last state: `conflict` 409.
    Advance {
        /// Index in the store's states.
        state: usize,
    },
    /// Looks the entry up, and continues with or without it.
    Read,
    /// Removes the entry, if it exists.
    Remove,
}

/// Responds now and continues in the background.
#[derive(Debug, Clone)]
pub struct Later {
    /// Index in [`super::Plan::stores`]: the store contains the job, whose states are the store's first
    /// (queued), second (running, from the first visit to `workers` on) and last (completed).
    pub store: usize,
    /// The name of the job's id in the response.
    pub id: Arc<str>,
    /// Index in [`super::Plan::components`].
    pub workers: usize,
    pub block: Block,
    /// If the value at this path is set, the response is sent after the job is done.
    pub wait: Option<Path>,
}

/// Ends the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub status: u16,
    pub error_type: Arc<str>,
}

impl Visit {
    /// A single visit without a hold.
    pub fn once(component: usize, operation: usize) -> Self {
        Self {
            call: Call {
                component,
                operation,
            },
            times: Expression::Number(1.0),
            hold: Arc::new([]),
            timeout: None,
            retries: 0,
            on_error: OnError::Fail,
        }
    }
}
