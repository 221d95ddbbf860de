//! Adjusts p values of many tests, to bound the share of chance findings.

use crate::input::{self, InputError};

/// Adjusted p values, in the given order: if those at or below a level are rejected, the expected share of
/// false rejections is at most that level.
///
/// Source: Benjamini and Hochberg (1995); R's `p.adjust(p, "BH")`.
///
/// # Errors
/// `NotFinite`, or `OutOfRange` for a value that is not a probability. An empty input gives an empty result.
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>, InputError> {
    if p_values.is_empty() {
        return Ok(Vec::new());
    }
    input::finite("the p values", p_values, 1)?;
    for p in p_values {
        input::holds("a p value", *p, (0.0..=1.0).contains(p), "within 0 to 1")?;
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_unstable_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let tests = p_values.len() as f64;
    let mut adjusted = vec![0.0; p_values.len()];
    let mut smallest = 1.0f64;
    for (from_top, index) in order.into_iter().enumerate() {
        let rank = tests - from_top as f64;
        smallest = smallest.min(p_values[index] * tests / rank);
        adjusted[index] = smallest;
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_paper_keeps_four_of_fifteen() {
        // Benjamini and Hochberg 1995, section 4: 15 p values of a thrombolysis study.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        let adjusted = benjamini_hochberg(&p).expect("probabilities");
        assert_eq!(adjusted.iter().filter(|p| **p <= 0.05).count(), 4);
        assert!((adjusted[0] - 0.0015).abs() < 1e-12);
        assert!((adjusted[3] - 0.035_625).abs() < 1e-12);
    }

    #[test]
    fn values_that_are_not_probabilities_are_rejected() {
        assert!(benjamini_hochberg(&[0.5, 1.5]).is_err());
        assert!(benjamini_hochberg(&[f64::NAN]).is_err());
        assert_eq!(benjamini_hochberg(&[]), Ok(vec![]));
    }
}
