//! Comparison by id of the sent requests, the answered ones, and the target's journal.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::binary::sparring;
use crate::suite_ends::Running;
use crate::suite_runs::{Bench, ledger_entry, passed};

const SUITE: &str = "
suite: own
system: acis
default: [some]
all: [some]
classes:
  User: { script: own.js, exec: user, wait_s: [0, 0] }
tests:
  some: { about: Requests., model: closed, users: [User], samples: { iterations: 300, users: 7 }, judge: { checks: 1.0 } }
";

/// Logs the id of each request before it is sent and after it was answered.
const SCRIPT: &str = "
import http from 'k6/http';
import { check } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function user() {
  for (let n = 1; n <= 3; n += 1) {
    const id = `${__ENV.SPARRING_TEST_ID}-${__VU}-${__ITER}-${n}`;
    console.log(`sent ${id} `);
    const url = `${__ENV.PERF_BASE_URL}/api/clients?limit=1`;
    const response = http.get(url, { headers: { 'X-Request-Id': id }, tags: { name: 'GET /api/clients' } });
    console.log(`received ${id} `);
    check(response, { answered: (r) => r.status === 200 });
  }
}
";

/// The ids after a word in the log.
fn said(log: &str, word: &str) -> BTreeSet<String> {
    let mark = format!("{word} ");
    let ids = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once(&mark)?;
        Some(rest.split([' ', '"']).next()?.to_owned())
    });
    ids.collect()
}

