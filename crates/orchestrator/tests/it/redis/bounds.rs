//! Data in Redis expires or is bounded.

use super::*;

/// Keys that do not expire: the streams of waiting jobs, from which an entry is removed when its job ends, and
/// the check value of the encryption key.
const LASTING: [&str; 5] = ["jobs:0", "jobs:1", "jobs:2", "jobs:3", "proof"];

#[tokio::test]
async fn every_key_in_redis_expires_or_is_bounded() {
    let Some(redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::Clean).await;
    let one = replica(&a, &redis, |config| {
        config.rate_limit = Some(rate_limit::Config {
            default: Some(Quota {
                rate_per_s: 1000.0,
                burst: 1000,
            }),
            endpoints: Default::default(),
            tenants: Default::default(),
            max_keys: 100,
        });
    })
    .await;
    let mut jobs = Vec::new();
    for (number, priority) in ["low", "normal", "high", "critical"]
        .into_iter()
        .enumerate()
    {
        let name = number.to_string();
        one.service.orchestrate(json!({ "content": name })).await;
        one.keyed(&name, &request(json!({ "content": name }))).await;
        let body = json!({ "tenant": name });
        let told = one.service.post("/cache/invalidate", &body).await;
        assert_eq!(told.status, 200, "{}", told.text);
        let job = json!({ "priority": priority, "processing_mode": "async" });
        let answer = one.service.orchestrate(job).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        jobs.push(answer.header("location").to_owned());
    }
    for place in &jobs {
        ended(&one, place).await;
    }
    a.act(Act::StallHead);
    let job = json!({ "content": "cancelled", "processing_mode": "async" });
    let cancelled = one.service.orchestrate(job).await;
    let place = cancelled.header("location");
    let answer = one.service.send(Method::DELETE, place, &[], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // The counts are those of the shared queue.
    for (state, count) in [
        ("pending", 0),
        ("running", 0),
        ("completed", 4),
        ("cancelled", 1),
    ] {
        let line = format!("orchestrate_jobs{{state=\"{state}\"}} {count}");
        one.service.until_metric(&line).await;
    }
    one.service.stop().await;

    let keys = redis.all("KEYS *");
    assert!(keys.len() > 10, "{keys:?}");
    for key in &keys {
        let name = key.strip_prefix("sparring:").expect("its own prefix");
        let left: i64 = number(&redis.command(&format!("PTTL {key}")));
        assert_eq!(
            left == -1,
            LASTING.contains(&name),
            "{key} ends in {left} ms"
        );
    }
    for urgency in 0..4 {
        let stream = format!("sparring:jobs:{urgency}");
        assert_eq!(redis.command(&format!("XLEN {stream}")), ":0");
        let workers = redis.command(&format!("XINFO CONSUMERS {stream} workers"));
        assert_eq!(workers, "*0", "a replica that ended is forgotten");
    }
}

#[tokio::test]
async fn both_replicas_count_the_jobs_of_both() {
    let Some(redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::StallHead).await;
    let one = replica(&a, &redis, |_| {}).await;
    let two = replica(&a, &redis, |_| {}).await;
    // Both run their maximum: 16 each.
    for number in 0..20 {
        for replica in [&one, &two] {
            let job = json!({ "content": number.to_string(), "processing_mode": "async" });
            let answer = replica.service.orchestrate(job).await;
            assert_eq!(answer.status, 202, "{}", answer.text);
        }
    }
    for replica in [&one, &two] {
        for line in ["pending\"} 8", "running\"} 32", "completed\"} 0"] {
            let line = format!("orchestrate_jobs{{state=\"{line}");
            replica.service.until_metric(&line).await;
        }
    }
    a.act(Act::Clean);
}

fn number(line: &str) -> i64 {
    line.trim_start_matches(':').parse().expect("a number")
}
