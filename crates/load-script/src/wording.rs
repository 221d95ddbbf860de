//! Messages of the engine in the words of k6's engine, since people search logs for them.
//!
//! Most are fixed texts. Some contain a name, which is read from the line of the script. When a value cannot be
//! called, the message of k6's engine also shows that value, which is not known here. It is assumed to be
//! undefined, as it nearly always is.

mod called;

use std::cell::LazyCell;

use script_engine::host::ErrorOrigin;

use called::Called;

/// A property of null or undefined was accessed.
const NO_OBJECT: &str = "Cannot convert undefined or null to object";
/// Something that is undefined was called.
const UNDEFINED: &str = "Value is not an object: undefined";
/// Names that only CommonJS modules have.
const NO_EXPORTS: &str = "exports is not defined";
const NO_MODULE: &str = "module is not defined";
const NO_NUMBER: &str = "Cannot convert a BigInt value to a number";

/// Messages with a fixed counterpart, independent of the script. If one of them is the end of another, the longer
/// one comes first.
const SAME: &[(&str, &str)] = &[
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
        "'this' can be initialized only once",
        "Super constructor may only be called once",
    ),
    (
        "cannot invoke a running generator",
        "Illegal generator state",
    ),
    (
        "not a generator",
        "Method [Generator].prototype.next called on incompatible receiver",
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
    ("bigint argument with unary +", NO_NUMBER),
    ("BigInt division by zero", "Division by zero"),
    ("BigInt negative exponent", "exponent must be positive"),
    (
        "BigInt operands are forbidden for >>>",
        "BigInts have no unsigned right shift, use >> instead",
    ),
    ("not a BigInt", "requires that 'this' be a BigInt"),
    (
        "cannot convert NaN or Infinity to BigInt",
        "Cannot convert NaN to a BigInt",
    ),
    (
        "cannot convert to BigInt",
        "Cannot convert undefined to a BigInt",
    ),
    (
        "cannot convert symbol to string",
        "Cannot convert a Symbol value to a string",
    ),
    (
        "cannot convert symbol to number",
        "Cannot convert a Symbol value to a number",
    ),
    (
        "null or undefined are forbidden",
        "Value is not object coercible",
    ),
    (
        "toPrimitive",
        "Could not convert [object Object] to primitive",
    ),
    (
        "operand 'prototype' property is not an object",
        "prototype is not an object",
    ),
    ("circular prototype chain", "Cyclic __proto__ value"),
    ("invalid array length", "Invalid array length"),
    ("invalid repeat count", "Invalid count value"),
    (
        "bad normalization form",
        "The normalization form should be one of NFC, NFD, NFKC, NFKD",
    ),
    ("expecting hex digit", "Malformed URI"),
    ("expecting surrogate pair", "Malformed URI"),
    ("Date value is NaN", "Invalid time value"),
    ("empty array", "No initial value"),
    ("not a number", "Value is not a number"),
    ("revoked proxy", "Proxy already revoked"),
    (
        "invalid property access",
        "'caller', 'callee', and 'arguments' properties may not be accessed on strict mode functions or the arguments objects for calls to them",
    ),
];

