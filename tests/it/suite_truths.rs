//! Tests of a simulated system find its truth, through driver, target and analysis. The tests take minutes and a
//! quiet machine: `SUITE_PROOFS=1` runs them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use analysis::queueing::{Queue, md1, mm1, mmc};
use serde_json::Value;

use crate::suite_checks::{is_asked_for, shipped, truths};
use crate::suite_runs::Bench;

/// G-06, ACSO-24, ACSO-26: each of the five limits is named as in the system itself.
#[test]
fn the_exhaustion_tests_of_acso_find_each_bottleneck() {
    if !is_asked_for() {
        return;
    }
    let suite = shipped("acso");
    let (before, rest) = suite
        .split_once("      capacity:\n        ladder: { levels: [1000")
        .expect("the part that searches the capacity");
    let (_, parts) = rest.split_once("\n      cpu: {").expect("the five parts");
    let bench = Bench::new();
    bench.write("own.yaml", &format!("{before}      cpu: {{{parts}"));
    let ended = bench.run(&["own.yaml", "stress", "--time-scale", "0.3"]);
    let report = bench.report();
    let tests = report["tests"].as_array().expect("tests");
    let expected = [
        ("cpu", "CPU"),
        ("memory", "memory"),
        ("network", "network"),
        ("io", "I/O"),
        ("application", "application"),
    ];
    assert_eq!(tests.len(), expected.len(), "{}", ended.stderr);
    for (test, (part, class)) in tests.iter().zip(expected) {
        let row = &truths(test)["bottleneck"];
        eprintln!("{part}: {row}");
        assert_eq!(test["part"], part);
        assert_eq!(row["found"]["class"], class, "{part}: {row}");
        assert_eq!(row["agrees"], true, "{part}: {row}");
    }
}

/// A kind of station, with the arrivals per second of all its copies.
struct Form {
    name: &'static str,
    rate_per_s: f64,
    copies: u32,
    servers: u32,
    /// The mean time in the system of a station with this arrival rate per second.
    queue: fn(f64) -> Queue,
}

const SERVICE_S: f64 = 0.05;
const FORMS: [Form; 3] = [
    Form {
        name: "mm1",
        rate_per_s: 180.0,
        copies: 30,
        servers: 1,
        queue: |per_s| mm1(per_s, SERVICE_S).expect("it is stable"),
    },
    Form {
        name: "md1",
        rate_per_s: 176.0,
        copies: 22,
        servers: 1,
        queue: |per_s| md1(per_s, SERVICE_S).expect("it is stable"),
    },
    Form {
        name: "mm4",
        rate_per_s: 160.0,
        copies: 4,
        servers: 4,
        queue: |per_s| mmc(per_s, SERVICE_S, 4).expect("it is stable"),
    },
];

/// The number of copies of each station: many short queues reach the steady state sooner than a long one.
fn system() -> String {
    let (mut components, mut endpoints) = (String::new(), String::new());
    let service_ms = SERVICE_S * 1e3;
    for form in &FORMS {
        let service = match form.name {
            "md1" => service_ms.to_string(),
            _ => format!("{{ exponential: {{ mean_ms: {service_ms} }} }}"),
        };
        for copy in 0..form.copies {
            let (name, slots) = (format!("{}_{copy}", form.name), form.servers);
            let _ = writeln!(
                components,
                "  {name}: {{ kind: service, slots: {slots}, queue: {{ capacity: 1000000 }}, operations: {{ run: {{ \
                 service_ms: {service} }} }} }}"
            );
            let _ = writeln!(
                endpoints,
                "  {name}: {{ route: GET /{name}, title: A station, flow: [{{ visit: {name}.run }}] }}"
            );
        }
    }
    format!(
        "system: forms\ndescription: Copies of single stations.\ncomponents:\n{components}endpoints:\n{endpoints}"
    )
}

const SUITE: &str = "
suite: forms
system: forms.system.yaml
default: [load]
all: [load]
classes:
  Open: { script: forms.js, exec: arrive, wait_s: [0, 0] }
tests:
  load:
    about: A thousand chances a second, each for one station or none, are nearly a Poisson process at each.
    model: open
    users: [Open]
    phases: [{ ramp: { to: 1000 } }, { steady: { for: 180s } }]
    judge: { thresholds: { http_req_failed: ['rate<0.01'] } }
";

fn script() -> String {
    let kinds: Vec<String> = FORMS
        .iter()
        .map(|form| format!("['{}', {}, {}]", form.name, form.rate_per_s, form.copies))
        .collect();
    format!(
        "
import http from 'k6/http';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
const KINDS = [{}];
export function arrive() {{
  let draw = Math.random() * 1000;
  for (const [kind, rate, copies] of KINDS) {{
    if (draw < rate) {{
      const copy = Math.floor(Math.random() * copies);
      http.get(`${{__ENV.PERF_BASE_URL}}/${{kind}}_${{copy}}`, {{ tags: {{ name: kind }} }});
      return;
    }}
    draw -= rate;
  }}
}}
",
        kinds.join(", ")
    )
}

