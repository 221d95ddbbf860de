//! Expressions: numbers that a file may derive from a request.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// Maximum nesting depth of expressions.
const MAX_DEPTH: usize = 8;
/// Maximum number of characters of an expression.
const MAX_CHARS: usize = 200;

/// A number, a place in the request, or one of four functions; nothing else, so that the bounds of its
/// fields bound the cost of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Number(f64),
    /// The value at a place: a number, the text of a choice, 1 for true.
    Value(Place),
    /// Items of a list, or characters of a text.
    Length(Place),
    /// Size of a value as JSON, in kB of 1 000 B.
    Kilobytes(Place),
    /// The number of rows of a store at the time of the request.
    Rows(String),
    /// Binary logarithm; 0 for values below 1.
    Log2(Box<Expression>),
}

/// A place in the request, such as `body.user.name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub source: Source,
    /// Names from the source down; empty for the whole source.
    pub names: Vec<String>,
}

/// The source of a [`Place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The JSON body.
    Body,
    /// A parameter of the route, such as `{id}`.
    Path,
    /// A query parameter.
    Query,
    /// The content of the store entry, after `state: { require: .. }` or `read`.
    State,
    /// The current item of an `each` step.
    Item,
}

impl Source {
    const ALL: [(&'static str, Self); 5] = [
        ("body", Self::Body),
        ("path", Self::Path),
        ("query", Self::Query),
        ("state", Self::State),
        ("item", Self::Item),
    ];

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, source)| *source == self)
            .map_or("", |(name, _)| name)
    }
}

impl Expression {
    /// The place that the expression reads, if any.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Value(place) | Self::Length(place) | Self::Kilobytes(place) => Some(place),
            Self::Log2(inner) => inner.place(),
            Self::Number(_) | Self::Rows(_) => None,
        }
    }

    /// The store whose rows the expression counts, if any.
    pub fn store(&self) -> Option<&str> {
        match self {
            Self::Rows(store) => Some(store),
            Self::Log2(inner) => inner.store(),
            _ => None,
        }
    }

    fn parse(text: &str, depth: usize) -> Result<Self, String> {
        let text = text.trim();
        if depth > MAX_DEPTH {
            return Err(format!("is nested more than {MAX_DEPTH} deep"));
        }
        if let Ok(number) = text.parse::<f64>() {
            return if number.is_finite() {
                Ok(Self::Number(number))
            } else {
                Err(format!("`{text}` is not a finite number"))
            };
        }
        let Some((function, rest)) = text.split_once('(') else {
            let place: Result<Place, String> = text.parse();
            return match place {
                Err(_) if Place::source_of(text).is_none() => Err(format!(
                    "`{text}` is not an expression; use a number, body.x, path.x, query.x, state.x, \
                     item.x, len(path), kb(path), rows(store) or log2(expression)"
                )),
                place => place.map(Self::Value),
            };
        };
        let Some(inner) = rest.strip_suffix(')') else {
            return Err(format!("`{text}` lacks its closing bracket"));
        };
        match function.trim() {
            "len" => inner.parse().map(Self::Length),
            "kb" => inner.parse().map(Self::Kilobytes),
            "rows" if is_name(inner.trim()) => Ok(Self::Rows(inner.trim().to_owned())),
            "rows" => Err(format!("`{inner}` is not the name of a store")),
            "log2" => Ok(Self::Log2(Box::new(Self::parse(inner, depth + 1)?))),
            other => Err(format!(
                "unknown function `{other}`; known: len(path), kb(path), rows(store), log2(expression)"
            )),
        }
    }
}

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MAX_CHARS {
            return Err(format!("is longer than {MAX_CHARS} characters"));
        }
        Self::parse(text, 0)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let Some(source) = Self::source_of(text) else {
            return Err(format!(
                "`{text}` is not a place in the request; use body.x, path.x, query.x, state.x or item.x"
            ));
        };
        let names: Vec<String> = text.split('.').skip(1).map(str::to_owned).collect();
        if names.iter().any(|name| !is_name(name)) {
            return Err(format!("`{text}` has a part that is not a name"));
        }
        Ok(Self { source, names })
    }
}

impl Place {
    /// The source that the first name denotes.
    fn source_of(text: &str) -> Option<Source> {
        let first = text.split('.').next().unwrap_or_default();
        let mut all = Source::ALL.iter();
        all.find(|(name, _)| *name == first)
            .map(|(_, source)| *source)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.source.name())?;
        self.names.iter().try_for_each(|name| write!(f, ".{name}"))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Value(place) => write!(f, "{place}"),
            Self::Length(place) => write!(f, "len({place})"),
            Self::Kilobytes(place) => write!(f, "kb({place})"),
            Self::Rows(store) => write!(f, "rows({store})"),
            Self::Log2(inner) => write!(f, "log2({inner})"),
        }
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Expression;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or an expression such as len(body.items)")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Expression, E> {
                Ok(Expression::Number(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Expression, E> {
                Ok(Expression::Number(value as f64))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Expression, E> {
                Ok(Expression::Number(value as f64))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Expression, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Expression {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, body.x, path.x, query.x, state.x, item.x, len(path), kb(path), rows(store) or log2(expression).",
            "type": ["number", "string"],
        })
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A place in the request: body.x, path.x, query.x, state.x or item.x.",
            "type": "string",
        })
    }
}

/// Letters, digits, `_` and `-`.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_read_back_as_they_were_written() {
        for text in [
            "3",
            "0.5",
            "body.complexity",
            "body.user.age",
            "path.id",
            "query.limit",
            "state.nodes",
            "item.type",
            "item",
            "len(body.targets)",
            "kb(body)",
            "rows(history)",
            "log2(rows(history))",
            "log2(log2(8))",
        ] {
            let expression: Expression = text.parse().expect(text);
            assert_eq!(expression.to_string(), text);
        }
    }

    #[test]
    fn an_invalid_expression_is_rejected_with_the_valid_forms() {
        for (text, part) in [
            ("", "is not an expression"),
            ("bdy.x", "is not an expression"),
            ("body.", "has a part that is not a name"),
            ("body..x", "has a part that is not a name"),
            ("len(body.x", "closing bracket"),
            ("sum(body.x)", "unknown function `sum`"),
            ("rows(a b)", "is not the name of a store"),
            ("body.x + 1", "has a part that is not a name"),
            ("inf", "not a finite number"),
            (
                "log2(log2(log2(log2(log2(log2(log2(log2(log2(log2(1))))))))))",
                "nested",
            ),
        ] {
            let error = text.parse::<Expression>().expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_place_says_what_places_there_are() {
        let error = "size".parse::<Place>().expect_err("no source");
        assert_eq!(
            error,
            "`size` is not a place in the request; use body.x, path.x, query.x, state.x or item.x"
        );
    }
}
