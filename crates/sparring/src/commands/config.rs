//! `sparring config`: the settings in force, and their sources.

mod flags;
mod load;
mod source;
pub mod variables;

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, test};
use crate::terminal::{self, say};
use source::Setting;

/// Print the settings of `sparring test`, and the source of each
///
/// A setting comes from a flag, an environment variable, the suite file or the fleet file, or the default;
/// the first of these that sets it takes effect.
///
/// The arguments are those of `sparring test`. Nothing is run, and no service is contacted.
// clap names a group of arguments after its struct, and the struct of the test has the same name.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "explained")]
pub struct Arguments {
    /// Show the source of each value, not only the values
    #[arg(long)]
    explain: bool,
    /// As JSON, with the sources
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    test: test::Arguments,
}

const EXAMPLES: &str = "\
Examples:
  sparring config --explain acis load    the settings of `sparring test acis load`, with sources
  LOCUST_USERS=25 sparring config --explain load
                                         a variable, and the test that reads it
  sparring config --explain --json acso quick-check --time-scale 0.1
                                         for programs";

pub fn execute(arguments: &Arguments) -> CommandResult {
    arguments.test.init_logging();
    let planned = match test::plan(&arguments.test)? {
        Ok(planned) => planned,
        Err(refused) => return Ok(test::refuse(refused.as_ref())),
    };
    let matches = crate::cli::arguments_of("config");
    let mut settings = flags::settings(matches.as_ref(), &arguments.test, &planned);
    settings.extend(load::settings(&arguments.test, &planned));
    settings.extend(variables::settings());
    if arguments.json {
        let all: Vec<_> = settings.iter().map(in_json).collect();
        say!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print(&settings, arguments.explain);
    }
    Ok(terminal::printed(ExitCode::SUCCESS))
}

fn in_json(setting: &Setting) -> serde_json::Value {
    let (source, name) = setting.source.parts();
    json!({
        "setting": setting.name,
        "value": setting.value,
        "origin": source,
        "by": name,
        "about": setting.about,
    })
}

fn print(settings: &[Setting], explain: bool) {
    let width = |of: fn(&Setting) -> usize| settings.iter().map(of).max().unwrap_or_default();
    let names = width(|setting| setting.name.chars().count());
    let values = width(|setting| {
        setting
            .value
            .as_deref()
            .unwrap_or("-")
            .chars()
            .count()
            .min(48)
    });
    for setting in settings {
        let value = setting.value.as_deref().unwrap_or("-");
        let name = &setting.name;
        if explain {
            let about = match setting.about {
                "" => String::new(),
                about => format!("; {about}"),
            };
            say!("{name:names$}  {value:values$}  {}{about}", setting.source);
        } else {
            say!("{name:names$}  {value}");
        }
    }
}
