//! The page that documents a system.

use std::fmt::Write;

use axum::response::Html;
use fault_profile::listener::Admin;
use serde_json::Value;
use service_runtime::api_page::{HEAD, escaped};

use super::playing::Playing;
use crate::document::{Bounds, Document, Endpoint, RequestShape};

/// The routes outside the document: route and purpose.
const OWN: [(&str, &str); 8] = [
    (
        "GET /health",
        "healthy; degraded while an instance is down; 503 when a host has none",
    ),
    ("GET /health/live", "whether the process responds"),
    ("GET /health/ready", "503 when a host has no instance"),
    ("GET /metrics", "metrics for Prometheus"),
    ("GET /", "this page"),
    ("GET /docs", "the routes above, interactive"),
    ("GET /openapi.json", "the routes above as OpenAPI 3.1"),
    (
        "X-Request-Id, X-Tenant-ID, X-Attempt",
        "headers that identify a request; equal ids give equal demands",
    ),
];

/// The admin API: route and purpose.
pub(super) const ADMIN: [(&str, &str); 18] = [
    ("GET /__admin/docs", "this API, interactive"),
    ("GET /__admin", "summary: toggles, instances, stores, pools"),
    (
        "GET|PUT|PATCH /__admin/profile?ttl_ms=",
        "the document in force; ETag and If-Match carry its revision",
    ),
    (
        "GET|PATCH /__admin/limits",
        "limits: {\"router\": {\"cpu_cores\": 0.5}}",
    ),
    (
        "GET|PATCH /__admin/toggles",
        "optimisations: {\"caching\": false}",
    ),
    (
        "GET /__admin/truth?mix=&users=&think_ms=&rate_per_s=",
        "what an analysis has to find",
    ),
    ("GET /__admin/resources", "use of every instance, simulated"),
    (
        "GET /__admin/plan?endpoint=&n=&tenant=",
        "demands of the next requests",
    ),
    (
        "POST /__admin/crash",
        "{\"host\": \"agents\", \"instance\": 0}",
    ),
    (
        "POST|DELETE /__admin/populate",
        "{\"store\": \"clients\", \"rows\": 1000}",
    ),
    (
        "GET|DELETE /__admin/journal?endpoint=&error_type=&brief=",
        "the latest requests with their visits, or without them (brief=true)",
    ),
    (
        "GET /__admin/verify?error_type=&count=&min=&max=",
        "200 when the journal is as expected, else 417",
    ),
    (
        "GET /__admin/log",
        "inputs, for `sparring target recompute`",
    ),
    ("GET /__admin/schema", "JSON schema of the document"),
    (
        "POST /__admin/reset",
        "back to the document of the start; stores, caches and journal are empty",
    ),
    (
        "PUT|DELETE /__admin/overlays/{name}",
        "a patch that can be reverted by its name",
    ),
    ("POST /__admin/overlays/{name}/renew", "extends an overlay"),
    (
        "?in_flight=finish",
        "requests in flight end unchanged; release and redraw are rejected",
    ),
];

/// Causes of failures and their statuses.
const ERRORS: [(&str, &str); 13] = [
    (
        "bad_request",
        "400 unreadable JSON, 413 too large, 422 a missing or wrong field",
    ),
    ("unauthorized", "401 a wrong or expired bearer token"),
    ("not_found", "404 an unknown path or entry"),
    ("method_not_allowed", "405 another method of a known path"),
    ("conflict", "409 an entry in another state"),
    ("rate_limited", "429 with Retry-After"),
    ("pool_exhausted", "500 no connection within the pool's wait"),
    ("crashed", "502 the instance crashed with the request in it"),
    ("queue_full", "503 a queue or the edge is full"),
    ("queue_timeout", "503 the wait in a queue was too long"),
    ("unavailable", "503 no instance is up, with Retry-After"),
    ("timeout", "504 the deadline was exceeded"),
    ("disk_full", "507 no space for a write"),
];

