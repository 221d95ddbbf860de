//! Faults on a target system, and the signs of them.

use std::collections::BTreeMap;

use live_config::ConfigErrors;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Span;

/// A fault on a target system while its load is steady.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemFault {
    /// A patch of the system's document.
    pub patch: Option<Value>,
    /// Instead of a patch: the host whose instances crash.
    pub crash: Option<String>,
    /// The number of instances that crash; absent: one.
    pub instances: Option<u32>,
    /// Its length.
    #[serde(rename = "for")]
    pub lasts: Span,
    pub probe: Probe,
    /// Clients have to notice it within this time, by failed or late requests. Absent: not required.
    pub detect_within: Option<Span>,
    /// How the system itself has to report it. Absent: not required.
    pub detect: Option<Sign>,
    /// Clients have to be served normally within this time after its end.
    pub recover_within: Span,
    /// Its weight in the resilience score of the test, 0 to 10. Absent: 10.
    pub weight: Option<f64>,
}

/// A sign that the system has to show during the fault: in its health, or in one of its metrics.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// States of `GET /health`, such as `degraded`; one of them is enough.
    #[serde(default)]
    pub health: Vec<String>,
    /// Instead of the health: a metric of `GET /metrics`.
    pub metric: Option<MetricSign>,
    /// The sign has to appear within this time after the injection.
    pub within: Span,
}

/// A metric, and the value that shows a fault. Series with the same labels are added up.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricSign {
    /// Its name, such as `sparring_target_instances`.
    pub name: String,
    /// Labels that a series must have, such as `host: api`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// It rises above this value.
    pub above: Option<f64>,
    /// Instead: it falls below this value.
    pub below: Option<f64>,
    /// Instead: it grows by more than this after the injection, for counters.
    pub grows_by: Option<f64>,
}

/// A request that the test sends separately, and whose responses are judged.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Method and path, such as `GET /health`.
    pub route: String,
    /// JSON to send.
    pub body: Option<Value>,
    /// Statuses that count as success.
    #[serde(default = "ok")]
    pub ok: Vec<u16>,
}

fn ok() -> Vec<u16> {
    vec![200]
}

/// Adds every error of a fault.
pub(super) fn check(path: &str, fault: &SystemFault, errors: &mut ConfigErrors) {
    match (&fault.patch, &fault.crash) {
        (None, None) => errors.add(path, "does nothing; give it a `patch` or a host to `crash`"),
        (Some(_), Some(_)) => errors.add(path, "has patch and crash; one of them is expected"),
        _ => {}
    }
    if let (None, Some(_)) = (&fault.crash, fault.instances) {
        errors.add(format!("{path}.instances"), "is valid only with `crash`");
    }
    if fault
        .weight
        .is_some_and(|weight| !(0.0..=10.0).contains(&weight))
    {
        errors.add(format!("{path}.weight"), "is not within 0 to 10");
    }
    let Some(detect) = &fault.detect else { return };
    match (&detect.metric, detect.health.as_slice()) {
        (None, []) => errors.add(
            format!("{path}.detect"),
            "has no indicator; add `health` or `metric`",
        ),
        (Some(_), [_, ..]) => errors.add(
            format!("{path}.detect"),
            "has health and metric; one of them is expected",
        ),
        _ => {}
    }
    let Some(metric) = &detect.metric else { return };
    let bounds = [metric.above, metric.below, metric.grows_by];
    if bounds.iter().flatten().count() != 1 {
        errors.add(
            format!("{path}.detect.metric"),
            "one of above, below and grows_by is expected",
        );
    }
}
