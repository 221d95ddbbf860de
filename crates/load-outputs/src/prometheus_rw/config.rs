//! `K6_PROMETHEUS_RW_...`.

use std::time::Duration;

use crate::output::{Environment, OutputError};
use crate::push::Endpoint;
use load_engine::go_text::parse_bool;
use load_engine::options::duration::parse;

/// The settings of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `SERVER_URL` and the credentials: `USERNAME` with `PASSWORD`, `BEARER_TOKEN`,
    /// `HTTP_HEADERS` (`name:value,...`) and `HEADERS_<name>`, `INSECURE_SKIP_TLS_VERIFY`,
    /// `TLS_MINIMUM_VERSION`, `CLIENT_CERTIFICATE` with `CLIENT_CERTIFICATE_KEY` (files).
    pub endpoint: Endpoint,
    /// `PUSH_INTERVAL`
    pub push_interval: Duration,
    /// `TREND_STATS`: a series for each.
    pub trend_stats: Vec<TrendStat>,
    /// `TREND_AS_NATIVE_HISTOGRAM`: instead of the stats.
    pub trend_as_native_histogram: bool,
    /// `STALE_MARKERS`: series end with the run, not five minutes later.
    pub stale_markers: bool,
    /// The label `testid` of series whose run has no tag of this name.
    pub test_id: Option<String>,
    /// Whether the thresholds are sent as series.
    pub thresholds: bool,
    /// Whether a rate is also sent as two counters, which can be aggregated over runners and time.
    pub rates_as_counters: bool,
}

/// The defaults.
#[derive(Debug, Clone, Copy)]
struct Defaults {
    trend_as_native_histogram: bool,
    stale_markers: bool,
}

/// A statistic of a trend.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendStat {
    /// The suffix of the series' name, such as `p99`.
    pub suffix: String,
    /// The statistic.
    pub kind: StatKind,
}

/// The kind of a trend's statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StatKind {
    /// Number of values.
    Count,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The greatest.
    Max,
    /// The mean.
    Average,
    /// A percentile, 0 to 100.
    Percentile(f64),
}

const PREFIX: &str = "K6_PROMETHEUS_RW_";

impl Config {
    /// Reads the environment and, over it, the argument of `-o experimental-prometheus-rw=`, which
    /// is the receiver's address.
    ///
    /// # Errors
    /// A setting is not valid.
    pub fn read(argument: &str, environment: &Environment) -> Result<Self, OutputError> {
        let defaults = Defaults {
            trend_as_native_histogram: false,
            stale_markers: false,
        };
        Self::read_with(argument, environment, defaults)
    }

    /// The same for `-o prometheus=`, which k6 does not have: trends are native histograms and rates are
    /// counters as well, so that they can be aggregated over runners and time, series end with the run,
    /// thresholds are series, and every series has a `testid`.
    ///
    /// # Errors
    /// A setting is not valid.
    pub fn read_ours(
        argument: &str,
        environment: &Environment,
        test_id: String,
    ) -> Result<Self, OutputError> {
        let defaults = Defaults {
            trend_as_native_histogram: true,
            stale_markers: true,
        };
        Ok(Self {
            test_id: Some(test_id),
            thresholds: true,
            rates_as_counters: true,
            ..Self::read_with(argument, environment, defaults)?
        })
    }

    fn read_with(
        argument: &str,
        environment: &Environment,
        defaults: Defaults,
    ) -> Result<Self, OutputError> {
        let read = Reader(environment);
        if environment
            .keys()
            .any(|key| key.starts_with("K6_PROMETHEUS_RW_SIGV4_"))
        {
            return Err(refuse(
                "requests cannot be signed for AWS (K6_PROMETHEUS_RW_SIGV4_...); \
                 put a signing proxy before the receiver"
                    .to_owned(),
            ));
        }
        let url = if argument.is_empty() {
            read.text("SERVER_URL")
        } else {
            Some(argument.to_owned())
        };
        let stats = read.text("TREND_STATS").unwrap_or("p(99)".to_owned());
        Ok(Self {
            endpoint: Endpoint {
                url: url.unwrap_or("http://localhost:9090/api/v1/write".to_owned()),
                headers: read.headers()?,
                basic_auth: read
                    .text("USERNAME")
                    .map(|user| (user, read.text("PASSWORD").unwrap_or_default())),
                bearer_token: read.text("BEARER_TOKEN"),
                insecure_skip_tls_verify: read.flag("INSECURE_SKIP_TLS_VERIFY")?.unwrap_or(false),
                tls_minimum_version: read.text("TLS_MINIMUM_VERSION"),
                client_certificate: read
                    .text("CLIENT_CERTIFICATE")
                    .zip(read.text("CLIENT_CERTIFICATE_KEY")),
                ..Endpoint::default()
            },
            push_interval: read.interval("PUSH_INTERVAL")?,
            trend_stats: stats
                .split(',')
                .map(TrendStat::parse)
                .collect::<Result<_, _>>()?,
            trend_as_native_histogram: read
                .flag("TREND_AS_NATIVE_HISTOGRAM")?
                .unwrap_or(defaults.trend_as_native_histogram),
            stale_markers: read
                .flag("STALE_MARKERS")?
                .unwrap_or(defaults.stale_markers),
            test_id: None,
            thresholds: false,
            rates_as_counters: false,
        })
    }
}

