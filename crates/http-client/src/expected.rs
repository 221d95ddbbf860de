//! The statuses that count as success.

use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The statuses that are expected by default.
const SUCCESS: &[RangeInclusive<u16>] = &[200..=399];

/// A set of statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(Cow<'static, [RangeInclusive<u16>]>);

impl Expected {
    /// The statuses in these ranges.
    pub fn new(ranges: Vec<RangeInclusive<u16>>) -> Self {
        Self(Cow::Owned(ranges))
    }

    /// Whether the status is among them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for Expected {
    fn default() -> Self {
        Self(Cow::Borrowed(SUCCESS))
    }
}
