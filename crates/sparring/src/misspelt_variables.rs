//! Warnings about variables that have no effect because their names are misspelt.
//!
//! Most unknown names are not mistakes: Kubernetes sets variables such as `SPARRING_SERVICE_HOST` and `SPARRING_PORT` in the
//! pods beside a service called `sparring`, and scripts have their own. So only a name that is almost that of a
//! setting is one. An unknown name with two underscores is an error of the fleet file.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};
use live_config::read::misspelt;

use crate::cli::Cli;
use crate::environment;
use crate::terminal::complain;

const PREFIX: &str = "SPARRING_";
/// Variables that no flag has: those of agents and collectors, and those that suites set for their scripts.
const WITHOUT_FLAG: [&str; 8] = [
    collector::TOKEN_VARIABLE,
    "SPARRING_PLAN",
    "SPARRING_SEED",
    "SPARRING_TASKS",
    "SPARRING_WAIT_S",
    "SPARRING_TEST",
    "SPARRING_TEST_ID",
    "SPARRING_LOCUST_PLAN",
];

/// Prints a warning for each variable of the process that is almost a setting.
pub fn warn() {
    let set = environment::all().filter_map(|(name, _)| name.into_string().ok());
    let set: BTreeSet<String> = set.filter(|name| name.starts_with(PREFIX)).collect();
    if set.is_empty() {
        return;
    }
    let known = settings();
    for (name, meant) in set
        .iter()
        .filter_map(|name| Some((name, meant(name, &known)?)))
    {
        complain!("warning: the variable {name} is not a setting; did you mean {meant}?");
    }
}

/// The names of all settings with this prefix.
fn settings() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    add_flags(&Cli::command(), &mut names);
    names.extend(WITHOUT_FLAG.map(str::to_owned));
    names.extend(fleet::setting_names());
    names
}

fn add_flags(command: &Command, names: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(clap::Arg::get_env);
    let variables = variables.map(|name| name.to_string_lossy().into_owned());
    names.extend(variables.filter(|name| name.starts_with(PREFIX)));
    for command in command.get_subcommands() {
        add_flags(command, names);
    }
}

/// The setting that a variable was probably meant to be; `None` if it is one, or something else.
fn meant<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let rest = name.strip_prefix(PREFIX)?;
    if known.contains(name) || rest.contains("__") || is_service_link(rest) {
        return None;
    }
    let is_with_one_underscore = |known: &&String| known.replace("__", "_") == name;
    let found = known.iter().find(is_with_one_underscore);
    found.map(String::as_str).or_else(|| {
        let rests = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
        let near = misspelt(rest, rests)?;
        let found = known.iter().find(|known| known[PREFIX.len()..] == *near);
        found.map(String::as_str)
    })
}

/// Whether Kubernetes sets a variable of this name for the service `sparring`, or one whose name begins with `sparring-`. The
/// names end with `SERVICE_HOST`, `SERVICE_PORT`, `SERVICE_PORT_<NAME>`, `PORT`, and `PORT_<NUMBER>_<PROTOCOL>`, also
/// with `_PROTO`, `_PORT` or `_ADDR`.
fn is_service_link(rest: &str) -> bool {
    let words: Vec<&str> = rest.split('_').collect();
    let is_port = |words: &[&str]| match words {
        ["PORT"] => true,
        ["PORT", number, "TCP" | "UDP" | "SCTP"]
        | [
            "PORT",
            number,
            "TCP" | "UDP" | "SCTP",
            "PROTO" | "PORT" | "ADDR",
        ] => number.parse::<u16>().is_ok(),
        _ => false,
    };
    (0..words.len()).any(|from| match &words[from..] {
        ["SERVICE", "HOST"] | ["SERVICE", "PORT", ..] => true,
        words => is_port(words),
    })
}

#[cfg(test)]
mod tests {
    use super::{meant, settings};

    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(meant(name, &settings()), expected, "{name}");
    }

    #[test]
    fn a_name_that_is_almost_a_setting_names_the_setting() {
        check("SPARRING_CONFG", Some("SPARRING_CONFIG"));
        check("SPARRING_CONFIGS", Some("SPARRING_CONFIG"));
        check("SPARRING_TOKNE", Some("SPARRING_TOKEN"));
        check("SPARRING_DATADIR", Some("SPARRING_DATA_DIR"));
        check("SPARRING_COLECTOR", Some("SPARRING_COLLECTOR"));
        let of_fleet = "SPARRING_ORCHESTRATION__REDIS_URL";
        check("SPARRING_ORCHESTRATION_REDIS_URL", Some(of_fleet));
        check("SPARRING_ORCHESTRATION_REDIS_ULR", Some(of_fleet));
    }

    #[test]
    fn settings_and_names_of_others_cause_no_warning() {
        for name in settings() {
            check(&name, None);
        }
        for name in [
            "SPARRING_PORT",
            "SPARRING_PORT_8000_TCP",
            "SPARRING_PORT_8000_TCP_ADDR",
            "SPARRING_SERVICE_HOST",
            "SPARRING_SERVICE_PORT",
            "SPARRING_SERVICE_PORT_HTTP",
            "SPARRING_CONFIG_SERVICE_HOST",
            "SPARRING_CONFIG_PORT",
            "SPARRING_IMAGE",
            "SPARRING_BUILD_TARGET",
            "SPARRING_SERVICE",
            "SPARRING_",
            "SPARRING__",
            "SPARRING_SERVCE__PORT",
            "OTHER_CONFG",
        ] {
            check(name, None);
        }
    }
}
