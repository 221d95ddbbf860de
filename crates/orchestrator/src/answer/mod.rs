//! The detectors' answers, and the combined answer.

pub mod aggregate;
pub mod attested;
pub mod bounded;
pub mod conflict;
pub mod verdict;
pub mod written;
