//! Messages of the engine in the words of k6's engine, since people search logs for them.

/// Messages with a fixed counterpart, whatever the script.
const SAME: [(&str, &str); 17] = [
    ("value is not iterable", "object is not iterable"),
    ("not a constructor", "Value is not a constructor"),
    (
        "class constructors must be invoked with 'new'",
        "Class constructor cannot be invoked without 'new'",
    ),
    (
        "parent class must be constructor",
        "Class extends value is not a constructor or null",
    ),
    (
        "this is not initialized",
        "Must call super constructor in derived class before accessing 'this'",
    ),
    (
        "cannot invoke a running generator",
        "Illegal generator state",
    ),
    (
        "circular reference",
        "Converting circular structure to JSON",
    ),
    (
        "BigInt are forbidden in JSON.stringify",
        "Do not know how to serialize a BigInt",
    ),
    (
        "cannot convert BigInt to number",
        "Cannot mix BigInt and other types, use explicit conversions",
    ),
    (
        "cannot convert symbol to string",
        "Cannot convert a Symbol value to a string",
    ),
    ("invalid array length", "Invalid array length"),
    ("invalid repeat count", "Invalid count value"),
    (
        "invalid number of digits",
        "toFixed() precision must be between 0 and 100",
    ),
    (
        "bad normalization form",
        "The normalization form should be one of NFC, NFD, NFKC, NFKD",
    ),
    ("expecting hex digit", "Malformed URI"),
    ("Date value is NaN", "Invalid time value"),
    ("empty array", "No initial value"),
];

/// A property of null or undefined was accessed.
const NO_OBJECT: &str = "Cannot convert undefined or null to object";

/// A message of the engine as k6's engine has it; `None` when it is the same, or unknown. `code` is the line of
/// the script, from the place that the engine reports.
pub(crate) fn of(message: &str, code: Option<&str>) -> Option<String> {
    if let Some((_, k6s)) = SAME.iter().find(|(ours, _)| *ours == message) {
        return Some((*k6s).to_owned());
    }
    if message == "not a function" {
        let name = code.and_then(called_member)?;
        return Some(format!("Object has no member '{name}'"));
    }
    if message.starts_with("cannot set property '") {
        return Some(NO_OBJECT.to_owned());
    }
    if message.ends_with(" is not initialized") {
        return Some("Cannot access a variable before initialization".to_owned());
    }
    let rest = message.strip_prefix("cannot read property '")?;
    let name = rest
        .strip_suffix("' of undefined")
        .or_else(|| rest.strip_suffix("' of null"))?;
    if name == "Symbol.iterator" {
        return Some(NO_OBJECT.to_owned());
    }
    let is_call = code.is_some_and(|code| calls(code, name));
    let of = if is_call {
        "undefined or null"
    } else {
        "undefined"
    };
    Some(format!("Cannot read property '{name}' of {of}"))
}

/// The name at the beginning of the code, if a call of it follows.
fn called_member(code: &str) -> Option<&str> {
    let end = code
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .filter(|end| *end > 0)?;
    let (name, rest) = code.split_at(end);
    rest.trim_start().starts_with(['(', '`']).then_some(name)
}

/// Whether the code reads a member with that name before calling it.
fn calls(code: &str, name: &str) -> bool {
    let member = format!(".{name}");
    let Some((_, rest)) = code.split_once(&member) else {
        return false;
    };
    rest.trim_start().starts_with('(')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_k6s_engine() {
        for (message, code, expected) in [
            (
                "not a function",
                Some("nope(1)"),
                Some("Object has no member 'nope'"),
            ),
            (
                "not a function",
                Some("nope `a`"),
                Some("Object has no member 'nope'"),
            ),
            ("not a function", Some("(u || v)(1)"), None),
            ("not a function", Some("o.x"), None),
            ("not a function", None, None),
            (
                "cannot read property 'x' of undefined",
                Some("u.x;"),
                Some("Cannot read property 'x' of undefined"),
            ),
            (
                "cannot read property 'x' of null",
                Some("u.x (1)"),
                Some("Cannot read property 'x' of undefined or null"),
            ),
            (
                "cannot read property 'a b' of undefined",
                None,
                Some("Cannot read property 'a b' of undefined"),
            ),
            (
                "cannot read property 'Symbol.iterator' of undefined",
                None,
                Some(NO_OBJECT),
            ),
            ("cannot set property 'x' of null", None, Some(NO_OBJECT)),
            (
                "t is not initialized",
                None,
                Some("Cannot access a variable before initialization"),
            ),
            ("something else", None, None),
        ] {
            assert_eq!(of(message, code).as_deref(), expected, "{message} {code:?}");
        }
    }
}
