//! Options, scenarios, executors, VU pool and outputs of the load driver.
//!
//! Knows no JavaScript and no HTTP: what a virtual user does stands behind [`Program`] and [`Vu`].
//! A VU belongs to one worker thread (a current-thread runtime with a `LocalSet`) and is one local
//! task there; executors decide when it iterates.

pub mod go_text;
pub mod log;
pub mod options;
pub mod output;
mod state;
mod vu;

pub use state::{Instance, RunState, TestEnd};
pub use vu::{
    Activation, Interrupt, Iteration, IterationEnd, Program, ScenarioState, ScriptError,
    SummaryFile, Vu, VuContext, VuIds,
};
