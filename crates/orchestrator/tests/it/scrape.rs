//! The exposition of metrics: both formats, by `Accept`, and only for existing detectors.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::json;

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, settings, start};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";

async fn scrape(service: &Service, accept: &str) -> Response {
    let headers = [("accept", accept)];
    service.send(Method::GET, "/metrics", &headers, "").await
}

/// One family of an exposition.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    /// Name and labels, with the value.
    samples: BTreeMap<String, f64>,
}

/// Parses OpenMetrics text 1.0 by its specification; panics on an error.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").expect("the end is marked");
    assert!(!body.contains("# EOF"), "the end is marked once");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (word, name) = (words.next().expect("a word"), words.next().expect("a name"));
            let rest = words.next().unwrap_or("");
            if name != current {
                assert!(!families.contains_key(name), "{name} is in two places");
                name.clone_into(&mut current);
                families.insert(current.clone(), Family::default());
            }
            let family = families.get_mut(name).expect("just put there");
            match word {
                "TYPE" => {
                    assert!(family.samples.is_empty(), "{name}: its type comes first");
                    rest.clone_into(&mut family.kind);
                }
                "HELP" | "UNIT" => assert!(family.samples.is_empty(), "{line}"),
                _ => panic!("not a word of the format: {line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let name = series.split('{').next().expect("a name");
        let suffix = name
            .strip_prefix(current.as_str())
            .unwrap_or_else(|| panic!("{line} is not of the family {current}"));
        let family = families.get_mut(&current).expect("a family was begun");
        let allowed: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            kind => panic!("{current} has the type {kind:?}"),
        };
        assert!(allowed.contains(&suffix), "{line} in a {}", family.kind);
        assert_eq!(suffix == "_bucket", series.contains("le=\""), "{line}");
        let before = family.samples.insert(series.to_owned(), value);
        assert_eq!(before, None, "{series} is there twice");
    }
    families
}

#[tokio::test]
async fn open_metrics_are_served_by_accept_header_with_the_same_values() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    service.orchestrate(json!({})).await;
    let plain = scrape(&service, "text/plain").await;
    assert!(
        plain
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(!plain.text.contains("# EOF"));
    let answer = scrape(&service, OPEN_METRICS).await;
    assert_eq!(
        answer.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let families = parse(&answer.text);
    for (family, kind, sample) in [
        (
            "orchestrate_requests",
            "counter",
            r#"orchestrate_requests_total{policy="default",processing_mode="sync",status="success",tenant="t"}"#,
        ),
        (
            "orchestrate_request_duration_ms",
            "histogram",
            "orchestrate_request_duration_ms_count",
        ),
        (
            "orchestrate_request_duration_ms",
            "histogram",
            r#"orchestrate_request_duration_ms_bucket{le="+Inf"}"#,
        ),
        (
            "coverage_achieved",
            "gauge",
            r#"coverage_achieved{policy="default",tenant="t"}"#,
        ),
    ] {
        let found = &families[family];
        assert_eq!(found.kind, kind, "{family}");
        assert_eq!(
            found.samples.get(sample),
            Some(&1.0),
            "{sample} in {found:?}"
        );
    }
    // The same families as in the plain text, where a counter has the name of its sample.
    let of_plain: BTreeSet<&str> = plain
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().expect("a name"))
        .map(|name| name.strip_suffix("_total").unwrap_or(name))
        .collect();
    let of_open: BTreeSet<&str> = families.keys().map(String::as_str).collect();
    assert_eq!(of_plain, of_open);
}

#[tokio::test]
async fn a_removed_detector_leaves_no_series_even_after_a_late_call() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Status(503, None)).await,
    );
    let mut config = config(vec![settings("a", &a)]);
    config.sla.normal = std::time::Duration::from_secs(20);
    let service = start(config).await;
    let body = json!({
        "name": "b", "endpoint": b.endpoint(), "max_retries": 1, "timeout_ms": 10_000,
        "breaker": {"consecutive_failures": 1},
    });
    service.post("/detectors", &body).await;
    service.orchestrate(json!({"content": "before"})).await;
    let text = service.get("/metrics").await.text;
    for name in [
        "detector_latency_ms_count",
        "detector_health_status",
        "circuit_breaker_state",
        "circuit_breaker_transitions_total",
        "detector_attempts_total",
        "detector_retries_total",
        "detector_failures_total",
        "detector_concurrency_limit",
    ] {
        let of_b = |line: &str| line.starts_with(name) && line.contains("detector=\"b\"");
        assert!(text.lines().any(of_b), "{name} of b in\n{text}");
    }
    service.post("/circuit-breakers/b/reset", &json!({})).await;
    let calls = b.count();
    let wait = std::time::Duration::from_millis(400);
    b.act(Act::Slow(wait, Box::new(Act::Status(500, None))));
    let late = service.orchestrate(json!({"content": "under way"}));
    let removed = async {
        while b.count() == calls {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let gone = service.send(Method::DELETE, "/detectors/b", &[], "").await;
        assert_eq!(gone.status, 200);
        assert!(!service.get("/metrics").await.text.contains("\"b\""));
    };
    let (answer, ()) = tokio::join!(late, removed);
    assert_eq!(
        answer.result("b")["status"],
        "failed",
        "its call ended as it would have"
    );
    let text = service.get("/metrics").await.text;
    assert!(!text.contains("\"b\""), "{text}");
    // A detector that is registered again is counted from zero.
    b.act(Act::Clean);
    service.post("/detectors", &body).await;
    service.orchestrate(json!({"content": "after"})).await;
    service
        .until_metric("detector_latency_ms_count{detector=\"b\",status=\"success\"} 1")
        .await;
}