/// M/M/1, M/M/4 and M/D/1 within 2 %.
#[test]
fn queues_take_the_time_of_their_closed_forms() {
    if !is_asked_for() {
        return;
    }
    let bench = Bench::new();
    bench.write("own.yaml", SUITE);
    bench.write("forms.system.yaml", &system());
    bench.write("forms.js", &script());
    let ended = bench.run(&["own.yaml", "load"]);
    let report = bench.report();
    let phases = report["tests"][0]["phases"].as_array().expect("phases");
    let steady = phases.iter().find(|phase| phase["kind"] == "steady");
    let steady = steady.unwrap_or_else(|| panic!("{}", ended.stderr));
    let endpoints: BTreeMap<&str, &Value> = steady["endpoints"]
        .as_array()
        .expect("endpoints")
        .iter()
        .map(|endpoint| {
            (
                endpoint["name"].as_str().unwrap_or_default(),
                &endpoint["figures"],
            )
        })
        .collect();
    for form in &FORMS {
        let figures = endpoints[form.name];
        let number = |pointer: &str| {
            figures
                .pointer(pointer)
                .and_then(Value::as_f64)
                .expect("a number")
        };
        let per_s = number("/requests_per_s") / f64::from(form.copies);
        let (found, expected) = (
            number("/latency/mean"),
            1e3 * (form.queue)(per_s).mean_response_s,
        );
        eprintln!("{}: {found} ms, closed form {expected} ms", form.name);
        assert!(
            (found / expected - 1.0).abs() <= 0.02,
            "{}: {found} {expected}",
            form.name
        );
    }
}

/// A station of 10 ms that serves one request at a time: 100 per second.
const STATION: &str = "
system: station
description: One station.
components:
  one: { kind: service, slots: 1, queue: { capacity: 1000000 }, operations: { run: { service_ms: 10 } } }
endpoints:
  one: { route: GET /one, title: A station, flow: [{ visit: one.run }] }
";

const SEARCH: &str = "
suite: station
system: station.system.yaml
default: [breakpoint]
all: [breakpoint]
classes:
  Open: { script: station.js, exec: arrive, wait_s: [0, 0] }
tests:
  breakpoint:
    about: The highest rate at which requests do not pile up.
    model: open
    users: [Open]
    search: { of: rate_per_s, from: 50, until: 800, precision: 0.03, each: 12s, rest: 1s }
    judge: { thresholds: { http_req_duration: ['p(95)<200'], http_req_failed: ['rate<0.05'] } }
";

/// The capacity that a search finds is the true one within 5 %.
#[test]
fn a_search_finds_the_capacity_of_a_station() {
    if !is_asked_for() {
        return;
    }
    let bench = Bench::new();
    bench.write("station.system.yaml", STATION);
    bench.write("station.yaml", SEARCH);
    bench.write(
        "station.js",
        "
import http from 'k6/http';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function arrive() { http.get(`${__ENV.PERF_BASE_URL}/one`); }
",
    );
    let ended = bench.run(&["station.yaml"]);
    let test = &bench.report()["tests"][0];
    eprintln!("{}\n{:#}", ended.stdout, test["truth"]);
    assert_eq!(test["outcome"], "passed", "{}", ended.stdout);
    let row = &truths(test)["capacity_per_s by slo_search"];
    let [found, known] = ["found", "true"].map(|it| row[it].as_f64().unwrap_or(f64::NAN));
    assert_eq!(known, 100.0, "{row}");
    assert!((found / known - 1.0).abs() <= 0.05, "{row}");
}

/// The class of an open test that requests another endpoint than the first one of its system.
const OPEN: &str = "
suite: own
system: lab
default: [open]
all: [open]
classes:
  Open: { script: own.js, exec: open, mix: md1, wait_s: [1, 3] }
tests:
  open: { about: Arrivals., model: open, users: [Open], phases: [{ ramp: { to: 50 } }, { steady: { for: 4s } }] }
";

const OPEN_SCRIPT: &str = "
import http from 'k6/http';
import { sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function open() {
  http.get(`${__ENV.PERF_BASE_URL}/md1`, { tags: { name: 'GET /md1' } });
  sleep(Number(__ENV.SPARRING_WAIT_S.split(',')[0]));
}
";

/// Virtual users of an open test are allocated by what the system knows of the class's own mix: 50/s of 15 ms, and room for a
/// pause of 250 ms. Arrivals do not wait.
#[test]
fn open_tests_are_sized_by_the_truth_of_their_mix() {
    let bench = Bench::new();
    bench.write("own.yaml", OPEN);
    bench.write("own.js", OPEN_SCRIPT);
    let ended = bench.run(&["own.yaml"]);
    let report = bench.report();
    let test = &report["tests"][0];
    let truth = &test["analysis"]["truth"];
    assert_eq!(
        truth["classes"][0]["mix"], "md1",
        "{truth} {}",
        ended.stderr
    );
    let response_ms = truth["load"]["response_ms"]["value"].as_f64();
    let response_ms = response_ms.expect("a figure");
    assert!((response_ms - 15.0).abs() < 0.1, "{truth}");
    let metrics = &test["k6_summary"]["metrics"];
    let value = |metric: &str, name: &str| metrics[metric]["values"][name].as_f64();
    // A busy machine may need more, and without the truth there would be 100.
    let most = value("vus_max", "max").expect("a gauge");
    assert!((27.0..100.0).contains(&most), "{metrics}");
    assert!(
        value("iteration_duration", "avg") < Some(1_000.0),
        "{metrics}"
    );
}

#[test]
fn the_mixes_of_user_classes_are_those_of_their_systems() {
    let mut mixes = 0;
    for (name, _) in suite::builtin::BUILT_IN {
        let file = suite::builtin::built_in(name)
            .expect("built in")
            .expect("sound");
        let text = file
            .system
            .as_deref()
            .and_then(target_systems::systems::text);
        let Some(text) = text else { continue };
        let system = target_systems::System::read(text).expect("a shipped system");
        for (class, it) in &file.classes {
            let Some(mix) = &it.mix else { continue };
            let requests = target_systems::truth::requests(&system, mix);
            assert!(requests.is_ok(), "{name} {class}: {requests:?}");
            mixes += 1;
        }
    }
    assert!(mixes > 5, "{mixes}");
}