/// N-06: sent = received = journalled, by id.
#[test]
fn each_request_that_was_sent_is_received_and_journalled() {
    let mut target = Running::start(sparring().args(["target", "acis", "--port", "0", "--quiet"]));
    let url = target.url();
    let bench = Bench::new();
    bench.write("own.yaml", SUITE);
    bench.write("own.js", SCRIPT);
    let ended = bench.run(&["own.yaml", "--base-url", &url]);
    let (sent, received) = (said(&ended.stderr, "sent"), said(&ended.stderr, "received"));
    assert_eq!(sent.len(), 900);
    assert_eq!(sent, received);
    let journal = ureq::get(format!("{url}/__admin/journal?limit=2000"));
    let journal = journal
        .call()
        .expect("it answers")
        .into_body()
        .read_to_string();
    let journal: Value = serde_json::from_str(&journal.expect("text")).expect("JSON");
    let entries = journal["entries"].as_array().expect("entries");
    let journalled: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry["key"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(journalled.len(), 900, "each once");
    assert_eq!(journalled.into_iter().collect::<BTreeSet<String>>(), sent);
    let report = bench.report();
    passed(&ended, &report);
    let test = &report["tests"][0];
    assert_eq!(test["figures"]["requests"], 900);
    assert_eq!(
        ledger_entry(test, "reconciliation"),
        "900 requests were sent (900 answered, 0 failed without an answer, 0 cut off); the target's journal has 900, 900 of \
         them by id."
    );
    // The same requests on both sides: a client never sees less than the journal.
    let latency = test["analysis"]["reconciliation"]["latency"].as_array();
    let latency = latency.expect("percentiles");
    assert_eq!(latency.len(), 12);
    for row in latency {
        let ms = |side: &str| row[side].as_f64().expect("a number");
        assert!(ms("client_ms") * 1.001 >= ms("server_ms"), "{row}");
    }
}

const MANY: &str = "
suite: many
system: lab
default: [cut]
all: [cut]
classes:
  Fast: { script: many.js, exec: fast, wait_s: [0, 0] }
  Slow: { script: many.js, exec: slow, wait_s: [0, 0] }
tests:
  many: { about: More than the journal holds., model: closed, users: [Fast], samples: { iterations: 12000, users: 20 } }
  cut: { about: Users leave amid a request., model: closed, users: [Slow], phases: [{ ramp: { to: 30 } }, { steady: { for: 2s } }, { ramp_down: { for: 1s } }] }
";

const MANY_SCRIPT: &str = "
import http from 'k6/http';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
const ask = (path) => http.get(`${__ENV.PERF_BASE_URL}${path}`, {
  headers: { 'X-Request-Id': `${__ENV.SPARRING_TEST_ID}-${__VU}-${__ITER}` }, tags: { name: path },
});
export const fast = () => ask('/cache');
export const slow = () => ask('/parallel');
";

/// N-06: more requests than the journal stores, which is read while the load continues.
#[test]
fn more_requests_than_the_journal_keeps_are_compared_by_id() {
    let bench = Bench::new();
    bench.write("many.yaml", MANY);
    bench.write("many.js", MANY_SCRIPT);
    let ended = bench.run(&["many.yaml", "many"]);
    let report = bench.report();
    let test = &report["tests"][0];
    let found = &test["analysis"]["reconciliation"];
    let said = ledger_entry(test, "reconciliation");
    assert_eq!(found["sent"], 12_000, "{said} {}", ended.stderr);
    assert_eq!(found["matched"], 12_000, "{said}");
    assert_eq!(found["unread"], 0, "{said}");
}

/// N-06: requests that the end of the load cuts off are distinguished from lost ones.
#[test]
fn requests_that_are_cut_off_are_told_apart() {
    let bench = Bench::new();
    bench.write("many.yaml", MANY);
    bench.write("many.js", MANY_SCRIPT);
    let ended = bench.run(&["many.yaml", "cut"]);
    let report = bench.report();
    let test = &report["tests"][0];
    let found = &test["analysis"]["reconciliation"];
    let said = ledger_entry(test, "reconciliation");
    let count = |name: &str| found[name].as_u64().expect("a count");
    assert!(count("cut") > 0, "{said} {}", ended.stderr);
    assert_eq!(count("sent"), count("answered") + count("cut"), "{said}");
    // Some of the requests that were cut off may not have arrived.
    let early = found["cut_before_arrival"]["count"].as_u64();
    assert_eq!(
        count("journalled") + early.unwrap_or_default(),
        count("sent"),
        "{said}"
    );
    // S-20: so were the iterations that they belong to, and others that had not yet sent their request.
    let iterations = ledger_entry(test, "iterations");
    let (before, _) = iterations
        .split_once(" others were interrupted at the end of a phase")
        .unwrap_or_else(|| panic!("no interrupted iterations: {iterations}"));
    let interrupted: u64 = before.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(interrupted >= count("cut"), "{said} {iterations}");
    for name in ["lost", "duplicated", "unknown"] {
        assert_eq!(found[name]["count"], 0, "{name}: {said}");
    }
}

const SOCKETS: &str = "
suite: sockets
system: aiaas
default: [talk]
all: [talk]
classes:
  Talker: { script: talk.js, exec: talk, wait_s: [0, 0] }
tests:
  talk: { about: Messages., model: closed, users: [Talker], samples: { iterations: 6, users: 3 } }
";

const SOCKETS_SCRIPT: &str = "
import ws from 'k6/ws';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
const url = `${__ENV.PERF_BASE_URL.replace('http', 'ws')}/api/v1/ws`;
export function talk() {
  ws.connect(url, {}, (socket) => {
    let heard = 0;
    socket.on('open', () => {
      for (let n = 1; n <= 5; n += 1) {
        socket.send(JSON.stringify({ type: 'ping', id: `${__ENV.SPARRING_TEST_ID}-${__VU}-${__ITER}-${n}` }));
      }
    });
    socket.on('message', () => { heard += 1; if (heard === 5) { socket.close(); } });
    socket.setTimeout(() => socket.close(), 20000);
  });
}
";

/// N-06: messages of WebSockets have ids of their own.
#[test]
fn messages_of_web_sockets_are_compared_by_id() {
    let bench = Bench::new();
    bench.write("sockets.yaml", SOCKETS);
    bench.write("talk.js", SOCKETS_SCRIPT);
    let ended = bench.run(&["sockets.yaml"]);
    let report = bench.report();
    let test = &report["tests"][0];
    let found = &test["analysis"]["reconciliation"];
    let said = ledger_entry(test, "reconciliation");
    // Six handshakes, and five messages on each.
    assert_eq!(found["sent"], 36, "{said} {}", ended.stderr);
    assert_eq!(
        (&found["answered"], &found["matched"]),
        (&36.into(), &30.into()),
        "{said}"
    );
    assert_eq!(
        (&found["unnamed"], &found["journalled"]),
        (&6.into(), &36.into()),
        "{said}"
    );
}

/// N-06: every call in the mock detectors' journals belongs to a sent request, and none occurs twice.
#[test]
fn calls_of_the_orchestrator_belong_to_requests_that_were_sent() {
    let bench = Bench::new();
    let ended = bench.run(&["orchestrator", "smoke", "--time-scale", "0.05"]);
    let report = bench.report();
    let test = &report["tests"][0];
    let found = &test["analysis"]["reconciliation"];
    let said = ledger_entry(test, "reconciliation");
    assert!(found["sent"].as_u64() > Some(0), "{said} {}", ended.stderr);
    assert_eq!(found["unnamed"], 0, "{said}");
    for name in ["unknown", "duplicated"] {
        assert_eq!(found[name]["count"], 0, "{name}: {said}");
    }
    let detectors = found["detectors"].as_object().expect("detectors");
    let calls = detectors
        .values()
        .filter_map(|of| of["journalled"].as_u64());
    assert!(calls.sum::<u64>() > 0, "{said}");
    for (name, of) in detectors {
        assert!(
            of["made"].as_u64() >= of["journalled"].as_u64(),
            "{name}: {said}"
        );
    }
}

/// A detector that nobody listens for during two seconds, and that has no connections to keep.
const REFUSING: &str = "
orchestration: { auth: { mode: 'off' }, connections: { max_age_ms: 1 } }
detectors:
  one:
    endpoint: 'http://localhost:0/detect'
    max_retries: 0
    breaker: { enabled: false }
    mock:
      latency: { constant: { ms: 2 } }
      schedule: { stages: [{ at_ms: 3000, for_ms: 2000, set: { connection: { refused: true } } }] }
";

/// N-06: calls that never reached a detector are counted, and explain the difference to its journal.
#[test]
fn calls_without_a_connection_explain_what_the_journals_lack() {
    let bench = Bench::new();
    bench.write("detectors.yaml", REFUSING);
    let arguments = [
        "orchestrator",
        "smoke",
        "--time-scale",
        "0.05",
        "-c",
        "detectors.yaml",
    ];
    let ended = bench.run(&arguments);
    let report = bench.report();
    let test = &report["tests"][0];
    let said = ledger_entry(test, "reconciliation");
    let of = &test["analysis"]["reconciliation"]["detectors"]["one"];
    let count = |name: &str| of[name].as_u64().expect("a count");
    assert!(count("unconnected") > 0, "{said} {}", ended.stderr);
    assert_eq!(
        count("made"),
        count("unconnected") + count("journalled"),
        "{said}"
    );
    let told = format!(
        "{0} never reached a detector, because no connection could be established: one ({0}).",
        count("unconnected")
    );
    assert!(said.contains(&told), "{said}");
}
