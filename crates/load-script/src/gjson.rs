//! Paths into JSON documents, in the syntax of GJSON: `a.b.0`, `items.#.id`, `items.#(id==2).name`,
//! `na*e`, `list.@reverse`.

use serde_json::Value;

/// What the path leads to.
pub(crate) fn get(document: &Value, path: &str) -> Option<Value> {
    if path.is_empty() {
        return None;
    }
    walk(document, path)
}

/// Nested arrays and queries deeper than this lead nowhere: no stack is that long.
const MAX_PARTS: usize = 256;

fn walk(value: &Value, path: &str) -> Option<Value> {
    if path.matches(['.', '|']).count() > MAX_PARTS {
        return None;
    }
    let (part, rest) = split(path);
    if let Some(modifier) = part.strip_prefix('@') {
        let changed = modify(value, modifier)?;
        return go_on(&changed, rest);
    }
    if let Some(query) = part.strip_prefix('#') {
        return hash(value, query, rest);
    }
    let next = match value {
        Value::Object(map) => find(map, part)?,
        Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
        _ => return None,
    };
    go_on(next, rest)
}

fn go_on(value: &Value, rest: Option<&str>) -> Option<Value> {
    match rest {
        Some(rest) => walk(value, rest),
        None => Some(value.clone()),
    }
}

/// The first part and what follows it. Dots inside of queries, arguments and after `\` do not count.
fn split(path: &str) -> (&str, Option<&str>) {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    for (at, c) in path.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if depth > 0 => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '.' | '|' if depth <= 0 => return (&path[..at], Some(&path[at + 1..])),
            _ => {}
        }
    }
    (path, None)
}

fn find<'a>(map: &'a serde_json::Map<String, Value>, part: &str) -> Option<&'a Value> {
    if part.contains(['*', '?']) {
        return map
            .iter()
            .find(|(key, _)| matches(key.as_bytes(), part.as_bytes()))
            .map(|(_, value)| value);
    }
    if !part.contains('\\') {
        return map.get(part);
    }
    let mut name = String::with_capacity(part.len());
    let mut escaped = false;
    for c in part.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            name.push(c);
        }
    }
    map.get(&name)
}

