//! Log lines for Loki, in the format of k6: a JSON body per period, with a limited number of lines.
//!
//! Logging never waits: lines beyond the limit are dropped, and their number is logged instead.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::push::{Endpoint, Poster, PushError};
use load_engine::log::{Level, LogEntry};
use load_engine::options::duration::parse;

/// The settings of the Loki output.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The URL that bodies are posted to.
    pub url: String,
    /// Labels of every line.
    pub labels: Vec<(String, String)>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// Maximum number of lines per period.
    pub limit: usize,
    /// Only lines of this level and above.
    pub level: Option<Level>,
    /// How often a body is sent.
    pub push_period: Duration,
    /// Maximum length of a line in characters; the middle of a longer line is omitted.
    pub max_message: usize,
    /// Allowed labels; other fields go into the text. `None`: all fields are labels.
    pub allowed_labels: Option<Vec<String>>,
}

/// The reason why settings are not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An unknown key.
    #[error("unknown loki config key {0}")]
    UnknownKey(String),
    /// A key without a value.
    #[error("error while parsing loki configuration key `{0}` with no value")]
    NoValue(String),
    /// A value that is not a number above 0.
    #[error("loki {key} needs to be a positive number, is {value}")]
    Number {
        /// The key.
        key: &'static str,
        /// The given value.
        value: String,
    },
    /// A value that is not a duration.
    #[error("couldn't parse the loki pushPeriod time: {0}")]
    Period(String),
    /// A value that is not a level.
    #[error("unknown log level {0}")]
    Level(String),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:3100/loki/api/v1/push".to_owned(),
            labels: Vec::new(),
            headers: Vec::new(),
            limit: 100,
            level: None,
            push_period: Duration::from_secs(1),
            max_message: 1024 * 1024,
            allowed_labels: None,
        }
    }
}

impl Config {
    /// Reads the argument of `loki=`: a URL, then `key=value` pairs.
    ///
    /// # Errors
    /// A key is unknown, or its value is not valid.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut pieces = pieces(text).into_iter();
        if let Some(url) = pieces.next().filter(|url| !url.is_empty()) {
            url.clone_into(&mut config.url);
        }
        for piece in pieces {
            let pair = piece.split_once('=');
            let (key, value) = pair.ok_or_else(|| ConfigError::NoValue(piece.to_owned()))?;
            config.set(key, value)?;
        }
        Ok(config)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let positive = |key| {
            let number = value.parse().ok().filter(|number: &usize| *number > 0);
            let value = value.to_owned();
            number.ok_or(ConfigError::Number { key, value })
        };
        match key {
            "limit" => self.limit = positive("limit")?,
            "msgMaxSize" => self.max_message = positive("msgMaxSize")?,
            "pushPeriod" => {
                let period = parse(value);
                self.push_period = period.map_err(|why| ConfigError::Period(why.to_string()))?;
            }
            "level" => {
                let level = Level::parse(value);
                self.level = Some(level.ok_or_else(|| ConfigError::Level(value.to_owned()))?);
            }
            "allowedLabels" => {
                let names = value
                    .trim_start_matches('[')
                    .trim_end_matches(']')
                    .split(',');
                self.allowed_labels = Some(names.map(str::to_owned).collect());
            }
            _ => match key.split_once('.') {
                Some(("label", name)) => self.labels.push((name.to_owned(), value.to_owned())),
                Some(("header", name)) => self.headers.push((name.to_owned(), value.to_owned())),
                _ => return Err(ConfigError::UnknownKey(key.to_owned())),
            },
        }
        Ok(())
    }
}

/// Splits at commas outside brackets.
fn pieces(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let at_comma = |c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    text.split(at_comma).collect()
}

/// A running output to Loki. Dropping it sends the remaining lines.
pub struct Loki {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

/// A handle that accepts lines.
#[derive(Debug)]
pub struct Queue {
    config: Config,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    dropped: u64,
    closed: bool,
}

type Labels = Vec<(String, String)>;

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    unix_nanos: u128,
    labels: Labels,
    text: String,
}

