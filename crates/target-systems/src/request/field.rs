//! Fields of a request, as files name them: `body.items[].id`, `query.limit`, `items[]`.

use std::fmt;
use std::str::FromStr;

use serde_json::Value as Json;

use crate::document::{Place, Source, is_name};

/// A place, or many places: `[]` stands for every item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub source: Source,
    steps: Vec<FieldStep>,
}

/// A part of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldStep {
    Name(String),
    Items,
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (source, rest) = match text.split_once('.') {
            Some(("body", rest)) => (Source::Body, rest),
            Some(("query", rest)) => (Source::Query, rest),
            Some(("path", rest)) => (Source::Path, rest),
            _ => (Source::Body, text),
        };
        let mut steps = Vec::new();
        for part in rest.split('.') {
            let mut name = part;
            let mut lists = 0;
            while let Some(shorter) = name.strip_suffix("[]") {
                name = shorter;
                lists += 1;
            }
            if !is_name(name) {
                return Err(format!(
                    "`{text}` is not a field; write name, items[].name or query.name"
                ));
            }
            steps.push(FieldStep::Name(name.to_owned()));
            steps.extend((0..lists).map(|_| FieldStep::Items));
        }
        Ok(Self { source, steps })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Query => "query",
            Source::Path => "path",
            _ => "body",
        })?;
        self.steps.iter().try_for_each(|step| match step {
            FieldStep::Name(name) => write!(f, ".{name}"),
            FieldStep::Items => f.write_str("[]"),
        })
    }
}

/// A value to which a field refers.
#[derive(Debug, Clone)]
pub(super) struct Found<'a> {
    /// The place, such as `body.items[3].id`.
    pub path: String,
    /// `None`: the parent exists, but the field does not.
    pub value: Option<&'a Json>,
}

impl Field {
    /// The steps from the source on.
    pub(crate) fn steps(&self) -> &[FieldStep] {
        &self.steps
    }

    /// All values to which the field refers. Values in something that is absent are not listed, except for
    /// fields of the body itself.
    pub(super) fn find<'a>(&self, root: &'a Json) -> Vec<Found<'a>> {
        let name = match self.source {
            Source::Query => "query",
            Source::Path => "path",
            _ => "body",
        };
        let mut found = Vec::new();
        walk(Some(root), name.to_owned(), &self.steps, &mut found);
        found
    }

    /// Whether the field refers to this place, regardless of lists.
    pub fn is(&self, place: &Place) -> bool {
        self.source == place.source
            && self.steps.len() == place.names.len()
            && self
                .steps
                .iter()
                .zip(&place.names)
                .all(|(step, name)| matches!(step, FieldStep::Name(own) if own == name))
    }
}

fn walk<'a>(
    value: Option<&'a Json>,
    path: String,
    steps: &[FieldStep],
    found: &mut Vec<Found<'a>>,
) {
    let Some((step, rest)) = steps.split_first() else {
        return found.push(Found { path, value });
    };
    match step {
        FieldStep::Name(name) => {
            let path = format!("{path}.{name}");
            let inner = match value {
                Some(Json::Object(fields)) => fields.get(name),
                _ => None,
            };
            // Only the last name of a field is reported as missing, because its parent has its own rules.
            if inner.is_some() || rest.is_empty() {
                walk(inner, path, rest, found);
            }
        }
        FieldStep::Items => {
            let Some(Json::Array(items)) = value else {
                return;
            };
            for (index, item) in items.iter().enumerate() {
                walk(Some(item), format!("{path}[{index}]"), rest, found);
            }
        }
    }
}
