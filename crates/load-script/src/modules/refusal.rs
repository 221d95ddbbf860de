//! Why a change of an object is refused, in the words of k6's engine, which names the property and the object.

use std::ffi::CStr;

use script_engine::convert;
use script_engine::failure::reword;
use script_engine::native::Call;
use script_engine::property::{Rights, rights};
use script_engine::throw::Throw;
use script_engine::{Object, Value};

/// Messages of the engine, or what they end with.
const NOT_EXTENSIBLE: &str = "object is not extensible";
const NOT_CONFIGURABLE: &str = "property is not configurable";
const NOT_A_DESCRIPTOR: &str = "invalid descriptor flags";
const READ_ONLY: &str = " is read-only";
const NO_SETTER: &str = "no setter for property";
const NO_OBJECT: &str = "not an object";

/// Functions of `Reflect` whose first argument is an object.
const OF_OBJECTS: [&CStr; 11] = [
    c"defineProperty",
    c"deleteProperty",
    c"get",
    c"getOwnPropertyDescriptor",
    c"getPrototypeOf",
    c"has",
    c"isExtensible",
    c"ownKeys",
    c"preventExtensions",
    c"set",
    c"setPrototypeOf",
];

/// Gives the functions that change objects their messages.
pub(super) fn install(globals: &Object<'_>) -> Result<(), Throw> {
    let object: Object<'_> = globals.get("Object")?;
    reword(&object, c"assign", of_assignment)?;
    reword(&object, c"defineProperty", of_definition)?;
    reword(&object, c"defineProperties", of_definitions)?;
    reword(&object, c"setPrototypeOf", of_prototype)?;
    reword(&object, c"create", of_creation)?;
    reword(&object, c"getPrototypeOf", of_inspection)?;
    let reflect: Object<'_> = globals.get("Reflect")?;
    for name in OF_OBJECTS {
        reword(&reflect, name, of_target)?;
    }
    Ok(())
}

/// `delete object[key]`
pub(super) fn of_deletion<'js>(object: &Object<'js>, key: &Value<'js>) -> String {
    match Kind::of(object) {
        Kind::Namespace => no_new(key),
        Kind::Text => format!("Cannot delete property '{}' of a String", name(key)),
        Kind::Other => {
            let object = convert::to_text(object.as_value()).unwrap_or_default();
            format!("Cannot delete property '{}' of {object}", name(key))
        }
    }
}

/// `Object.defineProperty(object, key, descriptor)`
fn of_definition<'js>(call: &Call<'_, 'js>, message: &str) -> Option<String> {
    let object = call.arg(0);
    of_property(object.as_object()?, &call.arg(1), message)
        .or_else(|| of_descriptor(&call.arg(2), message))
}

fn of_descriptor(descriptor: &Value<'_>, message: &str) -> Option<String> {
    let shown = || convert::to_text(descriptor).ok();
    match message {
        "Property description must be an object" => Some(format!("{message}: {}", shown()?)),
        _ => None,
    }
}

fn of_property<'js>(object: &Object<'js>, key: &Value<'js>, message: &str) -> Option<String> {
    let is_export = Kind::of(object) == Kind::Namespace && !key.is_symbol();
    match message {
        NOT_EXTENSIBLE if is_export => Some(no_new(key)),
        NOT_EXTENSIBLE => Some(format!(
            "Cannot define property {}, object is not extensible",
            shown(key)
        )),
        NOT_CONFIGURABLE | NOT_A_DESCRIPTOR if is_export => Some(no_new(key)),
        NOT_CONFIGURABLE | NOT_A_DESCRIPTOR => {
            Some(format!("Cannot redefine property: {}", shown(key)))
        }
        _ => None,
    }
}

/// `Object.defineProperties(object, descriptors)`
fn of_definitions<'js>(call: &Call<'_, 'js>, message: &str) -> Option<String> {
    let (object, descriptors) = (call.arg(0), call.arg(1));
    let Some(object) = object.as_object() else {
        return not_an_object(&object);
    };
    let mut keys = descriptors.as_object()?.keys::<Value<'js>>();
    let is_refused = |key: &Value<'js>| match rights(object, key) {
        Ok(Some(rights)) => message != NOT_EXTENSIBLE && !rights.is_configurable,
        _ => message == NOT_EXTENSIBLE,
    };
    let refused = keys.find_map(|key| key.ok().filter(is_refused))?;
    of_property(object, &refused, message)
}

