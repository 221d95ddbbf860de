//! `K6_STATSD_...` and `K6_DATADOG_...`.

use std::time::Duration;

use load_engine::go_text::parse_bool;
use load_engine::options::duration::parse_extended;

use crate::output::{Environment, OutputError};

/// The settings of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The receiver, `StatsD` or Datadog.
    pub dialect: Dialect,
    /// `ADDR`, or the argument of `-o statsd=`: host and port.
    pub address: String,
    /// `NAMESPACE`: the prefix of each metric's name.
    pub namespace: String,
    /// `PUSH_INTERVAL`: how long a datagram waits to be filled.
    pub push_interval: Duration,
    /// `BUFFER_SIZE`: values in a datagram.
    pub buffer_size: u64,
    /// `ENABLE_TAGS`: whether tags are sent, in the format of `DogStatsD`.
    pub enable_tags: bool,
    /// `TAG_BLOCKLIST`: tags that are not sent.
    pub tag_blocklist: Vec<String>,
}

/// The receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Any `StatsD` server; tags are off.
    StatsD,
    /// The agent of Datadog; tags are on. Its variables `K6_DATADOG_...` take precedence over `K6_STATSD_...`.
    Datadog,
}

impl Dialect {
    /// The name of the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::StatsD => "statsd",
            Self::Datadog => "datadog",
        }
    }
}

impl Config {
    /// Reads the environment and, over it, the argument of `-o statsd=`, which is the address.
    ///
    /// # Errors
    /// On settings that cannot be used.
    pub fn read(
        dialect: Dialect,
        argument: &str,
        environment: &Environment,
    ) -> Result<Self, OutputError> {
        let read = Reader {
            dialect,
            environment,
        };
        let text = |name: &str, usual: &str| {
            let found = read.setting(name).map(|(_, text)| text);
            found.unwrap_or_else(|| usual.to_owned())
        };
        let address = if argument.is_empty() {
            text("ADDR", "localhost:8125")
        } else {
            argument.to_owned()
        };
        let port = address.rsplit_once(':').map(|(_, port)| port);
        if port.is_none_or(|port| port.parse::<u16>().is_err()) {
            let why = format!(
                "\"{address}\" is not an address; use a host and a port, such as localhost:8125"
            );
            return Err(refuse(dialect, why));
        }
        let list = match read.setting("TAG_BLOCKLIST") {
            Some((_, list)) => list,
            // The former name of the variable.
            None => text("TAG_BLACKLIST", "vu,iter,url"),
        };
        let tags = list.split(',').map(str::trim);
        Ok(Self {
            dialect,
            address,
            namespace: text("NAMESPACE", "k6."),
            push_interval: read.interval("PUSH_INTERVAL")?,
            buffer_size: read.number("BUFFER_SIZE", 20)?,
            enable_tags: read.flag("ENABLE_TAGS")?,
            tag_blocklist: tags
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

struct Reader<'a> {
    dialect: Dialect,
    environment: &'a Environment,
}

impl Reader<'_> {
    /// The variable that holds a setting, and its text.
    fn setting(&self, name: &str) -> Option<(String, String)> {
        let prefixes: &[&str] = match self.dialect {
            Dialect::StatsD => &["K6_STATSD_"],
            Dialect::Datadog => &["K6_DATADOG_", "K6_STATSD_"],
        };
        prefixes.iter().find_map(|prefix| {
            let variable = format!("{prefix}{name}");
            let text = self.environment.get(&variable)?;
            (!text.is_empty()).then(|| (variable, text.clone()))
        })
    }

    fn flag(&self, name: &str) -> Result<bool, OutputError> {
        let Some((variable, text)) = self.setting(name) else {
            return Ok(self.dialect == Dialect::Datadog);
        };
        parse_bool(&text).ok_or_else(|| {
            let why = format!("{variable}: \"{text}\" is not true or false");
            refuse(self.dialect, why)
        })
    }

    fn number(&self, name: &str, usual: u64) -> Result<u64, OutputError> {
        let Some((variable, text)) = self.setting(name) else {
            return Ok(usual);
        };
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| {
            let why = format!("{variable}: \"{text}\" is not a positive number");
            refuse(self.dialect, why)
        })
    }

    fn interval(&self, name: &str) -> Result<Duration, OutputError> {
        let Some((variable, text)) = self.setting(name) else {
            return Ok(Duration::from_secs(1));
        };
        let interval = parse_extended(&text).ok().filter(|time| !time.is_zero());
        interval.ok_or_else(|| {
            let why = format!(
                "{variable}: \"{text}\" is not a duration above 0; use a number and a unit, such as 1s"
            );
            refuse(self.dialect, why)
        })
    }
}

pub(super) fn refuse(dialect: Dialect, why: String) -> OutputError {
    OutputError::Create {
        output: dialect.name(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        dialect: Dialect,
        argument: &str,
        variables: &[(&str, &str)],
    ) -> Result<Config, String> {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(dialect, argument, &variables.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_usual_settings_are_those_of_the_extension() {
        let usual = Config {
            dialect: Dialect::StatsD,
            address: "localhost:8125".to_owned(),
            namespace: "k6.".to_owned(),
            push_interval: Duration::from_secs(1),
            buffer_size: 20,
            enable_tags: false,
            tag_blocklist: ["vu", "iter", "url"].map(str::to_owned).into(),
        };
        assert_eq!(read(Dialect::StatsD, "", &[]).unwrap(), usual);
        let datadog = Config {
            dialect: Dialect::Datadog,
            enable_tags: true,
            ..usual
        };
        assert_eq!(read(Dialect::Datadog, "", &[]).unwrap(), datadog);
    }

    #[test]
    fn the_variables_of_datadog_win_for_datadog() {
        let variables = [
            ("K6_STATSD_ADDR", "a:1"),
            ("K6_DATADOG_ADDR", "b:2"),
            ("K6_STATSD_NAMESPACE", "mine."),
            ("K6_DATADOG_TAG_BLACKLIST", "x, y"),
        ];
        let datadog = read(Dialect::Datadog, "", &variables).unwrap();
        assert_eq!(datadog.address, "b:2");
        assert_eq!(datadog.namespace, "mine.");
        assert_eq!(datadog.tag_blocklist, ["x", "y"]);
        let statsd = read(Dialect::StatsD, "", &variables).unwrap();
        assert_eq!(statsd.address, "a:1");
        let given = read(Dialect::StatsD, "c:3", &variables).unwrap();
        assert_eq!(given.address, "c:3");
    }

    fn check_refused(variable: &str, value: &str, why: &str) {
        let error = read(Dialect::StatsD, "", &[(variable, value)]).unwrap_err();
        assert_eq!(
            error,
            format!("could not create the 'statsd' output: {why}")
        );
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        check_refused(
            "K6_STATSD_ADDR",
            "localhost",
            "\"localhost\" is not an address; use a host and a port, such as localhost:8125",
        );
        check_refused(
            "K6_STATSD_PUSH_INTERVAL",
            "0s",
            "K6_STATSD_PUSH_INTERVAL: \"0s\" is not a duration above 0; use a number and a unit, such as 1s",
        );
        check_refused(
            "K6_STATSD_BUFFER_SIZE",
            "-1",
            "K6_STATSD_BUFFER_SIZE: \"-1\" is not a positive number",
        );
        check_refused(
            "K6_STATSD_ENABLE_TAGS",
            "maybe",
            "K6_STATSD_ENABLE_TAGS: \"maybe\" is not true or false",
        );
    }
}
