//! Tags that scripts give to samples.

use rquickjs::Value;

use crate::js::convert;
use crate::js::native::{Throw, plain};

/// The pairs of a tags object: strings, booleans and numbers.
///
/// # Errors
/// When one of the values has another type. What is no object has no tags.
pub(crate) fn read(tags: &Value<'_>) -> Result<Vec<(String, String)>, Throw> {
    if tags.is_undefined() || tags.is_null() {
        return Ok(Vec::new());
    }
    if tags.is_string() {
        return convert::characters(tags);
    }
    let Some(object) = tags.as_object() else {
        return Ok(Vec::new());
    };
    let mut pairs = Vec::new();
    for (name, value) in convert::entries(object)? {
        pairs.push((name.clone(), text_of(&name, &value)?));
    }
    Ok(pairs)
}

/// What a value is given for.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Tag,
    Metadata,
}

/// A single value as a tag's text.
pub(crate) fn text_of(name: &str, value: &Value<'_>) -> Result<String, Throw> {
    text_as(name, value, What::Tag)
}

/// A single value as the text of a tag or of metadata.
pub(crate) fn text_as(name: &str, value: &Value<'_>, what: What) -> Result<String, Throw> {
    if value.is_string() || value.is_bool() || value.is_number() {
        return convert::to_text(value);
    }
    if value.is_symbol() {
        return convert::go_text(value);
    }
    let (what, values) = match what {
        What::Tag => ("tag", "tag values"),
        What::Metadata => ("metadata", "metadata value"),
    };
    Err(plain(format!(
        "invalid value for metric {what} '{name}': only String, Boolean and Number types are accepted as a metric {values}"
    )))
}

/// The same error with what it was about before it.
pub(crate) fn about(what: &str, throw: Throw) -> Throw {
    match throw {
        Throw::Plain(message) => Throw::Plain(format!("{what}: {message}")),
        other => other,
    }
}

/// Pairs as the recorder wants them.
pub(crate) fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
