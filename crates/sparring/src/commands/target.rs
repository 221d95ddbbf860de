//! `sparring target`: simulated whole systems, and the truth that a correct analysis of them finds.

mod print;
mod recompute;
mod serve;
mod simulate;
mod truth;
mod use_of;

use std::path::Path;

use clap::{Args, Subcommand};
use live_config::Invalid;
use target_systems::{Overrides, Setting, System, systems};

use super::CommandResult;
use crate::environment;
use crate::terminal::Usage;
pub(super) use use_of::Use;

/// Serves a simulated system until Ctrl-C, or prints, simulates and explains one: acso, aiaas, acis, agent360, lab, or a file of your own. All their figures
/// are simulated: nothing burns CPU or memory.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Arguments,
}

const EXAMPLES: &str = "\
Examples:
  sparring target acis                   serve ACIS on port 8000, with a live status line
  sparring target print acso > own.yaml  a file to start a system of your own from
  sparring check own.yaml                all errors of it at once
  sparring target truth acso --mix mixed --users 1200 --think-ms 5000
                                         what a right analysis has to find
  sparring target simulate lab --endpoint mm1 --rate 80 --requests 1000000
                                         a million arrivals in virtual time
  sparring target truth acso --mix mixed --toggle agent_pooling=off
                                         what a toggle changes";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the file of a system, or the JSON schema of such files
    Print(print::Arguments),
    /// Print what a correct analysis of a system has to find
    Truth(truth::Arguments),
    /// Run a system under load in virtual time
    Simulate(simulate::Arguments),
    /// Run a served system again from its log, and report the differences
    Recompute(recompute::Arguments),
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    match (&arguments.command, &arguments.serve.system) {
        (Some(Command::Print(arguments)), _) => print::execute(arguments),
        (Some(Command::Truth(arguments)), _) => truth::execute(arguments),
        (Some(Command::Simulate(arguments)), _) => simulate::execute(arguments),
        (Some(Command::Recompute(arguments)), _) => recompute::execute(arguments),
        (None, Some(system)) => serve::execute(system, &arguments.serve),
        (None, None) => Err("no system is given; try `sparring target acis`".into()),
    }
}

impl Arguments {
    /// Whether the command serves, which matters even if its output is not read.
    pub fn is_long_running(&self) -> bool {
        self.command.is_none()
    }
}

/// A system, with changes to its file.
#[derive(Debug, Args)]
struct SystemArguments {
    /// acso, aiaas, acis, agent360, lab, or a file
    #[arg(value_name = "SYSTEM")]
    system: String,
    #[command(flatten)]
    changes: Changes,
}

/// The changes to a system's file.
#[derive(Debug, Args)]
struct Changes {
    /// Seed of every draw [default: the file's]
    #[arg(long)]
    seed: Option<u64>,
    /// A value of the file, such as hosts.router.cpu_cores=2; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = path_and_value)]
    set: Vec<(String, String)>,
    /// A toggle of the system, such as caching=off; may be repeated
    #[arg(long, value_name = "NAME=on|off", value_parser = toggle)]
    toggle: Vec<(String, bool)>,
    /// All toggles of the group `performance`
    #[arg(
        long,
        env = "ACSO_PERFORMANCE_MODE",
        hide_env_values = true,
        value_name = "true|false"
    )]
    performance: Option<bool>,
    /// Multiplies deadlines, patience and the waits for pools
    #[arg(
        long,
        env = "PERFORMANCE_TIMEOUT_MULTIPLIER",
        hide_env_values = true,
        value_name = "FACTOR"
    )]
    timeout_multiplier: Option<f64>,
}

impl SystemArguments {
    fn load(&self) -> Result<System, Box<dyn std::error::Error + Send + Sync>> {
        self.changes.load(&self.system)
    }
}

impl Changes {
    fn load(&self, system: &str) -> Result<System, Box<dyn std::error::Error + Send + Sync>> {
        let mut settings = of_environment(environment::texts());
        settings.extend(self.set.iter().map(|(path, value)| Setting {
            path: path.split('.').map(str::to_owned).collect(),
            value: value.clone(),
            source: "--set".to_owned(),
        }));
        let overrides = Overrides {
            seed: self.seed,
            settings,
            toggles: self.toggle.clone(),
            performance: self.performance,
            timeout_multiplier: self.timeout_multiplier,
        };
        read(system, &overrides)
    }
}

/// A shipped system or one from a file, with changes.
pub(super) fn read(
    name: &str,
    overrides: &Overrides,
) -> Result<System, Box<dyn std::error::Error + Send + Sync>> {
    let loaded = target_systems::load(&text(name)?, overrides);
    loaded.map_err(|invalid| told(name, &invalid).into())
}

/// The YAML document of a shipped system, or of a file.
fn text(name: &str) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    if let Some(text) = systems::text(name) {
        return Ok(text.to_owned());
    }
    match live_config::read::file(Path::new(name)) {
        Ok(text) => Ok(text),
        Err(_) if Path::new(name).extension().is_none() && !Path::new(name).exists() => {
            let names: Vec<&str> = systems::ALL.iter().map(|(name, _)| *name).collect();
            let hint = live_config::read::nearest(name, names.iter().copied()).map_or_else(
                || format!("known: {}", names.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let unknown = format!("`{name}` is neither a system nor a file; {hint}");
            Err(Usage(unknown).into())
        }
        Err(error) => Err(Usage(format!("cannot read {name}: {error}")).into()),
    }
}

/// The errors of a document, one line each.
pub(super) fn told(name: &str, invalid: &Invalid) -> String {
    let count = invalid.errors.len();
    let noun = if count == 1 { "error" } else { "errors" };
    invalid
        .errors
        .iter()
        .fold(format!("{name} has {count} {noun}"), |text, error| {
            format!("{text}\n  {error}")
        })
}

const VARIABLE: &str = "SPARRING_TARGET__";

/// `SPARRING_TARGET__HOSTS__ROUTER__CPU_CORES=2` means `--set hosts.router.cpu_cores=2`.
fn of_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Setting> {
    variables
        .filter_map(|(name, value)| {
            let path = name.strip_prefix(VARIABLE)?;
            Some(Setting {
                path: path.split("__").map(str::to_ascii_lowercase).collect(),
                value,
                source: name.clone(),
            })
        })
        .collect()
}

fn path_and_value(text: &str) -> Result<(String, String), String> {
    let (path, value) = text
        .split_once('=')
        .ok_or("is not PATH=VALUE, such as hosts.router.cpu_cores=2")?;
    Ok((path.to_owned(), value.to_owned()))
}

fn toggle(text: &str) -> Result<(String, bool), String> {
    let (name, state) = text
        .split_once('=')
        .ok_or("is not NAME=on or NAME=off, such as caching=off")?;
    match state {
        "on" | "true" => Ok((name.to_owned(), true)),
        "off" | "false" => Ok((name.to_owned(), false)),
        other => Err(format!("`{other}` is neither on nor off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_name_paths_and_others_are_left_alone() {
        let variables = [
            ("SPARRING_TARGET__HOSTS__ROUTER__CPU_CORES", "2"),
            ("SPARRING_SERVICE__PORT", "1"),
        ];
        let found = of_environment(
            variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, ["hosts", "router", "cpu_cores"]);
        assert_eq!(found[0].source, "SPARRING_TARGET__HOSTS__ROUTER__CPU_CORES");
    }
}
