//! `sparring test SUITE TEST`: short runs of the real binary against simulated systems.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::{Ended, sparring};

/// A suite on the laboratory system, small enough for a test.
const LAB: &str = "
suite: lab
system: lab
views: [html, csv, junit]
default: [smoke]
all: [smoke, ladder]
classes:
  Lab: { script: lab.js, exec: closed, wait_s: [0, 0] }
  Open: { script: lab.js, exec: open, wait_s: [0, 0] }
grades:
  avg_ms: { target: 100, acceptable: 200, poor: 300 }
  error_rate: { target: 0.01, acceptable: 0.05, poor: 0.1 }
tests:
  smoke:
    about: Two users.
    model: closed
    users: [Lab]
    phases: [{ ramp: { to: 2 } }, { steady: { for: 2s } }]
    judge: { checks: 1.0 }
  beside:
    about: Beside the run before.
    model: closed
    users: [Lab]
    samples: { iterations: 20, users: 1 }
    judge: { checks: 1.0, relative: { avg_ms: '<=+100000%' } }
  against:
    about: Beside the baseline.
    model: closed
    users: [Lab]
    samples: { iterations: 20, users: 1 }
    judge: { checks: 1.0, relative: { avg_ms: '<=+100000%' }, against: baseline }
  ladder:
    about: Ends by its rule.
    model: closed
    users: [Lab]
    ladder: { levels: [1, 2, 3, 4, 5], at_per_s: 100, each: 1s, until: ['success_rate<=1'], back_to: 1 }
    judge: { names: [capacity] }
  search:
    about: Nothing fails up to the end.
    model: closed
    users: [Lab]
    search: { of: users, from: 1, until: 2, precision: 0.5, each: 1s, rest: 1s }
    judge: { thresholds: { http_req_failed: ['rate<0.5'] } }
  parts:
    about: Cells and parts.
    model: closed
    users: [Lab]
    phases: [{ steady: { for: 1s } }]
    parts:
      one: { samples: { iterations: 5, users: 1, warm_up: 2 }, judge: { checks: 1.0 } }
";

const SCRIPT: &str = "
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
const url = `${__ENV.PERF_BASE_URL}/mm1`;
export function open() {
  check(http.get(url, { tags: { name: 'GET /mm1' } }), { answered: (r) => r.status === 200 });
}
export function closed() { open(); sleep(0.05); }
";

pub struct Bench {
    pub folder: tempfile::TempDir,
}

impl Bench {
    /// Writes a file beside the suite.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("writable");
    }

    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("lab.yaml"), LAB).expect("writable");
        std::fs::write(folder.path().join("lab.js"), SCRIPT).expect("writable");
        Self { folder }
    }

    pub fn results(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    pub fn test(&self, arguments: &[&str]) -> Command {
        let mut command = sparring();
        command
            .arg("test")
            .args(arguments)
            .arg("--results")
            .arg(self.results());
        command.current_dir(self.folder.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(
            self.test(arguments)
                .output()
                .expect("the binary was built for this test"),
        )
    }

    /// The only run's folder.
    pub fn run_folder(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.results()).expect("the folder was made");
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.is_dir())
            .collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.remove(0)
    }

    pub fn report(&self) -> Value {
        json(&self.run_folder().join("report.json"))
    }
}

