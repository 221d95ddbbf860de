//! Two orchestrators that share one real Redis, over HTTP.

mod bounds;
mod detectors;
mod hanging;

use std::time::Duration;

use http::Method;
use job_store::rate_limit::{self, Quota};
use orchestrator::Config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, start};
use job_store::testing::redis_server::Server;

/// Longer than any wait of a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A replica with its own file.
struct Replica {
    service: Service,
    _folder: TempDir,
}

async fn replica(detector: &Detector, redis: &Server, change: impl FnOnce(&mut Config)) -> Replica {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = config(vec![settings("a", detector)]);
    config.detectors[0].timeout = Duration::from_secs(20);
    config.store = Some(job_store::Config::new(folder.path().join("jobs.redb")));
    let mut link = job_store::redis::Config::new(redis.url());
    link.keys = vec![job_store::Key::new([1; 32])];
    // Long enough for a busy machine.
    link.response_timeout = Duration::from_secs(3);
    link.connect_timeout = Duration::from_secs(10);
    config.redis = Some(link);
    change(&mut config);
    let service = start(config).await;
    Replica {
        service,
        _folder: folder,
    }
}

impl Replica {
    async fn keyed(&self, key: &str, body: &Value) -> Response {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        let service = &self.service;
        service
            .send(Method::POST, "/orchestrate", &headers, body.to_string())
            .await
    }

    /// The value of the metric whose line has this prefix.
    async fn metric(&self, series: &str) -> u64 {
        let text = self.service.get("/metrics").await.text;
        let line = text.lines().find(|line| line.starts_with(series));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0, |value| value.parse().expect("a number"))
    }

    async fn fallbacks(&self, component: &str) -> u64 {
        let name = "orchestrator_redis_backend_fallback_total";
        self.metric(&format!("{name}{{component=\"{component}\"}}"))
            .await
    }

    async fn until_lost(&self) {
        let begun = std::time::Instant::now();
        while self.service.get("/health/ready").await.json["dependencies"]["redis"] == true {
            assert!(begun.elapsed() < PATIENCE, "it does not notice");
            // A request is needed to notice the outage.
            self.service
                .post("/cache/invalidate", &json!({"tenant": "nobody"}))
                .await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_up(&self, component: &str, up: u8) {
        let line = format!("orchestrator_redis_backend_up{{component=\"{component}\"}} {up}");
        self.service.until_metric(&line).await;
    }
}

/// Polls until the job has ended.
async fn ended(replica: &Replica, place: &str) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let answer = replica.service.get(place).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let state = answer.json["status"].as_str().unwrap_or_default();
        if ["completed", "failed", "cancelled"].contains(&state) {
            return answer.json;
        }
        assert!(begun.elapsed() < PATIENCE, "{place} never ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_one_replica_accepts_another_answers() {
    let Some(redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::Find("email", 0.9)).await;
    let one = replica(&a, &redis, |_| {}).await;
    let two = replica(&a, &redis, |_| {}).await;

    let ready = one.service.get("/health/ready").await;
    assert_eq!(ready.json["dependencies"]["redis"], true, "{}", ready.text);
    let accepted = one
        .service
        .orchestrate(json!({"processing_mode": "async", "content": "job"}))
        .await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let job = ended(&two, accepted.header("location")).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["result"]["verdict"], "block");
    assert_eq!(a.count(), 1, "it ran once");

    let first = one.service.orchestrate(json!({"content": "cached"})).await;
    assert_eq!(first.header("x-cache"), "miss");
    let second = two.service.orchestrate(json!({"content": "cached"})).await;
    assert_eq!(second.header("x-cache"), "hit", "{}", second.text);
    assert_eq!(second.json["verdict"], "block");
    assert_eq!(
        second.json["detector_results"],
        first.json["detector_results"]
    );

    let body = request(json!({"content": "once", "priority": "critical"}));
    let first = one.keyed("k", &body).await;
    let again = two.keyed("k", &body).await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    let other = request(json!({"content": "other", "priority": "critical"}));
    assert_eq!(two.keyed("k", &other).await.status, 409);
    assert_eq!(a.count(), 3, "each was asked once");
}

