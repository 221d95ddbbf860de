//! The record of a run, and the formats derived from it.
//!
//! [`RunRecord`] is `report.json`, from which every page, table or comparison is made. The crate reads no
//! clock and opens no socket; the same record always gives the same bytes.

pub mod alerting;
pub mod annotations;
pub mod baseline;
pub mod compare;
pub mod explain;
pub mod export;
pub mod page;
pub mod record;
#[cfg(feature = "testing")]
pub mod testing;
pub mod verify;
pub mod view;

mod chart;
mod content;
mod escape;
mod number;
mod table;

pub use record::{Outcome, RunRecord, TestRecord};
