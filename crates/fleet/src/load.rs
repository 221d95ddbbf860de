//! Layers of configuration: the file (or the built-in fleet), then `SPARRING_…` variables, then the command line.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Serialized};
use live_config::{ConfigError, ConfigErrors, read};
use serde_json::Value;

use crate::check::check;
use crate::config::{Fleet, Orchestration, PerformanceTargets, Service};
use crate::source::Source;

/// The fleet that is used without a file.
pub const BUILT_IN: &str = include_str!("../../../detectors.yaml");

/// Prefix of variables that override the file: `SPARRING_SERVICE__PORT=9000`.
const PREFIX: &str = "SPARRING_";
/// The separator between a section and a key. A variable without it is not a setting: it is the flag of a command
/// (`SPARRING_CONFIG`), a service link of Kubernetes (`SPARRING_PORT`), or a script's own.
const SEPARATOR: &str = "__";

/// Settings without a default.
const ABSENT: [&str; 4] = [
    "ORCHESTRATION__JOB_STORE",
    "ORCHESTRATION__REDIS_URL",
    "ORCHESTRATION__STORE_KEY",
    "ORCHESTRATION__REGISTRY_NETWORKS",
];

/// The reason why a fleet cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{origin} is not valid YAML: {message}")]
    Syntax { origin: String, message: String },
    #[error(
        "{origin} {wrong}; a fleet is a mapping with `detectors`, each with its `endpoint`, such as \
         detectors: {{ one: {{ endpoint: 'http://127.0.0.1:8001/detect' }} }}"
    )]
    NoMapping { origin: String, wrong: &'static str },
    #[error("the variables that begin with SPARRING_ cannot be read: {message}")]
    Environment { message: String },
    #[error("{origin} has {}:{}", count(faults.len()), list(faults))]
    Faults {
        origin: String,
        faults: Vec<ConfigError>,
    },
}

fn count(faults: usize) -> String {
    if faults == 1 {
        "1 error".to_owned()
    } else {
        format!("{faults} errors")
    }
}

fn list(faults: &[ConfigError]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// Reads the fleet from `path`, or from `detectors.yaml` in the working folder, or the built-in
/// one. Then it applies the overrides of the environment and `overrides`, which are dotted paths with values.
///
/// # Errors
/// The file cannot be read, is not YAML, or has errors, all of which are in the result.
pub fn load(path: Option<&Path>, overrides: &[(String, Value)]) -> Result<Fleet, LoadError> {
    load_from(Source::read(path)?, overrides)
}

/// Reads a fleet again while it is in use. It does not wait for a file that is no longer a regular one.
///
/// # Errors
/// As for [`load`], or the file is not a regular one.
pub fn load_again(path: &Path, overrides: &[(String, Value)]) -> Result<Fleet, LoadError> {
    load_from(Source::read_again(path)?, overrides)
}

/// The fleet of this text.
///
/// # Errors
/// The text is not YAML, or has errors, all of which are in the result.
pub fn load_from(source: Source, overrides: &[(String, Value)]) -> Result<Fleet, LoadError> {
    let Source { origin, text, path } = source;
    let file = yaml(&origin, &text)?;
    let environment = environment();
    let mut figment = Figment::from(Serialized::defaults(&file)).merge(environment.clone());
    for (key, value) in overrides {
        figment = figment.merge(Serialized::default(key, value));
    }
    let merged: Value = figment.extract().map_err(|error| LoadError::Environment {
        // The message omits the location in this program.
        message: error.kind.to_string(),
    })?;
    let reading = read::repair::<Fleet>(restore_order(&file, merged));
    let mut faults = ConfigErrors::default();
    if let Some(fleet) = &reading.value {
        check(fleet, &mut faults);
    }
    let faults = combine(reading.errors, faults.into_vec(), &environment);
    match reading.value {
        Some(fleet) if faults.is_empty() => Ok(Fleet { path, ..fleet }),
        _ => Err(LoadError::Faults { origin, faults }),
    }
}

/// The variables that are settings.
fn environment() -> Env {
    Env::prefixed(PREFIX)
        .filter(|name| is_setting(name.as_str()))
        .split(SEPARATOR)
}

/// Whether the text after the prefix has the form `SECTION__KEY`.
fn is_setting(name: &str) -> bool {
    name.contains(SEPARATOR) && name.split(SEPARATOR).all(|part| !part.is_empty())
}

/// The variables of the settings that every fleet has, such as `SPARRING_SERVICE__PORT`: all except those of its detectors.
pub fn setting_names() -> Vec<String> {
    let sections = [
        ("service", serde_json::to_value(Service::default())),
        (
            "orchestration",
            serde_json::to_value(Orchestration::default()),
        ),
        (
            "performance_targets",
            serde_json::to_value(PerformanceTargets::default()),
        ),
    ];
    let mut names = Vec::new();
    for (section, value) in sections {
        let section = format!("{PREFIX}{}", section.to_uppercase());
        add_names(&section, &value.unwrap_or_default(), &mut names);
    }
    names.extend(ABSENT.map(|name| format!("{PREFIX}{name}")));
    names
}

fn add_names(place: &str, value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let place = format!("{place}{SEPARATOR}{}", name.to_uppercase());
                add_names(&place, value, names);
            }
        }
        _ => names.push(place.to_owned()),
    }
}

