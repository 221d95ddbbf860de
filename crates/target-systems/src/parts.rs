//! The named parts of a document, and patches with unknown names.

use live_config::read::nearest;
use serde_json::Value;

/// The sections of named parts, with the singular of each.
const SECTIONS: [(&str, &str); 7] = [
    ("hosts", "host"),
    ("components", "component"),
    ("pools", "pool"),
    ("stores", "store"),
    ("toggles", "toggle"),
    ("endpoints", "endpoint"),
    ("mixes", "mix"),
];

/// A part that is named by a patch but missing in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The path in the document.
    pub path: String,
    pub message: String,
    /// Whether the document has a part with a similar name.
    pub is_near: bool,
}

/// The parts that a patch would create in a document: usually misspelt ones.
pub(crate) fn unknown(document: &Value, patch: &Value) -> Vec<Unknown> {
    let mut found = Vec::new();
    for (section, what) in SECTIONS {
        let section = Section {
            name: section,
            what,
            above: "",
        };
        compare(document, patch, &section, &mut found);
    }
    let components = document.get("components").and_then(Value::as_object);
    for (name, component) in components.into_iter().flatten() {
        let inner = patch.get("components").and_then(|all| all.get(name));
        let operations = Section {
            name: "operations",
            what: "operation",
            above: &format!("components.{name}."),
        };
        if let Some(inner) = inner {
            compare(component, inner, &operations, &mut found);
        }
    }
    for one in &mut found {
        // A component's own host has the component's name.
        let name = one.path.strip_prefix("hosts.").unwrap_or_default();
        let component = components.and_then(|all| all.get(name));
        let host = component.map(|component| component.get("host").and_then(Value::as_str));
        let hint = match host {
            None => continue,
            Some(None) => format!("its own host is at components.{name}.host"),
            Some(Some(host)) => format!("it runs on the host `{host}`"),
        };
        one.message = format!("`{name}` is a component; {hint}");
    }
    found
}

/// A mapping of named parts.
struct Section<'a> {
    name: &'a str,
    /// The singular of the section.
    what: &'a str,
    /// The path in front of the name.
    above: &'a str,
}

fn compare(document: &Value, patch: &Value, section: &Section<'_>, found: &mut Vec<Unknown>) {
    let Section {
        name: section,
        what,
        above,
    } = section;
    let known = document.get(section).and_then(Value::as_object);
    let known: Vec<&str> = known
        .into_iter()
        .flat_map(|parts| parts.keys().map(String::as_str))
        .collect();
    let named = patch.get(section).and_then(Value::as_object);
    for name in named.into_iter().flat_map(|parts| parts.keys()) {
        if known.contains(&name.as_str()) {
            continue;
        }
        let near = nearest(name, known.iter().copied());
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "none is declared".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        found.push(Unknown {
            path: format!("{above}{section}.{name}"),
            message: format!("unknown {what} `{name}`; {hint}"),
            is_near: near.is_some(),
        });
    }
}
