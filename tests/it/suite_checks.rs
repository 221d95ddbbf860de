//! Checks of whole suites: real k6 on a suite's plan, and long runs compared with the system's own truth.
//!
//! The long checks take minutes; `SUITE_PROOFS=1` runs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::k6_diff::find_k6;
use crate::suite_ends::Running;
use crate::suite_runs::{Bench, assert_ends};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Two classes by users, one by rate. A cycle of users takes 0.31 s, so that the end of the load falls between two.
const LAB: &str = "
suite: own
system: lab
default: [closed]
all: [closed, open, crossed]
classes:
  One: { script: SCRIPT, exec: closed, wait_s: [0, 0] }
  Two: { script: SCRIPT, exec: closed, wait_s: [0, 0], weight: 2 }
  Open: { script: SCRIPT, exec: open, wait_s: [0, 0] }
tests:
  closed: { about: By users., model: closed, users: [One, Two], phases: [{ ramp: { to: 6 } }, { steady: { for: 8s } }], judge: &sound { thresholds: { http_req_failed: ['rate<0.01'] } } }
  open: { about: By rate., model: open, users: [Open], phases: [{ ramp: { to: 20 } }, { steady: { for: 8s } }], judge: *sound }
  crossed: { about: Never that fast., model: open, users: [Open], phases: [{ ramp: { to: 5 } }, { steady: { for: 3s } }], judge: { thresholds: { http_req_duration: ['max<0.001'] } } }
";

/// The result of a driver for a plan.
#[derive(Debug, PartialEq)]
struct Said {
    code: Option<i32>,
    /// Iterations by scenario.
    iterations: BTreeMap<String, u64>,
    /// Checks by name and value.
    checks: BTreeMap<String, u64>,
}

