//! Finds the failed call of a value that is not a function.
//!
//! The engine knows the place of the last value that was read before the call. Without arguments that is the
//! called member itself; otherwise it is a place inside the arguments, and the call is one of those around it.

use super::{Code, is_part_of_name, split_path};

/// Objects of the language and of k6 with the members that scripts call; without a list, all members exist.
const KNOWN_OBJECTS: [(&str, &[&str]); 15] = [
    ("Array", &[]),
    ("JSON", &["parse", "stringify"]),
    ("Math", &[]),
    ("Number", &[]),
    ("Object", &[]),
    ("Promise", &[]),
    ("Reflect", &[]),
    ("String", &[]),
    ("console", &["debug", "error", "info", "log", "warn"]),
    ("crypto", &[]),
    ("encoding", &[]),
    ("exec", &[]),
    ("execution", &[]),
    (
        "http",
        &[
            "asyncRequest",
            "batch",
            "del",
            "file",
            "get",
            "head",
            "options",
            "patch",
            "post",
            "put",
            "request",
            "url",
        ],
    ),
    ("ws", &["connect"]),
];
/// Members that nearly every object on which they are called has.
const KNOWN_MEMBERS: [&str; 22] = [
    "add", "call", "concat", "every", "filter", "find", "forEach", "get", "has", "includes",
    "indexOf", "join", "log", "map", "push", "reduce", "replace", "set", "slice", "some", "split",
    "then",
];
/// Words before a parenthesis that is not a call.
const KEYWORDS: [&str; 12] = [
    "await", "catch", "for", "if", "in", "of", "return", "switch", "throw", "typeof", "while",
    "yield",
];

/// The known facts about the call.
pub(super) enum Called {
    /// The member with this name.
    Member(String),
    /// A variable or another value.
    Value,
    /// A member whose name is computed at run time, in an optional chain.
    Computed,
}

/// The call that failed at a place in the code.
pub(super) fn find(code: &Code) -> Called {
    let before: Vec<&str> = code.before.split('\n').map(without_comment).collect();
    let before = before.join("\n");
    let (before, after) = (before.trim_end(), code.after.as_str());
    if let Some(object) = before.strip_suffix('[') {
        let object = object.trim_end_matches(|c: char| is_part_of_name(c) || c == '.');
        return match object.trim_end().ends_with("new") {
            true => Called::Value,
            false => Called::Computed,
        };
    }
    let (path, rest) = split_path(after);
    let is_call = rest.trim_start().starts_with(['(', '`']);
    let mut may_be_called = is_call;
    if before.ends_with("new") {
        // A class exists.
        may_be_called = !path.starts_with(char::is_uppercase);
        if may_be_called {
            return Called::Value;
        }
    } else if let Some(key) = rest.strip_prefix('[') {
        if let Some(name) = literal_key(key).filter(|_| is_called(key)) {
            return Called::Member(name.to_owned());
        }
    } else if before.ends_with('.') && is_call && !path.is_empty() {
        return Called::Member(path.to_owned());
    }
    around(before)
        .filter(|member| !may_be_called || !KNOWN_MEMBERS.contains(member))
        .map_or(Called::Value, |member| Called::Member(member.to_owned()))
}

/// A line without its trailing comment; a URL in a text has no space before its slashes.
fn without_comment(line: &str) -> &str {
    let begins_with_one = line.trim_start().starts_with("//");
    match line.find(" //") {
        _ if begins_with_one => "",
        Some(at) => &line[..at],
        None => line,
    }
}

/// Whether a call follows the key, as in `'key'](`.
fn is_called(text: &str) -> bool {
    let rest = text.split_once(']').map(|(_, rest)| rest.trim_start());
    rest.is_some_and(|rest| rest.starts_with(['(', '`']))
}

/// The key in `'key'](` or `3](`.
fn literal_key(text: &str) -> Option<&str> {
    let (key, _) = text.split_once(']')?;
    let quote = key.chars().next().filter(|c| "'\"`".contains(*c));
    match quote {
        Some(quote) => key.strip_prefix(quote)?.strip_suffix(quote),
        None => Some(key).filter(|key| key.bytes().all(|byte| byte.is_ascii_digit())),
    }
}

/// The innermost call of a member among the calls whose arguments are open at the end of the code; calls that do not
/// fail are skipped.
fn around(before: &str) -> Option<&str> {
    let mut rest = before;
    loop {
        let (at, opened) = last_open(rest)?;
        let callee = rest[..at].trim_end();
        match opened {
            '(' => {
                let path = |c: char| is_part_of_name(c) || c == '.';
                let before_path = callee.trim_end_matches(path);
                if before_path.trim_end().ends_with("new") {
                    return None;
                }
                if let Some(member) = member_at_the_end(callee) {
                    return Some(member);
                }
            }
            // A value in a template.
            '{' if callee.ends_with('$') => {
                rest = &callee[..callee.rfind('`')?];
                continue;
            }
            // An object continues the expression; a block begins a statement.
            '{' => {
                let is_object = callee.ends_with(['(', ',', ':', '[', '=', '?', '|', '&'])
                    || callee.ends_with("return");
                if !is_object {
                    return None;
                }
            }
            _ => {}
        }
        rest = callee;
    }
}

/// The last bracket that is open at the end of the code of a statement, and its place.
fn last_open(code: &str) -> Option<(usize, char)> {
    let mut closed = 0_usize;
    let mut marks = code.char_indices().rev();
    while let Some((at, c)) = marks.next() {
        match c {
            ')' | ']' | '}' => closed += 1,
            '(' | '[' | '{' if closed == 0 => return Some((at, c)),
            '(' | '[' | '{' => closed -= 1,
            ';' if closed == 0 => return None,
            // The text between quotes.
            '\'' | '"' | '`' => while marks.next().is_some_and(|(_, other)| other != c) {},
            _ => {}
        }
    }
    None
}

/// The name in `value.name` or `value['name']` at the end of the code, unless it is known to be there.
fn member_at_the_end(callee: &str) -> Option<&str> {
    if let Some(inside) = callee.strip_suffix(']') {
        let (_, key) = inside.rsplit_once('[')?;
        return literal_key(&callee[callee.len() - key.len() - 1..]);
    }
    let start = callee
        .char_indices()
        .rev()
        .find(|(_, c)| !is_part_of_name(*c))
        .map(|(at, c)| at + c.len_utf8())?;
    let (object, name) = callee.split_at(start);
    let object = object.strip_suffix('.')?.trim_end_matches('?');
    let root = object
        .rsplit(|c: char| !is_part_of_name(c) && c != '.')
        .next()?;
    let root = root.split('.').next().unwrap_or_default();
    let is_named = !name.is_empty() && !KEYWORDS.contains(&name);
    let is_there = KNOWN_OBJECTS.iter().any(|(object, members)| {
        *object == root && (members.is_empty() || members.contains(&name))
    });
    (is_named && !is_there).then_some(name)
}
