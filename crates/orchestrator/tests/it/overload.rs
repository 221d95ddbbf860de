//! Overload.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use orchestrator::Config;
use orchestrator::config::OnFailure;
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, settings, start};

/// As many fan-outs at once as `limit`, fixed, and a queue.
fn bounded(mut config: Config, limit: u32, queue: usize) -> Config {
    config.overload.limit.enabled = false;
    config.overload.limit.max = limit;
    config.overload.max_queued = queue;
    config.overload.max_wait = Duration::from_secs(10);
    config
}

fn slowly(ms: u64) -> Act {
    Act::Slow(Duration::from_millis(ms), Box::new(Act::Clean))
}

async fn flood(service: &Service, count: usize, more: Value) -> Vec<Response> {
    let requests = (0..count).map(|n| {
        let mut body = more.clone();
        body["content"] = json!(format!("{more} {n}"));
        service.orchestrate(body)
    });
    join_all(requests).await
}

fn with_status(answers: &[Response], status: u16) -> usize {
    answers.iter().filter(|it| it.status == status).count()
}

#[tokio::test]
async fn requests_beyond_the_queue_get_503_with_retry_after() {
    let a = Detector::start(slowly(200)).await;
    let service = start(bounded(config(vec![settings("a", &a)]), 2, 3)).await;
    let answers = flood(&service, 12, json!({})).await;
    assert_eq!(
        (with_status(&answers, 200), with_status(&answers, 503)),
        (5, 7)
    );
    let shed = answers.iter().find(|it| it.status == 503).expect("one");
    assert_eq!(shed.json["error_code"], "OVERLOADED");
    assert_eq!(shed.json["retryable"], true);
    assert_eq!(shed.header("retry-after"), "1");
    service
        .until_metric("orchestrate_shed_total{priority=\"normal\"} 7")
        .await;
    assert_eq!(a.count(), 5, "nobody was called for those turned away");
}

#[tokio::test]
async fn content_requests_are_counted_like_all_others() {
    let a = Detector::start(slowly(600)).await;
    let mut patient = settings("a", &a);
    patient.timeout = Duration::from_secs(5);
    let mut config = bounded(config(vec![patient]), 1, 1);
    config.sla.normal = Duration::from_secs(10);
    let service = start(config).await;
    let bodies = (0..4).map(|n| json!({"content": format!("{n}"), "detectors": {"a": {}}}));
    let bodies: Vec<Value> = bodies.collect();
    let sends = bodies
        .iter()
        .map(|body| service.post("/api/v2/text/detection/content", body));
    let in_flight = service.until_metric("orchestrate_in_flight 2");
    let (answers, ()) = tokio::join!(join_all(sends), in_flight);
    assert_eq!(
        (with_status(&answers, 200), with_status(&answers, 503)),
        (2, 2)
    );
    for line in [
        "orchestrate_shed_total{priority=\"normal\"} 2",
        "orchestrate_in_flight 0",
    ] {
        service.until_metric(line).await;
    }
}

#[tokio::test]
async fn critical_requests_are_rejected_last() {
    let a = Detector::start(slowly(150)).await;
    let mut config = bounded(config(vec![settings("a", &a)]), 2, 8);
    config.sla.critical = Duration::from_secs(10);
    config.sla.normal = Duration::from_secs(10);
    config.sla.low = Duration::from_secs(10);
    let service = start(config).await;
    let send =
        |priority: &'static str, count| flood(&service, count, json!({"priority": priority}));
    let late_critical = async {
        // When other requests fill the queue.
        service.until_metric("orchestrate_queued 8").await;
        send("critical", 6).await
    };
    let (low, normal, critical) = tokio::join!(send("low", 12), send("normal", 8), late_critical);
    assert_eq!(
        with_status(&critical, 200),
        6,
        "all critical ones were done"
    );
    let shed = |answers: &[Response]| with_status(answers, 503) as f64 / answers.len() as f64;
    assert!(
        shed(&low) >= shed(&normal),
        "low {} normal {}",
        shed(&low),
        shed(&normal)
    );
    assert!(shed(&low) > 0.0);
}

#[tokio::test]
async fn a_brown_out_leaves_out_the_least_valuable_detectors_before_requests_are_rejected() {
    let act = slowly(60);
    let all = [
        Detector::start(act.clone()).await,
        Detector::start(act.clone()).await,
        Detector::start(act.clone()).await,
        Detector::start(act).await,
    ];
    let mut detectors = Vec::new();
    for (name, weight, detector) in [
        ("heavy", 8.0, &all[0]),
        ("middle", 4.0, &all[1]),
        ("light", 2.0, &all[2]),
        ("closed", 1.0, &all[3]),
    ] {
        let mut one = settings(name, detector);
        one.weight = weight;
        one.timeout = Duration::from_secs(5);
        one.on_failure = if name == "closed" {
            OnFailure::Closed
        } else {
            OnFailure::Open
        };
        detectors.push(one);
    }
    let mut config = bounded(config(detectors), 4, 40);
    config.partial_coverage_threshold = 0.0;
    config.sla.normal = Duration::from_secs(20);
    let service = start(config).await;
    // Known latencies, so that value is weight over time.
    flood(&service, 4, json!({"tenant_id": "warm"})).await;

    let mut coverages = Vec::new();
    for wave in [4, 14, 24, 34, 44] {
        let answers = flood(&service, wave, json!({"tenant_id": format!("wave{wave}")})).await;
        assert_eq!(with_status(&answers, 503), 0, "nobody was turned away");
        assert!(
            answers
                .iter()
                .all(|it| it.result("closed")["status"] == "success"),
            "who must answer is always asked"
        );
        for answer in &answers {
            let skipped = |name| answer.result(name)["status"] == "skipped";
            assert!(!skipped("heavy") || skipped("middle"), "{}", answer.text);
            assert!(!skipped("middle") || skipped("light"), "{}", answer.text);
        }
        let coverage = |it: &Response| it.json["coverage_achieved"].as_f64().expect("a number");
        let mean = answers.iter().map(coverage).sum::<f64>() / wave as f64;
        coverages.push(mean);
    }
    assert_eq!(coverages[0], 1.0, "no queue, no brown-out");
    assert!(
        coverages.windows(2).all(|pair| pair[1] <= pair[0]),
        "{coverages:?}"
    );
    assert!(coverages[4] < 0.9, "it is visible: {coverages:?}");
    let after = service.orchestrate(json!({"content": "calm again"})).await;
    assert_eq!(after.json["coverage_achieved"], 1.0, "it ends by itself");
    let text = service.get("/metrics").await.text;
    let count = |name: &str, value: &str| {
        text.contains(&format!(
            "orchestrate_brown_out_total{{detector=\"{name}\"}} {value}\n"
        ))
    };
    assert!(!count("light", "0"), "it was left out");
    assert!(count("closed", "0"), "it is always asked");
}

