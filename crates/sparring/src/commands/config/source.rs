//! The source of a value.

use std::fmt;

/// The layers, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag, or a word of the command line.
    Flag(String),
    /// A variable of the environment.
    Variable(String),
    /// A suite file or a fleet file.
    File(String),
    Default,
}

/// A setting with its value; `None` if it is not set and has no default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: Option<String>,
    pub source: Source,
    /// An explanation of the name; may be empty.
    pub about: &'static str,
}

impl Setting {
    pub fn new(name: impl Into<String>, value: impl Into<String>, source: Source) -> Self {
        Self {
            name: name.into(),
            value: Some(value.into()),
            source,
            about: "",
        }
    }

    pub fn unset(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: None,
            source: Source::Default,
            about: "",
        }
    }

    pub fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }
}

impl Source {
    /// The layer, and the name in it.
    pub fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Flag(name) => ("flag", Some(name)),
            Self::Variable(name) => ("environment", Some(name)),
            Self::File(name) => ("file", Some(name)),
            Self::Default => ("default", None),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}
