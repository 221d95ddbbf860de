//! `sparring init`: files for tests of the user's own service.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fleet::Endpoint;

use super::CommandResult;
use crate::run_folder;
use crate::terminal::{Usage, say};

/// Write the files to test your own service: a script, a suite, mocks and a workflow for CI
///
/// The files are a k6 script, a suite with a smoke and a load test, mocks of the service's dependencies,
/// and a workflow for CI. The command asks no questions, and the files can be run unchanged.
///
/// Existing files are replaced only with --force; without it, nothing is written if one exists.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Folder for the files; created if it is missing
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// The service under test
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    base_url: String,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  sparring init                          in the current folder, for a service on port 8080
  sparring init perf --base-url http://127.0.0.1:3000
  sparring test suite.yaml smoke         the first run";

/// A file with its text; `@BASE_URL@` stands for the URL as a string in quotes.
const FILES: [(&str, &str); 4] = [
    ("load.js", include_str!("../../templates/load.js")),
    ("suite.yaml", include_str!("../../templates/suite.yaml")),
    (
        "detectors.yaml",
        include_str!("../../templates/detectors.yaml"),
    ),
    (
        ".github/workflows/performance.yml",
        include_str!("../../templates/performance.yml"),
    ),
];

pub fn execute(arguments: &Arguments) -> CommandResult {
    let folder = &arguments.folder;
    let url = &arguments.base_url;
    Endpoint::parse(url).map_err(|why| Usage(format!("--base-url: {why}")))?;
    let url = url.trim_end_matches('/');
    if folder.exists() && !folder.is_dir() {
        return Err(Usage(format!("{} is a file; name a folder", folder.display())).into());
    }
    let there: Vec<String> = FILES
        .iter()
        .map(|(name, _)| place(folder, name))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() && !arguments.force {
        let (are, them) = match there.len() {
            1 => ("exists", "it"),
            _ => ("exist", "them"),
        };
        let there = there.join(", ");
        return Err(format!(
            "{there} {are} already; nothing was written. Use another DIR, or --force to replace {them}"
        )
        .into());
    }
    let quoted = serde_json::to_string(url)?;
    for (name, text) in FILES {
        let path = place(folder, name);
        run_folder::write(&path, text.replace("@BASE_URL@", &quoted).as_bytes())?;
        say!("wrote {}", path.display());
    }
    say!("{}", next(folder, url));
    Ok(ExitCode::SUCCESS)
}

/// The commands that come next, from the folder where the files are.
fn next(folder: &Path, url: &str) -> String {
    let enter = match folder == Path::new(".") {
        true => String::new(),
        false => format!("  cd {}\n", quoted(&folder.display().to_string())),
    };
    let workflow = match folder == Path::new(".") {
        true => "",
        false => "\nFor CI, move the workflow to .github/workflows at the root of your repository.",
    };
    format!(
        "\nNext:\n{enter}  sparring doctor --base-url {url} --script load.js\n  \
         sparring test suite.yaml smoke{workflow}"
    )
}

/// The path of a file, without a leading `./`.
fn place(folder: &Path, name: &str) -> PathBuf {
    match folder == Path::new(".") {
        true => PathBuf::from(name),
        false => folder.join(name),
    }
}

/// The text quoted as one word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@%".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_commands_can_be_pasted() {
        for (folder, enter) in [
            ("perf", "  cd perf\n"),
            ("my perf", "  cd 'my perf'\n"),
            ("it's", "  cd 'it'\\''s'\n"),
        ] {
            let text = next(Path::new(folder), "http://127.0.0.1:1");
            assert!(text.contains(enter), "{text}");
        }
        assert!(!next(Path::new("."), "http://127.0.0.1:1").contains("cd "));
    }
}
