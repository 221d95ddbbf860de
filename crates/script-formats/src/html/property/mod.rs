//! The accessors of elements by tag, as a table: `a.href()`, `input.maxLength()`, `table.rows()`. Names,
//! defaults and the values of enumerated attributes are k6's, even where the HTML standard differs.

mod compute;
mod reflect;
mod table;

use super::document::{Document, NodeId};
use reflect::reflected;
use table::{Read, entries};

/// The result of an accessor.
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

/// The names of the accessors of elements with this tag, besides the common ones.
pub fn property_names(tag: &str) -> impl Iterator<Item = &'static str> {
    entries(tag).map(|(name, _)| *name)
}

/// The value of an accessor; `None` if elements with this tag do not have it.
#[must_use]
pub fn property(document: &Document, id: NodeId, name: &str) -> Option<Property> {
    let mut all = entries(document.tag(id));
    let (_, read) = all.find(|(known, _)| *known == name)?;
    Some(match read {
        Read::Attribute(attribute, reflect) => {
            reflected(document.attribute(id, attribute), *reflect)
        }
        Read::Target(attribute) => {
            Property::Text(document.target(id, attribute).unwrap_or_default())
        }
        Read::Computed(compute) => compute(document, id),
    })
}
