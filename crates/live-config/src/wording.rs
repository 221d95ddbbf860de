//! Messages of deserialization about types, in the words of configuration files.

/// The prefix of a message about a mapping in the wrong place.
pub const MAPPING_FOUND: &str = "found a mapping";

/// The expected form of a choice with settings.
pub(crate) const ONE_KEY: &str = "a mapping with one key";

/// Messages of the standard library's parsers, and their counterparts for files.
const OF_PARSERS: [(&str, &str); 11] = [
    ("invalid IP address syntax", IP_ADDRESS),
    ("invalid IPv4 address syntax", IP_ADDRESS),
    ("invalid IPv6 address syntax", IP_ADDRESS),
    (
        "invalid socket address syntax",
        "is not an address with a port; use one such as 127.0.0.1:8000",
    ),
    ("invalid digit found in string", WHOLE_NUMBER),
    ("cannot parse integer from empty string", WHOLE_NUMBER),
    ("number too large to fit in target type", "is too large"),
    ("number too small to fit in target type", "is too small"),
    ("invalid float literal", NUMBER),
    ("cannot parse float from empty string", NUMBER),
    (
        "provided string was not `true` or `false`",
        "is neither true nor false",
    ),
];
const IP_ADDRESS: &str =
    "is not an IP address; use one such as 127.0.0.1, or 0.0.0.0 for all interfaces";
const WHOLE_NUMBER: &str = "is not a whole number; use one such as 100";
const NUMBER: &str = "is not a number; use one such as 0.5";

/// A message such as `invalid type: map, expected u16` in words for the authors of the file.
pub(crate) fn of_people(message: &str) -> String {
    if message.starts_with("invalid length ") {
        let told = match message.contains("expected struct ") {
            true => "found a list, expected a mapping",
            false if message.contains("expected fewer ") => "the list has too many items",
            false => "the list has the wrong number of items",
        };
        return told.to_owned();
    }
    if let Some((_, told)) = OF_PARSERS.iter().find(|(said, _)| *said == message) {
        return (*told).to_owned();
    }
    let what = ["invalid type: ", "invalid value: "];
    let Some(what) = what.into_iter().find(|what| message.starts_with(what)) else {
        return message.to_owned();
    };
    // The found value may contain such words itself, so the last ones count.
    let Some((found, expected)) = message[what.len()..].rsplit_once(", expected ") else {
        return message.to_owned();
    };
    format!("found {}, expected {}", seen(found), wanted(expected))
}

fn seen(found: &str) -> &str {
    let values = ["integer `", "floating point `", "boolean `"];
    let value = values.iter().find_map(|kind| found.strip_prefix(kind));
    if let Some(value) = value.and_then(|value| value.strip_suffix('`')) {
        return value;
    }
    match found {
        "map" => "a mapping",
        "sequence" => "a list",
        "string" => "a string",
        "integer" | "floating point" => "a number",
        "boolean" => "true or false",
        "unit value" | "null" | "Option value" => "nothing",
        "unit variant" => "a name alone",
        "newtype variant" | "struct variant" | "tuple variant" => "a mapping",
        other => other.strip_prefix("string ").unwrap_or(other),
    }
}

fn wanted(expected: &str) -> String {
    let words = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" | "u128" => "a whole number of at least 0",
        "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "a whole number",
        "f32" | "f64" => "a number",
        "a nonzero u16" => "a whole number from 1 to 65535",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a nonzero u64" | "a nonzero usize" => "a whole number of at least 1",
        "str" | "String" | "path string" | "a string" => "a string",
        "a boolean" => "true or false",
        "IP address" => "an IP address",
        "IPv4 address" => "an IPv4 address",
        "IPv6 address" => "an IPv6 address",
        "socket address" | "IPv4 socket address" | "IPv6 socket address" => {
            "an address with a port"
        }
        "a character" => "a string of one character",
        "a map" => "a mapping",
        "a sequence" | "an array" => "a list",
        "unit" => "nothing",
        "string or map" => "a name or a mapping",
        // `enum` for a mapping that is read piece by piece.
        "map with a single key" | "enum" => ONE_KEY,
        "unit variant" => "a name alone",
        "newtype variant" | "struct variant" => "a mapping",
        "tuple variant" => "a list",
        other => return of_a_type(other),
    };
    words.to_owned()
}

