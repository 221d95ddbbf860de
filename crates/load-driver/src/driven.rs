//! The result of a run.

use load_engine::Exit;
use load_engine::health::HealthReport;
use serde_json::Value;

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Driven {
    /// The exit code that k6 would give.
    pub exit: Exit,
    /// The data that `handleSummary` gets; null when the run never began.
    pub summary_data: Value,
    /// What makes the numbers doubtful: dropped samples, an interruption.
    pub spoilt_by: Vec<String>,
    /// Iterations that ran to their end, or until an exception.
    pub completed_iterations: u64,
    /// Of these, iterations that an exception ended.
    pub failed_iterations: u64,
    /// Metrics in the summary that nothing was measured of: their thresholds were never tried.
    pub without_samples: Vec<String>,
    /// How the driver itself fared.
    pub health: HealthReport,
    /// Samples that an output did not get.
    pub dropped_samples: u64,
}
