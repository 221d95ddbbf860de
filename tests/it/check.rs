//! `sparring check` and the help texts.

use crate::binary::{call, sparring};

#[test]
fn all_four_faults_of_a_fleet_file_are_reported_at_once() {
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
        "has 4 faults",
        "service.port: ",
        "performance_targets.success_rate: 95 is no share",
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
fn the_built_in_fleet_has_no_faults() {
    let folder = tempfile::tempdir().expect("an empty folder");
    let output = sparring()
        .arg("check")
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("5 detectors, no faults"));
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
fn a_missing_file_is_named() {
    let ended = call(["check", "/nowhere/detectors.yaml"]);
    assert_eq!(ended.code, Some(1));
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
