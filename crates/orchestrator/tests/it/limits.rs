//! Everything that a client can make grow is bounded.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::detector::{Act, Detector};
use crate::service::{Service, config, request, settings, start};

async fn refused(service: &Service, path: &str, body: String, expected: (u16, &str), says: &str) {
    let headers = [("content-type", "application/json")];
    let answer = service.send(Method::POST, path, &headers, body).await;
    let code = answer.json["error_code"].as_str().unwrap_or("");
    assert_eq!((answer.status, code), expected, "{says}: {}", answer.text);
    let message = answer.json["message"].as_str().unwrap_or("");
    assert!(message.contains(says), "{message}");
}

fn with(name: &str, value: Value) -> String {
    request(json!({ name: value })).to_string()
}

#[tokio::test]
async fn a_request_beyond_a_limit_is_refused_with_the_field() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let names = |count: usize| json!(vec!["n"; count]);
    let deep = format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000));
    let deep = format!(
        r#"{{"content": "x", "content_type": "text", "tenant_id": "t", "metadata": {{"a": {deep}}}}}"#
    );
    let invalid = (400, "INVALID_REQUEST");
    let large = (413, "PAYLOAD_TOO_LARGE");
    let batch = |count: usize| json!(vec![request(json!({})); count]).to_string();
    for (path, body, expected, says) in [
        (
            "/orchestrate",
            with("content", json!("x".repeat(50_001))),
            invalid,
            "content",
        ),
        (
            "/orchestrate",
            with("metadata", json!({"a": "x".repeat(1 << 20)})),
            large,
            "1048576",
        ),
        (
            "/orchestrate",
            with("tenant_id", json!("t".repeat(65))),
            invalid,
            "tenant_id",
        ),
        (
            "/orchestrate",
            with("policy_bundle", json!("p".repeat(129))),
            invalid,
            "policy_bundle",
        ),
        (
            "/orchestrate",
            with("required_detectors", names(101)),
            invalid,
            "required_detectors",
        ),
        (
            "/orchestrate",
            with("excluded_detectors", names(101)),
            invalid,
            "excluded_detectors",
        ),
        (
            "/orchestrate",
            with("required_detectors", json!(["n".repeat(129)])),
            invalid,
            "required",
        ),
        ("/orchestrate", deep.clone(), invalid, "body"),
        ("/orchestrate/batch", format!("[{deep}]"), invalid, "body"),
        ("/orchestrate/batch", batch(101), invalid, "101"),
        (
            "/orchestrate/batch",
            " ".repeat((16 << 20) + 1),
            large,
            "16777216",
        ),
        (
            "/orchestrate/plan",
            " ".repeat((1 << 20) + 1),
            large,
            "1048576",
        ),
        (
            "/orchestrate/resume",
            " ".repeat((1 << 20) + 1),
            large,
            "1048576",
        ),
        ("/detectors", " ".repeat((64 << 10) + 1), large, "65536"),
        (
            "/cache/invalidate",
            " ".repeat((16 << 10) + 1),
            large,
            "16384",
        ),
    ] {
        refused(&service, path, body, expected, says).await;
    }
    assert_eq!(a.count(), 0);
}

