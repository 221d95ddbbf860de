//! Faults on a target system that the system itself has to report.

use crate::suite_runs::{Bench, json};

const SUITE: &str = "
suite: own
system: acis
default: [faults]
all: [faults]
classes:
  Client: { script: client.js, exec: client, wait_s: [0, 0] }
tests:
  faults:
    about: A crash and a change that nobody reports.
    model: closed
    users: [Client]
    phases: [{ ramp: { to: 2 } }, { steady: { for: 1s } }]
    faults:
      crash: { crash: api, for: 2s, probe: &probe { route: GET /health, ok: [200, 503] }, detect: { health: [degraded], within: 5s }, recover_within: 10s }
      restarts: { crash: api, for: 2s, probe: *probe, detect: { metric: { name: sparring_target_restarts_total, labels: { host: api }, grows_by: 0 }, within: 5s }, recover_within: 10s }
      silent: { patch: { pools: { db: { size: 30 } } }, for: 1s, probe: *probe, detect: { metric: { name: sparring_target_instances, labels: { host: api }, below: 1 }, within: 5s }, recover_within: 10s }
      before: { patch: { pools: { db: { size: 30 } } }, for: 1s, probe: *probe, detect: { health: [healthy], within: 5s }, recover_within: 10s }
";

const SCRIPT: &str = "
import http from 'k6/http';
import { sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function client() { http.get(`${__ENV.PERF_BASE_URL}/health/live`); sleep(0.1); }
";

/// Section 7 of the suites' design: `detect` by health or metric.
#[test]
fn a_system_that_reports_a_fault_is_told_from_one_that_does_not() {
    let bench = Bench::new();
    bench.write("own.yaml", SUITE);
    bench.write("client.js", SCRIPT);
    let ended = bench.run(&["own.yaml", "--time-scale", "0.1"]);
    let report = json(&bench.run_folder().join("report.json"));
    let judgements = report["tests"][0]["judgements"].as_array().cloned();
    let judgements = judgements.unwrap_or_else(|| panic!("{}{}", ended.stdout, ended.stderr));
    let standing = |fault: &str| {
        let id = format!("monitoring.{fault}");
        let found = judgements
            .iter()
            .find(|it| it["id"].as_str().is_some_and(|it| it.ends_with(&id)));
        found.map(|it| it["standing"].clone())
    };
    assert_eq!(standing("crash"), Some("held".into()), "{}", ended.stdout);
    assert_eq!(standing("restarts"), Some("held".into()));
    assert_eq!(standing("silent"), Some("crossed".into()));
    assert_eq!(standing("before"), Some("crossed".into()));
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        said.contains("fault before: its indicator showed a problem before the fault"),
        "{said}"
    );
    assert!(
        said.contains("fault silent: the system did not report it"),
        "{said}"
    );
}
