//! One alert's figure, value by value: raised and resolved by five consecutive values (AIA-45).

use std::collections::VecDeque;

/// Consecutive values that raise and resolve.
pub(super) const IN_A_ROW: usize = 5;

/// The effect of a value on an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// With the mean of the values that raised it.
    Raised(f64),
    Resolved,
}

/// Watches one figure.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    bound: f64,
    needed: usize,
    recent: VecDeque<f64>,
    above: usize,
    within: usize,
    standing: bool,
}

impl Watch {
    /// `needed` consecutive values above the bound raise it, and as many within it resolve it.
    pub(super) fn new(bound: f64, needed: usize) -> Self {
        Self {
            bound,
            needed: needed.max(1),
            recent: VecDeque::with_capacity(needed + 1),
            above: 0,
            within: 0,
            standing: false,
        }
    }

    /// Processes the next value.
    pub(super) fn see(&mut self, value: f64) -> Option<Change> {
        self.recent.push_back(value);
        if self.recent.len() > self.needed {
            self.recent.pop_front();
        }
        (self.above, self.within) = if value > self.bound {
            (self.above + 1, 0)
        } else {
            (0, self.within + 1)
        };
        if !self.standing && self.above >= self.needed {
            self.standing = true;
            let mean = self.recent.iter().sum::<f64>() / self.recent.len() as f64;
            return Some(Change::Raised(mean));
        }
        if self.standing && self.within >= self.needed {
            self.standing = false;
            return Some(Change::Resolved);
        }
        None
    }
}
