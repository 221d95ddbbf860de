//! JSON schema of an endpoint's requests.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use crate::document::{Document, Endpoint, FieldType, RequestShape, Source};
use crate::request::{Field, FieldStep};

/// The rules of a request, by the places that they concern.
#[derive(Debug, Default)]
pub(super) struct Shape {
    body: Node,
    query: Node,
    path: Node,
    /// Query parameters that are read although there is no rule for them.
    read: BTreeSet<String>,
}

/// A place and its inner places.
#[derive(Debug, Default)]
struct Node {
    kind: Option<FieldType>,
    rules: Map<String, Json>,
    fields: IndexMap<String, Node>,
    required: Vec<String>,
    items: Option<Box<Node>>,
}

impl Shape {
    pub fn new(document: &Document, endpoint: &Endpoint) -> Self {
        let mut shape = Self::default();
        shape.take(&endpoint.request);
        let query = crate::compile::root(Source::Query);
        let places = crate::compile::read_paths(document, &endpoint.flow);
        let read = places.iter().filter(|place| place.root == query);
        shape.read = read
            .filter_map(|place| place.names.first().map(ToString::to_string))
            .collect();
        shown(&endpoint.answer.body, &mut shape.read);
        shape
    }

    fn take(&mut self, shape: &RequestShape) {
        for name in &shape.required {
            if let Ok(field) = name.parse() {
                self.require(&field);
            }
        }
        self.each(&shape.types, |node, kind| node.kind = Some(*kind));
        self.each(&shape.choices, |node, choices| {
            node.rule("enum", json!(choices));
        });
        self.each(&shape.min_items, |node, least| {
            node.rule("minItems", json!(least));
        });
        self.each(&shape.max_items, |node, most| {
            node.rule("maxItems", json!(most));
        });
        self.each(&shape.max_chars, |node, most| {
            node.rule("maxLength", json!(most));
        });
        self.each(&shape.bounds, |node, bounds| {
            node.kind.get_or_insert(FieldType::Number);
            if let Some(min) = bounds.min {
                node.rule("minimum", number(min));
            }
            if let Some(max) = bounds.max {
                node.rule("maximum", number(max));
            }
        });
        self.each(&shape.references, |node, other| {
            node.rule("description", json!(format!("One of {other}")));
        });
    }

    fn each<T>(&mut self, rules: &IndexMap<String, T>, put: impl Fn(&mut Node, &T)) {
        for (name, rule) in rules {
            if let Ok(field) = name.parse::<Field>() {
                put(self.root(field.source).at(field.steps()), rule);
            }
        }
    }

    fn root(&mut self, source: Source) -> &mut Node {
        match source {
            Source::Query => &mut self.query,
            Source::Path => &mut self.path,
            Source::Body | Source::State | Source::Item => &mut self.body,
        }
    }

    pub(super) fn require(&mut self, field: &Field) {
        let Some((FieldStep::Name(name), holder)) = field.steps().split_last() else {
            return;
        };
        let is_body = !matches!(field.source, Source::Query | Source::Path);
        let node = self.root(field.source).at(holder);
        node.at(std::slice::from_ref(&FieldStep::Name(name.clone())));
        if !node.required.contains(name) {
            node.required.push(name.clone());
        }
        // A rule concerns a field of it, so the value is an object.
        if is_body {
            node.kind.get_or_insert(FieldType::Object);
        }
    }

    /// Parameters of path and query.
    pub fn parameters(&self, path: &str) -> Vec<Json> {
        let mut parameters = Vec::new();
        for name in names(path) {
            parameters.push(json!({
                "name": name, "in": "path", "required": true, "schema": schema_or_text(self.path.fields.get(name)),
            }));
        }
        let ruled = self.query.fields.keys();
        let known: BTreeSet<&String> = ruled.chain(&self.read).collect();
        for name in known {
            let required = self.query.required.contains(name);
            parameters.push(json!({
                "name": name, "in": "query", "required": required, "schema": schema_or_text(self.query.fields.get(name)),
            }));
        }
        parameters
    }

