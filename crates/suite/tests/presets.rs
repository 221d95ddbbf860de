//! G-02: the plans of the built-in suites match the documents: users, spawn rates, durations, weights. The
//! other ids are those of the documents' checklists.

use std::time::Duration;

use report::record::{LoadModel, TestContent};
use serde_json::Value;
use suite::builtin::{BUILT_IN, built_in};
use suite::file::SuiteFile;
use suite::plan::{Kind, LoadOverride, Plan, PlannedTest, Selection, plan};

fn file(name: &str) -> SuiteFile {
    built_in(name)
        .expect("a built-in suite")
        .unwrap_or_else(|error| panic!("{error}"))
}

fn planned(suite: &str, selection: &Selection) -> Plan {
    plan(&file(suite), selection, &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

fn test(suite: &str, name: &str) -> Vec<PlannedTest> {
    let selection = Selection {
        tests: vec![name.to_owned()],
        ..Selection::default()
    };
    planned(suite, &selection).tests
}

fn only(suite: &str, name: &str) -> PlannedTest {
    let mut tests = test(suite, name);
    assert_eq!(tests.len(), 1, "{suite} {name}");
    tests.remove(0)
}

/// Kind, end in seconds and level of each phase.
fn course(test: &PlannedTest) -> Vec<(&'static str, f64, f64)> {
    test.phases
        .iter()
        .map(|phase| (phase.kind.name(), phase.end_s, phase.level()))
        .collect()
}

#[test]
fn every_built_in_suite_is_sound_and_every_test_has_a_plan() {
    for (name, _) in BUILT_IN {
        let selection = Selection {
            tests: vec!["all-tests".to_owned()],
            ..Selection::default()
        };
        let plan = planned(name, &selection);
        for test in &plan.tests {
            assert!(test.longest_s > 0.0, "{name} {}", test.label());
            let driven = [
                TestContent::Phases,
                TestContent::Ladder,
                TestContent::Samples,
            ]
            .contains(&test.content);
            assert_eq!(
                driven,
                test.options["scenarios"].is_object(),
                "{name} {}",
                test.label()
            );
            let overlaps = test
                .phases
                .windows(2)
                .any(|pair| pair[0].end_s > pair[1].begin_s);
            assert!(!overlaps, "{name} {}", test.label());
        }
    }
}

/// DET-30, S-18: `all` of the orchestrator has five tests, that of ACSO three.
#[test]
fn all_is_what_each_document_counts() {
    let check = |suite: &str, expected: &[&str]| assert_eq!(file(suite).all, expected);
    check(
        "orchestrator",
        &["smoke", "load", "stress", "fault-tolerance", "scalability"],
    );
    check("acso", &["load", "scalability", "stress"]);
    assert_eq!(file("acso").default, ["all"]);
}

/// ACIS-02, ACIS-03, ACIS-04, ACIS-25, S-03: the run time of Locust includes the ramp.
#[test]
fn a_run_time_includes_its_ramp() {
    let check = |name, users: f64, ramp_s: f64, total_s: f64| {
        let test = only("acis", name);
        assert_eq!(
            course(&test),
            [("ramp", ramp_s, users), ("steady", total_s, users)],
            "{name}"
        );
    };
    check("load", 100.0, 10.0, 600.0);
    check("stress", 500.0, 10.0, 600.0);
    check("background", 10.0, 5.0, 1800.0);
    check("soak", 100.0, 10.0, 86_400.0);
    check("ci", 50.0, 10.0, 300.0);
}

/// ACIS-24: 50 users, 500 for two minutes, 50 again; the middle is not judged.
#[test]
fn a_spike_is_judged_before_and_after() {
    let test = only("acis", "spike");
    let ends: Vec<f64> = test.phases.iter().map(|phase| phase.end_s).collect();
    assert_eq!(ends, [10.0, 300.0, 304.5, 419.5, 424.0, 719.0]);
    let judged: Vec<&str> = test
        .phases
        .iter()
        .filter(|phase| phase.judged)
        .map(|phase| phase.name.as_str())
        .collect();
    assert_eq!(judged, ["before", "recovered"]);
    assert_eq!(test.phases[3].level(), 500.0);
}

/// ACIS-26: six steps of five minutes with a minute of rest between.
#[test]
fn a_breakpoint_ladder_rests_between_its_steps() {
    let test = only("acis", "breakpoint");
    let end = test.phases.last().expect("phases").end_s;
    assert_eq!(end, 6.0 * 300.0 + 5.0 * 60.0);
    let steady: Vec<f64> = test
        .phases
        .iter()
        .filter(|phase| phase.kind == Kind::Steady)
        .map(suite::plan::PlannedPhase::level)
        .collect();
    assert_eq!(steady, [100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0]);
    // A rest removes the users at once, and the next ramp begins without any.
    let stages = test.options["scenarios"]["ACISAPIUser"]["stages"]
        .as_array()
        .expect("stages");
    assert_eq!(
        stages[2],
        serde_json::json!({ "duration": "0s", "target": 0 })
    );
    assert_eq!(
        stages[3],
        serde_json::json!({ "duration": "60s", "target": 0 })
    );
    assert_eq!(
        stages[4],
        serde_json::json!({ "duration": "4s", "target": 200 })
    );
}

/// A360-10, A360-11: three loads of 300 s up, 3600 s steady, 300 s down.
#[test]
fn agent360_has_three_loads_of_seventy_minutes() {
    let tests = test("agent360", "load");
    let users: Vec<f64> = tests.iter().map(|test| test.phases[1].level()).collect();
    assert_eq!(users, [50.0, 200.0, 500.0]);
    for test in &tests {
        let ends: Vec<f64> = test.phases.iter().map(|phase| phase.end_s).collect();
        assert_eq!(ends, [300.0, 3900.0, 4200.0]);
    }
}

/// ACSO-22: the ladder of users; ACSO-38: instances paired with their users.
#[test]
fn acso_scales_users_and_instances() {
    let tests = test("acso", "scalability");
    assert_eq!(tests[0].phases.last().expect("phases").end_s, 11.0 * 60.0);
    let cells: Vec<(Value, Value)> = tests[1..]
        .iter()
        .map(|test| {
            (
                test.cell["agents.instances"].clone(),
                test.cell["level"].clone(),
            )
        })
        .collect();
    let cell = |instances: u32, users: f64| (Value::from(instances), Value::from(users));
    assert_eq!(cells, [cell(1, 700.0), cell(2, 1400.0), cell(4, 2800.0)]);
    assert_eq!(tests[1].before.set["agents"]["instances"], 1);
}

/// DET-11: batch sizes against concurrency, twenty seconds a cell.
#[test]
fn the_orchestrator_has_a_grid_of_batch_size_and_concurrency() {
    let tests = test("orchestrator", "scalability");
    assert_eq!(tests.len(), 25);
    assert_eq!(tests[7].env["ORCHESTRATION_PERF_BATCH_SIZE"], "5");
    assert_eq!(tests[7].cell["level"], 10.0);
    assert_eq!(tests[7].phases.last().expect("phases").end_s, 20.0);
}

/// ACSO-21, AIA-25..29, ACIS-05, A360-09: the weights of the tasks.
#[test]
fn tasks_have_the_weights_of_the_documents() {
    let check = |suite: &str, class: &str, expected: &[(&str, u32)]| {
        let tasks: Vec<(String, u32)> = file(suite).classes[class]
            .tasks
            .clone()
            .into_iter()
            .collect();
        let expected: Vec<(String, u32)> = expected
            .iter()
            .map(|(name, weight)| ((*name).to_owned(), *weight))
            .collect();
        assert_eq!(tasks, expected, "{suite} {class}");
    };
    check(
        "acso",
        "ACSOUser",
        &[("threats", 40), ("services", 35), ("finance", 25)],
    );
    let users = [
        ("chat", 5),
        ("agents", 3),
        ("history", 2),
        ("workflows", 1),
        ("analytics", 1),
    ];
    check("aiaas", "AIaaSUser", &users);
    check(
        "acis",
        "ACISAPIUser",
        &[("clients", 50), ("predict", 40), ("trade", 10)],
    );
    check("agent360", "StressTest", &[("execute", 3), ("process", 1)]);
}

/// Two classes share the users; an open load is an arrival rate.
#[test]
fn options_have_one_scenario_for_each_class() {
    let tests = test("aiaas", "load");
    let scenarios = &tests[1].options["scenarios"];
    for class in ["AIaaSUser", "HighLoadUser"] {
        assert_eq!(scenarios[class]["executor"], "ramping-vus");
        assert_eq!(scenarios[class]["stages"][0]["target"], 500);
        assert_eq!(scenarios[class]["stages"][0]["duration"], "20s");
        assert_eq!(scenarios[class]["tags"]["class"], class);
    }
    let open = only("orchestrator", "benchmark");
    let scenario = &open.options["scenarios"]["Orchestration"];
    assert_eq!(scenario["executor"], "ramping-arrival-rate");
    assert_eq!(
        scenario["stages"][0],
        serde_json::json!({ "duration": "0s", "target": 100 })
    );
    assert_eq!(
        scenario["stages"][1],
        serde_json::json!({ "duration": "120s", "target": 100 })
    );
    assert_eq!(open.model, LoadModel::Open);
}

/// Flags of Locust: `-u 20 -r 4 -t 1m ACISStressTestUser`.
#[test]
fn users_spawn_rate_and_run_time_replace_the_phases() {
    let selection = Selection {
        tests: vec!["load".to_owned()],
        classes: vec!["ACISStressTestUser".to_owned()],
        load: LoadOverride {
            users: Some(20.0),
            spawn_rate: Some(4.0),
            run_time: Some(Duration::from_secs(60)),
        },
        ..Selection::default()
    };
    let plan = planned("acis", &selection);
    assert_eq!(
        course(&plan.tests[0]),
        [("ramp", 5.0, 20.0), ("steady", 60.0, 20.0)]
    );
    assert_eq!(plan.tests[0].classes[0].exec, "stress_user");
}

/// G-03: 600 s at 0.02 take 12 s, although the ramp of 0.2 s becomes one second.
#[test]
fn a_scaled_test_lasts_its_scaled_time() {
    let selection = Selection {
        tests: vec!["load".to_owned()],
        time_scale: 0.02,
        ..Selection::default()
    };
    let plan = planned("acis", &selection);
    let end = plan.tests[0].phases.last().expect("phases").end_s;
    assert!((end - 12.0).abs() <= 0.6, "{end}");
    assert_eq!(plan.tests[0].before.ageing, Some(50.0));
}

/// A level is held for at least one iteration of its users, at whatever scale: less time would show only a part of
/// an iteration. Nothing lasts longer than without a scale.
#[test]
fn no_level_is_held_for_less_than_an_iteration() {
    for (name, _) in BUILT_IN {
        for time_scale in [0.001, 0.02, 0.3] {
            let of = |time_scale| {
                let selection = Selection {
                    tests: vec!["all-tests".to_owned()],
                    time_scale,
                    ..Selection::default()
                };
                planned(name, &selection).tests
            };
            for (short, whole) in of(time_scale).iter().zip(of(1.0)) {
                let waits = short.classes.iter().map(|class| class.wait_s[1]);
                let iteration_s = match short.model {
                    LoadModel::Closed => 1.0 + waits.fold(0.0, f64::max),
                    _ => 1.0,
                };
                let steady = |test: &PlannedTest| -> Vec<f64> {
                    let phases = test.phases.iter();
                    let held = phases.filter(|phase| phase.kind == Kind::Steady);
                    held.map(|phase| phase.end_s - phase.begin_s).collect()
                };
                for (short_s, whole_s) in steady(short).iter().zip(steady(&whole)) {
                    let least = iteration_s.min(whole_s);
                    let is_long_enough = *short_s + 1e-6 >= least;
                    assert!(is_long_enough, "{}: {short_s} s", short.label());
                    let has_faults = !short.faults.is_empty();
                    let is_shorter = *short_s <= whole_s + 1e-6 || has_faults;
                    assert!(is_shorter, "{}: {short_s} s", short.label());
                }
            }
        }
    }
}

/// Extending a ramp to a second shortens the next phase, once: without a scale nothing changes.
#[test]
fn a_ramp_of_a_second_takes_nothing_from_the_phase_behind_it() {
    assert_eq!(
        course(&only("acis", "smoke")),
        [("ramp", 1.0, 5.0), ("steady", 60.0, 5.0)]
    );
}

/// DET-32, DET-07: variables that replace users and durations.
#[test]
fn variables_replace_users_and_durations() {
    let variable = |name: &str| match name {
        "K6_SMOKE_VUS" => Some("3".to_owned()),
        "K6_SMOKE_DURATION" => Some("20s".to_owned()),
        _ => None,
    };
    let plan = plan(&file("orchestrator"), &Selection::default(), &variable).expect("a plan");
    let last = plan.tests[0].phases.last().expect("phases");
    assert_eq!((last.end_s, last.level()), (20.0, 3.0));
    let wrong = |_: &str| Some("many".to_owned());
    let error = suite::plan::plan(&file("orchestrator"), &Selection::default(), &wrong);
    assert!(
        error
            .expect_err("not a number")
            .to_string()
            .contains("K6_SMOKE_VUS")
    );
}

#[test]
fn unknown_names_come_with_the_nearest_one() {
    let selection = Selection {
        tests: vec!["laod".to_owned()],
        ..Selection::default()
    };
    let error = plan(&file("acis"), &selection, &|_| None).expect_err("no such test");
    assert!(
        error.to_string().contains("did you mean `load`?"),
        "{error}"
    );
    let selection = Selection {
        tests: vec!["load".to_owned()],
        classes: vec!["ACISApiUser".to_owned()],
        ..Selection::default()
    };
    let error = plan(&file("acis"), &selection, &|_| None).expect_err("no such class");
    assert!(
        error.to_string().contains("did you mean `ACISAPIUser`?"),
        "{error}"
    );
}

#[test]
fn all_errors_of_a_file_are_reported_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("suite.yaml");
    let text = "
suite: x
default: [smoke]
all: [smoke, laod]
classes:
  A: { script: a.js, exec: a, wait_s: [2, 1] }
  B: { script: b.js, exec: b, wait_s: [1, 2], wait: 3 }
tests:
  smoke: { about: one, users: [C], phases: [{ steady: { for: 10 } }] }
  load: { about: two, users: [A, B], phases: [{ ramp: { to: 1.5, at_per_s: 1, for: 1s } }], samples: { iterations: 1 } }
  none: { about: three, users: [A] }
";
    std::fs::write(&path, text).expect("writable");
    let error = suite::builtin::read(&path).expect_err("errors").to_string();
    for expected in [
        "classes.B.wait: unknown field",
        "tests.smoke.phases[0].steady.for: ",
        "all[1]: unknown test `laod`; did you mean `load`?",
        "classes.A.wait_s: ",
        "tests.smoke.users[0]: unknown user class `C`",
        "tests.load.users: the classes of a test come from one script",
        "tests.load: has phases and samples",
        "tests.load.phases[0].ramp: has a speed and a time",
        "tests.load.phases[0].ramp.to: a whole number of users",
        "tests.none: has no content",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
}

fn errors_of(folder: &std::path::Path, text: &str) -> String {
    let path = folder.join("suite.yaml");
    std::fs::write(&path, text).expect("writable");
    suite::builtin::read(&path).expect_err("errors").to_string()
}

#[test]
fn unjudgeable_requirements_and_missing_scripts_are_errors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("a.js"), "export function other() {}").expect("writable");
    let error = errors_of(
        folder.path(),
        "
suite: x
default: [load]
all: [load]
classes:
  A: { script: a.js, exec: user, wait_s: [1, 2] }
  B: { script: b.js, exec: user, wait_s: [1, 2] }
tests:
  load:
    about: one
    users: [A]
    phases: [{ ramp: { to: 1 } }, { steady: { for: 1s } }]
    judge:
      checks: 1.5
      thresholds: { http_req_duration: ['p(95)<2000', 'p95<2000', 'p(95)=>2'] }
      rows: { rate_per_s: '>=1', speed: '>=1', cpu_ratio: 'low' }
      relative: { p95_ms: '<=10%' }
  ladder:
    about: two
    users: [A]
    ladder: { levels: [1], at_per_s: 1, each: 1s, until: [poor, terrible] }
  drill: { about: three, drills: [none.yaml] }
",
    );
    for expected in [
        "classes.A.exec: a.js exports no function `user`",
        "classes.B.script: b.js cannot be read",
        "tests.load.judge.checks: 1.5 is not a share",
        "thresholds.http_req_duration[1]: `p95<2000` is not a threshold",
        "thresholds.http_req_duration[2]: ",
        "tests.load.judge.rows.speed: unknown figure",
        "tests.load.judge.rows.cpu_ratio: `low` is not a bound",
        "tests.load.judge.relative.p95_ms: `<=10%` is not a relative bound",
        "tests.ladder.ladder.until[1]: `terrible` is not a condition",
        "tests.drill.drills[0]: no file none.yaml",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
    assert!(error.contains("has 10 errors"), "{error}");
}

#[test]
fn a_fault_says_what_it_does_and_how_the_system_reports_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = errors_of(
        folder.path(),
        "
suite: x
default: [load]
all: [load]
classes: {}
tests:
  load:
    about: one
    phases: [{ ramp: { to: 1 } }]
    faults:
      none: { for: 1s, recover_within: 1s, probe: &probe { route: GET / } }
      both: { patch: {}, crash: api, for: 1s, recover_within: 1s, probe: *probe }
      instances: { patch: {}, instances: 2, for: 1s, recover_within: 1s, probe: *probe }
      sign: { patch: {}, for: 1s, recover_within: 1s, probe: *probe, detect: { within: 1s } }
      signs: { patch: {}, for: 1s, recover_within: 1s, probe: *probe, detect: { health: [degraded], metric: { name: a, above: 1 }, within: 1s } }
      bounds: { patch: {}, for: 1s, recover_within: 1s, probe: *probe, detect: { metric: { name: a, above: 1, below: 0 }, within: 1s } }
",
    );
    for expected in [
        "tests.load.faults.none: does nothing",
        "tests.load.faults.both: has patch and crash",
        "tests.load.faults.instances.instances: is valid only with `crash`",
        "tests.load.faults.sign.detect: has no indicator",
        "tests.load.faults.signs.detect: has health and metric",
        "tests.load.faults.bounds.detect.metric: one of above, below and grows_by is expected",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
}

#[test]
fn an_error_is_reported_without_what_only_follows_from_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = errors_of(folder.path(), "suite: x\nall: [load]\nclasses: {}\n");
    assert!(error.contains("default: is required"), "{error}");
    assert!(error.contains("tests: is required"), "{error}");
    assert!(error.contains("has 2 errors"), "{error}");
    let error = errors_of(
        folder.path(),
        "
suite: x
default: [load]
all: [load]
classes: {}
tests: { load: { about: 1, users: [A], phases: 7 } }
",
    );
    assert!(
        error.contains("tests.load.users[0]: unknown user class `A`; none is defined"),
        "{error}"
    );
    for follower in ["unknown test", "does nothing", "known here"] {
        assert!(!error.contains(follower), "{follower} in {error}");
    }
}
