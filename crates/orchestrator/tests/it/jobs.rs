//! Jobs, idempotency keys, rate limits: state that outlives one request.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use job_store::rate_limit::{self, Quota};
use orchestrator::Config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, start};

fn durable(detector: &Detector, folder: &Path) -> Config {
    let mut config = config(vec![settings("a", detector)]);
    config.store = Some(job_store::Config::new(folder.join("jobs.redb")));
    config
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Polls until the job has ended; fails the test after ten seconds.
async fn ended(service: &Service, answer: &Response) -> Value {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let place = answer.header("location").to_owned();
    for _ in 0..1_000 {
        let status = service.get(&place).await.json;
        if ["completed", "failed", "cancelled"]
            .iter()
            .any(|end| status["status"] == *end)
        {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the job at {place} never ended");
}

#[tokio::test]
async fn a_job_is_accepted_run_and_kept() {
    let (a, folder) = (Detector::start(Act::Find("email", 0.9)).await, folder());
    let service = start(durable(&a, folder.path())).await;
    let answer = service
        .orchestrate(json!({"processing_mode": "async"}))
        .await;
    assert_eq!(answer.json["status"], "pending");
    assert!(answer.json["estimated_processing_time_ms"].is_u64());
    let job = ended(&service, &answer).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["result"]["verdict"], "block");
    assert_eq!(job["result"]["processing_mode"], "async");
    assert_eq!(job["result"]["job_id"], answer.json["job_id"]);
    assert_eq!(job["request_id"], answer.json["request_id"]);
    assert!(job["created_at"].is_string() && job["completed_at"].is_string());
    service
        .until_metric("orchestrate_jobs{state=\"completed\"} 1")
        .await;
}

#[tokio::test]
async fn a_job_without_any_answer_fails_with_the_error() {
    let (a, folder) = (Detector::start(Act::Status(500, None)).await, folder());
    let service = start(durable(&a, folder.path())).await;
    let answer = service
        .orchestrate(json!({"processing_mode": "async"}))
        .await;
    let job = ended(&service, &answer).await;
    assert_eq!(job["status"], "failed");
    assert_eq!(job["error"]["error_code"], "ALL_DETECTORS_UNAVAILABLE");
}

#[tokio::test]
async fn an_accepted_job_is_finished_after_a_restart() {
    let (a, folder) = (Detector::start(Act::StallHead).await, folder());
    let mut first = durable(&a, folder.path());
    first.detectors[0].timeout = Duration::from_secs(30);
    let service = start(first).await;
    let answer = service
        .orchestrate(json!({"processing_mode": "async"}))
        .await;
    while a.count() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    service.stop().await;
    a.act(Act::Clean);
    let service = start(durable(&a, folder.path())).await;
    assert_eq!(ended(&service, &answer).await["status"], "completed");
}

#[tokio::test]
async fn a_job_can_be_cancelled_until_it_has_ended() {
    let (a, folder) = (Detector::start(Act::StallHead).await, folder());
    let mut slow = durable(&a, folder.path());
    slow.detectors[0].timeout = Duration::from_secs(30);
    let service = start(slow).await;
    let answer = service
        .orchestrate(json!({"processing_mode": "async"}))
        .await;
    let place = answer.header("location").to_owned();
    let cancel = || service.send(Method::DELETE, &place, &[], "");
    assert_eq!(cancel().await.json["status"], "cancelled");
    assert_eq!(ended(&service, &answer).await["status"], "cancelled");
    assert_eq!(cancel().await.status, 409);
    let unknown = service.get("/orchestrate/status/nope").await;
    assert_eq!(
        (unknown.status, unknown.json["error_code"].as_str()),
        (404, Some("JOB_NOT_FOUND"))
    );
    let other = [("x-tenant-id", "other")];
    let foreign = service.send(Method::GET, &place, &other, "").await;
    assert_eq!(foreign.status, 404, "another tenant's job does not exist");
}

#[tokio::test]
async fn without_a_durable_store_no_job_is_accepted() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let answer = service
        .orchestrate(json!({"processing_mode": "async"}))
        .await;
    assert_eq!(
        (answer.status, answer.json["error_code"].as_str()),
        (501, Some("NOT_IMPLEMENTED"))
    );
    assert!(answer.json["message"].to_string().contains("job_store"));
}

#[tokio::test]
async fn in_a_batch_an_async_entry_has_its_job_id() {
    let (a, folder) = (Detector::start(Act::Clean).await, folder());
    let service = start(durable(&a, folder.path())).await;
    let entries = json!([
        request(json!({})),
        request(json!({"processing_mode": "async"}))
    ]);
    let answer = service.post("/orchestrate/batch", &entries).await;
    assert_eq!(answer.json["results"][0]["coverage_achieved"], 1.0);
    assert!(
        answer.json["results"][1]["job_id"].is_string(),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_request_that_takes_longer_than_its_client_waits_becomes_a_job_without_a_second_call() {
    let slow = Act::Slow(Duration::from_millis(1_500), Box::new(Act::Clean));
    let (a, folder) = (Detector::start(slow).await, folder());
    let mut config = durable(&a, folder.path());
    config.detectors[0].timeout = Duration::from_secs(30);
    let service = start(config).await;
    let body = request(json!({})).to_string();
    let prefer = [("prefer", "respond-async, wait=1")];
    let answer = service
        .send(Method::POST, "/orchestrate", &prefer, body.clone())
        .await;
    assert_eq!(answer.header("preference-applied"), "respond-async");
    assert_eq!(ended(&service, &answer).await["status"], "completed");
    assert_eq!(a.count(), 1, "the same run went on");
    let now = service
        .send(Method::POST, "/orchestrate", &prefer, body)
        .await;
    assert_eq!((now.status, now.header("x-cache")), (200, "hit"));
}

#[tokio::test]
async fn a_job_takes_over_a_run_even_without_sharing() {
    for (act, status) in [
        (Act::Clean, "completed"),
        (Act::Status(400, None), "failed"),
    ] {
        let slow = Act::Slow(Duration::from_millis(200), Box::new(act));
        let (a, folder) = (Detector::start(slow).await, folder());
        let mut config = durable(&a, folder.path());
        config.cache.enabled = false;
        config.detectors[0].timeout = Duration::from_secs(30);
        let service = start(config).await;
        let body = request(json!({})).to_string();
        let prefer = [("prefer", "respond-async")];
        let answer = service
            .send(Method::POST, "/orchestrate", &prefer, body)
            .await;
        let job = ended(&service, &answer).await;
        assert_eq!((job["status"].as_str(), a.count()), (Some(status), 1));
        if status == "completed" {
            assert_eq!(job["result"]["job_id"], answer.json["job_id"]);
            assert_eq!(job["result"]["processing_mode"], "async");
        }
    }
}

async fn keyed(service: &Service, key: &str, body: &Value) -> Response {
    let headers = [("idempotency-key", key)];
    service
        .send(Method::POST, "/orchestrate", &headers, body.to_string())
        .await
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_another_body_a_conflict() {
    let a = Detector::start(Act::Clean).await;
    let mut config = config(vec![settings("a", &a)]);
    config.cache.enabled = false;
    let service = start(config).await;
    let body = request(json!({}));
    let answers = join_all((0..20).map(|_| keyed(&service, "k", &body))).await;
    assert!(
        answers
            .iter()
            .all(|it| it.status == 200 && it.text == answers[0].text)
    );
    assert_eq!(a.count(), 1);
    assert_eq!(answers[0].header("idempotency-key"), "k");
    assert_eq!(answers[0].json["idempotency_key"], "k");
    let replayed = keyed(&service, "k", &body).await;
    assert_eq!(replayed.header("idempotent-replayed"), "true");
    let other = keyed(&service, "k", &request(json!({"content": "other"}))).await;
    assert_eq!(
        (other.status, other.json["error_code"].as_str()),
        (409, Some("IDEMPOTENCY_CONFLICT"))
    );
    let tenant = keyed(&service, "k", &request(json!({"tenant_id": "u"}))).await;
    assert_eq!(
        (tenant.status, a.count()),
        (200, 2),
        "keys are the tenant's own"
    );
}

#[tokio::test]
async fn an_error_is_not_kept_for_a_key() {
    let a = Detector::start(Act::Reset).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let body = request(json!({}));
    assert_eq!(keyed(&service, "k", &body).await.status, 502);
    a.act(Act::Clean);
    assert_eq!(keyed(&service, "k", &body).await.status, 200);
}

#[tokio::test]
async fn an_answer_outlives_the_process_and_a_client_that_left() {
    let slow = Act::Slow(Duration::from_millis(200), Box::new(Act::Clean));
    let (a, folder) = (Detector::start(slow).await, folder());
    let service = start(durable(&a, folder.path())).await;
    let body = request(json!({}));
    let leave = Duration::from_millis(100);
    assert!(
        tokio::time::timeout(leave, keyed(&service, "k", &body))
            .await
            .is_err()
    );
    let first = keyed(&service, "k", &body).await;
    assert_eq!(first.status, 200);
    service.stop().await;
    let service = start(durable(&a, folder.path())).await;
    assert_eq!(keyed(&service, "k", &body).await.text, first.text);
    assert_eq!(a.count(), 1);
}

#[tokio::test]
async fn a_tenant_over_its_rate_is_refused_with_a_retry_time() {
    let a = Detector::start(Act::Clean).await;
    for status in [429, 403] {
        let mut config = config(vec![settings("a", &a)]);
        config.rate_limit = Some(rate_limit::Config {
            default: Some(Quota {
                rate_per_s: 0.1,
                burst: 2,
            }),
            endpoints: std::collections::BTreeMap::new(),
            tenants: std::collections::BTreeMap::new(),
            max_keys: 100,
        });
        config.rate_limit_status = status;
        let service = start(config).await;
        assert_eq!(service.orchestrate(json!({})).await.status, 200);
        assert_eq!(service.orchestrate(json!({})).await.status, 200);
        let refused = service.orchestrate(json!({})).await;
        assert_eq!(
            (refused.status, refused.json["error_code"].as_str()),
            (status, Some("RATE_LIMITED"))
        );
        assert_eq!(refused.json["retryable"], true);
        assert_eq!(refused.header("retry-after"), "10");
        assert_eq!(refused.header("ratelimit-limit"), "2");
        assert_eq!(refused.header("ratelimit-remaining"), "0");
        assert_eq!(
            service
                .orchestrate(json!({"tenant_id": "other"}))
                .await
                .status,
            200
        );
        let line = "orchestrator_rate_limit_requests_total{action=\"limited\",endpoint=\"orchestrate\",tenant=\"t\"} 1";
        service.until_metric(line).await;
    }
}

#[tokio::test]
async fn a_store_whose_folder_is_removed_accepts_nothing_and_is_not_ready() {
    let (a, folder) = (Detector::start(Act::Clean).await, folder());
    let place = folder.path().join("data");
    std::fs::create_dir(&place).expect("its own folder");
    let service = start(durable(&a, &place)).await;
    let work = json!({"processing_mode": "async"});
    assert_eq!(service.orchestrate(work.clone()).await.status, 202);
    while service.get("/health/ready").await.status != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    std::fs::remove_dir_all(&place).expect("its own folder");
    let ready = service.get("/health/ready").await;
    assert_eq!(
        (ready.status, &ready.json["dependencies"]["job_store"]),
        (503, &json!(false))
    );
    let refused = service.orchestrate(work).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
}
