//! Tags that scripts give to samples.

use script_engine::Value;
use script_engine::convert;
use script_engine::throw::{Throw, plain};

/// The pairs of a tags object: strings, booleans and numbers.
///
/// # Errors
/// One of the values has another type. A value that is not an object has no tags.
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

/// The purpose of a value.
#[derive(Clone, Copy)]
pub(crate) enum ValueUse {
    Tag,
    Metadata,
}

/// A single value as a tag's text.
pub(crate) fn text_of(name: &str, value: &Value<'_>) -> Result<String, Throw> {
    text_as(name, value, ValueUse::Tag)
}

/// A single value as the text of a tag or of metadata.
pub(crate) fn text_as(name: &str, value: &Value<'_>, what: ValueUse) -> Result<String, Throw> {
    if value.is_string() || value.is_bool() || value.is_number() {
        return convert::to_text(value);
    }
    if value.is_symbol() {
        return convert::go_text(value);
    }
    let (what, values) = match what {
        ValueUse::Tag => ("tag", "tag values"),
        ValueUse::Metadata => ("metadata", "metadata value"),
    };
    Err(plain(format!(
        "invalid value for metric {what} '{name}': only String, Boolean and Number types are accepted as a metric {values}"
    )))
}

/// The same error with a prefix.
pub(crate) fn about(what: &str, throw: Throw) -> Throw {
    match throw {
        Throw::Plain(message) => Throw::Plain(format!("{what}: {message}")),
        other => other,
    }
}

/// Pairs in the form that the recorder takes.
pub(crate) fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
