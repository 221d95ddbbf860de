//! The result of a run.

use load_engine::Exit;
use load_engine::health::HealthReport;
use load_engine::summary::MetricView;
use load_metrics::TrendSink;
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
    /// Iterations that the end of their user or of the run cut off; none of the others.
    pub cut_iterations: u64,
    /// Metrics in the summary that nothing was measured of: their thresholds were never tried.
    pub without_samples: Vec<String>,
    /// The values of each trend in the summary, whatever statistics the options show of it.
    pub trends: Vec<Trend>,
    /// How the driver itself fared.
    pub health: HealthReport,
    /// Samples that an output did not get.
    pub dropped_samples: u64,
}

/// A trend of the run.
#[derive(Debug, Clone)]
pub struct Trend {
    /// The metric's name, with the tags of a sub-metric.
    pub name: String,
    pub values: TrendSink,
    /// By aggregate, such as `p(95)`, the values that its thresholds were compared with.
    pub observed: Vec<(String, f64)>,
}

impl Trend {
    /// `None` where nothing was measured, or the metric is not a trend.
    pub(crate) fn of(metric: MetricView) -> Option<Self> {
        let observed = metric.thresholds.into_iter();
        Some(Self {
            name: metric.name,
            values: metric.trend?,
            observed: observed.map(|it| (it.aggregation, it.observed)).collect(),
        })
    }
}
