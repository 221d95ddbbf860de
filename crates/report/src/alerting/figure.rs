//! The figures on which alerts are based.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// A figure that each second of a test has.
#[derive(Debug, Clone, PartialEq)]
pub enum Figure {
    Mean,
    P50,
    P95,
    P99,
    ErrorRatio,
    SuccessRatio,
    Cpu,
    Memory,
    /// A figure of a metric that a threshold uses, or of a sub-metric.
    Metric(Box<MetricFigure>),
}

/// An aggregate of a metric or of its sub-metric with certain tags.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFigure {
    /// The name in the threshold: `orders`, `http_req_duration{name:GET /a}`.
    pub metric: String,
    /// The metric without tags.
    pub base: String,
    pub tags: BTreeMap<String, String>,
    pub kind: String,
    pub contains: String,
    /// `p(95)`, `rate`, `count`.
    pub aggregate: String,
    pub unit: &'static str,
}

impl Figure {
    /// The series that a recording rule creates for it.
    pub fn series(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Mean => "test:latency_ms:mean",
            Self::P50 => "test:latency_ms:p50",
            Self::P95 => "test:latency_ms:p95",
            Self::P99 => "test:latency_ms:p99",
            Self::ErrorRatio => "test:errors:ratio",
            Self::SuccessRatio => "test:successes:ratio",
            Self::Cpu => "target:cpu:ratio",
            Self::Memory => "target:memory:ratio",
            Self::Metric(asked) => {
                let aggregate = in_name(&asked.aggregate, '_');
                return Cow::Owned(format!("test:metric:{}", aggregate.to_ascii_lowercase()));
            }
        })
    }

    /// The value of the label `metric`, which only series of metrics have.
    pub fn metric(&self) -> Option<&str> {
        match self {
            Self::Metric(asked) => Some(&asked.metric),
            _ => None,
        }
    }

    pub(super) fn word(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Mean => "Mean",
            Self::P50 => "P50",
            Self::P95 => "P95",
            Self::P99 => "P99",
            Self::ErrorRatio => "Errors",
            Self::SuccessRatio => "Successes",
            Self::Cpu => "Cpu",
            Self::Memory => "Memory",
            Self::Metric(asked) => {
                let text = format!("{} {}", asked.metric, asked.aggregate.replace('(', ""));
                return Cow::Owned(camel(&text));
            }
        })
    }

    pub(super) fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Mean => "mean latency",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::ErrorRatio => "share of failed requests",
            Self::SuccessRatio => "share of successful requests",
            Self::Cpu => "use of the target's processor",
            Self::Memory => "use of the target's memory",
            Self::Metric(asked) => {
                return Cow::Owned(format!("{} of {}", asked.aggregate, asked.metric));
            }
        })
    }

    pub(super) fn unit(&self) -> &'static str {
        match self {
            Self::Mean | Self::P50 | Self::P95 | Self::P99 => "ms",
            Self::Metric(asked) if asked.unit != "ratio" => asked.unit,
            _ => "",
        }
    }

    /// Whether the figure is of the target's resources, not of the requests.
    pub const fn is_of_resources(&self) -> bool {
        matches!(self, Self::Cpu | Self::Memory)
    }

    /// The figure with this name in judgements on all requests; rates are left out, because they follow from the
    /// offered load.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "avg_ms" | "avg" => Self::Mean,
            "p50_ms" | "p50" | "p(50)" | "med" | "latency_p50_high" => Self::P50,
            "p95_ms" | "p95" | "p(95)" | "latency_p95_high" => Self::P95,
            "p99_ms" | "p99" | "p(99)" | "latency_p99_high" => Self::P99,
            "error_rate" | "error_rate_high" => Self::ErrorRatio,
            "success_rate" | "success" => Self::SuccessRatio,
            "cpu_ratio" | "cpu_usage_high" => Self::Cpu,
            "memory_ratio" | "memory_usage_high" => Self::Memory,
            _ => return None,
        })
    }

    /// The order in files.
    const fn order(&self) -> u8 {
        match self {
            Self::Mean => 0,
            Self::P50 => 1,
            Self::P95 => 2,
            Self::P99 => 3,
            Self::ErrorRatio => 4,
            Self::SuccessRatio => 5,
            Self::Cpu => 6,
            Self::Memory => 7,
            Self::Metric(_) => 8,
        }
    }

    /// The distinct figures: those of all requests first.
    pub(super) fn each_once<'a>(figures: impl Iterator<Item = &'a Self>) -> Vec<&'a Self> {
        let mut found: Vec<&Self> = Vec::new();
        for figure in figures {
            if !found.contains(&figure) {
                found.push(figure);
            }
        }
        found.sort_by_key(|figure| figure.order());
        found
    }
}

/// Letters and digits in camel case.
pub(super) fn camel(text: &str) -> String {
    let mut name = String::new();
    let mut begins = true;
    for character in text.chars() {
        match character {
            letter if letter.is_ascii_alphanumeric() && begins => {
                name.push(letter.to_ascii_uppercase());
                begins = false;
            }
            letter if letter.is_ascii_alphanumeric() => name.push(letter),
            _ => begins = true,
        }
    }
    name
}

/// The aggregate as part of a metric's name, with a replacement of the dot and without brackets.
fn in_name(aggregate: &str, instead: char) -> String {
    let kept = aggregate.chars().filter(|it| !['(', ')', ' '].contains(it));
    kept.map(|it| {
        if it.is_ascii_alphanumeric() {
            it
        } else {
            instead
        }
    })
    .collect()
}
