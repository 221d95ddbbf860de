//! Tags that scripts give to samples.

use rquickjs::Value;

use crate::js::convert;
use crate::js::native::{Throw, plain};

/// The pairs of a tags object: strings, booleans and numbers.
///
/// # Errors
/// When the value is no object, or one of its values has another type.
pub(crate) fn read(tags: &Value<'_>) -> Result<Vec<(String, String)>, Throw> {
    if tags.is_undefined() || tags.is_null() {
        return Ok(Vec::new());
    }
    let object = tags
        .as_object()
        .ok_or_else(|| plain("invalid type for metric tags: expected an object"))?;
    let mut pairs = Vec::new();
    for (name, value) in convert::entries(object)? {
        pairs.push((name.clone(), text_of(&name, &value)?));
    }
    Ok(pairs)
}

/// A single value as a tag's text.
pub(crate) fn text_of(name: &str, value: &Value<'_>) -> Result<String, Throw> {
    if value.is_string() || value.is_bool() || value.is_number() {
        return convert::to_text(value);
    }
    let kind = if value.is_object() {
        "object"
    } else {
        value.type_name()
    };
    Err(plain(format!(
        "invalid type for metric tag value '{name}': only String, Boolean and Number types are accepted, got {kind}"
    )))
}

/// Pairs as the recorder wants them.
pub(crate) fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
