//! Purity: decisions read no clock, no environment and no generator of their own, and the environment is read only
//! at the places that docs/decisions/0025 lists.

use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use super::modules::{entries, is_test, shipped};

/// Crates, or folders in them, whose code is given `now` and `rng`, with the files in them that are
/// thin wrappers around that code.
const PURE: [(&str, &[&str]); 5] = [
    ("crates/analysis/src", &[]),
    ("crates/fault-profile/src", &[]),
    ("crates/load-metrics/src", &["recorder.rs"]),
    (
        "crates/resilience/src",
        &["breaker/handle.rs", "limit/gate.rs"],
    ),
    ("crates/suite/src/judge", &[]),
];

/// Pure files of a crate that has a clock: the pacing of the driver.
const PURE_FILES: [&str; 4] = [
    "crates/load-engine/src/executor/arrival/times.rs",
    "crates/load-engine/src/plan.rs",
    "crates/load-engine/src/segment.rs",
    "crates/load-engine/src/thresholds.rs",
];

/// The ends of paths that are banned in them.
const BANNED: [&[&str]; 7] = [
    &["Instant", "now"],
    &["SystemTime", "now"],
    &["env", "var"],
    &["env", "var_os"],
    &["env", "vars"],
    &["rand", "rng"],
    &["rand", "random"],
];

/// Files that may read the environment of the process: that of the binary, the one that reads the layer of the fleet
/// file, the one that cleans the environment of Locust, and those that serve only tests.
const READERS: [&str; 6] = [
    "fleet/src/load.rs",
    "suite/src/run/locust/process.rs",
    "sparring/src/environment.rs",
    "job-store/src/failing_disk.rs",
    "job-store/src/testing/redis_server.rs",
    "orchestrator/src/mutate.rs",
];

/// Crates whose flags may have a variable, which clap reads: those with a command line.
const WITH_FLAGS: [&str; 2] = ["load-driver", "sparring"];

/// The ends of paths that read the environment; `Env` is figment's.
const ENVIRONMENT: [&[&str]; 6] = [
    &["Env", "prefixed"],
    &["Env", "raw"],
    &["env", "var"],
    &["env", "var_os"],
    &["env", "vars"],
    &["env", "vars_os"],
];

pub(super) fn check(root: &Path) -> Vec<String> {
    let mut found: Vec<String> = PURE
        .iter()
        .flat_map(|(folder, wrappers)| match shipped(&root.join(folder)) {
            Ok(files) => check_files(folder, wrappers, &files),
            Err(message) => vec![message],
        })
        .collect();
    for file in PURE_FILES {
        match std::fs::read_to_string(root.join(file)) {
            Ok(text) => found.extend(check_files("", &[], &[(file.into(), text)])),
            Err(error) => found.push(format!("{file}: {error}")),
        }
    }
    match readers(&root.join("crates")) {
        Ok(readers) => found.extend(readers),
        Err(message) => found.push(message),
    }
    found
}

/// Reads of the environment outside [`READERS`].
fn readers(crates: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for folder in entries(crates)? {
        let source = folder.join("src");
        for (file, text) in shipped(&source)? {
            let path = source.join(&file);
            let path = path.strip_prefix(crates).unwrap_or(&path);
            if READERS.iter().any(|reader| path == Path::new(reader)) {
                continue;
            }
            let parsed =
                syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            if !WITH_FLAGS.iter().any(|name| path.starts_with(name)) && has_variable(&parsed) {
                found.push(format!(
                    "crates/{}: a flag with a variable; only crates with a command line have them",
                    path.display()
                ));
            }
            found.extend(banned(&parsed, &ENVIRONMENT).into_iter().map(|call| {
                let path = path.display();
                format!("crates/{path}: {call}; only the binary's environment.rs reads variables")
            }));
        }
    }
    Ok(found)
}

fn check_files(folder: &str, wrappers: &[&str], files: &[(PathBuf, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in files {
        if wrappers.iter().any(|wrapper| file == Path::new(wrapper)) {
            continue;
        }
        match syn::parse_file(text) {
            Ok(parsed) => found.extend(banned(&parsed, &BANNED).into_iter().map(|path| {
                let file = Path::new(folder).join(file);
                let file = file.display();
                format!("{file}: {path} in pure code; take it as an argument")
            })),
            Err(error) => found.push(format!("{folder}/{}: {error}", file.display())),
        }
    }
    found
}

/// The paths in a file that end like one in `ends`, without those in tests.
fn banned(file: &syn::File, ends: &[&[&str]]) -> Vec<String> {
    let mut finder = Finder {
        ends,
        found: Vec::new(),
    };
    finder.visit_file(file);
    finder.found
}

/// Whether a flag of clap in this file takes its value from a variable.
fn has_variable(file: &syn::File) -> bool {
    let mut flags = Flags(false);
    flags.visit_file(file);
    flags.0
}

struct Flags(bool);

impl<'ast> Visit<'ast> for Flags {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && attribute.path().is_ident("arg")
        {
            let tokens = list.tokens.to_string();
            let mut words = tokens.split(|it: char| !it.is_alphanumeric() && it != '_');
            self.0 |= words.any(|word| word == "env");
        }
    }
}

struct Finder<'a> {
    ends: &'a [&'a [&'a str]],
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes: &[syn::Attribute] = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if self.ends.iter().any(|end| ends_with(&names, end)) {
            self.found.push(names.join("::"));
        }
        visit::visit_path(self, path);
    }
}

fn ends_with(names: &[String], end: &[&str]) -> bool {
    names.len() >= end.len() && names[names.len() - end.len()..] == *end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let file = syn::parse_file(text).expect("Rust");
        assert_eq!(banned(&file, &BANNED), expected, "{text}");
    }

    #[test]
    fn every_way_to_read_the_environment_is_found() {
        let text = "fn f() { env::var(A); std::env::vars_os(); figment::providers::Env::prefixed(B); Env::raw(); }";
        let file = syn::parse_file(text).expect("Rust");
        let expected = [
            "env::var",
            "std::env::vars_os",
            "figment::providers::Env::prefixed",
            "Env::raw",
        ];
        assert_eq!(banned(&file, &ENVIRONMENT), expected);
        for (flag, expected) in [
            ("#[arg(long, env = \"A\")]", true),
            ("#[clap(flatten)]", false),
            ("#[arg(long, value_name = \"ENV\")]", false),
        ] {
            let text = format!("struct Arguments {{ {flag} one: String }}");
            let file = syn::parse_file(&text).expect("Rust");
            assert_eq!(has_variable(&file), expected, "{flag}");
        }
    }

    #[test]
    fn clocks_environment_and_generators_are_found_and_tests_are_left_out() {
        check(
            "fn f() { std::time::Instant::now(); }",
            &["std::time::Instant::now"],
        );
        check("fn f() { g(SystemTime::now) }", &["SystemTime::now"]);
        check("fn f() { std::env::var(\"X\"); }", &["std::env::var"]);
        check("fn f(rng: &mut R) { rand::rng(); }", &["rand::rng"]);
        check("fn f(now: Instant) -> Instant { now }", &[]);
        check("#[cfg(test)] mod tests { fn f() { Instant::now(); } }", &[]);
    }
}
