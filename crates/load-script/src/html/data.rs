//! `data-*` attributes as values, the way jQuery reads them.

use serde_json::Value;

use super::selection::Selection;

impl Selection {
    /// `data(key)` of the first node: `data-foo-bar` is found as `foo-bar` and as `fooBar`.
    #[must_use]
    pub fn data(&self, key: &str) -> Option<Value> {
        let name = format!("data-{}", dashed(key));
        value(self.attribute(&name)?)
    }

    /// `data()`: all of them by camel-cased key, nothing without a node or where that has no attributes.
    #[must_use]
    pub fn all_data(&self) -> Option<Vec<(String, Value)>> {
        let element = self.document().element(*self.nodes().first()?)?;
        if element.attributes.is_empty() {
            return None;
        }
        let data = element.attributes.iter().filter_map(|attribute| {
            Some((
                camel(attribute.name.strip_prefix("data-")?),
                value(&attribute.value)?,
            ))
        });
        Some(data.collect())
    }
}

/// JSON containers, booleans and numbers that print as they are written become values, anything
/// else stays text; an empty text, `null` and `undefined` are nothing.
fn value(text: &str) -> Option<Value> {
    match text.chars().next()? {
        't' | 'f' | '{' | '[' => {}
        _ if matches!(text, "null" | "undefined") => return None,
        '-' | '0'..='9' if is_plain_number(text) => {}
        _ => return Some(Value::from(text)),
    }
    Some(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
}

/// Whether a script would print the number just like this.
fn is_plain_number(text: &str) -> bool {
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    text.parse::<f64>()
        .is_ok_and(|number| number.to_string() == text && number.abs() <= MAX_EXACT)
}

fn dashed(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

fn camel(name: &str) -> String {
    let mut parts = name.split('-');
    let mut key = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        key.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        key.push_str(letters.as_str());
    }
    key
}
