//! Distributions of latency.

use live_config::{Check, ConfigError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A distribution of times. Draws below zero become zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Latency {
    /// Always the same time.
    Constant {
        /// The time.
        ms: f64,
    },
    /// Every time between two bounds is as likely as any other.
    Uniform {
        /// The shortest time.
        min_ms: f64,
        /// The longest time.
        max_ms: f64,
    },
    /// The bell curve.
    Normal {
        /// The mean, before draws below zero become zero.
        mean_ms: f64,
        /// The standard deviation.
        std_dev_ms: f64,
    },
    /// Give the median and either the 99th percentile or sigma, the standard deviation of the
    /// logarithm.
    LogNormal {
        /// The median.
        median_ms: f64,
        /// The 99th percentile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p99_ms: Option<f64>,
        /// The standard deviation of the logarithm.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sigma: Option<f64>,
    },
    /// Memoryless: many short times, few long ones.
    Exponential {
        /// The mean.
        mean_ms: f64,
    },
    /// No draw is below `scale_ms`; the tail is a power law with the exponent `shape`.
    Pareto {
        /// The shortest time.
        scale_ms: f64,
        /// The exponent of the tail: the smaller, the longer; no mean up to 1.
        shape: f64,
    },
    /// Mean = `shape` × `scale_ms`.
    Gamma {
        /// 1 is exponential; the larger, the closer to the bell curve.
        shape: f64,
        /// The mean, divided by `shape`.
        scale_ms: f64,
    },
    /// A percentile table, linear between its points, which are ascending in both columns.
    Percentiles {
        points: Vec<PercentilePoint>,
        #[serde(default)]
        tail: Tail,
    },
    /// A recorded histogram, uniform within each bucket.
    Histogram {
        buckets: Vec<Bucket>,
        #[serde(default)]
        tail: Tail,
    },
    /// One of several, by weight.
    Mixture { parts: Vec<Part> },
    /// Another distribution within bounds.
    Truncated {
        /// The shortest time.
        #[serde(default)]
        min_ms: f64,
        /// The longest time.
        max_ms: f64,
        #[serde(default)]
        rule: Truncation,
        latency: Box<Latency>,
    },
}

/// A row of a percentile table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PercentilePoint {
    /// 0 to 100.
    pub percentile: f64,
    /// The time that this share of draws does not exceed.
    pub ms: f64,
}

/// A bucket of a recorded histogram. It begins at the end of the previous one, the first at 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The upper end of the bucket.
    pub up_to_ms: f64,
    /// Times that were recorded in it.
    pub count: u64,
}

/// The distribution beyond the last point of a table.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// Nothing: the last point is the maximum.
    #[default]
    Clamp,
    /// A Pareto tail of this shape from the last point on.
    Pareto(f64),
}

/// A part of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Share of this part, relative to the sum of all weights.
    pub weight: f64,
    pub latency: Latency,
}

/// The treatment of draws outside the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Truncation {
    /// Drawn again, which keeps the shape within the bounds; clamped after 64 draws.
    #[default]
    Resample,
    /// Moved to the bound, which gets the whole weight beyond it.
    Clamp,
}

impl Default for Latency {
    fn default() -> Self {
        Self::Constant { ms: 0.0 }
    }
}

/// 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

/// The standard deviation of the logarithm of a log-normal distribution, from its 99th percentile or as given.
/// `None` if neither is known.
pub fn log_normal_sigma(median_ms: f64, p99_ms: Option<f64>, sigma: Option<f64>) -> Option<f64> {
    match p99_ms {
        Some(p99_ms) => Some((p99_ms / median_ms).ln() / Z99),
        None => sigma,
    }
}

/// The maximum nesting of mixtures and truncations.
const MAX_DEPTH: usize = 8;

