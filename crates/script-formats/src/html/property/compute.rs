//! Accessors that depend on more than one attribute.

use super::super::document::{Document, NodeId};
use super::super::form::{FormValue, value};
use super::super::href::Href;
use super::Property;
use super::reflect::{Reflect, reflected};

pub(super) fn has(document: &Document, id: NodeId, attribute: &str) -> bool {
    document.attribute(id, attribute).is_some()
}

pub(super) fn element(found: Option<NodeId>) -> Property {
    found.map_or(Property::Undefined, Property::Element)
}

pub(super) fn below(document: &Document, id: NodeId, tags: &[&str]) -> Property {
    Property::Elements(
        document
            .descendants(id)
            .filter(|node| tags.contains(&document.tag(*node)))
            .collect(),
    )
}

pub(super) fn count(property: Property) -> Property {
    let size = if let Property::Elements(list) = property {
        list.len()
    } else {
        0
    };
    Property::Number(size as f64)
}

pub(super) fn first_child(document: &Document, id: NodeId, tag: &str) -> Property {
    element(
        document
            .child_elements(id)
            .find(|child| document.tag(*child) == tag),
    )
}

pub(super) fn text_content(document: &Document, id: NodeId) -> Property {
    Property::Text(document.text(id))
}

pub(super) fn url_part(document: &Document, id: NodeId, part: fn(&Href) -> String) -> Property {
    let target = document.target(id, "href").unwrap_or_default();
    Property::Text(part(&Href::parse(&target)))
}

pub(super) fn prefixed(prefix: &str, text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("{prefix}{text}")
    }
}

pub(super) fn words_of_rel(document: &Document, id: NodeId) -> Property {
    let rel = document.attribute(id, "rel").unwrap_or_default();
    Property::Texts(rel.split_whitespace().map(str::to_owned).collect())
}

pub(super) fn form_of(document: &Document, id: NodeId) -> Property {
    element(document.closest_tag(id, "form"))
}

/// The submission attribute of a control, or else of its form.
pub(super) fn form_override(
    document: &Document,
    id: NodeId,
    own: &str,
    forms: &str,
    reflect: Reflect,
) -> Property {
    let of_form = || document.attribute(document.closest_tag(id, "form")?, forms);
    reflected(document.attribute(id, own).or_else(of_form), reflect)
}

pub(super) fn form_action(document: &Document, id: NodeId) -> Property {
    let of_form = || document.target(document.closest_tag(id, "form")?, "action");
    let action = document.target(id, "formaction").or_else(of_form);
    Property::Text(action.unwrap_or_default())
}

pub(super) fn form_method(document: &Document, id: NodeId) -> Property {
    let of_form = || document.attribute(document.closest_tag(id, "form")?, "method");
    let method = document
        .attribute(id, "formmethod")
        .or_else(of_form)
        .unwrap_or_default();
    Property::Text(
        if method.eq_ignore_ascii_case("post") {
            "post"
        } else {
            "get"
        }
        .to_owned(),
    )
}

pub(super) fn labels(document: &Document, id: NodeId) -> Property {
    let own = document.attribute(id, "id");
    let is_label = |node: &NodeId| document.tag(*node) == "label";
    let names = |node: &NodeId| own.is_some() && document.attribute(*node, "for") == own;
    let found = document.descendants(document.root()).filter(is_label);
    Property::Elements(
        found
            .filter(|node| names(node) || document.contains(*node, id))
            .collect(),
    )
}

pub(super) fn by_id(document: &Document, wanted: &str) -> Option<NodeId> {
    document
        .descendants(document.root())
        .find(|node| document.attribute(*node, "id") == Some(wanted))
}

pub(super) fn control(document: &Document, id: NodeId) -> Property {
    element(
        document
            .attribute(id, "for")
            .and_then(|wanted| by_id(document, wanted)),
    )
}

pub(super) fn list_of(document: &Document, id: NodeId) -> Property {
    let list = document
        .attribute(id, "list")
        .and_then(|wanted| by_id(document, wanted));
    element(list.filter(|node| document.tag(*node) == "datalist"))
}

pub(super) fn selected(document: &Document, id: NodeId) -> Vec<NodeId> {
    let options = document
        .descendants(id)
        .filter(|node| document.tag(*node) == "option");
    options
        .filter(|option| has(document, *option, "selected"))
        .collect()
}

pub(super) fn selected_index(document: &Document, id: NodeId) -> Property {
    let mut options = document
        .descendants(id)
        .filter(|node| document.tag(*node) == "option");
    Property::Number(
        options
            .position(|option| has(document, option, "selected"))
            .map_or(-1.0, |index| index as f64),
    )
}

pub(super) fn option_index(document: &Document, id: NodeId) -> Property {
    let list = document
        .closest_tag(id, "select")
        .or_else(|| document.closest_tag(id, "datalist"));
    let place = list.and_then(|list| {
        let mut options = document
            .descendants(list)
            .filter(|node| document.tag(*node) == "option");
        options.position(|option| option == id)
    });
    Property::Number(place.unwrap_or(0) as f64)
}

pub(super) fn option_value(document: &Document, id: NodeId) -> String {
    match (document.attribute(id, "value"), value(document, id)) {
        (Some(_), Some(FormValue::Text(text))) => text,
        _ => document.text(id),
    }
}

pub(super) fn row_index(document: &Document, id: NodeId) -> Property {
    let place = document.closest_tag(id, "table").and_then(|table| {
        let mut rows = document
            .descendants(table)
            .filter(|node| document.tag(*node) == "tr");
        rows.position(|row| row == id)
    });
    Property::Number(place.unwrap_or(0) as f64)
}

pub(super) fn progress(document: &Document, id: NodeId, attribute: &str, default: f64) -> f64 {
    let number = document
        .attribute(id, attribute)
        .and_then(|value| value.parse::<f64>().ok());
    number
        .filter(|number| number.is_finite() && *number >= 0.0)
        .unwrap_or(default)
}