/// Messages of certain native functions.
const NATIVE: &[(&str, &str, &str)] = &[
    ("Symbol", "not a constructor", "Symbol is not a constructor"),
    ("BigInt", "not a constructor", "BigInt is not a constructor"),
    (
        "Proxy",
        "not an object",
        "Cannot create proxy with a non-object as target or handler",
    ),
    (
        "defineProperty",
        "not an object",
        "Object.defineProperty called on non-object",
    ),
    (
        "sort",
        "not a function",
        "The comparison function must be either a function or undefined",
    ),
    (
        "DataView",
        "ArrayBuffer object expected",
        "First argument to DataView constructor must be an ArrayBuffer",
    ),
    ("set", "invalid array length", "Source is too large"),
    (
        "toFixed",
        "invalid number of digits",
        "toFixed() precision must be between 0 and 100",
    ),
    (
        "toPrecision",
        "invalid number of digits",
        "toPrecision() precision must be between 1 and 100",
    ),
    (
        "toExponential",
        "invalid number of digits",
        "toExponential() precision must be between 0 and 100",
    ),
    (
        "matchAll",
        "regexp must have the 'g' flag",
        "RegExp doesn't have global flag set",
    ),
    (
        "replaceAll",
        "regexp must have the 'g' flag",
        "String.prototype.replaceAll called with a non-global RegExp argument",
    ),
    (
        "setPrototypeOf",
        "object is not extensible",
        "[object Object] is not extensible",
    ),
    (
        "set __proto__",
        "object is not extensible",
        "[object Object] is not extensible",
    ),
    ("RegExp", "expecting ')'", "Unterminated group"),
    (
        "RegExp",
        "extraneous characters at the end",
        "Unmatched ')'",
    ),
];

/// Messages whose counterpart depends on the place, and beginnings and ends of such messages.
const OTHERS: &[&str] = &[
    "not a function",
    NO_OBJECT,
    "object is not extensible",
    "no setter for property",
    "could not delete property",
    "must be called with new",
    "regexp not supported",
    "not a Date object",
    "invalid length",
    "invalid offset",
    NO_EXPORTS,
    NO_MODULE,
];
const STARTS: &[&str] = &[
    "cannot read property '",
    "cannot set property '",
    "private class field ",
    "invalid array index: ",
];
const ENDS: &[&str] = &[
    " is read-only",
    " is not initialized",
    " is not a constructor",
    " object expected",
];

/// The line of a script in which an error occurred, split at its place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Code {
    pub(crate) before: String,
    pub(crate) after: String,
    /// Whether the code after the place begins with a member of a namespace: `import * as all`.
    pub(crate) is_in_namespace: bool,
}

/// The counterpart of a message in k6's engine; `None` when it is the same, or unknown. `origin` returns the origin
/// of the error, `code` the code at that place.
pub(crate) fn of(
    message: &str,
    origin: impl FnOnce() -> ErrorOrigin,
    code: impl FnOnce((String, u32, u32)) -> Option<Code>,
) -> Option<String> {
    if !is_known(message) {
        return None;
    }
    let ErrorOrigin { native, place } = origin();
    let code = LazyCell::new(|| place.and_then(code).unwrap_or_default());
    let reworded = match &native {
        Some(native) => of_native(native, message),
        None => of_code(message, || &code),
    };
    let same = || SAME.iter().find(|(ours, _)| *ours == message);
    let reworded = reworded.or_else(|| same().map(|(_, k6s)| (*k6s).to_owned()))?;
    let is_engines = native.is_some() || message.starts_with("'this'") || !makes_error(&code.after);
    is_engines.then_some(reworded)
}

/// Whether the message may be one with a counterpart. Scripts often throw errors with other messages.
fn is_known(message: &str) -> bool {
    let mut all = SAME.iter().map(|(ours, _)| *ours);
    let mut native = NATIVE.iter().map(|(_, ours, _)| *ours);
    all.any(|ours| ours == message)
        || native.any(|ours| ours == message)
        || OTHERS.contains(&message)
        || STARTS.iter().any(|start| message.starts_with(start))
        || ENDS.iter().any(|end| message.ends_with(end))
}

/// Whether the script itself makes the error, with a message that is also one of the engine's.
fn makes_error(code: &str) -> bool {
    let (path, rest) = split_path(code);
    rest.starts_with('(') && (path.ends_with("Error") || path == "super")
}

