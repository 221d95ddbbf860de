//! The result of a run.

use load_engine::Exit;
use load_engine::health::HealthReport;
use load_engine::summary::MetricView;
use load_metrics::TrendSink;
use serde_json::Value;

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Driven {
    /// The exit code, which is k6's.
    pub exit: Exit,
    /// The argument of `handleSummary`; null when the run never began.
    pub summary_data: Value,
    /// The reasons why the numbers cannot be trusted: dropped samples, an interruption.
    pub invalid_because: Vec<String>,
    /// Iterations that ran to their end, or until an exception.
    pub completed_iterations: u64,
    /// Of these, iterations that an exception ended.
    pub failed_iterations: u64,
    /// Iterations that were cut off by the end of their VU or of the run; not among the completed ones.
    pub cut_iterations: u64,
    /// Metrics in the summary without samples, whose thresholds were never evaluated.
    pub without_samples: Vec<String>,
    /// The values of each trend in the summary, independent of the displayed statistics.
    pub trends: Vec<Trend>,
    /// The health of the driver itself.
    pub health: HealthReport,
    /// Samples that did not reach an output.
    pub dropped_samples: u64,
}

impl Driven {
    /// The result of a run that never began.
    pub(crate) fn refused(exit: Exit) -> Self {
        Self {
            exit,
            summary_data: Value::Null,
            invalid_because: Vec::new(),
            completed_iterations: 0,
            failed_iterations: 0,
            cut_iterations: 0,
            without_samples: Vec::new(),
            trends: Vec::new(),
            health: HealthReport::default(),
            dropped_samples: 0,
        }
    }
}

/// A trend of the run.
#[derive(Debug, Clone)]
pub struct Trend {
    /// The metric's name, with the tags of a sub-metric.
    pub name: String,
    pub values: TrendSink,
    /// The values that were compared with its thresholds, by aggregate, such as `p(95)`.
    pub observed: Vec<(String, f64)>,
}

impl Trend {
    /// `None` if there are no samples, or the metric is not a trend.
    pub(crate) fn of(metric: MetricView) -> Option<Self> {
        let observed = metric.thresholds.into_iter();
        Some(Self {
            name: metric.name,
            values: metric.trend?,
            observed: observed.map(|it| (it.aggregation, it.observed)).collect(),
        })
    }
}
