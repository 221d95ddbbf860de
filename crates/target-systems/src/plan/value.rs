//! The data of a request, as far as its flow depends on it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A tree with the structure of JSON. Callers include only the values that a [`Path`] of the plan names.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
    List(Arc<[Value]>),
    Map(Arc<[(Arc<str>, Value)]>),
}

/// The place of a value: `body.x`, `path.x`, `query.x`, `state.x`, `item.x`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    pub root: PathRoot,
    /// Names of fields, or indices in lists; empty: the root itself.
    pub names: Vec<Arc<str>>,
}

/// The root of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathRoot {
    Body,
    /// Parameters of the route.
    Path,
    Query,
    /// The kept values of the entry that a `state` step of this request used last.
    State,
    /// The item of the innermost `each`.
    Item,
}

impl PathRoot {
    /// The name in files, and the field of the request's input.
    pub fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Path => "path",
            Self::Query => "query",
            Self::State => "state",
            Self::Item => "item",
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.name())?;
        self.names.iter().try_for_each(|name| write!(f, ".{name}"))
    }
}

static NULL: Value = Value::Null;

impl Value {
    pub fn map<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self::Map(
            fields
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }

    /// The field of a map or the item of a list; [`Value::Null`] if there is none.
    pub fn get(&self, name: &str) -> &Value {
        match self {
            Self::Map(fields) => fields
                .iter()
                .find(|(field, _)| field.as_ref() == name)
                .map_or(&NULL, |(_, value)| value),
            Self::List(items) => name
                .parse::<usize>()
                .ok()
                .and_then(|place| items.get(place))
                .unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    pub fn at(&self, names: &[Arc<str>]) -> &Value {
        names.iter().fold(self, |value, name| value.get(name))
    }

    /// A scalar as text; `None` for lists, maps and null.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// A number, or a text that can be parsed as one; 0 for everything else, and never negative or
    /// infinite.
    pub fn number(&self) -> f64 {
        let number = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().unwrap_or(0.0),
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Null | Self::List(_) | Self::Map(_) => 0.0,
        };
        if number.is_finite() {
            number.max(0.0)
        } else {
            0.0
        }
    }

    /// Number of items of a list or map, or of characters of a text; 0 otherwise.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::List(items) => items.len(),
            Self::Map(fields) => fields.len(),
            Self::Null | Self::Bool(_) | Self::Number(_) => 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a flag is set: `true`, a number other than 0, a text other than "", "0" and "false".
    pub fn is_set(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => !matches!(text.as_ref(), "" | "0" | "false"),
            Self::List(items) => !items.is_empty(),
            Self::Map(fields) => !fields.is_empty(),
        }
    }

    /// The approximate size as JSON: 8 for a scalar, the bytes of texts and names, 1 for each comma.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => 8,
            Self::Text(text) => text.len() + 2,
            Self::List(items) => 2 + items.iter().map(|item| item.bytes() + 1).sum::<usize>(),
            Self::Map(fields) => {
                let field = |(name, value): &(Arc<str>, Value)| name.len() + 4 + value.bytes();
                2 + fields.iter().map(field).sum::<usize>()
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_values_are_null_and_count_zero() {
        let value = Value::map([(
            "list",
            Value::from(vec![Value::from("a"), Value::from(2.0)]),
        )]);
        assert_eq!(value.get("list").get("1"), &Value::Number(2.0));
        assert_eq!(value.get("list").get("7"), &Value::Null);
        assert_eq!(value.get("other").get("x").number(), 0.0);
        assert_eq!(value.get("list").len(), 2);
        assert_eq!(Value::from("12.5").number(), 12.5);
        assert_eq!(Value::Number(-3.0).number(), 0.0);
        assert_eq!(Value::Number(f64::NAN).number(), 0.0);
    }
}
