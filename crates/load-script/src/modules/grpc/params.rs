//! The `params` argument of calls and streams.

use std::time::Duration;

use grpc_client::metadata::Metadata;
use script_engine::Value;
use script_engine::convert;
use script_engine::throw::{Throw, plain};
use tokio::time::Instant;

use super::super::http::timeout;
use super::super::tags;

/// The time limit of a single call; k6's default. Streams have none.
pub(super) const TIMEOUT: Duration = Duration::from_secs(120);

/// The params of a call or a stream.
#[derive(Default)]
pub(super) struct Params {
    pub(super) metadata: Metadata,
    pub(super) tags: Vec<(String, String)>,
    timeout: Option<Timeout>,
    pub(super) discards_message: bool,
}

/// A time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timeout {
    Of(Duration),
    /// A negative limit, which has already expired.
    Past,
}

impl Timeout {
    /// Reads a number of milliseconds or a text.
    pub(super) fn read(value: &Value<'_>) -> Result<Self, Throw> {
        let duration = timeout(value)?;
        let is_past = match value.as_number() {
            Some(number) => number < 0.0,
            None => convert::to_text(value)?.starts_with('-'),
        };
        Ok(if is_past {
            Self::Past
        } else {
            Self::Of(duration)
        })
    }

    /// The deadline, if the time begins now.
    pub(super) fn deadline(self) -> Instant {
        let now = Instant::now();
        match self {
            Self::Past => now,
            Self::Of(duration) => now.checked_add(duration).unwrap_or(now + TIMEOUT),
        }
    }
}

impl Params {
    /// Reads the params.
    ///
    /// # Errors
    /// The params are invalid; the error is in k6's words, without the name of the call.
    pub(super) fn read(value: &Value<'_>) -> Result<Self, Throw> {
        let mut params = Self::default();
        if value.is_string() {
            let text = convert::to_text(value)?;
            return match text.is_empty() {
                true => Ok(params),
                false => Err(plain("unknown param: \"0\"")),
            };
        }
        let Some(object) = value.as_object() else {
            return Ok(params);
        };
        for (key, value) in convert::entries(object)? {
            let is_given = !value.is_undefined() && !value.is_null();
            match key.as_str() {
                "metadata" if is_given => {
                    params.metadata = metadata("metadata", &value)?;
                }
                "tags" if is_given => {
                    let read = tags::read(&value);
                    params.tags = read.map_err(|throw| tags::about("metric tags", throw))?;
                }
                "timeout" => params.timeout = Some(Timeout::read(&value)?),
                "discardResponseMessage" => {
                    params.discards_message = convert::is_truthy(&value);
                }
                "metadata" | "tags" => {}
                other => return Err(plain(format!("unknown param: {other:?}"))),
            }
        }
        Ok(params)
    }

    /// The deadline of a call that begins now; none if no timeout is given and there is no default.
    pub(super) fn deadline(&self, default: Option<Duration>) -> Option<Instant> {
        let given = self
            .timeout
            .filter(|timeout| *timeout != Timeout::Of(Duration::ZERO));
        let timeout = given.or(default.map(Timeout::Of))?;
        Some(timeout.deadline())
    }
}

/// The pairs of metadata: texts, and bytes where the name ends in `-bin`.
pub(super) fn metadata(what: &str, value: &Value<'_>) -> Result<Metadata, Throw> {
    let refuse = |why: String| plain(format!("invalid {what} param: {why}"));
    let object = value.as_object().filter(|_| !value.is_function());
    let Some(object) = object else {
        return Err(refuse("must be an object with key-value pairs".to_owned()));
    };
    let mut pairs = Metadata::new();
    for (name, value) in convert::entries(object)? {
        let is_binary = name.to_ascii_lowercase().ends_with("-bin");
        let bytes = match is_binary {
            true => binary(&value),
            false if value.is_string() => Some(convert::to_text(&value)?.into_bytes()),
            false => None,
        };
        let bytes = bytes.ok_or_else(|| {
            let kind = if is_binary { "binary" } else { "a string" };
            refuse(format!("{name:?} value must be {kind}"))
        })?;
        pairs.push((name, bytes));
    }
    Ok(pairs)
}

/// k6 1.x accepts only arrays of bytes; a buffer has the same meaning.
fn binary(value: &Value<'_>) -> Option<Vec<u8>> {
    let is_bytes = convert::byte_array_length(value).is_some();
    let is_buffer = convert::is_array_buffer(value);
    (is_bytes || is_buffer)
        .then(|| convert::buffer_bytes(value))
        .flatten()
}
