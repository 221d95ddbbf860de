//! Variables that look like settings but are not, because their names are misspelt.
//!
//! All names that begin with `PERF_` and `ORCHESTRATION_` are this program's. Those that begin with `K6_` and `SPARRING_` are also
//! others', such as Kubernetes' links to a service called `sparring`, and scripts have their own. Of these, only a name that is almost
//! a known one is reported. An unknown `SPARRING_SECTION__KEY` is an error of the fleet file.

use std::collections::BTreeSet;
use std::fmt;

use clap::{Command, CommandFactory};
use live_config::read::misspelt;

use super::service_links::is_service_link;
use crate::cli::Cli;
use crate::commands::config::variables;
use crate::environment;
use crate::terminal::{Usage, complain};

/// The service under test: with a misspelt name, the test would run against another one.
const TARGET: &str = "PERF_BASE_URL";

/// Prefixes of which this program has all names.
const OWN: [&str; 2] = ["PERF_", "ORCHESTRATION_"];
const PREFIXES: [&str; 4] = ["PERF_", "ORCHESTRATION_", "SPARRING_", "K6_"];
/// The prefix of settings of every command.
const OF_ALL: &str = "SPARRING_";

/// Prefixes of settings of outputs and other parts of k6, which are read by their parts or not at all.
const FAMILIES: [&str; 9] = [
    "K6_BROWSER_",
    "K6_CLOUD_",
    "K6_CSV_",
    "K6_DATADOG_",
    "K6_INFLUXDB_",
    "K6_OTEL_",
    "K6_PROMETHEUS_RW_",
    "K6_SECRET_SOURCE_",
    "K6_STATSD_",
];

/// Variables of scripts and locustfiles of this project, and those of k6 that neither a flag nor an option has.
const OTHERS: [&str; 25] = [
    "K6_DEPENDENCIES_MANIFEST",
    "K6_EXECUTION_SEGMENT",
    "K6_EXECUTION_SEGMENT_SEQUENCE",
    "K6_LAB_DURATION",
    "K6_LOAD_START_VUS",
    "K6_OUT",
    "K6_SCENARIO",
    "K6_WEB_DASHBOARD",
    "K6_WEB_DASHBOARD_EXPORT",
    "K6_WEB_DASHBOARD_HOST",
    "K6_WEB_DASHBOARD_OPEN",
    "K6_WEB_DASHBOARD_PERIOD",
    "K6_WEB_DASHBOARD_PORT",
    "ORCHESTRATION_API_KEY_HEADER",
    "ORCHESTRATION_PERF_MAX_P95_MS",
    "ORCHESTRATION_PERF_MIN_SUCCESS",
    "PERF_CONTENT_KB",
    // Of agents and collectors, and those that suites set for their scripts.
    collector::TOKEN_VARIABLE,
    "SPARRING_PLAN",
    "SPARRING_SEED",
    "SPARRING_TASKS",
    "SPARRING_WAIT_S",
    "SPARRING_TEST",
    "SPARRING_TEST_ID",
    "SPARRING_LOCUST_PLAN",
];

/// A variable of the process that is not a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub name: String,
    /// The setting that was probably meant.
    pub meant: Option<String>,
}

impl Unknown {
    /// The remedy.
    pub fn fix(&self) -> String {
        match &self.meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => "only a script may read it".to_owned(),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the variable {} is not a setting", self.name)
    }
}

/// What a command uses variables for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Settings: unknown variables are warnings.
    Settings,
    /// A script, which may read any name: a misspelt one is a warning.
    Script,
    /// Settings and the service under test: a misspelt name of that is an error.
    Target,
    /// Only the settings of every command.
    OfAll,
    /// The command reports unknown variables itself.
    Nothing,
}

