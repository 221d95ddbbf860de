//! Flows: what a request does, step by step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Expression, Path};

/// Steps in sequence.
pub type Block = Arc<[Step]>;

/// An endpoint's flow; routes and bodies are the shell's business.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub name: Arc<str>,
    /// Of a request that does not fail.
    pub status: u16,
    pub flow: Block,
}

/// A step of a flow, toggles applied: what is switched off is not here.
#[derive(Debug, Clone)]
pub enum Step {
    Visit(Visit),
    /// All branches at once, joined. The first failure cancels the others.
    Parallel(Vec<Block>),
    Cached(Cached),
    Using(Using),
    Publish(Publish),
    /// One of several, drawn.
    Either(Vec<Share>),
    When(Case),
    Each(Each),
    State(StateStep),
    Later(Later),
    Fail(Failure),
}

/// Which operation of which component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Place in [`super::Plan::components`].
    pub component: usize,
    /// Place in the component's operations.
    pub operation: usize,
}

#[derive(Debug, Clone)]
pub struct Visit {
    pub call: Call,
    /// One after the other; rounded down, 10 000 at most. A request that says more is refused.
    pub times: Expression,
    /// Done with the slot kept, behind the visit's own demands.
    pub hold: Block,
    /// Of each attempt, waiting included; then it fails `timeout` 504.
    pub timeout: Option<Duration>,
    /// Further attempts after a failure.
    pub retries: u32,
    pub on_error: OnError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    Fail,
    /// Goes on as if nothing had happened.
    Continue,
}

/// A visit to a cache, and what is done when it has nothing.
#[derive(Debug, Clone)]
pub struct Cached {
    /// To a component with a cache.
    pub call: Call,
    pub key: CacheKey,
    /// When it succeeds, the cache has the key.
    pub miss: Block,
}

#[derive(Debug, Clone)]
pub enum CacheKey {
    /// Drawn from the cache's population.
    Population,
    /// By the value at a path.
    Field(Path),
    /// By a number, rounded down.
    Number(Expression),
}

/// With a connection of a pool.
#[derive(Debug, Clone)]
pub struct Using {
    /// Place in [`super::Plan::pools`].
    pub pool: usize,
    pub block: Block,
}

#[derive(Debug, Clone)]
pub struct Publish {
    /// To a component with a bus.
    pub call: Call,
    /// Rounded down, 10 000 at most. A request that says more is refused.
    pub messages: Expression,
    /// What is visited for each message once it is delivered.
    pub consume: Option<Call>,
    /// Whether the flow waits until all are delivered and consumed.
    pub wait: bool,
}

/// A drawn branch.
#[derive(Debug, Clone)]
pub struct Share {
    /// Probability, 0 to 1; what is left of 1 does nothing.
    pub share: f64,
    pub block: Block,
}

/// A branch by a value.
#[derive(Debug, Clone)]
pub struct Case {
    pub value: Path,
    /// By the value as text.
    pub is: BTreeMap<String, Block>,
    pub otherwise: Block,
}

/// For each item of a list, or as often as a number says; `item` in paths of the block. 10 000 items
/// at most; a request with more is refused.
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
    /// Items with an `id`, and a list of `{from, to}` at this path: an item begins with the wave
    /// behind all that lead to it; those of a wave run at once.
    Graph(Path),
}

/// What is done to a store.
#[derive(Debug, Clone)]
pub struct StateStep {
    /// Place in [`super::Plan::stores`].
    pub store: usize,
    pub id: Identity,
    pub action: StateAction,
}

#[derive(Debug, Clone)]
pub enum Identity {
    /// Drawn from the request's key, and kept for the answer under this name.
    Drawn(Arc<str>),
    /// Given by the client, 128 bytes at most; absent or longer: `bad_request` 400.
    Given(Path),
    /// The id of the entry that this request touched last in this store.
    Current,
}

#[derive(Debug, Clone)]
pub enum StateAction {
    /// Makes an entry; one that is there already stays and is touched.
    Create {
        /// Place in the store's states.
        state: usize,
        /// Values of the request that the entry keeps, as `state.NAME`.
        keep: Vec<(Arc<str>, Path)>,
    },
    /// `not_found` 404 without it.
    Require,
    /// One more row under the id, which is made if need be.
    Append,
    /// `not_found` 404 without it, `conflict` 409 backwards or out of the last state.
    Advance {
        /// Place in the store's states.
        state: usize,
    },
    /// Looks, and goes on either way.
    Read,
    /// Removes it, if it is there.
    Remove,
}

/// Answers now and goes on in the background.
#[derive(Debug, Clone)]
pub struct Later {
    /// Place in [`super::Plan::stores`]: holds the job, whose states are the store's first
    /// (queued), second (running, from the first visit to `workers` on) and last (completed).
    pub store: usize,
    /// The answer's name for the job's id.
    pub id: Arc<str>,
    /// Place in [`super::Plan::components`].
    pub workers: usize,
    pub block: Block,
    /// Where this is set, the answer comes when the job is done.
    pub wait: Option<Path>,
}

/// Ends the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub status: u16,
    pub error_type: Arc<str>,
}

impl Visit {
    /// Once, with nothing in hold.
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
