//! The statuses that count as success.

use std::borrow::Cow;

/// A set of statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(Cow<'static, [(u16, u16)]>);

impl Expected {
    /// The statuses in these inclusive ranges.
    pub fn new(ranges: Vec<(u16, u16)>) -> Self {
        Self(Cow::Owned(ranges))
    }

    /// Whether the status is among them.
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&status))
    }
}

impl Default for Expected {
    fn default() -> Self {
        Self(Cow::Borrowed(&[(200, 399)]))
    }
}
