//! A duplicate key is refused by every reader, and the error names it.

use http::Method;
use serde_json::Value;

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, settings, start};

async fn send(service: &Service, method: Method, path: &str, body: &str) -> Response {
    service.send(method, path, &[], body.to_owned()).await
}

/// Method, path, body, and the status and the field of the refusal.
type Case = (Method, &'static str, String, u16, &'static str);

fn cases(a: &Detector) -> Vec<Case> {
    let mut cases = requests();
    cases.extend(settings_of_others(a));
    cases
}

fn requests() -> Vec<Case> {
    let good = r#""content": "x", "content_type": "text", "tenant_id": "t""#;
    let twice = format!(r#"{{{good}, "content": "y"}}"#);
    let inside = format!(r#"{{{good}, "metadata": {{"k": [{{"v": 1, "v": 2}}]}}}}"#);
    let ignored = format!(r#"{{{good}, "surprise": 1, "surprise": 2}}"#);
    let fms = |detectors: &str| format!(r#"{{"content": "x", "detectors": {detectors}}}"#);
    vec![
        (Method::POST, "/orchestrate", twice.clone(), 400, "content"),
        (
            Method::POST,
            "/orchestrate",
            inside.clone(),
            400,
            "metadata.k[0].v",
        ),
        (
            Method::POST,
            "/orchestrate",
            ignored.clone(),
            400,
            "surprise",
        ),
        (
            Method::POST,
            "/orchestrate/plan",
            twice.clone(),
            400,
            "content",
        ),
        (
            Method::POST,
            "/orchestrate/plan",
            inside.clone(),
            400,
            "metadata.k[0].v",
        ),
        (
            Method::POST,
            "/orchestrate/resume",
            r#"{"resume_token": "a", "content": "x", "resume_token": "b"}"#.to_owned(),
            400,
            "resume_token",
        ),
        (
            Method::POST,
            "/orchestrate/batch",
            r#"{"requests": [], "requests": []}"#.to_owned(),
            400,
            "requests",
        ),
        (
            Method::POST,
            "/orchestrate/batch",
            r#"{"requests": [], "x": 1, "x": 2}"#.to_owned(),
            400,
            "x",
        ),
        (
            Method::POST,
            "/api/v2/text/detection/content",
            fms(r#"{"a": {}, "a": {"threshold": 0.95}}"#),
            422,
            "detectors.a",
        ),
        (
            Method::POST,
            "/api/v2/text/detection/content",
            fms(r#"{"a": {"threshold": 0.1, "threshold": 0.95}}"#),
            422,
            "detectors.a.threshold",
        ),
    ]
}

fn settings_of_others(a: &Detector) -> Vec<Case> {
    let at = |path: &str| format!(r#""endpoint": "{}"{path}"#, a.endpoint());
    vec![
        (
            Method::POST,
            "/detectors",
            format!(r#"{{"name": "b", {}}}"#, at(r#", "name": "c""#)),
            400,
            "name",
        ),
        (
            Method::PUT,
            "/detectors/b",
            format!("{{{}}}", at(r#", "retry": {"base_ms": 1, "base_ms": 2}"#)),
            400,
            "retry.base_ms",
        ),
        (
            Method::PUT,
            "/policies/t/p",
            r#"{"on_failure": {"a": "closed", "a": "open"}}"#.to_owned(),
            400,
            "on_failure.a",
        ),
        (
            Method::PUT,
            "/policies/t/p",
            r#"{"weights": {"a": 1.0, "\u0061": 2.0}}"#.to_owned(),
            400,
            "weights.a",
        ),
        (
            Method::POST,
            "/cache/invalidate",
            r#"{"tenant": "t", "tenant": "u"}"#.to_owned(),
            400,
            "tenant",
        ),
    ]
}

#[tokio::test]
async fn every_body_is_read_equally_strictly() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    for (method, path, body, status, field) in cases(&a) {
        let answer = send(&service, method, path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text);
        let message = [&answer.json["message"], &answer.json["details"]];
        let message = message.into_iter().find_map(Value::as_str);
        let message = message.expect("an error in words");
        assert!(
            message.starts_with(&format!("{field}: is duplicated")),
            "{path} {body}: {message}"
        );
    }
    assert_eq!(a.count(), 0);
}

#[tokio::test]
async fn an_entry_of_a_batch_is_refused_alone_with_the_same_error() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let good = r#"{"content": "x", "content_type": "text", "tenant_id": "t"}"#;
    let twice = r#"{"content": "mail", "content": "x", "content_type": "text", "tenant_id": "t"}"#;
    let alone = send(&service, Method::POST, "/orchestrate", twice).await;
    for body in [
        format!("[{good}, {twice}]"),
        format!(r#"{{"requests": [{good}, {twice}]}}"#),
    ] {
        let batch = send(&service, Method::POST, "/orchestrate/batch", &body).await;
        assert_eq!(batch.status, 200, "{}", batch.text);
        assert_eq!(batch.json["results"][0]["verdict"], "pass");
        assert_eq!(batch.json["errors"][0]["index"], 1);
        assert_eq!(batch.json["errors"][0]["message"], alone.json["message"]);
    }
}
