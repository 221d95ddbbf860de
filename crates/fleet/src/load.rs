//! Layers: the file (or the built-in fleet), then `SPARRING_…` variables, then the command line.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Serialized};
use serde_json::Value;

use crate::check::check;
use crate::config::Fleet;
use crate::fault::{Fault, Faults};
use crate::read;

/// The fleet that is used when no file is given.
pub const BUILT_IN: &str = include_str!("../../../detectors.yaml");

/// Prefix of variables that override the file: `SPARRING_SERVICE__PORT=9000`.
const PREFIX: &str = "SPARRING_";
/// `SPARRING_…` variables that are flags of commands and no part of the fleet.
const NOT_FLEET: [&str; 2] = ["config", "data_dir"];

/// Why there is no fleet.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{origin} is no valid YAML: {message}")]
    Syntax { origin: String, message: String },
    #[error("{origin} has {}:{}", count(faults.len()), list(faults))]
    Faults { origin: String, faults: Vec<Fault> },
}

fn count(faults: usize) -> String {
    if faults == 1 {
        "1 fault".to_owned()
    } else {
        format!("{faults} faults")
    }
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// Reads the fleet from `path`, or from `detectors.yaml` in the working folder, or the built-in
/// one. Then come the environment's overrides and `overrides`, dotted paths with their values.
///
/// # Errors
/// The file cannot be read, is no YAML, or has faults: all of them are in the error.
pub fn load(path: Option<&Path>, overrides: &[(String, Value)]) -> Result<Fleet, LoadError> {
    let (origin, text) = source(path)?;
    let file = yaml(&origin, &text)?;
    let environment = Env::prefixed(PREFIX).ignore(&NOT_FLEET).split("__");
    let mut figment = Figment::from(Serialized::defaults(&file)).merge(environment.clone());
    for (key, value) in overrides {
        figment = figment.merge(Serialized::default(key, value));
    }
    let merged: Value = figment.extract().map_err(|error| LoadError::Syntax {
        origin: "the environment".to_owned(),
        message: error.to_string(),
    })?;
    let reading = read::repair::<Fleet>(restore_order(&file, merged));
    let mut faults = Faults::default();
    if let Some(fleet) = &reading.value {
        check(fleet, &mut faults);
    }
    let faults = combine(reading.faults, faults.into_vec(), &environment);
    match reading.value {
        Some(fleet) if faults.is_empty() => Ok(Fleet {
            path: read_from(path),
            ..fleet
        }),
        _ => Err(LoadError::Faults { origin, faults }),
    }
}

/// The file that `load` reads, unless the fleet is the built-in one.
fn read_from(path: Option<&Path>) -> Option<PathBuf> {
    let default = Path::new("detectors.yaml");
    path.or_else(|| default.exists().then_some(default))
        .map(Path::to_owned)
}

fn source(path: Option<&Path>) -> Result<(String, String), LoadError> {
    let default = Path::new("detectors.yaml");
    let path = match path {
        Some(path) => path,
        None if default.exists() => default,
        None => return Ok(("the built-in fleet".to_owned(), BUILT_IN.to_owned())),
    };
    let text = std::fs::read_to_string(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Ok((path.display().to_string(), text))
}

fn yaml(origin: &str, text: &str) -> Result<Value, LoadError> {
    serde_saphyr::from_str(text).map_err(|error| LoadError::Syntax {
        origin: origin.to_owned(),
        message: error.to_string(),
    })
}

/// figment sorts keys; here they are put back in the file's order, additions last.
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

/// Faults of form and of meaning in one list: a place that was mended is not judged again, and
/// what came from a variable says so.
fn combine(form: Vec<Fault>, meaning: Vec<Fault>, environment: &Env) -> Vec<Fault> {
    let mended: Vec<String> = form.iter().map(|fault| fault.path.clone()).collect();
    let covers = |path: &String, fault: &Fault| {
        let rest = fault.path.strip_prefix(path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let untouched = |fault: &Fault| !mended.iter().any(|path| covers(path, fault));
    let mut faults = form;
    faults.extend(meaning.into_iter().filter(untouched));
    for fault in &mut faults {
        let variable = environment
            .iter()
            .find(|(key, _)| fault.path.eq_ignore_ascii_case(key.as_str()))
            .map(|(key, _)| key.as_str().to_uppercase().replace('.', "__"));
        fault.source = variable.map(|name| format!("{PREFIX}{name}"));
    }
    faults
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
        let mut faults = Faults::default();
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
    fn overrides_win_over_the_file() {
        let fleet = load(None, &[("service.port".to_owned(), json!(9000))]).expect("valid");
        assert_eq!(fleet.service.port, 9000);
    }

    #[test]
    fn yaml_that_cannot_be_parsed_says_where() {
        let error = yaml("x.yaml", "detectors:\n  - [unclosed\n").expect_err("not YAML");
        assert!(error.to_string().contains("line"), "{error}");
    }
}
