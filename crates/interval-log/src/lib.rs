//! Logs of HDR histograms (`.hlog`), as HdrHistogram's own tools read them.
//!
//! [`IntervalLog::merge`] adds counts and never looks at percentiles: whatever the order and the grouping,
//! the merged log has the same bytes, and its percentiles are those of all values together.

mod log;
mod packed;
mod read;
mod write;

pub use log::{IntervalLog, Key, PERCENTILES, percentile};
pub use read::{ReadError, read};
pub use write::{DecodeError, decode, encode, write};

use hdrhistogram::Histogram;

/// Values have a resolution of three digits, from a microsecond to an hour.
pub const DIGITS: u8 = 3;
pub const MOST_MICROS: u64 = 3_600_000_000;

/// An empty histogram of microseconds.
///
/// # Panics
/// Never panics: the bounds are valid.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MOST_MICROS, DIGITS)
        .expect("a microsecond, an hour and three digits are bounds of a histogram")
}
