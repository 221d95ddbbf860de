//! Validity of methods, headers and cookies, by the rules of Go's client.

use std::borrow::Cow;

use http_client::client::Request;
use http_client::cookies::is_of_value;
use http_client::failure::Failure;
use http_client::token::is_token;
use http_client::url::quoted;

/// An error for a method or a header that would break the request.
pub(super) fn fault(request: &Request) -> Option<Failure> {
    let why = request.headers.iter().find_map(|(name, value)| {
        if !is_token(name) {
            return Some(format!("header field name {}", quoted(name)));
        }
        // Without an early exit, since this is done for each request.
        let is_text = |b: u8| (b == b'\t') | (b >= 0x20) & (b != 0x7f);
        let is_broken = !value.bytes().fold(true, |all, b| all & is_text(b));
        is_broken.then(|| format!("header field value for {}", quoted(name)))
    });
    let why = why.or_else(|| {
        let method = &request.method;
        (!is_token(method)).then(|| format!("method {}", quoted(method)))
    });
    why.map(|why| Failure::new(1000, format!("net/http: invalid {why}")))
}

/// A header's value without surrounding whitespace.
pub(super) fn trimmed(value: String) -> String {
    let inside = value.trim_matches([' ', '\t']);
    if inside.len() == value.len() {
        return value;
    }
    inside.to_owned()
}

/// A cookie's value: invalid bytes are left out, and a value with spaces or commas is quoted.
pub(super) fn cookie_value(value: &str) -> Cow<'_, str> {
    let is_fine = value.bytes().all(is_of_value);
    if is_fine && !value.contains([' ', ',']) {
        return Cow::Borrowed(value);
    }
    let kept: String = value
        .bytes()
        .filter(|b| is_of_value(*b))
        .map(char::from)
        .collect();
    Cow::Owned(if kept.contains([' ', ',']) {
        format!("\"{kept}\"")
    } else {
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_are_removed_from_cookies() {
        let check = |value: &str, expected: &str| assert_eq!(cookie_value(value), expected);
        check("plain", "plain");
        check("a b", "\"a b\"");
        check("a,b", "\"a,b\"");
        check("a;b\"c\\d", "abcd");
        check("ü", "");
        check("", "");
    }

    #[test]
    fn methods_and_header_names_are_tokens() {
        for (text, expected) in [
            ("GET", true),
            ("x-y_z", true),
            ("", false),
            ("a b", false),
            ("ü", false),
        ] {
            assert_eq!(is_token(text), expected, "{text}");
        }
    }
}
