//! The energy distance between two neighbouring segments.

use std::ops::Range;

/// Sums of |x_i - x_j| over any rectangle of pairs of one window.
pub(super) struct Distances {
    size: usize,
    /// Row-major, one larger than the window: the sum of all pairs above and left of a corner.
    prefix: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    /// The first value of the right side.
    pub(super) index: usize,
    pub(super) distance: f64,
}

impl Distances {
    pub(super) fn of(window: &[f64]) -> Self {
        let size = window.len();
        let width = size + 1;
        let mut prefix = vec![0.0; width * width];
        for i in 0..size {
            let mut row = 0.0;
            for j in 0..size {
                row += (window[i] - window[j]).abs();
                prefix[(i + 1) * width + j + 1] = prefix[i * width + j + 1] + row;
            }
        }
        Self { size, prefix }
    }

    /// The split of start..end whose left side differs most from the segment that follows it; the first of
    /// equal ones. `None` for fewer than two values.
    pub(super) fn best_split(&self, start: usize, end: usize) -> Option<Split> {
        let mut best: Option<Split> = None;
        for index in start + 1..end {
            for stop in index + 1..=end {
                let distance = self.between(start, index, stop);
                if best.is_none_or(|best| distance > best.distance) {
                    best = Some(Split { index, distance });
                }
            }
        }
        best
    }

    /// Matteson and James' Q of start..middle against middle..stop.
    fn between(&self, start: usize, middle: usize, stop: usize) -> f64 {
        let (n, m) = ((middle - start) as f64, (stop - middle) as f64);
        let across = self.sum(start..middle, middle..stop);
        // Each pair within a side is counted twice in its square.
        let inside = |from, to, size: f64| {
            if size < 2.0 {
                return 0.0;
            }
            self.sum(from..to, from..to) / 2.0 / (size - 1.0)
        };
        let left = m * inside(start, middle, n);
        let right = n * inside(middle, stop, m);
        2.0 / (n + m) * (across - left - right)
    }

    fn sum(&self, rows: Range<usize>, columns: Range<usize>) -> f64 {
        let at = |i: usize, j: usize| self.prefix[i * (self.size + 1) + j];
        at(rows.end, columns.end) - at(rows.start, columns.end) - at(rows.end, columns.start)
            + at(rows.start, columns.start)
    }
}
