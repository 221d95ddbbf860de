//! How a system itself reports a fault: by its health, or by one of its metrics.

use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

use super::admin::Admin;
use crate::file::{MetricSign, Sign};
use crate::metrics_text;
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
        let labels = metric.labels.iter();
        let labels = labels.map(|(label, value)| (label.as_str(), value.as_str()));
        metrics_text::sum(&self.admin.metrics().ok()?, &metric.name, labels)
    }
}

fn shows(metric: &MetricSign, value: f64, before: f64) -> bool {
    metric.above.is_some_and(|bound| value > bound)
        || metric.below.is_some_and(|bound| value < bound)
        || metric.grows_by.is_some_and(|bound| value - before > bound)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sign() -> MetricSign {
        MetricSign {
            name: "m".to_owned(),
            labels: BTreeMap::new(),
            above: None,
            below: None,
            grows_by: None,
        }
    }

    #[test]
    fn a_sign_is_a_rise_a_fall_or_growth_from_the_injection() {
        let above = MetricSign {
            above: Some(3.0),
            ..sign()
        };
        assert_eq!([3.0, 3.1].map(|it| shows(&above, it, 0.0)), [false, true]);
        let below = MetricSign {
            below: Some(2.0),
            ..sign()
        };
        assert_eq!([2.0, 1.0].map(|it| shows(&below, it, 0.0)), [false, true]);
        let grows = MetricSign {
            grows_by: Some(0.0),
            ..sign()
        };
        assert_eq!(
            [40.0, 41.0].map(|it| shows(&grows, it, 40.0)),
            [false, true]
        );
    }
}