pub fn json(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

pub fn ledger_entry(test: &Value, what: &str) -> String {
    let ledger = test["ledger"].as_array().expect("a ledger");
    let entry = ledger.iter().find(|entry| entry["what"] == what);
    let entry = entry.unwrap_or_else(|| panic!("no {what} in {ledger:?}"));
    entry["text"].as_str().expect("a text").to_owned()
}

/// The entries of a ledger that are caused by the machine.
const OF_MACHINE: [&str; 4] = ["generator_cpu", "lateness", "steal", "simulator"];

fn invalid_entries(test: &Value) -> Vec<&Value> {
    let ledger = test["ledger"].as_array().expect("a ledger").iter();
    ledger
        .filter(|entry| entry["conclusion"] == "invalid")
        .collect()
}

fn is_by_machine(entry: &Value) -> bool {
    OF_MACHINE.iter().any(|what| entry["what"] == *what)
}

/// Checks that a test ends with the code, or is untrusted if the ledger shows that the machine starved the generator.
pub fn assert_ends(ended: &Ended, test: &Value, code: i32) {
    let reasons = invalid_entries(test);
    let expected = match reasons.iter().find(|entry| is_by_machine(entry)) {
        Some(_) => 5,
        None => code,
    };
    let said = format!("{reasons:?} {}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(expected), "{said}");
}

/// Checks that the run has passed. On a busy machine it may be untrusted instead, if only the machine is the reason;
/// every judgement still holds.
pub fn passed(ended: &Ended, report: &Value) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(report["complete"], true, "{said}");
    let tests = report["tests"].as_array().expect("tests");
    let reasons: Vec<&Value> = tests.iter().flat_map(invalid_entries).collect();
    for test in tests {
        let judgements = test["judgements"].as_array().expect("judgements");
        let standing = |judgement: &Value| {
            let standing = judgement["standing"].as_str();
            standing.map(str::to_owned).expect("a standing")
        };
        let standings: Vec<String> = judgements.iter().map(standing).collect();
        assert!(standings.iter().any(|it| it == "held"), "{judgements:?}");
        let holds = |it: &String| it == "held" || it == "reported";
        assert!(standings.iter().all(holds), "{judgements:?} {said}");
    }
    assert!(reasons.iter().all(|it| is_by_machine(it)), "{reasons:?}");
    let (code, word) = match reasons.as_slice() {
        [] => (0, "PASSED"),
        _ => (5, "NOT TO BE TRUSTED"),
    };
    assert_eq!(ended.code, Some(code), "{reasons:?} {said}");
    let verdict = format!("verdict: {word}");
    assert!(ended.stdout.contains(&verdict), "{said}");
}

/// ACSO-04, DET-29: runner, monitor and collected metrics; `--report-only` prints the newest results.
#[test]
fn a_run_leaves_everything_that_is_needed_to_judge_again() {
    let bench = Bench::new();
    let ended = bench.run(&["acis", "smoke", "--time-scale", "0.05"]);
    let folder = bench.run_folder();
    let report = bench.report();
    passed(&ended, &report);
    assert_eq!(report["suite"], "acis");
    assert_eq!(report["complete"], true);
    assert_eq!(report["target"]["simulated"], true);
    let test = &report["tests"][0];
    assert!(
        test["figures"]["requests"].as_u64() > Some(0),
        "{}",
        test["figures"]
    );
    assert_eq!(test["phases"][1]["kind"], "steady");
    let phases = test["phases"].as_array().expect("phases");
    let in_phases: u64 = phases
        .iter()
        .filter_map(|phase| phase["figures"]["requests"].as_u64())
        .sum();
    assert!(test["figures"]["requests"].as_u64() >= Some(in_phases));
    let seconds = test["seconds"].as_array().expect("seconds");
    let in_seconds: u64 = seconds
        .iter()
        .filter_map(|second| second["requests"].as_u64())
        .sum();
    assert_eq!(test["figures"]["requests"].as_u64(), Some(in_seconds));
    let resources = test["observed"]["target"].as_array().expect("resources");
    assert!(
        resources.iter().any(|sample| sample["host"] == "api"),
        "{resources:?}"
    );
    assert_eq!(test["observed"]["target_source"], "simulated");
    assert!(
        !test["observed"]["generator"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
    assert!(test["analysis"]["truth"].is_object());
    // A360-22, N-06: sent, received and journalled agree by id, and the rest is named.
    let said = ledger_entry(test, "reconciliation");
    let found = &test["analysis"]["reconciliation"];
    assert!(found["matched"].as_u64() > Some(0), "{said}");
    assert!(!said.contains("Unexplained"), "{said}");
    let left = ledger_entry(test, "clean_up");
    assert!(left.contains("0 requests in flight"), "{left}");
    let plan = json(&folder.join("plan.json"));
    assert_eq!(plan["tests"][0]["name"], "smoke");
    let names: Vec<String> = std::fs::read_dir(&folder)
        .expect("readable")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    for expected in ["samples.csv", "report.html", "junit.xml"] {
        assert!(
            names.iter().any(|name| name == expected),
            "no {expected} in {names:?}"
        );
    }
    assert!(
        names.iter().any(|name| name.ends_with(".hlog")),
        "{names:?}"
    );
    // The newest result is printed again without running anything: the document that the run wrote.
    let again = bench.run(&["acis", "--report-only"]);
    assert_eq!(again.code, ended.code);
    let written = std::fs::read_to_string(folder.join("acis.txt")).expect("written");
    assert_eq!(again.stdout, written);
    for said in ["verdict: ", "report.json"] {
        assert!(again.stderr.contains(said), "{}", again.stderr);
    }
}

#[test]
fn relative_bounds_are_judged_beside_the_run_before() {
    let bench = Bench::new();
    let ended = bench.run(&["lab.yaml", "beside"]);
    let first = bench.run_folder();
    passed(&ended, &bench.report());
    let standing = |folder: &Path| {
        let report = json(&folder.join("report.json"));
        let judgements = report["tests"][0]["judgements"].as_array().cloned();
        let judgements = judgements.expect("judgements");
        let relative = judgements.iter().find(|one| one["kind"] == "relative");
        relative.expect("a relative bound")["standing"].clone()
    };
    assert_eq!(standing(&first), "reported", "there is no run before");
    let ended = bench.run(&["lab.yaml", "beside"]);
    let entries = std::fs::read_dir(bench.results()).expect("the folder was made");
    let mut folders = entries.map(|entry| entry.expect("readable").path());
    let second = folders.find(|folder| *folder != first).expect("two runs");
    passed(&ended, &json(&second.join("report.json")));
    assert_eq!(standing(&second), "held");
}

#[test]
fn relative_bounds_can_be_judged_against_the_baseline_in_force() {
    let bench = Bench::new();
    let relative = |run: &Path| {
        let report = json(&run.join("report.json"));
        let judgements = report["tests"][0]["judgements"].as_array().cloned();
        let mut relative = judgements.expect("judgements").into_iter();
        let relative = relative.find(|one| one["kind"] == "relative");
        relative.expect("a relative bound")
    };
    let runs = || {
        let entries = std::fs::read_dir(bench.results()).expect("the folder was made");
        let paths = entries.map(|entry| entry.expect("readable").path());
        let runs = paths.filter(|path| path.join("report.json").is_file());
        runs.collect::<Vec<PathBuf>>()
    };
    let ended = bench.run(&["lab.yaml", "against"]);
    passed(&ended, &bench.report());
    let first = bench.run_folder();
    assert_eq!(relative(&first)["standing"], "reported");
    let asked = relative(&first)["asked"].to_string();
    assert!(asked.contains("there is no baseline"), "{asked}");
    let saved = sparring()
        .args(["baseline", "save"])
        .arg(&first)
        .arg("--results")
        .arg(bench.results())
        .output();
    let saved = Ended::from(saved.expect("the binary was built for this test"));
    if saved.code != Some(0) {
        // A run that the machine has made untrusted cannot become a baseline.
        assert!(
            saved.stderr.contains("cannot become a baseline"),
            "{}",
            saved.stderr
        );
        return;
    }
    bench.run(&["lab.yaml", "against"]);
    let second = runs().into_iter().find(|run| *run != first);
    let judged = relative(&second.expect("a second run"));
    assert_eq!(judged["standing"], "held", "{judged}");
    let rule = judged["rule"].to_string();
    assert!(rule.contains("the current baseline"), "{rule}");
}

/// G-03: a preset at a small time scale takes the scaled time, and reports the scale.
#[test]
fn a_time_scale_shortens_a_preset_and_is_in_the_report() {
    let bench = Bench::new();
    let ended = bench.run(&["acis", "load", "--time-scale", "0.02"]);
    let report = bench.report();
    assert_ends(&ended, &report["tests"][0], 0);
    assert_eq!(report["time_scale"], 0.02);
    let phases = report["tests"][0]["phases"].as_array().expect("phases");
    let end = phases.last().and_then(|phase| phase["end_s"].as_f64());
    let end = end.expect("an end");
    assert!((end - 12.0).abs() <= 0.6, "it ended after {end} s");
}

#[test]
fn a_suite_of_ones_own_runs_on_a_simulated_system() {
    let bench = Bench::new();
    let ended = bench.run(&["lab.yaml", "smoke", "parts", "--time-scale", "0.02"]);
    let report = bench.report();
    passed(&ended, &report);
    assert_eq!(report["tests"][0]["name"], "smoke");
    assert_eq!(report["tests"][1]["part"], "one");
    assert_eq!(
        report["tests"][1]["figures"]["requests"], 5,
        "warm-ups are not counted"
    );
    let said = ledger_entry(&report["tests"][1], "reconciliation");
    assert!(said.contains("7 requests were sent (7 answered"), "{said}");
}

/// ACSO-13.
#[test]
fn a_profile_of_a_run_shows_where_its_time_went() {
    let bench = Bench::new();
    let path = bench.folder.path().join("run.folded");
    let file = path.display().to_string();
    let ended = bench.run(&["lab.yaml", "smoke", "--profile", &file]);
    passed(&ended, &bench.report());
    let text = std::fs::read_to_string(&path).expect("written");
    let line = text.lines().next().unwrap_or_else(|| panic!("no samples"));
    let (stack, count) = line.rsplit_once(' ').expect("a count");
    assert!(
        stack.contains(';') && count.parse::<u64>().is_ok(),
        "{line}"
    );
    // The start of every Rust thread, which shows that stacks are walked to their end.
    assert!(text.contains("__rust_begin_short_backtrace"), "{text}");
    let ended = bench.run(&["lab.yaml", "smoke", "--profile", "/dev/null/x"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("--profile /dev/null/x"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_ladder_ends_when_its_rule_has_held_in_two_steps() {
    let bench = Bench::new();
    let ended = bench.run(&["lab.yaml", "ladder"]);
    assert!(
        ended.stdout.contains("the ladder ends at 2"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    let report = bench.report();
    let phases = report["tests"][0]["phases"].as_array().expect("phases");
    let names: Vec<&str> = phases
        .iter()
        .filter_map(|phase| phase["name"].as_str())
        .collect();
    assert!(names.contains(&"1") && names.contains(&"2"), "{names:?}");
    assert!(!names.contains(&"5"), "{names:?}");
    assert_eq!(names.last(), Some(&"back to 1"));
    assert_only_executed_time(&report["tests"][0]);
    let ledger = report["tests"][0]["ledger"].to_string();
    assert!(!ledger.contains("ended early"), "{ledger}");
}

/// The figures of a whole test are over its phases, and each event that a phase begins is of a phase with a length.
fn assert_only_executed_time(test: &Value) {
    let number = |value: &Value| value.as_f64().expect("a number");
    let phases = test["phases"].as_array().expect("phases");
    let length = |phase: &Value| number(&phase["end_s"]) - number(&phase["begin_s"]);
    let in_phases: f64 = phases.iter().map(length).sum();
    let executed = number(&test["figures"]["seconds"]);
    // Requests in flight at the ends of phases take a moment longer, which is known to the second between two runs.
    let runs = 1.0
        + phases
            .windows(2)
            .filter(|pair| pair[0]["end_s"] != pair[1]["begin_s"])
            .count() as f64;
    assert!(
        in_phases - 1e-6 <= executed && executed <= in_phases + runs,
        "{executed} s of {in_phases} s in {phases:#?}"
    );
    let requests = number(&test["figures"]["requests"]);
    let rate = number(&test["figures"]["requests_per_s"]);
    assert!((rate - requests / executed).abs() < 1e-6, "{rate}");
    assert!(
        phases.iter().all(|phase| length(phase) > 0.0),
        "{phases:#?}"
    );
    let began = |event: &&Value| {
        event["text"]
            .as_str()
            .is_some_and(|it| it.ends_with(" begins"))
    };
    let events = test["observed"]["events"].as_array().expect("events");
    for event in events.iter().filter(began) {
        let mut of = phases.iter().filter(|phase| {
            let name = format!("{} begins", phase["name"].as_str().unwrap_or_default());
            event["text"] == name
                && (number(&phase["begin_s"]) - number(&event["at_s"])).abs() < 1e-3
        });
        assert!(of.next().is_some(), "{event} {phases:#?}");
    }
}

#[test]
fn a_search_says_what_it_tried_and_found() {
    let bench = Bench::new();
    let ended = bench.run(&["lab.yaml", "search"]);
    let report = bench.report();
    let search = &report["tests"][0]["analysis"]["search"];
    assert_eq!(search["passed"], 2.0, "{search} {}", ended.stdout);
    assert_eq!(search["end"], "nothing_fails");
    assert_only_executed_time(&report["tests"][0]);
    let steps = search["steps"].as_array().expect("steps");
    assert_eq!(steps[0]["level"], 1.0);
    assert_eq!(
        steps.last().map(|step| &step["confirmation"]),
        Some(&Value::Bool(true))
    );
}

#[test]
fn a_service_that_is_not_there_and_names_that_nothing_has_are_said_at_once() {
    let bench = Bench::new();
    let ended = bench.run(&["acis", "smoke", "--base-url", "http://127.0.0.1:9"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("no service answers at http://127.0.0.1:9"),
        "{}",
        ended.stderr
    );
    for (words, said) in [
        (vec!["acis", "brekpoint"], "did you mean `breakpoint`?"),
        (vec!["acsi"], "did you mean `acis`?"),
        (vec!["--system", "agent30"], "did you mean `agent360`?"),
        (vec!["acis", "load", "--time-scale", "2"], "from 0.001 to 1"),
        (vec!["acis", "ACISAPIUsr"], "did you mean `ACISAPIUser`?"),
    ] {
        let ended = bench.run(&words);
        assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{words:?}");
    }
    assert!(!bench.results().exists(), "nothing was run");
}
