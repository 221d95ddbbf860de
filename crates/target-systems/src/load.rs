//! Loads a system as requested on a command line: a file, and overrides.

use live_config::{ConfigError, Invalid, join, merge, read};
use serde_json::{Map, Value};

use crate::parts;
use crate::system::{CHOICES, System};

/// The group of toggles that the switch for all optimisations controls.
const PERFORMANCE: &str = "performance";

/// Overrides of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    pub seed: Option<u64>,
    /// Paths such as `hosts.router.cpu_cores`, each with a value in YAML and its source.
    pub settings: Vec<Setting>,
    /// Toggles by name.
    pub toggles: Vec<(String, bool)>,
    /// All toggles of the group `performance`.
    pub performance: Option<bool>,
    /// Multiplies `deadline_ms`, `patience_ms` and the `wait_ms` of pools.
    pub timeout_multiplier: Option<f64>,
}

/// A value at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Names from the root of the document down.
    pub path: Vec<String>,
    pub value: String,
    /// The origin of the setting, such as `--set`.
    pub source: String,
}

/// Reads a document and applies overrides.
///
/// # Errors
/// All errors, each with its source if that is not the file.
pub fn load(text: &str, overrides: &Overrides) -> Result<System, Invalid> {
    let mut value = read::yaml(text).map_err(|error| Invalid::one("", error.to_string()))?;
    // Errors of the file itself are reported without a source.
    let unchanged = System::of_file(value.clone())?;
    if overrides == &Overrides::default() {
        return Ok(unchanged);
    }
    if let Some(seed) = overrides.seed {
        value["seed"] = seed.into();
    }
    let (mut paths, mut errors) = (Vec::new(), Vec::new());
    for setting in &overrides.settings {
        match apply(&mut value, setting) {
            Ok(path) => paths.push((path, &setting.source)),
            Err(error) => errors.push(ConfigError {
                source: Some(setting.source.clone()),
                ..error
            }),
        }
    }
    switch(&mut value, overrides, &mut errors);
    if let Some(multiplier) = overrides.timeout_multiplier {
        stretch(&mut value, multiplier, &mut errors);
    }
    Invalid::unless_empty(errors)?;
    System::new(value).map_err(|mut invalid| {
        for error in &mut invalid.errors {
            let from = paths.iter().find(|(path, _)| {
                error.path.starts_with(path.as_str()) || path.starts_with(&error.path)
            });
            error.source = from.map(|(_, source)| (*source).clone());
        }
        invalid
    })
}

/// Sets one value; returns its path in the document's spelling. A part that the document lacks is not
/// created.
fn apply(value: &mut Value, setting: &Setting) -> Result<String, ConfigError> {
    let given = setting.path.join(".");
    if setting.path.is_empty() || setting.path.iter().any(String::is_empty) {
        let hint = "is not a path, such as hosts.router.cpu_cores";
        return Err(ConfigError::new(given, hint));
    }
    let new = read::yaml(&setting.value)
        .map_err(|error| ConfigError::new(given.clone(), error.to_string()))?;
    let names = spelled(value, &setting.path)?;
    let patch = names.iter().rev().fold(new, |inner, name| {
        Value::Object(Map::from_iter([(name.clone(), inner)]))
    });
    if let Some(unknown) = parts::unknown(value, &patch).into_iter().next() {
        return Err(ConfigError::new(unknown.path, unknown.message));
    }
    merge(value, &patch, &CHOICES);
    Ok(names
        .iter()
        .fold(String::new(), |path, name| join(&path, name)))
}

/// The names of a path in the document's spelling: environment variables have neither lower case nor
/// hyphens.
fn spelled(value: &Value, path: &[String]) -> Result<Vec<String>, ConfigError> {
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let mut at = Some(value);
    let mut names: Vec<String> = Vec::new();
    for given in path {
        let above = names.join(".");
        if at.is_some_and(Value::is_array) {
            let hint = "is a list; set it as a whole, such as PATH=[a, b]";
            return Err(ConfigError::new(above, hint));
        }
        let fields = at.and_then(Value::as_object);
        let similar = fields.into_iter().flatten();
        let similar: Vec<&String> = similar
            .map(|(name, _)| name)
            .filter(|name| plain(name) == plain(given))
            .collect();
        let name = match similar.as_slice() {
            _ if fields.is_some_and(|fields| fields.contains_key(given)) => given,
            [] => given,
            [one] => *one,
            several => {
                let several: Vec<String> = several.iter().map(|one| format!("`{one}`")).collect();
                let hint = format!(
                    "could be {}; write it exactly like one of them",
                    several.join(" or ")
                );
                return Err(ConfigError::new(join(&above, given), hint));
            }
        };
        at = fields.and_then(|fields| fields.get(name));
        names.push(name.clone());
    }
    Ok(names)
}

/// Sets toggles, those of the group first.
fn switch(value: &mut Value, overrides: &Overrides, errors: &mut Vec<ConfigError>) {
    let mut toggles = value.get_mut("toggles").and_then(Value::as_object_mut);
    if let Some(on) = overrides.performance {
        for toggle in toggles.iter_mut().flat_map(|toggles| toggles.values_mut()) {
            if toggle.get("group").and_then(Value::as_str) == Some(PERFORMANCE) {
                toggle["on"] = on.into();
            }
        }
    }
    for (name, on) in &overrides.toggles {
        let Some(toggle) = toggles.as_mut().and_then(|toggles| toggles.get_mut(name)) else {
            let names = toggles.iter().flat_map(|toggles| toggles.keys());
            let names: Vec<&str> = names.map(String::as_str).collect();
            let hint = match read::nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "the system has none".to_owned(),
                None => format!("known here: {}", names.join(", ")),
            };
            errors.push(ConfigError::new(
                join("toggles", name),
                format!("unknown toggle; {hint}"),
            ));
            continue;
        };
        toggle["on"] = (*on).into();
    }
}

/// Multiplies the maximum waiting times of requests, in the document and in the patches of toggles.
fn stretch(value: &mut Value, multiplier: f64, errors: &mut Vec<ConfigError>) {
    if !(multiplier > 0.0 && multiplier <= 1_000.0) {
        return errors.push(ConfigError::new(
            "",
            format!("a timeout multiplier of {multiplier} is not above 0 and up to 1000"),
        ));
    }
    stretch_part(value, multiplier);
    let toggles = value.get_mut("toggles").and_then(Value::as_object_mut);
    for toggle in toggles.into_iter().flat_map(|toggles| toggles.values_mut()) {
        if let Some(off) = toggle.get_mut("off") {
            stretch_part(off, multiplier);
        }
    }
}

fn stretch_part(value: &mut Value, multiplier: f64) {
    let times = |place: Option<&mut Value>| {
        if let Some((place, ms)) = place.and_then(|place| place.as_f64().map(|ms| (place, ms))) {
            *place = (ms * multiplier).into();
        }
    };
    times(value.pointer_mut("/edge/deadline_ms"));
    let each = |value: &mut Value, name: &str, inner: &str| {
        let parts = value.get_mut(name).and_then(Value::as_object_mut);
        for part in parts.into_iter().flat_map(|parts| parts.values_mut()) {
            times(part.pointer_mut(inner));
        }
    };
    each(value, "components", "/queue/patience_ms");
    each(value, "pools", "/wait_ms");
}