struct Reader<'a>(&'a Environment);

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        let found = self.0.get(&format!("{PREFIX}{name}"))?;
        (!found.is_empty()).then(|| found.clone())
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, OutputError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        parse_bool(&text).map(Some).ok_or_else(|| {
            refuse(format!(
                "parse environment variables options failed: strconv.ParseBool: parsing \
                 \"{text}\": invalid syntax"
            ))
        })
    }

    fn interval(&self, name: &str) -> Result<Duration, OutputError> {
        let Some(text) = self.text(name) else {
            return Ok(Duration::from_secs(5));
        };
        parse(&text).map_err(|_| {
            refuse(format!(
                "parse environment variables options failed: time: invalid duration \"{text}\""
            ))
        })
    }

    fn headers(&self) -> Result<Vec<(String, String)>, OutputError> {
        let mut headers = Vec::new();
        let list = self.text("HTTP_HEADERS").unwrap_or_default();
        for pair in list.split(',').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once(':').ok_or_else(|| {
                refuse(format!(
                    "the header \"{pair}\" is not of the form name:value"
                ))
            })?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let prefix = format!("{PREFIX}HEADERS_");
        for (key, value) in self.0 {
            if let Some(name) = key.strip_prefix(&prefix) {
                headers.push((name.to_owned(), value.clone()));
            }
        }
        Ok(headers)
    }
}

impl TrendStat {
    fn parse(text: &str) -> Result<Self, OutputError> {
        let kind = match text {
            "count" => StatKind::Count,
            "sum" => StatKind::Sum,
            "min" => StatKind::Min,
            "max" => StatKind::Max,
            "avg" => StatKind::Average,
            "med" => StatKind::Percentile(50.0),
            _ => {
                let number = text
                    .strip_prefix("p(")
                    .and_then(|rest| rest.strip_suffix(')'));
                let percentile = number.and_then(|number| number.parse::<f64>().ok());
                let percentile = percentile.filter(|p| (0.0..=100.0).contains(p));
                StatKind::Percentile(percentile.ok_or_else(|| {
                    refuse(format!("invalid trend stat '{text}', unknown format"))
                })?)
            }
        };
        let suffix = text.chars().filter(char::is_ascii_alphanumeric).collect();
        Ok(Self { suffix, kind })
    }
}

fn refuse(why: String) -> OutputError {
    OutputError::Create {
        output: "experimental-prometheus-rw",
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variable: &str, value: &str, wanted: &str) {
        let environment = Environment::from([(format!("{PREFIX}{variable}"), value.to_owned())]);
        let error = Config::read("", &environment).unwrap_err().to_string();
        let why = error.strip_prefix("could not create the 'experimental-prometheus-rw' output: ");
        assert_eq!(why, Some(wanted));
    }

    #[test]
    fn wrong_settings_are_refused_in_the_words_of_k6() {
        check(
            "TREND_STATS",
            "count,bad",
            "invalid trend stat 'bad', unknown format",
        );
        check(
            "PUSH_INTERVAL",
            "x",
            "parse environment variables options failed: time: invalid duration \"x\"",
        );
        check(
            "STALE_MARKERS",
            "xx",
            "parse environment variables options failed: strconv.ParseBool: parsing \"xx\": \
             invalid syntax",
        );
    }

    #[test]
    fn percentiles_name_their_series_without_punctuation() {
        let stat = TrendStat::parse("p(99.9)").unwrap();
        assert_eq!(stat.suffix, "p999");
        assert_eq!(stat.kind, StatKind::Percentile(99.9));
    }

    #[test]
    fn headers_come_from_a_list_and_from_single_variables() {
        let environment = [
            ("K6_PROMETHEUS_RW_HTTP_HEADERS", "a:b, c: d"),
            ("K6_PROMETHEUS_RW_HEADERS_X-Scope", "me"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::read("http://h/w", &Environment::from(environment)).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let wanted = [pair("a", "b"), pair("c", "d"), pair("X-Scope", "me")];
        assert_eq!(config.endpoint.headers, wanted);
        assert_eq!(config.endpoint.url, "http://h/w");
    }
}
