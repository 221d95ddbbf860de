//! The exceptions of a script, counted.

use indexmap::IndexMap;
use load_engine::log::{Level, LogEntry};
use report::record::ScriptException;

/// Maximum number of distinct exceptions.
const MOST: usize = 100;
/// Maximum length of a traceback.
const MOST_LINES: usize = 50;
/// The beginning of a line of a traceback.
const PLACE: &str = "\n\tat ";

/// The exceptions that ended iterations, by message and traceback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions(IndexMap<[String; 2], u64>);

impl Exceptions {
    /// Counts the exception of an entry of the log. Only entries of iterations that have ended by one are errors with an
    /// executor; lines of the console have none.
    pub fn hear(&mut self, entry: &LogEntry<'_>) {
        let of_iteration = entry.fields.iter().any(|(name, _)| *name == "executor");
        if entry.level != Level::Error || !of_iteration {
            return;
        }
        let text = entry.message.trim_end();
        let (message, places) = text.split_at(text.find(PLACE).unwrap_or(text.len()));
        let places = places
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let traceback: Vec<&str> = places.take(MOST_LINES).collect();
        let mut key = [message.to_owned(), traceback.join("\n")];
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            key = ["(other exceptions)".to_owned(), String::new()];
        }
        *self.0.entry(key).or_default() += 1;
    }

    pub fn list(&self) -> Vec<ScriptException> {
        let all = self.0.iter();
        all.map(|([message, traceback], count)| ScriptException {
            message: message.clone(),
            traceback: traceback.clone(),
            count: *count,
        })
        .collect()
    }
}

impl From<Vec<ScriptException>> for Exceptions {
    fn from(list: Vec<ScriptException>) -> Self {
        let pair = |it: ScriptException| ([it.message, it.traceback], it.count);
        Self(list.into_iter().map(pair).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(exceptions: &mut Exceptions, message: &str, level: Level, field: &str) {
        exceptions.hear(&LogEntry {
            level,
            message,
            fields: &[(field, "x")],
        });
    }

    #[test]
    fn exceptions_of_iterations_are_counted_with_their_places() {
        let mut exceptions = Exceptions::default();
        let text =
            "Error: a\nb\n\tat buy (file:///s.js:3:5(2))\n\tat default (file:///s.js:9:1(4))\n";
        for _ in 0..2 {
            hear(&mut exceptions, text, Level::Error, "executor");
        }
        hear(
            &mut exceptions,
            "Uncaught (in promise) x",
            Level::Error,
            "executor",
        );
        hear(
            &mut exceptions,
            "said by the script",
            Level::Error,
            "source",
        );
        hear(&mut exceptions, "too few users", Level::Warn, "executor");
        let list = exceptions.list();
        let traceback = "at buy (file:///s.js:3:5(2))\nat default (file:///s.js:9:1(4))";
        assert_eq!(list.len(), 2, "{list:?}");
        assert_eq!(
            (list[0].message.as_str(), list[0].count),
            ("Error: a\nb", 2)
        );
        assert_eq!(list[0].traceback, traceback);
        assert_eq!(list[1].message, "Uncaught (in promise) x");
        assert_eq!(Exceptions::from(list), exceptions);
    }

    #[test]
    fn exceptions_that_never_repeat_have_a_bounded_size() {
        let mut exceptions = Exceptions::default();
        for number in 0..1000 {
            hear(
                &mut exceptions,
                &format!("id {number}"),
                Level::Error,
                "executor",
            );
        }
        let list = exceptions.list();
        assert_eq!((list.len(), list[MOST].count), (MOST + 1, 900));
    }
}
