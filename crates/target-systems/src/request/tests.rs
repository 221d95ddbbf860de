use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::document::RequestShape;

fn shape() -> RequestShape {
    serde_json::from_value(json!({
        "required": ["name", "nodes", "nodes[].id", "query.symbol"],
        "enum": { "nodes[].type": ["input", "llm"], "query.wait": [true, false] },
        "types": { "name": "string", "nodes": "list", "query.limit": "integer", "amount": "number" },
        "min_items": { "nodes": 1 },
        "max_items": { "nodes": 3 },
        "max_chars": { "name": 5 },
        "bounds": { "query.limit": { "min": 1, "max": 200 }, "amount": { "min": 0 } },
        "references": { "edges[].from": "nodes[].id" },
        "max_kb": 1,
    }))
    .expect("a shape")
}

fn incoming(body: &[u8], query: &[(&str, &str)]) -> Incoming {
    let mut incoming = Incoming {
        body: body.to_vec(),
        query: query
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        path: BTreeMap::new(),
    };
    incoming
        .query
        .entry("symbol".to_owned())
        .or_insert_with(|| "A".to_owned());
    incoming
}

fn check(body: &serde_json::Value, query: &[(&str, &str)], status: u16, part: &str) {
    let expected = Expected::new(&shape(), Vec::new());
    let refusal = expected
        .accept(&incoming(body.to_string().as_bytes(), query))
        .expect_err(part);
    assert_eq!(refusal.status, status, "{refusal}");
    assert!(refusal.detail.contains(part), "{part} is not in {refusal}");
}

#[test]
fn a_request_that_fits_is_accepted_with_what_the_flow_reads() {
    let places = vec!["body.nodes", "query.limit", "path.id"]
        .into_iter()
        .map(|text| crate::compile::path(&text.parse().expect("a place")))
        .collect();
    let expected = Expected::new(&shape(), places);
    let body =
        json!({ "name": "a", "nodes": [{ "id": "x", "type": "llm" }], "edges": [{ "from": "x" }] });
    let mut incoming = incoming(
        body.to_string().as_bytes(),
        &[("limit", "50"), ("wait", "true")],
    );
    incoming.path.insert("id".to_owned(), "7".to_owned());
    let accepted = expected.accept(&incoming).expect("it fits");
    assert_eq!(accepted.body, body);
    assert_eq!(accepted.input.get("query").get("limit").number(), 50.0);
    assert_eq!(
        accepted.input.get("path").get("id").text().as_deref(),
        Some("7")
    );
    let nodes = accepted.input.get("body").get("nodes");
    assert_eq!(nodes.get("0").get("type").text().as_deref(), Some("llm"));
    // Values that no flow reads are not included.
    assert_eq!(accepted.input.get("body").get("name"), &Value::Null);
    assert_eq!(accepted.input.get("query").get("wait"), &Value::Null);
}

