//! Promises about time, cancellation and recovery, one test each, from outside.
//!
//! The tests of the other promises of the resilience features:
//!
//! | promise | tests |
//! |---|---|
//! | fan-out without a hidden cap, partial answers and coverage | `orchestrate`, `admin` |
//! | deadline of connect, head and body, told to the detector | here |
//! | retries and one budget for retries and hedges | `resilience`, `beyond`, loom in `resilience` |
//! | breaker: outage, trials, stragglers, kills, last resort | `resilience`, here |
//! | replicas: power of two choices, ejection that never ejects all | `replicas` |
//! | health checks, and readiness by required detectors | `http_api`, `outcomes` |
//! | fail modes: no silent pass | `matrix` |
//! | attested answers | `matrix`, `answer` and `dialect/fuzz` in the crate |
//! | cache, coalescing, flights of single detectors, stale answers, shadows | `orchestrate`, `sharing` |
//! | idempotency, jobs, respond-async, rate limits | `jobs`, `contract`, `redis`, `tests/kill_nine.rs` |
//! | policies and registry changed under load | `reload`, `admin` |
//! | overload, brown-out by value | `overload` |
//! | early decision, resume, plan | `beyond`; timeline: here |
//! | series that stay bounded, privacy, fuzzed input | `outcomes`, `limits`, `canary`, `fuzz` |

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

use crate::detector::{Act, Detector};
use crate::service::{Service, config, settings, settings_at, start};

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[tokio::test]
async fn the_timeline_adds_up_to_the_latency() {
    let slow = Act::Slow(Duration::from_millis(50), Box::new(Act::Clean));
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(slow).await,
    );
    let c = Detector::start(Act::Status(503, None)).await;
    let mut repeated = settings("c", &c);
    repeated.max_retries = 1;
    repeated.retry.budget_floor_per_s = 100.0;
    repeated.breaker.enabled = false;
    repeated.breaker.minimum_calls = 1_000;
    let all = vec![settings("a", &a), settings("b", &b), repeated];
    let service = start(config(all)).await;
    // On a busy machine a task may wait for a processor between two steps, so the best run counts.
    let (mut of_parts, mut of_whole) = (f64::MAX, f64::MAX);
    for n in 0..20 {
        let answer = service
            .orchestrate(json!({"content": format!("c{n}")}))
            .await;
        let timeline = answer.json["timeline"].as_array().expect("a list");
        let mut latest = 0.0_f64;
        let mut parts_off = 0.0_f64;
        for one in timeline {
            let attempts = one["attempts"].as_array().expect("a list");
            let length = |it: &Value| number(&it["end_ms"]) - number(&it["start_ms"]);
            let waits = number(&one["queued_ms"]) + number(&one["backoff_ms"]);
            let sum = waits + attempts.iter().map(length).sum::<f64>();
            for attempt in attempts {
                let connected = number(&attempt["connected_ms"]);
                assert!(number(&attempt["start_ms"]) <= connected, "{one}");
                assert!(connected <= number(&attempt["end_ms"]), "{one}");
            }
            parts_off = parts_off.max((length(one) - sum).abs());
            latest = latest.max(number(&one["end_ms"]));
        }
        let total = number(&answer.json["total_processing_time_ms"]);
        assert!(
            latest < total + 1.0,
            "nothing ends after the answer: {}",
            answer.text
        );
        assert!(latest >= 50.0, "b took that long");
        of_parts = of_parts.min(parts_off);
        of_whole = of_whole.min((total - latest).abs());
    }
    assert!(of_parts <= 1.0, "parts are off by {of_parts} ms");
    assert!(of_whole <= 1.0, "the whole is off by {of_whole} ms");
}

