//! The meaning of serde's errors, which it tells by their texts alone. No other file reads these texts.

/// What is wrong with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonError<'a> {
    /// More levels than serde reads.
    TooDeep,
    /// A value of a wrong type in place of an enum's variant, or a syntax error.
    NoValue,
    /// The name of the field. Field names are structure, not content.
    MissingField(&'a str),
    UnknownField(&'a str),
    /// The text may quote what the client sent.
    Other,
}

impl<'a> JsonError<'a> {
    /// The meaning of the text of an error.
    pub(super) fn of(text: &'a str) -> Self {
        let field = |begin: &str| text.strip_prefix(begin)?.split('`').next();
        if text.starts_with("recursion limit") {
            Self::TooDeep
        } else if text.starts_with("expected value") {
            Self::NoValue
        } else if let Some(field) = field("missing field `") {
            Self::MissingField(field)
        } else if let Some(field) = field("unknown field `") {
            Self::UnknownField(field)
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(rename = "kind")]
        _kind: Kind,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        A,
    }

    #[test]
    fn the_texts_of_serde_are_known() {
        let check = |body: &str, meaning: JsonError<'_>| {
            let error = serde_json::from_str::<Body>(body)
                .expect_err(body)
                .to_string();
            assert_eq!(JsonError::of(&error), meaning, "{error}");
        };
        check("{}", JsonError::MissingField("kind"));
        check(
            r#"{"kind": "a", "secret": 1}"#,
            JsonError::UnknownField("secret"),
        );
        check(r#"{"kind": 7}"#, JsonError::NoValue);
        check(r#"{"kind": "secret"}"#, JsonError::Other);
        let deep = "[".repeat(200);
        let error = serde_json::from_str::<serde_json::Value>(&deep).expect_err("too deep");
        assert_eq!(JsonError::of(&error.to_string()), JsonError::TooDeep);
    }
}
