//! The uncertainty of a number: an interval and its confidence.

/// The truth is within `lower..=upper` in `confidence` of all repetitions. An end that the data do not
/// bound is infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub lower: f64,
    pub upper: f64,
    /// Strictly between 0 and 1.
    pub confidence: f64,
}

impl Interval {
    pub fn around(centre: f64, half_width: f64, confidence: f64) -> Self {
        Self {
            lower: centre - half_width,
            upper: centre + half_width,
            confidence,
        }
    }

    pub fn unbounded(confidence: f64) -> Self {
        Self::around(0.0, f64::INFINITY, confidence)
    }

    pub fn contains(&self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }

    pub fn is_bounded(&self) -> bool {
        self.lower.is_finite() && self.upper.is_finite()
    }

    /// Half the distance between the ends.
    pub fn half_width(&self) -> f64 {
        (self.upper - self.lower) / 2.0
    }

    /// Both ends times `factor`; a negative one swaps them.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let (one, other) = (self.lower * factor, self.upper * factor);
        Self {
            lower: one.min(other),
            upper: one.max(other),
            confidence: self.confidence,
        }
    }
}