#[tokio::test]
async fn an_invalidation_at_one_replica_holds_at_the_other() {
    let Some(redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::Clean).await;
    let one = replica(&a, &redis, |_| {}).await;
    let two = replica(&a, &redis, |_| {}).await;
    for service in [&one.service, &two.service] {
        service.orchestrate(json!({})).await;
    }
    assert_eq!(a.count(), 1);
    let dropped = one
        .service
        .post("/cache/invalidate", &json!({"tenant": "t"}))
        .await;
    assert_eq!(dropped.status, 200, "{}", dropped.text);
    let again = two.service.orchestrate(json!({})).await;
    assert_eq!(again.header("x-cache"), "miss");
    assert_eq!(a.count(), 2);
}

#[tokio::test]
async fn replicas_count_a_tenants_requests_together() {
    let Some(redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::Clean).await;
    let limited = |config: &mut Config| {
        config.rate_limit = Some(rate_limit::Config {
            default: Some(Quota {
                rate_per_s: 0.01,
                burst: 4,
            }),
            endpoints: Default::default(),
            tenants: Default::default(),
            max_keys: 100,
        });
    };
    let one = replica(&a, &redis, limited).await;
    let two = replica(&a, &redis, limited).await;
    let mut told = Vec::new();
    for turn in 0..6 {
        let replica = if turn % 2 == 0 { &one } else { &two };
        let answer = replica.service.orchestrate(json!({})).await;
        told.push((
            answer.status,
            answer.header("ratelimit-remaining").to_owned(),
        ));
    }
    let expected = [
        (200, "3"),
        (200, "2"),
        (200, "1"),
        (200, "0"),
        (429, "0"),
        (429, "0"),
    ];
    let expected = expected.map(|(status, left)| (status, left.to_owned()));
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_redis_under_load_causes_no_client_errors() {
    let Some(mut redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::Clean).await;
    let one = std::sync::Arc::new(replica(&a, &redis, |_| {}).await);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|client| tokio::spawn(load(one.clone(), stop.clone(), client)))
        .collect();
    let components = ["cache", "idempotency", "jobs"];
    for _ in 0..2 {
        for component in components {
            one.until_up(component, 1).await;
        }
        let mut before = Vec::new();
        for component in components {
            before.push(one.fallbacks(component).await);
        }
        redis.stop();
        for (component, before) in components.into_iter().zip(before) {
            one.until_up(component, 0).await;
            let begun = std::time::Instant::now();
            while one.fallbacks(component).await <= before + 5 {
                assert!(begun.elapsed() < PATIENCE, "{component} did not fall back");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let ready = one.service.get("/health/ready").await;
        assert_eq!(ready.status, 200, "it goes on alone: {}", ready.text);
        assert_eq!(ready.json["dependencies"]["redis"], false);
        redis.start_again();
    }
    for component in components {
        one.until_up(component, 1).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut jobs = Vec::new();
    for client in clients {
        jobs.extend(client.await.expect("no client saw an error"));
    }
    assert!(jobs.len() > 20, "{} jobs", jobs.len());
    for place in &jobs {
        let job = ended(&one, place).await;
        assert_eq!(job["status"], "completed", "{job}");
    }
}

/// One after the other: a cached request, one with a key, a job and its status. Returns the jobs' URLs.
async fn load(
    replica: std::sync::Arc<Replica>,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    client: u32,
) -> Vec<String> {
    let mut jobs = Vec::new();
    let mut number = 0;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        number += 1;
        let name = format!("{client}-{number}");
        let answer = replica.service.orchestrate(json!({"content": name})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = request(json!({"content": name}));
        let answer = replica.keyed(&name, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let job = json!({"content": name, "processing_mode": "async"});
        let answer = replica.service.orchestrate(job).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let place = answer.header("location").to_owned();
        let status = replica.service.get(&place).await;
        assert_eq!(status.status, 200, "{}", status.text);
        jobs.push(place);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    jobs
}
