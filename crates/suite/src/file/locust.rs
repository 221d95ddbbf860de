//! The suite's users for Locust.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// The locustfile that `--with-locust` runs after each test, and its users.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Locust {
    /// The locustfile, relative to the suite file.
    pub file: PathBuf,
    /// Classes of the locustfile by class of the suite, if their names differ.
    #[serde(default)]
    pub classes: IndexMap<String, String>,
    /// The user classes that share the users by weight if a command line has `-u`, `-r` or `-t` and names neither a test nor
    /// a class: those of the locustfile, all of which Locust runs then. Absent: those of the test `load`.
    #[serde(default)]
    pub users: Vec<String>,
}

impl Locust {
    /// Locust's class for a class of the suite.
    pub fn class<'a>(&'a self, name: &'a str) -> &'a str {
        self.classes.get(name).map_or(name, String::as_str)
    }
}
