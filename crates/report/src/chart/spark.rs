//! Sparklines: charts of the size of a word.

use std::fmt::Write as _;

use super::thin::bins;

/// A sparkline of a series from 0 to its largest value; empty without figures. It is decorative: the same
/// figures are shown as text beside it.
pub fn spark(values: &[Option<f64>]) -> String {
    let largest = values.iter().flatten().copied().fold(0.0, f64::max);
    if largest <= 0.0 || !largest.is_finite() || values.len() < 2 {
        return String::new();
    }
    let points: Vec<Option<f64>> = bins(values, 60)
        .map(|bin| bin.mean(|value| *value))
        .collect();
    let step = 100.0 / (points.len().max(2) - 1) as f64;
    let mut path = String::new();
    let mut pen_is_up = true;
    for (at, point) in points.iter().enumerate() {
        match point {
            None => pen_is_up = true,
            Some(value) => {
                let command = if pen_is_up { 'M' } else { 'L' };
                let (x, y) = (step * at as f64, 19.0 - 18.0 * value / largest);
                let _ = write!(path, "{command}{x:.0} {y:.1}");
                pen_is_up = false;
            }
        }
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 100 20\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <path d=\"{path}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lifts_the_pen() {
        let svg = spark(&[Some(1.0), Some(2.0), None, Some(1.0), Some(2.0)]);
        assert_eq!(svg.matches('M').count(), 2, "{svg}");
        assert_eq!(spark(&[None, None]), "");
        assert_eq!(spark(&[Some(0.0), Some(0.0)]), "");
    }
}