/// `struct Auth`, `enum Kind`, `tuple struct Pair with 2 elements`.
fn of_a_type(expected: &str) -> String {
    let begins = |words: &[&str]| words.iter().any(|word| expected.starts_with(word));
    if begins(&[
        "struct ",
        "internally tagged enum",
        "adjacently tagged enum",
    ]) {
        "a mapping".to_owned()
    } else if begins(&["tuple ", "a tuple "]) {
        "a list".to_owned()
    } else if begins(&["enum ", "variant "]) {
        "a name or a mapping".to_owned()
    } else {
        expected.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by the derived code")]
    struct Auth {
        keys: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        #[expect(dead_code, reason = "only read by the derived code")]
        One(u8),
    }

    fn said<T: DeserializeOwned + std::fmt::Debug>(value: Value) -> String {
        let error = serde_json::from_value::<T>(value).expect_err("of another type");
        of_people(&error.to_string())
    }

    #[test]
    fn no_message_contains_a_type_name() {
        for (said, expected) in [
            (
                said::<u16>(json!({"x": 1})),
                "found a mapping, expected a whole number from 0 to 65535",
            ),
            (
                said::<u16>(json!(70_000)),
                "found 70000, expected a whole number from 0 to 65535",
            ),
            (
                said::<u64>(json!(null)),
                "found nothing, expected a whole number of at least 0",
            ),
            (said::<f64>(json!("x")), "found \"x\", expected a number"),
            (said::<Auth>(json!("x")), "found \"x\", expected a mapping"),
            (said::<Vec<u8>>(json!("x")), "found \"x\", expected a list"),
            (
                said::<BTreeMap<String, u8>>(json!([])),
                "found a list, expected a mapping",
            ),
            (said::<bool>(json!(1)), "found 1, expected true or false"),
            (said::<(u8, u8)>(json!(1)), "found 1, expected a list"),
            (said::<String>(json!(7)), "found 7, expected a string"),
            (
                said::<std::path::PathBuf>(json!(7)),
                "found 7, expected a string",
            ),
            (
                said::<std::net::IpAddr>(json!(7)),
                "found 7, expected an IP address",
            ),
            (
                said::<std::net::SocketAddr>(json!(7)),
                "found 7, expected an address with a port",
            ),
            (
                said::<char>(json!(7)),
                "found 7, expected a string of one character",
            ),
        ] {
            assert_eq!(said, expected);
        }
        let kind = said::<Kind>(json!(1));
        assert!(!kind.contains("enum") && !kind.contains("Kind"), "{kind}");
    }

    #[test]
    fn parsers_of_the_language_are_not_quoted() {
        let said = said::<std::net::IpAddr>(json!("localhost"));
        assert_eq!(said, IP_ADDRESS);
        let parsed = |error: Option<String>| of_people(&error.expect("not a number"));
        let of = parsed("x".parse::<u16>().err().map(|error| error.to_string()));
        assert_eq!(of, WHOLE_NUMBER);
        let of = parsed("".parse::<u16>().err().map(|error| error.to_string()));
        assert_eq!(of, WHOLE_NUMBER);
        let of = parsed("70000".parse::<u16>().err().map(|error| error.to_string()));
        assert_eq!(of, "is too large");
        let of = parsed("x".parse::<f64>().err().map(|error| error.to_string()));
        assert_eq!(of, NUMBER);
        let of = parsed("x".parse::<bool>().err().map(|error| error.to_string()));
        assert_eq!(of, "is neither true nor false");
    }

    #[test]
    fn a_list_in_place_of_a_mapping_is_called_so() {
        let words = said::<Auth>(json!([]));
        assert_eq!(words, "found a list, expected a mapping");
        let words = said::<Auth>(json!([["a"], 1]));
        assert_eq!(words, "the list has too many items");
    }

    #[test]
    fn values_are_not_mistaken_for_messages() {
        let found = r#"invalid type: string "map, expected u16", expected u8"#;
        let said = of_people(found);
        assert_eq!(
            said,
            r#"found "map, expected u16", expected a whole number from 0 to 255"#
        );
        assert_eq!(of_people("use at most 3"), "use at most 3");
    }
}