/// `Object.assign(object, ...sources)`
fn of_assignment<'js>(call: &Call<'_, 'js>, message: &str) -> Option<String> {
    let object = call.arg(0);
    let object = object.as_object()?;
    let kind = Kind::of(object);
    if let Some(quoted) = message.strip_suffix(READ_ONLY) {
        return Some(match kind {
            Kind::Namespace => format!(
                "Cannot add property {}, object is not extensible",
                quoted.trim_matches('\'')
            ),
            Kind::Text => format!("Cannot assign to read only property {quoted} of a String"),
            Kind::Other => format!("Cannot assign to read only property {quoted}"),
        });
    }
    let is_refused = |key: &Value<'js>| match (message, rights(object, key)) {
        (NOT_EXTENSIBLE, Ok(own)) => own.is_none(),
        (NO_SETTER, Ok(own)) => matches!(
            own,
            Some(Rights {
                is_writable: false,
                ..
            })
        ),
        _ => false,
    };
    let sources = (1..call.count()).filter_map(|at| call.arg(at).into_object());
    let mut keys = sources.flat_map(|source| source.keys::<Value<'js>>());
    let refused = keys.find_map(|key| key.ok().filter(is_refused))?;
    Some(match message {
        NOT_EXTENSIBLE => no_new(&refused),
        _ => format!("Cannot assign to read only property '{}'", name(&refused)),
    })
}

/// `Object.setPrototypeOf(object, prototype)`
fn of_prototype<'js>(call: &Call<'_, 'js>, message: &str) -> Option<String> {
    let object = call.arg(0);
    let shown = |value: &Value<'js>| convert::to_text(value).ok();
    match message {
        NO_OBJECT if call.given(0).is_none() => Some("Value is not object coercible".to_owned()),
        NO_OBJECT => no_prototype(&call.arg(1)),
        _ if !message.ends_with("is not extensible") => None,
        _ if Kind::of(object.as_object()?) == Kind::Namespace => None,
        _ => Some(format!("{} is not extensible", shown(&object)?)),
    }
}

/// `Object.create(prototype)`
fn of_creation<'js>(call: &Call<'_, 'js>, message: &str) -> Option<String> {
    match message {
        "object prototype may only be an Object or null" => no_prototype(&call.arg(0)),
        _ => None,
    }
}

/// `Object.getPrototypeOf(value)`
fn of_inspection<'js>(call: &Call<'_, 'js>, message: &str) -> Option<String> {
    let is_about_it = message == NO_OBJECT && call.given(0).is_none();
    is_about_it.then(|| "Cannot convert undefined or null to object".to_owned())
}

/// A function of `Reflect`: the first argument that should be an object but is not.
fn of_target<'js>(call: &Call<'_, 'js>, message: &str) -> Option<String> {
    let is_about_it = message == NO_OBJECT || message.ends_with("called on non-object");
    let arguments = [call.arg(0), call.arg(1)];
    let wrong = arguments.iter().find(|value| !value.is_object());
    not_an_object(wrong.filter(|_| is_about_it)?)
}

fn no_prototype(value: &Value<'_>) -> Option<String> {
    let value = convert::to_text(value).ok()?;
    Some(format!(
        "Object prototype may only be an Object or null: {value}"
    ))
}

fn not_an_object(value: &Value<'_>) -> Option<String> {
    let value = convert::to_text(value).ok()?;
    Some(format!("Value is not an object: {value}"))
}

fn no_new(key: &Value<'_>) -> String {
    format!(
        "Cannot add property {}, object is not extensible",
        name(key)
    )
}

/// The text of a key; that of a symbol is its description.
fn name(key: &Value<'_>) -> String {
    convert::to_text(key).unwrap_or_default()
}

/// The same, with a symbol as such.
fn shown(key: &Value<'_>) -> String {
    match key.is_symbol() {
        true => format!("Symbol({})", name(key)),
        false => name(key),
    }
}

/// Objects about which k6's engine says something else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The exports of a module.
    Namespace,
    /// A `String` object.
    Text,
    Other,
}

impl Kind {
    fn of(object: &Object<'_>) -> Self {
        if convert::is_text_object(object) {
            return Self::Text;
        }
        match convert::is_namespace(object) {
            true => Self::Namespace,
            false => Self::Other,
        }
    }
}
