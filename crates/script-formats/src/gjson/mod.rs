//! Paths into JSON documents, in the syntax of GJSON: `a.b.0`, `items.#.id`, `items.#(id==2).name`,
//! `na*e`, `list.@reverse`, `{name,"years":age}`, `a|b`.

mod modifier;
mod nesting;
mod query;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::{Map, Value};

use nesting::{Quotes, marks};

/// The maximum nesting of lists, queries and selections; deeper ones find nothing: a path comes from a script,
/// and scripts run on small stacks.
const MAX_DEPTH: u32 = 24;
/// The maximum number of intermediate values of one path; `[[@this,@this].@this,…]` would grow without end.
const MAX_WORK: usize = 1 << 22;

/// The value at the path in the text of a document.
pub fn get_text(text: &[u8], path: &str) -> Option<Value> {
    if let Some(rest) = path.strip_prefix("..") {
        let lines = lines(text);
        return match rest {
            "" => None,
            rest => get(&Value::Array(lines), rest),
        };
    }
    get(&serde_json::from_slice(text).ok()?, path)
}

/// The documents of a text that contains several.
fn lines(text: &[u8]) -> Vec<Value> {
    let stream = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    stream.map_while(Result::ok).collect()
}

/// The value at the path.
pub fn get(document: &Value, path: &str) -> Option<Value> {
    if path.is_empty() {
        return None;
    }
    let mut walk = Walk { work: 0 };
    walk.walk(document, path, MAX_DEPTH)
}

/// A walk along one path.
struct Walk {
    work: usize,
}

/// The separator of a part and the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// A dot: the next part applies to each item of a list.
    Dot,
    /// A bar: the next part applies to the list as a whole.
    Bar,
}

type Rest<'p> = Option<(Joint, &'p str)>;

impl Walk {
    fn walk(&mut self, value: &Value, path: &str, depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let (mut here, mut path) = (Cow::Borrowed(value), path);
        loop {
            self.work += 1;
            if self.work > MAX_WORK {
                return None;
            }
            let (next, rest) = self.step(here, path, depth)?;
            match rest {
                None => return Some(next.into_owned()),
                Some((_, rest)) => {
                    here = next;
                    path = rest;
                }
            }
        }
    }

    /// Takes the first part of the path.
    fn step<'v, 'p>(
        &mut self,
        value: Cow<'v, Value>,
        path: &'p str,
        depth: u32,
    ) -> Option<(Cow<'v, Value>, Rest<'p>)> {
        let owned = |value: Value, rest| Some((Cow::Owned(value), rest));
        match path.as_bytes().first() {
            Some(b'@') if modifier::is_known(path) => {
                let (name, argument, rest) = modifier::split_all(path);
                return owned(self.modify(&value, name, argument, depth)?, rest);
            }
            Some(b'!') => {
                let (text, rest) = split(&path[1..]);
                return owned(serde_json::from_str(text).ok()?, rest);
            }
            Some(b'{' | b'[') => {
                let (inside, rest) = enclosed(path)?;
                let rest = joint(rest)?;
                let is_object = path.starts_with('{');
                return owned(self.select(&value, inside, is_object, depth), rest);
            }
            _ => {}
        }
        let (part, rest) = split(path);
        if value.is_array() && part.starts_with('#') {
            return self.hash(value, part, rest, depth);
        }
        let next = match value {
            Cow::Borrowed(value) => Cow::Borrowed(child(value, part)?),
            Cow::Owned(value) => Cow::Owned(child(&value, part)?.clone()),
        };
        Some((next, rest))
    }

    /// `#` is the length, `#.rest` maps, `#(query)` finds the first, `#(query)#` all.
    fn hash<'v, 'p>(
        &mut self,
        value: Cow<'v, Value>,
        part: &str,
        rest: Rest<'p>,
        depth: u32,
    ) -> Option<(Cow<'v, Value>, Rest<'p>)> {
        let items = value.as_array()?;
        let (hits, finds_all): (Vec<&Value>, bool) = match &part[1..] {
            "" => (items.iter().collect(), true),
            query => {
                let (query, finds_all) = match query.strip_suffix('#') {
                    Some(query) => (query, true),
                    None => (query, false),
                };
                let (inside, after) = enclosed(query)?;
                if !after.is_empty() {
                    return None;
                }
                let query = query::Query::parse(inside);
                let mut hits = Vec::new();
                for item in items {
                    if self.fits(item, &query, depth) {
                        hits.push(item);
                        if !finds_all {
                            break;
                        }
                    }
                }
                (hits, finds_all)
            }
        };
        if !finds_all {
            return Some((Cow::Owned((*hits.first()?).clone()), rest));
        }
        let is_length = part == "#";
        let (joined, rest) = match rest {
            Some((Joint::Dot, rest)) => {
                let (each, rest) = up_to_bar(rest);
                let found = hits
                    .into_iter()
                    .filter_map(|item| self.walk(item, each, depth))
                    .collect();
                (Value::Array(found), rest)
            }
            None if is_length => (Value::from(hits.len()), None),
            rest => (Value::Array(hits.into_iter().cloned().collect()), rest),
        };
        Some((Cow::Owned(joined), rest))
    }