/// Lines that have the same labels.
struct Stream {
    labels: Labels,
    values: Vec<Value>,
}

impl Loki {
    /// Starts sending; `failed` receives the reason when a body was rejected.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn start(
        config: Config,
        failed: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, PushError> {
        let mut headers = config.headers.clone();
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        let poster = Poster::new(Endpoint {
            url: config.url.clone(),
            headers,
            ..Endpoint::default()
        })?;
        let queue = Arc::new(Queue {
            config,
            waiting: Mutex::default(),
            changed: Condvar::new(),
        });
        let source = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("loki".to_owned())
            .spawn(move || {
                while let Some(body) = source.next_body() {
                    if let Err(error) = poster.post(body) {
                        failed(&error.to_string());
                    }
                }
            })
            .map_err(|error| PushError::Settings(error.to_string()))?;
        let thread = Some(thread);
        Ok(Self { queue, thread })
    }

    /// The handle that accepts lines.
    pub fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }
}

impl Drop for Loki {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has no result.
            let _ = thread.join();
        }
    }
}

impl Queue {
    /// Queues a line, or counts it as dropped when there are too many.
    pub fn take(&self, line: &LogEntry<'_>) {
        if self.config.level.is_some_and(|least| line.level < least) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let entry = self.entry(line, now.unwrap_or_default().as_nanos());
        let mut waiting = self.lock();
        if waiting.entries.len() < self.config.limit {
            waiting.entries.push(entry);
        } else {
            waiting.dropped += 1;
        }
    }

    fn entry(&self, line: &LogEntry<'_>, unix_nanos: u128) -> Entry {
        let mut text = line.message.to_owned();
        let mut labels = Vec::new();
        let level = ("level", line.level.name());
        let own = self.config.labels.iter();
        let own = own.map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in line.fields.iter().copied().chain(own).chain([level]) {
            if self.allows(key) {
                labels.push((key.to_owned(), value.to_owned()));
            } else {
                text.push_str(&format!(" {key}={value}"));
            }
        }
        Entry {
            unix_nanos,
            labels,
            text: shortened(&text, self.config.max_message),
        }
    }

    fn allows(&self, label: &str) -> bool {
        let allowed = self.config.allowed_labels.as_ref();
        allowed.is_none_or(|names| names.iter().any(|name| name == label))
    }

    /// Waits for a period, then returns the lines that have arrived; `None` after the last one.
    fn next_body(&self) -> Option<Vec<u8>> {
        loop {
            let waiting = self.lock();
            let period = self.config.push_period;
            let (mut waiting, _) = self
                .changed
                .wait_timeout_while(waiting, period, |waiting| !waiting.closed)
                .unwrap_or_else(PoisonError::into_inner);
            let entries = std::mem::take(&mut waiting.entries);
            let dropped = std::mem::take(&mut waiting.dropped);
            let closed = waiting.closed;
            drop(waiting);
            if !entries.is_empty() {
                return Some(self.body(entries, dropped));
            }
            if closed {
                return None;
            }
        }
    }

