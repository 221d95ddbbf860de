//! Figures by their names in suite files, with the precision of a window.

use analysis::Interval;
use analysis::effective_size::{self, Mean};
use analysis::order_interval::rank_interval;
use report::record::{Endpoint, ResourceSample, Standing};

use super::decide::{CONFIDENCE, Decision, Quantiles};
use super::expression::Bound;
use super::window::Window;
use crate::file::Grade;

/// The name of the counter of delivered messages (AIA-17, ACSO-28).
const MESSAGES: &str = "messages_processed_total";

/// A measured value of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Figure {
    Mean,
    Percentile(&'static str, f64),
    ErrorRate,
    SuccessRate,
    /// Responses that reject a request because of its size or of insufficient space: 413 and 507.
    Refusals,
    /// Responses per second, including errors.
    Requests,
    /// Successes per second.
    Successes,
    /// Successes per second times the queries in each.
    Queries,
    /// Executions of workflows per second.
    Workflows,
    /// Messages per second that a simulated system has delivered, by its own counter.
    Messages,
    Cpu,
    Memory,
    MemoryGb,
    DiskIops,
    NetworkMbit,
}

impl From<Grade> for Figure {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::AvgMs => Self::Mean,
            Grade::P50Ms => Self::Percentile("p50", 0.5),
            Grade::P95Ms => Self::Percentile("p95", 0.95),
            Grade::P99Ms => Self::Percentile("p99", 0.99),
            Grade::ErrorRate => Self::ErrorRate,
            Grade::SuccessRate => Self::SuccessRate,
            Grade::Rps => Self::Requests,
            Grade::OpsPerS => Self::Successes,
            Grade::CpuRatio => Self::Cpu,
            Grade::MemoryRatio => Self::Memory,
        }
    }
}

