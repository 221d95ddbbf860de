//! Consumers of single samples: files and services outside of the run.
//!
//! An output has a thread of its own ([`crate::Outputs`]) and a bounded queue in front of it. What does not
//! fit is dropped and counted: an output never slows the load that it describes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load_engine::log::Logger;
use load_engine::options::Options;
use load_engine::{CheckResult, Standings, ThresholdResult};
use load_metrics::{Registry, Sample};

/// Consumes samples on its own thread.
pub trait Output: Send {
    /// What stands in the line `output:` of the run's description, as `json (out.json)`.
    fn description(&self) -> String;

    /// Prepares everything, before any load; the run does not begin when this fails.
    ///
    /// # Errors
    /// When the target cannot be opened.
    fn start(&mut self, setup: &Setup) -> Result<(), OutputError>;

    /// Takes samples, in the order in which one worker thread took them.
    ///
    /// # Errors
    /// When the target is lost: the samples and all that follow count as dropped.
    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError>;

    /// How often [`Self::tick`] is wanted.
    fn interval(&self) -> Duration;

    /// Called every [`Self::interval`] or later: write through, push.
    ///
    /// # Errors
    /// When the target is lost.
    fn tick(&mut self) -> Result<(), OutputError>;

    /// Called once, after the last sample.
    ///
    /// # Errors
    /// When the rest cannot be written.
    fn finish(&mut self, end: &RunEnd) -> Result<(), OutputError>;

    /// Samples that it took and could not deliver, so far. An output that reports them goes on; one that fails
    /// gets no more.
    fn lost_samples(&self) -> u64 {
        0
    }
}

/// The environment of the process: what `K6_...` variables say.
pub type Environment = BTreeMap<String, String>;

/// Where an output that goes to the standard output writes.
pub type Stdout = Arc<Mutex<dyn Write + Send>>;

/// What outputs are given before the run.
#[derive(Clone)]
pub struct Setup {
    /// The metrics; scripts have registered theirs.
    pub registry: Arc<Registry>,
    /// The consolidated options.
    pub options: Arc<Options>,
    /// For trouble on the way.
    pub logger: Logger,
    /// The standard output.
    pub stdout: Stdout,
    /// The thresholds as they stand.
    pub standings: Standings,
}

/// What became of the run, for outputs that write a verdict.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// The script, as it was named.
    pub script: String,
    /// How long the scenarios ran.
    pub duration: Duration,
    /// Every threshold.
    pub thresholds: Vec<ThresholdResult>,
    /// Every check, in order of first use.
    pub checks: Vec<CheckResult>,
    /// Why it ended before its plan, such as `by a signal (interrupt)`.
    pub ended_early: Option<String>,
    /// Samples that outputs did not get.
    pub dropped_samples: u64,
}

/// Why an output cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// There is no such output.
    #[error("invalid output type '{name}', available types are: {available}")]
    Unknown {
        /// As written.
        name: String,
        /// The names that exist.
        available: String,
    },
    /// k6 or its extensions have it, we do not.
    #[error("the output '{0}' is not built in; write JSON or use an OpenTelemetry collector")]
    NotBuiltIn(String),
    /// It cannot be made with these arguments.
    #[error("could not create the '{output}' output: {why}")]
    Create {
        /// Its type.
        output: &'static str,
        /// Why, in k6's words where scripts or pipelines may look for them.
        why: String,
    },
    /// A file cannot be opened.
    #[error("open {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Something cannot be written.
    #[error("cannot write to {target}: {source}")]
    Write {
        /// Where to.
        target: String,
        /// Why.
        source: io::Error,
    },
}
