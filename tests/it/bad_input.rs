//! A mistake of a client or an operator causes a clear error, never a panic.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::binary::call;
use crate::stack::Up;

const FLEET: &str = "
detectors:
  one: { endpoint: 'http://localhost:0/detect' }
";

#[test]
fn bad_requests_get_errors_that_name_what_is_wrong() {
    let up = Up::start(FLEET);
    let request =
        |content: &str| json!({"content": content, "content_type": "text", "tenant_id": "t"});
    let check = |body: &str, content_type: &str, status: u16, code: &str, names: &str| {
        let (found, answer) = up.post_text("/orchestrate", content_type, body);
        assert_eq!(
            (found, &answer["error_code"]),
            (status, &Value::from(code)),
            "{answer}"
        );
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(names), "no {names:?} in {message:?}");
        assert_eq!(answer["retryable"], false);
        assert!(
            answer["request_id"]
                .as_str()
                .is_some_and(|id| !id.is_empty())
        );
    };
    let json = "application/json";
    check("{\"content\": ", json, 400, "INVALID_REQUEST", "JSON");
    check("{}", json, 400, "INVALID_REQUEST", "content");
    check(
        &json!({"content": "x", "tenant_id": "t"}).to_string(),
        json,
        400,
        "INVALID_REQUEST",
        "content_type",
    );
    check(
        &request("").to_string(),
        json,
        400,
        "INVALID_REQUEST",
        "content",
    );
    check(
        &request(&"x".repeat(60_000)).to_string(),
        json,
        400,
        "INVALID_REQUEST",
        "content",
    );
    check(
        &json!({"content": "x", "content_type": "sound", "tenant_id": "t"}).to_string(),
        json,
        400,
        "INVALID_REQUEST",
        "content_type",
    );
    check(
        &request("x").to_string(),
        "text/plain",
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        "application/json",
    );

    assert_eq!(up.post("/orchestrate", &request("still there")).0, 200);
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("detectors.yaml");
    let fleet = format!(
        "service: {{ port: 0 }}\ndetectors:\n  one: {{ endpoint: 'http://localhost:{port}/detect' }}\n"
    );
    std::fs::write(&path, fleet).expect("the folder is writable");

    let ended = call(["up".as_ref(), "--config".as_ref(), path.as_os_str()]);

    assert_eq!(ended.code, Some(1));
    let expected =
        format!("cannot listen on 127.0.0.1:{port} for one: port {port} is already in use");
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
}
