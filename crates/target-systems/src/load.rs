//! A system as a command line asks for it: a file, and what is to be different.

use live_config::{Invalid, join, merge, read};
use serde_json::{Map, Value};

use crate::system::{CHOICES, System};

/// The group of toggles that a switch for all optimisations means.
const PERFORMANCE: &str = "performance";

/// What is to be different from a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    pub seed: Option<u64>,
    /// Paths such as `hosts.router.cpu_cores`, each with a value in YAML and where it comes from.
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
    /// Names from the document downwards.
    pub path: Vec<String>,
    pub value: String,
    /// Where it comes from, such as `--set`.
    pub source: String,
}

/// Reads a document and changes it.
///
/// # Errors
/// Everything that is wrong, with where it comes from when that is not the file.
pub fn load(text: &str, overrides: &Overrides) -> Result<System, Invalid> {
    let mut value = read::yaml(text).map_err(|error| Invalid::one("", error.to_string()))?;
    if overrides == &Overrides::default() {
        return System::new(value);
    }
    // Errors of the file are told as such.
    System::new(value.clone())?;
    if let Some(seed) = overrides.seed {
        value["seed"] = seed.into();
    }
    let mut paths = Vec::new();
    for setting in &overrides.settings {
        paths.push((apply(&mut value, setting)?, &setting.source));
    }
    switch(&mut value, overrides)?;
    if let Some(multiplier) = overrides.timeout_multiplier {
        stretch(&mut value, multiplier)?;
    }
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

/// Sets one value; gives its path as the document spells it.
fn apply(value: &mut Value, setting: &Setting) -> Result<String, Invalid> {
    let given = setting.path.join(".");
    if setting.path.is_empty() || setting.path.iter().any(String::is_empty) {
        return Err(Invalid::one(
            given,
            "is not a path, such as hosts.router.cpu_cores",
        ));
    }
    let new = read::yaml(&setting.value)
        .map_err(|error| Invalid::one(given.clone(), error.to_string()))?;
    let names = spelled(value, &setting.path);
    let patch = names.iter().rev().fold(new, |inner, name| {
        Value::Object(Map::from_iter([(name.clone(), inner)]))
    });
    merge(value, &patch, &CHOICES);
    Ok(names
        .iter()
        .fold(String::new(), |path, name| join(&path, name)))
}

/// The names of a path as the document spells them: variables of the environment have neither
/// lower case nor hyphens.
fn spelled(value: &Value, path: &[String]) -> Vec<String> {
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let mut at = Some(value);
    path.iter()
        .map(|given| {
            let fields = at.and_then(Value::as_object);
            let known = fields.and_then(|fields| {
                fields
                    .get_key_value(given)
                    .or_else(|| fields.iter().find(|(name, _)| plain(name) == plain(given)))
            });
            at = known.map(|(_, inner)| inner);
            known.map_or_else(|| given.clone(), |(name, _)| name.clone())
        })
        .collect()
}

/// Switches toggles, those of the group first.
fn switch(value: &mut Value, overrides: &Overrides) -> Result<(), Invalid> {
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
            return Err(Invalid::one(
                join("toggles", name),
                format!("unknown toggle; {hint}"),
            ));
        };
        toggle["on"] = (*on).into();
    }
    Ok(())
}

/// Multiplies the times for which requests wait at most, in the document and in what toggles set.
fn stretch(value: &mut Value, multiplier: f64) -> Result<(), Invalid> {
    if !(multiplier > 0.0 && multiplier <= 1_000.0) {
        return Err(Invalid::one(
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
    Ok(())
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
