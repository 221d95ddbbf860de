//! Log entries of scripts and the driver. The binary formats them.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::system_errors::without_numbers;

/// The level of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the driver's developers.
    Debug,
    /// Normal.
    Info,
    /// A problem that does not fail the run.
    Warn,
    /// A failure.
    Error,
}

impl Level {
    /// The level with this name, as in flags.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "debug" | "trace" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warning" | "warn" => Some(Self::Warn),
            "error" | "fatal" | "panic" => Some(Self::Error),
            _ => None,
        }
    }

    /// Its name in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warning",
            Self::Error => "error",
        }
    }
}

/// One log entry.
#[derive(Debug, Clone)]
pub struct LogEntry<'a> {
    /// Its level.
    pub level: Level,
    /// The message.
    pub message: &'a str,
    /// Further fields, in order; console output has `source=console`.
    pub fields: &'a [(&'a str, &'a str)],
}

/// The replacement of a secret.
const REDACTED: &str = "***SECRET_REDACTED***";

/// A logger that accepts entries from any thread.
#[derive(Clone)]
pub struct Logger {
    write: Arc<dyn Fn(&LogEntry<'_>) + Send + Sync>,
    /// Texts that must not be logged; shared by all clones.
    secrets: Arc<RwLock<Vec<String>>>,
}

impl Logger {
    /// A logger that passes entries to `write`.
    pub fn new(write: impl Fn(&LogEntry<'_>) + Send + Sync + 'static) -> Self {
        Self {
            write: Arc::new(write),
            secrets: Arc::default(),
        }
    }

    /// A logger that discards everything.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Logs an entry.
    pub fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        if self.secrets().is_empty() {
            (self.write)(&LogEntry {
                level,
                message,
                fields,
            });
            return;
        }
        let values: Vec<String> = fields.iter().map(|(_, value)| self.hide(value)).collect();
        let names = fields.iter().map(|(name, _)| *name);
        let fields: Vec<(&str, &str)> = names.zip(values.iter().map(String::as_str)).collect();
        (self.write)(&LogEntry {
            level,
            message: &self.hide(message),
            fields: &fields,
        });
    }

    fn secrets(&self) -> RwLockReadGuard<'_, Vec<String>> {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text with known secrets replaced, for other outputs than the log.
    pub fn hide(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret, REDACTED);
        self.secrets().iter().fold(text.to_owned(), hide)
    }

    /// Replaces this text in all later entries. An empty text changes nothing.
    pub fn redact(&self, secret: &str) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        if secret.is_empty() || secrets.iter().any(|known| known == secret) {
            return;
        }
        secrets.push(secret.to_owned());
        // A secret that contains another one is replaced first, or its rest would remain visible.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Logs a warning without fields, and without the numbers of errors of the system.
    pub fn warn(&self, message: &str) {
        self.log(Level::Warn, &without_numbers(message), &[]);
    }

    /// Logs an error without fields, and without the numbers of errors of the system.
    pub fn error(&self, message: &str) {
        self.log(Level::Error, &without_numbers(message), &[]);
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logger")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{Level, Logger};

    #[test]
    fn no_entry_shows_a_secret_once_it_is_known() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        let logger = Logger::new(move |line| {
            let fields: String = line
                .fields
                .iter()
                .map(|(k, v)| format!(" {k}={v}"))
                .collect();
            seen.lock()
                .expect("lines")
                .push(line.message.to_owned() + &fields);
        });
        let clone = logger.clone();
        logger.error("word");
        clone.redact("");
        clone.redact("word");
        clone.redact("password");
        clone.redact("word");
        logger.log(Level::Info, "the word, a password", &[("error", "word!")]);
        let expected =
            "the ***SECRET_REDACTED***, a ***SECRET_REDACTED*** error=***SECRET_REDACTED***!";
        assert_eq!(*lines.lock().expect("lines"), ["word", expected]);
        assert_eq!(clone.hide("a word"), "a ***SECRET_REDACTED***");
    }
}