#[tokio::test]
async fn at_least_one_detector_is_always_asked() {
    let (a, b) = (
        Detector::start(slowly(50)).await,
        Detector::start(slowly(50)).await,
    );
    let mut config = bounded(config(vec![settings("a", &a), settings("b", &b)]), 1, 20);
    config.sla.normal = Duration::from_secs(20);
    let service = start(config).await;
    let answers = flood(&service, 21, json!({})).await;
    let succeeded = |it: &Response| it.json["detectors_succeeded"].as_u64().expect("a number");
    assert!(answers.iter().all(|it| succeeded(it) >= 1));
}

/// The ratio of offered load to the detector's capacity, goodput, and p99 of admitted requests.
struct Step {
    goodput_per_s: f64,
    p99: Duration,
    shed_critical: f64,
    shed_other: f64,
}

/// Requests at a fixed rate for a duration, one in ten of them critical.
async fn offer(service: &Service, rate_per_s: f64, time: Duration, name: &str) -> Step {
    let begun = Instant::now();
    let count = (rate_per_s * time.as_secs_f64()) as usize;
    let requests = (0..count).map(|n| async move {
        let at = Duration::from_secs_f64(n as f64 / rate_per_s);
        tokio::time::sleep_until((begun + at).into()).await;
        let critical = n % 10 == 0;
        let priority = if critical { "critical" } else { "normal" };
        let body = json!({"content": format!("{name} {n}"), "priority": priority});
        let sent = Instant::now();
        let answer = service.orchestrate(body).await;
        (critical, answer.status, sent.elapsed())
    });
    let done = join_all(requests).await;
    let mut times: Vec<Duration> = done
        .iter()
        .filter(|(_, status, _)| *status == 200)
        .map(|(_, _, took)| *took)
        .collect();
    times.sort_unstable();
    let share_shed = |wanted: bool| {
        let of: Vec<_> = done.iter().filter(|it| it.0 == wanted).collect();
        of.iter().filter(|it| it.1 != 200).count() as f64 / of.len().max(1) as f64
    };
    Step {
        goodput_per_s: times.len() as f64 / begun.elapsed().as_secs_f64(),
        p99: times
            .get(times.len() * 99 / 100)
            .copied()
            .unwrap_or_default(),
        shed_critical: share_shed(true),
        shed_other: share_shed(false),
    }
}

/// A detector that processes `places` calls at once in 50 ms each has a capacity of 20 · `places` per second.
/// The long form takes `OVERLOAD_SECONDS` for each step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_three_times_the_sustainable_rate_goodput_and_the_sla_hold() {
    let seconds = std::env::var("OVERLOAD_SECONDS").ok();
    let seconds: f64 = seconds.and_then(|it| it.parse().ok()).unwrap_or(4.0);
    let time = Duration::from_secs_f64(seconds);
    let places = 3;
    let detector = Detector::start(Act::Work(places, Duration::from_millis(50))).await;
    let mut one = settings("a", &detector);
    one.timeout = Duration::from_secs(2);
    one.limit.initial = 8;
    one.limit.window_ms = 300;
    one.limit.minimum_samples = 10;
    let mut config = config(vec![one]);
    config.overload.limit.initial = 8;
    config.overload.limit.window_ms = 300;
    config.overload.limit.minimum_samples = 10;
    config.overload.max_queued = 20;
    config.health.interval = Duration::from_secs(60);
    let sla = config.sla.normal;
    let service = start(config).await;
    let capacity = places as f64 * 20.0;

    let mut peak = 0.0_f64;
    for share in [0.6, 0.9, 1.1] {
        let step = offer(&service, share * capacity, time, &format!("at {share}")).await;
        println!("{share}: {:.1}/s, p99 {:?}", step.goodput_per_s, step.p99);
        peak = peak.max(step.goodput_per_s);
    }
    let step = offer(&service, 3.0 * capacity, time, "at 3").await;
    println!(
        "3.0: {:.1}/s, p99 {:?}, shed {:.3} of critical, {:.3} of others",
        step.goodput_per_s, step.p99, step.shed_critical, step.shed_other
    );
    assert!(
        step.goodput_per_s >= 0.9 * peak,
        "goodput {:.1}/s, at its peak {peak:.1}/s",
        step.goodput_per_s
    );
    assert!(step.p99 <= sla, "p99 of admitted requests: {:?}", step.p99);
    assert!(step.shed_other > 0.3, "there was no overload");
    assert!(
        step.shed_critical < 0.5 * step.shed_other,
        "critical ones are shed last: {:.3} of them, {:.3} of the others",
        step.shed_critical,
        step.shed_other
    );
}
