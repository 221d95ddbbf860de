//! Consumers of single samples: files and external services.
//!
//! An output has its own thread ([`crate::Outputs`]) behind a bounded queue. When the queue is full, samples
//! are dropped and counted, so that an output never slows the load.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load_engine::log::Logger;
use load_engine::options::Options;
use load_engine::system_errors::in_words;
use load_engine::{CheckResult, Standings, ThresholdResult};
use load_metrics::{Registry, Sample};

/// Consumes samples on its own thread.
pub trait Output: Send {
    /// The text in the line `output:` of the run's description, such as `json (out.json)`.
    fn description(&self) -> String;

    /// Prepares the output before any load; the run does not start if this fails.
    ///
    /// # Errors
    /// When the target cannot be opened.
    fn start(&mut self, setup: &Setup) -> Result<(), OutputError>;

    /// Consumes samples, in the order of one worker thread.
    ///
    /// # Errors
    /// The target is lost; these samples and all later ones count as dropped.
    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError>;

    /// The interval of [`Self::tick`].
    fn interval(&self) -> Duration;

    /// Called every [`Self::interval`] or later, to flush or push.
    ///
    /// # Errors
    /// When the target is lost.
    fn tick(&mut self) -> Result<(), OutputError>;

    /// Called once, after the last sample.
    ///
    /// # Errors
    /// When the rest cannot be written.
    fn finish(&mut self, end: &RunEnd) -> Result<(), OutputError>;

    /// Samples that the output has accepted and could not deliver, so far. An output that reports them
    /// continues; one that returns an error receives no further samples.
    fn lost_samples(&self) -> u64 {
        0
    }
}

/// The environment of the process, with the `K6_...` variables.
pub type Environment = BTreeMap<String, String>;

/// The writer of outputs to the standard output.
pub type Stdout = Arc<Mutex<dyn Write + Send>>;

/// The parameters of an output before the run.
#[derive(Clone)]
pub struct Setup {
    /// The metrics; scripts have registered theirs.
    pub registry: Arc<Registry>,
    /// The consolidated options.
    pub options: Arc<Options>,
    /// The log for errors during the run.
    pub logger: Logger,
    /// The standard output.
    pub stdout: Stdout,
    /// The current state of the thresholds.
    pub standings: Standings,
}

/// The result of the run, for outputs that write a verdict.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// The script, as given.
    pub script: String,
    /// How long the scenarios ran.
    pub duration: Duration,
    /// Every threshold.
    pub thresholds: Vec<ThresholdResult>,
    /// Every check, in order of first use.
    pub checks: Vec<CheckResult>,
    /// The reason why it ended before its planned end, such as `by a signal (interrupt)`.
    pub ended_early: Option<String>,
    /// Samples dropped before the outputs.
    pub dropped_samples: u64,
}

/// The reason why an output failed.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The output is unknown.
    #[error("invalid output type '{name}', available types are: {available}")]
    Unknown {
        /// The name as written.
        name: String,
        /// The available names.
        available: String,
    },
    /// An output of k6 or its extensions that is not supported here.
    #[error("the output '{0}' is not built in; write JSON or use an OpenTelemetry collector")]
    NotBuiltIn(String),
    /// Its arguments are not valid.
    #[error("could not create the '{output}' output: {why}")]
    Create {
        /// Its type.
        output: &'static str,
        /// The reason, with k6's text where scripts or pipelines may depend on it.
        why: String,
    },
    /// A file cannot be opened.
    #[error("open {path}: {}", in_words(.source))]
    Open {
        /// The file.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// Something cannot be written.
    #[error("cannot write to {target}: {source}")]
    Write {
        /// The target.
        target: String,
        /// The reason.
        source: io::Error,
    },
}
