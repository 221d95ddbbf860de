//! `K6_INFLUXDB_...`.

use std::time::Duration;

use load_engine::go_text::parse_bool;
use load_engine::options::duration::parse_extended;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::output::{Environment, OutputError};

/// The settings of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `ADDR`, or the URL of `-o influxdb=` without its last path segment: `http`, `https` or `udp`.
    pub address: Url,
    /// `DB`, or the last path segment of that URL.
    pub database: String,
    /// `USERNAME` and `PASSWORD`, or those of the URL.
    pub user: Option<(String, String)>,
    /// `INSECURE`: accepts any certificate.
    pub insecure: bool,
    /// `PROXY`: the HTTP proxy; the proxies of the environment are not used.
    pub proxy: Option<String>,
    /// `PAYLOAD_SIZE`: the largest datagram, in bytes; for `udp` only.
    pub payload_bytes: usize,
    /// `PUSH_INTERVAL`
    pub push_interval: Duration,
    /// `CONCURRENT_WRITES`: the maximum number of concurrent writes.
    pub concurrent_writes: usize,
    /// `PRECISION`
    pub precision: Precision,
    /// `RETENTION`: the retention policy.
    pub retention: String,
    /// `CONSISTENCY`: the consistency of a cluster's write.
    pub consistency: String,
    /// `TAGS_AS_FIELDS`: tags that are written as fields, such as `vu:int,iter:int,url`.
    pub fields: Vec<(String, FieldType)>,
}

/// The type of a tag that is written as a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// Text; the default.
    String,
    /// A whole number.
    Int,
    /// Any number.
    Float,
    /// True or false.
    Bool,
}

/// The unit of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    /// The value of the parameter `precision`.
    pub name: &'static str,
    /// Nanoseconds per unit.
    pub nanos: i64,
}

const PREFIX: &str = "K6_INFLUXDB_";
/// The default size of a datagram, in bytes.
const PAYLOAD_BYTES: usize = 512;

impl Config {
    /// Reads the environment and, over it, the argument of `-o influxdb=`: a URL with the database in its path and
    /// settings in its query.
    ///
    /// # Errors
    /// On settings that cannot be used.
    pub fn read(argument: &str, environment: &Environment) -> Result<Self, OutputError> {
        let read = |name: &str| {
            let text = environment.get(&format!("{PREFIX}{name}"))?;
            (!text.is_empty()).then_some(text.as_str())
        };
        let mut config = Self {
            address: url(read("ADDR").unwrap_or("http://localhost:8086"))?,
            database: read("DB").unwrap_or("k6").to_owned(),
            user: None,
            insecure: false,
            proxy: read("PROXY").map(str::to_owned),
            payload_bytes: PAYLOAD_BYTES,
            push_interval: Duration::from_secs(1),
            concurrent_writes: 4,
            precision: Precision::parse("ns")?,
            retention: String::new(),
            consistency: String::new(),
            fields: Vec::new(),
        };
        let (user, password) = (read("USERNAME"), read("PASSWORD"));
        if user.is_some() || password.is_some() {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            config.user = Some((text(user), text(password)));
        }
        for (variable, key) in SETTINGS {
            let usual = (*key == "tagsAsFields").then_some("vu:int,iter:int,url");
            if let Some(value) = read(variable).or(usual) {
                config.set(key, value, &format!("{PREFIX}{variable}"))?;
            }
        }
        config.set_address(argument)?;
        if config.push_interval.is_zero() {
            return Err(refuse("the push interval must be longer than 0".to_owned()));
        }
        if !["http", "https", "udp"].contains(&config.address.scheme()) {
            let why = format!(
                "unsupported scheme \"{}\"; use http, https or udp",
                config.address.scheme()
            );
            return Err(refuse(why));
        }
        Ok(config)
    }

    /// The address of the receiver, without user and database.
    pub fn shown_address(&self) -> String {
        let text = self.address.as_str();
        text.trim_end_matches('/').to_owned()
    }

