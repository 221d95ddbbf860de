//! What keeps a caller alive while the called fail: circuit breaker, retry budget, backoff,
//! hedging, bulkhead, adaptive limit, the choice among replicas.
//!
//! Every decision is a pure core that is given `now` and, where chance plays, `rng`; the
//! wrappers around it only read the clock, hold the lock for one decision and hand out guards
//! that undo themselves when dropped.

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
