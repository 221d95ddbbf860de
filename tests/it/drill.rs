//! `sparring drill` against a running stack, with probes alone.

use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{Ended, sparring};
use crate::stack::Up;
use crate::suite_ends::Running;

const FLEET: &str = "
orchestration: { sync_sla_ms: 2000, cache: { enabled: false }, auth: { mode: 'off' } }
detectors:
  steady-a: { endpoint: 'http://localhost:0/detect' }
  steady-b: { endpoint: 'http://localhost:0/detect' }
  shaky:
    endpoint: 'http://localhost:0/detect'
    max_retries: 0
    breaker: { open_ms: 200, max_open_ms: 400, consecutive_failures: 5, half_open_calls: 2 }
";

const DRILL: &str = "
title: One of three fails
probe: { interval_ms: 50 }
steady_state: { after_ms: 200, for_ms: 1000, expect: { answered: 1.0, coverage: 0.99 } }
faults: [{ detector: shaky, patch: { success_rate: 0.0 }, for_ms: 2000 }]
during: { answered: 1.0 }
detect: { breaker_opens: shaky, within_ms: 2000 }
recover: { within_ms: 20000 }
";

/// Detectors that are too slow for a request while all of them are slow; the breakers detect this
/// by calls that are cut off.
const SLOW_FLEET: &str = "
orchestration: { sync_sla_ms: 1000, cache: { enabled: false }, auth: { mode: 'off' } }
detectors:
  steady-a: { endpoint: 'http://localhost:0/detect', breaker: { open_ms: 3000, max_open_ms: 3000 } }
  steady-b: { endpoint: 'http://localhost:0/detect', breaker: { open_ms: 3000, max_open_ms: 3000 } }
  shaky: { endpoint: 'http://localhost:0/detect', breaker: { open_ms: 3000, max_open_ms: 3000 } }
";

const ALL_SLOW: &str = "
title: All are slow
probe: { interval_ms: 50 }
steady_state: { after_ms: 200, for_ms: 1000, expect: { answered: 1.0, coverage: 0.99 } }
faults: [{ detector: all, patch: { latency: { constant: { ms: 4000 } } }, for_ms: 5000 }]
during: { p95_ms: 2000 }
detect: { breaker_opens: [steady-a, steady-b, shaky], within_ms: 5000, then: { p95_ms: 500 } }
recover: { within_ms: 20000 }
";

/// Runs `drill` on `up`. Returns its result and the journal.
fn run(up: &Up, drill: &str) -> (Ended, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fleet = folder.path().join("detectors.yaml");
    let mut text = std::fs::read_to_string(up.fleet_file()).expect("readable");
    for name in ["steady-a", "steady-b", "shaky"] {
        text = text.replacen("http://localhost:0", up.url(name), 1);
    }
    std::fs::write(&fleet, text).expect("writable");
    let file = folder.path().join("drill-test.yaml");
    std::fs::write(&file, drill).expect("writable");
    let output = sparring()
        .args([
            "drill",
            "--orchestrator",
            up.url("orchestrator"),
            "--config",
        ])
        .arg(&fleet)
        .arg("--results")
        .arg(folder.path())
        .arg(&file)
        .output()
        .expect("the binary was built for this test");
    (Ended::from(output), journal(folder.path()))
}

/// The journal `drill_test_<UTC time>.json` in `folder`.
fn journal(folder: &Path) -> Value {
    let files = std::fs::read_dir(folder).expect("readable").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let mut journals =
        names.filter(|name| name.starts_with("drill_test_20") && name.ends_with("Z.json"));
    journals.next().map_or(Value::Null, |name| {
        let text = std::fs::read_to_string(folder.join(name)).expect("readable");
        serde_json::from_str(&text).expect("JSON")
    })
}

fn success_rate(up: &Up, detector: &str) -> Value {
    let url = format!("{}/__admin/profile", up.url(detector));
    let mut response = ureq::get(&url).call().expect("the mock answers");
    let text = response.body_mut().read_to_string().expect("text");
    let profile: Value = serde_json::from_str(&text).expect("JSON");
    profile["success_rate"].clone()
}

