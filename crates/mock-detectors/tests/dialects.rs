//! Each dialect's fields, headers and error bodies, as its callers know them.

use std::collections::BTreeSet;

use detector_api::dialect::Dialect;
use mock_detectors::{Config, Fleet};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Response {
    status: u16,
    head: String,
    body: Value,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

async fn start(dialect: Dialect, profile: Value) -> Fleet {
    let profile = serde_json::from_value(profile).expect("the test's own profile");
    let config = Config {
        dialect,
        ..Config::new("mock", profile)
    };
    Fleet::start([config]).await.expect("a free port")
}

async fn send(fleet: &Fleet, line: &str, headers: &str, body: &str) -> Response {
    let mut stream = TcpStream::connect(fleet.address("mock").expect("started"))
        .await
        .expect("up");
    let request = format!(
        "{line} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answered");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    Response {
        status,
        head: head.to_owned(),
        body,
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn every_dialect_refuses_a_key_that_stands_twice_and_names_it() {
    let fms = |rest: &str| format!(r#"{{"contents": ["x"]{rest}}}"#);
    let azure = "POST /contentsafety/text:analyze?api-version=2024-09-01";
    for (dialect, line, body, status, path) in [
        (
            Dialect::Native,
            "POST /detect",
            r#"{"content": "x", "metadata": {"k": 1, "k": 2}}"#.to_owned(),
            400,
            "metadata.k",
        ),
        (
            Dialect::Native,
            "POST /detect/batch",
            r#"{"requests": [{"content": "x", "more": 1, "more": 2}]}"#.to_owned(),
            400,
            "requests[0].more",
        ),
        (
            Dialect::Fms,
            "POST /api/v1/text/contents",
            fms(r#", "detector_params": {"threshold": 0.1, "threshold": 0.9}"#),
            422,
            "detector_params.threshold",
        ),
        (
            Dialect::Fms,
            "POST /api/v1/text/chat",
            r#"{"messages": [{"content": "x", "role": "user", "role": "system"}]}"#.to_owned(),
            422,
            "messages[0].role",
        ),
        (
            Dialect::OpenAi,
            "POST /v1/moderations",
            r#"{"input": "x", "user": "a", "user": "b"}"#.to_owned(),
            400,
            "user",
        ),
        (
            Dialect::Azure,
            azure,
            r#"{"text": "x", "more": {"k": 1, "k": 2}}"#.to_owned(),
            400,
            "more.k",
        ),
        (
            Dialect::Presidio,
            "POST /analyze",
            r#"{"text": "x", "language": "en", "context": 1, "context": 2}"#.to_owned(),
            400,
            "context",
        ),
    ] {
        let fleet = start(dialect, json!({})).await;
        let headers = "detector-id: mock\r\nauthorization: Bearer key\r\n";
        let answer = send(&fleet, line, headers, &body).await;
        assert_eq!(answer.status, status, "{line} {body}: {}", answer.body);
        let told = format!("{path} is duplicated");
        assert!(answer.body.to_string().contains(&told), "{}", answer.body);
    }
}

#[tokio::test]
async fn fms_contents_answer_one_list_per_content_with_code_point_spans() {
    let fleet = start(Dialect::Fms, json!({})).await;
    let body = json!({"contents": ["ünï ada@example.org", "clean"], "detector_params": {}});
    let line = "POST /api/v1/text/contents";
    let answer = send(&fleet, line, "detector-id: mock\r\n", &body.to_string()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        json!([[{"start": 4, "end": 19, "text": "ada@example.org", "detection": "email_address",
            "detection_type": "pii", "score": 0.99}], []])
    );
    let without_id = send(&fleet, line, "", &body.to_string()).await;
    assert_eq!(
        (without_id.status, without_id.body["code"].as_u64()),
        (422, Some(422))
    );
    assert_eq!(keys(&without_id.body), ["code", "message"].into());
    let empty = send(&fleet, line, "detector-id: x\r\n", r#"{"contents": []}"#).await;
    assert_eq!(empty.status, 422);
    let health = send(&fleet, "GET /health", "", "").await;
    assert_eq!(health.body, json!({"status": "HEALTHY"}));
    fleet.stop().await;
}

#[tokio::test]
async fn fms_chat_context_and_generation_answer_flat_lists() {
    let fleet = start(Dialect::Fms, json!({})).await;
    let expected = json!([{"detection": "toxicity", "detection_type": "toxicity", "score": 0.88}]);
    for (path, body) in [
        (
            "chat",
            json!({"messages": [{"role": "user", "content": "you idiot"}], "tools": []}),
        ),
        (
            "chat",
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "you idiot"}]}]}),
        ),
        (
            "context/doc",
            json!({"content": "you idiot", "context_type": "docs", "context": ["x"]}),
        ),
        (
            "context/doc",
            json!({"content": "you idiot", "context_type": "chunks", "context": ["x"]}),
        ),
        (
            "generation",
            json!({"prompt": "hi", "generated_text": "you idiot"}),
        ),
    ] {
        let line = format!("POST /api/v1/text/{path}");
        let answer = send(&fleet, &line, "detector-id: mock\r\n", &body.to_string()).await;
        assert_eq!((answer.status, &answer.body), (200, &expected), "{path}");
    }
    fleet
        .patch(
            "mock",
            &json!({"success_rate": 0, "failures": [
        {"kind": {"status": {"code": 503, "body_code": 422}}}]}),
        )
        .expect("valid");
    let line = "POST /api/v1/text/contents";
    let failed = send(&fleet, line, "detector-id: x\r\n", r#"{"contents": ["a"]}"#).await;
    assert_eq!(
        (failed.status, failed.body["code"].as_u64()),
        (503, Some(422))
    );
    fleet.stop().await;
}

#[tokio::test]
async fn open_ai_moderations_have_all_thirteen_categories() {
    let fleet = start(Dialect::OpenAi, json!({})).await;
    let key = "authorization: Bearer sk-test\r\n";
    let line = "POST /v1/moderations";
    let body = json!({"input": ["fine", "I will kill you"]}).to_string();
    let answer = send(&fleet, line, key, &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(keys(&answer.body), ["id", "model", "results"].into());
    assert_eq!(answer.body["model"], "omni-moderation-latest");
    let results = answer.body["results"].as_array().expect("a list");
    assert_eq!(results.len(), 2);
    for result in results {
        assert_eq!(
            keys(result),
            [
                "flagged",
                "categories",
                "category_scores",
                "category_applied_input_types"
            ]
            .into()
        );
        for field in [
            "categories",
            "category_scores",
            "category_applied_input_types",
        ] {
            assert_eq!(keys(&result[field]).len(), 13, "{field}");
        }
    }
    assert_eq!(results[0]["flagged"], false);
    assert_eq!(
        (
            &results[1]["flagged"],
            &results[1]["categories"]["violence"]
        ),
        (&json!(true), &json!(true))
    );
    assert!(
        answer.header("x-request-id").is_some() && answer.header("openai-processing-ms").is_some()
    );
    let parts = json!({"input": [{"type": "text", "text": "hi"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]})
    .to_string();
    let multimodal = send(&fleet, line, key, &parts).await;
    let inputs = &multimodal.body["results"][0]["category_applied_input_types"];
    assert_eq!(
        (&inputs["violence"], &inputs["hate"]),
        (&json!(["text", "image"]), &json!(["text"]))
    );
    let refused = send(&fleet, line, "", &body).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["code"]),
        (401, &json!("invalid_api_key"))
    );
    let invalid = send(&fleet, line, key, "{}").await;
    assert_eq!(invalid.status, 400);
    assert_eq!(
        keys(&invalid.body["error"]),
        ["message", "type", "param", "code"].into()
    );
    fleet.stop().await;
}

#[tokio::test]
async fn azure_answers_severities_and_sends_its_error_code_as_a_header() {
    let fleet = start(Dialect::Azure, json!({})).await;
    let key = "ocp-apim-subscription-key: k\r\n";
    let line = "POST /contentsafety/text:analyze?api-version=2024-09-01";
    let answer = send(&fleet, line, key, r#"{"text": "I will kill you"}"#).await;
    assert_eq!(
        answer.body,
        json!({"blocklistsMatch": [], "categoriesAnalysis": [
            {"category": "Hate", "severity": 0}, {"category": "SelfHarm", "severity": 0},
            {"category": "Sexual", "severity": 0}, {"category": "Violence", "severity": 6}]})
    );
    let some =
        r#"{"text": "you idiot", "categories": ["Hate"], "outputType": "EightSeverityLevels"}"#;
    let answer = send(&fleet, line, key, some).await;
    assert_eq!(
        answer.body["categoriesAnalysis"],
        json!([{"category": "Hate", "severity": 6}])
    );
    let long = json!({"text": "x".repeat(10_001)}).to_string();
    for (line, headers, body, status, code) in [
        (line, "", r#"{"text": "x"}"#, 401, "401"),
        (line, key, "{}", 400, "InvalidRequestBody"),
        (line, key, long.as_str(), 400, "InvalidRequestBody"),
        (
            "POST /contentsafety/text:analyze",
            key,
            r#"{"text": "x"}"#,
            400,
            "InvalidRequestBody",
        ),
    ] {
        let refused = send(&fleet, line, headers, body).await;
        assert_eq!(refused.status, status, "{}", refused.body);
        assert_eq!(refused.header("x-ms-error-code"), Some(code));
        assert_eq!(refused.body["error"]["code"], code);
    }
    fleet.stop().await;
}

#[tokio::test]
async fn presidio_answers_sorted_keys_and_fails_as_the_service_does() {
    let fleet = start(Dialect::Presidio, json!({})).await;
    let line = "POST /analyze";
    let one = r#"{"text": "SSN 219-09-9999, you idiot", "language": "en"}"#;
    let answer = send(&fleet, line, "", one).await;
    let expected =
        r#"[{"analysis_explanation":null,"end":15,"entity_type":"US_SSN","score":0.95,"start":4}]"#;
    assert_eq!(
        answer.body.to_string(),
        expected,
        "what has no entity type is not shown"
    );
    let many = r#"{"text": ["a@example.org", "clean"], "language": "en", "return_decision_process": true}"#;
    let answer = send(&fleet, line, "", many).await;
    let lists = answer.body.as_array().expect("a list of lists");
    assert_eq!((lists.len(), &lists[1]), (2, &json!([])));
    assert_eq!(
        lists[0][0]["analysis_explanation"]["recognizer"],
        "EmailRecognizer"
    );
    for (body, status, error) in [
        (r#"{"language": "en"}"#, 500, "No text provided"),
        (r#"{"text": "a"}"#, 500, "No language provided"),
        (r#"{"text": 5, "language": "en"}"#, 400, "Failed to parse"),
    ] {
        let refused = send(&fleet, line, "", body).await;
        assert_eq!(refused.status, status);
        assert!(
            refused.body["error"]
                .as_str()
                .expect("text")
                .starts_with(error),
            "{}",
            refused.body
        );
    }
    let health = send(&fleet, "GET /health", "", "").await;
    assert_eq!(health.body, "Presidio Analyzer service is up");
    let entities = send(&fleet, "GET /supportedentities?language=en", "", "").await;
    assert!(
        entities
            .body
            .as_array()
            .expect("a list")
            .contains(&json!("EMAIL_ADDRESS"))
    );
    fleet.stop().await;
}

#[tokio::test]
async fn every_dialect_survives_every_semantic_failure() {
    let contents = [
        (Dialect::Native, "POST /detect", json!({"content": "clean"})),
        (
            Dialect::Fms,
            "POST /api/v1/text/contents",
            json!({"contents": ["clean", "b"]}),
        ),
        (
            Dialect::OpenAi,
            "POST /v1/moderations",
            json!({"input": ["clean", "b"]}),
        ),
        (
            Dialect::Azure,
            "POST /contentsafety/text:analyze?api-version=2023-10-01",
            json!({"text": "clean"}),
        ),
        (
            Dialect::Presidio,
            "POST /analyze",
            json!({"text": "clean", "language": "en"}),
        ),
    ];
    let headers = "detector-id: x\r\nauthorization: Bearer k\r\n";
    for (dialect, line, body) in contents {
        let fleet = start(dialect, json!({})).await;
        let right = send(&fleet, line, headers, &body.to_string()).await;
        for kind in [
            "nan_score",
            "score_out_of_range",
            "short_list",
            "long_list",
            "reordered_list",
            "stale_answer",
            "other_answer",
            "wrong_id",
            "malformed_json",
            "span_out_of_range",
        ] {
            fleet
                .patch(
                    "mock",
                    &json!({"success_rate": 0, "failures": [{"kind": {kind: {}}}]}),
                )
                .expect("valid");
            let wrong = send(&fleet, line, headers, &body.to_string()).await;
            assert_eq!(wrong.status, 200, "{dialect:?} {kind}");
            let same = ["reordered_list", "stale_answer", "wrong_id"].contains(&kind)
                || (kind == "short_list" && dialect != Dialect::Fms && dialect != Dialect::OpenAi)
                || (kind == "span_out_of_range"
                    && matches!(dialect, Dialect::OpenAi | Dialect::Azure));
            assert!(
                same || wrong.body != right.body,
                "{dialect:?} {kind}: {}",
                wrong.body
            );
            if kind == "nan_score" {
                assert!(
                    wrong.body.as_str().is_some_and(|text| text.contains("NaN")),
                    "{dialect:?}: {}",
                    wrong.body
                );
            }
        }
        fleet.stop().await;
    }
}