#[tokio::test]
async fn the_timeline_distinguishes_stalled_connects_and_heads_and_shows_hedges_and_the_cache() {
    let (unmade, _listener, _waiting) = unconnectable().await;
    let head = Detector::start(Act::StallHead).await;
    let hedged = Detector::start(Act::Clean).await;
    let mut all = vec![settings_at("connect", &unmade), settings("head", &head)];
    let mut one = settings("hedged", &hedged);
    one.timeout = Duration::from_secs(5);
    one.hedge.enabled = true;
    one.hedge.minimum_calls = 5;
    all.push(one);
    let mut config = config(all);
    config.sla.normal = Duration::from_secs(20);
    let service = start(config).await;
    for n in 0..5 {
        let only = json!({"content": format!("c{n}"), "required_detectors": ["hedged"]});
        service.orchestrate(only).await;
    }
    hedged.act(Act::StallFirstAttempt);
    let answer = service.orchestrate(json!({})).await;
    let part = |answer: &crate::service::Response, name: &str| {
        let all = answer.json["timeline"].as_array().expect("a list").clone();
        let found = all.into_iter().find(|it| it["detector"] == name);
        found.expect("a part of this detector")
    };
    let attempt = &part(&answer, "connect")["attempts"][0];
    assert_eq!(
        (&attempt["outcome"], attempt.get("connected_ms")),
        (&json!("timeout"), None)
    );
    let attempt = &part(&answer, "head")["attempts"][0];
    assert_eq!(attempt["outcome"], "timeout");
    assert!(number(&attempt["connected_ms"]) < number(&attempt["end_ms"]) - 100.0);
    let attempts = part(&answer, "hedged")["attempts"].clone();
    let told = |place: usize| (&attempts[place]["outcome"], attempts[place].get("hedge"));
    let mut both = [told(0), told(1)];
    both.sort_by_key(|it| it.1.is_some());
    assert_eq!(both[0], (&json!("cancelled"), None), "{attempts}");
    assert_eq!(
        both[1],
        (&json!("success"), Some(&json!(true))),
        "{attempts}"
    );
    // On the repeated request, only the detector without an answer is called.
    let again = service.orchestrate(json!({})).await;
    let kept = part(&again, "hedged");
    assert_eq!(
        (&kept["source"], &kept["attempts"]),
        (&json!("hit"), &json!([]))
    );
}

/// A port with a full accept queue, so that the next connection is never established.
async fn unconnectable() -> (String, tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    let listener = socket.listen(1).expect("listening");
    let address = listener.local_addr().expect("a bound address");
    let mut waiting = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        waiting.push(stream.expect("a connection"));
    }
    (format!("http://{address}/detect"), listener, waiting)
}

#[tokio::test]
async fn a_stalled_connect_head_or_body_ends_at_the_deadline() {
    let (url, _listener, _waiting) = unconnectable().await;
    let (head, body) = (
        Detector::start(Act::StallHead).await,
        Detector::start(Act::StallBody).await,
    );
    for endpoint in [url, head.endpoint(), body.endpoint()] {
        let mut one = settings_at("a", &endpoint);
        one.timeout = Duration::from_secs(30);
        let mut config = config(vec![one]);
        config.sla.normal = Duration::from_millis(400);
        config.health.interval = Duration::from_secs(60);
        let service = start(config).await;
        let begun = Instant::now();
        let answer = service.orchestrate(json!({})).await;
        let took = begun.elapsed();
        assert_eq!(
            (answer.status, answer.json["error_code"].as_str()),
            (408, Some("REQUEST_TIMEOUT"))
        );
        // Only a little before it: the reserve for the answer itself.
        assert!(took >= Duration::from_millis(380), "{endpoint}: {took:?}");
        assert!(took < Duration::from_millis(3_000), "{endpoint}: {took:?}");
    }
}

