//! The reference pages of docs/ and the schemas of suite and system files, written from the doc comments and help texts
//! in the code, from descriptions beside it, from the scripts that are compared with k6, and by the program itself, so
//! that they always agree with the code.

mod api;
mod book;
mod configuration;
mod k6;
mod metrics;

use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only report whether the pages are up to date
    #[arg(long)]
    check: bool,
}

/// Writes the pages, or reports stale ones. Returns whether all are up to date.
pub fn run(root: &Path, arguments: &Arguments) -> bool {
    let mut fresh = true;
    for (name, text) in pages(root) {
        let path = root.join("docs").join(name);
        if std::fs::read_to_string(&path).is_ok_and(|before| before == text) {
            continue;
        }
        if text.is_empty() {
            println!("reference: docs/{name} cannot be made");
            fresh = false;
        } else if arguments.check {
            println!("reference: docs/{name} is stale: run `cargo xtask reference`");
            fresh = false;
        } else if let Err(error) = std::fs::write(&path, text) {
            println!("reference: docs/{name}: {error}");
            fresh = false;
        } else {
            println!("reference: wrote docs/{name}");
        }
    }
    fresh
}

/// Returns whether all pages match the code.
pub fn is_fresh(root: &Path) -> bool {
    run(root, &Arguments { check: true })
}

fn pages(root: &Path) -> [(&'static str, String); 8] {
    [
        ("API.md", api::page(root)),
        ("CLI.md", printed(root, &["manual"])),
        ("CONFIGURATION.md", configuration::page(root)),
        ("METRICS.md", metrics::page(root)),
        ("K6-COMPATIBILITY.md", k6::page(root)),
        (
            "schemas/suite.schema.json",
            printed(root, &["test", "--schema"]),
        ),
        (
            "schemas/system.schema.json",
            printed(root, &["target", "print", "--schema"]),
        ),
        ("SUMMARY.md", book::page(root)),
    ]
}

/// The output of the program; empty if it cannot be built, which shows as a stale page. It is built with the
/// features that the tests have: other ones would compile its dependencies anew.
fn printed(root: &Path, arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["test", "--quiet", "--workspace", "--no-run", "--test", "it"];
    let mut built = Command::new(cargo);
    built.args(build).current_dir(root).stdout(Stdio::null());
    if !built.status().is_ok_and(|status| status.success()) {
        return String::new();
    }
    // Both are in the folder of the same profile.
    let Ok(program) = std::env::current_exe().map(|it| it.with_file_name("sparring")) else {
        return String::new();
    };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .ok()
        .filter(|output| output.status.success());
    output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}

/// The text of a source file without its tests; empty if it cannot be read, which shows as a stale page.
fn source(root: &Path, path: &str) -> String {
    let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .to_owned()
}
