//! `sparring check` and the help texts.

use crate::binary::{call, sparring};

#[test]
fn all_four_errors_of_a_fleet_file_are_reported_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("detectors.yaml");
    let yaml = "
service: { port: 99999 }
performance_targets: { success_rate: 95 }
detectors:
  one: { endpoint: 'ftp://localhost/', timeot_ms: 5 }
";
    std::fs::write(&path, yaml).expect("the folder is writable");

    let ended = call(["check".as_ref(), path.as_os_str()]);

    assert_eq!(ended.code, Some(1));
    for expected in [
        "has 4 errors",
        "service.port: ",
        "performance_targets.success_rate: 95 is not a share",
        "detectors.one.endpoint: `ftp://localhost/` must start with http://",
        "detectors.one.timeot_ms: unknown field; did you mean `timeout_ms`?",
    ] {
        assert!(
            ended.stderr.contains(expected),
            "no {expected:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn a_suite_file_is_checked_as_a_suite() {
    let suites = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/suites");
    let ended = call(["check", &format!("{suites}/acis.yaml")]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("suite acis: "), "{}", ended.stdout);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mine.yaml");
    let text = std::fs::read_to_string(format!("{suites}/acis.yaml")).expect("it is there");
    let text = text.replacen("suite: acis", "suite: acis\nsuit: again", 1);
    std::fs::write(&path, text).expect("the folder is writable");
    let ended = call(["check".as_ref(), path.as_os_str()]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    for expected in ["mine.yaml has ", "suit: unknown field", ".script: "] {
        assert!(
            ended.stderr.contains(expected),
            "no {expected:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn a_drill_is_checked_as_a_drill() {
    let suites = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/suites");
    let ended = call(["check", &format!("{suites}/drill-flapping.yaml")]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("drill "), "{}", ended.stdout);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("drill.yaml");
    std::fs::write(&path, "title: t\nsteady_state: { for_ms: 0 }\n").expect("writable");
    let ended = call(["check".as_ref(), path.as_os_str()]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("faults: is required"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_system_that_has_only_begun_is_checked_as_a_system() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("own.yaml");
    std::fs::write(&path, "system: own\n").expect("writable");
    let ended = call(["check".as_ref(), path.as_os_str()]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    for expected in [
        "own.yaml has 2 errors",
        "components: is required and missing",
        "endpoints: is required and missing",
    ] {
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
}

#[test]
fn the_built_in_fleet_has_no_faults() {
    let folder = tempfile::tempdir().expect("an empty folder");
    let output = sparring()
        .arg("check")
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("5 detectors, no errors"));
}

#[test]
fn a_variable_that_is_at_fault_is_named() {
    let output = sparring()
        .args(["check"])
        .env("SPARRING_SERVICE__PORT", "many")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("(from SPARRING_SERVICE__PORT)"), "{stderr}");
}

#[test]
fn a_policy_that_names_an_unknown_detector_is_reported_with_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("detectors.yaml");
    let yaml = "
orchestration:
  policies:
    '*':
      default: { detectors: [one, uno, onee], required_detectors: [two], weights: { thre: 2 } }
detectors:
  one: { endpoint: 'http://localhost:8101/', aliases: [uno] }
  three: { endpoint: 'http://localhost:8103/' }
";
    std::fs::write(&path, yaml).expect("the folder is writable");
    let ended = call(["check".as_ref(), path.as_os_str()]);
    assert_eq!(ended.code, Some(1));
    for expected in [
        "name 3 unknown detectors",
        "orchestration.policies.*.default.detectors[2]: no detector `onee`; did you mean `one`?",
        "orchestration.policies.*.default.required_detectors[0]: no detector `two`",
        "orchestration.policies.*.default.weights.thre: no detector `thre`; did you mean `three`?",
    ] {
        assert!(
            ended.stderr.contains(expected),
            "no {expected:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn a_missing_file_is_named() {
    let ended = call(["check", "/nowhere/detectors.yaml"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("cannot read /nowhere/detectors.yaml"),
        "{}",
        ended.stderr
    );
}

#[test]
fn every_command_has_a_help_text() {
    for command in [
        "check",
        "up",
        "mock",
        "orchestrator",
        "fault",
        "plan",
        "record",
        "drill",
        "health",
    ] {
        let ended = call([command, "--help"]);
        assert_eq!(ended.code, Some(0), "{command}");
        assert!(
            ended.stdout.len() > 200,
            "the help of {command} teaches nothing"
        );
    }
}

#[test]
fn a_pipe_is_read_once() {
    use std::io::Write as _;
    for text in [
        "detectors: { one: { endpoint: 'http://localhost:8101/' } }",
        include_str!("../../crates/target-systems/src/systems/lab.yaml"),
    ] {
        let mut child = sparring()
            .args(["check", "/dev/stdin"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(text.as_bytes()).expect("it is read");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
    }
}

#[test]
fn an_empty_file_and_a_variable_below_a_value_are_told_for_what_they_are() {
    let ended = call(["check", "/dev/null"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("/dev/null is empty"),
        "{}",
        ended.stderr
    );
    let output = sparring()
        .arg("check")
        .env("SPARRING_SERVICE__PORT__X", "1")
        .env("SPARRING_CONFIG", "")
        .output()
        .expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("(from SPARRING_SERVICE__PORT__X)"),
        "{stderr}"
    );
}
