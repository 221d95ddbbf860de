//! Protection of a caller while its callees fail: circuit breaker, retry budget, backoff, hedging, bulkhead,
//! adaptive limit, the choice among replicas.
//!
//! Every decision is a pure core that is given `now` and, if needed, `rng`; the wrappers around it only read
//! the clock, hold the lock for one decision and return guards that release themselves on drop.

// Tests are callers: they read the clock that the cores are given.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod balance;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod hedge;
pub mod latency;
pub mod limit;
pub mod outlier;
pub mod retry;

mod sync;
