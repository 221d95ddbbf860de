//! The part of PromQL that is needed to find the series of an expression.

use super::board::Variable;

/// Words that are neither metrics nor functions.
const KEYWORDS: [&str; 11] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
    "unless",
    "bool",
    "inf",
];

/// The selectors of an expression, each as a query for its series: `up{job="a"}`.
pub fn selectors(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(begin) = rest.find(|c: char| c.is_alphanumeric() || c == '_' || c == '"') {
        rest = &rest[begin..];
        if rest.starts_with('"') {
            rest = behind_quote(rest);
            continue;
        }
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        let next = behind.trim_start();
        if word == "offset" {
            // A duration or a variable.
            rest = next.trim_start_matches(|c: char| !c.is_whitespace() && c != ')');
        } else if KEYWORDS.contains(&word) {
            if next.starts_with('(') && word != "and" && word != "or" && word != "unless" {
                rest = behind_bracket(next, '(', ')').1;
            }
        } else if word.starts_with(|c: char| c.is_ascii_digit()) || is_function(next) {
            continue;
        } else {
            let (labels, after) = behind_bracket(next, '{', '}');
            rest = behind_bracket(after.trim_start(), '[', ']').1;
            let selector = format!("{word}{labels}");
            if !found.contains(&selector) {
                found.push(selector);
            }
        }
    }
    found
}

/// The expression with values for Grafana's variables, and one minute as the range.
pub fn expand(expression: &str, variables: &[Variable]) -> String {
    let mut text = expression.replace("$__rate_interval", "1m");
    for Variable { name, value, .. } in variables {
        text = text
            .replace(&format!("${{{name}}}"), value)
            .replace(&format!("${name}"), value);
    }
    text
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':' || c == '.'
}

/// Functions and aggregations are followed by their arguments or by `by (…)`.
fn is_function(next: &str) -> bool {
    next.starts_with('(') || next.starts_with("by ") || next.starts_with("without ")
}

/// Splits `text` after a bracketed part, which is empty if `text` does not begin with the bracket. Quoted brackets are
/// ignored.
fn behind_bracket(text: &str, open: char, close: char) -> (&str, &str) {
    if !text.starts_with(open) {
        return ("", text);
    }
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if c == close && !quoted => return text.split_at(at + 1),
            _ => {}
        }
    }
    (text, "")
}

fn behind_quote(text: &str) -> &str {
    text[1..].find('"').map_or("", |end| &text[end + 2..])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::board::parse;
    use super::{expand, selectors};

    fn check(expression: &str, expected: &[&str]) {
        assert_eq!(selectors(expression), expected, "{expression}");
    }

    #[test]
    fn selectors_are_told_from_functions_labels_and_numbers() {
        check(
            r#"histogram_quantile(0.95, sum by (detector, le) (rate(a_bucket{x="(y"}[1m])))"#,
            &[r#"a_bucket{x="(y"}"#],
        );
        check(
            "a:b:rate1h > 14.4 * 0.05 and a:b:rate5m > 0.7",
            &["a:b:rate1h", "a:b:rate5m"],
        );
        check(
            "(sum(rate(a[5m])) or vector(0)) / (sum(rate(b[5m])) > 0)",
            &["a", "b"],
        );
        check(
            r#"max by (d) (s{state="open"}) == 1"#,
            &[r#"s{state="open"}"#],
        );
        check(
            "a{b=\"c\"} offset $shift / max(d offset 5m)",
            &["a{b=\"c\"}", "d"],
        );
        check("a > 0 and on () (sum(increase(b[1m])) == 0)", &["a", "b"]);
    }

    #[test]
    fn variables_become_every_value_and_text_boxes_their_text() {
        let board = json!({"templating": {"list": [
            {"name": "tenant", "type": "query"},
            {"name": "detector", "type": "query"},
            {"name": "shift", "type": "textbox", "query": "0s"},
        ]}});
        assert_eq!(
            expand(
                r#"a{t=~"$tenant",d=~"${detector}"}[$__rate_interval] offset $shift"#,
                &parse("b", &board).variables
            ),
            r#"a{t=~".*",d=~".*"}[1m] offset 0s"#,
        );
    }
}
