//! The Universal Scalability Law: X(N) = γN / (1 + α(N-1) + βN(N-1)).
//!
//! γ is the throughput of one user, α the share of work that queues (contention), β the cost of every
//! pair that has to agree (coherency). Source: Gunther, "Guerrilla Capacity Planning" (2007). Fitted
//! as R's package `usl` does: least squares within 0 <= α, β <= 1, errors from the Jacobian.

mod fit;
mod solve;

pub use fit::{fit, fit_weighted};

use crate::interval::Interval;

/// A fitted parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficient {
    pub estimate: f64,
    pub standard_error: f64,
    /// Student's t; not cut off at the bounds, as R prints it.
    pub interval: Interval,
    /// The estimate is at a bound of its range: the data require a value outside the law.
    pub at_bound: bool,
}

/// A fitted law. Loads have the unit of the data (users, processes, requests in the system),
/// throughputs theirs (per second).
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub alpha: Coefficient,
    pub beta: Coefficient,
    pub gamma: Coefficient,
    /// Residual standard deviation, in the unit of throughput.
    pub residual_deviation: f64,
    /// 1 - residual sum of squares / sum of squares around the mean.
    pub r_squared: f64,
    pub points: usize,
    /// Fewer than six different loads: the intervals are wide and may not hold.
    pub is_weak: bool,
    pub smallest_load: f64,
    pub largest_load: f64,
    /// Covariance of α and β, for figures that depend on both.
    covariance_alpha_beta: f64,
    confidence: f64,
    t_quantile: f64,
}

/// Whether a number is within the measured range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reach {
    Measured,
    /// Beyond the largest load; say "extrapolated" wherever the number appears.
    Extrapolated {
        beyond: f64,
    },
}

impl Reach {
    pub fn of(load: f64, largest: f64) -> Self {
        if load <= largest {
            Self::Measured
        } else {
            Self::Extrapolated { beyond: largest }
        }
    }

    pub fn is_extrapolated(self) -> bool {
        self != Self::Measured
    }
}

/// A characteristic point of the law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    pub load: f64,
    pub throughput: f64,
    pub reach: Reach,
}

/// The components of a worker's time, as shares of the time of a single user (R's `overhead`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overhead {
    /// 1/N
    pub ideal: f64,
    /// α(N-1)/N
    pub contention: f64,
    /// β(N-1)/2
    pub coherency: f64,
}

impl Fit {
    /// X(N), for any load of at least 0.
    pub fn throughput(&self, load: f64) -> f64 {
        let parameters = [self.alpha.estimate, self.beta.estimate, self.gamma.estimate];
        solve::throughput(load, &parameters)
    }

    /// X(N) / (γN): 1 for perfect scaling.
    pub fn efficiency(&self, load: f64) -> f64 {
        self.throughput(load) / (self.gamma.estimate * load)
    }

    /// The mean time in the system at a load, by Little's law: N / X(N).
    pub fn response_time(&self, load: f64) -> f64 {
        load / self.throughput(load)
    }

    /// Where throughput is largest, N* = √((1-α)/β); `None` when β is 0 and it never falls.
    pub fn peak(&self) -> Option<Mark> {
        let load = ((1.0 - self.alpha.estimate) / self.beta.estimate).sqrt();
        load.is_finite().then(|| self.mark(load))
    }

    /// The interval of the peak's load by the delta method on its logarithm; `None` without a peak or
    /// where a parameter lies on its bound, because there the linearisation says nothing.
    pub fn peak_interval(&self) -> Option<Interval> {
        let load = self.peak()?.load;
        if self.alpha.at_bound || self.beta.at_bound {
            return None;
        }
        let by_alpha = -0.5 / (1.0 - self.alpha.estimate);
        let by_beta = -0.5 / self.beta.estimate;
        let variance = (by_alpha * self.alpha.standard_error).powi(2)
            + (by_beta * self.beta.standard_error).powi(2)
            + 2.0 * by_alpha * by_beta * self.covariance_alpha_beta;
        let factor = (self.t_quantile * variance.max(0.0).sqrt()).exp();
        Some(Interval {
            lower: load / factor,
            upper: load * factor,
            confidence: self.confidence,
        })
    }

    /// Amdahl's ceiling γ/α, the throughput no load can exceed; `None` when α is 0.
    pub fn ceiling(&self) -> Option<f64> {
        let ceiling = self.gamma.estimate / self.alpha.estimate;
        ceiling.is_finite().then_some(ceiling)
    }

    /// The load 1/α where perfect scaling would meet the ceiling; beyond it, load mostly queues.
    /// `None` when α is 0.
    pub fn optimal(&self) -> Option<Mark> {
        let load = 1.0 / self.alpha.estimate;
        load.is_finite().then(|| self.mark(load))
    }

    pub fn overhead(&self, load: f64) -> Overhead {
        Overhead {
            ideal: 1.0 / load,
            contention: self.alpha.estimate * (load - 1.0) / load,
            coherency: self.beta.estimate * (load - 1.0) / 2.0,
        }
    }

    /// The same law with other coefficients: what if contention or coherency were improved.
    #[must_use]
    pub fn with(&self, alpha: f64, beta: f64) -> Self {
        let mut changed = self.clone();
        changed.alpha.estimate = alpha;
        changed.beta.estimate = beta;
        changed
    }

    fn mark(&self, load: f64) -> Mark {
        Mark {
            load,
            throughput: self.throughput(load),
            reach: Reach::of(load, self.largest_load),
        }
    }
}
