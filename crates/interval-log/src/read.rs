//! Reads a log from bytes.

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::time::Duration;

use crate::log::{IntervalLog, Key};
use crate::write::{DecodeError, decode};

/// The reason why bytes are not a log.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("line {line} is not a line of a histogram log")]
    Line { line: usize },
    #[error("line {line}: {source}")]
    Histogram {
        line: usize,
        #[source]
        source: DecodeError,
    },
    #[error("it has no histogram")]
    Empty,
}

/// Reads a log. Times are shifted by its base time.
///
/// # Errors
/// The bytes are not a log, or contain no histogram.
pub fn read(bytes: &[u8]) -> Result<IntervalLog, ReadError> {
    let mut log = IntervalLog::default();
    let mut base = Duration::ZERO;
    let mut divisor = None;
    for entry in IntervalLogIterator::new(bytes) {
        let entry = entry.map_err(|error| {
            use hdrhistogram::serialization::interval_log::LogIteratorError::ParseError;
            let ParseError { offset } = error;
            ReadError::Line {
                line: line_at(bytes, offset),
            }
        })?;
        match entry {
            LogEntry::BaseTime(time) => base = time,
            LogEntry::StartTime(_) => {}
            LogEntry::Interval(interval) => {
                let text = interval.encoded_histogram();
                let offset = text.as_ptr() as usize - bytes.as_ptr() as usize;
                let histogram = decode(text).map_err(|source| ReadError::Histogram {
                    line: line_at(bytes, offset),
                    source,
                })?;
                if interval.max() > 0.0 && histogram.max() > 0 {
                    divisor =
                        divisor.max(Some(divisor_of(histogram.max() as f64 / interval.max())));
                }
                let key = Key {
                    begin_ms: millis(base + interval.start_timestamp()),
                    length_ms: millis(interval.duration()),
                    tag: interval
                        .tag()
                        .map(|tag| tag.as_str().to_owned())
                        .unwrap_or_default(),
                };
                log.add(key, &histogram);
            }
        }
    }
    if log.is_empty() {
        return Err(ReadError::Empty);
    }
    log.divisor = divisor.unwrap_or(1);
    Ok(log)
}

fn line_at(bytes: &[u8], offset: usize) -> usize {
    1 + bytes[..offset.min(bytes.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

fn millis(time: Duration) -> u64 {
    // Decimal fractions of seconds are not exact.
    (time.as_secs_f64() * 1e3).round() as u64
}

/// The power of a thousand that is nearest to a ratio.
fn divisor_of(ratio: f64) -> u64 {
    let power = (ratio.max(1.0).log10() / 3.0).round().clamp(0.0, 3.0);
    1000_u64.pow(power as u32)
}
