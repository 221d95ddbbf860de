//! Fields of objects, and their errors in the words of Go's JSON decoder, which name Go's types and the path of
//! the field in them.

use load_engine::go_text;
use script_engine::convert;
use script_engine::throw::{Throw, plain};
use script_engine::{Object, Value};

/// A type, and the path to its fields from the outermost object.
#[derive(Debug, Clone)]
pub(super) struct Place {
    owner: &'static str,
    prefix: String,
}

/// The fields of an object that could be written as JSON, by name.
///
/// # Errors
/// One of them has no JSON representation.
pub(super) fn fields<'js>(object: &Object<'js>) -> Result<Vec<(String, Value<'js>)>, Throw> {
    if let Some(why) = convert::unwritable(object.as_value())? {
        return Err(plain(format!(
            "unable to serialize options to JSON json: {why}"
        )));
    }
    let mut fields = convert::entries(object)?;
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(fields)
}

/// The error for a field that the type lacks.
pub(super) fn unknown(key: &str) -> Throw {
    plain(format!("json: unknown field {key:?}"))
}

impl Place {
    /// The type of the whole object.
    pub(super) fn outermost(owner: &'static str) -> Self {
        Self {
            owner,
            prefix: String::new(),
        }
    }

    /// The same type, for fields of an embedded one.
    pub(super) fn embedding(&self, other: &str) -> Self {
        Self {
            owner: self.owner,
            prefix: format!("{}{other}.", self.prefix),
        }
    }

    /// The type of a field.
    pub(super) fn inside(&self, name: &str, owner: &'static str) -> Self {
        Self {
            owner,
            prefix: format!("{}{name}.", self.prefix),
        }
    }

    /// Sets a text; null leaves it unchanged.
    pub(super) fn set_text(
        &self,
        name: &str,
        value: &Value<'_>,
        to: &mut String,
    ) -> Result<(), Throw> {
        if value.is_string() {
            *to = convert::to_text(value)?;
        } else if !is_nothing(value) {
            return Err(self.wrong(name, value, "string"));
        }
        Ok(())
    }

    /// Sets a truth value; null leaves it unchanged.
    pub(super) fn set_flag(
        &self,
        name: &str,
        value: &Value<'_>,
        to: &mut bool,
    ) -> Result<(), Throw> {
        if let Some(flag) = value.as_bool() {
            *to = flag;
        } else if !is_nothing(value) {
            return Err(self.wrong(name, value, "bool"));
        }
        Ok(())
    }

    /// Sets a whole number; null leaves it unchanged.
    pub(super) fn set_integer(
        &self,
        name: &str,
        value: &Value<'_>,
        to: &mut i64,
    ) -> Result<(), Throw> {
        if let Some(number) = self.integer(name, value, "int")? {
            *to = number;
        }
        Ok(())
    }

    /// A whole number; `kind` is its type in messages.
    pub(super) fn integer(
        &self,
        name: &str,
        value: &Value<'_>,
        kind: &str,
    ) -> Result<Option<i64>, Throw> {
        match value.as_number() {
            Some(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => {
                Ok(Some(number as i64))
            }
            Some(number) => {
                let mut text = String::new();
                go_text::push_float_json(&mut text, number);
                Err(self.mismatch(name, &format!("number {text}"), kind))
            }
            None if is_nothing(value) => Ok(None),
            None => Err(self.wrong(name, value, kind)),
        }
    }

    /// An object; `kind` is its type in messages.
    pub(super) fn object<'js>(
        &self,
        name: &str,
        value: &Value<'js>,
        kind: &str,
    ) -> Result<Option<Object<'js>>, Throw> {
        match value.as_object() {
            Some(object) if !value.is_array() => Ok(Some(object.clone())),
            _ if is_nothing(value) => Ok(None),
            _ => Err(self.wrong(name, value, kind)),
        }
    }

    /// The error for a field of another type.
    pub(super) fn wrong(&self, name: &str, value: &Value<'_>, kind: &str) -> Throw {
        let found = match value {
            value if value.is_string() => "string",
            value if value.is_number() => "number",
            value if value.is_bool() => "bool",
            value if value.is_array() => "array",
            _ => "object",
        };
        self.mismatch(name, found, kind)
    }

    fn mismatch(&self, name: &str, found: &str, kind: &str) -> Throw {
        let Self { owner, prefix } = self;
        plain(format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{prefix}{name} of type {kind}"
        ))
    }
}

fn is_nothing(value: &Value<'_>) -> bool {
    value.is_undefined() || value.is_null()
}