    fn set_address(&mut self, argument: &str) -> Result<(), OutputError> {
        if argument.is_empty() {
            return Ok(());
        }
        // A path alone names the database on the default server.
        let mut given = if argument.starts_with('/') {
            let joined = self.address.join(argument);
            joined.map_err(|error| refuse(format!("parse \"{argument}\": {error}")))?
        } else {
            url(argument)?
        };
        for (key, value) in given.query_pairs() {
            if !SETTINGS.iter().any(|(_, known)| *known == key) {
                return Err(refuse(format!("unknown query parameter: {key}")));
            }
            self.set(&key, &value, &key)?;
        }
        if !given.username().is_empty() {
            let text = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
            let password = given.password().map(text).unwrap_or_default();
            self.user = Some((text(given.username()), password));
        }
        let path = given.path().trim_matches('/').to_owned();
        let (prefix, database) = path.rsplit_once('/').unwrap_or(("", &path));
        if !database.is_empty() {
            self.database = percent_decode_str(database)
                .decode_utf8_lossy()
                .into_owned();
        }
        given.set_path(prefix);
        given.set_query(None);
        given.set_fragment(None);
        // Fails only for a URL that cannot have a user.
        let _ = given.set_username("").and(given.set_password(None));
        self.address = given;
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str, named: &str) -> Result<(), OutputError> {
        let wrong = |wanted: &str| refuse(format!("{named}: \"{value}\" is not {wanted}"));
        let positive = || value.parse::<usize>().ok().filter(|number| *number > 0);
        match key {
            "insecure" => {
                self.insecure = parse_bool(value).ok_or_else(|| wrong("true or false"))?;
            }
            "payload_size" => {
                self.payload_bytes = positive().ok_or_else(|| wrong("a positive number"))?;
            }
            "precision" => self.precision = Precision::parse(value)?,
            "retention" => value.clone_into(&mut self.retention),
            "consistency" => value.clone_into(&mut self.consistency),
            "pushInterval" => {
                self.push_interval = parse_extended(value)
                    .map_err(|_| wrong("a valid duration; use a number and a unit, such as 1s"))?;
            }
            "concurrentWrites" => {
                let why = "influxdb's ConcurrentWrites must be a positive number";
                self.concurrent_writes = positive().ok_or_else(|| refuse(why.to_owned()))?;
            }
            "tagsAsFields" => self.fields = fields(value)?,
            _ => unreachable!("every key of SETTINGS has an arm"),
        }
        Ok(())
    }
}

/// Settings from variables or from the query of the URL.
const SETTINGS: &[(&str, &str)] = &[
    ("INSECURE", "insecure"),
    ("PAYLOAD_SIZE", "payload_size"),
    ("PRECISION", "precision"),
    ("RETENTION", "retention"),
    ("CONSISTENCY", "consistency"),
    ("PUSH_INTERVAL", "pushInterval"),
    ("CONCURRENT_WRITES", "concurrentWrites"),
    ("TAGS_AS_FIELDS", "tagsAsFields"),
];

impl Precision {
    fn parse(text: &str) -> Result<Self, OutputError> {
        let (name, nanos) = match text {
            "ns" | "n" => ("ns", 1),
            // The server reads `us` as nanoseconds.
            "us" | "u" | "µs" => ("u", 1_000),
            "ms" => ("ms", 1_000_000),
            "s" => ("s", 1_000_000_000),
            "m" => ("m", 60_000_000_000),
            "h" => ("h", 3_600_000_000_000),
            _ => {
                let why = format!("unknown precision \"{text}\"; use ns, u, ms, s, m or h");
                return Err(refuse(why));
            }
        };
        Ok(Self { name, nanos })
    }
}

fn fields(list: &str) -> Result<Vec<(String, FieldType)>, OutputError> {
    let entries = list.split(',').filter(|entry| !entry.is_empty());
    let mut fields = Vec::new();
    for entry in entries {
        let (name, kind) = entry.split_once(':').unwrap_or((entry, "string"));
        let kind = match kind {
            "string" => FieldType::String,
            "int" => FieldType::Int,
            "float" => FieldType::Float,
            "bool" => FieldType::Bool,
            _ => {
                return Err(refuse(format!(
                    "an invalid type ({kind}) is specified for an InfluxDB field ({name})"
                )));
            }
        };
        fields.push((name.to_owned(), kind));
    }
    Ok(fields)
}