/// The counterpart of a message that a native function throws.
fn of_native(native: &str, message: &str) -> Option<String> {
    let mut known = NATIVE.iter();
    if let Some((_, _, k6s)) = known.find(|(name, ours, _)| (*name, *ours) == (native, message)) {
        return Some((*k6s).to_owned());
    }
    Some(match message {
        "not a function" => UNDEFINED.to_owned(),
        "must be called with new" if is_typed_array(native) => {
            "Constructor TypedArray requires 'new'".to_owned()
        }
        "must be called with new" => format!("Constructor {native} requires 'new'"),
        "cannot convert BigInt to number" => NO_NUMBER.to_owned(),
        "regexp not supported" => {
            format!("First argument to String.prototype.{native} must not be a regular expression")
        }
        "not a Date object" => {
            format!("Method Date.prototype.{native} is called on incompatible receiver")
        }
        "invalid length" if is_typed_array(native) => {
            format!(
                "Byte length of {native} should be a multiple of {}",
                item_bytes(native)
            )
        }
        "invalid offset" if is_typed_array(native) => {
            format!(
                "Start offset of {native} should be a multiple of {}",
                item_bytes(native)
            )
        }
        _ if message.starts_with("cannot read property 'Symbol.iterator' of ") => {
            NO_OBJECT.to_owned()
        }
        _ => {
            if let Some(index) = message.strip_prefix("invalid array index: ") {
                return Some(format!("Invalid index {index}"));
            }
            let class = message.strip_suffix(" object expected")?;
            format!(
                "Method {class}.prototype.{native} called on incompatible receiver [object Object]"
            )
        }
    })
}

fn is_typed_array(name: &str) -> bool {
    name.ends_with("Array") && name != "Array"
}

/// `Float64Array`: 8.
fn item_bytes(array: &str) -> u32 {
    let bits: String = array.chars().filter(char::is_ascii_digit).collect();
    bits.parse().unwrap_or(8) / 8
}

/// The counterpart of a message that script code throws.
fn of_code<'a>(message: &str, code: impl Fn() -> &'a Code) -> Option<String> {
    let quoted = || message.split('\'').nth(1).unwrap_or_default();
    Some(match message {
        "not a function" => not_callable(code())?,
        NO_OBJECT if deletes(code()) => NO_OBJECT.to_owned(),
        NO_OBJECT => "Value is not object coercible".to_owned(),
        NO_EXPORTS | NO_MODULE => {
            let name = message.split(' ').next().unwrap_or_default();
            format!(
                "you are trying to access identifier \"{name}\", this likely is due to mixing ECMAScript Modules (ESM) and CommonJS syntax. This isn't supported in the JavaScript standard, please use only one or the other"
            )
        }
        "object is not extensible" => {
            let name = assigned(&code().after)?.to_owned();
            format!("Cannot add property {name}, object is not extensible")
        }
        "no setter for property" => {
            format!(
                "Cannot assign to read only property '{}'",
                assigned(&code().after)?
            )
        }
        "could not delete property" => {
            format!(
                "Cannot delete property '{}' of [object Object]",
                deleted(&code().after)?
            )
        }
        _ if message.ends_with(" is read-only") => match is_variable(&code().after, quoted()) {
            true => "Assignment to constant variable.".to_owned(),
            false if code().is_in_namespace => {
                format!("Cannot add property {}, object is not extensible", quoted())
            }
            false => format!("Cannot assign to read only property '{}'", quoted()),
        },
        _ if message.ends_with(" is not initialized") && message != "this is not initialized" => {
            "Cannot access a variable before initialization".to_owned()
        }
        _ if message.ends_with(" is not a constructor") => "Value is not a constructor".to_owned(),
        _ if message.starts_with("private class field ") => format!(
            "Cannot read private member {} from an object whose class did not declare it",
            quoted()
        ),
        _ if message.starts_with("cannot set property '") => NO_OBJECT.to_owned(),
        _ => return of_reading(message, code),
    })
}

