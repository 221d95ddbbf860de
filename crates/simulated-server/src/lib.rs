//! The common parts of simulated servers: delays with a precision of a tenth of a millisecond, a queue with
//! workers, streams of requests, a journal, and the admin API that shows and changes all of it.
//!
//! A server implements [`Simulated`]; [`admin::router`] gives it the shared routes.

pub mod admin;
mod alarm;
mod client;
pub mod decision_header;
mod expiry;
pub mod follow;
pub mod gate;
pub mod journal;
mod lateness;
mod process;
mod simulated;
mod tally;
mod timer;

pub use client::{AdminClient, AdminError};
pub use decision_header::Decided;
pub use expiry::expire;
pub use follow::follow;
pub use gate::Gate;
pub use journal::Journal;
pub use lateness::{DELAY_ERROR_BOUND, Lateness, Totals};
pub use simulated::Simulated;
pub use tally::Tally;
pub use timer::{Sleep, Timer};
