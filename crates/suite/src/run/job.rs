//! The input of a run.

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

/// A plan with everything needed to run it.
pub struct Job<'a> {
    pub plan: &'a Plan,
    pub file: &'a SuiteFile,
    pub files: &'a Files,
    pub target: &'a dyn Target,
    pub settings: &'a Settings,
    pub tell: &'a dyn Tell,
    /// Cancelled by the first Ctrl-C: the run ends gracefully.
    pub stop: CancellationToken,
    /// Cancelled by the second: the run does not wait for anything.
    pub hurry: CancellationToken,
}

impl Job<'_> {
    /// The way in which the run was interrupted, if it was.
    pub fn interrupted(&self) -> Option<&'static str> {
        if self.hurry.is_cancelled() {
            return Some("interrupted twice: work in progress was abandoned");
        }
        self.stop.is_cancelled().then_some("interrupted")
    }
}

/// Finds the baseline in force for a run, by its suite and testbed.
pub type FindBaseline = dyn Fn(&RunRecord) -> Option<RunRecord> + Send + Sync;

/// The storage of baselines.
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
    /// The parent of the run folders.
    pub results: PathBuf,
    /// A script that replaces those of the classes; its own options then take effect.
    pub script: Option<PathBuf>,
    /// Variables for scripts, in addition to those of the plan.
    pub env: Vec<(String, String)>,
    /// The process' variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The destination of k6's summary of each run of the driver; `None`: discarded.
    pub summary_to: Option<Stream>,
    pub stderr: Stream,
    /// The command line that runs a k6 script, without the script: drills use it for their load.
    pub driver: Vec<OsString>,
    /// The source of the target's resources; `None`: its admin API, otherwise the machine.
    pub resources: Option<Resources>,
    /// The Prometheus that is queried after each test.
    pub prometheus: Option<String>,
    /// Outputs of the driver, as in `--out`; their failures are reported and do not affect the verdict.
    pub outputs: Vec<String>,
    /// The receiver of annotations of phases, faults and verdicts.
    pub grafana: Option<Grafana>,
    /// Locust's program, with `--with-locust`.
    pub locust: Option<PathBuf>,
    /// The references of relative bounds.
    pub baselines: Baselines,
    pub seed: Option<u64>,
    /// The command line behind `sparring test`, stored for `--resume`.
    pub arguments: Vec<String>,
    /// Continue with the next test if one could not be carried out.
    pub keep_going: bool,
    /// The page of the run.
    pub web: Option<Web>,
}
