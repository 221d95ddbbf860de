//! The result of `parseHTML` and `response.html()`: an ordered set of nodes with methods to get to others, with
//! the semantics (and the order of results) of Go's goquery.

use std::collections::HashSet;
use std::sync::Arc;

use url::Url;

use super::document::{Document, NodeId};
use super::selector::Selector;

/// Nodes of one document without duplicates, and the selection that they come from.
#[derive(Debug, Clone)]
pub struct Selection {
    document: Arc<Document>,
    nodes: Vec<NodeId>,
    previous: Option<Arc<Selection>>,
}

/// A filter of a selection or the end of a walk: a selector or other nodes of the same document.
#[derive(Debug, Clone)]
pub enum Query {
    Selector(Selector),
    Nodes(Vec<NodeId>),
}

impl Query {
    /// A selector; an invalid one matches nothing, as in goquery.
    #[must_use]
    pub fn selector(text: &str) -> Self {
        Selector::parse(text).map_or(Self::Nodes(Vec::new()), Self::Selector)
    }

    fn matches(&self, document: &Document, id: NodeId) -> bool {
        match self {
            Self::Selector(selector) => selector.matches(document, id),
            Self::Nodes(nodes) => nodes.contains(&id),
        }
    }
}

impl From<&Selection> for Query {
    fn from(selection: &Selection) -> Self {
        Self::Nodes(selection.nodes.clone())
    }
}

/// The direction of a walk from each node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    Parents,
    NextSiblings,
    PreviousSiblings,
}

impl Walk {
    fn from(self, document: &Document, id: NodeId) -> Box<dyn Iterator<Item = NodeId> + '_> {
        match self {
            Self::Parents => Box::new(
                document
                    .ancestors(id)
                    .filter(|node| document.is_element(*node)),
            ),
            Self::NextSiblings => Box::new(document.next_elements(id)),
            Self::PreviousSiblings => Box::new(document.previous_elements(id)),
        }
    }
}

impl Selection {
    /// Parses a text and selects its document node.
    #[must_use]
    pub fn parse(source: &str) -> Self {
        Self::of_page(source, None)
    }

    /// The same for the page with this URL, to which its links are relative.
    #[must_use]
    pub fn of_page(source: &str, url: Option<Url>) -> Self {
        let document = Document::parse(source, url);
        let nodes = vec![document.root()];
        Self {
            document,
            nodes,
            previous: None,
        }
    }

    /// Selects one node.
    #[must_use]
    pub fn of(document: Arc<Document>, node: NodeId) -> Self {
        Self {
            document,
            nodes: vec![node],
            previous: None,
        }
    }

    #[must_use]
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// The nodes, in order.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    #[must_use]
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// `get(index)`: the node at an index, which counts from the end if negative.
    #[must_use]
    pub fn get(&self, index: i64) -> Option<NodeId> {
        // As in k6, the first node cannot be counted from the end.
        let size = i64::try_from(self.nodes.len()).ok()?;
        if index.checked_neg() == Some(size) {
            return None;
        }
        self.place(index).map(|place| self.nodes[place])
    }

    fn place(&self, index: i64) -> Option<usize> {
        let size = i64::try_from(self.nodes.len()).ok()?;
        let place = if index < 0 {
            index.checked_add(size)?
        } else {
            index
        };
        (0..size)
            .contains(&place)
            .then_some(usize::try_from(place).ok()?)
    }

    /// A selection that `end()` leads back from.
    #[must_use]
    pub fn with_nodes(&self, nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let mut seen = HashSet::new();
        let nodes = nodes
            .into_iter()
            .filter(|node| seen.insert(*node))
            .collect();
        Self {
            document: Arc::clone(&self.document),
            nodes,
            previous: Some(Arc::new(self.clone())),
        }
    }

    fn each_to<I: IntoIterator<Item = NodeId>>(&self, step: impl Fn(NodeId) -> I) -> Self {
        self.with_nodes(
            self.nodes
                .iter()
                .flat_map(|node| step(*node))
                .collect::<Vec<_>>(),
        )
    }

    fn retain(&self, keep: impl Fn(NodeId) -> bool) -> Self {
        self.with_nodes(self.nodes.iter().copied().filter(|node| keep(*node)))
    }

    fn narrow(&self, found: Self, filter: Option<&Query>) -> Self {
        let Some(query) = filter else { return found };
        let kept = found
            .nodes
            .iter()
            .copied()
            .filter(|node| query.matches(&self.document, *node));
        self.with_nodes(kept.collect::<Vec<_>>())
    }

    /// `end()`: the previous selection; `None` if it was parsed.
    #[must_use]
    pub fn end(&self) -> Self {
        self.previous.as_ref().map_or_else(
            || Self {
                document: Arc::clone(&self.document),
                nodes: Vec::new(),
                previous: None,
            },
            |previous| previous.as_ref().clone(),
        )
    }

    /// `find(query)`: below each node.
    #[must_use]
    pub fn find(&self, query: &Query) -> Self {
        match query {
            Query::Selector(selector) => {
                self.each_to(|node| selector.find(&self.document, node).collect::<Vec<_>>())
            }
            Query::Nodes(nodes) => {
                let inside = |inner: &NodeId| {
                    self.nodes
                        .iter()
                        .any(|node| self.document.contains(*node, *inner))
                };
                self.with_nodes(nodes.iter().copied().filter(inside))
            }
        }
    }

