//! docs/CONFIGURATION.md, docs/METRICS.md and docs/K6-COMPATIBILITY.md, written from the doc comments
//! and help texts in the code and from the scripts that are compared with k6, so that they cannot say
//! anything else.

mod configuration;
mod k6;
mod metrics;

use std::path::Path;

use clap::Args;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only say whether the pages are fresh
    #[arg(long)]
    check: bool,
}

/// Writes the pages, or says which are stale. True: they are fresh now.
pub fn run(root: &Path, arguments: &Arguments) -> bool {
    let mut fresh = true;
    for (name, text) in pages(root) {
        let path = root.join("docs").join(name);
        if std::fs::read_to_string(&path).is_ok_and(|before| before == text) {
            continue;
        }
        if arguments.check {
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

/// True: all pages say what the code says.
pub fn is_fresh(root: &Path) -> bool {
    run(root, &Arguments { check: true })
}

fn pages(root: &Path) -> [(&'static str, String); 3] {
    [
        ("CONFIGURATION.md", configuration::page(root)),
        ("METRICS.md", metrics::page(root)),
        ("K6-COMPATIBILITY.md", k6::page(root)),
    ]
}

/// A source file's text without its tests; empty when it cannot be read, which shows as a stale
/// page.
fn source(root: &Path, path: &str) -> String {
    let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
    text.split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default()
        .to_owned()
}
