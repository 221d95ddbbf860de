//! The plans of `sparring test`: spellings, options for k6, and what is shown before a run.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::suite_runs::Bench;

/// G-01, with the binary.
#[test]
fn every_spelling_has_the_plan_of_its_canonical_form() {
    let plan = |arguments: &[&str]| {
        let mut command = sparring();
        command.arg("test").args(arguments).arg("--plan-json");
        let ended = Ended::from(
            command
                .output()
                .expect("the binary was built for this test"),
        );
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    };
    for (spelling, canonical) in [
        (
            &["--test-type", "smoke"][..],
            &["orchestrator", "smoke"][..],
        ),
        (&["--test-type", "all"], &["orchestrator", "all"]),
        (&["--test-type=fault-tolerance"], &["fault-tolerance"]),
        (&["throughput"], &["orchestrator", "benchmark"]),
        (&[], &["smoke"]),
        (&["--filter", "scalability"], &["acso", "scalability"]),
        (&["--quick-check"], &["acso", "quick-check"]),
        (&["acso"], &["acso", "load", "scalability", "stress"]),
        (
            &[
                "--system",
                "acis",
                "-u",
                "100",
                "-r",
                "10",
                "-t",
                "10m",
                "--headless",
                "ACISAPIUser",
            ],
            &["acis", "load"],
        ),
        (
            &[
                "--system=acis",
                "--users=500",
                "--spawn-rate=50",
                "--run-time=600s",
                "ACISStressTestUser",
            ],
            &["acis", "stress"],
        ),
        (
            &[
                "ACISBackgroundJobUser",
                "--vus",
                "10",
                "-r",
                "2",
                "--duration",
                "30m",
            ],
            &["acis", "background"],
        ),
        (&["--only", "spike", "aiaas"], &["aiaas", "spike"]),
    ] {
        assert_eq!(plan(spelling), plan(canonical), "{spelling:?}");
    }
}

#[test]
fn options_for_k6_are_the_same_by_either_command() {
    let printed = |words: &[&str]| {
        let ended = Ended::from(sparring().args(words).output().expect("it runs"));
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
        ended.stdout
    };
    let scaled = ["--k6-options", "--time-scale", "0.1"];
    for names in [&["acis", "load"][..], &["aiaas", "spike"], &["load"]] {
        let with = |command: &str| printed(&[&[command], names, &scaled[..]].concat());
        assert_eq!(with("plan"), with("test"), "{names:?}");
    }
    let mut unknown = sparring();
    unknown.args(["plan", "acis", "laod", "--k6-options"]);
    let unknown = Ended::from(unknown.output().expect("it runs"));
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("`load`"), "{}", unknown.stderr);
}

#[test]
fn a_plan_can_be_seen_before_it_is_run() {
    let bench = Bench::new();
    let ended = bench.run(&["acis", "breakpoint", "--dry"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("3200 users"), "{}", ended.stdout);
    let ended = bench.run(&["acis", "load", "--k6-options"]);
    let options: Value = serde_json::from_str(&ended.stdout).expect("a line of JSON");
    assert_eq!(
        options["scenarios"]["ACISAPIUser"]["executor"],
        "ramping-vus"
    );
    assert!(!bench.results().exists(), "nothing was run");
}

/// S-01: the documents' own scripts.
#[test]
fn the_shims_in_python_have_the_plans_of_their_commands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/performance");
    let plan = |command: &mut Command| {
        let output = command.arg("--plan-json").output().expect("it runs");
        let ended = Ended::from(output);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    for (shim, arguments, canonical) in [
        (
            "run_performance_tests.py",
            &["--test-type", "load"][..],
            &["orchestrator", "load"][..],
        ),
        ("run_performance_tests.py", &[], &["acso", "all"]),
        (
            "run_performance_tests.py",
            &["--filter", "stress"],
            &["acso", "stress"],
        ),
        (
            "run_performance_tests.py",
            &["--quick-check"],
            &["acso", "quick-check"],
        ),
        ("test_load_scenarios.py", &[], &["acso", "load"]),
        (
            "test_scalability.py",
            &[],
            &["acso", "scalability", "stress"],
        ),
    ] {
        let mut python = Command::new("python3");
        python.arg(folder.join(shim)).args(arguments);
        python.env("SPARRING", env!("CARGO_BIN_EXE_sparring"));
        let shown = plan(&mut python);
        assert_eq!(
            shown,
            plan(sparring().arg("test").args(canonical)),
            "{shim} {arguments:?}"
        );
    }
}
