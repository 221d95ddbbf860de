//! `report.json` as text: written, read, and described by a JSON Schema.

use serde::Deserialize;
use serde_json::Value;

use super::{RunRecord, SCHEMA};

/// The reason why a text is not the record of a run.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// With the line and column, and the field as far as it is known.
    #[error("not the record of a run: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("schema {found} is newer than {SCHEMA}, the newest that this version reads")]
    Newer { found: u64 },
}

/// The version, which is read independently of the other fields.
#[derive(Deserialize)]
struct Version {
    schema: u64,
}

/// Reads a `report.json`.
///
/// # Errors
/// The text is not a record, or its format is newer than this version.
pub fn read(text: &str) -> Result<RunRecord, ReadError> {
    let found = serde_json::from_str::<Version>(text)?.schema;
    if found > u64::from(SCHEMA) {
        return Err(ReadError::Newer { found });
    }
    Ok(serde_json::from_str(text)?)
}

/// A record as `report.json`; reading it gives an equal record.
pub fn write(record: &RunRecord) -> String {
    let mut text = serde_json::to_string_pretty(record)
        .expect("a record has no maps with keys that are not text");
    text.push('\n');
    text
}

/// The JSON Schema (2020-12) of `report.json`.
pub fn schema() -> Value {
    schemars::schema_for!(RunRecord).into()
}