fn url(text: &str) -> Result<Url, OutputError> {
    Url::parse(text).map_err(|error| refuse(format!("parse \"{text}\": {error}")))
}

pub(super) fn refuse(why: String) -> OutputError {
    OutputError::Create {
        output: "influxdb",
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(argument: &str, settings: &[(&str, &str)]) -> Result<Config, String> {
        let variables = settings.iter();
        let variables =
            variables.map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
        Config::read(argument, &variables.collect()).map_err(|error| {
            let text = error.to_string();
            let why = text.strip_prefix("could not create the 'influxdb' output: ");
            why.expect("it names the output").to_owned()
        })
    }

    /// An argument, its address, and its database.
    fn check_address(argument: &str, address: &str, database: &str) {
        let config = read(argument, &[("DB", "usual")]).unwrap();
        let found = (config.shown_address(), config.database);
        assert_eq!(found, (address.to_owned(), database.to_owned()));
    }

    #[test]
    fn the_url_holds_the_address_and_the_database() {
        check_address("", "http://localhost:8086", "usual");
        check_address("/other", "http://localhost:8086", "other");
        check_address("http://h:1", "http://h:1", "usual");
        check_address("http://h:1/", "http://h:1", "usual");
        check_address("http://me:pw@h:1/db", "http://h:1", "db");
        check_address("https://h/influxdb/my%20db", "https://h/influxdb", "my db");
        check_address("udp://h:8089/db", "udp://h:8089", "db");
    }

    #[test]
    fn the_url_wins_over_variables() {
        let variables = [
            ("ADDR", "http://other"),
            ("USERNAME", "a"),
            ("PASSWORD", "b"),
            ("PRECISION", "s"),
        ];
        let config = read(
            "http://me:p%40w@h/db?precision=ms&pushInterval=2s",
            &variables,
        )
        .unwrap();
        assert_eq!(config.shown_address(), "http://h");
        assert_eq!(config.user, Some(("me".to_owned(), "p@w".to_owned())));
        assert_eq!(config.precision.name, "ms");
        assert_eq!(config.push_interval, Duration::from_secs(2));
    }

    #[test]
    fn tags_become_fields_of_a_type() {
        let fields = |list| read("", &[("TAGS_AS_FIELDS", list)]).unwrap().fields;
        let field = |name: &str, kind| (name.to_owned(), kind);
        let usual = [
            field("vu", FieldType::Int),
            field("iter", FieldType::Int),
            field("url", FieldType::String),
        ];
        assert_eq!(fields(""), usual);
        let given = [field("a", FieldType::Bool), field("b", FieldType::Float)];
        assert_eq!(fields("a:bool,,b:float"), given);
    }

    fn check_refused(argument: &str, settings: &[(&str, &str)], why: &str) {
        assert_eq!(read(argument, settings), Err(why.to_owned()));
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        check_refused(
            "",
            &[("TAGS_AS_FIELDS", "vu:foo")],
            "an invalid type (foo) is specified for an InfluxDB field (vu)",
        );
        check_refused(
            "",
            &[("CONCURRENT_WRITES", "0")],
            "influxdb's ConcurrentWrites must be a positive number",
        );
        check_refused(
            "",
            &[("PUSH_INTERVAL", "x")],
            "K6_INFLUXDB_PUSH_INTERVAL: \"x\" is not a valid duration; use a number and a unit, such as 1s",
        );
        check_refused(
            "",
            &[("PUSH_INTERVAL", "0")],
            "the push interval must be longer than 0",
        );
        check_refused(
            "",
            &[("INSECURE", "maybe")],
            "K6_INFLUXDB_INSECURE: \"maybe\" is not true or false",
        );
        check_refused(
            "",
            &[("PRECISION", "xx")],
            "unknown precision \"xx\"; use ns, u, ms, s, m or h",
        );
        check_refused("http://h/db?db=x", &[], "unknown query parameter: db");
        check_refused(
            "127.0.0.1:8086/db",
            &[],
            "parse \"127.0.0.1:8086/db\": relative URL without a base",
        );
        check_refused(
            "ftp://h/db",
            &[],
            "unsupported scheme \"ftp\"; use http, https or udp",
        );
    }
}