/// The file as a mapping.
fn yaml(origin: &str, text: &str) -> Result<Value, LoadError> {
    let value = read::yaml(text).map_err(|error| LoadError::Syntax {
        origin: origin.to_owned(),
        message: error.to_string(),
    })?;
    let wrong = match &value {
        Value::Object(_) => return Ok(value),
        Value::Null => "is empty",
        Value::Array(_) => "is a list",
        _ => "is a single value",
    };
    Err(LoadError::NoMapping {
        origin: origin.to_owned(),
        wrong,
    })
}

/// figment sorts keys; this restores the order of the file, with additions last.
fn restore_order(file: &Value, merged: Value) -> Value {
    let (Value::Object(file), Value::Object(unordered)) = (file, &merged) else {
        return merged;
    };
    let mut merged = unordered.clone();
    let mut ordered = serde_json::Map::new();
    for (name, before) in file {
        if let Some(value) = merged.shift_remove(name) {
            ordered.insert(name.clone(), restore_order(before, value));
        }
    }
    ordered.append(&mut merged);
    Value::Object(ordered)
}

/// Errors of form and of meaning in one list. A value that was repaired is not checked again, and an error from a
/// variable names the variable.
fn combine(
    form: Vec<ConfigError>,
    meaning: Vec<ConfigError>,
    environment: &Env,
) -> Vec<ConfigError> {
    let mended: Vec<String> = form.iter().map(|fault| fault.path.clone()).collect();
    let covers = |path: &String, fault: &ConfigError| {
        let rest = fault.path.strip_prefix(path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let untouched = |fault: &ConfigError| !mended.iter().any(|path| covers(path, fault));
    let mut faults = form;
    faults.extend(meaning.into_iter().filter(untouched));
    for fault in &mut faults {
        let variable = environment
            .iter()
            .find(|(key, _)| comes_from(fault, key.as_str()))
            .map(|(key, _)| key.as_str().to_uppercase().replace('.', SEPARATOR));
        fault.source = variable.map(|name| format!("{PREFIX}{name}"));
    }
    faults
}

/// Whether an error is in the setting of the variable with this key. If the section does not exist, the error is at
/// the section, which then has only settings of variables. A variable for a key below a single value turns that
/// value into a mapping.
fn comes_from(fault: &ConfigError, key: &str) -> bool {
    let path = fault.path.as_str();
    let message = &fault.message;
    path.eq_ignore_ascii_case(key)
        || (message.starts_with(read::UNKNOWN_FIELD) || message.starts_with(read::MAPPING_FOUND))
            && key.len() > path.len()
            && key.as_bytes()[path.len()] == b'.'
            && key[..path.len()].eq_ignore_ascii_case(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(yaml: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("detectors.yaml");
        std::fs::write(&path, yaml).expect("the folder is writable");
        match load(Some(&path), &[]) {
            Ok(_) => Vec::new(),
            Err(LoadError::Faults { faults, .. }) => {
                faults.iter().map(|fault| fault.path.clone()).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_built_in_fleet_is_valid_and_keeps_its_order() {
        let value = yaml("built-in", BUILT_IN).expect("valid YAML");
        let fleet: Fleet = read::from_value(value).expect("valid fleet");
        let names: Vec<&str> = fleet.detectors.keys().map(String::as_str).collect();
        let kinds = ["success", "variable", "failing", "timeout", "batch"];
        assert_eq!(names, kinds.map(|kind| format!("mock-detector-{kind}")));
        let mut faults = ConfigErrors::default();
        check(&fleet, &mut faults);
        assert_eq!(faults.into_vec(), []);
    }

    #[test]
    fn faults_of_form_and_of_meaning_are_reported_together() {
        let yaml = r"
service: { port: 99999 }
performance_targets: { success_rate: 95 }
detectors:
  a: { endpoint: 'ftp://x/', timeot_ms: 5 }
  b: { endpoint: 'http://x:1/', aliases: [a] }
  c: { timeout_ms: 0 }
";
        assert_eq!(
            faults(yaml),
            [
                "service.port",
                "detectors.a.timeot_ms",
                "detectors.c.endpoint",
                "performance_targets.success_rate",
                "detectors.a.endpoint",
                "detectors.c.timeout_ms",
                "detectors.b.aliases[0]",
            ]
        );
    }

    #[test]
    fn a_file_that_says_nothing_is_told_so_and_not_the_environment() {
        for (text, said) in [
            ("", "x.yaml is empty; a fleet is a mapping with `detectors`"),
            ("# nothing yet\n", "x.yaml is empty"),
            ("~\n", "x.yaml is empty"),
            ("- a\n", "x.yaml is a list"),
            ("hello\n", "x.yaml is a single value"),
        ] {
            let source = Source {
                origin: "x.yaml".to_owned(),
                text: text.to_owned(),
                path: None,
            };
            let error = load_from(source, &[]).expect_err("no fleet").to_string();
            assert!(error.starts_with(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn names_and_ports_that_cannot_be_are_faults_with_their_places() {
        let yaml = r"
orchestration: { redis_url: 'redis://h:port' }
detectors:
  a: { endpoint: 'http://127.0.0.1:99999/x', aliases: ['b c', '', fine] }
  b: { endpoint: 'http://127.0.0.1:1/', endpoints: ['http://127.0.0.1:65536/'] }
";
        assert_eq!(
            faults(yaml),
            [
                "orchestration.redis_url",
                "detectors.a.endpoint",
                "detectors.b.endpoints[0]",
                "detectors.a.aliases[0]",
                "detectors.a.aliases[1]",
            ]
        );
    }

    #[test]
    fn settings_have_names_of_variables() {
        let names = setting_names();
        for name in [
            "SPARRING_SERVICE__PORT",
            "SPARRING_ORCHESTRATION__REDIS_URL",
        ] {
            assert!(names.iter().any(|known| known == name), "{names:?}");
        }
        for name in names {
            let rest = name.strip_prefix(PREFIX).unwrap_or_default();
            assert!(is_setting(rest), "{name}");
            // A value of the wrong type is an error of a known field.
            let path = rest.to_lowercase().replace(SEPARATOR, ".");
            let error = load(None, &[(path, json!({ "no": "field" }))]).err();
            let said = error.map(|error| error.to_string()).unwrap_or_default();
            let field = rest
                .rsplit(SEPARATOR)
                .next()
                .unwrap_or_default()
                .to_lowercase();
            assert!(!said.contains(&format!("{field}: unknown field")), "{said}");
        }
    }

    #[test]
    fn overrides_win_over_the_file() {
        let fleet = load(None, &[("service.port".to_owned(), json!(9000))]).expect("valid");
        assert_eq!(fleet.service.port, 9000);
    }

    #[test]
    fn only_a_section_and_a_key_make_a_setting() {
        for (name, setting) in [
            ("SERVICE__PORT", true),
            ("DETECTORS__A__TIMEOUT_MS", true),
            ("PORT", false),
            ("SERVICE_PORT_8000_TCP_ADDR", false),
            ("CONFIG", false),
            ("__PORT", false),
            ("SERVICE__", false),
            ("A____B", false),
        ] {
            assert_eq!(is_setting(name), setting, "{name}");
        }
    }

    #[test]
    fn a_fault_in_a_section_that_only_a_variable_names_comes_from_the_variable() {
        let unknown = |path| ConfigError::new(path, format!("{}; hint", read::UNKNOWN_FIELD));
        assert!(comes_from(&unknown("servce"), "servce.port"));
        assert!(comes_from(&unknown("service.prot"), "service.prot"));
        assert!(!comes_from(&unknown("serv"), "service.port"));
        let below = ConfigError::new("service.port", "found a mapping, expected a number");
        assert!(comes_from(&below, "service.port.x"));
        assert!(!comes_from(
            &ConfigError::new("service", "is not a map"),
            "service.port"
        ));
    }

    #[test]
    fn yaml_that_cannot_be_parsed_says_where() {
        let error = yaml("x.yaml", "detectors:\n  - [unclosed\n").expect_err("not YAML");
        assert!(error.to_string().contains("line"), "{error}");
    }
}
