//! Every command of the README, in its order, in a fresh clone; the time of each is printed.

use std::path::Path;

use crate::apart::{self, Done, Known, print_times};
use Done::{By, Left, Run};

const LONGEST_S: u32 = 200;

/// The beginning of each command, and its treatment.
const COMMANDS: &[Known] = &[
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

/// The commands of the page's `sh` blocks, each on one line, without their comments.
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

#[test]
fn the_readme_is_short() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let page = std::fs::read_to_string(page).expect("the page exists");
    let lines = page.lines().count();
    assert!(lines <= 150, "{lines} lines, of at most 150");
}

#[test]
fn every_command_of_the_readme_works() {
    if !apart::has_networks_of_its_own() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("the repository");
    let page = std::fs::read_to_string(root.join("README.md")).expect("the page exists");
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Like a clone, but nothing is written into it.
    for name in ["detectors.yaml", "tests"] {
        let link = std::os::unix::fs::symlink(root.join(name), folder.path().join(name));
        link.expect("writable");
    }
    let script = apart::script(&commands(&page), COMMANDS);
    let output = apart::run(&script, folder.path(), LONGEST_S, Path::new("/dev/null"));
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

/// The constant lines in the page's recording of its first command, by their first words.
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