/// `cannot read property 'x' of undefined`
fn of_reading<'a>(message: &str, code: impl FnOnce() -> &'a Code) -> Option<String> {
    let rest = message.strip_prefix("cannot read property '")?;
    let name = rest
        .strip_suffix("' of undefined")
        .or_else(|| rest.strip_suffix("' of null"))?;
    if name == "Symbol.iterator" {
        return Some(NO_OBJECT.to_owned());
    }
    let code = code();
    let is_made = code.before.trim_end().ends_with("new");
    let of = match !is_made && calls(&code.after, name) {
        true => "undefined or null",
        false => "undefined",
    };
    Some(format!("Cannot read property '{name}' of {of}"))
}

/// The message about a call of a value that is not a function. It is unchanged if the name of the member is computed.
fn not_callable(code: &Code) -> Option<String> {
    match called::find(code) {
        Called::Computed => None,
        Called::Member(name) => Some(format!("Object has no member '{name}'")),
        Called::Value => Some(UNDEFINED.to_owned()),
    }
}

/// A name, or several separated by dots, at the beginning of the code; and the rest.
fn split_path(code: &str) -> (&str, &str) {
    let end = code.find(|c: char| !is_part_of_name(c) && c != '.');
    code.split_at(end.unwrap_or(code.len()))
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The name of the member in the first assignment to one.
fn assigned(code: &str) -> Option<&str> {
    let mut marks = code.match_indices('=').map(|(at, _)| at);
    let at = marks.find(|at| is_assignment(&code[..*at], &code[at + 1..]))?;
    let before = code[..at].trim_end_matches(|c: char| " +-*/%&|^?<>".contains(c));
    if let Some(inside) = before.strip_suffix(']') {
        return inside
            .rsplit_once('[')
            .and_then(|(_, key)| literal_text(key));
    }
    let start = before.rfind(|c: char| !is_part_of_name(c))?;
    before[start..]
        .strip_prefix('.')
        .filter(|name| !name.is_empty())
}

/// The text of a key in quotes.
fn literal_text(key: &str) -> Option<&str> {
    let quote = key.chars().next().filter(|c| "'\"`".contains(*c))?;
    let text = key.strip_prefix(quote)?.strip_suffix(quote)?;
    (!text.contains(['\\', '$'])).then_some(text)
}

/// Whether the statement deletes a member.
fn deletes(code: &Code) -> bool {
    let statement = code.before.rsplit([';', '{', '}', '\n']).next();
    let statement = statement.unwrap_or_default();
    statement.contains("delete ") || code.after.starts_with("delete ")
}

/// Whether the `=` between two pieces of code is part of an assignment, not of an arrow or a comparison.
fn is_assignment(before: &str, after: &str) -> bool {
    let is_comparison = before.ends_with(['=', '!'])
        || before.ends_with('<') && !before.ends_with("<<")
        || before.ends_with('>') && !before.ends_with(">>");
    !after.starts_with(['=', '>']) && !is_comparison
}

/// The name of the last member in the operand of `delete`, which begins with the code.
fn deleted(code: &str) -> Option<&str> {
    let (mut open, mut end) = (0_usize, code.len());
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' if open > 0 => open -= 1,
            _ if open > 0 || c == '.' || is_part_of_name(c) => {}
            _ => {
                end = at;
                break;
            }
        }
    }
    let (_, name) = code[..end].rsplit_once('.')?;
    name.chars().all(is_part_of_name).then_some(name)
}

/// Whether the code begins with a variable of that name, not with a member of it.
fn is_variable(code: &str, name: &str) -> bool {
    let rest = code.strip_prefix(name);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| is_part_of_name(c) || ".[".contains(c)))
}

/// Whether the code reads a member with that name before calling it.
fn calls(code: &str, name: &str) -> bool {
    let member = format!(".{name}");
    let Some((before, rest)) = code.split_once(&member) else {
        return false;
    };
    // What comes before it belongs to the same expression.
    let is_near = !before.contains([';', ',', '{', '}', '=']);
    is_near && rest.trim_start().trim_start_matches("?.").starts_with('(')
}

#[cfg(test)]
mod tests;
