//! A parsed page: a tree of nodes in one vector, immutable once parsed.
//!
//! All walks are loops, not recursion: pages may nest deeper than a stack allows.

use std::sync::Arc;

use url::Url;

use super::href::Href;

/// The place of a node in its [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

/// The namespaces that the HTML syntax can produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    Html,
    Svg,
    MathMl,
}

impl Namespace {
    /// The URI as `namespaceURI` shows it.
    #[must_use]
    pub fn uri(self) -> &'static str {
        match self {
            Self::Html => "http://www.w3.org/1999/xhtml",
            Self::Svg => "http://www.w3.org/2000/svg",
            Self::MathMl => "http://www.w3.org/1998/Math/MathML",
        }
    }
}

/// One attribute; `prefix` is for foreign ones such as `xlink:href`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub prefix: Option<String>,
    pub name: String,
    pub value: String,
}

/// An element's name and attributes, the attributes in source order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementData {
    pub name: String,
    pub namespace: Namespace,
    pub attributes: Vec<Attribute>,
}

impl ElementData {
    /// The value of the attribute `name` (lower case).
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }
}

/// The kind of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeData {
    Document,
    Doctype {
        name: String,
        public_id: String,
        system_id: String,
    },
    Comment(String),
    Text(String),
    Element(ElementData),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) data: NodeData,
    pub(super) parent: Option<NodeId>,
    pub(super) previous: Option<NodeId>,
    pub(super) next: Option<NodeId>,
    pub(super) first: Option<NodeId>,
    pub(super) last: Option<NodeId>,
}

/// A page. Node 0 is the document itself.
#[derive(Debug)]
pub struct Document {
    pub(super) nodes: Vec<Node>,
    /// The URL of the page. `None` for a text that no response brought.
    url: Option<Url>,
}

/// A step of [`Document::traverse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Enter(NodeId),
    Leave(NodeId),
}

impl Document {
    /// Parses a page as browsers with scripting do; every text is a page.
    #[must_use]
    pub fn parse(source: &str, url: Option<Url>) -> Arc<Self> {
        let mut document = super::parse::parse(source);
        document.url = url;
        Arc::new(document)
    }

    /// The target that an attribute names, as a full URL if the page has one. `None` without the attribute.
    #[must_use]
    pub fn target(&self, id: NodeId, attribute: &str) -> Option<String> {
        let written = self.attribute(id, attribute)?;
        let is_full = !Href::parse(written).scheme.is_empty();
        let page = self.url.as_ref().filter(|_| !is_full);
        let target = page.and_then(|page| page.join(written).ok());
        Some(target.map_or_else(|| written.to_owned(), String::from))
    }

    pub(super) fn empty() -> Self {
        let mut document = Self {
            nodes: Vec::new(),
            url: None,
        };
        document.create(NodeData::Document);
        document
    }

    pub(super) fn create(&mut self, data: NodeData) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("a page has fewer than 2^32 nodes"));
        self.nodes.push(Node {
            data,
            parent: None,
            previous: None,
            next: None,
            first: None,
            last: None,
        });
        id
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    /// The document node.
    #[must_use]
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    #[must_use]
    pub fn data(&self, id: NodeId) -> &NodeData {
        &self.node(id).data
    }

    /// The element at `id`, if it is one.
    #[must_use]
    pub fn element(&self, id: NodeId) -> Option<&ElementData> {
        match self.data(id) {
            NodeData::Element(element) => Some(element),
            _ => None,
        }
    }

    #[must_use]
    pub fn is_element(&self, id: NodeId) -> bool {
        self.element(id).is_some()
    }

    /// The tag name at `id`, empty if it is not an element.
    #[must_use]
    pub fn tag(&self, id: NodeId) -> &str {
        self.element(id).map_or("", |element| element.name.as_str())
    }

    #[must_use]
    pub fn attribute(&self, id: NodeId, name: &str) -> Option<&str> {
        self.element(id)?.attribute(name)
    }

    #[must_use]
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).parent
    }

    #[must_use]
    pub fn next(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).next
    }

    #[must_use]
    pub fn previous(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).previous
    }

    #[must_use]
    pub fn first_child(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).first
    }

    #[must_use]
    pub fn last_child(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).last
    }

    /// All children, in order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.first_child(id), |child| self.next(*child))
    }

    /// The children that are elements, in order.
    pub fn child_elements(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.children(id).filter(|child| self.is_element(*child))
    }

    /// Parent, grandparent and so on, up to the document node.
    pub fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.parent(id), |node| self.parent(*node))
    }

    /// The element siblings after `id`, nearest first.
    pub fn next_elements(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.next(id), |node| self.next(*node))
            .filter(|node| self.is_element(*node))
    }

    /// The element siblings before `id`, nearest first.
    pub fn previous_elements(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.previous(id), |node| self.previous(*node))
            .filter(|node| self.is_element(*node))
    }

    /// The whole tree from `id` on, each node once on entry and once on exit.
    pub fn traverse(&self, id: NodeId) -> impl Iterator<Item = Step> + '_ {
        let mut next = Some(Step::Enter(id));
        std::iter::from_fn(move || {
            let step = next?;
            next = match step {
                Step::Enter(node) => Some(
                    self.first_child(node)
                        .map_or(Step::Leave(node), Step::Enter),
                ),
                Step::Leave(node) if node == id => None,
                Step::Leave(node) => match self.next(node) {
                    Some(sibling) => Some(Step::Enter(sibling)),
                    None => self.parent(node).map(Step::Leave),
                },
            };
            Some(step)
        })
    }

    /// All nodes below `id`, in document order.
    pub fn descendants(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.traverse(id).skip(1).filter_map(|step| match step {
            Step::Enter(node) => Some(node),
            Step::Leave(_) => None,
        })
    }

    /// All text in and below a node.
    #[must_use]
    pub fn text(&self, id: NodeId) -> String {
        let mut text = String::new();
        for step in self.traverse(id) {
            if let Step::Enter(node) = step
                && let NodeData::Text(part) = self.data(node)
            {
                text.push_str(part);
            }
        }
        text
    }

    /// The first ancestor with this tag.
    #[must_use]
    pub fn closest_tag(&self, id: NodeId, tag: &str) -> Option<NodeId> {
        self.ancestors(id).find(|node| self.tag(*node) == tag)
    }

    /// Whether `inner` lies below `outer`.
    #[must_use]
    pub fn contains(&self, outer: NodeId, inner: NodeId) -> bool {
        self.ancestors(inner).any(|node| node == outer)
    }
}
