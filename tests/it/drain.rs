//! SIGTERM of the real service under load: every accepted request is answered.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::orchestrator_process::{Orchestrator, PATIENCE, Start, ended, fleet_of, get, submit};
use crate::stack::Up;
use crate::steady_load::SteadyLoad;

/// The number of restarts; `ROLLING_RESTARTS=100` sets more.
const RESTARTS: u64 = 4;
const DETECTORS: &str = "
detectors:
  one: { endpoint: 'http://localhost:0/detect', mock: { latency: { uniform: { min_ms: 50, max_ms: 150 } } } }
  slow: { endpoint: 'http://localhost:0/detect', mock: { latency: { constant: { ms: 20000 } } } }
";

/// A fleet file, and a folder for the replica's state beside it.
fn settle(
    up: &Up,
    folder: &Path,
    (name, detector): (&str, &str),
    drain_ms: u64,
) -> (PathBuf, PathBuf) {
    let fleet = folder.join(format!("{name}.yaml"));
    // Many processes share few cores, so deadlines are not tested here.
    let more = json!({ "drain_ms": drain_ms, "sync_sla_ms": 60_000, "default_timeout_ms": 60_000 });
    fleet_of(up, &[detector], &more, &fleet);
    (fleet, folder.join(name))
}

fn start<'a>((fleet, data_dir): &'a (PathBuf, PathBuf), port: u16) -> Start<'a> {
    Start {
        fleet,
        data_dir,
        redis_url: None,
        port,
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_ready(url: &str) -> bool {
    get(&format!("{url}/health/ready")).is_some_and(|(status, _)| status == 200)
}

#[test]
fn sigterm_under_load_ends_what_runs_and_parks_the_jobs() {
    let up = Up::start(DETECTORS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settled = settle(&up, folder.path(), ("a", "one"), 3_000);
    let mut service = Orchestrator::start(&start(&settled, 0));
    let url = service.url.clone();
    until("ready", || is_ready(&url));
    let load = SteadyLoad::start(&[&url]);
    load.await_more(20);
    // More than can run at once, so that some wait and some run when the service ends.
    let jobs: Vec<_> = (0..60)
        .map(|number| submit(&url, &format!("job {number}")).expect("it takes jobs"))
        .collect();
    service.signal("TERM");
    until("not ready", || {
        let ready = get(&format!("{url}/health/ready"));
        ready.is_some_and(|(status, body)| status == 503 && body["status"] == "draining")
    });
    // Requests that arrive while it drains are served.
    load.await_more(4);
    assert_eq!(service.exit_code(), Some(0));
    let seen = load.stop();
    let failures = seen.failures.lock().expect("no client panics with it");
    assert_eq!(*failures, Vec::<String>::new());
    assert!(
        seen.refused.load(Ordering::Relaxed) > 0,
        "after the end it refuses"
    );
    let service = Orchestrator::start(&start(&settled, 0));
    for id in &jobs {
        let job = ended(&service, id);
        assert_eq!(job["status"], "completed", "{job}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let up = Up::start(DETECTORS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settled = settle(&up, folder.path(), ("a", "slow"), 60_000);
    let mut service = Orchestrator::start(&start(&settled, 0));
    let url = service.url.clone();
    until("ready", || is_ready(&url));
    let waiting = std::thread::spawn(move || {
        let body = json!({ "content": "x", "content_type": "text", "tenant_id": "t" });
        crate::orchestrator_process::post(&format!("{url}/orchestrate"), &body)
    });
    let running = || {
        let (_, text) = service.get("/metrics").expect("it serves");
        let text = text.as_str().unwrap_or_default();
        text.lines().any(|line| line == "orchestrate_in_flight 1")
    };
    until("a request runs", running);
    service.signal("TERM");
    until("it was heard", || {
        service
            .get("/health/ready")
            .is_some_and(|(status, _)| status == 503)
    });
    service.signal("TERM");
    assert_eq!(service.exit_code(), Some(130));
    assert_eq!(waiting.join().expect("no panic"), None, "it was cut off");
}

#[test]
fn a_rolling_restart_under_load_costs_no_client_a_request() {
    let restarts = std::env::var("ROLLING_RESTARTS").map_or(RESTARTS, |restarts| {
        restarts.parse().expect("ROLLING_RESTARTS is a number")
    });
    let up = Up::start(DETECTORS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settled = ["a", "b"].map(|name| settle(&up, folder.path(), (name, "one"), 300));
    let mut replicas = [0, 1].map(|which| Orchestrator::start(&start(&settled[which], 0)));
    let urls = [replicas[0].url.clone(), replicas[1].url.clone()];
    until("ready", || urls.iter().all(|url| is_ready(url)));
    let load = SteadyLoad::start(&[&urls[0], &urls[1]]);
    for restart in 0..restarts {
        let which = usize::from(restart % 2 == 1);
        load.await_more(10);
        replicas[which].signal("TERM");
        assert_eq!(replicas[which].exit_code(), Some(0), "restart {restart}");
        let port = urls[which].rsplit(':').next().expect("a port");
        let port = port.parse().expect("a port");
        replicas[which] = Orchestrator::start(&start(&settled[which], port));
        until("ready again", || is_ready(&urls[which]));
    }
    load.await_more(10);
    let seen = load.stop();
    let failures = seen.failures.lock().expect("no client panics with it");
    let answered = seen
        .answered
        .iter()
        .map(|count| count.load(Ordering::Relaxed));
    let answered: Vec<_> = answered.collect();
    eprintln!(
        "{restarts} restarts, {answered:?} requests answered, {} failed",
        failures.len()
    );
    assert_eq!(*failures, Vec::<String>::new());
    assert_eq!(
        seen.refused.load(Ordering::Relaxed),
        0,
        "one was always there"
    );
    assert!(answered.iter().all(|count| *count > 0), "{answered:?}");
}
