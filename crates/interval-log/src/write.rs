//! Writes a log to bytes.

use std::io::{self, Cursor, Write};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use crate::log::IntervalLog;

/// The reason why a text is not a histogram.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the histogram is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error("the histogram cannot be read: {0}")]
    Histogram(String),
}

/// Writes a log in HDR V2 deflate. The bytes depend only on the histograms.
///
/// # Errors
/// The histogram cannot be encoded.
pub fn write(log: &IntervalLog, comment: &str, out: &mut dyn Write) -> io::Result<()> {
    let begins = log.keys().map(|key| key.begin_ms);
    let begin_ms = begins.min().unwrap_or_default();
    let begin = UNIX_EPOCH + Duration::from_millis(begin_ms);
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    let mut out = out;
    let mut writer = builder
        .add_comment(comment)
        .with_start_time(begin)
        .with_base_time(begin)
        .with_max_value_divisor(log.divisor() as f64)
        .begin_log_with(&mut out, &mut serializer)?;
    for (key, histogram) in log.intervals() {
        let after = Duration::from_millis(key.begin_ms - begin_ms);
        let tag = Tag::new(&key.tag).filter(|tag| !tag.as_str().is_empty());
        let length = Duration::from_millis(key.length_ms);
        writer
            .write_histogram(&histogram, after, length, tag)
            .map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                other => io::Error::other(format!("{other:?}")),
            })?;
    }
    Ok(())
}

/// A histogram in the text format of logs: base64 of V2 deflate.
pub fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("memory can be written");
    STANDARD.encode(bytes)
}

/// Reads the output of [`encode`].
///
/// # Errors
/// The text is not a histogram.
pub fn decode(text: &str) -> Result<Histogram<u64>, DecodeError> {
    let bytes = STANDARD.decode(text)?;
    let read = Deserializer::new().deserialize(&mut Cursor::new(bytes));
    read.map_err(|error| DecodeError::Histogram(error.to_string()))
}
