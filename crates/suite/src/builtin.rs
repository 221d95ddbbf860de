//! The suites that come with the program, and reading of files.

use std::path::{Path, PathBuf};

use live_config::{ConfigError, ConfigErrors};
use serde_json::Value;

use crate::file::{self, SuiteFile};
use crate::kind::Kind;
use crate::{judge, scripts};

/// Names and texts of the built-in suites, in the order of help texts.
pub const BUILT_IN: [(&str, &str); 5] = [
    (
        "orchestrator",
        include_str!("../../../tests/suites/orchestrator.yaml"),
    ),
    ("acso", include_str!("../../../tests/suites/acso.yaml")),
    ("aiaas", include_str!("../../../tests/suites/aiaas.yaml")),
    ("acis", include_str!("../../../tests/suites/acis.yaml")),
    (
        "agent360",
        include_str!("../../../tests/suites/agent360.yaml"),
    ),
];

/// The reason why a suite cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{origin} is not valid YAML: {message}")]
    Syntax { origin: String, message: String },
    #[error("{0} is empty; `sparring init` writes a suite to start from")]
    Empty(String),
    #[error("{0}")]
    AnotherKind(String),
    #[error("{origin} has {}", list(errors))]
    Invalid {
        origin: String,
        errors: Vec<ConfigError>,
    },
}

fn list(errors: &[ConfigError]) -> String {
    let count = match errors.len() {
        1 => "1 error".to_owned(),
        many => format!("{many} errors"),
    };
    errors.iter().fold(format!("{count}:"), |text, error| {
        format!("{text}\n  {error}")
    })
}

/// Whether a text describes a suite.
pub fn is_suite(text: &str) -> bool {
    live_config::read::yaml(text).is_ok_and(|value| Kind::of(&value) == Some(Kind::Suite))
}

/// The built-in suite with this name.
///
/// # Errors
/// None for a built-in suite; the type is that of [`read`].
pub fn built_in(name: &str) -> Option<Result<SuiteFile, SuiteError>> {
    let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    Some(parse(&format!("the built-in suite {name}"), text, None))
}

/// Reads a suite file, YAML or JSON.
///
/// # Errors
/// The file cannot be read, is not YAML, or has errors: all of them are in the error, those of the
/// scripts that it names among them.
pub fn read(path: &Path) -> Result<SuiteFile, SuiteError> {
    let text = live_config::read::file(path).map_err(|source| SuiteError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&path.display().to_string(), &text, Some(folder))
}

/// Reads the text of a suite; `origin` is its name in errors. `folder` contains its scripts;
/// `None`: they are built in, or unknown.
///
/// # Errors
/// The text is not YAML, or has errors: all of them are in the error.
pub fn parse(origin: &str, text: &str, folder: Option<&Path>) -> Result<SuiteFile, SuiteError> {
    let value: Value = live_config::read::yaml(text).map_err(|error| SuiteError::Syntax {
        origin: origin.to_owned(),
        message: error.to_string(),
    })?;
    if value.is_null() {
        return Err(SuiteError::Empty(origin.to_owned()));
    }
    if let Some(kind) = Kind::of(&value).filter(|kind| *kind != Kind::Suite) {
        return Err(SuiteError::AnotherKind(kind.instead(origin)));
    }
    let reading = live_config::read::repair::<SuiteFile>(value);
    let mut found = ConfigErrors::default();
    if let Some(file) = &reading.value {
        file::check(file, &mut found);
        judge::check(file, &mut found);
        if let Some(folder) = folder {
            scripts::check(file, folder, &mut found);
        }
    }
    let mut errors = reading.errors;
    let mut found = found.into_vec();
    found.retain(|error| !errors.iter().any(|first| follows(error, first)));
    errors.extend(found);
    match reading.value {
        Some(file) if errors.is_empty() => Ok(file),
        _ => Err(SuiteError::Invalid {
            origin: origin.to_owned(),
            errors,
        }),
    }
}

/// Whether an error is only a consequence of `first`, whose subject was left out: it concerns the same
/// place, a place inside it, a list or content that has lost a member, or a name whose definition has an
/// error.
fn follows(error: &ConfigError, first: &ConfigError) -> bool {
    const CONTENTS: [&str; 6] = [
        ".phases", ".ladder", ".search", ".matrix", ".samples", ".drills",
    ];
    let below = |outer: &str, inner: &str| -> bool {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    let member = first.path.strip_prefix(&error.path);
    let has_lost = member.is_some_and(|rest| {
        rest.starts_with('[') || CONTENTS.iter().any(|content| rest.starts_with(content))
    });
    let is_undefined =
        [("test", "tests"), ("user class", "classes")]
            .iter()
            .any(|(what, section)| {
                let name = error.message.strip_prefix(&format!("unknown {what} `"));
                name.and_then(|rest| rest.split('`').next())
                    .is_some_and(|name| {
                        let defined = format!("{section}.{name}");
                        first.path == *section
                            || first.path == defined
                            || below(&defined, &first.path)
                    })
            });
    error.path == first.path || below(&first.path, &error.path) || has_lost || is_undefined
}
