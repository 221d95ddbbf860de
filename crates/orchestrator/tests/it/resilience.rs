//! Retries, budget, breaker and bulkhead, seen from the detector's side.

use std::time::Duration;

use futures_util::future::join_all;
use orchestrator::config::DetectorSettings;
use serde_json::json;

use crate::detector::{Act, Detector};
use crate::service::{Service, config, settings, start};

/// Distinct contents, to exclude cache and coalescing.
async fn send(service: &Service, count: usize) -> Vec<u16> {
    let requests = (0..count).map(|n| service.orchestrate(json!({"content": format!("c{n}")})));
    join_all(requests)
        .await
        .into_iter()
        .map(|answer| answer.status)
        .collect()
}

fn unbroken(settings: DetectorSettings) -> DetectorSettings {
    let mut settings = settings;
    settings.breaker.enabled = false;
    settings
}

#[tokio::test]
async fn only_calls_that_a_retry_may_help_are_retried() {
    for (act, attempts) in [
        (Act::Status(503, None), 2),
        (Act::Status(502, None), 2),
        (Act::Reset, 2),
        (Act::Status(429, Some(0)), 2),
        (Act::Status(429, Some(60)), 1),
        (Act::Status(429, None), 1),
        (Act::Status(400, None), 1),
        (Act::Status(500, None), 1),
        (Act::Body("{".to_owned()), 1),
        (Act::Truncated, 1),
        (Act::StallHead, 2),
    ] {
        let a = Detector::start(act.clone()).await;
        let mut one = settings("a", &a);
        one.max_retries = 1;
        let service = start(config(vec![one])).await;
        service.orchestrate(json!({})).await;
        assert_eq!(a.count(), attempts, "{act:?}");
        let numbers: Vec<_> = a
            .calls()
            .iter()
            .map(|it| it.headers["x-attempt"].clone())
            .collect();
        assert_eq!(numbers, ["1", "2"][..attempts], "{act:?}");
    }
}

#[tokio::test]
async fn a_date_in_retry_after_is_honoured_like_seconds() {
    let now = "Sun, 06 Nov 1994 08:49:37 GMT";
    let past = "Sun, 06 Nov 1994 08:49:30 GMT";
    let soon = "Sun, 06 Nov 1994 08:49:38 GMT";
    let late = "Sun, 06 Nov 1994 09:49:37 GMT";
    for (status, until, attempts, least_ms) in [
        (429, past, 2, 0),
        (503, past, 2, 0),
        (429, soon, 2, 1_000),
        (503, soon, 2, 1_000),
        // Longer than the time limit of the request.
        (429, late, 1, 0),
        (503, late, 1, 0),
        // Such a long wait is impossible, but must not fail either.
        (429, "18446744073709551615", 1, 0),
        (503, "18446744073709551615", 1, 0),
    ] {
        let head = format!("date: {now}\r\nretry-after: {until}");
        let a = Detector::start(Act::StatusWith(status, head)).await;
        let mut one = settings("a", &a);
        one.max_retries = 1;
        let mut config = config(vec![one]);
        config.sla.normal = Duration::from_secs(20);
        let service = start(config).await;
        let begun = std::time::Instant::now();
        let answer = service.orchestrate(json!({})).await;
        assert_eq!(answer.status, 502, "{}", answer.text);
        assert_eq!(a.count(), attempts, "{status} {until}");
        assert!(
            begun.elapsed() >= Duration::from_millis(least_ms),
            "{status} {until}"
        );
    }
}

