//! Shared answers: cached ones, and those in progress.

pub mod answer_store;
pub mod answered;
pub mod answers;
pub mod bounded;
pub mod cache;
pub mod invalidations;
pub mod key;
pub mod partials;
pub mod question;
pub mod scope;
pub mod single_flight;
