//! Command lines that `sparring test` rejects before it starts anything: exit code 2, and the necessary change.

use std::path::Path;

use crate::binary::{Ended, sparring};
use crate::suite_runs::{json, passed};

const SUITE: &str = "
suite: own
system: lab
default: [load]
all: [load]
classes:
  User: { script: own.js, exec: user, wait_s: [0, 0] }
tests:
  load:
    about: Users.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 2 } }, { steady: { for: 1s } }]
    judge: { checks: 1.0 }
  other:
    about: Other users.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 1 } }, { steady: { for: 1s } }]
    judge: { checks: 1.0 }
";

const SCRIPT: &str = "
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function user() {
  check(http.get(`${__ENV.PERF_BASE_URL}/mm1`), { answered: (r) => r.status === 200 });
  sleep(0.05);
}
";

fn bench(suite: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("own.yaml"), suite).expect("writable");
    std::fs::write(folder.path().join("own.js"), SCRIPT).expect("writable");
    folder
}

fn test(folder: &Path, arguments: &[&str]) -> Ended {
    let output = sparring()
        .args(["test", "own.yaml"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the binary was built for this test");
    Ended::from(output)
}

fn refused(folder: &Path, arguments: &[&str], why: &[&str]) {
    let ended = test(folder, arguments);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(2), "{arguments:?}: {said}");
    for why in why {
        assert!(said.contains(why), "{arguments:?}: {why:?} in {said}");
    }
    assert!(!folder.join("results").exists(), "{arguments:?}");
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    let folder = bench(SUITE);
    let folder = folder.path();
    refused(
        folder,
        &["-u", "10", "-r", "1", "-t", "5s"],
        &["load", "-t", "-r"],
    );
    refused(folder, &["--time-scale", "1e-9"], &["0.001"]);
    refused(folder, &["--pid", "4294967295"], &["--pid", "4294967295"]);
    refused(
        folder,
        &["--base-url", "notaurl"],
        &["--base-url", "http://"],
    );
    refused(
        folder,
        &["--base-url", "ftp://localhost/"],
        &["--base-url", "http://"],
    );
    refused(folder, &["--script", "none.js"], &["none.js"]);
    refused(
        folder,
        &["--cgroup", "there/is/none"],
        &["--cgroup", "there/is/none"],
    );
    refused(
        folder,
        &["--prometheus", "nowhere"],
        &["--prometheus", "http://"],
    );
    refused(
        folder,
        &["--time-scale", "-1"],
        &["the time scale -1 is out of range", "0.001"],
    );
    refused(folder, &["-u", "-5"], &["a number above 0"]);
    refused(
        folder,
        &["lod"],
        &["no test and no user class `lod`", "did you mean `load`?"],
    );
    refused(folder, &["Usr"], &["did you mean `User`?"]);
}

#[test]
fn a_suite_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = test(folder.path(), &[]);
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    assert!(missing.stderr.contains("own.yaml"), "{}", missing.stderr);
    assert!(!folder.path().join("results").exists());
}

#[test]
fn a_dry_run_reports_every_error_of_the_file() {
    let wrong = SUITE
        .replacen(
            "checks: 1.0",
            "checks: 1.5, thresholds: { http_reqs: ['count>>1'] }",
            1,
        )
        .replace("exec: user", "exec: nobody");
    let folder = bench(&wrong);
    let why = ["checks", "`count>>1`", "exports no function `nobody`"];
    refused(folder.path(), &["--dry"], &why);
    refused(folder.path(), &[], &why);
    let still = bench(&SUITE.replace("{ for: 1s }", "{ for: 0s }"));
    refused(still.path(), &["--dry"], &["has no judged load"]);
    let sound = test(bench(SUITE).path(), &["--dry"]);
    assert_eq!(sound.code, Some(0), "{}", sound.stderr);
    assert!(sound.stdout.contains("\n1 test, "), "{}", sound.stdout);
}

#[test]
fn the_newest_result_is_one_with_the_test_that_is_named() {
    let folder = bench(SUITE);
    let run = test(folder.path(), &["other"]);
    let results = std::fs::read_dir(folder.path().join("results")).expect("made");
    let kept = results.map(|entry| entry.expect("readable").path());
    let kept = kept.filter(|path| path.is_dir()).last().expect("a run");
    let record = json(&kept.join("report.json"));
    passed(&run, &record);
    let other = test(folder.path(), &["other", "--report-only"]);
    passed(&other, &record);
    let load = test(folder.path(), &["load", "--report-only"]);
    assert_ne!(load.code, Some(0), "{}", load.stdout);
    assert!(load.stderr.contains("with load"), "{}", load.stderr);
    assert!(!load.stdout.contains("verdict"), "{}", load.stdout);
}
