//! The evidence of a test: a file from which its figures can be computed again (N-12).
//!
//! A run judges the data read back from that file: the same code on the same file gives the same record, to
//! the last digit. `sparring verify` repeats that and compares the whole report.

mod again;
mod facts;
mod wire;

pub use again::{RUN, RunEvidence, again};
pub use facts::{Facts, Rules};
pub use wire::{Evidence, EvidenceError};
