//! `sparring compare`: whether the second of two runs is worse.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use report::compare::{self, Change, Compared, Options, Summary};
use report::{Outcome, RunRecord};
use serde_json::Value;

use super::CommandResult;
use crate::baselines::Baselines;
use crate::run_folder::{self, RunFolder};
use crate::stdout;
use crate::terminal::{complain, say};

/// Compare a run with a baseline
///
/// A figure is a regression when it is worse by the tolerance or more, by its estimate or by the end of a
/// narrow interval, and the test excludes chance. "No regression" is reported only if a change of that size would
/// have been detected. Two summaries in the documents' formats (performance_baseline.json, performance_results.json) are compared
/// by the tolerance alone.
///
/// Exit codes: 0 no regression, 3 regression, 4 inconclusive, 2 the runs cannot be compared, 1 a file
/// cannot be read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The run to compare with, or `baseline` for the current one of the candidate's suite and testbed
    #[arg(value_name = "BASELINE")]
    baseline: PathBuf,
    /// The run to judge
    #[arg(value_name = "CANDIDATE")]
    candidate: PathBuf,
    /// The relative change that matters
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    tolerance: f64,
    /// The confidence of tests and intervals
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    confidence: f64,
    /// Compare even runs on different testbeds or of different plans
    #[arg(long)]
    force: bool,
    /// As JSON
    #[arg(long, conflicts_with = "pr_comment")]
    json: bool,
    /// As a comment on a pull request: the changes, with the tables folded
    #[arg(long)]
    pr_comment: bool,
    /// The folder for results
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
    /// The folder of baselines [default: baselines in the folder for results]
    #[arg(long, value_name = "FOLDER")]
    baselines: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  sparring compare results/20260814T093000Z-acis results/20260815T093000Z-acis
  sparring compare baseline 20260815T093000Z-acis --pr-comment
  sparring compare performance_baseline.json performance_results.json";

/// The exit code for runs that cannot be compared.
const REFUSED: u8 = 2;

/// The content of a path.
enum Given {
    Run(Box<RunRecord>),
    Summary(Summary),
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

pub fn execute(arguments: &Arguments) -> CommandResult {
    let candidate = given(&arguments.candidate, &arguments.results)?;
    if arguments.baseline == Path::new("baseline") {
        return with_current(arguments, &candidate);
    }
    let baseline = given(&arguments.baseline, &arguments.results)?;
    match (baseline, candidate) {
        (Given::Run(baseline), Given::Run(candidate)) => {
            runs(arguments, &baseline, &candidate, None)
        }
        (baseline, candidate) => Ok(summaries(
            arguments,
            &baseline.summary(),
            &candidate.summary(),
        )),
    }
}

fn with_current(arguments: &Arguments, candidate: &Given) -> CommandResult {
    let Given::Run(candidate) = candidate else {
        complain!(
            "error: only a run has a current baseline; name the file to compare a summary with"
        );
        return Ok(ExitCode::from(REFUSED));
    };
    let folder = arguments.baselines.clone();
    let folder = folder.unwrap_or_else(|| arguments.results.join("baselines"));
    let (baseline, oldest) = Baselines::new(&folder).for_run(candidate)?;
    runs(arguments, &baseline, candidate, oldest.as_ref())
}

/// A run, or a summary in one of the documents' formats.
fn given(path: &Path, results: &Path) -> Result<Given, Failure> {
    let Some(found) = run_folder::report_json(path, results) else {
        // For the message with the searched places.
        let RunFolder { record, .. } = run_folder::find(path, results)?;
        return Ok(Given::Run(Box::new(record)));
    };
    match run_folder::read(&found) {
        Ok(run) => Ok(Given::Run(Box::new(run.record))),
        Err(error) => {
            let text = std::fs::read_to_string(&found).unwrap_or_default();
            let summary = serde_json::from_str::<Value>(&text).ok();
            match summary.as_ref().and_then(Summary::of_json) {
                Some(summary) => Ok(Given::Summary(summary)),
                None => Err(error.into()),
            }
        }
    }
}

impl Given {
    fn summary(&self) -> Summary {
        match self {
            Self::Run(run) => Summary::of_run(run),
            Self::Summary(summary) => *summary,
        }
    }
}

fn runs(
    arguments: &Arguments,
    baseline: &RunRecord,
    candidate: &RunRecord,
    oldest: Option<&RunRecord>,
) -> CommandResult {
    let options = Options {
        tolerance: arguments.tolerance,
        confidence: arguments.confidence,
        force: arguments.force,
    };
    let mut compared = match compare::compare(baseline, candidate, &options) {
        Ok(compared) => compared,
        Err(refused) => {
            complain!("error: {refused}");
            return Ok(ExitCode::from(REFUSED));
        }
    };
    if let Some(oldest) = oldest {
        compared.notes.push(drift(oldest, candidate, &options));
    }
    if arguments.json {
        say!(
            "{}",
            serde_json::to_string_pretty(&compare::json(&compared))?
        );
    } else if arguments.pr_comment {
        stdout::print(&compare::pull_request(&compared));
    } else {
        stdout::print(&compare::markdown(&compared));
    }
    Ok(ExitCode::from(compared.outcome.exit_code()))
}

/// The distance of the candidate from the oldest baseline, since small steps add up.
fn drift(oldest: &RunRecord, candidate: &RunRecord, options: &Options) -> String {
    let forced = Options {
        force: true,
        ..*options
    };
    let Ok(compared) = compare::compare(oldest, candidate, &forced) else {
        return format!(
            "Drift from the oldest baseline {}: not comparable.",
            oldest.run
        );
    };
    let worse = largest_drift(&compared);
    let verdict = match compared.outcome {
        Outcome::Regression => "a regression",
        Outcome::Passed => "no regression",
        _ => "inconclusive",
    };
    format!(
        "Drift from the oldest baseline {}: {verdict}{worse}.",
        oldest.run
    )
}

fn largest_drift(compared: &Compared) -> String {
    let lines = compared
        .tests
        .iter()
        .flat_map(|test| test.lines.iter().map(move |line| (test, line)));
    let sized = lines.filter_map(|(test, line)| Some((test, line, line.relative?)));
    let largest = sized
        .filter(|(_, line, _)| line.change != Change::Inconclusive)
        .max_by(|a, b| a.2.abs().total_cmp(&b.2.abs()));
    match largest {
        Some((test, line, relative)) => {
            format!(
                "; the largest change is {} of {}, {:+.1} %",
                line.figure,
                test.title,
                100.0 * relative
            )
        }
        None => String::new(),
    }
}

fn summaries(arguments: &Arguments, baseline: &Summary, candidate: &Summary) -> ExitCode {
    let compared = compare::summaries(baseline, candidate, arguments.tolerance);
    if arguments.json {
        say!("{:#}", compared.json());
    } else {
        stdout::print(&compared.markdown());
    }
    ExitCode::from(compared.outcome.exit_code())
}

/// A share strictly between 0 and 1.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a number"))?;
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(format!("{share} is not between 0 and 1; 0.2 is 20 %"))
    }
}
