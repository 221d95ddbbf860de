//! Single nodes: methods like those of the DOM, and the accessors of each tag.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::native::{Call, method, numbered_method};
use script_engine::own_methods;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Array, Ctx, Object, Value};
use script_formats::html::{Document, NodeId, Property, Selection, property, property_names};

use super::attribute;

/// The value of an element object.
pub(super) struct Element {
    pub(super) document: Arc<Document>,
    pub(super) node: NodeId,
}

impl Class for Element {
    const NAME: &'static CStr = c"Element";

    fn exotic() -> Exotic {
        own_methods::by_name()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        for (number, (name, _)) in READERS.iter().enumerate() {
            numbered_method(prototype, name, read, number as u16)?;
        }
        method(prototype, c"attributes", attribute::all)?;
        method(prototype, c"getAttributeNode", attribute::node)?;
        method(prototype, c"getAttribute", get_attribute)?;
        method(prototype, c"hasAttribute", has_attribute)?;
        method(prototype, c"getElementsByClassName", by_class)?;
        method(prototype, c"getElementsByTagName", query_all)?;
        method(prototype, c"querySelector", query)?;
        method(prototype, c"querySelectorAll", query_all)?;
        method(prototype, c"isEqualNode", is_equal)?;
        method(prototype, c"isSameNode", is_same)?;
        method(prototype, c"isDefaultNamespace", is_default_namespace)?;
        method(prototype, c"contains", contains)?;
        method(prototype, c"matches", matches)?;
        method(prototype, c"selection", selection)
    }
}

/// The script object of a node. Elements have the accessors of their tag.
pub(super) fn object<'js>(ctx: &Ctx<'js>, document: &Arc<Document>, node: NodeId) -> Outcome<'js> {
    let tag = document.tag(node).to_owned();
    let owned = Element {
        document: Arc::clone(document),
        node,
    };
    let object = class::new(ctx, owned)?;
    if property_names(&tag).next().is_some() {
        object.set_prototype(Some(&tag_prototype(ctx, &tag)?))?;
    }
    Ok(object.into_value())
}

/// The prototype of a tag's elements, made for the first of them.
fn tag_prototype<'js>(ctx: &Ctx<'js>, tag: &str) -> Result<Object<'js>, Throw> {
    let common = class::prototype::<Element>(ctx)?;
    let key = format!("\x01{tag}");
    if let Some(known) = common.get::<_, Option<Object<'js>>>(key.as_str())? {
        return Ok(known);
    }
    let made = Object::new(ctx.clone())?;
    made.set_prototype(Some(&common))?;
    for (number, name) in property_names(tag).enumerate() {
        let name = CString::new(name).unwrap_or_default();
        numbered_method(&made, &name, tag_property, number as u16)?;
    }
    let key = CString::new(key).unwrap_or_default();
    define(&common, &key, made.clone().into_value(), Visible::No)?;
    Ok(made)
}

/// An array of the script objects of nodes.
pub(super) fn list<'js>(
    ctx: &Ctx<'js>,
    document: &Arc<Document>,
    nodes: &[NodeId],
) -> Outcome<'js> {
    let array = Array::new(ctx.clone())?;
    for (index, node) in nodes.iter().enumerate() {
        array.set(index, object(ctx, document, *node)?)?;
    }
    Ok(array.into_value())
}

/// An array of texts.
pub(super) fn texts<'js, 'a>(ctx: &Ctx<'js>, texts: impl Iterator<Item = &'a str>) -> Outcome<'js> {
    let array = Array::new(ctx.clone())?;
    for (index, text) in texts.enumerate() {
        array.set(index, text)?;
    }
    Ok(array.into_value())
}

type Reader = fn(&Document, NodeId) -> Property;

fn text_or_undefined(text: Option<&str>) -> Property {
    text.map_or(Property::Undefined, |text| Property::Text(text.to_owned()))
}

fn node_or_undefined(node: Option<NodeId>) -> Property {
    node.map_or(Property::Undefined, Property::Element)
}

/// The methods without arguments of every node.
const READERS: &[(&CStr, Reader)] = &[
    (c"id", |d, n| {
        Property::Text(d.attribute(n, "id").unwrap_or_default().to_owned())
    }),
    (c"lang", |d, n| text_or_undefined(d.attribute(n, "lang"))),
    (c"className", |d, n| {
        text_or_undefined(d.attribute(n, "class"))
    }),
    (c"classList", |d, n| {
        Property::Texts(d.class_list(n).map(str::to_owned).collect())
    }),
    (c"innerHTML", |d, n| Property::Text(d.inner_html(n))),
    (c"textContent", |d, n| Property::Text(d.text(n))),
    (c"nodeName", |d, n| {
        Property::Text(d.node_name(n).to_owned())
    }),
    (c"nodeType", |d, n| {
        Property::Number(f64::from(d.node_type(n)))
    }),
    (c"nodeValue", |d, n| text_or_undefined(d.node_value(n))),
    (c"toString", |d, n| match d.tag(n) {
        // The text of a link is its target.
        "a" | "area" => Property::Text(d.target(n, "href").unwrap_or_default()),
        _ => Property::Text("[object html.Node]".to_owned()),
    }),
    (c"namespaceURI", |d, n| {
        Property::Text(d.namespace_uri(n).to_owned())
    }),
    (c"hasAttributes", |d, n| {
        Property::Bool(d.element(n).is_some_and(|e| !e.attributes.is_empty()))
    }),
    (c"hasChildNodes", |d, n| {
        Property::Bool(d.first_child(n).is_some())
    }),
    (c"childElementCount", |d, n| {
        Property::Number(d.child_elements(n).count() as f64)
    }),
    (c"firstChild", |d, n| node_or_undefined(d.first_child(n))),
    (c"lastChild", |d, n| node_or_undefined(d.last_child(n))),
    (c"nextSibling", |d, n| node_or_undefined(d.next(n))),
    (c"previousSibling", |d, n| node_or_undefined(d.previous(n))),
    (c"firstElementChild", |d, n| {
        node_or_undefined(d.child_elements(n).next())
    }),
    (c"lastElementChild", |d, n| {
        node_or_undefined(d.child_elements(n).last())
    }),
    (c"nextElementSibling", |d, n| {
        node_or_undefined(d.next_elements(n).next())
    }),
    (c"previousElementSibling", |d, n| {
        node_or_undefined(d.previous_elements(n).next())
    }),
    (c"parentNode", |d, n| node_or_undefined(d.parent(n))),
    (c"parentElement", |d, n| {
        node_or_undefined(d.parent_element(n))
    }),
    (c"ownerDocument", |d, _| Property::Element(d.root())),
    (c"childNodes", |d, n| {
        Property::Elements(d.children(n).collect())
    }),
    (c"children", |d, n| {
        Property::Elements(d.child_elements(n).collect())
    }),
];