#[test]
fn a_breaker_that_works_passes_the_drill_and_the_profile_is_put_back() {
    let up = Up::start(FLEET);
    let (ended, journal) = run(&up, DRILL);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("verdict: PASSED"), "{}", ended.stdout);
    let outcome = &journal["outcome"];
    assert!(outcome["time_to_detect_s"].is_f64(), "{outcome}");
    assert!(outcome["time_to_recover_s"].is_f64(), "{outcome}");
    assert_eq!(success_rate(&up, "shaky"), json!(1.0));
    // N-07: exactly the faulty detector, beside those that had the same requests at the same time.
    let reach = &outcome["reach"];
    assert_eq!(
        reach["affected"].as_array().map(Vec::len),
        Some(1),
        "{reach}"
    );
    assert_eq!(reach["affected"][0]["detector"], "shaky");
    assert_eq!(reach["affected"][0]["faulted"], true);
    assert_eq!(reach["control"]["detectors"], 2);
    assert_eq!(reach["control"]["during"]["failed"], 0, "{reach}");
    assert!(
        reach["control"]["during"]["made"].as_u64() > Some(20),
        "{reach}"
    );
    let group = "affected detectors: shaky\ncontrol group: 2 detectors, failed calls 0.0 % before, 0.0 % meanwhile";
    assert!(ended.stdout.contains(group), "{}", ended.stdout);
    let events = &journal["seen"]["events"];
    assert_eq!(events[0]["what"], "injected", "{events}");
    assert_eq!(events[1]["what"], "reverted", "{events}");
    let time = |entry: &Value| entry["time"].as_str().expect("text").to_owned();
    let began = journal["began"].as_str().expect("text").to_owned();
    assert!(began <= time(&events[0]) && time(&events[0]) < time(&events[1]));
    assert!(time(&journal["seen"]["probes"][0]).starts_with("20"));
}

#[test]
fn nothing_is_injected_into_a_system_that_is_not_steady() {
    let up = Up::start(FLEET);
    up.toggle("steady-a", &json!({"success_rate": 0.0}));
    let (ended, journal) = run(&up, DRILL);
    assert_eq!(ended.code, Some(4), "{}{}", ended.stdout, ended.stderr);
    assert!(!ended.stdout.contains("injected {"), "{}", ended.stdout);
    assert_eq!(journal["outcome"]["verdict"], "not_steady");
}

#[test]
fn an_orchestrator_without_breakers_fails_the_drill() {
    let fleet = FLEET.replace("breaker: { open_ms", "breaker: { enabled: false, open_ms");
    assert_ne!(fleet, FLEET);
    let up = Up::start(&fleet);
    let (ended, journal) = run(&up, DRILL);
    assert_eq!(ended.code, Some(99), "{}{}", ended.stdout, ended.stderr);
    let said = "the breaker of shaky never opened";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    assert_eq!(journal["outcome"]["verdict"], "failed");
    assert_eq!(success_rate(&up, "shaky"), json!(1.0));
}