#[tokio::test]
async fn a_required_detector_is_tried_once_an_interval_even_while_it_is_open() {
    for required in [true, false] {
        let (a, b) = (
            Detector::start(Act::Status(500, None)).await,
            Detector::start(Act::Clean).await,
        );
        let mut one = settings("a", &a);
        one.breaker.open_ms = 100;
        one.breaker.max_open_ms = 600_000;
        one.breaker.consecutive_failures = 1;
        one.breaker.half_open_calls = 1;
        one.breaker.jitter = 0.0;
        one.required = required;
        let mut config = config(vec![one, settings("b", &b)]);
        config.health.interval = Duration::from_secs(60);
        let service = start(config).await;
        let ask = |n: usize| service.orchestrate(json!({"content": format!("c{n}")}));
        // Each failed recovery doubles the wait: 0.1, 0.2, 0.4, 0.8, 1.6, and then 3.2 s.
        for n in 0..5 {
            ask(n).await;
            assert_eq!(a.count(), n + 1);
            tokio::time::sleep(Duration::from_millis(100 << n)).await;
        }
        ask(5).await;
        assert_eq!(a.count(), 6);
        a.act(Act::Clean);
        let begun = std::time::Instant::now();
        let mut n = 6;
        while begun.elapsed() < Duration::from_millis(800) && a.count() == 6 {
            ask(n).await;
            n += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let open = "circuit_breaker_state{detector=\"a\",state=\"open\"} 1";
        let closed = "circuit_breaker_state{detector=\"a\",state=\"closed\"} 1";
        if required {
            assert_eq!(a.count(), 7, "one call of last resort");
            assert!(
                begun.elapsed() >= Duration::from_millis(50),
                "not before its interval"
            );
            service.until_metric(closed).await;
        } else {
            assert_eq!(a.count(), 6, "whoever can be done without waits");
            service.until_metric(open).await;
        }
    }
}

#[tokio::test]
async fn a_second_attempt_can_save_the_answer() {
    let a = Detector::start(Act::Status(503, None)).await;
    let mut one = settings("a", &a);
    one.max_retries = 1;
    one.retry.base_ms = 400;
    one.retry.cap_ms = 400;
    let service = start(config(vec![one])).await;
    let (answer, ()) = tokio::join!(service.orchestrate(json!({})), async {
        while a.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        a.act(Act::Clean);
    });
    assert_eq!(answer.status, 200);
    assert_eq!(answer.result("a")["attempts"], 2);
    assert_eq!(
        answer.json["timeline"][0]["attempts"][0]["outcome"],
        "http_5xx"
    );
}

#[tokio::test]
async fn a_failing_detector_is_not_flooded_with_retries() {
    let a = Detector::start(Act::Status(503, None)).await;
    let mut one = unbroken(settings("a", &a));
    one.max_retries = 10;
    let service = start(config(vec![one])).await;
    let begun = std::time::Instant::now();
    for _ in 0..10 {
        send(&service, 64).await;
    }
    let law = 640.0 * 1.2 + (begun.elapsed().as_secs_f64() + 1.0);
    assert!(
        a.count() as f64 <= law,
        "{} calls, the law allows {law}",
        a.count()
    );
    assert!(a.count() > 640, "retries were made at all");
    let exhausted = "detector_retry_budget_exhausted_total{detector=\"a\"}";
    assert!(service.get("/metrics").await.text.contains(exhausted));
}

#[tokio::test]
async fn an_outage_opens_the_breaker_and_recovery_closes_it() {
    let a = Detector::start(Act::Status(500, None)).await;
    let mut one = settings("a", &a);
    one.breaker.open_ms = 200;
    one.breaker.jitter = 0.0;
    let mut config = config(vec![one]);
    config.health.interval = Duration::from_secs(60);
    let service = start(config).await;
    for n in 0..5 {
        service
            .orchestrate(json!({"content": format!("c{n}")}))
            .await;
    }
    service
        .until_metric("circuit_breaker_state{detector=\"a\",state=\"open\"} 1")
        .await;
    let answer = service.orchestrate(json!({"content": "while open"})).await;
    assert_eq!(answer.status, 502);
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(a.count(), 5, "an open breaker lets nothing through");
    a.act(Act::Clean);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(send(&service, 2).await, [200, 200]);
    service
        .until_metric("circuit_breaker_state{detector=\"a\",state=\"closed\"} 1")
        .await;
}

#[tokio::test]
async fn clients_that_disconnect_during_trials_do_not_block_the_breaker() {
    let a = Detector::start(Act::Status(500, None)).await;
    let mut one = settings("a", &a);
    one.breaker.open_ms = 50;
    one.breaker.jitter = 0.0;
    one.breaker.consecutive_failures = 1;
    one.timeout = Duration::from_secs(30);
    let service = start(config(vec![one])).await;
    send(&service, 1).await;
    a.act(Act::StallHead);
    tokio::time::sleep(Duration::from_millis(60)).await;
    for _ in 0..10 {
        let leave = Duration::from_millis(10);
        let leaving = tokio::time::timeout(leave, send(&service, 10)).await;
        drop(leaving);
    }
    a.act(Act::Clean);
    for _ in 0..500 {
        if send(&service, 1).await == [200] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the breaker never closed");
}

#[tokio::test]
async fn client_errors_do_not_open_the_breaker() {
    let a = Detector::start(Act::Status(422, None)).await;
    let service = start(config(vec![settings("a", &a)])).await;
    send(&service, 20).await;
    assert_eq!(a.count(), 20);
}

/// A detector that is slower than the time limit of requests, with a longer timeout than that.
fn too_slow(detector: &Detector) -> DetectorSettings {
    let mut one = settings("a", detector);
    one.timeout = Duration::from_secs(5);
    one.breaker.minimum_calls = 8;
    one.breaker.open_ms = 300;
    one.breaker.jitter = 0.0;
    one
}

const OPEN: &str = "circuit_breaker_state{detector=\"a\",state=\"open\"} 1";

/// Sends one request after the other until the breaker is open. Returns how many waited without an answer.
async fn until_open(service: &Service) -> usize {
    for waited in 0..100 {
        match send(service, 1).await[..] {
            [408] => {}
            [502] => return waited,
            ref other => panic!("{other:?}"),
        }
    }
    panic!("the breaker never opened");
}

#[tokio::test]
async fn a_detector_slower_than_the_time_limit_opens_its_breaker() {
    let a = Detector::start(Act::StallHead).await;
    let mut one = too_slow(&a);
    // Half of the time, since the machine may be busy; a test below has the default.
    one.breaker.slow_cut_off_ms = Some(150);
    let mut config = config(vec![one]);
    config.sla.normal = Duration::from_millis(300);
    config.health.interval = Duration::from_secs(60);
    let service = start(config).await;
    let waited = until_open(&service).await;
    assert!(waited >= 8, "opened after {waited} calls");
    service.until_metric(OPEN).await;
    let metrics = service.get("/metrics").await.text;
    let reason = "{detector=\"a\",reason=\"slow_call_rate\",to=\"open\"} 1";
    assert!(metrics.contains(reason), "{metrics}");
    assert_eq!(a.count(), waited, "an open breaker lets nothing through");

    tokio::time::sleep(Duration::from_millis(300)).await;
    let waited = until_open(&service).await;
    assert!((1..8).contains(&waited), "{waited} trials to open again");

    a.act(Act::Clean);
    while send(&service, 1).await != [200] {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One of them is cached by now.
    send(&service, 3).await;
    service
        .until_metric("circuit_breaker_state{detector=\"a\",state=\"closed\"} 1")
        .await;
}

#[tokio::test]
async fn requests_with_less_time_than_usual_do_not_open_the_breaker() {
    let a = Detector::start(Act::StallHead).await;
    let mut config = config(vec![too_slow(&a)]);
    config.sla.critical = Duration::from_millis(100);
    config.health.interval = Duration::from_secs(60);
    let service = start(config).await;
    let hurried = (0..12)
        .map(|n| service.orchestrate(json!({"content": format!("c{n}"), "priority": "critical"})));
    for answer in join_all(hurried).await {
        assert_eq!(answer.status, 408, "{}", answer.text);
    }
    let breakers = service.get("/circuit-breakers").await;
    let window = &breakers.json["circuit_breakers"][0]["window"];
    assert_eq!(window["calls"], 0);
}

#[tokio::test]
async fn a_full_bulkhead_is_429_at_once() {
    let a = Detector::start(Act::Slow(Duration::from_millis(300), Box::new(Act::Clean))).await;
    let mut one = settings("a", &a);
    one.bulkhead.max_in_flight = 1;
    one.bulkhead.max_queued = 0;
    let service = start(config(vec![one])).await;
    let mut statuses = send(&service, 5).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429, 429, 429, 429]);
}
