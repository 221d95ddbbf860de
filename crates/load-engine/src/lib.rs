//! Options, scenarios, executors, VU pool and outputs of the load driver.
//!
//! Knows no JavaScript and no HTTP: what a virtual user does stands behind [`Program`] and [`Vu`].
//! A VU belongs to one worker thread (a current-thread runtime with a `LocalSet`) and is one local
//! task there; executors decide when it iterates.

pub mod archive;
mod crew;
mod executor;
mod exit;
mod functions;
mod gather;
pub mod go_text;
pub mod health;
pub mod inspect;
mod job;
pub mod log;
pub mod options;
pub mod output;
pub mod plan;
mod pool;
pub mod rest;
mod run;
pub mod segment;
mod source;
mod state;
pub mod summary;
pub mod thresholds;
mod vu;
mod worker;

pub use executor::Board;
pub use exit::Exit;
pub use gather::Gatherer;
pub use run::{Failure, Outcome, Run, SummaryFiles, Workers, boards};
pub use state::{Asked, Instance, Phase, RunState, TestEnd};
pub use vu::{
    Activation, Interrupt, Iteration, IterationEnd, Program, ScenarioState, ScriptError,
    SummaryFile, Vu, VuContext, VuIds,
};
