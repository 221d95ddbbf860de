//! `k6 deps`: the imports of a script, and whether this binary can run it; the script is not run.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use load_engine::Exit;
use load_script::Dependencies;
use semver::{Version, VersionReq};
use serde_json::json;

use crate::args::Args;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::surroundings::Surroundings;
use crate::{K6_VERSION, logging, report, target};

/// The versions of extensions that a script leaves open, as JSON.
const MANIFEST: &str = "K6_DEPENDENCIES_MANIFEST";

/// Print what a script depends on, without running it.
#[derive(Debug, ClapArgs)]
pub struct DepsArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: Args,
}

/// Prints the dependencies. Returns the exit code.
pub fn deps(args: &DepsArgs, around: &Surroundings) -> Exit {
    match read(&args.run, around) {
        Ok(found) => {
            around.stdout.print(match args.json {
                true => as_json(&found),
                false => as_text(&found),
            });
            Exit::Success
        }
        Err(failure) => {
            report::failure(&args.run, around, &failure);
            failure.exit
        }
    }
}

fn read(args: &Args, around: &Surroundings) -> Result<Dependencies, Failure> {
    let logger = logging::logger(args, around)?.logger;
    let manifest = manifest(around)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("no runtime for the script: {error}")))?;
    let invocation = Invocation { args, around };
    let found = async {
        let (source, _) = target::source(invocation, false, &logger).await?;
        let url = source.url();
        let found = Dependencies::of(source, &logger).await;
        found.map_err(|why| Failure::other(target::of_script(&args.script, &url, &why)))
    };
    let mut found = runtime.block_on(found)?;
    found.complete(&manifest);
    Ok(found)
}

fn manifest(around: &Surroundings) -> Result<BTreeMap<String, String>, Failure> {
    let Some(text) = around.variable(MANIFEST).filter(|text| !text.is_empty()) else {
        return Ok(BTreeMap::new());
    };
    let read = serde_json::from_str(&text);
    read.map_err(|error| {
        Failure::config(format!("{MANIFEST} is not an object of versions: {error}"))
    })
}

/// Whether this binary lacks something that the script needs: it has few extensions, and reproduces one version of k6.
fn needs_another_binary(found: &Dependencies) -> bool {
    let mut needed = found.extensions.iter();
    needed.any(|(name, versions)| match name.as_str() {
        "k6" => !is_met(versions),
        name => !Dependencies::is_built_in(name),
    })
}

/// Whether the version of k6 that is reproduced meets a constraint such as `>=1.2 <3` or `v1.2.3 || v2`.
fn is_met(versions: &str) -> bool {
    let version = Version::parse(K6_VERSION).expect("it is three numbers");
    let mut ranges = versions.split("||").map(range);
    ranges.any(|range| range.is_some_and(|range| range.matches(&version)))
}

fn range(text: &str) -> Option<VersionReq> {
    let is_operator = |c: char| "<>=~^!".contains(c);
    let mut comparators: Vec<String> = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let before = comparators
            .last_mut()
            .filter(|last| last.ends_with(is_operator));
        let whole = match before {
            Some(operator) => {
                operator.push_str(word.trim_start_matches('v'));
                continue;
            }
            None => word,
        };
        let at = whole.find(|c| !is_operator(c)).unwrap_or(whole.len());
        let (operator, number) = whole.split_at(at);
        let number = number.trim_start_matches('v');
        let is_bare = operator.is_empty() && number != "*";
        comparators.push(format!("{}{number}", if is_bare { "=" } else { operator }));
    }
    VersionReq::parse(&comparators.join(",")).ok()
}

fn as_json(found: &Dependencies) -> String {
    let value = json!({
        "buildDependencies": found.extensions,
        "imports": found.imports,
        "customBuildRequired": needs_another_binary(found),
    });
    serde_json::to_string_pretty(&value).expect("JSON values can be written") + "\n"
}

fn as_text(found: &Dependencies) -> String {
    let extensions = found.extensions.iter();
    let extensions: Vec<String> = extensions
        .map(|(name, versions)| format!("{name} {versions}"))
        .collect();
    let list = |title: &str, lines: Vec<&str>| {
        let lines = match lines.is_empty() {
            true => vec!["(none)"],
            false => lines,
        };
        let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        format!("{title}:\n{lines}\n")
    };
    let required = match needs_another_binary(found) {
        true => {
            "yes: k6 with these extensions or of this version; of the extensions, sparring has only k6/x/redis"
        }
        false => "no",
    };
    list(
        "Build dependencies",
        extensions.iter().map(String::as_str).collect(),
    ) + &list(
        "Imports",
        found.imports.iter().map(String::as_str).collect(),
    ) + &format!("Custom build required: {required}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_those_of_semantic_versions() {
        for (versions, expected) in [
            ("*", true),
            (">=1.2", true),
            (">= v1.2", true),
            (">=1.0 <3", true),
            (">1.0, <2.0", false),
            ("2.2.0", true),
            ("v2.2", true),
            ("2.1.0", false),
            ("1.1.0 || ^2.0", true),
            ("~2.1", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_met(versions), expected, "{versions}");
        }
    }
}
