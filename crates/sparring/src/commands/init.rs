//! `sparring init`: the files to test a service of one's own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fleet::Endpoint;

use super::CommandResult;
use crate::run_folder;
use crate::terminal::say;

/// Write what tests your own service: a script, a suite, mocks and a workflow for CI
///
/// The files are a k6 script, a suite with a smoke and a load test, mocks of what the service depends on,
/// and a workflow for CI. The command asks nothing, and what it writes can be run as it is.
///
/// A file that exists is not replaced without --force; then nothing is written at all.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Where the files go; made when it is missing
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
  sparring test suite.yaml smoke --base-url http://127.0.0.1:8080
                                         the first run";

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
    let url = arguments.base_url.trim_end_matches('/');
    Endpoint::parse(url).map_err(|why| format!("--base-url: {why}"))?;
    let there: Vec<String> = FILES
        .iter()
        .map(|(name, _)| folder.join(name))
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
            "{there} {are} already; nothing was written: use another DIR, or --force to replace {them}"
        )
        .into());
    }
    let quoted = serde_json::to_string(url)?;
    for (name, text) in FILES {
        let path = folder.join(name);
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
        false => format!("  cd {}\n", folder.display()),
    };
    format!(
        "\nNext:\n{enter}  sparring doctor --base-url {url} --script load.js\n  \
         sparring test suite.yaml smoke --base-url {url}"
    )
}