impl Figure {
    /// The figure of a row, a ladder's condition or a relative bound; `None` for an unknown name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "avg_ms" => Self::Mean,
            "p50_ms" => Self::Percentile("p50", 0.5),
            "p90_ms" => Self::Percentile("p90", 0.9),
            "p95_ms" => Self::Percentile("p95", 0.95),
            "p99_ms" => Self::Percentile("p99", 0.99),
            "error_rate" => Self::ErrorRate,
            "success_rate" => Self::SuccessRate,
            "refusals" => Self::Refusals,
            "rps" | "rate_per_s" | "requests_per_s" => Self::Requests,
            "ops_per_s" => Self::Successes,
            "queries_per_s" => Self::Queries,
            "workflows_per_s" => Self::Workflows,
            "messages_per_s" => Self::Messages,
            "cpu_ratio" => Self::Cpu,
            "memory_ratio" => Self::Memory,
            "memory_gb" => Self::MemoryGb,
            "disk_iops" => Self::DiskIops,
            "network_mbit_per_s" => Self::NetworkMbit,
            _ => return None,
        })
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::Mean | Self::Percentile(..) => "ms",
            Self::ErrorRate | Self::SuccessRate | Self::Cpu | Self::Memory => "ratio",
            Self::Requests
            | Self::Successes
            | Self::Queries
            | Self::Workflows
            | Self::Messages
            | Self::DiskIops => "per second",
            Self::Refusals => "answers",
            Self::MemoryGb => "GB",
            Self::NetworkMbit => "Mbit/s",
        }
    }

    /// Whether the figure grows with the number of users, so that a low value is no sign of overload.
    pub fn is_throughput(self) -> bool {
        matches!(
            self,
            Self::Requests | Self::Successes | Self::Queries | Self::Workflows | Self::Messages
        )
    }

    /// The measured value; `None` where nothing was measured.
    pub fn value(self, window: &Window<'_>) -> Option<f64> {
        let figures = window.figures;
        match self {
            Self::Mean => figures.latency.as_ref().map(|latency| latency.mean),
            Self::Percentile(key, _) => figures.percentile(key),
            Self::ErrorRate => figures.error_rate(),
            Self::SuccessRate => figures.success_rate(),
            Self::Refusals => refusals(window),
            Self::Requests => figures.requests_per_s.filter(|_| figures.requests > 0),
            Self::Successes => figures.successes_per_s().filter(|_| figures.requests > 0),
            Self::Queries => Self::Successes
                .value(window)
                .map(|per_s| per_s * window.queries),
            Self::Workflows => workflows_per_s(window),
            Self::Messages => mean_of(messages_per_s)(&window.target.iter().collect::<Vec<_>>()),
            Self::Cpu => busiest(window.target, mean_of(|sample| sample.cpu_ratio)),
            Self::Memory => busiest(window.target, largest_of(|sample| sample.memory_ratio)),
            Self::MemoryGb => busiest(
                window.target,
                largest_of(|sample| sample.memory_bytes.map(|bytes| bytes as f64 / 1e9)),
            ),
            Self::DiskIops => busiest(
                window.target,
                mean_of(|sample| sample.other.get("disk_iops").copied()),
            ),
            Self::NetworkMbit => busiest(window.target, mean_of(megabits)),
        }
    }

    /// Decides the figure against a bound.
    pub fn decide(self, window: &Window<'_>, bound: Bound) -> Decision {
        let figures = window.figures;
        match self {
            Self::Mean => mean(window, bound),
            Self::Percentile(key, share) => match &figures.latency {
                Some(latency) => {
                    let known = Quantiles::of(latency, figures.requests);
                    Decision::percentile(&known, key, share, bound)
                }
                None => Decision::NO_DATA,
            },
            Self::ErrorRate => Decision::share(figures.failures, figures.requests, bound),
            Self::SuccessRate => {
                let successes = figures.requests - figures.failures.min(figures.requests);
                Decision::share(successes, figures.requests, bound)
            }
            Self::Requests | Self::Successes | Self::Queries | Self::Workflows => {
                self.rate(window, bound)
            }
            Self::Refusals
            | Self::Messages
            | Self::Cpu
            | Self::Memory
            | Self::MemoryGb
            | Self::DiskIops
            | Self::NetworkMbit => Decision::plain(self.value(window), bound),
        }
    }

    /// Whether this number of requests can prove the bound in the best case.
    pub fn can_be_proved(self, requests: u64, bound: Bound) -> bool {
        let of_good = |good| Decision::share(good, requests, bound).standing == Standing::Held;
        match self {
            Self::ErrorRate => of_good(0),
            Self::SuccessRate => of_good(requests),
            Self::Percentile(_, share) => {
                rank_interval(requests, share, CONFIDENCE).is_ok_and(|ranks| ranks.upper.is_some())
            }
            _ => true,
        }
    }

    /// A throughput. Its interval comes from the batch means of its seconds (Law, 9.5.3); with fewer than
    /// 16 seconds the count is assumed to be Poisson-distributed, with its square root as deviation.
    /// Requests in flight at either edge of the window are neither lost nor late, so a bound that equals the
    /// rate of an open test is met if the difference does not exceed them (Little's law).
    fn rate(self, window: &Window<'_>, bound: Bound) -> Decision {
        let Some(value) = self.value(window) else {
            return Decision::NO_DATA;
        };
        let seconds = window.figures.seconds;
        let Bound::Limit(limit) = bound else {
            return Decision::plain(Some(value), bound);
        };
        let mean_s = window
            .figures
            .latency
            .as_ref()
            .map_or(0.0, |it| it.mean / 1_000.0);
        let edges = (value * mean_s + 1.0) / seconds.max(1e-9);
        let reached = value >= limit.value - edges && value <= limit.value + edges;
        let counts_all = match self {
            Self::Requests => true,
            Self::Successes => window.figures.failures == 0,
            _ => false,
        };
        let is_requested = window
            .rate_per_s
            .is_some_and(|rate| (rate - limit.value).abs() < 1e-9 * rate.max(1.0));
        if counts_all && is_requested && reached {
            return Decision {
                standing: Standing::Held,
                measured: Some(value),
                interval: Some([value - edges, value + edges]),
                ..Decision::NO_DATA
            };
        }
        match self.rate_interval(window, value) {
            Some(estimate) => {
                let count = window.figures.requests.max(1);
                Decision::estimate(&estimate, count, limit)
            }
            None => Decision::plain(Some(value), bound),
        }
    }

    fn rate_interval(self, window: &Window<'_>, value: f64) -> Option<Mean> {
        let per_answer = value / window.figures.requests_per_s.filter(|rate| *rate > 0.0)?;
        let series: Vec<f64> = window
            .seconds
            .iter()
            .map(|second| second.requests as f64 * per_answer)
            .collect();
        if let Ok(mean) = effective_size::mean(&series, CONFIDENCE) {
            // The window's own figure, with the error of the seconds, which exclude partial ones.
            let half_width = mean.interval.half_width();
            return Some(Mean {
                mean: value,
                interval: Interval::around(value, half_width, CONFIDENCE),
                ..mean
            });
        }
        let count = window.figures.requests as f64;
        let error = value / count.sqrt();
        Some(Mean {
            mean: value,
            standard_error: error,
            interval: Interval::around(value, 1.96 * error, CONFIDENCE),
            effective_size: count,
            batches: 1,
        })
    }
}

