//! Fits the law, with intervals, to measured points.

use super::solve::{self, Parameters, Point};
use super::{Coefficient, Fit};
use crate::distribution::student_t_quantile;
use crate::input::{self, InputError, series};
use crate::interval::Interval;
use crate::moments::Moments;

/// With fewer different loads the fit is rejected.
const SMALLEST: usize = 4;
/// With fewer different loads the fit is called weak; R also warns then.
const WEAK_BELOW: usize = 6;

/// Fits the law to completed throughput over load. The throughput must come from steady windows. In a
/// closed model the load is the number of users, in an open one the mean number of requests in the system
/// (rate times response time).
///
/// # Errors
/// `NotPaired`, `NotFinite`; `OutOfRange` for loads that are not above 0 or negative throughputs;
/// `TooFewDifferent` for fewer than four different loads; `Constant` when no throughput is above 0.
pub fn fit(loads: &[f64], throughputs: &[f64], confidence: f64) -> Result<Fit, InputError> {
    fit_weighted(loads, throughputs, &vec![1.0; loads.len()], confidence)
}

/// The same with a weight for each point: the number of repeats divided by their variance.
///
/// # Errors
/// As [`fit`]; `OutOfRange` for weights that are not above 0.
pub fn fit_weighted(
    loads: &[f64],
    throughputs: &[f64],
    weights: &[f64],
    confidence: f64,
) -> Result<Fit, InputError> {
    input::open_unit("the confidence", confidence)?;
    let different = check(loads, throughputs, weights)?;
    let largest_weight = weights.iter().copied().fold(0.0, f64::max);
    // Throughputs are scaled to 1, so that no unit makes squares overflow or vanish.
    let unit = throughputs.iter().copied().fold(0.0, f64::max);
    let points: Vec<Point> = loads
        .iter()
        .zip(throughputs)
        .zip(weights)
        .map(|((load, throughput), weight)| Point {
            load: *load,
            throughput: throughput / unit,
            weight: weight / largest_weight,
        })
        .collect();
    let parameters = solve::solve(&points);
    let degrees = (points.len() - 3) as f64;
    let residual_variance = solve::cost(&points, &parameters) / degrees;
    let (normal, _) = solve::normal_equations(&points, &parameters);
    let inverse = solve::inverse(&normal).unwrap_or([[f64::INFINITY; 3]; 3]);
    let t_quantile = student_t_quantile(1.0 - (1.0 - confidence) / 2.0, degrees);
    let coefficient = |i: usize, unit: f64| {
        let standard_error = (inverse[i][i] * residual_variance).sqrt() * unit;
        let estimate = parameters[i] * unit;
        Coefficient {
            estimate,
            standard_error,
            interval: Interval::around(estimate, t_quantile * standard_error, confidence),
            at_bound: i < 2 && (parameters[i] <= 0.0 || parameters[i] >= 1.0),
        }
    };
    Ok(Fit {
        alpha: coefficient(0, 1.0),
        beta: coefficient(1, 1.0),
        gamma: coefficient(2, unit),
        residual_deviation: residual_variance.sqrt() * unit,
        r_squared: r_squared(&points, &parameters),
        points: points.len(),
        is_weak: different < WEAK_BELOW,
        smallest_load: loads.iter().copied().fold(f64::INFINITY, f64::min),
        largest_load: loads.iter().copied().fold(0.0, f64::max),
        covariance_alpha_beta: inverse[0][1] * residual_variance,
        confidence,
        t_quantile,
    })
}

/// Validates the input and returns the number of different loads.
fn check(loads: &[f64], throughputs: &[f64], weights: &[f64]) -> Result<usize, InputError> {
    input::paired(
        series("the loads", loads),
        series("the throughputs", throughputs),
        1,
    )?;
    input::paired(
        series("the loads", loads),
        series("the weights", weights),
        1,
    )?;
    for load in loads {
        input::positive("a load", *load)?;
    }
    for throughput in throughputs {
        input::not_negative("a throughput", *throughput)?;
    }
    for weight in weights {
        input::positive("a weight", *weight)?;
    }
    let mut sorted = loads.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup();
    if sorted.len() < SMALLEST {
        return Err(InputError::TooFewDifferent {
            what: "loads",
            have: sorted.len(),
            need: SMALLEST,
        });
    }
    if throughputs.iter().all(|throughput| *throughput == 0.0) {
        return Err(InputError::Constant {
            what: "the throughputs",
            value: 0.0,
        });
    }
    Ok(sorted.len())
}

fn r_squared(points: &[Point], parameters: &Parameters) -> f64 {
    let throughputs: Vec<f64> = points.iter().map(|point| point.throughput).collect();
    let mean = Moments::of(&throughputs).mean();
    let total: f64 = points
        .iter()
        .map(|point| point.weight * (point.throughput - mean).powi(2))
        .sum();
    let residual = solve::cost(points, parameters);
    if total > 0.0 {
        1.0 - residual / total
    } else {
        0.0
    }
}