/// Prints a warning for each unknown variable.
///
/// # Errors
/// The variable of the service under test is misspelt, so that another service would be tested.
pub fn check(of: Use) -> Result<(), Usage> {
    if of == Use::Nothing {
        return Ok(());
    }
    let names_target = [TARGET, "LOCUST_HOST"].into_iter().any(environment::is_set)
        || is_given(&["--base-url", "--host", "--orchestrator", "-H"]);
    let may_be_of_script = of == Use::Script || is_given(&["--script"]);
    for unknown in unknown() {
        let fix = unknown.fix();
        let is_target = unknown.meant.as_deref() == Some(TARGET);
        if is_target && of == Use::Target && !names_target {
            let error = format!("{unknown}, so another service would be tested; {fix}");
            return Err(Usage(error));
        }
        let meant = unknown.meant.as_deref();
        if of == Use::OfAll && !meant.is_some_and(|meant| meant.starts_with(OF_ALL)) {
            continue;
        }
        if unknown.meant.is_some() || !may_be_of_script {
            complain!("warning: {unknown}; {fix}");
        }
    }
    Ok(())
}

/// Whether the command line has one of these flags.
fn is_given(flags: &[&str]) -> bool {
    std::env::args_os().any(|word| {
        let word = word.to_string_lossy();
        flags.iter().any(|flag| word.starts_with(flag))
    })
}

/// The unknown variables of the process, by name.
pub fn unknown() -> Vec<Unknown> {
    let set = environment::all().filter_map(|(name, _)| name.into_string().ok());
    let set: BTreeSet<String> = set.filter(|name| may_be_setting(name)).collect();
    if set.is_empty() {
        return Vec::new();
    }
    let known = known();
    set.iter().filter_map(|name| find(name, &known)).collect()
}

/// Whether a name is worth a comparison: it has one of the prefixes, or almost.
fn may_be_setting(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let has_prefix = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    has_prefix || misspelt_prefix(&name).is_some()
}

/// The names of all settings with these prefixes.
fn known() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    add_flags(&Cli::command(), &mut names);
    let fixed = variables::names().chain(load_engine::options::environment::names());
    names.extend(fixed.chain(OTHERS).map(str::to_owned));
    names.extend(fleet::setting_names());
    names.retain(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
    names
}

fn add_flags(command: &Command, names: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(clap::Arg::get_env);
    names.extend(variables.map(|name| name.to_string_lossy().into_owned()));
    for command in command.get_subcommands() {
        add_flags(command, names);
    }
}

/// The report of a variable; `None` for a setting, and for what is something else.
fn find(name: &str, known: &BTreeSet<String>) -> Option<Unknown> {
    let is_of_family = FAMILIES.iter().any(|family| name.starts_with(family));
    let is_of_file = name.starts_with(OF_ALL) && name.contains("__");
    if known.contains(name) || is_of_family || is_of_file || is_service_link(name) {
        return None;
    }
    let meant = meant(&name.to_ascii_uppercase(), known);
    let is_own = OWN.iter().any(|prefix| name.starts_with(prefix));
    (meant.is_some() || is_own).then(|| Unknown {
        name: name.to_owned(),
        meant: meant.map(str::to_owned),
    })
}

/// The known name of which this one is a misspelling.
fn meant<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let is_the_same = |known: &&String| known.replace("__", "_") == name;
    if let Some(same) = known.iter().find(is_the_same) {
        return Some(same);
    }
    let Some(prefix) = PREFIXES.iter().find(|prefix| name.starts_with(*prefix)) else {
        return with_misspelt_prefix(name, known);
    };
    let rests = known.iter().filter_map(|known| known.strip_prefix(prefix));
    let rest = misspelt(&name[prefix.len()..], rests)?;
    let mut known = known
        .iter()
        .filter(|known| known.strip_prefix(prefix) == Some(rest));
    known.next().map(String::as_str)
}

/// The known name that differs only in its prefix, such as `PREF_BASE_URL`.
fn with_misspelt_prefix<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let (prefix, rest) = misspelt_prefix(name)?;
    known.get(&format!("{prefix}_{rest}")).map(String::as_str)
}

