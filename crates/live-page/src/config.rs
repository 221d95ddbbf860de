//! The settings of the output `web-dashboard`: its argument over k6's variables.

use std::path::PathBuf;
use std::time::Duration;

use load_engine::go_text::parse_bool;
use load_engine::options::duration;
use load_outputs::Environment;

/// k6's port.
const PORT: u16 = 5665;
/// k6's period of ten seconds.
const PERIOD: Duration = Duration::from_secs(2);

/// The settings of the page: its address, its period and its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub host: String,
    /// `None`: not served. 0: any free port.
    pub port: Option<u16>,
    pub period: Duration,
    /// Whether a browser is opened on it.
    pub open: bool,
    /// The path of the report, which is written when the run has ended.
    pub export: Option<PathBuf>,
}

/// A setting that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("`{0}` is not a setting of web-dashboard; use host, port, period, open or export")]
    Unknown(String),
    #[error("{name}: `{value}` is not {expected}")]
    Value {
        /// The name as written, such as `K6_WEB_DASHBOARD_PORT`.
        name: String,
        value: String,
        expected: &'static str,
    },
}

/// The settings by their names, with the variable of each.
const NAMES: [(&str, &str); 5] = [
    ("host", "K6_WEB_DASHBOARD_HOST"),
    ("port", "K6_WEB_DASHBOARD_PORT"),
    ("period", "K6_WEB_DASHBOARD_PERIOD"),
    ("open", "K6_WEB_DASHBOARD_OPEN"),
    ("export", "K6_WEB_DASHBOARD_EXPORT"),
];

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: Some(PORT),
            period: PERIOD,
            open: false,
            export: None,
        }
    }
}

impl Config {
    /// Whether the variables enable the page: `K6_WEB_DASHBOARD` is true.
    pub fn is_wanted(variable: Option<&str>) -> bool {
        // Go's spellings of true.
        variable.is_some_and(|value| ["1", "t", "T", "true", "TRUE", "True"].contains(&value))
    }

    /// Reads `port=8080&period=1s` over the variables.
    ///
    /// # Errors
    /// A setting is unknown, or its value is not valid.
    pub fn read(argument: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (name, variable) in NAMES {
            if let Some(value) = environment.get(variable).filter(|value| !value.is_empty()) {
                config.set(name, value, variable)?;
            }
        }
        for setting in argument.split('&').filter(|setting| !setting.is_empty()) {
            // `open` alone turns it on.
            let (name, value) = setting.split_once('=').unwrap_or((setting, "true"));
            config.set(name, value, name)?;
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str, written: &str) -> Result<(), ConfigError> {
        let not = |expected| ConfigError::Value {
            name: written.to_owned(),
            value: value.to_owned(),
            expected,
        };
        match name {
            "host" => value.clone_into(&mut self.host),
            "port" => {
                let port: i32 = value.parse().map_err(|_| not(PORTS))?;
                self.port = match port {
                    -1 => None,
                    port => Some(u16::try_from(port).map_err(|_| not(PORTS))?),
                };
            }
            "period" => {
                let period = duration::parse(value)
                    .ok()
                    .filter(|period| !period.is_zero());
                self.period = period.ok_or_else(|| not("a time above 0, such as 2s"))?;
            }
            "open" => {
                self.open = parse_bool(value).ok_or_else(|| not("true or false"))?;
            }
            "export" => self.export = Some(PathBuf::from(value)),
            _ => return Err(ConfigError::Unknown(name.to_owned())),
        }
        Ok(())
    }
}

const PORTS: &str = "a port from 0 to 65535, or -1 for no page";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(argument: &str, variables: &[(&str, &str)], expected: Result<Config, &str>) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Environment = variables.iter().map(owned).collect();
        let found = Config::read(argument, &environment).map_err(|error| error.to_string());
        assert_eq!(
            found,
            expected.map_err(str::to_owned),
            "{argument} {variables:?}"
        );
    }

    #[test]
    fn the_argument_wins_over_variables_and_these_over_defaults() {
        check("", &[], Ok(Config::default()));
        let variables = [
            ("K6_WEB_DASHBOARD_PORT", "-1"),
            ("K6_WEB_DASHBOARD_HOST", "0.0.0.0"),
            ("K6_WEB_DASHBOARD_PERIOD", "10s"),
            ("K6_WEB_DASHBOARD_OPEN", "1"),
            ("K6_WEB_DASHBOARD_EXPORT", "out.html"),
        ];
        let all = Config {
            host: "0.0.0.0".to_owned(),
            port: None,
            period: Duration::from_secs(10),
            open: true,
            export: Some("out.html".into()),
        };
        check("", &variables, Ok(all.clone()));
        let over = Config {
            port: Some(0),
            period: Duration::from_millis(500),
            open: false,
            ..all
        };
        check("port=0&period=500ms&open=false", &variables, Ok(over));
        check(
            "open",
            &[],
            Ok(Config {
                open: true,
                ..Config::default()
            }),
        );
    }

    #[test]
    fn what_cannot_be_used_is_named_as_it_was_written() {
        check(
            "port=x",
            &[],
            Err("port: `x` is not a port from 0 to 65535, or -1 for no page"),
        );
        check(
            "port=70000",
            &[],
            Err("port: `70000` is not a port from 0 to 65535, or -1 for no page"),
        );
        check(
            "period=0s",
            &[],
            Err("period: `0s` is not a time above 0, such as 2s"),
        );
        check("open=yes", &[], Err("open: `yes` is not true or false"));
        check(
            "colour=red",
            &[],
            Err(
                "`colour` is not a setting of web-dashboard; use host, port, period, open or export",
            ),
        );
        check(
            "",
            &[("K6_WEB_DASHBOARD_PORT", "-2")],
            Err("K6_WEB_DASHBOARD_PORT: `-2` is not a port from 0 to 65535, or -1 for no page"),
        );
    }
}
