//! The implementation of `k6/html` without the script engine: pages, selections, elements, forms.
//!
//! Scripts use [`Selection`]; [`Document`] has the methods of single elements, and [`property`] the accessors
//! that depend on an element's tag.

mod data;
mod document;
mod element;
mod form;
mod href;
mod parse;
mod property;
mod render;
mod selection;
mod selector;

pub use document::{Attribute, Document, ElementData, Namespace, NodeData, NodeId};
pub use form::{FormValue, NavigationError, Submission};
pub use property::{Property, property, property_names};
pub use selection::{Query, Selection, Walk};
pub use selector::{Selector, SelectorError};

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
