//! Means and second moments of distributions, in closed form if there is one.

use fault_profile::Latency;
use fault_profile::draw::{Purpose, Root};
use fault_profile::latency::{Tail, log_normal_sigma};
use fault_profile::sampler::Sampler;

/// Number of draws of a distribution without a closed form.
const DRAWS: u32 = 100_000;

/// The first two moments of a demand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    pub mean: f64,
    /// E[X²].
    pub second: f64,
    /// From a formula; otherwise from draws.
    pub exact: bool,
}

impl Moments {
    pub const ZERO: Self = Self {
        mean: 0.0,
        second: 0.0,
        exact: true,
    };

    pub fn of(latency: &Latency) -> Self {
        closed(latency).unwrap_or_else(|| drawn(latency))
    }

    fn known(mean: f64, second: f64) -> Self {
        Self {
            mean,
            second,
            exact: true,
        }
    }

    /// The moments of this variable multiplied by a number.
    pub fn times(self, factor: f64) -> Self {
        Self {
            mean: self.mean * factor,
            second: self.second * factor * factor,
            exact: self.exact,
        }
    }

    /// The moments of the sum of two independent values.
    pub fn plus(self, other: Self) -> Self {
        Self {
            mean: self.mean + other.mean,
            second: self.second + other.second + 2.0 * self.mean * other.mean,
            exact: self.exact && other.exact,
        }
    }

    pub fn variance(self) -> f64 {
        (self.second - self.mean * self.mean).max(0.0)
    }
}

fn closed(latency: &Latency) -> Option<Moments> {
    Some(match latency {
        Latency::Constant { ms } => Moments::known(*ms, ms * ms),
        Latency::Uniform { min_ms, max_ms } => uniform(*min_ms, *max_ms),
        Latency::LogNormal {
            median_ms,
            p99_ms,
            sigma,
        } => {
            let sigma = log_normal_sigma(*median_ms, *p99_ms, *sigma)?;
            let mean = median_ms * (sigma * sigma / 2.0).exp();
            let second = median_ms * median_ms * (2.0 * sigma * sigma).exp();
            // Draws are limited to a day: heavy tails have no closed form then.
            if sigma > 2.0 {
                return None;
            }
            Moments::known(mean, second)
        }
        Latency::Exponential { mean_ms } => Moments::known(*mean_ms, 2.0 * mean_ms * mean_ms),
        Latency::Pareto { scale_ms, shape } if *shape > 3.0 => Moments::known(
            shape * scale_ms / (shape - 1.0),
            shape * scale_ms * scale_ms / (shape - 2.0),
        ),
        Latency::Gamma { shape, scale_ms } => {
            let mean = shape * scale_ms;
            Moments::known(mean, mean * scale_ms + mean * mean)
        }
        // Negative draws become zero; at six deviations that is less than 10^-9.
        Latency::Normal {
            mean_ms,
            std_dev_ms,
        } if *mean_ms >= 6.0 * std_dev_ms => {
            Moments::known(*mean_ms, mean_ms * mean_ms + std_dev_ms * std_dev_ms)
        }
        Latency::Percentiles {
            points,
            tail: Tail::Clamp,
        } => {
            let first = points.first()?;
            let last = points.last()?;
            let below = first.percentile / 100.0;
            let above = 1.0 - last.percentile / 100.0;
            let mut mean = below * first.ms + above * last.ms;
            let mut second = below * first.ms * first.ms + above * last.ms * last.ms;
            for pair in points.windows(2) {
                let weight = (pair[1].percentile - pair[0].percentile) / 100.0;
                let part = uniform(pair[0].ms, pair[1].ms);
                mean += weight * part.mean;
                second += weight * part.second;
            }
            Moments::known(mean, second)
        }
        Latency::Mixture { parts } => {
            let total: f64 = parts.iter().map(|part| part.weight).sum();
            parts.iter().fold(Moments::ZERO, |sum, part| {
                let moments = Moments::of(&part.latency);
                let weight = part.weight / total;
                Moments {
                    mean: sum.mean + weight * moments.mean,
                    second: sum.second + weight * moments.second,
                    exact: sum.exact && moments.exact,
                }
            })
        }
        _ => return None,
    })
}

fn uniform(min: f64, max: f64) -> Moments {
    Moments::known((min + max) / 2.0, (min * min + min * max + max * max) / 3.0)
}

fn drawn(latency: &Latency) -> Moments {
    let sampler = Sampler::new(latency);
    let mut draws = Root::new(0).text("truth").draws(Purpose::Service);
    let (mut mean, mut second) = (0.0, 0.0);
    for _ in 0..DRAWS {
        let ms = sampler.draw_ms(&mut draws);
        mean += ms;
        second += ms * ms;
    }
    let n = f64::from(DRAWS);
    Moments {
        mean: mean / n,
        second: second / n,
        exact: false,
    }
}

#[cfg(test)]
mod tests {
    use fault_profile::latency::{Part, PercentilePoint};

    use super::*;

    #[test]
    fn closed_forms_agree_with_draws() {
        let point = |percentile, ms| PercentilePoint { percentile, ms };
        for latency in [
            Latency::Constant { ms: 3.0 },
            Latency::Uniform {
                min_ms: 1.0,
                max_ms: 5.0,
            },
            Latency::Exponential { mean_ms: 10.0 },
            Latency::LogNormal {
                median_ms: 55.0,
                p99_ms: Some(300.0),
                sigma: None,
            },
            Latency::LogNormal {
                median_ms: 55.0,
                p99_ms: None,
                sigma: Some(0.5),
            },
            Latency::Gamma {
                shape: 2.0,
                scale_ms: 5.0,
            },
            Latency::Pareto {
                scale_ms: 5.0,
                shape: 5.0,
            },
            Latency::Normal {
                mean_ms: 50.0,
                std_dev_ms: 5.0,
            },
            Latency::Percentiles {
                points: vec![point(10.0, 5.0), point(50.0, 20.0), point(90.0, 80.0)],
                tail: Tail::Clamp,
            },
            Latency::Mixture {
                parts: vec![
                    Part {
                        weight: 3.0,
                        latency: Latency::Constant { ms: 1.0 },
                    },
                    Part {
                        weight: 1.0,
                        latency: Latency::Exponential { mean_ms: 9.0 },
                    },
                ],
            },
        ] {
            let (formula, draws) = (closed(&latency).expect("a closed form"), drawn(&latency));
            assert!(formula.exact, "{latency:?}");
            // Five standard errors of the mean; second moments of long tails vary more.
            let error = 5.0 * (formula.variance() / f64::from(DRAWS)).sqrt() + 1e-9;
            assert!(
                (formula.mean - draws.mean).abs() <= error,
                "{latency:?}: {formula:?} {draws:?}"
            );
            assert!(
                (formula.second / draws.second - 1.0).abs() < 0.1,
                "{latency:?}: {formula:?} {draws:?}"
            );
        }
    }
}
