//! Values as Go's standard library writes and reads them, for formats that are compared line by line with
//! k6's.

use std::fmt::Write;

use serde_json::Value;

/// Appends `value` as Go's `strconv.FormatFloat(value, 'g', -1, 64)` does: the shortest digits that
/// read back as the same number, with an exponent below 1e-4 and from a million on (`999999`,
/// `1e+06`, `1.234567e+06`).
pub fn push_float_general(out: &mut String, value: f64) {
    push_float(out, value, -4, 6, 2);
}

/// Reads a boolean as Go's `strconv.ParseBool` does.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Appends `value` as Go's `encoding/json` does: an exponent below 1e-6 and from 1e21 on.
pub fn push_float_json(out: &mut String, value: f64) {
    push_float(out, value, -6, 21, 1);
}

fn push_float(out: &mut String, value: f64, lowest: i32, limit: i32, exponent_digits: usize) {
    if !value.is_finite() {
        out.push_str(if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        });
        return;
    }
    let start = out.len();
    let _ = write!(out, "{value:e}"); // writing to a string cannot fail
    let Some(e) = out[start..].find('e').map(|at| start + at) else {
        return;
    };
    let exponent: i32 = out[e + 1..].parse().unwrap_or_default();
    if value == 0.0 || (lowest..limit).contains(&exponent) {
        out.truncate(start);
        let _ = write!(out, "{value}");
        return;
    }
    out.truncate(e + 1);
    out.push(if exponent < 0 { '-' } else { '+' });
    let _ = write!(out, "{:0exponent_digits$}", exponent.abs());
}

/// Appends `text` in quotes as Go's JSON writers do, with `<`, `>` and `&` escaped for HTML.
pub fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    let mut clean_from = 0;
    for (at, c) in text.char_indices() {
        let needs_escape = matches!(
            c,
            '\0'..='\x1f' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}'
        );
        if !needs_escape {
            continue;
        }
        out.push_str(&text[clean_from..at]);
        clean_from = at + c.len_utf8();
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => {
                let _ = write!(out, "\\u{:04x}", u32::from(other));
            }
        }
    }
    out.push_str(&text[clean_from..]);
    out.push('"');
}

/// JSON that another writer made, with `<`, `>`, `&` and the line separators escaped as Go's writers do.
pub fn escape_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// `value` on one line as Go's `encoding/json` writes it.
pub fn json_text(value: &Value) -> String {
    let mut out = String::new();
    push_json(&mut out, value, &Layout::Line);
    out
}

/// `value` as Go's `json.MarshalIndent` writes it with two spaces, without a final newline.
pub fn json_text_indented(value: &Value) -> String {
    let mut out = String::new();
    push_json(&mut out, value, &Layout::Indented(0));
    out
}

/// The standard library has two escapes that the sample writer lacks.
fn push_value(out: &mut String, text: &str) {
    if !text.contains(['\x08', '\x0c']) {
        return push_json_string(out, text);
    }
    let mut escaped = String::new();
    push_json_string(&mut escaped, text);
    let mut rest = escaped.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (short, length) = match escape {
            _ if escape.starts_with("\\u0008") => ("\\b", 6),
            _ if escape.starts_with("\\u000c") => ("\\f", 6),
            _ => (&escape[..2], 2),
        };
        out.push_str(short);
        rest = &escape[length..];
    }
    out.push_str(rest);
}

enum Layout {
    Line,
    Indented(usize),
}

impl Layout {
    fn inner(&self) -> Self {
        match self {
            Self::Line => Self::Line,
            Self::Indented(depth) => Self::Indented(depth + 1),
        }
    }

    fn push_break(&self, out: &mut String) {
        if let Self::Indented(depth) = self {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", *depth));
        }
    }
}

fn push_json(out: &mut String, value: &Value, layout: &Layout) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) if number.is_f64() => {
            push_float_json(out, number.as_f64().unwrap_or_default());
        }
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => push_value(out, text),
        Value::Array(items) => {
            let items = items.iter().map(|item| (None, item));
            push_container(out, LIST, items, layout);
        }
        Value::Object(pairs) => {
            let pairs = pairs.iter().map(|(key, item)| (Some(key.as_str()), item));
            push_container(out, OBJECT, pairs, layout);
        }
    }
}