#[test]
fn a_duplicate_key_is_rejected_with_its_path() {
    let expected = Expected::new(&shape(), Vec::new());
    for (body, detail) in [
        (
            r#"{"name": "a", "nodes": [{"id": "x"}], "name": "b"}"#,
            "body.name: is duplicated in its object; keep one",
        ),
        (
            r#"{"name": "a", "nodes": [{"id": "x"}, {"id": "y", "\u0069d": "z"}]}"#,
            "body.nodes[1].id: is duplicated in its object; keep one",
        ),
        (
            r#"{"name": "a", "nodes": [{"id": "x"}], "more": {"k": 1, "k": 1}}"#,
            "body.more.k: is duplicated in its object; keep one",
        ),
        (
            r#"[{"name": "a", "name": "a"}]"#,
            "body[0].name: is duplicated in its object; keep one",
        ),
    ] {
        let refusal = expected.accept(&incoming(body.as_bytes(), &[]));
        let refusal = refusal.expect_err(body);
        assert_eq!((refusal.status, refusal.detail.as_str()), (400, detail));
    }
    let long = "k".repeat(300);
    let body = format!(r#"{{"{long}": 1, "{long}": 2}}"#);
    let refusal = expected.accept(&incoming(body.as_bytes(), &[]));
    assert!(refusal.expect_err("a key twice").detail.len() < 150);
}

#[test]
fn a_request_that_does_not_fit_is_refused_with_its_path() {
    let good = json!({ "name": "a", "nodes": [{ "id": "x" }] });
    let with = |name: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    check(
        &json!({}),
        &[],
        422,
        "body.name: is required and missing; body.nodes: is required",
    );
    check(&json!([1]), &[], 422, "body: must be an object");
    check(
        &with("name", json!(3)),
        &[],
        422,
        "body.name: must be a string",
    );
    check(
        &with("name", json!("abcdef")),
        &[],
        422,
        "body.name: has more than 5 characters",
    );
    check(
        &with("nodes", json!([])),
        &[],
        422,
        "body.nodes: needs at least 1 items",
    );
    check(
        &with("nodes", json!([{}, {"id": 1}])),
        &[],
        422,
        "body.nodes[0].id: is required and missing",
    );
    check(
        &with("nodes", json!([1])),
        &[],
        422,
        "body.nodes[0].id: is required and missing",
    );
    check(
        &with("nodes", json!([{"id": "x", "type": "tool"}])),
        &[],
        422,
        "body.nodes[0].type: must be one of \"input\", \"llm\"",
    );
    check(
        &with("nodes", json!([{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}])),
        &[],
        422,
        "body.nodes: has more than 3 items",
    );
}

#[test]
fn values_out_of_their_bounds_are_refused_with_their_path() {
    let good = json!({ "name": "a", "nodes": [{ "id": "x" }] });
    let with = |name: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    check(
        &with("edges", json!([{"from": "x"}, {"from": "y"}])),
        &[],
        422,
        "body.edges[1].from: \"y\" is not in body.nodes[].id",
    );
    check(
        &with("amount", json!(-1)),
        &[],
        422,
        "body.amount: must be 0 or more",
    );
    check(
        &with("amount", json!("1")),
        &[],
        422,
        "body.amount: must be a number",
    );
    check(
        &good,
        &[("limit", "201")],
        422,
        "query.limit: must be from 1 to 200",
    );
    check(
        &good,
        &[("limit", "many")],
        422,
        "query.limit: must be a whole number",
    );
    check(
        &good,
        &[("wait", "maybe")],
        422,
        "query.wait: must be one of true, false",
    );
    check(
        &with("text", json!("x".repeat(1_000))),
        &[],
        413,
        "are more than 1000",
    );
}

#[test]
fn invalid_json_is_rejected_as_such() {
    let expected = Expected::new(&shape(), Vec::new());
    for body in ["{", "{\"name\": }", "\u{0}", "nul"] {
        let refusal = expected
            .accept(&incoming(body.as_bytes(), &[]))
            .expect_err(body);
        assert_eq!(refusal.status, 400, "{body}: {refusal}");
    }
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let refusal = expected
        .accept(&incoming(deep.as_bytes(), &[]))
        .expect_err("deep");
    assert_eq!(refusal.status, 400, "{refusal}");
}

#[test]
fn an_endpoint_without_rules_takes_no_body_and_any() {
    let expected = Expected::new(&RequestShape::default(), Vec::new());
    for body in ["", "  \n", "{}", "[1]", "3"] {
        let incoming = Incoming {
            body: body.as_bytes().to_vec(),
            ..Incoming::default()
        };
        assert!(expected.accept(&incoming).is_ok(), "{body}");
    }
}

#[test]
fn many_errors_are_told_up_to_ten_and_never_with_long_contents() {
    let shape: RequestShape = serde_json::from_value(json!({
        "types": { "list[]": "string" }, "enum": { "text": ["a"] }, "references": { "text": "list" },
    }))
    .expect("a shape");
    let expected = Expected::new(&shape, Vec::new());
    let body = json!({ "list": vec![1; 50], "text": "y".repeat(5_000) });
    let refusal = expected
        .accept(&Incoming {
            body: body.to_string().into_bytes(),
            ..Incoming::default()
        })
        .expect_err("wrong");
    assert!(refusal.detail.contains("and 42 more"), "{refusal}");
    assert!(refusal.detail.len() < 1_000, "{refusal}");
}

proptest! {
    #[test]
    fn random_bodies_are_accepted_or_refused_and_never_panic(
        body in prop::collection::vec(any::<u8>(), 0..200),
        text in "[{}\\[\\]\",:a-z0-9 ]{0,80}",
        limit in ".{0,8}",
    ) {
        let expected = Expected::new(&shape(), Vec::new());
        for body in [body.as_slice(), text.as_bytes()] {
            if let Err(refusal) = expected.accept(&incoming(body, &[("limit", &limit)])) {
                prop_assert!([400, 413, 422].contains(&refusal.status));
            }
        }
    }
}
