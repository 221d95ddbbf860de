//! What a test's numbers are computed from, kept in a file so that they can be computed again (N-12).
//!
//! A run judges what it has read back from that file: the same code on the same file gives the same record, to
//! the last digit. `sparring verify` does it again and compares the whole report.

mod again;
mod facts;
mod wire;

pub use again::{RUN, RunEvidence, again};
pub use facts::{Facts, Rules};
pub use wire::{Evidence, EvidenceError};
