//! The one check: everything that has to hold before a change lands.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use clap::Args;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Leave the tests out, where they have just been run
    #[arg(long)]
    skip_tests: bool,
}

/// Runs all steps, also behind a failed one, and prints a line for each. True: all held.
pub fn run(root: &Path, arguments: &Arguments) -> bool {
    let mut steps: Vec<(&str, Vec<&str>)> = vec![
        ("fmt", vec!["cargo", "fmt", "--all", "--check"]),
        (
            "clippy",
            vec![
                "cargo",
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
        (
            "docs",
            vec!["cargo", "doc", "--workspace", "--no-deps", "--quiet"],
        ),
        (
            "fleet file",
            vec!["cargo", "run", "--quiet", "--", "check", "detectors.yaml"],
        ),
        ("CI script", vec!["bash", "-n", ".ci/run"]),
    ];
    if !arguments.skip_tests {
        steps.push(("tests", vec!["cargo", "test", "--workspace", "--quiet"]));
    }
    if installed("cargo-deny") {
        steps.push((
            "licences",
            vec!["cargo", "deny", "check", "licenses", "bans", "sources"],
        ));
    } else {
        println!("validate: licences: skipped, `cargo install --locked cargo-deny` brings it");
    }
    let mut sound = report("tidy", || crate::tidy::run(root));
    for (name, command) in &steps {
        sound &= report(name, || execute(root, command));
    }
    sound
}

fn report(name: &str, step: impl FnOnce() -> bool) -> bool {
    let begun = Instant::now();
    let held = step();
    let verdict = if held { "ok" } else { "FAILED" };
    println!(
        "validate: {name}: {verdict} ({:.0} s)",
        begun.elapsed().as_secs_f64()
    );
    held
}

fn execute(root: &Path, command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    let mut process = Command::new(program);
    process
        .args(arguments)
        .current_dir(root)
        .env("RUSTDOCFLAGS", "-D warnings");
    process.status().is_ok_and(|status| status.success())
}

fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}
