//! Bounds of one request: lists that multiply, amounts from a body, responses that repeat.

use std::fmt::Write;

use serde_json::json;

use crate::error;
use crate::served::Served;

const MULTIPLIES: &str = r#"
system: multiplies
components:
  work: { kind: service, slots: 100000, operations: { run: { service_ms: 1 }, sized: { per: { of: body.n, cpu_ms: 1 } } } }
  other: { kind: service, operations: { run: { service_ms: 1 } } }
  bus: { kind: bus, operations: { deliver: { service_ms: 0.1 } } }
endpoints:
  nested:
    route: POST /nested
    request: { max_kb: 1000, max_items: &items { body.items: 100000 } }
    flow: [{ each: { in: body.items, parallel: true, do: [{ each: { in: body.items, parallel: true, do: [{ visit: work.run }] } }] } }]
  inner:
    route: POST /inner
    request: { max_kb: 1000, max_items: *items, bounds: { "body.items[].times": { max: 100000 } } }
    flow: [{ each: { in: body.items, do: [{ visit: { at: work.run, times: item.times } }] } }]
  held:
    route: POST /held
    request: { bounds: &n { body.n: { max: 1000000000 } } }
    flow: [{ visit: { at: work.run, times: body.n, hold: [{ visit: { at: other.run, times: body.n } }] } }]
  messages:
    route: POST /messages
    request: { max_items: *items, bounds: *n }
    flow: [{ each: { in: body.items, do: [{ publish: { to: bus, messages: body.n } }] } }]
  sized: { route: POST /sized, flow: [{ visit: work.sized }] }
  answer:
    route: POST /answer
    request: { max_kb: 1000 }
    flow: [{ visit: work.run }]
    answer: { body: { rows: { $repeat: 1000, item: { cell: $body.cell } } } }
  plain: { route: GET /plain, flow: [{ visit: work.run }] }
"#;

fn list(items: usize) -> String {
    let mut body = String::from("{\"n\": 1, \"items\": [0");
    (1..items).for_each(|item| write!(body, ",{item}").expect("a text takes it"));
    body + "]}"
}

#[tokio::test]
async fn lists_that_multiply_are_refused_with_the_field_and_the_bound_and_the_rest_goes_on() {
    let system = Served::of(MULTIPLIES).await;
    let many = list(9_000);
    let times = json!({ "items": vec![json!({ "times": 10_000 }); 20] }).to_string();
    for (path, body, detail) in [
        (
            "/nested",
            many.as_str(),
            "body.items: the request would need more than 20000",
        ),
        (
            "/nested",
            &list(10_001),
            "body.items: has more than 10000 items",
        ),
        (
            "/inner",
            &times,
            "body.items: the request would need more than 20000",
        ),
        (
            "/held",
            "{\"n\": 1000}",
            "body.n: the request would need more than 20000",
        ),
        ("/held", "{\"n\": 1e9}", "body.n: must be from 0 to 10000"),
        ("/held", "{\"n\": -1}", "body.n: must be from 0 to 10000"),
        (
            "/messages",
            "{\"n\": 9000, \"items\": [1, 2, 3]}",
            "body.items: the request would need more",
        ),
    ] {
        let refused = system.send("POST", path, Some(body), &[]).await;
        assert_eq!(
            error(&refused),
            (422, "bad_request"),
            "{path}: {}",
            refused.text
        );
        let told = refused.body["detail"].as_str().unwrap_or_default();
        assert!(told.starts_with(detail), "{path}: {told}");
    }
    assert_eq!(system.get("/plain").await.status, 200);
    // A request within the bound is processed: 99 times 99 visits, all in parallel.
    let allowed = system.send("POST", "/nested", Some(&list(99)), &[]).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text);
    let resources = system.get("/__admin/resources").await.body;
    assert_eq!(resources["failed"]["bad_request"], 7, "{resources}");
    let refused = "/__admin/verify?status=422&error_type=bad_request&count=7";
    assert_eq!(system.get(refused).await.status, 200);
}

#[tokio::test]
async fn an_amount_that_a_body_gives_is_finite_and_bounded() {
    let system = Served::of(MULTIPLIES).await;
    for n in ["-0.5", "1000001", "1e300", "\"inf\"", "\"NaN\"", "\"-3\""] {
        let body = format!("{{\"n\": {n}}}");
        let refused = system.send("POST", "/sized", Some(&body), &[]).await;
        assert_eq!(
            error(&refused),
            (422, "bad_request"),
            "{n}: {}",
            refused.text
        );
        assert_eq!(
            refused.body["detail"], "body.n: must be from 0 to 1000000",
            "{n}"
        );
    }
    for n in ["0", "2.5", "null", "\"7\""] {
        let body = format!("{{\"n\": {n}}}");
        let done = system.send("POST", "/sized", Some(&body), &[]).await;
        assert_eq!(done.status, 200, "{n}: {}", done.text);
    }
}

#[tokio::test]
async fn an_answer_that_repeats_what_a_body_holds_is_bounded() {
    let system = Served::of(MULTIPLIES).await;
    let long = "x".repeat(100_000);
    for cell in [json!(long), json!(vec![json!([]); 40_000])] {
        let refused = system.post("/answer", &json!({ "cell": cell })).await;
        assert_eq!(error(&refused), (422, "bad_request"), "{}", refused.text);
        let told = refused.body["detail"].as_str().unwrap_or_default();
        assert!(
            told.starts_with("the answer would be larger than"),
            "{told}"
        );
    }
    let done = system.post("/answer", &json!({ "cell": "a" })).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.body["rows"].as_array().map(Vec::len), Some(1_000));
}
