//! The FMS guardrails APIs: detectors that implement them, and clients that expect them.

use serde_json::json;

use crate::binary::call;
use crate::stack::Up;

const PATH: &str = "/api/v2/text/detection/content";

const FLEET: &str = "
orchestration: { sync_sla_ms: 20000 }
detectors:
  hap: { endpoint: 'http://localhost:0/api/v1/text/contents', dialect: fms, max_retries: 0 }
  pii: { endpoint: 'http://localhost:0/detect', max_retries: 0 }
";

#[test]
fn the_content_endpoint_has_the_bodies_and_errors_that_its_clients_expect() {
    let up = Up::start(FLEET);
    let content = "ünï ada@example.org";
    let body = json!({"content": content, "detectors": {"hap": {}, "pii": {"threshold": 0.5}}});
    let (status, answer) = up.post(PATH, &body);
    let found = |detector: &str| {
        json!({
            "start": 4, "end": 19, "text": "ada@example.org", "detection": "email_address",
            "detection_type": "pii", "detector_id": detector, "score": 0.99,
        })
    };
    let expected = json!({"detections": [found("hap"), found("pii")]});
    assert_eq!((status, &answer), (200, &expected));

    let high = json!({"content": content, "detectors": {"hap": {"threshold": 0.995}}});
    assert_eq!(up.post(PATH, &high), (200, json!({"detections": []})));

    for (body, status, says) in [
        (
            json!({"content": "x", "detectors": {"nobody": {}}}),
            404,
            "`nobody` not found",
        ),
        (json!({"content": "x", "detectors": {}}), 422, "detectors"),
        (
            json!({"content": "", "detectors": {"hap": {}}}),
            422,
            "content",
        ),
        (json!({"content": "x"}), 422, "detectors: missing"),
        (
            json!({"content": "x", "detectors": {"hap": {}}, "more": 1}),
            422,
            "more",
        ),
        (
            json!({"content": "x", "detectors": {"hap": {"threshold": "a"}}}),
            422,
            "threshold",
        ),
    ] {
        let (found, answer) = up.post(PATH, &body);
        assert_eq!(found, status, "{body}: {answer}");
        assert_eq!(answer["code"], status, "{answer}");
        let details = answer["details"].as_str().expect("an error has details");
        assert!(details.contains(says), "{details}");
    }

    // No silent pass: one detector without an answer is an error, whatever the other answers.
    up.toggle("hap", &json!({"success_rate": 0.0}));
    let body = json!({"content": "another", "detectors": {"hap": {}, "pii": {}}});
    let (status, answer) = up.post(PATH, &body);
    assert_eq!(
        (status, answer["code"].as_u64()),
        (503, Some(503)),
        "{answer}"
    );
}

#[test]
fn a_detector_of_the_fms_dialect_is_asked_like_any_other() {
    let up = Up::start(FLEET);
    let body = json!({"content": "ada@example.org", "content_type": "text", "tenant_id": "t"});
    let (status, answer) = up.post("/orchestrate", &body);
    assert_eq!(
        (status, answer["detectors_succeeded"].as_u64()),
        (200, Some(2)),
        "{answer}"
    );
    let outputs: Vec<_> = answer["detector_results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| result["output"].clone())
        .collect();
    assert_eq!(outputs, ["email_address", "email_address"]);
}

#[test]
fn one_script_loads_whatever_serves_the_content_endpoint() {
    let up = Up::start(FLEET);
    let ended = call([
        "run",
        "--quiet",
        "--iterations",
        "10",
        "--vus",
        "2",
        "-e",
        &format!("FMS_BASE_URL={}", up.url("orchestrator")),
        "-e",
        "FMS_DETECTORS=hap,pii",
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/k6/fms_content.js"),
    ]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}