#[tokio::test]
async fn a_client_that_sends_a_large_body_to_its_end_gets_the_error() {
    let service = start(config(Vec::new())).await;
    let part = [b' '; 64 << 10];
    let parts = 64;
    let chunk = [format!("{:x}\r\n", part.len()).as_bytes(), &part, b"\r\n"].concat();
    let length = format!("content-length: {}", parts * part.len());
    for (header, part, end) in [
        (length.as_str(), &part[..], ""),
        ("transfer-encoding: chunked", &chunk, "0\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(service.address).await.expect("a place");
        let head = "POST /orchestrate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
        let head = format!("{head}\r\n{header}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        for _ in 0..parts {
            stream.write_all(part).await.expect("sent");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stream.write_all(end.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 413"), "{header}: {answer}");
    }
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_the_error_before_it_sends() {
    let service = start(config(Vec::new())).await;
    let mut stream = TcpStream::connect(service.address).await.expect("a place");
    let head = "POST /orchestrate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 9999999\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn the_size_of_headers_is_bounded() {
    let service = start(config(Vec::new())).await;
    let long = "k".repeat(65);
    let headers = [("idempotency-key", long.as_str())];
    let body = request(json!({})).to_string();
    let answer = service
        .send(Method::POST, "/orchestrate", &headers, body.clone())
        .await;
    assert_eq!(
        answer.json["error_code"], "INVALID_REQUEST",
        "{}",
        answer.text
    );
    let long = "r".repeat(129);
    let answer = service
        .send(Method::GET, "/nowhere", &[("x-request-id", &long)], "")
        .await;
    assert_ne!(answer.json["request_id"], long, "an id of our own instead");
    let huge = "h".repeat(1 << 20);
    let status = service
        .status(Method::GET, "/health", &[("x-huge", &huge)])
        .await;
    assert_eq!(status, 431);
    let names: Vec<String> = (0..200).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(service.status(Method::GET, "/health", &many).await, 431);
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_disconnected() {
    let mut config = config(Vec::new());
    config.limits.head = Duration::from_millis(300);
    let service = start(config).await;
    for begun in ["", "P", "POST /orchestrate HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(service.address)
            .await
            .expect("a connection");
        stream.write_all(begun.as_bytes()).await.expect("sent");
        let mut dripping = begun.len() > 1;
        let mut answer = Vec::new();
        let hung_up = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                // Occasional headers do not extend the limit.
                if dripping {
                    dripping = stream.write_all(b"a: 1\r\n").await.is_ok();
                }
                let wait = Duration::from_millis(50);
                let read = tokio::time::timeout(wait, stream.read_buf(&mut answer)).await;
                if matches!(read, Ok(Ok(0) | Err(_))) {
                    return;
                }
            }
        });
        hung_up.await.expect("the server hung up");
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"),
            "{answer:?}"
        );
    }
    assert_eq!(
        service.get("/health").await.status,
        200,
        "others are served"
    );
}

#[tokio::test]
async fn the_number_of_event_followers_is_bounded_and_a_leaving_one_makes_room() {
    let service = start(config(Vec::new())).await;
    let mut following = Vec::new();
    for _ in 0..256 {
        following.push(service.open("/events/stream").await);
    }
    let refused = service.get("/events/stream").await;
    assert_eq!(
        (refused.status, &refused.json["error_code"]),
        (503, &json!("OVERLOADED"))
    );
    assert_ne!(refused.header("retry-after"), "");
    following.pop();
    for _ in 0..500 {
        let status = service.status(Method::GET, "/events/stream", &[]).await;
        if status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a place that is free is not given");
}

#[tokio::test]
async fn the_number_of_jobs_is_bounded_and_a_refusal_has_a_retry_time() {
    let (a, folder) = (
        Detector::start(Act::StallHead).await,
        tempfile::tempdir().expect("a temporary folder"),
    );
    let mut config = config(vec![settings("a", &a)]);
    config.detectors[0].timeout = Duration::from_secs(20);
    let mut store = job_store::Config::new(folder.path().join("jobs.redb"));
    store.limits.open_jobs = 2;
    config.store = Some(store);
    let service = start(config).await;
    for (content, status) in [("1", 202), ("2", 202), ("3", 503)] {
        let job = json!({"processing_mode": "async", "content": content});
        let answer = service.orchestrate(job).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 503 {
            assert_eq!(answer.json["error_code"], "OVERLOADED");
            assert_ne!(answer.header("retry-after"), "");
        }
    }
}

#[tokio::test]
async fn label_values_that_clients_choose_fold_into_other() {
    let a = Detector::start(Act::Clean).await;
    let mut config = config(vec![settings("a", &a)]);
    config.limits.label_values = 3;
    let service = start(config).await;
    for number in 0..20 {
        let tenant = json!({"tenant_id": format!("tenant-{number}")});
        assert_eq!(service.orchestrate(tenant).await.status, 200);
    }
    let text = service.get("/metrics").await.text;
    let series = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert!(series("orchestrate_requests_total{") <= 4, "{text}");
    assert!(series("coverage_achieved{") <= 4, "{text}");
    assert!(text.contains("tenant=\"other\""));
}

#[tokio::test]
async fn a_tenant_has_a_hundred_bundles_and_a_bundle_fifty_versions() {
    let service = start(config(Vec::new())).await;
    let put = |bundle: String| {
        let service = &service;
        async move {
            let path = format!("/policies/t/{bundle}");
            service.send(Method::PUT, &path, &[], "{}").await.status
        }
    };
    for number in 0..100 {
        assert_eq!(put(number.to_string()).await, 200);
    }
    assert_eq!(put("one-more".to_owned()).await, 400);
    for _ in 0..60 {
        assert_eq!(put("0".to_owned()).await, 200, "an old one may change");
    }
    let versions = service.get("/policies/t/0/versions").await.json;
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(50));
}
