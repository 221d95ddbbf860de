//! Turns what a run measured into a verdict that people read and a report that programs read.

pub mod drill;
pub mod report;
pub mod verdict;

pub use report::{Report, WriteError};
pub use verdict::Verdict;