    /// The body; `None` where an endpoint has none.
    pub fn body(&self, endpoint: &Endpoint) -> Option<Json> {
        if endpoint.socket.is_some() || endpoint.route.starts_with("GET ") {
            return None;
        }
        let examples: Vec<&Json> = endpoint
            .examples
            .iter()
            .map(|example| &example.body)
            .filter(|body| !body.is_null())
            .collect();
        let is_ruled = !self.body.is_free();
        if !is_ruled && examples.is_empty() {
            return None;
        }
        let is_required = !self.body.required.is_empty();
        let mut schema = self.body.schema();
        if is_ruled && !is_required {
            schema["type"] = json!(["object", "null"]);
        }
        let named = examples.iter().enumerate();
        let named: Map<String, Json> = named
            .map(|(place, body)| (format!("example{}", place + 1), json!({ "value": body })))
            .collect();
        let mut content = json!({ "schema": schema });
        if !named.is_empty() {
            content["examples"] = Json::Object(named);
        }
        Some(json!({ "required": is_required, "content": { "application/json": content } }))
    }

    /// The rules of the body.
    pub fn body_schema(&self) -> Json {
        self.body.schema()
    }

    /// The schema of a body field in a response: nullable if the field is optional.
    pub fn of_body(&self, names: &str) -> Json {
        let mut node = &self.body;
        let mut is_sure = true;
        for name in names.split('.').filter(|name| !name.is_empty()) {
            is_sure &= node.required.iter().any(|known| known == name);
            match node.fields.get(name) {
                Some(inner) => node = inner,
                None => return json!({}),
            }
        }
        let schema = node.schema();
        if is_sure {
            schema
        } else {
            json!({ "anyOf": [schema, { "type": "null" }] })
        }
    }
}

impl Node {
    fn at(&mut self, steps: &[FieldStep]) -> &mut Self {
        steps.iter().fold(self, |node, step| match step {
            FieldStep::Name(name) => node.fields.entry(name.clone()).or_default(),
            FieldStep::Items => node.items.get_or_insert_default(),
        })
    }

    fn rule(&mut self, name: &str, value: Json) {
        self.rules.insert(name.to_owned(), value);
    }

    fn is_free(&self) -> bool {
        self.kind.is_none() && self.rules.is_empty() && self.fields.is_empty()
    }

    fn schema(&self) -> Json {
        let mut schema = self.rules.clone();
        if let Some(kind) = self.kind {
            schema.insert("type".to_owned(), json!(type_name(kind)));
        }
        if !self.required.is_empty() {
            schema.insert("required".to_owned(), json!(self.required));
        }
        if !self.fields.is_empty() {
            let fields = self.fields.iter();
            let properties: Map<String, Json> = fields
                .map(|(name, node)| (name.clone(), node.schema()))
                .collect();
            schema.insert("properties".to_owned(), Json::Object(properties));
        }
        if let Some(items) = &self.items {
            schema.insert("items".to_owned(), items.schema());
        }
        Json::Object(schema)
    }
}

/// Names of the parameters of a route.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// Parameters are sent as text.
fn schema_or_text(node: Option<&Node>) -> Json {
    match node {
        Some(node) => {
            let mut schema = node.schema();
            if node.kind.is_none() && schema.get("enum").is_none() {
                schema["type"] = json!("string");
            }
            schema
        }
        None => json!({ "type": "string" }),
    }
}

/// Query parameters that a response contains.
fn shown(template: &Json, found: &mut BTreeSet<String>) {
    match template {
        Json::String(text) => {
            if let Some(name) = text.strip_prefix("$query.") {
                found.insert(name.to_owned());
            }
        }
        Json::Array(items) => items.iter().for_each(|item| shown(item, found)),
        Json::Object(fields) => fields.values().for_each(|field| shown(field, found)),
        _ => {}
    }
}

/// The number, as an integer if it is one.
pub(super) fn number(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return json!(value as i64);
    }
    json!(value)
}

fn type_name(kind: FieldType) -> &'static str {
    match kind {
        FieldType::String => "string",
        FieldType::Number => "number",
        FieldType::Integer => "integer",
        FieldType::Boolean => "boolean",
        FieldType::List => "array",
        FieldType::Object => "object",
    }
}
