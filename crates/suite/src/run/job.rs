//! What a run is given.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use load_driver::Stream;
use report::RunRecord;
use tokio_util::sync::CancellationToken;

use super::files::Files;
use super::progress::Tell;
use super::target::Target;
use super::web::Web;
use crate::file::{Resources, SuiteFile};
use crate::grafana::Grafana;
use crate::plan::Plan;

/// A plan with everything that its run needs.
pub struct Job<'a> {
    pub plan: &'a Plan,
    pub file: &'a SuiteFile,
    pub files: &'a Files,
    pub target: &'a dyn Target,
    pub settings: &'a Settings,
    pub tell: &'a dyn Tell,
    /// Cancelled by the first Ctrl-C: the run ends cleanly.
    pub stop: CancellationToken,
    /// Cancelled by the second: nothing is waited for.
    pub hurry: CancellationToken,
}

impl Job<'_> {
    /// In which way the run was interrupted, if it was.
    pub fn interrupted(&self) -> Option<&'static str> {
        if self.hurry.is_cancelled() {
            return Some("interrupted twice: work in progress was abandoned");
        }
        self.stop.is_cancelled().then_some("interrupted")
    }
}

/// Finds the baseline in force for a run, by its suite and testbed.
pub type FindBaseline = dyn Fn(&RunRecord) -> Option<RunRecord> + Send + Sync;

/// Where baselines are kept.
#[derive(Clone)]
pub struct Baselines(pub Arc<FindBaseline>);

impl Baselines {
    pub(super) fn in_force(&self, run: &RunRecord) -> Option<RunRecord> {
        (self.0)(run)
    }
}

impl fmt::Debug for Baselines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Baselines")
    }
}

/// Settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where run folders are made.
    pub results: PathBuf,
    /// A script that replaces those of the classes; its own options are then in force.
    pub script: Option<PathBuf>,
    /// Variables for scripts, beside those of the plan.
    pub env: Vec<(String, String)>,
    /// The process' variables.
    pub variables: Vec<(OsString, OsString)>,
    /// Where k6's summary of each run of the driver goes; `None`: nowhere.
    pub summary_to: Option<Stream>,
    pub stderr: Stream,
    /// The command line that runs a k6 script, without the script: what drills load with.
    pub driver: Vec<OsString>,
    /// Where the target's resources are read; `None`: its admin API, else the machine.
    pub resources: Option<Resources>,
    /// The Prometheus that is asked after each test.
    pub prometheus: Option<String>,
    /// Outputs of the driver, as `--out` names them; their failures are told and spoil nothing.
    pub outputs: Vec<String>,
    /// Where phases, faults and verdicts are noted.
    pub grafana: Option<Grafana>,
    /// Locust's program, with `--with-locust`.
    pub locust: Option<PathBuf>,
    /// For bounds that are relative to one.
    pub baselines: Baselines,
    pub seed: Option<u64>,
    /// The command line behind `sparring test`, kept for `--resume`.
    pub arguments: Vec<String>,
    /// Goes on with the next test when one could not be carried out.
    pub keep_going: bool,
    /// The page of the run.
    pub web: Option<Web>,
}