#[tokio::test]
async fn each_attempt_receives_the_remaining_time() {
    let a = Detector::start(Act::StallFirstAttempt).await;
    let mut one = settings("a", &a);
    one.timeout = Duration::from_millis(600);
    one.max_retries = 1;
    one.retry.base_ms = 0;
    let mut config = config(vec![one]);
    config.sla.normal = Duration::from_millis(1_000);
    let service = start(config).await;
    let answer = service.orchestrate(json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told: Vec<u64> = a
        .calls()
        .iter()
        .map(|it| it.headers["x-deadline-ms"].parse().expect("a number"))
        .collect();
    // First its own time-out, then the rest: 1000 ms less 600, less the reserve for the answer.
    assert!((590..=600).contains(&told[0]), "{told:?}");
    assert!((1..=385).contains(&told[1]), "{told:?}");
}

#[tokio::test]
async fn the_first_of_fifty_leaves_and_the_others_get_their_answer() {
    let slow = Act::Slow(Duration::from_millis(500), Box::new(Act::Clean));
    let a = Detector::start(slow).await;
    let mut one = settings("a", &a);
    one.timeout = Duration::from_secs(5);
    let service = start(config(vec![one])).await;
    let leader = async {
        let wait = Duration::from_millis(250);
        let left = tokio::time::timeout(wait, service.orchestrate(json!({}))).await;
        assert!(left.is_err(), "it left");
    };
    let others = async {
        while a.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        join_all((0..49).map(|_| service.orchestrate(json!({})))).await
    };
    let ((), answers) = tokio::join!(leader, others);
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!((a.count(), a.cancelled()), (1, 0));
}

/// A service whose only detector has just tripped its breaker.
async fn tripped(a: &Detector, open_ms: u64) -> Service {
    let mut one = settings("a", a);
    one.breaker.open_ms = open_ms;
    one.breaker.max_open_ms = open_ms;
    one.breaker.jitter = 0.0;
    one.timeout = Duration::from_secs(20);
    let mut config = config(vec![one]);
    config.health.interval = Duration::from_secs(60);
    config.sla.normal = Duration::from_secs(20);
    start(config).await
}

async fn state(service: &Service) -> String {
    let breakers = service.get("/circuit-breakers").await;
    let state = &breakers.json["circuit_breakers"][0]["state"];
    state.as_str().expect("a state").to_owned()
}

#[tokio::test]
async fn a_late_result_after_the_trip_changes_nothing() {
    let slow = Act::Slow(Duration::from_millis(600), Box::new(Act::Clean));
    let a = Detector::start(slow).await;
    let service = tripped(&a, 60_000).await;
    let straggler = service.orchestrate(json!({"content": "late"}));
    let outage = async {
        while a.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        a.act(Act::Status(500, None));
        for n in 0..5 {
            service
                .orchestrate(json!({"content": format!("c{n}")}))
                .await;
        }
        assert_eq!(state(&service).await, "open");
    };
    let (answer, ()) = tokio::join!(straggler, outage);
    assert_eq!(answer.status, 200, "it was good, only late");
    assert_eq!(state(&service).await, "open");
    assert_eq!(a.count(), 6);
}

#[tokio::test]
async fn a_hundred_clients_killed_during_trials_do_not_block_the_breaker() {
    let a = Detector::start(Act::Status(500, None)).await;
    let service = tripped(&a, 100).await;
    for n in 0..5 {
        service
            .orchestrate(json!({"content": format!("c{n}")}))
            .await;
    }
    a.act(Act::StallHead);
    tokio::time::sleep(Duration::from_millis(150)).await;
    let before = a.count();
    let storm =
        join_all((0..100).map(|n| service.orchestrate(json!({"content": format!("s{n}")}))));
    let seen = async {
        while a.count() < before + 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    tokio::select! {
        _ = storm => panic!("trials that never answer let nobody through"),
        () = seen => {}
    }
    assert_eq!(a.count(), before + 3, "three trials a cycle, not one more");
    a.act(Act::Clean);
    for n in 0..500 {
        let answer = service
            .orchestrate(json!({"content": format!("after {n}")}))
            .await;
        if answer.status == 200 && state(&service).await == "closed" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it stayed {}", state(&service).await);
}

#[tokio::test]
async fn hedging_hides_occasional_slowness_of_a_detector() {
    let a = Detector::start(Act::SlowEvery(20, Duration::from_millis(1_000))).await;
    let mut one = settings("a", &a);
    one.timeout = Duration::from_secs(5);
    one.hedge.enabled = true;
    one.hedge.quantile = 0.9;
    one.hedge.floor_ms = 20;
    one.hedge.minimum_calls = 30;
    let service = start(config(vec![one])).await;
    for n in 0..40 {
        service
            .orchestrate(json!({"content": format!("warm-up {n}")}))
            .await;
    }
    let before = a.count();
    let mut slow = 0;
    for n in 0..200 {
        let begun = Instant::now();
        let answer = service
            .orchestrate(json!({"content": format!("c{n}")}))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        slow += usize::from(begun.elapsed() >= Duration::from_millis(1_000));
    }
    let calls = a.count() - before;
    assert_eq!(slow, 0, "each slow call was overtaken by its hedge");
    assert!(calls > 200, "hedges were sent");
    assert!(
        calls <= 200 + 40 + 20,
        "{calls} calls: more than the budget allows"
    );
    assert!(a.cancelled() >= 5, "those that lost were cancelled");
}
