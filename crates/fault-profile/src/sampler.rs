//! Draws times from a [`Latency`].

use std::time::Duration;

use rand_distr::{Distribution, Exp, Gamma, LogNormal, Normal, Pareto};

use crate::draw::Draws;
use crate::latency::{Bucket, Latency, PercentilePoint, Tail, Truncation, log_normal_sigma};

const MAX_MS: f64 = 86_400_000.0;
const MAX_REDRAWS: u32 = 64;

/// A latency that is ready to be drawn from.
#[derive(Debug, Clone)]
pub struct Sampler(Form);

#[derive(Debug, Clone)]
enum Form {
    Constant(f64),
    Uniform {
        min: f64,
        width: f64,
    },
    Normal(Normal<f64>),
    LogNormal(LogNormal<f64>),
    Exponential(Exp<f64>),
    Pareto(Pareto<f64>),
    Gamma(Gamma<f64>),
    Table(Table),
    Mixture {
        parts: Vec<(f64, Sampler)>,
    },
    Truncated {
        min: f64,
        max: f64,
        rule: Truncation,
        inner: Box<Sampler>,
    },
}

/// Points of a distribution function: (probability, milliseconds), in ascending order.
#[derive(Debug, Clone)]
struct Table {
    points: Vec<(f64, f64)>,
    tail: Tail,
}

impl Sampler {
    /// `latency` must have passed validation; an invalid one is drawn as a constant 0.
    pub fn new(latency: &Latency) -> Self {
        Self(Form::new(latency).unwrap_or(Form::Constant(0.0)))
    }

    /// One draw, between 0 and a day.
    pub fn draw(&self, draws: &mut Draws) -> Duration {
        Duration::from_secs_f64(self.draw_ms(draws) / 1_000.0)
    }

    /// One draw in milliseconds.
    pub fn draw_ms(&self, draws: &mut Draws) -> f64 {
        let ms = match &self.0 {
            Form::Constant(ms) => *ms,
            Form::Uniform { min, width } => min + width * draws.unit(),
            Form::Normal(normal) => normal.sample(draws),
            Form::LogNormal(log_normal) => log_normal.sample(draws),
            Form::Exponential(exponential) => exponential.sample(draws),
            Form::Pareto(pareto) => pareto.sample(draws),
            Form::Gamma(gamma) => gamma.sample(draws),
            Form::Table(table) => table.at(draws.unit()),
            Form::Mixture { parts } => {
                let unit = draws.unit();
                match parts
                    .iter()
                    .find(|(up_to, _)| unit < *up_to)
                    .or(parts.last())
                {
                    Some((_, sampler)) => sampler.draw_ms(draws),
                    None => 0.0,
                }
            }
            Form::Truncated {
                min,
                max,
                rule,
                inner,
            } => truncated(*min..=*max, *rule, inner, draws),
        };
        if ms.is_nan() {
            0.0
        } else {
            ms.clamp(0.0, MAX_MS)
        }
    }
}

fn truncated(
    bounds: std::ops::RangeInclusive<f64>,
    rule: Truncation,
    inner: &Sampler,
    draws: &mut Draws,
) -> f64 {
    let mut ms = inner.draw_ms(draws);
    if rule == Truncation::Resample {
        for _ in 0..MAX_REDRAWS {
            if bounds.contains(&ms) {
                break;
            }
            ms = inner.draw_ms(draws);
        }
    }
    ms.max(*bounds.start()).min(*bounds.end())
}

impl Form {
    fn new(latency: &Latency) -> Option<Self> {
        Some(match latency {
            Latency::Constant { ms } => Self::Constant(*ms),
            Latency::Uniform { min_ms, max_ms } => Self::Uniform {
                min: *min_ms,
                width: max_ms - min_ms,
            },
            Latency::Normal {
                mean_ms,
                std_dev_ms,
            } => Self::Normal(Normal::new(*mean_ms, *std_dev_ms).ok()?),
            Latency::LogNormal {
                median_ms,
                p99_ms,
                sigma,
            } => {
                let sigma = log_normal_sigma(*median_ms, *p99_ms, *sigma)?;
                Self::LogNormal(LogNormal::new(median_ms.ln(), sigma).ok()?)
            }
            Latency::Exponential { mean_ms } if *mean_ms == 0.0 => Self::Constant(0.0),
            Latency::Exponential { mean_ms } => Self::Exponential(Exp::new(1.0 / mean_ms).ok()?),
            Latency::Pareto { scale_ms, shape } => {
                Self::Pareto(Pareto::new(*scale_ms, *shape).ok()?)
            }
            Latency::Gamma { shape, scale_ms } => Self::Gamma(Gamma::new(*shape, *scale_ms).ok()?),
            Latency::Percentiles { points, tail } => Self::Table(Table::of_points(points, *tail)),
            Latency::Histogram { buckets, tail } => Self::Table(Table::of_buckets(buckets, *tail)),
            Latency::Mixture { parts } => {
                let total: f64 = parts.iter().map(|part| part.weight).sum();
                let mut up_to = 0.0;
                let parts = parts.iter().map(|part| {
                    up_to += part.weight / total;
                    (up_to, Sampler::new(&part.latency))
                });
                Self::Mixture {
                    parts: parts.collect(),
                }
            }
            Latency::Truncated {
                min_ms,
                max_ms,
                rule,
                latency,
            } => Self::Truncated {
                min: *min_ms,
                max: *max_ms,
                rule: *rule,
                inner: Box::new(Sampler::new(latency)),
            },
        })
    }
}

impl Table {
    fn of_points(points: &[PercentilePoint], tail: Tail) -> Self {
        let points = points
            .iter()
            .map(|point| (point.percentile / 100.0, point.ms))
            .collect();
        Self { points, tail }
    }

    /// With a tail, the last bucket contains the tail, so that its upper end is not a maximum.
    fn of_buckets(buckets: &[Bucket], tail: Tail) -> Self {
        let total = buckets
            .iter()
            .map(|bucket| bucket.count)
            .sum::<u64>()
            .max(1) as f64;
        let mut points = vec![(0.0, 0.0)];
        let mut count = 0;
        for bucket in buckets {
            if bucket.count == 0 && count == 0 {
                points[0].1 = bucket.up_to_ms;
                continue;
            }
            count += bucket.count;
            points.push((count as f64 / total, bucket.up_to_ms));
        }
        if tail != Tail::Clamp && points.len() > 2 {
            points.pop();
        }
        Self { points, tail }
    }

    /// The quantile at probability `unit`.
    fn at(&self, unit: f64) -> f64 {
        let above = self
            .points
            .partition_point(|(probability, _)| *probability <= unit);
        match (
            above.checked_sub(1).map(|i| self.points[i]),
            self.points.get(above),
        ) {
            (Some((p0, ms0)), Some((p1, ms1))) => ms0 + (ms1 - ms0) * (unit - p0) / (p1 - p0),
            (None, Some((_, ms))) => *ms,
            (Some((probability, ms)), None) => match self.tail {
                Tail::Pareto(shape) if probability < 1.0 => {
                    ms * ((1.0 - probability) / (1.0 - unit)).powf(1.0 / shape)
                }
                _ => ms,
            },
            (None, None) => 0.0,
        }
    }
}
