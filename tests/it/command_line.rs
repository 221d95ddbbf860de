//! The command line describes itself: completions, man pages, docs/CLI.md.

use std::path::Path;
use std::process::Command;

use crate::binary::{call, sparring};

/// The candidates of a shell for a command line whose last word is incomplete.
fn completed_in_bash(words: &[&str]) -> Vec<String> {
    let count = words.len() - 1;
    let last = words[count];
    let quoted = words.join(" ");
    let script = format!(
        "source <(sparring completions bash)\nCOMP_WORDS=({quoted}) COMP_CWORD={count} COMP_TYPE=9\n\
         _clap_complete_sparring sparring '{last}' ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let binary = Path::new(env!("CARGO_BIN_EXE_sparring"));
    let folders = [binary.parent().expect("a folder").to_owned()];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path)));
    let output = Command::new("bash")
        .args(["--norc", "-c", &script])
        .env("PATH", path.expect("a search path"))
        .env_remove("SPARRING_CONFIG")
        .output()
        .expect("there is a bash");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{:?}", output.stderr);
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn bash_completes_commands_flags_and_detectors() {
    for (words, expected) in [
        (&["sparring", "complet"][..], "completions"),
        (&["sparring", "completions", "f"], "fish"),
        (&["sparring", "test", "--time-s"], "--time-scale"),
        (
            &["sparring", "fault", "mock-detector-f"],
            "mock-detector-failing",
        ),
    ] {
        assert_eq!(completed_in_bash(words), [expected], "{words:?}");
    }
}

#[test]
fn each_shell_gets_a_script_that_it_can_read() {
    for (shell, sign) in [
        ("bash", "complete -o"),
        ("zsh", "#compdef sparring"),
        ("fish", "complete --"),
    ] {
        let ended = call(["completions", shell]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains(sign), "{shell}: {}", ended.stdout);
        assert!(
            !ended.stdout.contains("target/"),
            "a path: {}",
            ended.stdout
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("script");
        std::fs::write(&file, &ended.stdout).expect("writable");
        // If the shell is installed, it parses the script.
        if let Ok(output) = Command::new(shell).arg("-n").arg(&file).output() {
            assert!(output.status.success(), "{shell}: {:?}", output.stderr);
        }
    }
    assert_eq!(call(["completions", "tcsh"]).code, Some(2));
}

#[test]
fn every_command_has_a_man_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = sparring()
        .args(["manual", "--man"])
        .arg(folder.path())
        .output()
        .expect("it runs");
    assert!(output.status.success());
    let page = |name: &str| {
        let path = folder.path().join(name);
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let main = page("sparring.1");
    assert!(
        main.starts_with(".ie") && main.contains(".TH sparring 1"),
        "{main}"
    );
    for line in call(["--help"]).stdout.lines() {
        let is_command = line.starts_with("  ") && !line.starts_with("   ");
        let Some(name) = line.split_whitespace().next().filter(|_| is_command) else {
            continue;
        };
        if name.chars().all(char::is_alphabetic) && !["help", "sparring"].contains(&name) {
            assert!(
                page(&format!("sparring-{name}.1")).contains("SYNOPSIS"),
                "{name}"
            );
        }
    }
    assert!(page("sparring-fault-reset.1").contains("Revert to the profile"));
    assert!(!folder.path().join("sparring-manual.1").exists());
}

#[test]
fn the_page_of_the_command_line_is_fresh() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CLI.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    let ended = call(["manual"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        page == ended.stdout,
        "docs/CLI.md is stale: run `cargo xtask reference`"
    );
}

#[test]
fn tables_of_the_page_are_whole() {
    let page = call(["manual"]).stdout;
    let mut columns = 0;
    for line in page.lines() {
        let bars = line.replace("\\|", "").matches('|').count();
        if !line.starts_with('|') {
            columns = 0;
        } else if columns == 0 {
            columns = bars;
        } else {
            assert_eq!(bars, columns, "{line}");
        }
    }
    assert!(page.contains("### sparring fault list") || page.contains("## sparring fault"));
}
