//! Data at rest, while a job waits and after it has ended, does not contain readable content.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use orchestrator::Config;
use serde_json::json;
use tempfile::TempDir;

use crate::detector::{Act, Detector};
use crate::service::{Service, config, request, settings, start};
use job_store::testing::redis_server::Server;

/// Words that no file contains by chance.
const CANARY: &str = "canary-zw7vq4kx9m2p";
const PATIENCE: Duration = Duration::from_secs(60);

fn key(byte: u8) -> job_store::Key {
    job_store::Key::new([byte; 32])
}

fn durable(detector: &Detector, folder: &TempDir) -> Config {
    let mut config = config(vec![settings("a", detector)]);
    config.detectors[0].timeout = Duration::from_secs(20);
    config.store = Some(job_store::Config::new(folder.path().join("jobs.redb")));
    config
}

fn shared(detector: &Detector, folder: &TempDir, redis: &Server) -> Config {
    let mut config = durable(detector, folder);
    let mut link = job_store::redis::Config::new(redis.url());
    link.keys = vec![key(1)];
    // Long enough for a busy machine.
    link.response_timeout = Duration::from_secs(3);
    link.connect_timeout = Duration::from_secs(10);
    config.redis = Some(link);
    config
}

/// A job that waits, one that is cancelled, one that ends, and an answer under a key, all about
/// the canary. Calls `look` while they wait and when all have ended.
async fn leave_traces(service: &Service, detector: &Detector, look: impl Fn(&str)) {
    let finding = Act::Find(CANARY, 0.9);
    detector.act(Act::Slow(Duration::from_secs(2), Box::new(finding.clone())));
    let about = |what: &str| {
        json!({
            "content": format!("{what} {CANARY}"), "processing_mode": "async",
            "metadata": { "note": CANARY },
        })
    };
    let mut places = Vec::new();
    // More than run at once, so that some wait.
    for number in 0..20 {
        let answer = service.orchestrate(about(&number.to_string())).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        places.push(answer.header("location").to_owned());
    }
    let cancelled = service.orchestrate(about("cancelled")).await;
    let place = cancelled.header("location").to_owned();
    let answer = service.send(Method::DELETE, &place, &[], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    look("while jobs wait");
    detector.act(finding);
    for place in &places {
        let begun = std::time::Instant::now();
        loop {
            let job = service.get(place).await.json;
            if ["completed", "failed"]
                .iter()
                .any(|end| job["status"] == *end)
            {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "never ended: {job}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let body = request(json!({"content": format!("key {CANARY}")})).to_string();
    for replayed in ["", "true"] {
        let answer = service
            .send(Method::POST, "/orchestrate", &headers, body.clone())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("idempotent-replayed"), replayed);
    }
    look("after all ended");
}

/// Asserts that there are files below `folder`, and that none contains the canary.
fn check_clean(folder: &Path, when: &str) {
    let files = files(folder);
    assert!(!files.is_empty(), "nothing was looked at");
    for file in files {
        assert!(
            !holds_canary(&file),
            "{when}: content in {}",
            file.display()
        );
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("it is ours") {
            let path = entry.expect("it is ours").path();
            let places = if path.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            places.push(path);
        }
    }
    files
}

fn holds_canary(file: &Path) -> bool {
    let bytes = std::fs::read(file).expect("it is ours");
    let mut parts = bytes.windows(CANARY.len());
    parts.any(|part| part == CANARY.as_bytes())
}

#[tokio::test]
async fn the_job_store_contains_no_readable_content() {
    let (a, folder) = (Detector::start(Act::Clean).await, tempfile::tempdir());
    let folder = folder.expect("a temporary folder");
    let service = start(durable(&a, &folder)).await;
    leave_traces(&service, &a, |when| check_clean(folder.path(), when)).await;
    service.stop().await;
    check_clean(folder.path(), "after the end");
}

#[tokio::test]
async fn redis_contains_no_readable_content() {
    let Some(redis) = Server::start() else {
        return;
    };
    let (a, folder) = (Detector::start(Act::Clean).await, tempfile::tempdir());
    let folder = folder.expect("a temporary folder");
    let service = start(shared(&a, &folder, &redis)).await;
    let look = |when: &str| {
        assert_eq!(redis.command("SAVE"), "+OK");
        check_clean(redis.folder(), when);
        check_clean(folder.path(), when);
    };
    leave_traces(&service, &a, look).await;
    service
        .until_metric("orchestrate_jobs{state=\"completed\"} 20")
        .await;
    service.stop().await;
    look("after the end");
}

#[tokio::test]
async fn a_replica_with_another_key_leaves_redis_to_the_others() {
    let Some(redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::Clean).await;
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let one = start(shared(&a, &folders[0], &redis)).await;
    let first = one
        .orchestrate(json!({"content": "x", "processing_mode": "async"}))
        .await;
    assert_eq!(first.status, 202, "{}", first.text);
    let mut other = shared(&a, &folders[1], &redis);
    if let Some(link) = &mut other.redis {
        link.keys = vec![key(2)];
        link.connect_timeout = Duration::from_millis(500);
    }
    let two = start(other).await;
    let ready = two.get("/health/ready").await;
    assert_eq!(ready.json["dependencies"]["redis"], false, "{}", ready.text);
    // It continues alone, and reports that.
    let answer = two
        .orchestrate(json!({"content": "y", "processing_mode": "async"}))
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    for (service, answer) in [(&one, &first), (&two, &answer)] {
        let begun = std::time::Instant::now();
        while service.get(answer.header("location")).await.json["status"] != "completed" {
            assert!(begun.elapsed() < PATIENCE, "its own jobs are run");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let up = "orchestrator_redis_backend_up{component=\"jobs\"} 0";
    two.until_metric(up).await;
}

/// The warning at the start is true, and the check above finds content if there is some.
#[tokio::test]
async fn without_a_key_redis_files_contain_readable_content() {
    let Some(redis) = Server::start() else {
        return;
    };
    let (a, folder) = (Detector::start(Act::Clean).await, tempfile::tempdir());
    let folder = folder.expect("a temporary folder");
    let mut config = shared(&a, &folder, &redis);
    if let Some(link) = &mut config.redis {
        link.keys = Vec::new();
    }
    let service = start(config).await;
    let job = json!({"content": CANARY, "processing_mode": "async"});
    let answer = service.orchestrate(job).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let found = files(redis.folder()).iter().any(|file| holds_canary(file));
    assert!(found, "it is in the append-only file");
    check_clean(folder.path(), "the own store has its own key");
}
