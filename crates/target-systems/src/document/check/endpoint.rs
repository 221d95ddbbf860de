//! Checks of routes, requests, responses, mixes and the edge.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{
    Document, Endpoint, Example, Kind, Place, RequestShape, ResponseSpec, State, Step,
};
use super::report::Report;
use crate::request::{Expected, Field};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// Paths that are reserved for routes of every system.
const RESERVED: [&str; 5] = ["/__admin", "/health", "/metrics", "/docs", "/openapi.json"];
/// Maximum number of requests in flight.
const MOST_IN_FLIGHT: u64 = 100_000;
/// Maximum size of bodies, in kB.
const MOST_KB: f64 = 16_000.0;

pub(super) fn check(document: &Document, report: &mut Report) {
    edge(document, report);
    let mut routes: BTreeMap<String, &str> = BTreeMap::new();
    for (name, endpoint) in &document.endpoints {
        let path = format!("endpoints.{name}");
        report.name(&path, name);
        route(&path, &endpoint.route, report);
        if let Some(other) = routes.insert(shape_of(&endpoint.route), name) {
            report.add(
                &format!("{path}.route"),
                format!("duplicates that of `{other}`"),
            );
        }
        request(&format!("{path}.request"), &endpoint.request, report);
        let expected = Expected::new(&endpoint.request, Vec::new());
        examples(&path, &endpoint.examples, &expected, report);
        answer(&path, endpoint, report);
        special(document, &path, endpoint, report);
    }
    mixes(document, report);
}

fn edge(document: &Document, report: &mut Report) {
    let edge = &document.edge;
    if let Some(host) = &edge.host {
        report.known("edge.host", "host", host, document.hosts.keys());
    }
    report.count(
        "edge.max_in_flight",
        edge.max_in_flight.into(),
        1..=MOST_IN_FLIGHT,
    );
    report.positive("edge.deadline_ms", edge.deadline_ms);
    report.ms("edge.cpu_ms", edge.cpu_ms);
    report.not_negative("edge.network_kb", edge.network_kb);
    if let Some(auth) = &edge.auth {
        report.positive("edge.auth.token_ttl_s", Some(auth.token_ttl_s));
        if auth.users.is_empty() {
            report.add("edge.auth.users", "needs at least one user: password");
        }
    }
    if let Some(limit) = &edge.rate_limit {
        let mut part = Vec::new();
        limit.validate(&mut part);
        report.add_below("edge.rate_limit", part);
    }
}

/// The names in a route's braces.
pub(super) fn parameters(route: &str) -> Vec<&str> {
    route
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}

/// A route without the names of its parameters: two routes of the same shape would match the same requests.
fn shape_of(route: &str) -> String {
    let parts: Vec<&str> = route
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part })
        .collect();
    parts.join("/")
}

fn route(path: &str, route: &str, report: &mut Report) {
    let path = format!("{path}.route");
    let Some((method, url)) = route.split_once(' ') else {
        return report.add(&path, "is a method and a path, such as GET /jobs/{id}");
    };
    if !METHODS.contains(&method) {
        report.add(
            &path,
            format!(
                "unknown method `{method}`; known here: {}",
                METHODS.join(", ")
            ),
        );
    }
    if !url.starts_with('/') || url.len() > 200 {
        return report.add(&path, "the path begins with / and has up to 200 characters");
    }
    if RESERVED
        .iter()
        .any(|taken| url == *taken || url.starts_with(&format!("{taken}/")))
    {
        report.add(&path, "this path is reserved in every system");
    }
    let mut names = BTreeSet::new();
    for part in url.split('/').skip(1) {
        let inner = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        let sound = match inner {
            Some(name) => super::super::is_name(name) && names.insert(name),
            None => part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c)),
        };
        if !sound {
            report.add(
                &path,
                format!("`{part}` is not a part of a path; parameters are whole parts with names of their own, such as {{id}}"),
            );
        }
    }
}

