//! `data-*` attributes as values, as in jQuery.

use serde_json::Value;

use super::selection::Selection;

impl Selection {
    /// `data(key)` of the first node: `data-user-id` is found as `user-id`, `userID` and `userId`.
    #[must_use]
    pub fn data(&self, key: &str) -> Option<Value> {
        let name = format!("data-{}", dashed(key));
        value(self.attribute(&name)?)
    }

    /// `data()`: all of them by camel-cased key, `None` without a node or attributes.
    #[must_use]
    pub fn all_data(&self) -> Option<Vec<(String, Option<Value>)>> {
        let element = self.document().element(*self.nodes().first()?)?;
        if element.attributes.is_empty() {
            return None;
        }
        let data = element.attributes.iter().filter_map(|attribute| {
            let name = attribute.name.strip_prefix("data-")?;
            Some((camel(name), value(&attribute.value)))
        });
        Some(data.collect())
    }
}

/// JSON containers, booleans and numbers that print as they are written become values, anything else stays
/// text; an empty text, `null` and `undefined` become `None`.
fn value(text: &str) -> Option<Value> {
    match text.chars().next()? {
        't' | 'f' | '{' | '[' => {}
        _ if matches!(text, "null" | "undefined") => return None,
        '-' | '0'..='9' if is_plain_number(text) => {}
        _ => return Some(Value::from(text)),
    }
    Some(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
}

/// Whether a script would print the number exactly like this.
fn is_plain_number(text: &str) -> bool {
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    text.parse::<f64>()
        .is_ok_and(|number| number.to_string() == text && number.abs() <= MAX_EXACT)
}

/// The initialisms that Go writes in capitals.
const INITIALISMS: [&str; 39] = [
    "ACL", "API", "ASCII", "CPU", "CSS", "DNS", "EOF", "GUID", "HTML", "HTTP", "HTTPS", "ID", "IP",
    "JSON", "LHS", "OS", "QPS", "RAM", "RHS", "RPC", "SLA", "SMTP", "SQL", "SSH", "TCP", "TLS",
    "TTL", "UDP", "UI", "UID", "URI", "URL", "UTF8", "UUID", "VM", "XML", "XMPP", "XSRF", "XSS",
];

/// `userID`, `userId` and `user_id` as `user-id`: a word ends before a capital, and after an initialism.
fn dashed(key: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let (mut begin, mut skipped_to) = (0, 0);
    for (at, letter) in key.char_indices().skip(1) {
        if at <= skipped_to && skipped_to > 0 || !letter.is_uppercase() {
            continue;
        }
        match initialism(&key[begin..]) {
            Some(initialism) => {
                words.push(initialism);
                begin += initialism.len();
                // The letter after it begins a word.
                skipped_to = begin;
            }
            None => {
                words.push(&key[begin..at]);
                begin = at;
            }
        }
    }
    if begin < key.len() {
        words.push(&key[begin..]);
    }
    words.join("-").to_lowercase().replace('_', "-")
}

/// The longest initialism that the text begins with.
fn initialism(text: &str) -> Option<&'static str> {
    let mut found: Vec<&&str> = INITIALISMS
        .iter()
        .filter(|one| text.starts_with(**one))
        .collect();
    found.sort_by_key(|one| one.len());
    found.last().map(|one| **one)
}

/// `user-id` as `userID`; a name without dashes stays unchanged.
fn camel(name: &str) -> String {
    if !name.contains('-') {
        return name.to_owned();
    }
    let mut parts = name.split(['-', '_']);
    let mut key = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let upper = part.to_uppercase();
        let mut letters = part.chars();
        match upper.as_str() {
            "OAUTH" => key.push_str("OAuth"),
            known if INITIALISMS.contains(&known) => key.push_str(known),
            _ => {
                key.extend(letters.next().map(|c| c.to_ascii_uppercase()));
                key.push_str(letters.as_str());
            }
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_converted_as_in_go() {
        for (name, expected) in [
            ("a-b", "aB"),
            ("user-id", "userID"),
            ("ids", "ids"),
            ("a-ids", "aIds"),
            ("my-html-page", "myHTMLPage"),
            ("x--y", "xY"),
            ("-lead", "Lead"),
            ("trail-", "trail"),
            ("a_b", "a_b"),
            ("a-b_c", "aBC"),
            ("a-oauth", "aOAuth"),
            ("a-utf8", "aUTF8"),
            ("a-xss", "aXSS"),
        ] {
            assert_eq!(camel(name), expected, "{name}");
        }
    }

    #[test]
    fn keys_are_found_however_they_are_written() {
        for (key, expected) in [
            ("user-id", "user-id"),
            ("userId", "user-id"),
            ("userID", "user-id"),
            ("UserID", "user-id"),
            ("user_id", "user-id"),
            ("APIURL", "api-url"),
            ("apiURL", "api-url"),
            ("aIDs", "a-id-s"),
            ("aIds", "a-ids"),
            ("", ""),
        ] {
            assert_eq!(dashed(key), expected, "{key}");
        }
    }
}