    fn body(&self, mut entries: Vec<Entry>, dropped: u64) -> Vec<u8> {
        if dropped > 0 {
            let message = format!(
                "k6 dropped {dropped} log messages because they were above the limit of {} messages / {:?}",
                self.config.limit, self.config.push_period
            );
            let last = entries.last().map_or(0, |entry| entry.unix_nanos);
            let told = LogEntry {
                level: Level::Warn,
                message: &message,
                fields: &[],
            };
            entries.push(self.entry(&told, last));
        }
        let mut streams: Vec<Stream> = Vec::new();
        let mut places = HashMap::new();
        for entry in entries {
            let place = *places.entry(entry.labels.clone()).or_insert_with(|| {
                let (labels, values) = (entry.labels, Vec::new());
                streams.push(Stream { labels, values });
                streams.len() - 1
            });
            let value = json!([entry.unix_nanos.to_string(), entry.text]);
            streams[place].values.push(value);
        }
        let streams = streams.into_iter().map(|Stream { labels, values }| {
            let labels = labels.into_iter().map(|(key, value)| (key, value.into()));
            json!({"stream": labels.collect::<Map<_, _>>(), "values": values})
        });
        json!({"streams": streams.collect::<Vec<_>>()})
            .to_string()
            .into_bytes()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning and the end of a text that is too long.
fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let (begin, end) = (most / 2, count - most / 2);
    let first: String = text.chars().take(begin).collect();
    let last: String = text.chars().skip(end).collect();
    format!("{first}... omitting {} characters ...{last}", end - begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, why: &str) {
        let error = Config::parse(text).expect_err("refused");
        assert_eq!(error.to_string(), why);
    }

    #[test]
    fn settings_are_read_as_k6_reads_them() {
        let config = Config::parse(
            "http://h/x,label.a=b,header.X-A=1,limit=3,level=warn,pushPeriod=100ms,msgMaxSize=10,\
             allowedLabels=[a,level]",
        )
        .expect("valid");
        assert_eq!(config.url, "http://h/x");
        assert_eq!(config.labels, [("a".to_owned(), "b".to_owned())]);
        assert_eq!((config.limit, config.max_message), (3, 10));
        assert_eq!(config.push_period, Duration::from_millis(100));
        assert_eq!(config.allowed_labels.expect("given"), ["a", "level"]);
        assert_eq!(Config::parse("").expect("valid"), Config::default());
    }

    #[test]
    fn bad_settings_are_refused_in_k6s_words() {
        refused("u,foo=1", "unknown loki config key foo");
        refused(
            "u,limit=0",
            "loki limit needs to be a positive number, is 0",
        );
        refused("u,level=nope", "unknown log level nope");
        refused(
            "u,profile",
            "error while parsing loki configuration key `profile` with no value",
        );
    }

    #[test]
    fn long_texts_lose_their_middle() {
        let text = "hello \"x\" {\"a\":1} source=console";
        assert_eq!(
            shortened(text, 20),
            "hello \"x\" ... omitting 12 characters ...ce=console"
        );
        assert_eq!(shortened("short", 5), "short");
    }

    fn queue(settings: &str) -> Queue {
        Queue {
            config: Config::parse(settings).expect("valid"),
            waiting: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    #[test]
    fn facts_are_labels_unless_they_are_not_allowed() {
        let line = LogEntry {
            level: Level::Info,
            message: "hello",
            fields: &[("source", "console")],
        };
        let free = queue("u,label.a=b").entry(&line, 1);
        let names: Vec<&str> = free.labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            (names, free.text.as_str()),
            (vec!["source", "a", "level"], "hello")
        );
        let bound = queue("u,label.a=b,allowedLabels=[a,level]").entry(&line, 1);
        assert_eq!(bound.text, "hello source=console");
        assert_eq!(bound.labels.len(), 2);
    }

    #[test]
    fn lines_beyond_the_limit_are_counted_and_told() {
        let queue = queue("u,limit=2,pushPeriod=100ms");
        for message in ["one", "two", "three"] {
            queue.take(&LogEntry {
                level: Level::Error,
                message,
                fields: &[],
            });
        }
        queue.lock().closed = true;
        let body: Value = serde_json::from_slice(&queue.next_body().expect("lines")).expect("JSON");
        let texts: Vec<&Value> = body["streams"]
            .as_array()
            .expect("streams")
            .iter()
            .flat_map(|stream| stream["values"].as_array().expect("values"))
            .map(|value| &value[1])
            .collect();
        assert_eq!(
            texts,
            [
                "one",
                "two",
                "k6 dropped 1 log messages because they were above the limit of 2 messages / 100ms"
            ]
        );
        assert!(queue.next_body().is_none());
    }
}