/// Whether a text fits a pattern with `*` (any run) and `?` (any one); `\` takes the next as it is.
fn matches(text: &[u8], pattern: &[u8]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let (literal, width) = match pattern.get(p) {
            Some(b'\\') => (pattern.get(p + 1), 2),
            other => (other, 1),
        };
        if width == 1 && literal == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if (width == 1 && literal == Some(&b'?')) || literal == Some(&text[t]) {
            p += width;
            t += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            t = from + 1;
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// `#` is the length, `#.rest` maps, `#(query)` finds the first, `#(query)#` all.
fn hash(value: &Value, query: &str, rest: Option<&str>) -> Option<Value> {
    let Value::Array(items) = value else {
        return None;
    };
    if query.is_empty() {
        return match rest {
            None => Some(Value::from(items.len())),
            Some(rest) => Some(Value::Array(
                items.iter().filter_map(|item| walk(item, rest)).collect(),
            )),
        };
    }
    let (all, query) = match query.strip_suffix('#') {
        Some(query) => (true, query),
        None => (false, query),
    };
    let query = query.strip_prefix('(')?.strip_suffix(')')?;
    let mut hits = items.iter().filter(|item| fits(item, query));
    if !all {
        return go_on(hits.next()?, rest);
    }
    let hits: Vec<Value> = hits.cloned().collect();
    match rest {
        None => Some(Value::Array(hits)),
        Some(rest) if rest.starts_with(['#', '@']) => walk(&Value::Array(hits), rest),
        Some(rest) => Some(Value::Array(
            hits.iter().filter_map(|item| walk(item, rest)).collect(),
        )),
    }
}

/// `path op value`, or only a path that must exist.
fn fits(item: &Value, query: &str) -> bool {
    let operators = ["==", "!=", "<=", ">=", "!%", "=", "<", ">", "%"];
    let found = operators
        .iter()
        .filter_map(|op| query.find(op).map(|at| (at, *op)))
        .min_by_key(|(at, op)| (*at, std::cmp::Reverse(op.len())));
    let Some((at, operator)) = found else {
        return walk(item, query.trim()).is_some();
    };
    let (path, wanted) = (query[..at].trim(), query[at + operator.len()..].trim());
    let own;
    let subject = if path.is_empty() {
        item
    } else {
        let Some(value) = walk(item, path) else {
            return false;
        };
        own = value;
        &own
    };
    compare(subject, operator, wanted)
}

fn compare(subject: &Value, operator: &str, wanted: &str) -> bool {
    use std::cmp::Ordering;
    let quoted = wanted
        .strip_prefix('"')
        .map(|rest| rest.strip_suffix('"').unwrap_or(rest));
    let ordering = match (subject, quoted) {
        (Value::String(text), _) => {
            let wanted = quoted.unwrap_or(wanted);
            match operator {
                "%" => return matches(text.as_bytes(), wanted.as_bytes()),
                "!%" => return !matches(text.as_bytes(), wanted.as_bytes()),
                _ => Some(text.as_str().cmp(wanted)),
            }
        }
        (Value::Number(number), None) => wanted
            .parse()
            .ok()
            .and_then(|wanted: f64| number.as_f64()?.partial_cmp(&wanted)),
        (Value::Bool(flag), None) => wanted.parse().ok().map(|wanted: bool| flag.cmp(&wanted)),
        (Value::Null, None) => (wanted == "null").then_some(Ordering::Equal),
        _ => None,
    };
    match (operator, ordering) {
        ("!=", ordering) => ordering != Some(Ordering::Equal),
        (_, None) => false,
        ("=" | "==", Some(ordering)) => ordering.is_eq(),
        ("<", Some(ordering)) => ordering.is_lt(),
        ("<=", Some(ordering)) => ordering.is_le(),
        (">", Some(ordering)) => ordering.is_gt(),
        (">=", Some(ordering)) => ordering.is_ge(),
        _ => false,
    }
}

fn modify(value: &Value, modifier: &str) -> Option<Value> {
    let (name, _argument) = modifier.split_once(':').unwrap_or((modifier, ""));
    Some(match (name, value) {
        ("this" | "valid" | "ugly" | "pretty", value) => value.clone(),
        ("reverse", Value::Array(items)) => Value::Array(items.iter().rev().cloned().collect()),
        ("reverse", Value::Object(map)) => Value::Object(
            map.iter()
                .rev()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        ),
        ("keys", Value::Object(map)) => {
            Value::Array(map.keys().cloned().map(Value::String).collect())
        }
        ("values", Value::Object(map)) => Value::Array(map.values().cloned().collect()),
        ("values", Value::Array(_)) => value.clone(),
        ("flatten", Value::Array(items)) => {
            let flat = items.iter().flat_map(|item| match item {
                Value::Array(inner) => inner.clone(),
                other => vec![other.clone()],
            });
            Value::Array(flat.collect())
        }
        ("tostr", value) => Value::String(value.to_string()),
        ("fromstr", Value::String(text)) => serde_json::from_str(text).ok()?,
        ("reverse", other) => other.clone(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let document = r#"{"name":{"first":"Tom","last":"Anderson"},"age":37,"children":["Sara","Alex","Jack"],"fav.movie":"Deer Hunter",
            "friends":[{"first":"Dale","age":44,"nets":["ig","fb"]},{"first":"Roger","age":68,"nets":["fb"]},{"first":"Jane","age":47,"nets":[]}]}"#;
        let document: Value = serde_json::from_str(document).expect("valid");
        let found = get(&document, path).map_or_else(String::new, |value| value.to_string());
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn paths_lead_where_gjson_says() {
        check("name.last", "\"Anderson\"");
        check("age", "37");
        check("children.1", "\"Alex\"");
        check("children.#", "3");
        check("child*.2", "\"Jack\"");
        check("c?ildren.0", "\"Sara\"");
        check(r"fav\.movie", "\"Deer Hunter\"");
        check("friends.#.first", r#"["Dale","Roger","Jane"]"#);
        check("friends.1.first", "\"Roger\"");
        check(r#"friends.#(first=="Roger").age"#, "68");
        check("friends.#(age>45)#.first", r#"["Roger","Jane"]"#);
        check(r#"friends.#(first%"D*").first"#, "\"Dale\"");
        check("friends.#(age<0)#", "[]");
        check("children.@reverse", r#"["Jack","Alex","Sara"]"#);
        check("name.@keys", r#"["first","last"]"#);
        check("nothing.at.all", "");
        check("children.9", "");
        check("", "");
    }

    #[test]
    fn no_path_makes_it_panic() {
        let document: Value = serde_json::json!({"a": [1, {"b": "c"}]});
        let letters = [
            "a", "b", ".", "#", "(", ")", "\"", "\\", "*", "=", "@", "|", "1", "<", "ä",
        ];
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut path = String::new();
            for _ in 0..(seed % 12) {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                path.push_str(letters[(seed >> 33) as usize % letters.len()]);
            }
            seed = seed.wrapping_add(1);
            let _ = get(&document, &path);
        }
    }
}
