//! Kneedle: the point at which a curve bends most, relative to the line between its ends.
//!
//! Source: Satopää, Albrecht, Irwin and Raghavan, "Finding a 'Kneedle' in a Haystack" (2011). The knee
//! depends on the measured range of x and on the sensitivity, so it must not be the only estimate.

use crate::input::{self, InputError, series};

/// The shape of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Rises ever slower: throughput over load. Its knee is the upper one.
    #[default]
    ConcaveRising,
    /// Rises ever faster: response time over load.
    ConvexRising,
    /// Falls ever slower: cost over size.
    ConvexFalling,
    /// Falls ever faster.
    ConcaveFalling,
}

/// The x and y of the first knee, or `None` when the curve has none. Points in any order; equal x are
/// averaged. `sensitivity` (S in the paper, usually 1) is how many mean steps of x the difference
/// curve has to fall below its maximum.
///
/// # Errors
/// `NotPaired`, `NotFinite`, `TooFew` for fewer than three different x, `OutOfRange` for a negative
/// sensitivity, `Constant` for a flat curve.
pub fn knee(
    x: &[f64],
    y: &[f64],
    shape: Shape,
    sensitivity: f64,
) -> Result<Option<(f64, f64)>, InputError> {
    input::paired(series("the x values", x), series("the y values", y), 1)?;
    input::not_negative("the sensitivity", sensitivity)?;
    let points = averaged(x, y);
    if points.len() < 3 {
        return Err(InputError::TooFew {
            what: "the different x values",
            have: points.len(),
            need: 3,
        });
    }
    let difference = difference_curve(&points, shape)?;
    // The paper's threshold: the mean step of the normalised x, which is 1/(n-1).
    let step = sensitivity / (points.len() - 1) as f64;
    Ok(first_knee(&difference, step).map(|index| {
        let is_mirrored = matches!(shape, Shape::ConvexRising | Shape::ConcaveFalling);
        points[if is_mirrored {
            points.len() - 1 - index
        } else {
            index
        }]
    }))
}

fn averaged(x: &[f64], y: &[f64]) -> Vec<(f64, f64)> {
    let mut pairs: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    pairs
        .chunk_by(|a, b| a.0 == b.0)
        .map(|same| {
            let count = same.len() as f64;
            (same[0].0, same.iter().map(|(_, y)| y / count).sum())
        })
        .collect()
}

/// y - x with both normalised to 0..=1, every shape turned into a concave rising one.
fn difference_curve(points: &[(f64, f64)], shape: Shape) -> Result<Vec<f64>, InputError> {
    let low = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    if low == high {
        return Err(InputError::Constant {
            what: "the y values",
            value: low,
        });
    }
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let x = points.iter().map(|p| (p.0 - first) / (last - first));
    let mut y: Vec<f64> = points.iter().map(|p| (p.1 - low) / (high - low)).collect();
    if matches!(shape, Shape::ConvexRising | Shape::ConvexFalling) {
        y.iter_mut().for_each(|value| *value = 1.0 - *value);
    }
    if matches!(shape, Shape::ConvexRising | Shape::ConcaveFalling) {
        y.reverse();
    }
    Ok(x.zip(y).map(|(x, y)| y - x).collect())
}

/// The first local maximum after which the difference falls by `step` before it rises again.
fn first_knee(difference: &[f64], step: f64) -> Option<usize> {
    let last = difference.len() - 1;
    let mut candidate: Option<(usize, f64)> = None;
    for i in 1..last {
        let (before, here, after) = (difference[i - 1], difference[i], difference[i + 1]);
        if here >= before && here >= after {
            candidate = Some((i, here - step));
        }
        if here <= before && here <= after {
            candidate = None;
        }
        if let Some((index, threshold)) = candidate
            && after < threshold
        {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(x: &[f64], y: &[f64], shape: Shape, expected: Option<f64>) {
        let found = knee(x, y, shape, 1.0).expect("valid input");
        assert_eq!(found.map(|(x, _)| x), expected);
    }

    #[test]
    fn a_straight_line_has_no_knee() {
        let x = [1.0, 2.0, 3.0, 4.0];
        check(&x, &x, Shape::ConcaveRising, None);
    }

    #[test]
    fn the_order_of_the_points_does_not_matter() {
        let x = [9.0, 1.0, 0.0, 4.0, 2.0, 3.0, 5.0, 8.0, 7.0, 6.0];
        let y = [99.0, 60.0, 0.0, 90.0, 80.0, 85.0, 95.0, 98.0, 97.0, 96.0];
        check(&x, &y, Shape::ConcaveRising, Some(2.0));
    }

    #[test]
    fn a_flat_curve_is_refused() {
        let refused = knee(&[1.0, 2.0, 3.0], &[5.0; 3], Shape::ConcaveRising, 1.0);
        assert!(matches!(refused, Err(InputError::Constant { .. })));
    }
}
