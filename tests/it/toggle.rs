//! A detector that is made to fail during load: the breaker opens, answers remain timely and
//! correct, and after the detector is restored the breaker closes.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::binary::call;
use crate::stack::Up;

const FLEET: &str = "
orchestration:
  sync_sla_ms: 2000
  cache: { enabled: false }
detectors:
  steady-a: { endpoint: 'http://localhost:0/detect' }
  steady-b: { endpoint: 'http://localhost:0/detect' }
  shaky:
    endpoint: 'http://localhost:0/detect'
    max_retries: 0
    breaker: { open_ms: 200, max_open_ms: 400, consecutive_failures: 5, half_open_calls: 2 }
";

#[test]
fn a_failing_detector_opens_its_breaker_and_a_healed_one_closes_it() {
    let up = Up::start(FLEET);
    let ask = || {
        let begun = Instant::now();
        let answer = up.post(
            "/orchestrate",
            &json!({
                "content": "mail jane@example.com", "content_type": "text", "tenant_id": "t",
            }),
        );
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "the deadline did not hold"
        );
        answer
    };
    let (status, body) = ask();
    assert_eq!(
        (status, &body["coverage_achieved"]),
        (200, &json!(1.0)),
        "{body}"
    );

    up.toggle("shaky", &json!({"success_rate": 0.0}));
    let open = "circuit_breaker_state{detector=\"shaky\",state=\"open\"} 1";
    up.until_metrics_hold(open, || {
        let (status, body) = ask();
        assert_eq!(status, 206, "{body}");
        assert_eq!(body["error_code"], "PARTIAL_COVERAGE");
        assert_eq!(body["fallback_used"], true);
    });

    let ended = call(
        [
            "fault",
            "shaky",
            "--failure-rate",
            "0",
            "--url",
            up.url("shaky"),
            "--config",
        ]
        .map(OsStr::new)
        .into_iter()
        .chain([up.fleet_file().as_os_str()]),
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let closed = "circuit_breaker_state{detector=\"shaky\",state=\"closed\"} 1";
    up.until_metrics_hold(closed, || {
        let (status, body) = ask();
        assert!([200, 206].contains(&status), "{body}");
    });
    assert_eq!(ask().0, 200);
    assert_eq!(up.interrupt(), Some(0), "Ctrl-C ends it cleanly");
}
