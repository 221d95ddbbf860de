//! The accessors that elements have by their tag, as a table: `a.href()`, `input.maxLength()`,
//! `table.rows()`. Names, defaults and the values that an enumerated attribute may have are k6's,
//! also where the HTML standard says otherwise.

mod compute;
mod reflect;
mod table;

use super::document::{Document, NodeId};
use reflect::reflected;
use table::{Read, entries};

/// What an accessor returns.
#[derive(Debug, Clone, PartialEq)]
pub enum Property {
    Undefined,
    Text(String),
    Number(f64),
    Bool(bool),
    Texts(Vec<String>),
    Element(NodeId),
    Elements(Vec<NodeId>),
}

/// The names of the accessors that elements of this tag have beyond the common ones.
pub fn property_names(tag: &str) -> impl Iterator<Item = &'static str> {
    entries(tag).map(|(name, _)| *name)
}

/// The value of an accessor; nothing if elements of this tag have no such one.
#[must_use]
pub fn property(document: &Document, id: NodeId, name: &str) -> Option<Property> {
    let mut all = entries(document.tag(id));
    let (_, read) = all.find(|(known, _)| *known == name)?;
    Some(match read {
        Read::Attribute(attribute, reflect) => {
            reflected(document.attribute(id, attribute), *reflect)
        }
        Read::Computed(compute) => compute(document, id),
    })
}
