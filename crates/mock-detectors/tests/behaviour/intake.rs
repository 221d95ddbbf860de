//! Unusual input: too long, malformed, unreadable, or from a client that has closed its half.

use mock_detectors::Fleet;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, start};

async fn connect(fleet: &Fleet) -> TcpStream {
    let address = fleet.address("mock").expect("started");
    TcpStream::connect(address).await.expect("up")
}

/// Everything until the server ends the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer does not truncate it.
    drop(stream.read_to_end(&mut bytes).await);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_long_is_not_asked_for() {
    let fleet = start(json!({})).await;
    for (line, length) in [
        ("POST /detect", 8 * 1024 * 1024 + 1),
        ("PUT /__admin/profile", 2 * 1024 * 1024 + 1),
    ] {
        let mut stream = connect(&fleet).await;
        let head = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("open");
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 413", "{line}");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_too_much_at_once_receives_the_error() {
    let fleet = start(json!({})).await;
    for line in ["POST /detect", "PATCH /__admin/profile"] {
        let mut stream = connect(&fleet).await;
        let head = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 20000000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("open");
        let chunk = vec![b'x'; 1_000_000];
        for _ in 0..20 {
            stream.write_all(&chunk).await.expect("it is read");
        }
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{line}: {answer}");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn too_much_in_one_chunk_is_read_to_its_end_before_it_is_refused() {
    let fleet = start(json!({})).await;
    for line in [
        "PATCH /__admin/profile",
        "PUT /__admin/overlays/o",
        "POST /__admin/record",
        "POST /elsewhere",
        "POST /detect",
    ] {
        let mut stream = connect(&fleet).await;
        let head = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1312D00\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("open");
        let piece = vec![b'x'; 1_000_000];
        for _ in 0..20 {
            stream.write_all(&piece).await.expect("it is read");
        }
        stream.write_all(b"\r\n0\r\n\r\n").await.expect("open");
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{line}: {answer}");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn a_duplicate_key_is_refused_and_named() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    for line in [
        "PATCH /__admin/profile",
        "PUT /__admin/profile",
        "PUT /__admin/overlays/o",
    ] {
        for (body, path) in [
            (
                r#"{"success_rate": 1.0, "success_rate": 0.0}"#,
                "success_rate",
            ),
            (
                r#"{"latency": {"constant": {"ms": 1, "ms": 2}}}"#,
                "latency.constant.ms",
            ),
        ] {
            let answer = client.send(line, &[], body.into()).await;
            assert_eq!(answer.status, 400, "{line} {body}");
            let message = answer.body["message"].as_str().expect("text");
            assert!(
                message.starts_with(&format!("{path} is duplicated")),
                "{message}"
            );
        }
    }
    assert_eq!(fleet.profile("mock").expect("started").success_rate, 1.0);
    fleet.stop().await;
}

#[tokio::test]
async fn a_malformed_chunk_is_a_bad_request() {
    let fleet = start(json!({})).await;
    let mut stream = connect(&fleet).await;
    let request = "POST /detect HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    stream.write_all(request.as_bytes()).await.expect("open");
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let mut client = Client::to(&fleet).await;
    let path = "/__admin/verify?fault=bad_request&status=400&count=1";
    assert_eq!(client.get(path).await.status, 200);
    fleet.stop().await;
}

#[tokio::test]
async fn an_unsupported_method_gets_the_allowed_one() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let answer = client.get("/detect").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.headers["allow"], "POST");
    assert!(client.get("/nothing").await.headers.get("allow").is_none());
    fleet.stop().await;
}

#[tokio::test]
async fn names_that_are_not_ascii_are_refused() {
    let fleet = start(json!({})).await;
    for header in ["x-tenant-id", "x-request-id"] {
        let mut stream = connect(&fleet).await;
        let body = r#"{"content": "x"}"#;
        let request = format!(
            "POST /detect HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}: t\u{e4}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("open");
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains(header), "{answer}");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn a_client_that_closes_its_half_with_its_request_gets_its_answer() {
    for ms in [0, 300] {
        let fleet = start(json!({"latency": {"constant": {"ms": ms}}})).await;
        let mut stream = connect(&fleet).await;
        let body = r#"{"content": "x"}"#;
        let request = format!(
            "POST /detect HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("open");
        stream.shutdown().await.expect("open");
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{ms} ms: {answer}");
        fleet.stop().await;
    }
}

#[tokio::test]
async fn ids_and_tenants_of_any_length_are_distinguished_and_stored_short() {
    let fleet = start(json!({"success_rate": 0.5, "seed": 3})).await;
    let mut client = Client::to(&fleet).await;
    let mut lengths = Vec::new();
    for end in ["1", "2"] {
        let id = "i".repeat(1_000_000) + end;
        let body = json!({"content": "x", "request_id": id}).to_string();
        let answer = client.send("POST /detect", &[], body.into_bytes()).await;
        assert!(
            answer.headers.get("x-request-id").is_none(),
            "longer than clients take"
        );
        let tenant = "t".repeat(5_000) + end;
        let body = json!({"content": "x"}).to_string().into_bytes();
        client
            .send("POST /detect", &[("x-tenant-id", &tenant)], body)
            .await;
        let of_tenant = client
            .get(&format!("/__admin/journal?tenant={tenant}"))
            .await
            .body;
        assert_eq!(of_tenant["entries"].as_array().map(Vec::len), Some(1));
    }
    let journal = client.get("/__admin/journal").await.body;
    for entry in journal["entries"].as_array().expect("a list") {
        let length = |name: &str| entry[name].as_str().map_or(0, str::len);
        lengths.extend([length("key"), length("tenant")]);
    }
    assert!(lengths.iter().all(|length| *length <= 128), "{lengths:?}");
    let keys: std::collections::BTreeSet<String> = journal["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry: &Value| entry["key"].to_string())
        .collect();
    assert!(keys.len() >= 3, "{keys:?}");
    fleet.stop().await;
}
