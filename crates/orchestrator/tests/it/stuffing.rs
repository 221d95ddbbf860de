//! Content that is made to overload detectors: it opens no breaker for others, and bypasses no detector.

use std::time::Duration;

use serde_json::json;

use crate::detector::{Act, Detector};
use crate::service::{Service, config, settings, start};

const CLOSED: &str = "circuit_breaker_state{detector=\"a\",state=\"closed\"} 1";

async fn ask(service: &Service, content: &str) -> (u16, String) {
    let answer = service.orchestrate(json!({ "content": content })).await;
    let verdict = answer.json["verdict"].as_str().unwrap_or("none");
    (answer.status, verdict.to_owned())
}

#[tokio::test]
async fn content_full_of_findings_is_blocked_and_opens_no_breaker() {
    let a = Detector::start(Act::FindWords("insult")).await;
    let mut config = config(vec![settings("a", &a)]);
    // This much takes a while on a busy machine.
    config.detectors[0].timeout = Duration::from_secs(30);
    config.sla.normal = Duration::from_secs(30);
    let service = start(config).await;
    let stuffed = "ass ".repeat(12_495);
    for n in 0..6 {
        let found = ask(&service, &format!("{stuffed}{n}")).await;
        assert_eq!(found, (200, "block".to_owned()), "{n}");
    }
    assert_eq!(ask(&service, "ass").await, (200, "block".to_owned()));
    assert!(service.get("/metrics").await.text.contains(CLOSED));
}

#[tokio::test]
async fn content_too_large_to_be_examined_is_blocked_whatever_the_failure_mode() {
    use orchestrator::config::OnFailure::{Closed, Degrade, Open};
    for act in [Act::Endless(3 << 20), Act::Status(413, None)] {
        for on_failure in [Closed, Degrade, Open] {
            let (a, b) = (
                Detector::start(act.clone()).await,
                Detector::start(Act::Clean).await,
            );
            let mut one = settings("a", &a);
            one.on_failure = on_failure;
            let mut config = config(vec![one, settings("b", &b)]);
            config.partial_coverage_threshold = 0.0;
            let service = start(config).await;
            for n in 0..6 {
                let found = ask(&service, &format!("stuffed {n}")).await;
                assert_eq!(found, (200, "block".to_owned()), "{act:?} {on_failure:?}");
            }
            assert!(service.get("/metrics").await.text.contains(CLOSED));
            a.act(Act::Clean);
            assert_eq!(ask(&service, "plain").await, (200, "pass".to_owned()));
        }
    }
}

#[tokio::test]
async fn content_beyond_what_a_detector_has_answered_does_not_open_its_breaker() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    assert_eq!(ask(&service, "usual").await, (200, "pass".to_owned()));
    a.act(Act::StallHead);
    let huge = "long ".repeat(9_000);
    for n in 0..6 {
        assert_eq!(ask(&service, &format!("{huge}{n}")).await.0, 502, "{n}");
    }
    assert!(service.get("/metrics").await.text.contains(CLOSED));
    // The same with usual content counts as the detector's failure.
    for n in 0..5 {
        assert_eq!(ask(&service, &format!("{n}")).await.0, 502, "{n}");
    }
    let open = "circuit_breaker_state{detector=\"a\",state=\"open\"} 1";
    assert!(service.get("/metrics").await.text.contains(open));
}