fn request(path: &str, shape: &RequestShape, report: &mut Report) {
    let mut fields: Vec<(String, &str)> = Vec::new();
    for (index, field) in shape.required.iter().enumerate() {
        fields.push((format!("required[{index}]"), field));
    }
    fields.extend(
        shape
            .choices
            .keys()
            .map(|name| (format!("enum.{name}"), name.as_str())),
    );
    fields.extend(
        shape
            .types
            .keys()
            .map(|name| (format!("types.{name}"), name.as_str())),
    );
    fields.extend(
        shape
            .min_items
            .keys()
            .map(|name| (format!("min_items.{name}"), name.as_str())),
    );
    fields.extend(
        shape
            .max_items
            .keys()
            .map(|name| (format!("max_items.{name}"), name.as_str())),
    );
    fields.extend(
        shape
            .max_chars
            .keys()
            .map(|name| (format!("max_chars.{name}"), name.as_str())),
    );
    fields.extend(
        shape
            .bounds
            .keys()
            .map(|name| (format!("bounds.{name}"), name.as_str())),
    );
    for (name, other) in &shape.references {
        fields.push((format!("references.{name}"), name));
        fields.push((format!("references.{name}"), other));
    }
    for (place, field) in fields {
        if let Err(message) = field.parse::<Field>() {
            report.add(&format!("{path}.{place}"), message);
        }
    }
    for (name, values) in &shape.choices {
        if values.is_empty() {
            report.add(&format!("{path}.enum.{name}"), "needs at least one value");
        }
    }
    for (name, bounds) in &shape.bounds {
        if let (Some(min), Some(max)) = (bounds.min, bounds.max)
            && min > max
        {
            report.add(
                &format!("{path}.bounds.{name}.max"),
                format!("{max} is below min {min}"),
            );
        }
    }
    report.above_up_to(&format!("{path}.max_kb"), shape.max_kb, MOST_KB);
}

/// The bound of a value sent by a client: of items, characters or a number.
pub(super) fn bound_of(shape: &RequestShape, place: &Place) -> Option<f64> {
    let is = |name: &str| name.parse::<Field>().is_ok_and(|field| field.is(place));
    let counts = shape.max_items.iter().chain(&shape.max_chars);
    let count = counts.into_iter().find(|(name, _)| is(name));
    count.map(|(_, most)| f64::from(*most)).or_else(|| {
        let bounds = shape.bounds.iter().find(|(name, _)| is(name));
        bounds.and_then(|(_, bounds)| bounds.max)
    })
}

fn examples(path: &str, examples: &[Example], expected: &Expected, report: &mut Report) {
    let mut sum = 0.0;
    for (index, example) in examples.iter().enumerate() {
        report.not_negative(&format!("{path}.examples[{index}].share"), example.share);
        sum += example.share;
        for error in expected.example_errors(example) {
            report.add(
                &format!("{path}.examples[{index}]"),
                format!("does not fit the request: {error}"),
            );
        }
    }
    if !examples.is_empty() && sum <= 0.0 {
        report.add(&format!("{path}.examples"), "needs a share above 0");
    }
}

fn answer(path: &str, endpoint: &Endpoint, report: &mut Report) {
    let answer = &endpoint.answer;
    report.answer_status(&format!("{path}.answer.status"), answer.status);
    for (name, draws) in &answer.draws {
        let path = format!("{path}.answer.draws.{name}");
        report.name(&path, name);
        let sum: f64 = draws.iter().map(|drawn| drawn.share).sum();
        if sum <= 0.0 || !sum.is_finite() || draws.iter().any(|drawn| drawn.share < 0.0) {
            report.add(&path, "needs shares of 0 or more, one of them above 0");
        }
    }
    let mut names = Vec::new();
    created(&endpoint.flow, &mut names);
    if endpoint.login.is_some() {
        names.push("token");
    }
    let known = Names {
        answer,
        created: names,
        parameters: parameters(&endpoint.route),
    };
    template(&format!("{path}.answer.body"), &answer.body, &known, report);
}

