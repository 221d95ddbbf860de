//! A Redis that is there and does not answer.

use super::*;

/// Of a client whose answer waits for Redis instead of falling back.
const STUCK: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_waits_for_a_redis_that_hangs() {
    let Some(redis) = Server::start() else {
        return;
    };
    let a = Detector::start(Act::Clean).await;
    let one = replica(&a, &redis, |config| {
        if let Some(link) = &mut config.redis {
            link.response_timeout = Duration::from_millis(250);
        }
    })
    .await;
    let one = std::sync::Arc::new(one);
    one.until_up("cache", 1).await;
    for round in 0..2 {
        redis.signal("STOP");
        // All kinds of requests at once, while it hangs from the beginning to the end.
        let clients = (0..20).map(|client| {
            let one = one.clone();
            tokio::spawn(async move { all_kinds(&one, &format!("{round}-{client}")).await })
        });
        let clients = futures_util::future::join_all(clients);
        let done = tokio::time::timeout(STUCK, clients).await;
        let done = done.expect("nobody waits for Redis");
        let mut jobs = Vec::new();
        for client in done {
            jobs.push(client.expect("no client saw an error"));
        }
        let ready = one.service.get("/health/ready").await;
        assert_eq!(ready.status, 200, "{}", ready.text);
        assert_eq!(ready.json["dependencies"]["redis"], false);
        assert!(one.fallbacks("cache").await > 0 && one.fallbacks("jobs").await > 0);
        // Its own file holds them: they are run although Redis still hangs.
        for place in &jobs {
            assert_eq!(ended(&one, place).await["status"], "completed");
        }
        redis.signal("CONT");
        for component in ["cache", "idempotency", "jobs"] {
            one.until_up(component, 1).await;
        }
        let content = json!({"content": format!("after {round}")});
        assert_eq!(
            one.service
                .orchestrate(content.clone())
                .await
                .header("x-cache"),
            "miss"
        );
        assert_eq!(
            one.service.orchestrate(content).await.header("x-cache"),
            "hit"
        );
    }
}

/// A request, one with a key, and a job whose place is returned.
async fn all_kinds(replica: &Replica, name: &str) -> String {
    let answer = replica
        .service
        .orchestrate(json!({ "content": name }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = replica
        .keyed(name, &request(json!({ "content": name })))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let job = json!({ "content": name, "processing_mode": "async" });
    let answer = replica.service.orchestrate(job).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.header("location").to_owned()
}