fn run(mut command: Command, plan: &str, url: &str) -> Said {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let samples = folder.path().join("samples.json");
    command
        .args(["run", "--quiet", "--out"])
        .arg(format!("json={}", samples.display()))
        .args([
            "-e",
            &format!("SPARRING_PLAN={plan}"),
            "-e",
            "SPARRING_TEST_ID=same",
        ])
        .args(["-e", "ENDPOINT=md1", "-e", "THINK_S=0.3"])
        .args(["-e", &format!("PERF_BASE_URL={url}")])
        .arg(repository("tests/k6/lab.js"))
        .env("K6_NO_USAGE_REPORT", "true")
        .env("K6_ADDRESS", "127.0.0.1:0");
    let ended = Ended::from(command.output().expect("it runs"));
    let text = std::fs::read_to_string(&samples)
        .unwrap_or_else(|error| panic!("{error}: {}", ended.stderr));
    let (mut iterations, mut checks) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        let point: Value = serde_json::from_str(line).expect("JSON");
        if point["type"] != "Point" {
            continue;
        }
        let tag = |name: &str| {
            point["data"]["tags"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let value = point["data"]["value"].as_f64().unwrap_or_default();
        match point["metric"].as_str() {
            Some("iterations") => *iterations.entry(tag("scenario")).or_default() += value as u64,
            Some("checks") => {
                *checks
                    .entry(format!("{}: {value}", tag("check")))
                    .or_default() += 1;
            }
            _ => {}
        }
    }
    Said {
        code: ended.code,
        iterations,
        checks,
    }
}

fn is_close(one: u64, other: u64) -> bool {
    one.abs_diff(other) as f64 <= (one.max(other) as f64 / 100.0).max(1.0)
}

/// The counts agree within 1 %, everything else exactly.
fn agree(one: &Said, other: &Said) -> bool {
    let close = |one: &BTreeMap<String, u64>, other: &BTreeMap<String, u64>| {
        let same_names = one.keys().eq(other.keys());
        same_names
            && one
                .values()
                .zip(other.values())
                .all(|(one, other)| is_close(*one, *other))
    };
    one.code == other.code
        && close(&one.iterations, &other.iterations)
        && close(&one.checks, &other.checks)
}

/// G-04: a plan's options are the same test on real k6: iterations by scenario, checks, exit code.
#[test]
fn real_k6_runs_the_plan_of_a_suite_as_our_driver_does() {
    let Some(k6) = find_k6() else { return };
    let bench = Bench::new();
    let script = repository("tests/k6/lab.js");
    bench.write(
        "own.yaml",
        &LAB.replace("SCRIPT", &script.display().to_string()),
    );
    let plans = bench.run(&["own.yaml", "all", "--k6-options"]);
    assert_eq!(plans.code, Some(0), "{}", plans.stderr);
    let plans: Vec<&str> = plans.stdout.lines().collect();
    let mut target = Running::start(sparring().args(["target", "lab", "--port", "0", "--quiet"]));
    let url = target.url();
    let fresh = |command: Command, plan: &str| {
        ureq::post(format!("{url}/__admin/reset"))
            .send_empty()
            .expect("it is reset");
        run(command, plan, &url)
    };
    for (plan, code, scenarios) in [(plans[0], 0, 2), (plans[1], 0, 1), (plans[2], 99, 1)] {
        let real = fresh(Command::new(&k6), plan);
        let mut ours = fresh(sparring(), plan);
        if !agree(&real, &ours) {
            // A busy machine affects time-dependent results.
            ours = fresh(sparring(), plan);
        }
        assert!(
            agree(&real, &ours),
            "{plan}\nk6:   {real:?}\nours: {ours:?}"
        );
        assert_eq!(
            (ours.code, ours.iterations.len()),
            (Some(code), scenarios),
            "{ours:?}"
        );
        assert_eq!(ours.checks.len(), 1, "{ours:?}");
    }
}

/// A shipped suite, for a folder of its own: without its locustfile, and with the full path of its script.
pub fn shipped(name: &str) -> String {
    let suite = repository(&format!("tests/suites/{name}.yaml"));
    let suite = std::fs::read_to_string(suite).expect("readable");
    let script = repository(&format!("tests/k6/{name}.js"))
        .display()
        .to_string();
    let lines = suite.lines().filter(|line| !line.starts_with("locust:"));
    let suite = lines.collect::<Vec<&str>>().join("\n");
    suite.replace(&format!("../k6/{name}.js"), &script)
}

/// Whether the long checks are requested.
pub fn is_asked_for() -> bool {
    let asked = std::env::var_os("SUITE_PROOFS").is_some();
    if !asked {
        eprintln!("skipped: it takes minutes; SUITE_PROOFS=1 runs it");
    }
    asked
}

/// The found and the true values of a column, by name.
pub fn truths(test: &Value) -> BTreeMap<String, Value> {
    let truth = test["truth"].as_array().cloned().unwrap_or_default();
    let named = truth
        .into_iter()
        .map(|row| (row["what"].as_str().unwrap_or_default().to_owned(), row));
    named.collect()
}

fn judgement(test: &Value, ending: &str) -> Value {
    let judgements = test["judgements"].as_array().cloned().unwrap_or_default();
    let found = judgements
        .iter()
        .find(|it| it["id"].as_str().is_some_and(|id| id.ends_with(ending)));
    found
        .unwrap_or_else(|| panic!("no {ending} in {judgements:?}"))
        .clone()
}

/// G-05: the ladder of ACSO finds the system's own truth, 750 stable users and 1 193 at saturation.
#[test]
fn the_ladder_of_acso_finds_its_stable_users_and_its_saturation() {
    if !is_asked_for() {
        return;
    }
    let bench = Bench::new();
    let ended = bench.run(&["acso", "scalability", "--time-scale", "0.2"]);
    let report = bench.report();
    let users = &report["tests"][0];
    let ladder = &users["analysis"]["ladder"];
    eprintln!("{ladder:#}\n{:#}", users["truth"]);
    let reasons = &users["reasons"];
    assert_ne!(
        users["outcome"], "untrusted",
        "it needs a quiet machine: {reasons}"
    );
    assert_eq!(
        ladder["max_stable_users"], 750.0,
        "{}{}",
        ended.stdout, ended.stderr
    );
    let saturation = ladder["saturation_point"].as_f64();
    let [lower, upper] = [0, 1].map(|end| ladder["saturation_interval"][end].as_f64());
    // The first step, with five users, measures some eleven operations at this scale, so the point is known only to an
    // interval. Both the point and the upper end are absent if they lie beyond the last step.
    let is_within = lower.is_some_and(|it| it <= 1193.0) && upper.is_none_or(|it| it >= 1193.0);
    let is_near = saturation.is_some_and(|it| (it / 1193.0 - 1.0).abs() <= 0.05);
    assert!(
        is_within || is_near,
        "{saturation:?} in {lower:?} to {upper:?}"
    );
    // A fitted peak beyond the measured range is an extrapolation, and is marked as one.
    let within = |what: &String| !what.ends_with(", extrapolated");
    for (what, row) in truths(users).iter().filter(|(what, _)| within(what)) {
        assert_ne!(row["agrees"], false, "{what}: {row}");
    }
    let crossing = &truths(users)["knee_users by asymptotic bounds"];
    let [found, known] = ["found", "true"].map(|it| crossing[it].as_f64().unwrap_or(f64::NAN));
    assert!((found / known - 1.0).abs() <= 0.05, "{crossing}");
    assert_eq!(
        judgement(users, ".row.max_stable_users")["standing"],
        "held"
    );
}

/// G-07: four hours of Agent360 in two minutes and a half: no false leak, and a leak with its slope and the remaining
/// time.
#[test]
fn the_soak_of_agent360_finds_the_leak_and_nothing_else() {
    if !is_asked_for() {
        return;
    }
    let suite = shipped("agent360");
    let without = |part: &str| {
        let kept = suite.lines().filter(|line| {
            !line.starts_with(&format!("      {part}: {{ before: {{ toggle: {{ leak:"))
        });
        kept.collect::<Vec<&str>>().join("\n")
    };
    let soak = |suite: String| {
        let bench = Bench::new();
        bench.write("own.yaml", &suite);
        let ended = bench.run(&["own.yaml", "soak", "--time-scale", "0.01"]);
        let report = bench.report();
        assert_eq!(
            report["tests"].as_array().map(Vec::len),
            Some(1),
            "{}",
            ended.stderr
        );
        report["tests"][0].clone()
    };
    let (sound, leaking) = std::thread::scope(|scope| {
        let sound = scope.spawn(|| soak(without("leaking")));
        let leaking = scope.spawn(|| soak(without("sound")));
        (
            sound.join().expect("no panic"),
            leaking.join().expect("no panic"),
        )
    });
    let leak = judgement(&sound, ".named.leak");
    eprintln!(
        "{:#}\n{:#}\n{:#}",
        sound["analysis"]["soak"], leaking["analysis"]["soak"], leaking["truth"]
    );
    assert_eq!(leak["standing"], "held", "{leak}");
    let said = leak["asked"].as_str().unwrap_or_default();
    assert!(said.contains("would have been detected"), "{said}");
    assert_eq!(judgement(&leaking, ".named.leak")["standing"], "held");
    let truths = truths(&leaking);
    for what in [
        "leak_bytes_per_s of agent360",
        "time_to_limit_s of agent360",
    ] {
        let row = truths
            .get(what)
            .unwrap_or_else(|| panic!("no {what} in {truths:?}"));
        let [found, known] = ["found", "true"].map(|field| row[field].as_f64().expect("a number"));
        assert!((found / known - 1.0).abs() <= 0.1, "{row}");
        assert_eq!(row["agrees"], true, "{row}");
    }
}

/// G-06: five exhausted resources of ACSO, each named.
#[test]
fn each_exhausted_resource_of_acso_is_named() {
    if !is_asked_for() {
        return;
    }
    let bench = Bench::new();
    let ended = bench.run(&["acso", "stress", "--time-scale", "0.02"]);
    let report = bench.report();
    let tests = report["tests"].as_array().expect("tests");
    let named = |test: &Value| {
        let found = &test["analysis"]["bottleneck"];
        eprintln!("{} {}: {found}", test["part"], test["outcome"]);
        let named = judgement(test, ".named.bottleneck");
        assert_eq!(named["standing"], "held", "{named} {}", ended.stderr);
        found["class"].as_str().unwrap_or_default().to_owned()
    };
    let named: Vec<String> = tests[1..].iter().map(named).collect();
    assert_eq!(named, ["CPU", "memory", "network", "I/O", "application"]);
}

/// G-08: the breakpoint of ACIS lies between 200 and 400 users.
#[test]
fn the_breakpoint_of_acis_lies_between_two_and_four_hundred_users() {
    if !is_asked_for() {
        return;
    }
    let bench = Bench::new();
    let ended = bench.run(&["acis", "breakpoint", "--time-scale", "0.05"]);
    let report = bench.report();
    let capacity = &report["tests"][0]["analysis"]["capacity"];
    eprintln!("{capacity:#}");
    assert_eq!(
        capacity["passed"], 200.0,
        "{}{}",
        ended.stdout, ended.stderr
    );
    assert_eq!(capacity["failed"], 400.0, "{}", ended.stdout);
}

/// Every endpoint is called equally often, so that each has enough responses.
const DOCUMENTED: &str = "
suite: own
system: acis
views: [acis]
default: [all]
all: [documented]
classes:
  User: { script: SCRIPT, exec: api_user, wait_s: [0, 0], tasks: { clients: 1, predict: 1, trade: 1 } }
tests:
  documented:
    about: The answers of the document's example report.
    model: closed
    users: [User]
    before: { toggle: { as_documented: true } }
    phases: [{ ramp: { to: 200 } }, { steady: { for: 12s } }]
    judge: { thresholds: { http_reqs: ['count>0'] } }
";

/// G-10: the written analysis of the example report equals the document's.
#[test]
fn the_analysis_of_documented_answers_reads_as_the_document_does() {
    let bench = Bench::new();
    let script = repository("tests/k6/acis.js").display().to_string();
    bench.write("own.yaml", &DOCUMENTED.replace("SCRIPT", &script));
    let ended = bench.run(&["own.yaml", "documented"]);
    let report = bench.report();
    assert_ends(&ended, &report["tests"][0], 0);
    let files = std::fs::read_dir(bench.run_folder()).expect("readable");
    let mut paths = files.map(|entry| entry.expect("readable").path());
    let text = paths.find(|path| path.to_string_lossy().ends_with("acis.txt"));
    let text = std::fs::read_to_string(text.expect("the view")).expect("readable");
    for said in [
        "GET /api/clients is fast",
        "GET /api/clients is stable",
        "GET /api/ml/predict is acceptable",
        "GET /api/ml/predict is mostly stable",
        "POST /api/trading/execute needs optimization",
        "POST /api/trading/execute has issues",
    ] {
        assert!(text.contains(said), "no {said:?} in {text}");
    }
}
