//! The table of alerts: the figure and the bound of each, and the documents' texts.

use report::record::{ResourceSample, Second};

use crate::judge::figure::{busiest, mean_of};

/// The figure of an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Watched {
    P50,
    P95,
    P99,
    ErrorRate,
    Cpu,
    Memory,
}

/// One alert of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::judge) struct Alert {
    pub kind: &'static str,
    pub(super) severity: &'static str,
    pub(super) watched: Watched,
    /// Milliseconds or ratios.
    pub(super) bound: f64,
}

/// AIA-44's bounds and AIA-45's severities. Where the documents leave the severity open, resources are
/// warnings, and the 99th percentile is critical like the 95th.
pub(in crate::judge) const ALERTS: [Alert; 6] = [
    alert("latency_p50_high", "warning", Watched::P50, 50.0),
    alert("latency_p95_high", "critical", Watched::P95, 100.0),
    alert("latency_p99_high", "critical", Watched::P99, 200.0),
    alert("error_rate_high", "critical", Watched::ErrorRate, 0.05),
    alert("cpu_usage_high", "warning", Watched::Cpu, 0.8),
    alert("memory_usage_high", "warning", Watched::Memory, 0.8),
];

const fn alert(kind: &'static str, severity: &'static str, watched: Watched, bound: f64) -> Alert {
    Alert {
        kind,
        severity,
        watched,
        bound,
    }
}

/// The aggregates of a trend that the latency alerts use.
pub fn latency_alerts() -> [&'static str; 3] {
    ["p(50)", "p(95)", "p(99)"]
}

impl Alert {
    /// The aggregate of a trend that it uses; `None` for alerts on other figures.
    pub(super) fn aggregate(&self) -> Option<&'static str> {
        let [p50, p95, p99] = latency_alerts();
        match self.watched {
            Watched::P50 => Some(p50),
            Watched::P95 => Some(p95),
            Watched::P99 => Some(p99),
            _ => None,
        }
    }

    /// The documents' text.
    pub(super) fn message(&self, value: f64) -> String {
        let latency = |name: &str| {
            format!(
                "{name} latency {value:.2}ms exceeds {}ms threshold",
                self.bound
            )
        };
        let share = |name: &str| {
            format!(
                "{name} usage {:.2}% exceeds {}% threshold",
                value * 100.0,
                self.bound * 100.0
            )
        };
        match self.watched {
            Watched::P50 => latency("p50"),
            Watched::P95 => latency("p95"),
            Watched::P99 => latency("p99"),
            Watched::ErrorRate => format!(
                "Error rate {:.2}% exceeds {:.2}% threshold",
                value * 100.0,
                self.bound * 100.0
            ),
            Watched::Cpu => share("CPU"),
            Watched::Memory => share("Memory"),
        }
    }

    /// Whether the alert is on the target's resources rather than on requests.
    pub(super) const fn is_of_resources(&self) -> bool {
        matches!(self.watched, Watched::Cpu | Watched::Memory)
    }

    /// The figure of a second; `None` without one.
    pub(super) fn of_second(&self, second: &Second) -> Option<f64> {
        match self.watched {
            Watched::P50 => second.p50_ms,
            Watched::P95 => second.p95_ms,
            Watched::P99 => second.p99_ms,
            Watched::ErrorRate => {
                (second.requests > 0).then(|| second.failures as f64 / second.requests as f64)
            }
            Watched::Cpu | Watched::Memory => None,
        }
    }

    /// The figure of the busiest host among samples taken at the same time.
    pub(super) fn of_moment(&self, moment: &[ResourceSample]) -> Option<f64> {
        let of_sample = |sample: &ResourceSample| match self.watched {
            Watched::Cpu => sample.cpu_ratio,
            Watched::Memory => sample.memory_ratio,
            _ => None,
        };
        busiest(moment, mean_of(of_sample))
    }

    /// (second, value) in order of time; seconds without a figure are left out.
    pub(super) fn series(&self, seconds: &[Second], target: &[ResourceSample]) -> Vec<(f64, f64)> {
        if self.is_of_resources() {
            let pairs = moments(target)
                .filter_map(|moment| Some((moment.first()?.at_s, self.of_moment(moment)?)));
            return pairs.collect();
        }
        let pairs = seconds
            .iter()
            .filter_map(|second| Some((second.at_s, self.of_second(second)?)));
        pairs.collect()
    }
}

/// Samples of all hosts, grouped by the time at which they were taken.
pub(super) fn moments(samples: &[ResourceSample]) -> impl Iterator<Item = &[ResourceSample]> {
    samples.chunk_by(|a, b| (a.at_s - b.at_s).abs() < 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aia_45_texts_are_the_documents() {
        let check = |kind, value, text| {
            let alert = ALERTS.iter().find(|alert| alert.kind == kind);
            assert_eq!(alert.expect("an alert").message(value), text);
        };
        check(
            "latency_p50_high",
            61.2,
            "p50 latency 61.20ms exceeds 50ms threshold",
        );
        check(
            "latency_p95_high",
            100.005_1,
            "p95 latency 100.01ms exceeds 100ms threshold",
        );
        check(
            "latency_p99_high",
            250.0,
            "p99 latency 250.00ms exceeds 200ms threshold",
        );
        check(
            "error_rate_high",
            0.061,
            "Error rate 6.10% exceeds 5.00% threshold",
        );
        check(
            "cpu_usage_high",
            0.85,
            "CPU usage 85.00% exceeds 80% threshold",
        );
        check(
            "memory_usage_high",
            0.91,
            "Memory usage 91.00% exceeds 80% threshold",
        );
    }
}
