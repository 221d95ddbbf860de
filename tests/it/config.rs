//! `sparring config --explain`: each setting with its value and its source.

use serde_json::Value;

use crate::binary::{Ended, sparring};

fn config(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let output = sparring()
        .arg("config")
        .args(arguments)
        .env_remove("LOCUST_HOST")
        .env_remove("LOCUST_USERS")
        .envs(variables.iter().copied())
        .output();
    Ended::from(output.expect("the binary was built for this test"))
}

fn explained(arguments: &[&str], variables: &[(&str, &str)]) -> Vec<Value> {
    let ended = config(&[arguments, &["--explain", "--json"]].concat(), variables);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// Value, layer and name of a setting.
fn check(settings: &[Value], name: &str, expected: (Value, &str, Option<&str>)) {
    let setting = settings.iter().find(|setting| setting["setting"] == name);
    let setting = setting.unwrap_or_else(|| panic!("no {name}"));
    let found = (
        setting["value"].clone(),
        setting["origin"].as_str().unwrap_or_default(),
        setting["by"].as_str(),
    );
    assert_eq!(found, expected, "{name}");
}

#[test]
fn flags_go_before_variables_and_those_before_files() {
    let load = ["load"];
    let users = |settings: &[Value], value: &str, origin: &str, by: &str| {
        check(settings, "load: users", (value.into(), origin, Some(by)));
    };
    users(
        &explained(&load, &[]),
        "50",
        "file",
        "built-in suite orchestrator",
    );
    let locust = ("LOCUST_USERS", "25");
    users(
        &explained(&load, &[locust]),
        "25",
        "environment",
        "LOCUST_USERS",
    );
    let both = [locust, ("K6_LOAD_TARGET_VUS", "30")];
    users(
        &explained(&load, &both),
        "30",
        "environment",
        "K6_LOAD_TARGET_VUS",
    );
    users(
        &explained(&["load", "-u", "7"], &both),
        "7",
        "flag",
        "--users",
    );
}

#[test]
fn every_layer_is_told_apart() {
    let variables = [
        ("PERF_BASE_URL", "http://127.0.0.1:9"),
        ("PERF_SYSTEM", "acis"),
        ("ORCHESTRATION_PERF_API_KEY", "s3cret"),
        ("AWS_REGION", "eu-west-1"),
        ("PERFORMANCE_TIMEOUT_MULTIPLIER", "2"),
    ];
    let settings = explained(&["smoke", "--seed", "7"], &variables);
    check(
        &settings,
        "suite",
        ("acis".into(), "environment", Some("PERF_SYSTEM")),
    );
    check(
        &settings,
        "tests",
        ("smoke".into(), "flag", Some("command line")),
    );
    check(
        &settings,
        "base_url",
        (
            "http://127.0.0.1:9".into(),
            "environment",
            Some("PERF_BASE_URL"),
        ),
    );
    check(&settings, "seed", ("7".into(), "flag", Some("--seed")));
    check(&settings, "results", ("results".into(), "default", None));
    check(&settings, "time_scale", ("1".into(), "default", None));
    check(
        &settings,
        "AWS_REGION",
        ("eu-west-1".into(), "environment", Some("AWS_REGION")),
    );
    check(
        &settings,
        "PERFORMANCE_TIMEOUT_MULTIPLIER",
        (
            "2".into(),
            "environment",
            Some("PERFORMANCE_TIMEOUT_MULTIPLIER"),
        ),
    );
    check(
        &settings,
        "ORCHESTRATION_PERF_API_KEY",
        (
            "(set)".into(),
            "environment",
            Some("ORCHESTRATION_PERF_API_KEY"),
        ),
    );
    let other = explained(
        &["acso", "quick-check"],
        &[("LOCUST_HOST", "http://127.0.0.1:8")],
    );
    check(
        &other,
        "suite",
        ("acso".into(), "flag", Some("command line")),
    );
    check(
        &other,
        "base_url",
        (
            "http://127.0.0.1:8".into(),
            "environment",
            Some("LOCUST_HOST"),
        ),
    );
    check(&other, "LOG_LEVEL", ("warn".into(), "default", None));
}

#[test]
fn people_read_a_table_and_unknown_names_are_usage_errors() {
    let ended = config(&["--explain", "acis", "load"], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = ended
        .stdout
        .lines()
        .find(|line| line.starts_with("load: users"));
    let line = line.unwrap_or_else(|| panic!("{}", ended.stdout));
    assert!(
        line.contains("100") && line.ends_with("built-in suite acis"),
        "{line}"
    );
    let plain = config(&["acis", "load"], &[]);
    assert!(!plain.stdout.contains("built-in suite"), "{}", plain.stdout);
    let unknown = config(&["--explain", "acis", "laod"], &[]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("did you mean `load`?"),
        "{}",
        unknown.stderr
    );
}
