//! Turns the measurements of a run into a verdict for people and a report for programs.

pub mod builtin;
mod child;
pub mod drill;
pub mod file;
pub mod grafana;
pub mod judge;
pub mod kind;
pub mod metrics_text;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod request;
pub mod run;
mod scripts;
pub mod verdict;

pub use report::{Report, WriteError, write_whole};
pub use verdict::{Measured, Verdict};
