//! `sparring init`: the written files are valid, and run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::binary::{Ended, sparring};

const WRITTEN: [&str; 4] = [
    "load.js",
    "suite.yaml",
    "detectors.yaml",
    ".github/workflows/performance.yml",
];

fn call_in(folder: &Path, arguments: &[&str]) -> Ended {
    let output = sparring().args(arguments).current_dir(folder).output();
    output.expect("it runs").into()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn what_is_written_is_sound() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = "http://127.0.0.1:3000/";
    let ended = call_in(folder.path(), &["init", "perf", "--base-url", url]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let perf = folder.path().join("perf");
    for name in WRITTEN {
        assert!(
            !read(&perf, name).contains('@') || name.ends_with(".yml"),
            "{name}"
        );
        assert!(
            ended.stdout.contains(&format!("wrote perf/{name}\n")),
            "{}",
            ended.stdout
        );
    }
    assert!(read(&perf, "suite.yaml").contains("base_url: \"http://127.0.0.1:3000\"\n"));
    assert!(read(&perf, "load.js").contains("|| \"http://127.0.0.1:3000\";"));
    for file in ["suite.yaml", "detectors.yaml"] {
        let ended = call_in(&perf, &["check", file]);
        assert_eq!(ended.code, Some(0), "{file}: {}", ended.stderr);
        assert!(ended.stdout.contains("no errors"), "{}", ended.stdout);
    }
    for test in ["smoke", "load"] {
        let ended = call_in(&perf, &["test", "suite.yaml", test, "--dry"]);
        assert_eq!(ended.code, Some(0), "{test}: {}", ended.stderr);
    }
}

#[test]
fn the_commands_of_the_workflow_exist() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(call_in(folder.path(), &["init"]).code, Some(0));
    let workflow = read(folder.path(), ".github/workflows/performance.yml");
    assert!(
        workflow.contains("PERF_BASE_URL: \"http://127.0.0.1:8080\""),
        "{workflow}"
    );
    let commands: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- run: sparring "))
        .collect();
    assert_eq!(commands.len(), 3, "{workflow}");
    for command in commands {
        let mut words: Vec<&str> = command.split(' ').collect();
        if words[0] == "test" {
            words.push("--dry");
        }
        let ended = call_in(folder.path(), &words);
        // There is no service: the doctor may report the machine, but not the command line.
        assert!(
            matches!(ended.code, Some(0 | 1)),
            "{command}: {}",
            ended.stderr
        );
        assert!(
            !ended.stderr.contains("Usage"),
            "{command}: {}",
            ended.stderr
        );
    }
}

#[test]
fn files_that_exist_are_replaced_only_by_force() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mine = folder.path().join("suite.yaml");
    std::fs::write(&mine, "mine").expect("writable");
    let ended = call_in(folder.path(), &["init"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("suite.yaml exists already"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("--force"), "{}", ended.stderr);
    assert_eq!(read(folder.path(), "suite.yaml"), "mine");
    assert!(
        !folder.path().join("load.js").exists(),
        "half of it was written"
    );
    assert_eq!(call_in(folder.path(), &["init", "--force"]).code, Some(0));
    assert!(read(folder.path(), "suite.yaml").contains("suite: service"));
}

#[test]
fn a_url_that_is_not_one_or_a_folder_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = call_in(folder.path(), &["init", "--base-url", "localhost"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--base-url"), "{}", ended.stderr);
    let ended = call_in(folder.path(), &["init", "/dev/null/here"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("/dev/null/here"), "{}", ended.stderr);
}

#[test]
fn a_suite_tests_the_service_that_it_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = call_in(folder.path(), &["init", "--base-url", "http://127.0.0.1:1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let ended = call_in(folder.path(), &["test", "suite.yaml"]);
    assert_ne!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stderr.contains("127.0.0.1:1"), "{}", ended.stderr);
    let ended = call_in(folder.path(), &["test", "suite.yaml", "--dry"]);
    assert!(
        ended.stdout.contains("suite service, http://127.0.0.1:1,"),
        "{}",
        ended.stdout
    );
    let elsewhere = ["test", "suite.yaml", "--base-url", "http://127.0.0.1:2"];
    let ended = call_in(folder.path(), &elsewhere);
    assert!(ended.stderr.contains("127.0.0.1:2"), "{}", ended.stderr);
}

/// Ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A line of output with a URL, within a minute.
fn url_of(child: &mut std::process::Child) -> String {
    use std::io::{BufRead, BufReader};
    let stdout = child.stdout.take().expect("it is piped");
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let found = line
                .split_whitespace()
                .find(|word| word.starts_with("http://"));
            if let Some(url) = found {
                drop(send.send(url.trim_end_matches([',', ';', '/']).to_owned()));
            }
        }
    });
    let waited = receive.recv_timeout(Duration::from_secs(60));
    waited.expect("it says where it listens")
}

#[test]
fn the_script_and_the_smoke_test_run_as_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut target = Command::new(env!("CARGO_BIN_EXE_sparring"));
    target.args(["target", "lab", "--port", "0"]);
    target.stdout(std::process::Stdio::piped());
    target.stderr(std::process::Stdio::null());
    let mut target = Running(target.spawn().expect("it starts"));
    let url = url_of(&mut target.0);
    let ended = call_in(folder.path(), &["init", "--base-url", &url]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let words = [
        "run",
        "load.js",
        "--vus",
        "1",
        "--iterations",
        "2",
        "--quiet",
    ];
    let ended = call_in(folder.path(), &words);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let words = [
        "test",
        "suite.yaml",
        "smoke",
        "--time-scale",
        "0.2",
        "--quiet",
    ];
    let ended = call_in(folder.path(), &words);
    // Passed, or inconclusive because a busy machine measured too little.
    assert!(
        matches!(ended.code, Some(0 | 4)),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    let target = format!("  target   the simulated system lab, {url}\n");
    assert!(ended.stdout.contains(&target), "{}", ended.stdout);
    let results = std::fs::read_dir(folder.path().join("results")).expect("results");
    let run = results.flatten().next().expect("a run").path();
    assert!(run.join("report.html").is_file() && run.join("junit.xml").is_file());
}
