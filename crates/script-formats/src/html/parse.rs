//! Parses source text to a [`Document`], with html5ever's tree builder.

use std::borrow::Cow;
use std::cell::{Ref, RefCell};

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{Attribute as ParsedAttribute, ParseOpts, QualName, ns, parse_document};

use super::document::{Attribute, Document, ElementData, Namespace, NodeData, NodeId};

pub(super) fn parse(source: &str) -> Document {
    parse_document(Sink::default(), ParseOpts::default()).one(source)
}

struct Sink {
    document: RefCell<Document>,
    names: RefCell<Vec<Option<QualName>>>,
}

impl Default for Sink {
    fn default() -> Self {
        Self {
            document: RefCell::new(Document::empty()),
            names: RefCell::new(vec![None]),
        }
    }
}

impl Sink {
    fn create(&self, data: NodeData, name: Option<QualName>) -> NodeId {
        self.names.borrow_mut().push(name);
        self.document.borrow_mut().create(data)
    }

    fn detach(&self, id: NodeId) {
        let mut document = self.document.borrow_mut();
        let node = document.node_mut(id);
        let (parent, previous, next) = (node.parent.take(), node.previous.take(), node.next.take());
        match (previous, parent) {
            (Some(previous), _) => document.node_mut(previous).next = next,
            (None, Some(parent)) => document.node_mut(parent).first = next,
            (None, None) => {}
        }
        match (next, parent) {
            (Some(next), _) => document.node_mut(next).previous = previous,
            (None, Some(parent)) => document.node_mut(parent).last = previous,
            (None, None) => {}
        }
    }

    fn attach(&self, parent: NodeId, child: NodeId, before: Option<NodeId>) {
        self.detach(child);
        let mut document = self.document.borrow_mut();
        let previous = match before {
            Some(before) => document.node_mut(before).previous.replace(child),
            None => document.node_mut(parent).last.replace(child),
        };
        let node = document.node_mut(child);
        (node.parent, node.previous, node.next) = (Some(parent), previous, before);
        match previous {
            Some(previous) => document.node_mut(previous).next = Some(child),
            None => document.node_mut(parent).first = Some(child),
        }
    }

    /// Adds a node, or appends text to the last text node.
    fn insert(&self, parent: NodeId, child: NodeOrText<NodeId>, before: Option<NodeId>) {
        match child {
            NodeOrText::AppendNode(node) => self.attach(parent, node, before),
            NodeOrText::AppendText(text) => {
                let neighbour = {
                    let document = self.document.borrow();
                    before.map_or(document.node(parent).last, |before| {
                        document.node(before).previous
                    })
                };
                if let Some(neighbour) = neighbour
                    && let NodeData::Text(old) =
                        &mut self.document.borrow_mut().node_mut(neighbour).data
                {
                    old.push_str(&text);
                    return;
                }
                let node = self.create(NodeData::Text(text.to_string()), None);
                self.attach(parent, node, before);
            }
        }
    }
}

fn attribute(parsed: ParsedAttribute) -> Attribute {
    Attribute {
        prefix: parsed.name.prefix.map(|prefix| prefix.to_string()),
        name: parsed.name.local.to_string(),
        value: parsed.value.to_string(),
    }
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = Document;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Document {
        self.document.into_inner()
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> NodeId {
        NodeId(0)
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Ref<'a, QualName> {
        Ref::map(self.names.borrow(), |names| {
            names[target.0 as usize]
                .as_ref()
                .expect("the tree builder asks for names of elements only")
        })
    }

    fn create_element(
        &self,
        name: QualName,
        attributes: Vec<ParsedAttribute>,
        _: ElementFlags,
    ) -> NodeId {
        let namespace = match name.ns {
            ns!(svg) => Namespace::Svg,
            ns!(mathml) => Namespace::MathMl,
            _ => Namespace::Html,
        };
        let attributes = attributes.into_iter().map(attribute).collect();
        let element = ElementData {
            name: name.local.to_string(),
            namespace,
            attributes,
        };
        self.create(NodeData::Element(element), Some(name))
    }

    fn create_comment(&self, text: StrTendril) -> NodeId {
        self.create(NodeData::Comment(text.to_string()), None)
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> NodeId {
        self.create(NodeData::Comment(format!("?{target} {data}")), None)
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        self.insert(*parent, child, None);
    }

    fn append_based_on_parent_node(
        &self,
        element: &NodeId,
        previous: &NodeId,
        child: NodeOrText<NodeId>,
    ) {
        let parent = self.document.borrow().parent(*element);
        match parent {
            Some(parent) => self.insert(parent, child, Some(*element)),
            None => self.insert(*previous, child, None),
        }
    }

    fn append_doctype_to_document(
        &self,
        name: StrTendril,
        public_id: StrTendril,
        system_id: StrTendril,
    ) {
        let (name, public_id) = (name.to_string(), public_id.to_string());
        let doctype = NodeData::Doctype {
            name,
            public_id,
            system_id: system_id.to_string(),
        };
        let node = self.create(doctype, None);
        self.attach(NodeId(0), node, None);
    }

    /// The content of a template becomes its children, as in Go's parser.
    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        *target
    }

    fn same_node(&self, x: &NodeId, y: &NodeId) -> bool {
        x == y
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &NodeId, child: NodeOrText<NodeId>) {
        let parent = self.document.borrow().parent(*sibling);
        if let Some(parent) = parent {
            self.insert(parent, child, Some(*sibling));
        }
    }

    fn add_attrs_if_missing(&self, target: &NodeId, attributes: Vec<ParsedAttribute>) {
        if let NodeData::Element(element) = &mut self.document.borrow_mut().node_mut(*target).data {
            for new in attributes.into_iter().map(attribute) {
                if element.attribute(&new.name).is_none() {
                    element.attributes.push(new);
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &NodeId) {
        self.detach(*target);
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        let children: Vec<NodeId> = self.document.borrow().children(*node).collect();
        for child in children {
            self.attach(*new_parent, child, None);
        }
    }
}