/// Calls `act` with the element that is `this`.
pub(super) fn this<R>(
    call: &Call<'_, '_>,
    act: impl FnOnce(&Element) -> Result<R, Throw>,
) -> Result<R, Throw> {
    let value = call.this();
    let element = class::of::<Element>(&value);
    act(element.ok_or_else(|| Throw::Type("this is not an element".to_owned()))?)
}

fn read<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (_, reader) = READERS[usize::from(call.number())];
    let (value, document) = this(call, |element| {
        Ok((
            reader(&element.document, element.node),
            Arc::clone(&element.document),
        ))
    })?;
    show(call, value, &document)
}

fn tag_property<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (value, document) = this(call, |element| {
        let tag = element.document.tag(element.node);
        let name = property_names(tag).nth(usize::from(call.number()));
        let value = name.and_then(|name| property(&element.document, element.node, name));
        Ok((
            value.unwrap_or(Property::Undefined),
            Arc::clone(&element.document),
        ))
    })?;
    show(call, value, &document)
}

fn show<'js>(call: &Call<'_, 'js>, value: Property, document: &Arc<Document>) -> Outcome<'js> {
    match value {
        Property::Undefined => Ok(call.undefined()),
        Property::Text(text) => call.string(&text),
        Property::Number(number) => Ok(convert::number(call.ctx, number)),
        Property::Bool(flag) => Ok(call.bool(flag)),
        Property::Texts(list) => texts(call.ctx, list.iter().map(String::as_str)),
        Property::Element(node) => object(call.ctx, document, node),
        Property::Elements(nodes) => list(call.ctx, document, &nodes),
    }
}

fn get_attribute<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = call.text(0)?;
    let value = this(call, |element| {
        Ok(element
            .document
            .attribute(element.node, &name)
            .map(str::to_owned))
    })?;
    value.map_or(Ok(call.undefined()), |value| call.string(&value))
}

fn has_attribute<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = call.text(0)?;
    let has = this(call, |element| {
        Ok(element.document.attribute(element.node, &name).is_some())
    })?;
    Ok(call.bool(has))
}

/// The script objects of the nodes that `search` finds from this element.
fn found<'js>(
    call: &Call<'_, 'js>,
    search: fn(&Document, NodeId, &str) -> Vec<NodeId>,
) -> Result<(Vec<NodeId>, Arc<Document>), Throw> {
    let what = call.text(0)?;
    this(call, |element| {
        Ok((
            search(&element.document, element.node, &what),
            Arc::clone(&element.document),
        ))
    })
}

fn by_class<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (nodes, document) = found(call, Document::elements_by_class)?;
    list(call.ctx, &document, &nodes)
}

fn query_all<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (nodes, document) = found(call, Document::query_all)?;
    list(call.ctx, &document, &nodes)
}

fn query<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let first = |document: &Document, node: NodeId, what: &str| {
        document.query(node, what).into_iter().collect()
    };
    let (nodes, document) = found(call, first)?;
    match nodes.first() {
        Some(node) => object(call.ctx, &document, *node),
        None => Ok(call.undefined()),
    }
}

fn matches<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let selector = call.text(0)?;
    let matches = this(call, |element| {
        Ok(element.document.is_matched(element.node, &selector))
    })?;
    Ok(call.bool(matches))
}

/// Compares this element with the one that is the first argument.
fn compare<'js>(
    call: &Call<'_, 'js>,
    compare: impl FnOnce(&Element, &Element) -> bool,
) -> Outcome<'js> {
    let other: Value<'js> = call.arg(0);
    let other = class::of::<Element>(&other);
    let result = this(call, |element| {
        Ok(other.is_some_and(|other| compare(element, other)))
    })?;
    Ok(call.bool(result))
}

fn is_equal<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    compare(call, |one, other| {
        one.document.is_equal(one.node, &other.document, other.node)
    })
}

fn is_same<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    compare(call, |one, other| {
        Arc::ptr_eq(&one.document, &other.document) && one.node == other.node
    })
}

fn contains<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    compare(call, |one, other| {
        Arc::ptr_eq(&one.document, &other.document) && one.document.contains(one.node, other.node)
    })
}

/// Always true for HTML pages, as in k6.
fn is_default_namespace<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let uri = this(call, |element| {
        Ok(element.document.namespace_uri(element.node))
    })?;
    Ok(call.bool(uri == script_formats::html::Namespace::Html.uri()))
}

fn selection<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let selection = this(call, |element| {
        Ok(Selection::of(Arc::clone(&element.document), element.node))
    })?;
    super::selection_object(call.ctx, selection, "")
}