    /// `add(query)`: adds nodes; a selector applies to the whole document.
    #[must_use]
    pub fn add(&self, query: &Query) -> Self {
        let more: Vec<NodeId> = match query {
            Query::Selector(selector) => selector
                .find(&self.document, self.document.root())
                .collect(),
            Query::Nodes(nodes) => nodes.clone(),
        };
        self.with_nodes(self.nodes.iter().copied().chain(more))
    }

    #[must_use]
    pub fn filter(&self, query: &Query) -> Self {
        self.retain(|node| query.matches(&self.document, node))
    }

    #[must_use]
    pub fn not(&self, query: &Query) -> Self {
        self.retain(|node| !query.matches(&self.document, node))
    }

    /// `is(query)`: whether any node matches.
    #[must_use]
    pub fn is(&self, query: &Query) -> bool {
        self.nodes
            .iter()
            .any(|node| query.matches(&self.document, *node))
    }

    /// `has(query)`: the nodes with a matching descendant.
    #[must_use]
    pub fn has(&self, query: &Query) -> Self {
        self.retain(|node| match query {
            Query::Selector(selector) => selector.find(&self.document, node).next().is_some(),
            Query::Nodes(nodes) => nodes
                .iter()
                .any(|inner| self.document.contains(node, *inner)),
        })
    }

    /// `closest(query)`: for each node the nearest matching ancestor, beginning with itself.
    #[must_use]
    pub fn closest(&self, query: &Query) -> Self {
        self.each_to(|node| {
            let mut upwards = std::iter::once(node).chain(self.document.ancestors(node));
            upwards.find(|node| query.matches(&self.document, *node))
        })
    }

    /// `eq(index)`; also `first()` (0) and `last()` (-1).
    #[must_use]
    pub fn eq(&self, index: i64) -> Self {
        self.with_nodes(self.get(index))
    }

    /// `slice(start, end)`; both count from the end if negative. Out of range is empty (k6 crashes).
    #[must_use]
    pub fn slice(&self, start: i64, end: Option<i64>) -> Self {
        let size = i64::try_from(self.nodes.len()).unwrap_or(i64::MAX);
        let absolute = |index: i64| {
            if index < 0 {
                index.saturating_add(size)
            } else {
                index
            }
            .clamp(0, size)
        };
        let (start, end) = (absolute(start), end.map_or(size, absolute));
        let count = usize::try_from(end - start).unwrap_or(0);
        let nodes = self
            .nodes
            .iter()
            .copied()
            .skip(usize::try_from(start).unwrap_or(0))
            .take(count);
        self.with_nodes(nodes.collect::<Vec<_>>())
    }

    /// `index()`: the place of the first node among its element siblings, -1 for none.
    #[must_use]
    pub fn index(&self) -> i64 {
        self.nodes.first().map_or(-1, |first| {
            self.document.previous_elements(*first).count() as i64
        })
    }

    /// `index(selector)`: the place of the first node among the document's matches of the selector;
    /// `index(selection)`: the place of that selection's first node in this one. -1 for none.
    #[must_use]
    pub fn index_of(&self, query: &Query) -> i64 {
        let place = match query {
            Query::Selector(selector) => self.nodes.first().and_then(|first| {
                selector
                    .find(&self.document, self.document.root())
                    .position(|node| node == *first)
            }),
            Query::Nodes(nodes) => nodes
                .first()
                .and_then(|first| self.nodes.iter().position(|node| node == first)),
        };
        place.map_or(-1, |place| place as i64)
    }

    /// `contents()`: all children, also text and comments.
    #[must_use]
    pub fn contents(&self) -> Self {
        self.each_to(|node| self.document.children(node).collect::<Vec<_>>())
    }

    #[must_use]
    pub fn children(&self, filter: Option<&Query>) -> Self {
        let found = self.each_to(|node| self.document.child_elements(node).collect::<Vec<_>>());
        self.narrow(found, filter)
    }

    #[must_use]
    pub fn siblings(&self, filter: Option<&Query>) -> Self {
        let found = self.each_to(|node| {
            let parent = self.document.parent(node);
            let all = parent
                .into_iter()
                .flat_map(|parent| self.document.child_elements(parent));
            all.filter(|sibling| *sibling != node).collect::<Vec<_>>()
        });
        self.narrow(found, filter)
    }

    /// `parent()`, `next()`, `prev()`: one step of a walk.
    #[must_use]
    pub fn step(&self, walk: Walk, filter: Option<&Query>) -> Self {
        self.narrow(
            self.each_to(|node| walk.from(&self.document, node).next()),
            filter,
        )
    }

    /// `parents()`, `nextAll()`, `prevAll()` and, with `until`, the `…Until()` forms: the whole walk, up to but
    /// without the match of `until`.
    #[must_use]
    pub fn walk(&self, walk: Walk, until: Option<&Query>, filter: Option<&Query>) -> Self {
        let goes_on =
            |node: &NodeId| !until.is_some_and(|query| query.matches(&self.document, *node));
        let found = self.each_to(|node| {
            walk.from(&self.document, node)
                .take_while(goes_on)
                .collect::<Vec<_>>()
        });
        self.narrow(found, filter)
    }

    /// `text()`: the text of all nodes.
    #[must_use]
    pub fn text(&self) -> String {
        self.nodes
            .iter()
            .map(|node| self.document.text(*node))
            .collect()
    }

    /// `html()`: the markup inside the first node; empty without one.
    #[must_use]
    pub fn html(&self) -> String {
        self.nodes
            .first()
            .map(|node| self.document.inner_html(*node))
            .unwrap_or_default()
    }

    /// `attr(name)` of the first node.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.document.attribute(*self.nodes.first()?, name)
    }
}
