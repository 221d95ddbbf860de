//! Values as YAML, in blocks and in one line.

use std::fmt::Write;

use serde_json::Value;

/// In one line: `{ count: { calls: 100 } }`.
pub fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let pairs = map.iter();
            let pairs: Vec<String> = pairs
                .map(|(key, value)| format!("{}: {}", text(key), flow(value)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(flow).collect();
            format!("[{}]", list.join(", "))
        }
        Value::String(plain) => text(plain),
        other => number(other),
    }
}

/// In lines: maps are indented, innermost values are in one line.
pub fn block(value: &Value) -> String {
    let mut written = String::new();
    write_block(&mut written, value, 0);
    written
}

fn write_block(to: &mut String, value: &Value, depth: usize) {
    let Value::Object(map) = value else {
        let _ = writeln!(to, "{}{}", "  ".repeat(depth), flow(value));
        return;
    };
    for (key, value) in map {
        let indent = "  ".repeat(depth);
        let nested = matches!(value, Value::Object(map) if !map.is_empty());
        if nested && (flow(value).len() > 60 || depth < 2) {
            let _ = writeln!(to, "{indent}{}:", text(key));
            write_block(to, value, depth + 1);
        } else {
            let _ = writeln!(to, "{indent}{}: {}", text(key), flow(value));
        }
    }
}

fn number(value: &Value) -> String {
    let text = value.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The text, quoted if it would be read as another type.
fn text(plain: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    let begins = plain.starts_with(|c: char| c.is_alphabetic() || c == '/');
    let means_else = ["true", "false", "null", "on", "off", "yes", "no"].contains(&plain);
    if begins && plain.chars().all(is_word) && !means_else {
        return plain.to_owned();
    }
    let quoted = plain.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{quoted}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_in_one_line_and_in_blocks() {
        let value = json!({"a": {"b": {"rate": 1.0, "off": "off", "list": [1, {"x": "a b"}]}}});
        assert_eq!(
            flow(&value["a"]["b"]),
            "{ rate: 1, \"off\": \"off\", list: [1, { x: \"a b\" }] }"
        );
        assert!(
            block(&value).starts_with("a:\n  b:\n    rate: 1\n"),
            "{}",
            block(&value)
        );
    }
}
