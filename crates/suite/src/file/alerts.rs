//! Where alerts go while a test runs.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// Alerts of a running test.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// Receivers that are notified when an alert fires or resolves. A failing receiver is reported and does not
    /// change the verdict.
    #[serde(default)]
    pub sinks: Vec<Sink>,
    /// The trend of the script, in milliseconds, whose percentiles the three alerts of latency watch. Absent: the duration
    /// of all requests.
    pub latency_of: Option<String>,
}

/// A receiver of alerts. `${NAME}` in a URL or a header is replaced by an environment variable.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sink {
    /// A line in the log.
    Log,
    /// One JSON object per line.
    File {
        /// Relative to the run's folder; lines are appended.
        path: PathBuf,
    },
    /// A JSON object by POST.
    Webhook {
        /// Where it is sent.
        url: String,
        /// Headers of the request, such as `Authorization`.
        #[serde(default)]
        headers: IndexMap<String, String>,
    },
    /// The API of Prometheus' Alertmanager, version 2. Firing alerts are sent again every minute.
    Alertmanager {
        /// Without `/api/v2/alerts`.
        url: String,
        /// Labels in addition to `alertname`, `severity`, `suite`, `test`, `target` and `run`.
        #[serde(default)]
        labels: IndexMap<String, String>,
    },
}

impl Sink {
    /// Its name in messages; of a URL only the host, because the path may be a secret.
    pub fn name(&self) -> String {
        match self {
            Self::Log => "log".to_owned(),
            Self::File { path } => format!("file {}", path.display()),
            Self::Webhook { url, .. } => format!("webhook {}", host(url)),
            Self::Alertmanager { url, .. } => format!("Alertmanager {}", host(url)),
        }
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_sink_contains_no_secret() {
        let name = |url: &str| {
            let url = url.to_owned();
            let headers = IndexMap::new();
            Sink::Webhook { url, headers }.name()
        };
        assert_eq!(
            name("https://hooks.example.com/T0/secret"),
            "webhook hooks.example.com"
        );
        assert_eq!(
            name("http://user:word@[::1]:9093?key=x"),
            "webhook [::1]:9093"
        );
    }
}
