//! The newcomer's script handles every command of the README: with dummy programs instead of cargo, curl and sparring,
//! it runs to its end.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const CARGO: &str = r#"#!/bin/bash
echo "cargo $*" >>"$CALLS"
mkdir -p "$CARGO_TARGET_DIR/release"
cp "$STUBS/curl" "$CARGO_TARGET_DIR/release/sparring"
if [ "$1" = install ]; then mkdir -p "${@: -1}/bin"; cp "$STUBS/curl" "${@: -1}/bin/sparring"; fi
"#;
const OTHER: &str = r#"#!/bin/bash
echo "$(basename "$0") $*" >>"$CALLS"
echo circuit_breaker_state
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
}

/// The output of the script with dummy programs.
fn run(folder: &Path) -> (bool, String, String) {
    for (name, text) in [("cargo", CARGO), ("curl", OTHER)] {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writable");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its own file");
    }
    let calls = folder.join("calls");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(root().join("tests/newcomer.sh"))
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("STUBS", folder)
        .env("CALLS", &calls)
        .env("NEWCOMER_TARGET", folder.join("target"))
        .output()
        .expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let called = std::fs::read_to_string(calls).unwrap_or_default();
    (output.status.success(), said, called)
}

#[test]
fn every_command_of_the_readme_is_run_or_left_out_with_a_word() {
    let is_clone = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(root())
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_clone {
        eprintln!("SKIPPED: this is not a clone");
        return;
    }
    let folder = std::env::temp_dir().join(format!("sparring-newcomer-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    let (ended_well, said, called) = run(&folder);
    std::fs::remove_dir_all(&folder).expect("its own folder");
    assert!(ended_well, "{said}");
    assert!(said.contains("work in a fresh clone"), "{said}");
    assert!(said.contains("skipped: docker compose"), "{said}");
    assert!(
        called.starts_with("cargo run --release -- test smoke\n"),
        "{called}"
    );
    for call in [
        "sparring up -q",
        "sparring init perf --base-url http://127.0.0.1:8100",
        "sparring fault mock-detector-failing --failure-rate 1.0",
        "curl -s localhost:8000/orchestrate -H",
        "cargo install --locked --path crates/sparring --root",
    ] {
        assert!(called.contains(call), "no {call} in\n{called}");
    }
}