/// The documentation of a system as a page without scripts.
pub(super) fn page(playing: &Playing, admin: &Admin) -> Html<String> {
    let document = &playing.system.document;
    let mut page = String::from(HEAD);
    let title = escaped(&document.system);
    write(
        &mut page,
        format_args!("<title>{title}</title><h1>{title}</h1>"),
    );
    let about = escaped(&document.description);
    write(&mut page, format_args!("<p>{about}</p>"));
    page.push_str("<p>A simulated system: its resources are values of a model; it uses no real CPU, memory or disk for them.</p>");
    table(
        &mut page,
        "Routes",
        document.endpoints.values().map(of_endpoint),
    );
    table(&mut page, "Mixes", mixes(document));
    table(&mut page, "Toggles", toggles(document));
    table(&mut page, "Errors", ERRORS);
    table(&mut page, "Routes of the simulation", OWN);
    match admin {
        Admin::SamePort => table(&mut page, "Admin", ADMIN),
        Admin::Port(port) => table(&mut page, &format!("Admin, on port {port}"), ADMIN),
        Admin::Off => {}
    }
    Html(page)
}

fn of_endpoint(endpoint: &Endpoint) -> (String, String) {
    let mut about = endpoint.title.clone();
    let shape = of_shape(&endpoint.request);
    if !shape.is_empty() {
        about = format!("{about}. Request: {}", shape.join("; "));
    }
    let about = if endpoint.socket.is_some() {
        format!("{about}. WebSocket")
    } else {
        format!("{about}. Success: {}", endpoint.answer.status)
    };
    let about = about.trim_start_matches(". ").to_owned();
    (endpoint.route.clone(), about)
}

/// The rules of a request, one phrase each.
fn of_shape(shape: &RequestShape) -> Vec<String> {
    let mut rules = Vec::new();
    if !shape.required.is_empty() {
        rules.push(format!("{} required", shape.required.join(", ")));
    }
    for (field, choices) in &shape.choices {
        let choices: Vec<String> = choices.iter().map(plain).collect();
        rules.push(format!("{field} one of {}", choices.join(", ")));
    }
    for (field, bounds) in &shape.bounds {
        rules.push(format!("{field} {}", of_bounds(*bounds)));
    }
    for (fields, what) in [
        (&shape.min_items, "items at least"),
        (&shape.max_items, "items at most"),
        (&shape.max_chars, "characters at most"),
    ] {
        let told = fields
            .iter()
            .map(|(field, count)| format!("{field} {count} {what}"));
        rules.extend(told);
    }
    let names = shape
        .references
        .iter()
        .map(|(field, other)| format!("{field} names {other}"));
    rules.extend(names);
    rules
}

fn of_bounds(bounds: Bounds) -> String {
    match (bounds.min, bounds.max) {
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("{min} or more"),
        (None, Some(max)) => format!("{max} at most"),
        (None, None) => "any number".to_owned(),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn mixes(document: &Document) -> Vec<(String, String)> {
    let mix = |(name, mix): (&String, &crate::document::Mix)| {
        let parts = mix
            .iter()
            .map(|(endpoint, entry)| format!("{endpoint} {}", entry.weight));
        (name.clone(), parts.collect::<Vec<_>>().join(", "))
    };
    document.mixes.iter().map(mix).collect()
}

fn toggles(document: &Document) -> Vec<(String, String)> {
    let toggle = |(name, toggle): (&String, &crate::document::Toggle)| {
        let state = if toggle.on { "on" } else { "off" };
        let mut about = state.to_owned();
        if let Some(group) = &toggle.group {
            about = format!("{about}, group {group}");
        }
        if let Some(expect) = &toggle.expect {
            about = format!("{about}: {expect}");
        }
        (name.clone(), about)
    };
    document.toggles.iter().map(toggle).collect()
}

/// Adds nothing if there are no rows.
fn table<T: AsRef<str>>(page: &mut String, title: &str, rows: impl IntoIterator<Item = (T, T)>) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return;
    }
    write(page, format_args!("<h2>{title}</h2><table>"));
    for (route, about) in rows {
        let (route, about) = (escaped(route.as_ref()), escaped(about.as_ref()));
        write(
            page,
            format_args!("<tr><td><code>{route}</code></td><td>{about}</td></tr>"),
        );
    }
    page.push_str("</table>");
}

fn write(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes any text");
}