#[test]
fn breakers_that_notice_slowness_pass_the_drill_for_it() {
    let up = Up::start(SLOW_FLEET);
    let (ended, journal) = run(&up, ALL_SLOW);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let outcome = &journal["outcome"];
    assert!(outcome["time_to_detect_s"].is_f64(), "{outcome}");
    // No request is answered, and none may pass.
    let before_detection = outcome["unanswered"].as_u64().expect("a number");
    assert!(before_detection > 20, "{outcome}");
    assert!(up.metrics().contains("reason=\"slow_call_rate\""));
    assert_eq!(
        outcome["reach"]["affected"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(outcome["reach"]["control"], Value::Null);
}

#[test]
fn breakers_that_take_slowness_for_health_fail_the_drill_for_it() {
    let fleet = SLOW_FLEET.replace("breaker: {", "breaker: { slow_cut_off_ms: 0,");
    assert_ne!(fleet, SLOW_FLEET);
    let up = Up::start(&fleet);
    let (ended, journal) = run(&up, ALL_SLOW);
    assert_eq!(ended.code, Some(99), "{}{}", ended.stdout, ended.stderr);
    let said = "the breaker of steady-a, steady-b, shaky never opened";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    assert_eq!(journal["outcome"]["verdict"], "failed");
}

/// A mock's admin API that adds one overlay and then disappears. Returns its URL.
fn a_mock_that_dies_of_its_fault() -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = [0; 4096];
            let read = stream.read(&mut head).expect("a request");
            let is_last = head[..read].starts_with(b"PUT");
            let success_rate = if is_last { 0 } else { 1 };
            let body = match is_last {
                true => json!({ "revision": 2, "profile": { "success_rate": success_rate } }),
                false => json!({ "success_rate": success_rate }),
            }
            .to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).expect("it is read");
            if is_last {
                return;
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn a_mock_that_dies_under_its_fault_costs_neither_the_verdict_nor_the_journal() {
    let up = Up::start(FLEET);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("drill-test.yaml");
    let short = DRILL
        .replace("for_ms: 2000", "for_ms: 500")
        .replace("detect: { breaker_opens: shaky, within_ms: 2000 }", "")
        .replace("within_ms: 20000", "within_ms: 500");
    std::fs::write(&file, short).expect("writable");
    let drill = suite::drill::Drill::read(&file).expect("a sound drill");
    let target = suite::drill::Target {
        orchestrator: up.url("orchestrator").to_owned(),
        headers: vec![("X-Tenant-ID".to_owned(), "t".to_owned())],
        detectors: [("shaky".to_owned(), a_mock_that_dies_of_its_fault())].into(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let ending = suite::drill::Ending::default();
    let conducted = runtime.block_on(suite::drill::conduct(
        &drill,
        &target,
        &[],
        &ending,
        |_, _| {},
    ));
    let conducted = conducted.expect("the measurements are kept");
    let outcome = &conducted.outcome;
    assert_eq!(
        outcome.verdict,
        suite::drill::Verdict::Untrusted,
        "{outcome}"
    );
    let lost = "shaky could not be told that the drill has ended";
    assert!(
        outcome.broken.iter().any(|line| line.contains(lost)),
        "{outcome}"
    );
    let kept = conducted.write(&drill, folder.path(), &file);
    kept.expect("writable");
    let journal = journal(folder.path());
    assert_eq!(journal["outcome"]["verdict"], "untrusted");
    assert!(
        outcome.during.is_some_and(|during| during.probes > 3),
        "{outcome}"
    );
}

#[test]
fn a_fault_that_changes_nothing_invalidates_the_drill_and_none_at_all_is_refused() {
    let up = Up::start(FLEET);
    let nothing = DRILL
        .replace("success_rate: 0.0", "success_rate: 1.0")
        .replace("for_ms: 2000", "for_ms: 300")
        .replace("detect: { breaker_opens: shaky, within_ms: 2000 }", "");
    let (ended, journal) = run(&up, &nothing);
    assert_eq!(ended.code, Some(5), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("nothing was injected"),
        "{}",
        ended.stdout
    );
    assert_eq!(journal["outcome"]["verdict"], "untrusted");
    for (old, new, said) in [
        ("for_ms: 2000 }]", "for_ms: 0 }]", "faults[0].for_ms"),
        ("{ success_rate: 0.0 }", "{}", "faults[0].patch"),
    ] {
        let (ended, _) = run(&up, &DRILL.replace(old, new));
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

/// The faults of a simulated system are those of its suite, wherever it runs.
#[test]
fn a_simulated_system_is_drilled_by_its_suite() {
    let mut target = Running::start(sparring().args(["target", "acis", "--port", "0", "--quiet"]));
    let url = target.url();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("drill-test.yaml");
    std::fs::write(&file, DRILL).expect("writable");
    let says = |command: &mut std::process::Command| {
        let ended = Ended::from(
            command
                .output()
                .expect("the binary was built for this test"),
        );
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let command = format!("`sparring test acis fault-tolerance --base-url {url}`");
        assert!(ended.stderr.contains(&command), "{}", ended.stderr);
    };
    says(sparring().args(["drill", &url]));
    says(
        sparring()
            .arg("drill")
            .arg(&file)
            .args(["--orchestrator", &url]),
    );
}
