//! Messages of deserialization about types, in the words of configuration files.

/// The prefix of a message about a mapping in the wrong place.
pub const MAPPING_FOUND: &str = "invalid type: a mapping";

/// A message such as `invalid type: map, expected u16` without Rust's names of types.
pub(crate) fn of_people(message: &str) -> String {
    let what = ["invalid type: ", "invalid value: "];
    let Some(what) = what.into_iter().find(|what| message.starts_with(what)) else {
        return message.to_owned();
    };
    // The found value may contain such words itself, so the last ones count.
    let Some((found, expected)) = message[what.len()..].rsplit_once(", expected ") else {
        return message.to_owned();
    };
    format!("{what}{}, expected {}", seen(found), wanted(expected))
}

fn seen(found: &str) -> &str {
    match found {
        "map" => "a mapping",
        "sequence" => "a list",
        "unit value" | "null" | "Option value" => "nothing",
        other => other,
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
        "str" | "String" | "path string" => "a string",
        "a boolean" => "true or false",
        "a map" => "a mapping",
        "a sequence" | "an array" => "a list",
        "unit" => "nothing",
        "string or map" => "a name or a mapping",
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
                "type: a mapping, expected a whole number from 0 to 65535",
            ),
            (
                said::<u16>(json!(70_000)),
                "value: integer `70000`, expected a whole number from 0 to 65535",
            ),
            (
                said::<u64>(json!(null)),
                "type: nothing, expected a whole number of at least 0",
            ),
            (
                said::<f64>(json!("x")),
                "type: string \"x\", expected a number",
            ),
            (
                said::<Auth>(json!("x")),
                "type: string \"x\", expected a mapping",
            ),
            (
                said::<Vec<u8>>(json!("x")),
                "type: string \"x\", expected a list",
            ),
            (
                said::<BTreeMap<String, u8>>(json!([])),
                "type: a list, expected a mapping",
            ),
            (
                said::<bool>(json!(1)),
                "type: integer `1`, expected true or false",
            ),
            (
                said::<(u8, u8)>(json!(1)),
                "type: integer `1`, expected a list",
            ),
        ] {
            assert_eq!(said, format!("invalid {expected}"));
        }
        let kind = said::<Kind>(json!(1));
        assert!(!kind.contains("enum") && !kind.contains("Kind"), "{kind}");
    }

    #[test]
    fn values_are_not_mistaken_for_messages() {
        let found = r#"invalid type: string "map, expected u16", expected u8"#;
        let said = of_people(found);
        assert_eq!(
            said,
            r#"invalid type: string "map, expected u16", expected a whole number from 0 to 255"#
        );
        assert_eq!(of_people("use at most 3"), "use at most 3");
    }
}
