//! Single detectors' answers with Redis: cached and shared in each replica, and dropped in all of them by an
//! invalidation at one.

use orchestrator::config::DetectorSettings;

use super::*;

/// A replica in front of two detectors.
async fn replica_of(all: [&Detector; 2], redis: &Server) -> Replica {
    replica(all[0], redis, |config| {
        config.detectors.push(settings("b", all[1]));
    })
    .await
}

async fn asking(replica: &Replica, names: &[&str], more: Value) -> Response {
    let mut body = json!({ "required_detectors": names });
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    let answer = replica.service.orchestrate(body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

async fn send(replica: &Replica, (method, path): (Method, &str), body: Value) {
    let service = &replica.service;
    let answer = service.send(method, path, &[], body.to_string()).await;
    assert!(answer.status < 300, "{}", answer.text);
}

#[tokio::test]
async fn overlapping_questions_share_cached_answers_and_calls_in_progress() {
    let Some(redis) = Server::start() else {
        return;
    };
    let slowly = || Act::Slow(Duration::from_millis(300), Box::new(Act::Clean));
    let (a, b) = (
        Detector::start(slowly()).await,
        Detector::start(slowly()).await,
    );
    let one = replica_of([&a, &b], &redis).await;
    tokio::join!(
        asking(&one, &["a", "b"], json!({})),
        asking(&one, &["b"], json!({}))
    );
    assert_eq!((a.count(), b.count()), (1, 1), "under way");
    asking(&one, &["a"], json!({})).await;
    assert_eq!((a.count(), b.count()), (1, 1), "kept");
}

#[tokio::test]
async fn an_invalidation_at_one_replica_applies_to_all() {
    let Some(redis) = Server::start() else {
        return;
    };
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let one = replica_of([&a, &b], &redis).await;
    let two = replica_of([&a, &b], &redis).await;
    let endpoint = b.endpoint();
    let policy = json!({ "collect": "all" });
    let everything = (Method::POST, "/cache/invalidate");
    // The invalidation at the first replica, and whether the second one asks a and b again.
    let told = [
        (everything.clone(), json!({}), [true, true]),
        (everything.clone(), json!({"tenant": "t"}), [true, true]),
        (everything.clone(), json!({"tenant": "u"}), [false, false]),
        (
            everything.clone(),
            json!({"policy": "default"}),
            [true, true],
        ),
        (everything.clone(), json!({"detector": "b"}), [false, true]),
        (
            everything,
            json!({"tenant": "t", "detector": "a"}),
            [true, false],
        ),
        (
            (Method::PUT, "/detectors/b"),
            json!({ "endpoint": endpoint }),
            [false, true],
        ),
        ((Method::PUT, "/policies/t/default"), policy, [true, true]),
    ];
    for (call, body, again) in told {
        // Other questions than those below, so that no whole answer is cached for them.
        asking(&two, &["a", "b"], json!({})).await;
        let before = [a.count(), b.count()];
        for name in ["a", "b"] {
            asking(&two, &[name], json!({})).await;
        }
        assert_eq!([a.count(), b.count()], before, "kept before {body}");
        send(&one, call, body.clone()).await;
        for name in ["a", "b"] {
            asking(&two, &[name], json!({})).await;
        }
        let asked = [a.count() > before[0], b.count() > before[1]];
        assert_eq!(asked, again, "after {body}");
    }
}

#[tokio::test]
async fn an_answer_from_before_an_invalidation_is_neither_kept_nor_shared() {
    let Some(redis) = Server::start() else {
        return;
    };
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    a.act(Act::Slow(Duration::from_millis(500), Box::new(Act::Clean)));
    let one = replica_of([&a, &b], &redis).await;
    let two = replica_of([&a, &b], &redis).await;
    let early = asking(&one, &["a"], json!({}));
    let meanwhile = async {
        while a.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        send(&two, (Method::POST, "/cache/invalidate"), json!({})).await;
        asking(&one, &["a"], json!({})).await;
        assert_eq!(a.count(), 2, "the call under way is not for who asks now");
    };
    tokio::join!(early, meanwhile);
    asking(&two, &["a"], json!({})).await;
    assert_eq!(a.count(), 2, "the later answer is kept for all");
}

#[tokio::test]
async fn answers_dropped_elsewhere_do_not_come_back_when_redis_is_lost() {
    let Some(mut redis) = Server::start() else {
        return;
    };
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let one = replica_of([&a, &b], &redis).await;
    let two = replica_of([&a, &b], &redis).await;
    asking(&one, &["a"], json!({})).await;
    send(&two, (Method::POST, "/cache/invalidate"), json!({})).await;
    // The first one learns of it with its next question, on any subject.
    asking(&one, &["b"], json!({})).await;
    let before = (a.count(), b.count());
    redis.stop();
    one.until_lost().await;
    asking(&one, &["a"], json!({})).await;
    assert_eq!(a.count(), before.0 + 1, "it was dropped");
    asking(&one, &["a"], json!({})).await;
    asking(&one, &["b"], json!({})).await;
    assert_eq!(
        (a.count(), b.count()),
        (before.0 + 1, before.1),
        "it goes on alone"
    );
}

#[tokio::test]
async fn answers_of_another_detector_with_the_same_name_are_not_shared() {
    let Some(redis) = Server::start() else {
        return;
    };
    let (calm, strict) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Find("evil", 0.9)).await,
    );
    let guard = |detector: &Detector| DetectorSettings {
        aliases: vec!["regex-pii".to_owned()],
        ..settings("guard", detector)
    };
    let before = replica(&calm, &redis, |config| {
        config.detectors = vec![guard(&calm)];
    })
    .await;
    let named = [json!({}), json!({"required_detectors": ["regex-pii"]})];
    for more in &named {
        let answer = before.service.orchestrate(more.clone()).await;
        assert_eq!(answer.json["verdict"], "pass", "{more}");
    }
    // Another replica, or the same one after its file was changed.
    let after = replica(&calm, &redis, |config| {
        config.detectors = vec![guard(&strict)];
    })
    .await;
    for more in &named {
        let answer = after.service.orchestrate(more.clone()).await;
        assert_eq!(answer.header("x-cache"), "miss", "{more}");
        assert_eq!(answer.json["verdict"], "block", "{more}");
        let old = before.service.orchestrate(more.clone()).await;
        assert_eq!(old.json["verdict"], "pass", "{more}");
    }
    // A third one, where the alias means another detector, and one that equals the first.
    let other = replica(&calm, &redis, |config| {
        config.detectors = vec![settings("guard", &calm), settings("regex-pii", &strict)];
    })
    .await;
    let answer = other.service.orchestrate(named[1].clone()).await;
    assert_eq!(answer.json["verdict"], "block", "{}", answer.text);
    let same = replica(&calm, &redis, |config| {
        config.detectors = vec![guard(&calm)];
    })
    .await;
    let answer = same.service.orchestrate(named[1].clone()).await;
    assert_eq!(answer.header("x-cache"), "hit");
}
