//! `-v`: every command that takes it logs what it does.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::binary::{Ended, sparring};

/// A command with arguments that need only the folder's files, with `-v` in place of `@`. `serve` runs one until it
/// has logged something, or is ready, and ends it.
const COMMANDS: &[(&str, &str)] = &[
    ("test", "sparring test acis smoke --time-scale 0.02 @"),
    (
        "up",
        "serve sparring up --free-ports --quiet --data-dir data @",
    ),
    ("mock", "serve sparring mock one --port 0 @"),
    (
        "orchestrator",
        "serve sparring orchestrator --port 0 --data-dir data @",
    ),
    ("fault", "sparring fault one --failure-rate 0.5 @"),
    ("fault list", "sparring fault list @"),
    ("fault reset", "sparring fault reset @"),
    ("plan", "sparring plan @"),
    ("record", "sparring record one @"),
    ("drill", "sparring drill drill.yaml @"),
    ("config", "sparring config smoke @"),
];

/// Servers log what they do anyway.
const SERVERS: [&str; 2] = ["mock", "orchestrator"];

const SERVE: &str = "serve() { \"$@\" >out 2>&1 & \
    until grep -q -e ' INFO ' -e ready out || ! kill -0 $! 2>/dev/null; do sleep 0.05; done; \
    kill -TERM $! 2>/dev/null; wait $!; cat out; }\n";

const DRILL: &str = "title: t
steady_state: { for_ms: 1000, expect: { answered: 0.9 } }
faults: [{ detector: one, patch: { success_rate: 0 }, for_ms: 500 }]
recover: { within_ms: 1000 }
";

fn ran(command: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    // Nothing listens on the port of the detector.
    write(
        "detectors.yaml",
        "service: { port: 1 }\ndetectors: { one: { endpoint: 'http://127.0.0.1:1/detect' } }\n",
    );
    write("drill.yaml", DRILL);
    let binary = Path::new(env!("CARGO_BIN_EXE_sparring"));
    let own = binary.parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)));
    let mut shell = Command::new("timeout");
    shell.args(["60", "bash", "-c", &format!("{SERVE}{command}")]);
    for (name, value) in sparring().get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell
        .env("PATH", path.expect("a search path"))
        .env_remove("LOG_LEVEL")
        .env_remove("RUST_LOG")
        .current_dir(folder.path())
        .output();
    output.expect("there is a shell").into()
}

/// Lines of the log above debugging.
fn informs(ended: &Ended) -> bool {
    ended.stdout.contains(" INFO ") || ended.stderr.contains(" INFO ")
}

/// The commands whose help has the flag. `run` has k6's, which is compared with k6.
fn with_flag() -> BTreeSet<String> {
    let ended: Ended = sparring().arg("manual").output().expect("it runs").into();
    let sections = ended.stdout.split("\n## sparring ").skip(1);
    let parts = sections.flat_map(|section| section.split("\n### sparring "));
    let flagged = parts.filter(|part| part.contains("`-v, --verbose`"));
    let names = flagged.filter_map(|part| part.lines().next());
    names.map(str::to_owned).collect()
}

#[test]
fn every_command_that_can_be_verbose_says_what_it_does() {
    let known: BTreeSet<String> = COMMANDS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(with_flag(), known);
    for (name, command) in COMMANDS {
        let verbose = ran(&command.replace('@', "-v"));
        let told = format!("{name}\n{}\n{}", verbose.stdout, verbose.stderr);
        assert!(informs(&verbose), "nothing is logged with -v: {told}");
        assert!(!told.contains(" DEBUG "), "{told}");
        if !SERVERS.contains(name) {
            let quiet = ran(&command.replace('@', ""));
            assert!(
                !informs(&quiet),
                "{name}\n{}\n{}",
                quiet.stdout,
                quiet.stderr
            );
        }
    }
}

#[test]
fn a_test_tells_its_target_its_phases_and_its_end() {
    let ended = ran("sparring test acis smoke --time-scale 0.02 -v");
    for said in [
        "acis is under test",
        "the results folder was created",
        "begins",
        "the test has ended",
    ] {
        assert!(
            ended.stderr.contains(said),
            "no {said:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn the_flag_or_the_variable_counts_whichever_logs_more() {
    let plan =
        |variable: &str, flag: &str| ran(&format!("LOG_LEVEL={variable} sparring plan {flag}"));
    assert!(informs(&plan("error", "-v")));
    assert!(informs(&plan("info", "")));
    assert!(!informs(&plan("error", "")));
}