/// Names of ids that the steps of a flow create.
fn created<'a>(flow: &'a [Step], names: &mut Vec<&'a str>) {
    for step in flow {
        match step {
            Step::State(State {
                create: Some(_),
                id,
                ..
            }) => names.push(id.as_deref().unwrap_or("id")),
            Step::Later(_) => names.push("id"),
            _ => {}
        }
        for inner in step.inner() {
            created(inner, names);
        }
    }
}

/// The names that the texts of a response may use.
struct Names<'a> {
    answer: &'a ResponseSpec,
    created: Vec<&'a str>,
    parameters: Vec<&'a str>,
}

impl Names<'_> {
    fn has(&self, name: &str) -> bool {
        match name.split_once('.') {
            Some(("draw", drawn)) => {
                matches!(drawn, "unit" | "id") || self.answer.draws.contains_key(drawn)
            }
            Some(("path", parameter)) => self.parameters.contains(&parameter),
            Some(("body" | "query", _)) => true,
            Some(("entries", count)) => count == "count",
            Some(("state", field)) => field == "age_ms",
            Some(_) => false,
            None => {
                matches!(name, "elapsed_ms" | "state" | "steps" | "entries" | "index")
                    || self.created.contains(&name)
            }
        }
    }
}

fn template(path: &str, value: &Value, names: &Names<'_>, report: &mut Report) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix('$')
                && !names.has(name)
            {
                report.add(
                    path,
                    format!(
                        "`{text}` is not defined here; known: $elapsed_ms, $state, $steps, $entries, $draw.unit, \
                         $draw.id, $draw.NAME of draws, $body.x, $query.x, $path.x of the route, and the ids that `create` names"
                    ),
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                template(&format!("{path}[{index}]"), item, names, report);
            }
        }
        Value::Object(fields) => {
            let repeat = fields.get("$repeat");
            if repeat.is_some_and(|times| times.as_u64().is_none_or(|times| times > 10_000)) {
                report.add(
                    &format!("{path}.$repeat"),
                    "is a whole number up to 10000: how many items the list has",
                );
            }
            if repeat.is_some() && !fields.contains_key("item") {
                report.add(path, "needs `item` beside `$repeat`");
            }
            for (name, field) in fields.iter().filter(|(name, _)| *name != "$repeat") {
                template(&format!("{path}.{name}"), field, names, report);
            }
        }
        _ => {}
    }
}

fn special(document: &Document, path: &str, endpoint: &Endpoint, report: &mut Report) {
    if let Some(hub) = &endpoint.socket {
        let path = format!("{path}.socket");
        if report.known(&path, "component", hub, document.components.keys()) {
            let kind = document.components[hub].kind;
            if kind != Kind::Hub {
                report.add(
                    &path,
                    format!("`{hub}` is of kind {}, not hub", kind.name()),
                );
            }
        }
        if !endpoint.route.starts_with("GET ") {
            report.add(&path, "a WebSocket needs the method GET");
        }
    }
    if let Some(tokens) = &endpoint.login {
        let path = format!("{path}.login");
        report.known(&path, "store", tokens, document.stores.keys());
        if document.edge.auth.is_none() {
            report.add(&path, "needs `edge.auth` with the users that may log in");
        }
    }
}

fn mixes(document: &Document, report: &mut Report) {
    for (name, mix) in &document.mixes {
        let path = format!("mixes.{name}");
        report.name(&path, name);
        let mut sum = 0.0;
        for (endpoint, entry) in mix {
            let path = format!("{path}.{endpoint}");
            report.not_negative(&path, entry.weight);
            sum += entry.weight;
            if report.known(&path, "endpoint", endpoint, document.endpoints.keys()) {
                let shape = &document.endpoints[endpoint].request;
                let expected = Expected::new(shape, Vec::new());
                examples(&path, &entry.examples, &expected, report);
            }
        }
        if sum <= 0.0 || !sum.is_finite() {
            report.add(&path, "needs a weight above 0");
        }
    }
}
