//! Single detectors' answers with Redis at hand: kept and shared in each replica, and dropped in
//! all of them when one is told so.

use super::*;

/// A replica in front of two detectors.
async fn replica_of(all: [&Detector; 2], redis: &Server) -> Replica {
    replica(all[0], redis, |config| {
        config.detectors.push(settings("b", all[1]));
    })
    .await
}

async fn asking(replica: &Replica, names: &[&str], more: Value) -> Answer {
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
async fn overlapping_questions_share_what_is_kept_and_what_is_under_way() {
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
async fn what_one_replica_is_told_to_drop_no_other_answers_with() {
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
    // What is told to the first replica, and whether the second one asks a and b again.
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
        // Other questions than the ones below, so that the whole answer is kept under none.
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
async fn what_was_dropped_elsewhere_does_not_come_back_when_redis_is_lost() {
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
    // The first one hears of it with its next question, whatever that is about.
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