impl Latency {
    /// Adds every error of the distribution, with a path relative to it.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        self.check(&mut Check::new(faults));
    }

    pub(crate) fn check(&self, check: &mut Check<'_>) {
        self.check_depth(check, 0);
    }

    fn check_depth(&self, check: &mut Check<'_>, depth: usize) {
        if depth > MAX_DEPTH {
            return check.error("", format!("is nested more than {MAX_DEPTH} deep"));
        }
        match self {
            Self::Constant { ms } => check.ms("constant.ms", *ms),
            Self::Uniform { min_ms, max_ms } => {
                let mut check = check.at("uniform");
                check.ms("min_ms", *min_ms);
                check.ms("max_ms", *max_ms);
                ordered(&mut check, *min_ms, *max_ms);
            }
            Self::Normal {
                mean_ms,
                std_dev_ms,
            } => {
                check.ms("normal.mean_ms", *mean_ms);
                check.ms("normal.std_dev_ms", *std_dev_ms);
            }
            Self::LogNormal {
                median_ms,
                p99_ms,
                sigma,
            } => {
                check_log_normal(&mut check.at("log_normal"), *median_ms, *p99_ms, *sigma);
            }
            Self::Exponential { mean_ms } => check.ms("exponential.mean_ms", *mean_ms),
            Self::Pareto { scale_ms, shape } => {
                check.ms_above_0("pareto.scale_ms", *scale_ms);
                check.positive("pareto.shape", *shape);
            }
            Self::Gamma { shape, scale_ms } => {
                check.positive("gamma.shape", *shape);
                check.ms_above_0("gamma.scale_ms", *scale_ms);
            }
            Self::Percentiles { points, tail } => {
                check_points(&mut check.at("percentiles"), points);
                tail.check(&mut check.at("percentiles"));
            }
            Self::Histogram { buckets, tail } => {
                check_buckets(&mut check.at("histogram"), buckets);
                tail.check(&mut check.at("histogram"));
            }
            Self::Mixture { parts } => {
                let mut check = check.at("mixture");
                if parts.is_empty() {
                    check.error("parts", "needs at least one part");
                }
                let mut check = check.at("parts");
                for (index, part) in parts.iter().enumerate() {
                    let mut check = check.index(index);
                    check.positive("weight", part.weight);
                    part.latency
                        .check_depth(&mut check.at("latency"), depth + 1);
                }
            }
            Self::Truncated {
                min_ms,
                max_ms,
                latency,
                ..
            } => {
                let mut check = check.at("truncated");
                check.ms("min_ms", *min_ms);
                check.ms("max_ms", *max_ms);
                ordered(&mut check, *min_ms, *max_ms);
                latency.check_depth(&mut check.at("latency"), depth + 1);
            }
        }
    }
}

impl Tail {
    fn check(self, check: &mut Check<'_>) {
        if let Self::Pareto(shape) = self {
            check.positive("tail.pareto", shape);
        }
    }
}

fn ordered(check: &mut Check<'_>, min_ms: f64, max_ms: f64) {
    if max_ms < min_ms {
        check.error("max_ms", format!("{max_ms} is below min_ms {min_ms}"));
    }
}

fn check_log_normal(
    check: &mut Check<'_>,
    median_ms: f64,
    p99_ms: Option<f64>,
    sigma: Option<f64>,
) {
    check.ms_above_0("median_ms", median_ms);
    match (p99_ms, sigma) {
        (Some(p99_ms), None) => {
            check.ms("p99_ms", p99_ms);
            if p99_ms < median_ms {
                check.error("p99_ms", format!("{p99_ms} is below median_ms {median_ms}"));
            }
        }
        (None, Some(sigma)) => {
            check.between("sigma", sigma, 0.0, 10.0);
        }
        _ => check.error("", "needs exactly one of p99_ms and sigma"),
    }
}

fn check_points(check: &mut Check<'_>, points: &[PercentilePoint]) {
    if points.len() < 2 {
        check.error(
            "points",
            "needs at least two points, such as percentile 0 and 100",
        );
    }
    let mut check = check.at("points");
    for (index, point) in points.iter().enumerate() {
        let mut check = check.index(index);
        check.ms("ms", point.ms);
        check.between("percentile", point.percentile, 0.0, 100.0);
        let Some(before) = index.checked_sub(1).and_then(|i| points.get(i)) else {
            continue;
        };
        if point.percentile <= before.percentile {
            check.error("percentile", "must be above the one before");
        }
        if point.ms < before.ms {
            check.error("ms", "must not be below the one before");
        }
    }
}

fn check_buckets(check: &mut Check<'_>, buckets: &[Bucket]) {
    if buckets.iter().all(|bucket| bucket.count == 0) {
        check.error("buckets", "needs at least one bucket with a count");
    }
    if buckets
        .iter()
        .try_fold(0u64, |sum, bucket| sum.checked_add(bucket.count))
        .is_none()
    {
        check.error("buckets", "the counts add up to more than 2^64");
    }
    let mut check = check.at("buckets");
    for (index, bucket) in buckets.iter().enumerate() {
        let mut check = check.index(index);
        check.ms("up_to_ms", bucket.up_to_ms);
        let before = index
            .checked_sub(1)
            .and_then(|i| buckets.get(i))
            .map_or(0.0, |b| b.up_to_ms);
        if bucket.up_to_ms <= before {
            check.error(
                "up_to_ms",
                format!("must be above the one before ({before})"),
            );
        }
    }
}
