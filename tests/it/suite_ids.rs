//! To the request: what was sent, what was answered, and what the target's journal has, by id.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::binary::sparring;
use crate::suite_ends::Running;
use crate::suite_runs::{Bench, passed};

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

/// Says the id of each request before it is sent and after it was answered.
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

/// The ids behind a word of the log.
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
    let ledger = test["ledger"].as_array().expect("a ledger").iter();
    let mut ledger = ledger.filter(|entry| entry["what"] == "reconciliation");
    assert_eq!(
        ledger.next().expect("an entry")["text"],
        "900 requests were sent, and the target's journal has 900: each with an id of its own."
    );
}
