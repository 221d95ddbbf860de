//! The display on a terminal: nothing wraps, nothing is left over, and a text-only terminal receives plain text.

use std::process::Command;

use crate::binary::sparring;

const SCRIPT: &str = "
import { sleep } from 'k6';
export const options = { scenarios: {
  a_scenario_with_a_name: { executor: 'constant-vus', vus: 2, duration: '2s' },
} };
export default function () { console.warn('told'); sleep(0.5); }
";

/// The whole output of a command on a terminal of type `term` with this many columns.
fn on_terminal(command: &str, columns: usize, term: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("script.js"), SCRIPT).expect("writable");
    let binary = env!("CARGO_BIN_EXE_sparring");
    let line = format!("stty cols {columns} rows 20; TERM={term} {binary} {command}");
    let mut shell = Command::new("script");
    shell.args(["-qec", &line, "/dev/null"]);
    for (name, value) in sparring().get_envs() {
        if value.is_none() {
            shell.env_remove(name);
        }
    }
    let output = shell
        .env_remove("NO_COLOR")
        .current_dir(folder.path())
        .stdin(std::process::Stdio::null())
        .output();
    let output = output.expect("there is a `script`, of the util-linux package");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A line as displayed: without control sequences for cursor and colours.
fn seen(line: &str) -> String {
    let mut text = String::new();
    let mut parts = line.split('\x1b');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let rest = part.trim_start_matches(['[', '?', ';']);
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        text.push_str(rest.get(1..).unwrap_or_default());
    }
    text.trim_matches(['\r', ' ']).to_owned()
}

#[test]
fn progress_of_a_run_has_bars_and_never_wraps() {
    for columns in [40, 80] {
        let text = on_terminal("run script.js --no-summary", columns, "xterm");
        let drawn: Vec<String> = text
            .split("\x1b[J")
            .skip(1)
            .flat_map(|block| block.lines().take(2).map(seen).collect::<Vec<_>>())
            .filter(|line| line.starts_with("running") || line.starts_with("a_scenario"))
            .collect();
        assert!(!drawn.is_empty(), "{text}");
        // The last block remains: it is written as into a pipe.
        let live = &drawn[..drawn.len().saturating_sub(2)];
        for line in live {
            assert!(line.chars().count() < columns, "{columns}: {line}");
        }
        assert_eq!(text.contains("[="), columns == 80, "{text}");
        assert!(
            text.contains("\x1b[J\r\n"),
            "progress is not cleared: {text}"
        );
    }
}

#[test]
fn a_terminal_of_text_gets_text() {
    for command in [
        "run script.js --no-summary",
        "test acis smoke --time-scale 0.02",
        "up --free-ports --data-dir data --systems nothing",
    ] {
        let text = on_terminal(command, 80, "dumb");
        assert!(!text.contains('\x1b'), "{command}: {text:?}");
        assert!(!text.is_empty(), "{command}");
    }
}

#[test]
fn the_live_line_of_a_test_never_wraps_and_keeps_errors_and_latency() {
    let text = on_terminal("test acis smoke --time-scale 0.2", 40, "xterm");
    let live: Vec<String> = text
        .split("\x1b[2K")
        .map(|part| seen(part.lines().next().unwrap_or_default()))
        .collect();
    for line in live.iter().filter(|line| line.starts_with("smoke  ")) {
        assert!(line.chars().count() < 40, "{line}");
    }
    let measured: Vec<&String> = live
        .iter()
        .filter(|line| line.contains("p95 ") && line.contains("/s"))
        .collect();
    assert!(!measured.is_empty(), "{text:?}");
    for line in measured {
        assert!(line.chars().count() < 40, "{line}");
        assert!(line.ends_with(" errors"), "{line}");
    }
}
