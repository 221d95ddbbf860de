//! `sparring config`: what is in force, and where it comes from.

mod flags;
mod load;
mod origin;
mod variables;

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, test};
use crate::terminal::{self, say};
use origin::Setting;

/// Print the settings that `sparring test` would have, and where each comes from
///
/// A setting comes from a flag, an environment variable, the suite file or the fleet file, or the default;
/// the first of these that has it counts.
///
/// The arguments are those of `sparring test`. Nothing is run, and no service is asked.
// The name of a group of arguments is that of its struct, and those of the test have this name, too.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "explained")]
pub struct Arguments {
    /// Show where each value comes from; without it, the values alone
    #[arg(long)]
    explain: bool,
    /// As JSON, with the origins
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    test: test::Arguments,
}

const EXAMPLES: &str = "\
Examples:
  sparring config --explain acis load    what `sparring test acis load` obeys, and why
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
    let (origin, name) = setting.origin.parts();
    json!({
        "setting": setting.name,
        "value": setting.value,
        "origin": origin,
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
            say!("{name:names$}  {value:values$}  {}{about}", setting.origin);
        } else {
            say!("{name:names$}  {value}");
        }
    }
}
