//! `--with-locust` and `-f`: real Locust beside this driver, or alone. A script replaces Locust in tests of its command
//! line and of the storage of its figures; the real one is used if it is on the path, and with `REQUIRE_LOCUST` it is
//! required.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::suite_runs::passed;

/// Writes Locust's files, and its own command line.
const FAKE: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo "locust 9.9.9 from here"; exit 0; fi
echo "$@" >"$FAKE_CALLED"
echo "$SPARRING_LOCUST_PLAN" >>"$FAKE_CALLED"
env | grep -E "LOCUST_USERS|PERF_SYSTEM" >>"$FAKE_CALLED"
while [ $# -gt 0 ]; do [ "$1" = --csv ] && csv=$2; shift; done
if [ -n "$csv" ]; then
  echo 'Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
GET,/api/clients,7,0,5,5.5,1,9,10,3.5,0,5,5,5,5,5,8,9,9,9,9,9
,Aggregated,7,0,5,5.5,1,9,10,3.5,0,5,5,5,5,5,8,9,9,9,9,9' >"${csv}_stats.csv"
  echo 'Method,Name,Error,Occurrences' >"${csv}_failures.csv"
fi
exit ${FAKE_CODE:-0}
"#;

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A folder with a program named locust.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("bin/locust");
        std::fs::create_dir(folder.path().join("bin")).expect("made");
        std::fs::write(&program, FAKE).expect("written");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("executable");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `sparring test` with these arguments, with that Locust on the path.
    fn run(&self, arguments: &[&str], code: &str) -> Ended {
        let folders = format!("{}:/usr/bin:/bin", self.path("bin").display());
        self.run_with(&folders, arguments, code)
    }

    fn run_with(&self, folders: &str, arguments: &[&str], code: &str) -> Ended {
        let output = sparring()
            .arg("test")
            .args(arguments)
            .env("PATH", folders)
            .env("FAKE_CALLED", self.path("called"))
            .env("FAKE_CODE", code)
            .env("LOCUST_USERS", "1")
            .current_dir(self.folder.path())
            .output();
        Ended::from(output.expect("the binary was built for this test"))
    }

    fn called(&self) -> String {
        std::fs::read_to_string(self.path("called")).unwrap_or_default()
    }
}

fn json(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// The newest file of the folder whose name has this beginning and end.
fn found(folder: &Path, begin: &str, end: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("made").flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            name.starts_with(begin) && name.ends_with(end)
        })
        .collect();
    paths.sort();
    paths
        .pop()
        .unwrap_or_else(|| panic!("no {begin}…{end} in {}", folder.display()))
}

#[test]
fn locust_runs_the_same_plan_and_its_figures_are_kept_apart() {
    let bench = Bench::new();
    let ended = bench.run(
        &["acis", "smoke", "--time-scale", "0.05", "--with-locust"],
        "0",
    );
    let called = bench.called();
    for told in [
        "acis.py,",
        "plan_shape.py",
        "--headless",
        "--host http://127.0.0.1:",
        "ACISAPIUser",
        "\"users\":5",
    ] {
        assert!(called.contains(told), "no {told:?} in {called}");
    }
    assert!(
        !called.contains("LOCUST_USERS"),
        "the plan says it: {called}"
    );
    let run = found(&bench.path("results"), "", "-acis");
    let report = json(&run.join("report.json"));
    passed(&ended, &report);
    let result = &report["tests"][0]["locust_result"];
    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(result["version"], "9.9.9");
    assert_eq!(result["total"]["requests"], 7);
    assert_eq!(result["endpoints"][0]["name"], "/api/clients");
    // Stored separately: none of it is in the run's own figures.
    assert_ne!(report["tests"][0]["figures"]["requests"], 7);
    assert!(run.join("locust/smoke_stats.csv").is_file());
    // A verdict of the locustfile does not affect the run's.
    let ended = bench.run(
        &["acis", "smoke", "--time-scale", "0.05", "--with-locust"],
        "1",
    );
    let run = found(&bench.path("results"), "", "-acis");
    passed(&ended, &json(&run.join("report.json")));
}

/// DET-28, DET-30: `locust_result` of the orchestrator's result file, null where Locust did not run.
#[test]
fn the_result_file_of_the_orchestrator_has_what_locust_measured() {
    let bench = Bench::new();
    let smoke = ["smoke", "--time-scale", "0.01"];
    let ended = bench.run(&[&smoke[..], &["--with-locust"]].concat(), "0");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(bench.called().contains("OrchestrationUser"), "{said}");
    let file = found(&bench.path("results"), "performance_test_results_", ".json");
    assert_eq!(
        json(&file)["results"]["smoke"]["locust_result"]["total"]["requests"],
        7
    );
    let run = found(&bench.path("results"), "", "-orchestrator");
    let view = found(&run, "performance_test_results_", ".json");
    assert_eq!(
        json(&view)["results"]["smoke"]["locust_result"]["total"]["requests"],
        7
    );
}

