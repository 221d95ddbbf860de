//! The service as clients see it while the disk of the job store fails, and after.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::Service as _;

use super::*;
use crate::config::DetectorSettings;
use crate::router::router;
use job_store::testing::disk::{Disk, open};

struct Service {
    app: Arc<App>,
    disk: Disk,
}

/// Status, the header of a replayed answer, and the body.
type Reply = (u16, bool, Value);

impl Service {
    fn start() -> Self {
        let disk = Disk::new(0);
        let config = Config {
            // This file only makes jobs durable; the disk above replaces it.
            store: Some(job_store::Config::new("")),
            detectors: vec![
                DetectorSettings::new("a", "http://127.0.0.1:1/detect").expect("an endpoint"),
            ],
            ..Config::default()
        };
        let app = App::on(open(&disk), config, Shutdown::new()).expect("it can start");
        app.catalog
            .registry
            .load()
            .iter()
            .for_each(|it| it.seen(true));
        Self { app, disk }
    }

    async fn send(&self, method: Method, path: &str, key: Option<&str>, body: Value) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .body(Body::from(body.to_string()))
            .expect("a request");
        let answer = router(self.app.clone()).call(request).await;
        let (parts, body) = answer.expect("every request is answered").into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let replayed = parts.headers.contains_key("idempotent-replayed");
        let body = serde_json::from_slice(&body).unwrap_or_default();
        (parts.status.as_u16(), replayed, body)
    }

    async fn job(&self, key: Option<&str>) -> Reply {
        let body = json!({
            "content": "x", "content_type": "text", "tenant_id": "t", "processing_mode": "async",
        });
        self.send(Method::POST, "/orchestrate", key, body).await
    }

    async fn ready(&self) -> (u16, Value) {
        let (status, _, body) = self
            .send(Method::GET, "/health/ready", None, Value::Null)
            .await;
        (status, body["dependencies"]["job_store"].clone())
    }

    async fn status(&self, job: &Value) -> u16 {
        let path = format!(
            "/orchestrate/status/{}",
            job["job_id"].as_str().expect("an id")
        );
        self.send(Method::GET, &path, None, Value::Null).await.0
    }
}

#[tokio::test]
async fn nothing_is_accepted_and_ready_says_so_until_the_disk_works_again() {
    let service = Service::start();
    assert_eq!(service.ready().await, (200, true.into()));
    let (status, _, before) = service.job(Some("before")).await;
    assert_eq!(status, 202);

    service.disk.fail(1.0);
    for path in ["/orchestrate", "/orchestrate/batch"] {
        let one = json!({
            "content": "x", "content_type": "text", "tenant_id": "t", "processing_mode": "async",
        });
        let body = if path == "/orchestrate" {
            one
        } else {
            json!([one])
        };
        for key in [None, Some("during")] {
            let (status, _, body) = service.send(Method::POST, path, key, body.clone()).await;
            // A batch without a key reports the error for each entry.
            let error = body["results"].get(0).unwrap_or(&body);
            assert_eq!(
                error["error_code"], "OVERLOADED",
                "{path} {key:?} {status} {body}"
            );
            assert_eq!(error["retryable"], true);
            assert_eq!(service.ready().await, (503, false.into()), "{path} {key:?}");
        }
    }
    assert_eq!(
        service.status(&before).await,
        503,
        "it is not said to be unknown"
    );

    service.disk.fail(0.0);
    let well = tokio::time::timeout(
        Duration::from_secs(60),
        service.app.jobs.store.local().well(),
    );
    well.await.expect("it recovers by itself").expect("open");
    assert_eq!(service.ready().await, (200, true.into()));
    assert_eq!(service.status(&before).await, 200);
    let (_, replayed, again) = service.job(Some("before")).await;
    assert_eq!((replayed, &again["job_id"]), (true, &before["job_id"]));
    let (status, replayed, _) = service.job(Some("during")).await;
    assert_eq!(
        (status, replayed),
        (202, false),
        "what was refused was not done"
    );
    let jobs = service
        .app
        .jobs
        .store
        .list(None, None)
        .await
        .expect("it works");
    assert_eq!(jobs.len(), 2, "none twice");
}