struct Brackets {
    open: char,
    close: char,
}

const LIST: Brackets = Brackets {
    open: '[',
    close: ']',
};
const OBJECT: Brackets = Brackets {
    open: '{',
    close: '}',
};

fn push_container<'a>(
    out: &mut String,
    brackets: Brackets,
    items: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Value)>,
    layout: &Layout,
) {
    out.push(brackets.open);
    let empty = items.len() == 0;
    let inner = layout.inner();
    for (n, (key, item)) in items.enumerate() {
        if n > 0 {
            out.push(',');
        }
        inner.push_break(out);
        if let Some(key) = key {
            push_value(out, key);
            out.push_str(match layout {
                Layout::Line => ":",
                Layout::Indented(_) => ": ",
            });
        }
        push_json(out, item, &inner);
    }
    if !empty {
        layout.push_break(out);
    }
    out.push(brackets.close);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(value: f64) -> String {
        let mut out = String::new();
        push_float_general(&mut out, value);
        out
    }

    fn json(value: f64) -> String {
        let mut out = String::new();
        push_float_json(&mut out, value);
        out
    }

    #[test]
    fn general_floats_are_written_as_k6_writes_samples() {
        // Observed in k6's JSON output.
        let known = [
            (1.0, "1"),
            (1.5, "1.5"),
            (-3.0, "-3"),
            (0.0, "0"),
            (-0.0, "-0"),
            (12.345_678_9, "12.3456789"),
            (123_456.5, "123456.5"),
            (999_999.0, "999999"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e-7, "1e-07"),
            (-1e-9, "-1e-09"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (123_456_789_012_345_680_000.0, "1.2345678901234568e+20"),
            (1e300, "1e+300"),
        ];
        for (value, text) in known {
            assert_eq!(general(value), text);
        }
    }

    #[test]
    fn json_floats_have_exponents_only_where_they_are_extreme() {
        let known = [
            (0.0, "0"),
            (1_234_567.0, "1234567"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (5_231.849_406, "5231.849406"),
        ];
        for (value, text) in known {
            assert_eq!(json(value), text);
        }
    }

    #[test]
    fn values_are_written_on_one_line_or_indented() {
        let value = serde_json::json!({"a": [1, 2.0, 1e-7], "b": {}, "c": [], "d<": null});
        assert_eq!(
            json_text(&value),
            "{\"a\":[1,2,1e-7],\"b\":{},\"c\":[],\"d\\u003c\":null}"
        );
        assert_eq!(
            json_text_indented(&value),
            "{\n  \"a\": [\n    1,\n    2,\n    1e-7\n  ],\n  \"b\": {},\n  \"c\": [],\n  \
             \"d\\u003c\": null\n}"
        );
    }

    #[test]
    fn strings_are_escaped_for_html_and_control_characters() {
        let mut out = String::new();
        push_json_string(&mut out, "\u{8}\u{c}\n\r\t\u{1}\u{7f}\\/\u{2029}😀<&>\"");
        assert_eq!(
            out,
            "\"\\u0008\\u000c\\n\\r\\t\\u0001\u{7f}\\\\/\\u2029😀\\u003c\\u0026\\u003e\\\"\""
        );
    }

    #[test]
    fn the_standard_library_has_short_escapes_for_backspace_and_form_feed() {
        let value = serde_json::json!({"\x08": "\x0c\\u0008\x01"});
        assert_eq!(json_text(&value), "{\"\\b\":\"\\f\\\\u0008\\u0001\"}");
    }

    #[test]
    fn json_of_other_writers_is_escaped_for_html() {
        assert_eq!(
            escape_json("{\"<\":\"a>&\u{2028}\u{2029}é\"}"),
            "{\"\\u003c\":\"a\\u003e\\u0026\\u2028\\u2029é\"}"
        );
    }
}
