use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by the derived code")]
struct Outer {
    port: u16,
    name: String,
    #[serde(default)]
    items: Vec<Item>,
    kind: Option<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by the derived code")]
struct Item {
    timeout_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only read by the derived code")]
enum Kind {
    Uniform { low: u64, high: u64 },
    Constant(u64),
}

fn check(value: Value, expected: &[&str]) {
    let errors: Vec<String> = match from_value::<Outer>(value) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(errors, expected);
}

#[test]
fn a_good_value_has_no_faults() {
    check(
        json!({"port": 1, "name": "a", "items": [{"timeout_ms": 2}]}),
        &[],
    );
}

#[test]
fn all_faults_are_reported_at_once_with_their_places() {
    check(
        json!({
            "port": "eighty", "name": "a",
            "items": [{"timeout_ms": 1}, {"timeot_ms": 2}, {"timeout_ms": -3}],
            "kind": {"unifrom": {"low": 1, "high": 2}},
        }),
        &[
            "port: found \"eighty\", expected a whole number from 0 to 65535",
            "items[1].timeot_ms: unknown field; did you mean `timeout_ms`?",
            "items[1].timeout_ms: is required and missing",
            "items[2].timeout_ms: found -3, expected a whole number of at least 0",
            "kind: unknown kind `unifrom`; did you mean `uniform`?",
        ],
    );
}

#[test]
fn several_missing_fields_are_each_named() {
    check(
        json!({}),
        &[
            "port: is required and missing",
            "name: is required and missing",
        ],
    );
}

#[test]
fn a_document_of_the_wrong_kind_is_one_error() {
    let errors = from_value::<Outer>(json!([1, 2])).expect_err("a list is not a struct");
    assert!(!errors.is_empty());
}

#[test]
fn a_kind_with_several_keys_or_none_is_told_with_them() {
    check(
        json!({"port": 1, "name": "a", "kind": {"constant": 1, "low": 2}}),
        &["kind: found a mapping with the keys constant, low, expected one key"],
    );
    check(
        json!({"port": 1, "name": "a", "kind": {}}),
        &["kind: found a mapping without a key, expected one key"],
    );
}

#[test]
fn errors_inside_an_enum_carry_the_variant() {
    check(
        json!({"port": 1, "name": "a", "kind": {"uniform": {"low": "x", "high": 2}}}),
        &["kind.uniform.low: found \"x\", expected a whole number of at least 0"],
    );
}

#[test]
fn an_unknown_variant_is_an_error_of_its_field() {
    check(
        json!({"port": 1, "name": "a", "kind": {"unifrom": {"low": 1, "high": 2}}}),
        &["kind: unknown kind `unifrom`; did you mean `uniform`?"],
    );
}

/// An amount is read as the target systems' are: the mapping is passed on.
#[derive(Debug)]
struct Amount;

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> serde::de::Visitor<'de> for Reader {
            type Value = Amount;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an amount")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Amount, A::Error> {
                Kind::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(|_| Amount)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[test]
fn an_unknown_variant_that_is_passed_on_is_an_error_of_its_field() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by the derived code")]
    struct Operation {
        service_ms: Amount,
    }
    let value = json!({"service_ms": {"unifrom": {"low": 1, "high": 2}}});
    let errors = from_value::<Operation>(value).expect_err("an unknown variant");
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        ["service_ms: unknown kind `unifrom`; did you mean `uniform`?"]
    );
}

#[derive(Debug, Deserialize, PartialEq, Eq, Hash)]
enum Figure {
    #[serde(rename = "avg_ms")]
    Average,
    #[serde(rename = "p95_ms")]
    P95,
    #[serde(rename = "p99_ms")]
    P99,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only read by the derived code")]
struct Figures {
    mode: Option<Kind>,
    bounds: HashMap<Figure, Item>,
}

#[test]
fn keys_of_a_fixed_list_are_in_the_path() {
    let bounds = json!({
        "avg_ms": { "timeout_ms": 1 },
        "p95_ms": { "timeout_ms": "x" },
        "p98_ms": { "timeout_ms": 1 },
        "p99_ms": { "timeot_ms": 1, "timeout_ms": 2 },
    });
    let value = json!({ "mode": "mode", "bounds": bounds });
    let errors = from_value::<Figures>(value).expect_err("four errors");
    let mut errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.sort_unstable();
    let known = "known here: uniform, constant";
    assert_eq!(
        errors,
        [
            "bounds.p95_ms.timeout_ms: found \"x\", expected a whole number of at least 0",
            "bounds.p98_ms: unknown field; did you mean `p99_ms`?",
            "bounds.p99_ms.timeot_ms: unknown field; did you mean `timeout_ms`?",
            &format!("mode: unknown kind `mode`; {known}"),
        ]
    );
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only read by the derived code")]
struct Safe {
    #[serde(default)]
    store_key: String,
    #[serde(default)]
    auth: Vec<Item>,
    #[serde(default)]
    port: u16,
    #[serde(default)]
    mode: Option<Kind>,
}

#[test]
fn a_value_that_may_be_a_secret_is_never_repeated() {
    for value in [
        json!({"store_key": 123_456_789}),
        json!({"store_key": ["s3cr3t"]}),
        json!({"auth": "s3cr3t"}),
        json!({"auth": ["s3cr3t"]}),
        json!({"auth": [{"timeout_ms": "s3cr3t"}]}),
        json!({"port": "redis://u:s3cr3t@h"}),
        json!({"port": "s3cr3t-that-is-long-enough"}),
        json!({"mode": "s3cr3t-that-is-long-enough"}),
        json!({"port": "s3cr3t-that, expected u16, is long"}),
        json!("s3cr3t-that-is-long-enough"),
    ] {
        let errors = from_value::<Safe>(value.clone()).expect_err("of the wrong type");
        let text: String = errors.iter().map(ToString::to_string).collect();
        let told = ["s3cr3t", "123456789"].iter().any(|it| text.contains(it));
        assert!(!told && !text.is_empty(), "{text} of {value}");
    }
}

#[test]
fn a_duplicate_key_has_a_readable_message() {
    let text = yaml("a: 1\na: 2\n").expect_err("twice").to_string();
    assert!(
        text.starts_with("duplicate mapping key: a; keep one"),
        "{text}"
    );
    assert!(
        text.contains("line 2") && !text.contains("Options"),
        "{text}"
    );
}

#[test]
fn a_number_that_is_not_finite_is_an_error_where_it_stands() {
    for number in [".nan", ".inf", "-.inf", "1e999"] {
        let text = format!("port: {number}\nname: a\nitems: [{{ timeout_ms: {number} }}]");
        let value = yaml(&text).expect("YAML");
        let errors = from_value::<Outer>(value).expect_err(number);
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, ["port", "items[0].timeout_ms"], "{errors:?}");
    }
}

#[test]
fn a_name_is_near_one_in_other_letters() {
    assert_eq!(nearest("CPU1", ["disk", "cpu1"]), Some("cpu1"));
    assert_eq!(nearest("network", ["disk", "cpu1"]), None);
}

#[test]
fn several_documents_are_told_in_words_of_files() {
    let text = yaml("a: 1\n---\nb: 1\n").expect_err("two").to_string();
    assert!(
        text.contains("multiple YAML documents detected; keep one"),
        "{text}"
    );
}

#[test]
fn a_syntax_error_does_not_show_the_lines_around_it() {
    let error = yaml("key: s3cr3t\nauth: [unclosed\n").expect_err("not YAML");
    let text = error.to_string();
    assert!(text.contains("line") && !text.contains("s3cr3t"), "{text}");
}
