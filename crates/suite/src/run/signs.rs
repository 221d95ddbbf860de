//! How a system itself reports a fault: by its health, or by one of its metrics.

use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

use super::admin::Admin;
use crate::file::{MetricSign, Sign};
use crate::plan::PROBE_EVERY;

const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Waits for the sign of one fault.
pub struct Signs<'a> {
    detect: &'a Sign,
    admin: &'a Admin,
    agent: Agent,
    health: String,
    /// The value of the metric before the fault.
    before: f64,
    /// A sign that is present before the fault proves nothing.
    pub was_there: bool,
}

impl<'a> Signs<'a> {
    /// Called before the injection: the growth of a counter is measured from here.
    pub fn new(detect: &'a Sign, admin: &'a Admin, base_url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWERED_WITHIN))
            .build();
        let mut signs = Self {
            detect,
            admin,
            agent: config.into(),
            health: format!("{}/health", base_url.trim_end_matches('/')),
            before: 0.0,
            was_there: false,
        };
        let metric = signs.detect.metric.as_ref();
        signs.before = metric.and_then(|it| signs.value(it)).unwrap_or(0.0);
        signs.was_there = signs.is_there();
        signs
    }

    /// Seconds until the sign appears; `None`: it does not appear during the fault.
    pub fn wait(&self, is_over: impl Fn() -> bool) -> Option<f64> {
        let begun = Instant::now();
        while !self.was_there && !is_over() {
            if self.is_there() {
                return Some(begun.elapsed().as_secs_f64());
            }
            std::thread::sleep(PROBE_EVERY);
        }
        None
    }

    fn is_there(&self) -> bool {
        match &self.detect.metric {
            Some(metric) => self
                .value(metric)
                .is_some_and(|value| shows(metric, value, self.before)),
            None => self
                .status()
                .is_some_and(|status| self.detect.health.contains(&status)),
        }
    }

    fn status(&self) -> Option<String> {
        let mut answer = self.agent.get(&self.health).call().ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        let health: Value = serde_json::from_str(&text).ok()?;
        health.get("status")?.as_str().map(str::to_owned)
    }

    fn value(&self, metric: &MetricSign) -> Option<f64> {
        sum(&self.admin.metrics().ok()?, metric)
    }
}

fn shows(metric: &MetricSign, value: f64, before: f64) -> bool {
    metric.above.is_some_and(|bound| value > bound)
        || metric.below.is_some_and(|bound| value < bound)
        || metric.grows_by.is_some_and(|bound| value - before > bound)
}

/// The sum of a metric's series with these labels, in Prometheus' text format; `None` without such series.
fn sum(metrics: &str, metric: &MetricSign) -> Option<f64> {
    let values = metrics.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let has = |(label, value): (&String, &String)| {
            let value = value.replace('\\', r"\\").replace('"', "\\\"");
            let wanted = format!("{label}=\"{value}\"");
            labels.starts_with(&wanted) || labels.contains(&format!(",{wanted}"))
        };
        (name == metric.name && metric.labels.iter().all(has)).then_some(value)
    });
    values
        .filter_map(|value| value.parse::<f64>().ok())
        .reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "# TYPE up gauge\nup{host=\"api\",instance=\"0\"} 1\n\
        up{host=\"api\",instance=\"1\"} 0\nup{host=\"db\",instance=\"0\"} 1\nup_total 7\nfailed_total 12\n";

    fn sign(name: &str, host: Option<&str>) -> MetricSign {
        MetricSign {
            name: name.to_owned(),
            labels: host
                .map(|host| ("host".to_owned(), host.to_owned()))
                .into_iter()
                .collect(),
            above: None,
            below: None,
            grows_by: None,
        }
    }

    #[test]
    fn series_with_the_labels_count_together() {
        assert_eq!(sum(METRICS, &sign("up", Some("api"))), Some(1.0));
        assert_eq!(sum(METRICS, &sign("up", None)), Some(2.0));
        assert_eq!(sum(METRICS, &sign("failed_total", None)), Some(12.0));
        assert_eq!(sum(METRICS, &sign("up", Some("ap"))), None);
        assert_eq!(sum(METRICS, &sign("down", None)), None);
    }

    #[test]
    fn a_sign_is_a_rise_a_fall_or_growth_from_the_injection() {
        let above = MetricSign {
            above: Some(3.0),
            ..sign("m", None)
        };
        assert_eq!([3.0, 3.1].map(|it| shows(&above, it, 0.0)), [false, true]);
        let below = MetricSign {
            below: Some(2.0),
            ..sign("m", None)
        };
        assert_eq!([2.0, 1.0].map(|it| shows(&below, it, 0.0)), [false, true]);
        let grows = MetricSign {
            grows_by: Some(0.0),
            ..sign("m", None)
        };
        assert_eq!(
            [40.0, 41.0].map(|it| shows(&grows, it, 40.0)),
            [false, true]
        );
    }
}
