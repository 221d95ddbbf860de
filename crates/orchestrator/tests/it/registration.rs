//! The registration of a detector cannot make the service call hosts that only the service can reach.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::detector::{Act, Detector};
use crate::service::{config, settings_at, start};

#[tokio::test]
async fn only_allowed_networks_are_registered_whatever_the_name() {
    let mut elsewhere = config(Vec::new());
    elsewhere.registry_networks = vec!["10.0.0.0/8".parse().expect("a network")];
    let elsewhere = start(elsewhere).await;
    let usual = start(config(Vec::new())).await;
    for (endpoint, service, status) in [
        // A name that resolves to an address outside the list is refused like the address.
        ("http://localhost:9/detect", &elsewhere, 400),
        ("http://127.0.0.1:9/detect", &elsewhere, 400),
        ("http://2130706433:9/detect", &elsewhere, 400),
        ("http://0x7f.1:9/detect", &elsewhere, 400),
        ("http://[::ffff:127.0.0.1]:9/detect", &elsewhere, 400),
        ("http://10.1.2.3:9/detect", &elsewhere, 201),
        // The metadata address of clouds.
        ("http://169.254.169.254/latest/meta-data", &usual, 400),
        ("http://[fe80::1]/detect", &usual, 400),
        ("http://8.8.8.8/detect", &usual, 400),
        ("http://user@10.1.2.3/detect", &usual, 400),
        ("https://10.1.2.3/detect", &usual, 400),
        ("file:///etc/passwd", &usual, 400),
        ("http://no-such-name.invalid/detect", &usual, 400),
        ("http://localhost:9/detect", &usual, 201),
    ] {
        let body = json!({"name": "x", "endpoint": endpoint});
        let answer = service.post("/detectors", &body).await;
        assert_eq!(answer.status, status, "{endpoint}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let secret = Detector::start(Act::Clean).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let target = secret.endpoint();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 16 * 1024];
            drop(stream.read(&mut buffer).await);
            let head = format!(
                "HTTP/1.1 307 X\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            drop(stream.write_all(head.as_bytes()).await);
        }
    });
    let service = start(config(Vec::new())).await;
    let body = json!({
        "name": "x", "endpoint": format!("http://{address}/detect"), "max_retries": 0,
    });
    assert_eq!(service.post("/detectors", &body).await.status, 201);
    let answer = service.orchestrate(json!({})).await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(secret.count(), 0);
    server.abort();
}

#[tokio::test]
async fn at_the_limit_a_detector_can_be_replaced_but_none_added() {
    let many = (0..1_000).map(|n| settings_at(&format!("d{n}"), "http://127.0.0.1:9/detect"));
    let mut full = config(many.collect());
    full.health.interval = Duration::from_secs(3_600);
    let service = start(full).await;
    let headers = [("content-type", "application/json")];
    let body = json!({"endpoint": "http://127.0.0.1:9/detect", "timeout_ms": 77}).to_string();
    for (name, status) in [("d7", 200), ("one-more", 400)] {
        let path = format!("/detectors/{name}");
        let answer = service
            .send(Method::PUT, &path, &headers, body.clone())
            .await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
    }
    let taken = json!({"name": "d7", "endpoint": "http://127.0.0.1:9/detect"});
    assert_eq!(service.post("/detectors", &taken).await.status, 409);
    assert_eq!(service.get("/detectors/d7").await.json["timeout_ms"], 77);
}

#[tokio::test]
async fn an_invalid_health_check_path_is_refused() {
    let service = start(config(Vec::new())).await;
    for (path, status) in [
        ("/a b", 400),
        ("/a\tb", 400),
        ("health", 400),
        ("/a%20b?deep=1", 201),
    ] {
        let body = json!({
            "name": "x", "endpoint": "http://127.0.0.1:9/detect", "health_check_path": path,
        });
        let answer = service.post("/detectors", &body).await;
        assert_eq!(answer.status, status, "{path:?}: {}", answer.text);
    }
}
