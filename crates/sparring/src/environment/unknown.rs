//! Variables that look like settings and are none, since their names are misspelt.
//!
//! All names that begin with `PERF_` and `ORCHESTRATION_` are this program's. Those that begin with `K6_` are also others', and
//! scripts have their own, so that of these only a name that is almost a known one is reported.

use std::collections::BTreeSet;
use std::fmt;

use clap::{Command, CommandFactory};

use super::service_links::is_service_link;
use crate::cli::Cli;
use crate::commands::config::variables;
use crate::environment;
use crate::terminal::{Usage, complain};

/// The service under test: with a misspelt name, the test would run against another one.
const TARGET: &str = "PERF_BASE_URL";

/// Prefixes without names of others.
const OWN: [&str; 2] = ["PERF_", "ORCHESTRATION_"];
const PREFIXES: [&str; 3] = ["PERF_", "ORCHESTRATION_", "K6_"];

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
const OTHERS: [&str; 17] = [
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
    /// Nothing, or the command reports them itself.
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

/// Whether a name is worth a comparison: it has one of the prefixes, or is almost as long as that of the target.
fn may_be_setting(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
        || upper.len().abs_diff(TARGET.len()) <= 1
}

/// The names of all settings with these prefixes.
fn known() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    add_flags(&Cli::command(), &mut names);
    let fixed = variables::names().chain(load_engine::options::environment::names());
    names.extend(fixed.chain(OTHERS).map(str::to_owned));
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
    if known.contains(name) || is_of_family || is_service_link(name) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let meant = PREFIXES
        .iter()
        .find(|prefix| upper.starts_with(*prefix))
        .map_or_else(
            || Some(TARGET).filter(|target| strsim::damerau_levenshtein(&upper, target) == 1),
            |prefix| nearest(&upper, prefix, known),
        );
    let is_own = OWN.iter().any(|prefix| name.starts_with(prefix));
    (meant.is_some() || is_own).then(|| Unknown {
        name: name.to_owned(),
        meant: meant.map(str::to_owned),
    })
}

/// The known name of which this one is a misspelling: up to two letters after the prefix, but at most one in four, are wrong,
/// missing, added or exchanged.
fn nearest<'a>(name: &str, prefix: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let most = ((name.len() - prefix.len()) / 4).clamp(1, 2);
    let same = known.iter().filter(|known| known.starts_with(prefix));
    let differences = same.map(|known| (strsim::damerau_levenshtein(name, known), known.as_str()));
    let near = differences.filter(|(differences, _)| *differences <= most);
    near.min_by_key(|(differences, _)| *differences)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn meant(name: &str) -> Option<Option<String>> {
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
            (
                "ORCHESTRATION_PERF_TENANTID",
                "ORCHESTRATION_PERF_TENANT_ID",
            ),
        ] {
            assert_eq!(meant(name), Some(Some(right.to_owned())), "{name}");
        }
        for name in ["PERF_TOKEN", "PERF_TARGET_URL", "ORCHESTRATION_KEY"] {
            assert_eq!(meant(name), Some(None), "{name}");
        }
    }

    #[test]
    fn settings_and_names_of_others_are_not_reported() {
        for name in known() {
            assert_eq!(meant(&name), None, "{name}");
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
            "SPARRING_CONFG",
        ] {
            assert_eq!(meant(name), None, "{name}");
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
