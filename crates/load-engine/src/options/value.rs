//! Typed values from JSON, with errors that name the option.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use super::duration::{DurationError, from_millis, parse_extended};

/// The error of an option.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OptionError {
    /// A value of a wrong type.
    #[error("option '{path}' must be {wants}, but is {is}")]
    Type {
        /// The option.
        path: String,
        /// The expected type.
        wants: &'static str,
        /// The actual type.
        is: String,
    },
    /// A text that is not a duration.
    #[error("option '{path}': {source}")]
    Duration {
        /// The option.
        path: String,
        /// The reason.
        source: DurationError,
    },
    /// An invalid value.
    #[error("option '{path}': {why}")]
    Value {
        /// The option.
        path: String,
        /// The reason.
        why: String,
    },
    /// An error without the name of an option.
    #[error("{0}")]
    Plain(String),
    /// An error of the scenarios as a whole.
    #[error("{0}")]
    Plan(String),
}

/// A value and its path.
pub(super) struct At<'a> {
    pub(super) path: &'a str,
    pub(super) value: &'a Value,
}

impl<'a> At<'a> {
    pub(super) fn bool(&self) -> Result<bool, OptionError> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.not("true or false")),
        }
    }

    pub(super) fn int(&self) -> Result<i64, OptionError> {
        if let Some(whole) = self.value.as_str().and_then(|text| text.parse().ok()) {
            return Ok(whole); // k6 takes numbers in quotes
        }
        let float = || {
            self.value
                .as_f64()
                .filter(|f| f.fract() == 0.0 && f.abs() < 9e15)
        };
        let whole = self.value.as_i64().or_else(|| float().map(|f| f as i64));
        whole.ok_or_else(|| self.not("a whole number"))
    }

    pub(super) fn string(&self) -> Result<String, OptionError> {
        self.value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| self.not("a string"))
    }

    /// A string in a list; null is the empty string.
    fn inner_string(&self) -> Result<String, OptionError> {
        match self.value {
            Value::Null => Ok(String::new()),
            _ => self.string(),
        }
    }

    pub(super) fn duration(&self) -> Result<Duration, OptionError> {
        match self.value {
            Value::Number(n) => n.as_f64().and_then(from_millis).ok_or_else(|| {
                let source = DurationError::Negative(n.to_string());
                OptionError::Duration {
                    path: self.path.to_owned(),
                    source,
                }
            }),
            Value::String(text) => parse_extended(text).map_err(|source| OptionError::Duration {
                path: self.path.to_owned(),
                source,
            }),
            _ => Err(self.not("a duration (a string like '30s', or milliseconds)")),
        }
    }

    /// A time of zero or more: a negative one becomes zero.
    pub(super) fn time(&self) -> Result<Duration, OptionError> {
        Ok(self.signed_duration()?.unwrap_or_default())
    }

    /// The same, with an error if it is negative.
    pub(super) fn signed_duration(&self) -> Result<Result<Duration, DurationError>, OptionError> {
        match self.duration() {
            Err(OptionError::Duration {
                source: negative @ DurationError::Negative(_),
                ..
            }) => Ok(Err(negative)),
            other => other.map(Ok),
        }
    }

    pub(super) fn list(&self) -> Result<&'a [Value], OptionError> {
        self.value
            .as_array()
            .map(Vec::as_slice)
            .ok_or_else(|| self.not("a list"))
    }

    pub(super) fn map(&self) -> Result<&'a serde_json::Map<String, Value>, OptionError> {
        self.value.as_object().ok_or_else(|| self.not("an object"))
    }

    pub(super) fn strings(&self) -> Result<Vec<String>, OptionError> {
        let list = self.list()?.iter().enumerate();
        list.map(|(n, value)| {
            At {
                path: &format!("{}[{n}]", self.path),
                value,
            }
            .inner_string()
        })
        .collect()
    }

    pub(super) fn string_map(&self) -> Result<IndexMap<String, String>, OptionError> {
        let read = |(key, value): (&String, &Value)| {
            let text = At {
                path: &format!("{}.{key}", self.path),
                value,
            }
            .inner_string()?;
            Ok((key.clone(), text))
        };
        self.map()?.iter().map(read).collect()
    }

    pub(super) fn one_of(&self, allowed: &[&str]) -> Result<String, OptionError> {
        let text = self.string()?;
        if allowed.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(self.bad(format!("'{text}' is not one of {}", allowed.join(", "))))
    }

    /// The name of a JSON type, as in k6's errors.
    pub(super) fn value_of(&self, kind: &str, allowed: &[&str]) -> Result<String, OptionError> {
        let text = self.string()?;
        if allowed.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(OptionError::Plain(format!(
            "{text} does not belong to {kind} values"
        )))
    }

    pub(super) fn not(&self, wants: &'static str) -> OptionError {
        let is = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Number(n) => format!("the number {n}"),
            Value::String(text) => format!("the string '{text}'"),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        OptionError::Type {
            path: self.path.to_owned(),
            wants,
            is,
        }
    }

    pub(super) fn bad(&self, why: impl Into<String>) -> OptionError {
        OptionError::Value {
            path: self.path.to_owned(),
            why: why.into(),
        }
    }
}
