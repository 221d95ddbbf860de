//! Every command of the README, in its order, as somebody types it who has just cloned this: what it takes is printed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::guides::{has_networks_of_its_own, print_times};

/// What is done about a command.
enum Done {
    /// It is run, in these words: shorter, or for a service that is there.
    Run(&'static str),
    /// It is started and left running; `true` is what says that it is there.
    Left(&'static str, &'static str),
    /// It takes too long here, or needs what a test has not.
    By(&'static str),
}
use Done::{By, Left, Run};

/// The begin of each command, and what is done about it.
const COMMANDS: &[(&str, Done)] = &[
    (
        "K6_SMOKE_DURATION=20s cargo run --release -- test smoke",
        Run("K6_SMOKE_DURATION=4s sparring test smoke"),
    ),
    ("cargo test --workspace", By(".ci/run")),
    (
        "sparring up",
        Left("sparring up", "curl -sf localhost:8000/health"),
    ),
    ("curl -s localhost:8000/orchestrate", Run("")),
    (
        "sparring target acis --port 8100",
        Left(
            "sparring target acis --port 8100",
            "curl -sf localhost:8100/health",
        ),
    ),
    ("docker compose", By("tests/compose_smoke.sh")),
    (
        "sparring fault mock-detector-failing --failure-rate 1.0",
        Run(""),
    ),
    ("curl -s localhost:8000/metrics | grep", Run("")),
    (
        "sparring fault mock-detector-failing --failure-rate 0.3",
        Run(""),
    ),
    (
        "sparring drill tests/suites/drill-detector-dies.yaml",
        By("tests/it/drill.rs"),
    ),
    (
        "sparring init perf --base-url http://127.0.0.1:8080",
        Run("sparring init perf --base-url http://127.0.0.1:8100"),
    ),
    (
        "sparring doctor --base-url http://127.0.0.1:8080",
        Run("sparring doctor --base-url http://127.0.0.1:8100"),
    ),
    (
        "PERF_BASE_URL=https://staging.example.com sparring test smoke",
        Run("PERF_BASE_URL=http://127.0.0.1:8000 K6_SMOKE_DURATION=4s sparring test smoke"),
    ),
    (
        "sparring test acis breakpoint --time-scale 0.05",
        Run("sparring test acis breakpoint --time-scale 0.002 || [ $? = 4 ] || [ $? = 99 ]"),
    ),
    (
        "sparring test shop.yaml --dry",
        Run("sparring test perf/suite.yaml --dry"),
    ),
    (
        "sparring compare baseline results/",
        By("tests/it/reports.rs"),
    ),
    (
        "sparring run script.js --vus 50 --duration 30s",
        Run("sparring run perf/load.js --vus 5 --duration 2s"),
    ),
];

/// The commands of the page's `sh` blocks, those over several lines in one, without their comments.
fn commands(page: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut is_inside, mut goes_on) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            is_inside = line == "```sh";
            continue;
        }
        if !is_inside || line.is_empty() {
            continue;
        }
        let text = line.split("  #").next().unwrap_or(line).trim();
        let part = text.trim_end_matches('\\').trim();
        match found.last_mut().filter(|_| goes_on) {
            Some(before) => *before = format!("{before} {part}"),
            None => found.push(part.to_owned()),
        }
        goes_on = text.ends_with('\\');
    }
    found
}

/// A script that does what is done about each command, and says how long each took.
fn script(page: &str) -> String {
    let mut script = "set -uo pipefail\nip link set lo up\nfailed=0\n\
        timed() { local begin=$EPOCHREALTIME code=0; bash -c \"$1\" >out 2>&1 </dev/null || code=$?; \
        local took=$(( (${EPOCHREALTIME/./} - ${begin/./}) / 1000 )); echo \"$took ms  $1\"; \
        [ -e first ] || cp out first; \
        [ $code = 0 ] || { echo \"exit code $code\"; cat out; failed=1; }; }\n"
        .to_owned();
    for command in commands(page) {
        let known = COMMANDS
            .iter()
            .find(|(begin, _)| command.starts_with(begin));
        let (_, done) = known.unwrap_or_else(|| panic!("nothing is done about `{command}`"));
        let quoted = |words: &str| format!("'{}'", words.replace('\'', "'\\''"));
        match done {
            Run("") => script.push_str(&format!("timed {}\n", quoted(&command))),
            Run(words) => script.push_str(&format!("timed {}\n", quoted(words))),
            Left(words, is_there) => script.push_str(&format!(
                "{words} >/dev/null 2>&1 </dev/null &\ntimed {}\n",
                quoted(&format!(
                    "for n in {{1..200}}; do {is_there} && exit; sleep 0.05; done; exit 1"
                ))
            )),
            By(what) => script.push_str(&format!(
                "echo {}\n",
                quoted(&format!("by {what}: {command}"))
            )),
        }
    }
    script.push_str("kill $(jobs -p) 2>/dev/null; wait; exit $failed\n");
    script
}

#[test]
fn every_command_of_the_readme_works() {
    if !has_networks_of_its_own() {
        eprintln!("SKIPPED: `unshare --net` and `ip` are needed: ports could be in use here");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("the repository");
    let page = std::fs::read_to_string(root.join("README.md")).expect("the page exists");
    let folder = tempfile::tempdir().expect("a temporary folder");
    // As in a clone, without writing into it.
    for name in ["detectors.yaml", "tests"] {
        let link = std::os::unix::fs::symlink(root.join(name), folder.path().join(name));
        link.expect("writable");
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_sparring"));
    let own = binary.parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)));
    let apart = [
        "--map-root-user",
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
    ];
    let output = Command::new("timeout")
        .args(["200", "unshare"])
        .args(apart)
        .args(["bash", "-c", &script(&page)])
        .current_dir(folder.path())
        .env("PATH", path.expect("a search path"))
        .env("XDG_STATE_HOME", PathBuf::from(folder.path()).join("state"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    print_times("README.md", &told);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{told}\n{complaints}",
        output.status
    );
    let said = std::fs::read_to_string(folder.path().join("first")).expect("the first one said it");
    let said = said
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let said: Vec<String> = said.collect();
    let recording = recorded(&page);
    assert!(recording.len() >= 5, "{recording:?}");
    for line in recording {
        let is_there = said.iter().any(|other| other.starts_with(&line));
        assert!(is_there, "the page says `{line}`, the program {said:#?}");
    }
}

/// The lines of the page's recording of its first command that are the same each time, by their first words.
fn recorded(page: &str) -> Vec<String> {
    let block = page
        .split("```text\n")
        .find(|block| block.starts_with("verdict:"));
    let lines = block.unwrap_or_default().lines();
    lines
        .take_while(|line| !line.starts_with("```"))
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let many = match *words.first()? {
                "verdict:" | "held" => 3,
                "report:" => 1,
                _ => return None,
            };
            Some(words.into_iter().take(many).collect::<Vec<_>>().join(" "))
        })
        .collect()
}

#[test]
fn a_command_over_several_lines_is_one() {
    let page = "```sh\na  # says a\nb -H 'x' \\\n  -d y\n```\n```text\nc\n```\n";
    assert_eq!(commands(page), ["a", "b -H 'x' -d y"]);
}
