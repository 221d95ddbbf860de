//! `sparring baseline`: reference runs for later comparisons.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use report::compare::testbed;

use super::CommandResult;
use crate::baselines::{Baselines, Listed};
use crate::run_folder;
use crate::stdout;
use crate::terminal::say;

/// Save runs as baselines, and choose the current one
///
/// Baselines are kept by suite and testbed (processor, cores, memory, kernel, target) and never changed:
/// a new one gets a new name, and `promote` makes it the current one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The folder for results
    #[arg(long, global = true, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
    /// The folder of baselines [default: baselines in the folder for results]
    #[arg(long, global = true, value_name = "FOLDER")]
    baselines: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  sparring baseline save 20260814T093000Z-acis --name release-1
  sparring baseline list
  sparring baseline promote release-1 --suite acis";

#[derive(Debug, Subcommand)]
enum Command {
    /// Save a run; the first one of its suite and testbed becomes current at once
    Save {
        /// The run: a folder, a report.json, or a name in the folder for results
        #[arg(value_name = "RUN")]
        run: PathBuf,
        /// The baseline's name [default: the run's]
        #[arg(long)]
        name: Option<String>,
    },
    /// List all baselines; * marks the current one
    List,
    /// Make a baseline the current one
    Promote {
        name: String,
        /// The suite, if several have a baseline of this name
        #[arg(long)]
        suite: Option<String>,
    },
    /// Print a baseline's testbed and its performance_baseline.json
    Show {
        name: String,
        /// The suite, if several have a baseline of this name
        #[arg(long)]
        suite: Option<String>,
    },
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let folder = arguments.baselines.clone();
    let folder = folder.unwrap_or_else(|| arguments.results.join("baselines"));
    let baselines = Baselines::new(&folder);
    match &arguments.command {
        Command::Save { run, name } => {
            let run = run_folder::find(run, &arguments.results)?.record;
            let name = name.as_deref().unwrap_or(&run.run);
            say!("{}", baselines.save(&run, name)?.display());
        }
        Command::List => list(&baselines.list()?),
        Command::Promote { name, suite } => {
            let key = baselines.promote(name, suite.as_deref())?;
            say!(
                "{name} is the current baseline of {} on testbed {}",
                key.suite,
                key.testbed
            );
        }
        Command::Show { name, suite } => {
            let listed = baselines.named(name, suite.as_deref())?;
            let run = listed.record?;
            say!(
                "{} of {}, begun {}",
                listed.name,
                listed.key.suite,
                run.began_to_the_second()
            );
            say!(
                "testbed {}: {}",
                listed.key.testbed,
                testbed::describe(&run)
            );
            match report::view::baseline(&run) {
                Some(summary) => {
                    stdout::print(&format!("{}\n", serde_json::to_string_pretty(&summary)?));
                }
                None => say!("it has no figures"),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(all: &[Listed]) {
    if all.is_empty() {
        say!("no baselines");
    }
    for listed in all {
        let mark = if listed.is_current { '*' } else { ' ' };
        let about = match &listed.record {
            Ok(run) => format!(
                "begun {}, {}",
                run.began_to_the_second(),
                run.outcome.word().to_lowercase()
            ),
            Err(error) => format!("unreadable: {error}"),
        };
        say!(
            "{mark} {}  {}  {}  {about}",
            listed.key.suite,
            listed.key.testbed,
            listed.name
        );
    }
}