/// The prefix of which the first word is a misspelling, and the other words. `K6` is too short for that.
fn misspelt_prefix(name: &str) -> Option<(&'static str, &str)> {
    let (first, rest) = name.split_once('_')?;
    let prefixes = PREFIXES.map(|prefix| prefix.trim_end_matches('_'));
    let prefix = misspelt(
        first,
        prefixes.into_iter().filter(|prefix| prefix.len() > 2),
    )?;
    Some((prefix, rest))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn report(name: &str) -> Option<Option<String>> {
        find(name, &known()).map(|unknown| unknown.meant)
    }

    #[test]
    fn a_misspelt_name_has_the_right_one() {
        for (name, right) in [
            ("PERF_BASE_ULR", "PERF_BASE_URL"),
            ("PERF_BASEURL", "PERF_BASE_URL"),
            ("PERF_BASE_URI", "PERF_BASE_URL"),
            ("PREF_BASE_URL", "PERF_BASE_URL"),
            ("perf_base_url", "PERF_BASE_URL"),
            ("PERF_SYSTEMS", "PERF_SYSTEM"),
            ("K6_SMOKE_DURATON", "K6_SMOKE_DURATION"),
            ("K6_LOAD_TARGET_VU", "K6_LOAD_TARGET_VUS"),
            ("K6_VSU", "K6_VUS"),
            ("K6_ITERATION", "K6_ITERATIONS"),
            ("K6_NO_SUMARY", "K6_NO_SUMMARY"),
            ("SPARRING_CONFG", "SPARRING_CONFIG"),
            ("SPARING_CONFIG", "SPARRING_CONFIG"),
            ("SPARRING_TOKNE", "SPARRING_TOKEN"),
            ("SPARRING_DATADIR", "SPARRING_DATA_DIR"),
            ("SPARRING_COLECTOR", "SPARRING_COLLECTOR"),
            (
                "SPARRING_ORCHESTRATION_REDIS_URL",
                "SPARRING_ORCHESTRATION__REDIS_URL",
            ),
            (
                "SPARRING_ORCHESTRATION_REDIS_ULR",
                "SPARRING_ORCHESTRATION__REDIS_URL",
            ),
            (
                "ORCHESTRATION_PERF_TENANTID",
                "ORCHESTRATION_PERF_TENANT_ID",
            ),
        ] {
            assert_eq!(report(name), Some(Some(right.to_owned())), "{name}");
        }
        for name in ["PERF_TOKEN", "PERF_TARGET_URL", "ORCHESTRATION_KEY"] {
            assert_eq!(report(name), Some(None), "{name}");
        }
    }

    #[test]
    fn settings_and_names_of_others_are_not_reported() {
        for name in known() {
            assert_eq!(report(&name), None, "{name}");
        }
        for name in [
            "MY_X",
            "API_BASE_URL",
            "TEST_BASE_URL",
            "PROD_BASE_URL",
            "PR_BASE_URL",
            "BASE_URL",
            "PERFORMANCE_TIMEOUT_MULTIPLIER",
            "K6_BINARY",
            "K6_MY_OWN",
            "K6_USERS",
            "K6_CLOUD_TOKEN",
            "K6_PROMETHEUS_RW_SERVER_URL",
            "K6_OPERATOR_SERVICE_HOST",
            "ORCHESTRATION_PORT",
            "ORCHESTRATION_PORT_8000_TCP_ADDR",
            "ORCHESTRATION_SERVICE_HOST",
            "SPARRING_PORT_8000_TCP_ADDR",
            "SPARRING_SERVICE_HOST",
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
            assert_eq!(report(name), None, "{name}");
        }
    }

    /// Variables that the project's own scripts read are settings.
    #[test]
    fn names_in_the_scripts_are_known() {
        let known = known();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for folder in ["tests/k6", "tests/locust"] {
            for entry in std::fs::read_dir(root.join(folder)).expect("the folder exists") {
                let path = entry.expect("readable").path();
                let Ok(text) = std::fs::read_to_string(&path) else {
                    continue;
                };
                let is_inside = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                for word in text.split(|c| !is_inside(c)) {
                    let has_prefix = PREFIXES.iter().any(|prefix| word.starts_with(prefix));
                    let is_name = has_prefix && !word.ends_with('_');
                    assert!(!is_name || known.contains(word), "{word} in {path:?}");
                }
            }
        }
    }
}