#[test]
fn what_locust_cannot_do_is_said_and_not_replaced() {
    let bench = Bench::new();
    let ended = bench.run(
        &["acis", "benchmark", "--time-scale", "0.01", "--with-locust"],
        "0",
    );
    assert!(
        ended.stdout.contains("not run with Locust: "),
        "{}",
        ended.stdout
    );
    assert_eq!(bench.called(), "");
    let report = json(&found(&bench.path("results"), "", "-acis").join("report.json"));
    assert_eq!(report["tests"][0]["locust_result"]["status"], "skipped");
}

/// S-02: without Locust, exit code 2 and the script that does the same.
#[test]
fn without_locust_nothing_else_is_run_in_its_place() {
    let bench = Bench::new();
    std::fs::write(bench.path("acis.py"), "class ACISAPIUser: pass\n").expect("written");
    let none = bench.path("nothing").display().to_string();
    for (arguments, said) in [
        (
            &[
                "-f",
                "acis.py",
                "-u",
                "5",
                "-r",
                "1",
                "-t",
                "5s",
                "--headless",
            ][..],
            "tests/k6/acis.js",
        ),
        (&["acis", "smoke", "--with-locust"], "pip install locust"),
        (&["-f", "missing.py"], "the file missing.py does not exist"),
    ] {
        let ended = bench.run_with(&none, arguments, "0");
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(said),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    assert!(!bench.path("results").exists(), "nothing was run");
}

/// AIA-32, ACIS-01: Locust's own command line, on a system that is started for it.
#[test]
fn a_locustfile_is_run_by_locust_with_its_flags_and_exit_code() {
    let bench = Bench::new();
    std::fs::write(bench.path("acis.py"), "class ACISAPIUser: pass\n").expect("written");
    let arguments = [
        "-f",
        "acis.py",
        "--users=100",
        "-r",
        "10",
        "-t",
        "5m",
        "--headless",
        "--html",
        "report.html",
        "--csv",
        "out",
        "ACISAPIUser",
    ];
    let ended = bench.run(&arguments, "3");
    assert_eq!(ended.code, Some(3), "{}{}", ended.stdout, ended.stderr);
    let called = bench.called();
    let told = "--users 100 --spawn-rate 10 --run-time 300s --html report.html --csv out --headless ACISAPIUser";
    assert!(called.contains(told), "{called}");
    assert!(
        called.contains("-f acis.py --host http://127.0.0.1:"),
        "{called}"
    );
    let host = [&arguments[..2], &["--host", "http://127.0.0.1:9"]].concat();
    bench.run(&host, "0");
    assert!(
        bench.called().contains("--host http://127.0.0.1:9"),
        "{}",
        bench.called()
    );
}

/// S-07, AIA-32, ACIS-03: the path that two documents have in common names the users of aiaas, unless a variable, a suite or
/// a class names others.
#[test]
fn the_shared_locustfile_is_run_on_the_system_whose_users_it_has() {
    let bench = Bench::new();
    let folder = bench.path("tests/performance");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("locustfile.py"), "").expect("written");
    let line = ["-f", "tests/performance/locustfile.py", "--headless"];
    for (more, system, classes) in [
        (&[][..], "aiaas", ""),
        (&["ACISStressTestUser"], "acis", "ACISStressTestUser"),
        (&["--system", "agent360"], "agent360", ""),
    ] {
        let ended = bench.run(&[&line[..], more].concat(), "0");
        assert_eq!(ended.code, Some(0), "{more:?}: {}", ended.stderr);
        let called = bench.called();
        assert!(called.contains("--host http://127.0.0.1:"), "{called}");
        assert!(called.contains(classes), "{called}");
        assert!(
            called.contains(&format!("PERF_SYSTEM={system}\n")),
            "{called}"
        );
    }
    // Without Locust, the script that does the same.
    let none = bench.path("nothing").display().to_string();
    let ended = bench.run_with(&none, &line, "0");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("tests/k6/aiaas.js"),
        "{}",
        ended.stderr
    );
}

pub fn has_real_locust() -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join("locust").is_file());
    if !found {
        let how = "no `locust` is on the path";
        assert!(std::env::var_os("REQUIRE_LOCUST").is_none(), "{how}");
        eprintln!("skipped: {how}");
    }
    found
}

#[test]
fn real_locust_follows_the_phases_of_a_plan() {
    if !has_real_locust() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = sparring()
        .args([
            "test",
            "acis",
            "smoke",
            "--time-scale",
            "0.1",
            "--with-locust",
            "--results",
        ])
        .arg(folder.path())
        .output();
    let ended = Ended::from(output.expect("the binary was built for this test"));
    let run = found(folder.path(), "", "-acis");
    let report = json(&run.join("report.json"));
    passed(&ended, &report);
    let result = &report["tests"][0]["locust_result"];
    let log = std::fs::read_to_string(run.join("locust/smoke.log")).unwrap_or_default();
    assert_eq!(result["status"], "success", "{result} {log}");
    assert!(
        result["total"]["requests"].as_u64() > Some(0),
        "{result} {log}"
    );
    assert_eq!(result["total"]["failures"], 0, "{result} {log}");
    assert!(result["version"].is_string(), "{result}");
}
