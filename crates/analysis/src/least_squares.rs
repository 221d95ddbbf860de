//! Least squares lines, and Pearson's correlation.

use crate::distribution::student_t_quantile;
use crate::input::{self, InputError, series};
use crate::interval::Interval;

/// y = intercept + slope · x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineFit {
    pub intercept: f64,
    pub intercept_interval: Interval,
    pub slope: f64,
    pub slope_interval: Interval,
}

/// The line with an intercept, with Student's t intervals (n - 2 degrees of freedom).
///
/// # Errors
/// `NotPaired`, `NotFinite`, `TooFew` below three points, `Constant` when all x are equal.
pub fn line(x: &[f64], y: &[f64], confidence: f64) -> Result<LineFit, InputError> {
    input::open_unit("the confidence", confidence)?;
    let sums = Sums::of(x, y, 3)?;
    let slope = sums.xy / sums.xx;
    let intercept = sums.mean_y - slope * sums.mean_x;
    let n = x.len() as f64;
    let residuals = (sums.yy - slope * sums.xy).max(0.0);
    let variance = residuals / (n - 2.0);
    let t = student_t_quantile(1.0 - (1.0 - confidence) / 2.0, n - 2.0);
    let slope_error = (variance / sums.xx).sqrt();
    let intercept_error = (variance * (1.0 / n + sums.mean_x.powi(2) / sums.xx)).sqrt();
    Ok(LineFit {
        intercept,
        intercept_interval: Interval::around(intercept, t * intercept_error, confidence),
        slope,
        slope_interval: Interval::around(slope, t * slope_error, confidence),
    })
}

/// The slope of the line through the origin, with its interval (n - 1 degrees of freedom).
///
/// # Errors
/// `NotPaired`, `NotFinite`, `TooFew` below two points, `Constant` when all x are 0.
pub fn proportional(x: &[f64], y: &[f64], confidence: f64) -> Result<(f64, Interval), InputError> {
    input::open_unit("the confidence", confidence)?;
    input::paired(series("the x values", x), series("the y values", y), 2)?;
    let xx: f64 = x.iter().map(|x| x * x).sum();
    if xx == 0.0 {
        return Err(InputError::Constant {
            what: "the x values",
            value: 0.0,
        });
    }
    let xy: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
    let slope = xy / xx;
    let residuals: f64 = x.iter().zip(y).map(|(x, y)| (y - slope * x).powi(2)).sum();
    let degrees = x.len() as f64 - 1.0;
    let error = (residuals / degrees / xx).sqrt();
    let t = student_t_quantile(1.0 - (1.0 - confidence) / 2.0, degrees);
    Ok((slope, Interval::around(slope, t * error, confidence)))
}

/// Pearson's correlation coefficient, within -1..=1.
///
/// # Errors
/// `NotPaired`, `NotFinite`, `TooFew` below two points, `Constant` when x or y does not vary.
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64, InputError> {
    let sums = Sums::of(x, y, 2)?;
    if sums.yy == 0.0 {
        return Err(InputError::Constant {
            what: "the y values",
            value: sums.mean_y,
        });
    }
    Ok((sums.xy / sums.xx.sqrt() / sums.yy.sqrt()).clamp(-1.0, 1.0))
}

/// Sums of squares and products around the means.
struct Sums {
    mean_x: f64,
    mean_y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Sums {
    fn of(x: &[f64], y: &[f64], need: usize) -> Result<Self, InputError> {
        input::paired(series("the x values", x), series("the y values", y), need)?;
        let n = x.len() as f64;
        let mean_x = x.iter().map(|x| x / n).sum::<f64>();
        let mean_y = y.iter().map(|y| y / n).sum::<f64>();
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            x.iter()
                .zip(y)
                .map(|(x, y)| f(x - mean_x, y - mean_y))
                .sum()
        };
        let sums = Self {
            mean_x,
            mean_y,
            xx: sum(&|x, _| x * x),
            xy: sum(&|x, y| x * y),
            yy: sum(&|_, y| y * y),
        };
        if x.iter().all(|value| *value == x[0]) || sums.xx == 0.0 {
            return Err(InputError::Constant {
                what: "the x values",
                value: mean_x,
            });
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_give_the_line() {
        let found = line(&[1.0, 2.0, 3.0, 4.0], &[5.0, 7.0, 9.0, 11.0], 0.95).expect("valid");
        assert!((found.slope - 2.0).abs() < 1e-12 && (found.intercept - 3.0).abs() < 1e-12);
        assert!(found.slope_interval.half_width() < 1e-6);
    }

    #[test]
    fn falling_points_correlate_by_minus_one() {
        let r = pearson(&[1.0, 2.0, 3.0], &[9.0, 6.0, 3.0]).expect("valid");
        assert!((r + 1.0).abs() < 1e-12);
        assert!(pearson(&[1.0, 1.0], &[1.0, 2.0]).is_err());
        assert!(pearson(&[1.0, 2.0], &[1.0, 1.0]).is_err());
    }
}
