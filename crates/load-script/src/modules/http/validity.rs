//! Validity of methods, headers and cookies, by the rules of Go's client.

use jiff::Zoned;
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
        // The loop has no early exit, since it runs for each request.
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

/// The line that Go's client logs when bytes of a cookie's value are left out; it names the first one.
pub(super) fn cookie_complaint(value: &str) -> Option<String> {
    let byte = value.bytes().find(|byte| !is_of_value(*byte))?;
    let shown = match byte {
        b'\\' => r"\\".to_owned(),
        b'\t' => r"\t".to_owned(),
        b'\n' => r"\n".to_owned(),
        b'\r' => r"\r".to_owned(),
        0x00..=0x1f | 0x7f => format!(r"\x{byte:02x}"),
        0x80..=0xa0 | 0xad => format!(r"\u{byte:04x}"),
        _ => char::from(byte).to_string(),
    };
    let at = Zoned::now().strftime("%Y/%m/%d %H:%M:%S");
    Some(format!(
        "{at} net/http: invalid byte '{shown}' in Cookie.Value; dropping invalid bytes"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_bytes_are_told_as_go_does() {
        let check = |value: &str, byte: Option<&str>| {
            let complaint = cookie_complaint(value);
            let told = complaint.as_deref().map(|line| {
                let (_, rest) = line.split_once("invalid byte '").unwrap();
                rest.strip_suffix("' in Cookie.Value; dropping invalid bytes")
                    .unwrap()
            });
            assert_eq!(told, byte);
        };
        check("a b,c", None);
        check("a;b\"", Some(";"));
        check("\"", Some("\""));
        check("\\", Some("\\\\"));
        check("a\n", Some("\\n"));
        check("\u{1}", Some("\\x01"));
        check("ü", Some("Ã"));
    }

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
