//! The DOM-like methods that every node has in k6, by node of a document.

use super::document::{Document, NodeData, NodeId};
use super::selector::Selector;

impl Document {
    /// `nodeName()`: the tag, or `#text`, `#comment`, `#document`, or a doctype's name.
    #[must_use]
    pub fn node_name(&self, id: NodeId) -> &str {
        match self.data(id) {
            NodeData::Document => "#document",
            NodeData::Doctype { name, .. } => name,
            NodeData::Comment(_) => "#comment",
            NodeData::Text(_) => "#text",
            NodeData::Element(element) => &element.name,
        }
    }

    /// `nodeType()`: the number of the DOM standard.
    #[must_use]
    pub fn node_type(&self, id: NodeId) -> u8 {
        match self.data(id) {
            NodeData::Element(_) => 1,
            NodeData::Text(_) => 3,
            NodeData::Comment(_) => 8,
            NodeData::Document => 9,
            NodeData::Doctype { .. } => 10,
        }
    }

    /// `nodeValue()`: a text's text; empty for a comment, as in k6; `None` for others.
    #[must_use]
    pub fn node_value(&self, id: NodeId) -> Option<&str> {
        match self.data(id) {
            NodeData::Text(text) => Some(text),
            NodeData::Comment(_) => Some(""),
            _ => None,
        }
    }

    /// `classList()`: the classes in source order.
    pub fn class_list(&self, id: NodeId) -> impl Iterator<Item = &str> {
        self.attribute(id, "class")
            .unwrap_or_default()
            .split_whitespace()
    }

    /// `parentElement()`.
    #[must_use]
    pub fn parent_element(&self, id: NodeId) -> Option<NodeId> {
        self.parent(id).filter(|parent| self.is_element(*parent))
    }

    /// `namespaceURI()`.
    #[must_use]
    pub fn namespace_uri(&self, id: NodeId) -> &'static str {
        self.element(id)
            .map_or("", |element| element.namespace.uri())
    }

    /// `isEqualNode(other)`: same name, attributes and markup.
    #[must_use]
    pub fn is_equal(&self, id: NodeId, other_document: &Self, other: NodeId) -> bool {
        self.data(id) == other_document.data(other)
            && self.inner_html(id) == other_document.inner_html(other)
    }

    /// `getElementsByClassName(class)`: below `id`. As in k6, the text is a selector after a dot, so several
    /// classes find nothing.
    #[must_use]
    pub fn elements_by_class(&self, id: NodeId, class: &str) -> Vec<NodeId> {
        self.query_all(id, &format!(".{class}"))
    }

    /// `getElementsByTagName`, `querySelectorAll`: below `id`; nothing if the selector is invalid.
    #[must_use]
    pub fn query_all(&self, id: NodeId, selector: &str) -> Vec<NodeId> {
        Selector::parse(selector)
            .map_or_else(|_| Vec::new(), |selector| selector.find(self, id).collect())
    }

    /// `querySelector`.
    #[must_use]
    pub fn query(&self, id: NodeId, selector: &str) -> Option<NodeId> {
        Selector::parse(selector).ok()?.find(self, id).next()
    }

    /// `matches(selector)`.
    #[must_use]
    pub fn is_matched(&self, id: NodeId, selector: &str) -> bool {
        Selector::parse(selector).is_ok_and(|selector| selector.matches(self, id))
    }
}