/// The mean, with the wider of two intervals: that of independent responses, and that of the seconds' batch
/// means, which accounts for slow responses that occur together.
fn mean(window: &Window<'_>, bound: Bound) -> Decision {
    let Some(latency) = &window.figures.latency else {
        return Decision::NO_DATA;
    };
    let count = window.figures.requests;
    let independent = Decision::mean(latency.mean, latency.standard_deviation, count, bound);
    let series: Vec<f64> = window.seconds.iter().filter_map(|it| it.mean_ms).collect();
    let (Bound::Limit(limit), Ok(seconds)) = (bound, effective_size::mean(&series, CONFIDENCE))
    else {
        return independent;
    };
    let half_width = seconds.interval.half_width();
    let is_wider = independent
        .interval
        .is_some_and(|[lower, upper]| half_width > (upper - lower) / 2.0);
    if !is_wider {
        return independent;
    }
    let estimate = Mean {
        mean: latency.mean,
        interval: Interval::around(latency.mean, half_width, CONFIDENCE),
        ..seconds
    };
    Decision::estimate(&estimate, count, limit)
}

/// Statuses of rejections: content too large, and insufficient storage.
const REFUSALS: [&str; 2] = ["413", "507"];

fn refusals(window: &Window<'_>) -> Option<f64> {
    let statuses = window.endpoints.iter().flat_map(|it| &it.statuses);
    let refused = statuses.filter(|(status, _)| REFUSALS.contains(&status.as_str()));
    let refused: u64 = refused.map(|(_, count)| count).sum();
    (window.figures.requests > 0).then_some(refused as f64)
}

fn workflows_per_s(window: &Window<'_>) -> Option<f64> {
    let is_execution = |endpoint: &&Endpoint| {
        endpoint.name.contains("workflow")
            && endpoint.name.trim_end_matches('/').ends_with("execute")
    };
    let executions: Vec<&Endpoint> = window.endpoints.iter().filter(is_execution).collect();
    if executions.is_empty() {
        return Figure::Successes.value(window);
    }
    let successes = executions.iter().map(|it| it.figures.successes_per_s());
    successes.sum()
}

/// The counter of messages that the document of a simulated system declares, as a rate.
fn messages_per_s(sample: &ResourceSample) -> Option<f64> {
    let rates = sample.other.iter();
    let mut of_messages = rates.filter(|(name, _)| name.contains(MESSAGES)).peekable();
    of_messages.peek()?;
    Some(of_messages.map(|(_, per_s)| per_s).sum())
}

fn megabits(sample: &ResourceSample) -> Option<f64> {
    let (received, sent) = (
        sample.network_received_bytes_per_s,
        sample.network_sent_bytes_per_s,
    );
    let bytes = received.unwrap_or(0.0) + sent.unwrap_or(0.0);
    (received.is_some() || sent.is_some()).then_some(bytes * 8.0 / 1e6)
}

/// The maximum over the hosts of the value that `of` computes from a host's samples.
pub(super) fn busiest(
    samples: &[ResourceSample],
    of: impl Fn(&[&ResourceSample]) -> Option<f64>,
) -> Option<f64> {
    let hosts = hosts(samples);
    let figures = hosts.into_iter().filter_map(|host| {
        let own: Vec<&ResourceSample> = samples.iter().filter(|it| it.host == host).collect();
        of(&own)
    });
    figures.reduce(f64::max)
}

/// The hosts in the order of their first samples.
pub(super) fn hosts(samples: &[ResourceSample]) -> Vec<Option<String>> {
    let mut hosts: Vec<Option<String>> = Vec::new();
    for sample in samples {
        if !hosts.contains(&sample.host) {
            hosts.push(sample.host.clone());
        }
    }
    hosts
}

pub(super) fn mean_of(
    of: impl Fn(&ResourceSample) -> Option<f64>,
) -> impl Fn(&[&ResourceSample]) -> Option<f64> {
    move |samples| {
        let values: Vec<f64> = samples.iter().filter_map(|sample| of(sample)).collect();
        mean_value(&values)
    }
}

/// The mean, clamped to the range of the values: rounding must not make it exceed a level that is met
/// exactly.
pub(super) fn mean_value(values: &[f64]) -> Option<f64> {
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    Some((values.iter().sum::<f64>() / values.len() as f64).clamp(least, most))
        .filter(|mean| mean.is_finite())
}

pub(super) fn largest_of(
    of: impl Fn(&ResourceSample) -> Option<f64>,
) -> impl Fn(&[&ResourceSample]) -> Option<f64> {
    move |samples| {
        samples
            .iter()
            .filter_map(|sample| of(sample))
            .reduce(f64::max)
    }
}