    /// `{a,"name":b}` and `[a,b]`: missing values are left out.
    fn select(&mut self, value: &Value, inside: &str, is_object: bool, depth: u32) -> Value {
        let (mut map, mut list) = (Map::new(), Vec::new());
        for selector in at_commas(inside) {
            let (name, path) = if is_object {
                named(selector)
            } else {
                (None, selector)
            };
            let Some(found) = self.walk(value, path, depth) else {
                continue;
            };
            if is_object {
                map.insert(name.unwrap_or_else(|| last_name(path)), found);
            } else {
                list.push(found);
            }
        }
        if is_object {
            Value::Object(map)
        } else {
            Value::Array(list)
        }
    }
}

fn child<'v>(value: &'v Value, part: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => find(map, part),
        Value::Array(items) => {
            let is_number = part.bytes().all(|b| b.is_ascii_digit());
            items.get(is_number.then(|| part.parse::<usize>().ok()).flatten()?)
        }
        _ => None,
    }
}

fn find<'v>(map: &'v Map<String, Value>, part: &str) -> Option<&'v Value> {
    if part.contains(['*', '?']) {
        let fits = |key: &String| matches(key.as_bytes(), part.as_bytes());
        return map
            .iter()
            .find(|(key, _)| fits(key))
            .map(|(_, value)| value);
    }
    if part.contains('\\') {
        return map.get(&unescape(part));
    }
    map.get(part)
}

fn unescape(part: &str) -> String {
    let mut name = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        name.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    name
}

/// The first part and what follows it. Text in quotes or parentheses, or after `\`, is inside.
fn split(path: &str) -> (&str, Rest<'_>) {
    let found = marks(path, Quotes::InBrackets).find_map(|(at, c, depth)| match c {
        '.' if depth == 0 => Some((at, Joint::Dot)),
        '|' if depth == 0 => Some((at, Joint::Bar)),
        _ => None,
    });
    match found {
        Some((at, joint)) => (&path[..at], Some((joint, &path[at + 1..]))),
        None => (path, None),
    }
}

/// The path up to the next bar outside brackets and quotes, and the rest.
fn up_to_bar(path: &str) -> (&str, Rest<'_>) {
    let mut at = 0;
    loop {
        let (_, rest) = split(&path[at..]);
        match rest {
            Some((Joint::Dot, rest)) => at = path.len() - rest.len(),
            Some((Joint::Bar, rest)) => {
                return (
                    &path[..path.len() - rest.len() - 1],
                    Some((Joint::Bar, rest)),
                );
            }
            None => return (path, None),
        }
    }
}

/// The content of the bracket with which a path begins, and the rest after the closing one.
fn enclosed(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(['(', '[', '{'])?;
    let (end, ..) = marks(path, Quotes::Everywhere).find(|(_, _, depth)| *depth == 0)?;
    Some((&path[1..end], &path[end + 1..]))
}

/// The continuation after a bracket.
fn joint(rest: &str) -> Option<Rest<'_>> {
    match rest.as_bytes().first() {
        None => Some(None),
        Some(b'.') => Some(Some((Joint::Dot, &rest[1..]))),
        Some(b'|') => Some(Some((Joint::Bar, &rest[1..]))),
        Some(_) => None,
    }
}

fn at_commas(inside: &str) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, c, depth) in marks(inside, Quotes::Everywhere) {
        if c == ',' && depth == 0 {
            parts.push(inside[from..at].trim());
            from = at + 1;
        }
    }
    parts.push(inside[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// `"name":path`; a name without quotes is part of the path.
fn named(selector: &str) -> (Option<String>, &str) {
    let Some(rest) = selector.strip_prefix('"') else {
        return (None, selector);
    };
    let Some(end) = rest.find('"') else {
        return (None, selector);
    };
    match rest[end + 1..].trim_start().strip_prefix(':') {
        Some(path) => (Some(rest[..end].to_owned()), path.trim_start()),
        None => (None, selector),
    }
}

/// The default name of a selection: the last part of its path.
fn last_name(path: &str) -> String {
    let mut last = path;
    let mut rest = path;
    loop {
        let (part, next) = split(rest);
        if !part.starts_with(['@', '#']) {
            last = part;
        }
        match next {
            Some((_, next)) => rest = next,
            None => break,
        }
    }
    if last.starts_with(['@', '#', '!', '{', '[']) {
        "_".to_owned()
    } else {
        unescape(last)
    }
}

/// Whether a text matches a pattern with `*` (any run) and `?` (any one); `\` takes the next as it is.
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
    // An escape may have led past the end.
    pattern
        .get(p..)
        .is_none_or(|rest| rest.iter().all(|b| *b == b'*'))
}
