//! `sparring report`: the files of a run again, or several runs on one page.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use report::annotations;
use report::export::{Artefact, Format};
use report::page;

use super::CommandResult;
use crate::run_folder::{self, RunFolder};
use crate::stdout;
use crate::terminal::{complain, say};

/// Write the reports of a run again, or several runs side by side
///
/// Reads only report.json: no network, no target. The same run gives the same bytes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Runs: folders, report.json files, or names in the folder for results
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// What to write, repeatable or with commas: html, markdown, junit, csv, json, detectors, acso, aiaas,
    /// acis, agent360, rules, or all
    #[arg(
        long,
        short = 'f',
        value_name = "FORMAT",
        value_delimiter = ',',
        default_value = "html"
    )]
    format: Vec<String>,
    /// Where to write: a folder, or - for standard output [default: the run's folder; for several runs the current one]
    #[arg(long, short = 'o', value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Instead of files, write phases, faults and verdicts of the runs to this Grafana as annotations, with the
    /// token in GRAFANA_TOKEN
    #[arg(long, value_name = "URL", conflicts_with_all = ["format", "output"])]
    grafana: Option<String>,
    /// The folder for results
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  sparring report results/20260814T093000Z-acis
  sparring report 20260814T093000Z-acis --format html,csv,junit --output out
  sparring report RUN --format markdown --output -
  sparring report RUN --format rules     Prometheus alerts from the run's thresholds, with unit tests for promtool
  sparring report RUN --grafana http://localhost:3000
  sparring report RUN1 RUN2 RUN3";

/// The exit code of an invalid command line.
const USAGE: u8 = 2;

pub fn execute(arguments: &Arguments) -> CommandResult {
    let formats = match formats(&arguments.format) {
        Ok(formats) => formats,
        Err(message) => return Ok(usage(&message)),
    };
    if let Some(output) = &arguments.output
        && let Some(message) = not_a_folder(output)
    {
        return Ok(usage(&message));
    }
    let mut runs = Vec::new();
    for name in &arguments.runs {
        runs.push(run_folder::find(name, &arguments.results)?);
    }
    if let Some(url) = &arguments.grafana {
        let grafana = super::test::grafana(url);
        for run in &runs {
            grafana.post(&annotations::all(&run.record))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (folder, artefacts) = match runs.as_slice() {
        [run] => (run.folder.clone(), one(run, &formats)),
        runs if runs.len() > page::MOST => {
            return Ok(usage(&format!("at most {} runs fit on a page", page::MOST)));
        }
        _ if formats != [Format::Html] => {
            return Ok(usage(
                "several runs are shown only as html; the other formats take one run",
            ));
        }
        _ => {
            let records: Vec<_> = runs.into_iter().map(|run| run.record).collect();
            let bytes = page::several(&records).into_bytes();
            let name = "side-by-side.html".to_owned();
            (PathBuf::from("."), vec![Artefact { name, bytes }])
        }
    };
    match arguments.output.as_deref() {
        Some(output) if output == Path::new("-") => Ok(print(&artefacts)),
        output => write(output.unwrap_or(&folder), &artefacts),
    }
}

fn formats(names: &[String]) -> Result<Vec<Format>, String> {
    if names.iter().any(|name| name == "all") {
        return Ok(Format::ALL
            .into_iter()
            .filter(|format| *format != Format::Json)
            .collect());
    }
    let formats = names.iter().map(|name| name.parse::<Format>());
    let mut formats: Vec<Format> = formats
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    formats.sort();
    formats.dedup();
    Ok(formats)
}

/// A file, or a name that can only be meant for one, instead of a folder.
fn not_a_folder(output: &Path) -> Option<String> {
    const ENDINGS: [&str; 6] = ["md", "html", "json", "xml", "csv", "txt"];
    let name = output.display();
    if output.is_file() {
        return Some(format!(
            "{name} is a file; --output takes a folder, or - for standard output"
        ));
    }
    let ending = output.extension().and_then(|ending| ending.to_str());
    let is_of_file = ending.is_some_and(|ending| ENDINGS.contains(&ending));
    (is_of_file && !output.exists()).then(|| {
        format!(
            "{name} is the name of a file; --output takes a folder, or - for standard output, as in `--output - >{name}`"
        )
    })
}

fn one(run: &RunFolder, formats: &[Format]) -> Vec<Artefact> {
    let baseline = run.baseline();
    formats
        .iter()
        .flat_map(|format| format.artefacts_beside(&run.record, baseline.as_ref()))
        .collect()
}

fn print(artefacts: &[Artefact]) -> ExitCode {
    match artefacts {
        [artefact] => {
            stdout::print(&String::from_utf8_lossy(&artefact.bytes));
            ExitCode::SUCCESS
        }
        _ => usage(
            "only one file fits on standard output; choose one --format that is a single file",
        ),
    }
}

fn write(folder: &Path, artefacts: &[Artefact]) -> CommandResult {
    for artefact in artefacts {
        let path = folder.join(&artefact.name);
        run_folder::write(&path, &artefact.bytes)?;
        say!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn usage(message: &str) -> ExitCode {
    complain!("error: {message}");
    ExitCode::from(USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_is_no_folder_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("exists.md");
        std::fs::write(&file, "").expect("writable");
        let check = |path: &Path, says: Option<&str>| {
            let said = not_a_folder(path);
            let fits = match (&said, says) {
                (Some(said), Some(text)) => said.contains(text),
                (said, says) => said.is_none() && says.is_none(),
            };
            assert!(fits, "{}: {said:?}", path.display());
        };
        check(&file, Some("is a file; --output takes a folder"));
        check(Path::new("new.html"), Some("--output takes a folder"));
        check(Path::new("-"), None);
        check(Path::new("out"), None);
        check(folder.path(), None);
    }
}
