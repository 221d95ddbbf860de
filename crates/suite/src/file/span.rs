//! Times as people write them: `590s`, `5m`, `1h30m`, `250ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A length of time, never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

/// The text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration; use a number and a unit, such as 30s, 5m or 1h30m")]
pub struct SpanError(String);

impl FromStr for Span {
    type Err = SpanError;

    /// A bare number is not a duration: its unit would be a guess.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed: Result<SignedDuration, _> = text.trim().parse();
        parsed
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .map(Self)
            .ok_or_else(|| SpanError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as 30s, 5m or 1h30m")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration with its unit, such as 30s, 5m or 1h30m.",
            "type": "string",
            "pattern": "[0-9] ?[a-zA-Zµ]+",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Duration>) {
        let parsed: Result<Span, _> = text.parse();
        assert_eq!(parsed.ok().map(Span::get), expected, "{text}");
    }

    #[test]
    fn a_number_and_a_unit_make_a_duration() {
        check("590s", Some(Duration::from_secs(590)));
        check("5m", Some(Duration::from_secs(300)));
        check("24h", Some(Duration::from_secs(86_400)));
        check("1h30m", Some(Duration::from_secs(5_400)));
        check("250ms", Some(Duration::from_millis(250)));
        check("0s", Some(Duration::ZERO));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "-5m", "5 apples", "m", "1e9h"] {
            check(text, None);
        }
    }
}
