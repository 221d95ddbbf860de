//! The reach of a fault: the affected endpoints, and the share of its probes that still succeeded (N-07).

use analysis::blast_radius::BlastRadius;
use analysis::fault::{self, Exposure};
use analysis::proportion::Count;
use report::record::{Endpoint, EndpointSecond, Second, TestRecord, route};
use serde_json::{Value, json};

use super::Case;
use super::faults::{Fault, GOOD_SHARE, bad, median};
use crate::plan::PlannedFault;

/// Significance level over all endpoints of a fault (Benjamini and Hochberg).
const LEVEL: f64 = 0.05;
/// Litmus' weight of a fault without a weight.
const WEIGHT: f64 = 10.0;

/// The blast radius of one fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Radius(BlastRadius);

impl Radius {
    pub fn names(&self) -> String {
        let affected = self.0.affected.iter();
        let names: Vec<&str> = affected.map(|it| it.hit.name.as_str()).collect();
        names.join(", ")
    }

    /// The affected share of the endpoints; `None` if none can be judged.
    pub fn share(&self) -> Option<f64> {
        self.0.share()
    }

    /// One entry for each affected endpoint.
    pub fn shown<'a>(&'a self, fault: &'a str) -> impl Iterator<Item = Value> + 'a {
        self.0.affected.iter().map(move |it| {
            json!({
                "fault": fault,
                "endpoint": it.hit.name,
                "bad_before": it.before.share(),
                "bad_during": it.during.share(),
                "difference_from": it.hit.difference.lower,
                "difference_to": it.hit.difference.upper,
                "adjusted_p_value": it.hit.adjusted_p_value,
                "beyond_control_from": it.beyond.as_ref().map(|hit| hit.difference.lower),
                "beyond_control_to": it.beyond.as_ref().map(|hit| hit.difference.upper),
                "beyond_control_p_value": it.beyond.as_ref().map(|hit| hit.adjusted_p_value),
            })
        })
    }

    /// The concurrent control group of a fault with its receipt's id; `None` where no endpoint could be judged.
    pub fn control(&self, id: &str, fault: &str) -> Option<Value> {
        let control = self.0.control;
        let shares = control.map(|control| control.shares);
        (self.0.watched > 0).then(|| {
            json!({
                "fault": fault,
                "endpoints": control.map_or(0, |control| control.members),
                "requests": shares.map(|shares| shares.during.trials),
                "bad_before": shares.map(|shares| shares.before.share()),
                "bad_during": shares.map(|shares| shares.during.share()),
                "spared": self.0.spared.join(", "),
                "requests_beyond_control": self.0.requests_beyond_control(),
                "id": id,
            })
        })
    }
}

/// The endpoints of which more than a tenth of the requests failed or were late during the fault, and more than chance
/// explains: more than of their own requests before the injection, without the periods (in seconds) affected by earlier
/// faults, and by more than the other endpoints got worse at the same time. Where every endpoint got worse, there is no
/// such control group.
pub(super) fn radius(
    record: &TestRecord,
    [injected_s, removed_s]: [f64; 2],
    earlier: &[[f64; 2]],
) -> Radius {
    let is_before = |at_s: f64| {
        let quiet = |span: &[f64; 2]| at_s + 1.0 <= span[0] || at_s >= span[1];
        at_s + 1.0 <= injected_s && earlier.iter().all(quiet)
    };
    let is_during = |at_s: f64| at_s + 1.0 > injected_s && at_s < removed_s;
    let mut names = Vec::new();
    let mut counts = Vec::new();
    for endpoint in &record.endpoints {
        let seconds: Vec<Second> = endpoint.seconds.iter().map(second).collect();
        let usual = seconds.iter().filter(|it| is_before(it.at_s));
        let usual_ms = median(usual.filter_map(|it| it.p95_ms).collect());
        let control = count(&seconds, usual_ms, &is_before);
        let exposed = count(&seconds, usual_ms, &is_during);
        if control.trials > 0 && exposed.trials > 0 {
            names.push(name(endpoint));
            counts.push((control, exposed));
        }
    }
    let exposures: Vec<Exposure<'_>> = names
        .iter()
        .zip(&counts)
        .map(|(name, (control, exposed))| Exposure {
            name,
            exposed: *exposed,
            control: *control,
        })
        .collect();
    // Only an endpoint without requests is rejected, and there is none.
    Radius(BlastRadius::of(&exposures, GOOD_SHARE, LEVEL).unwrap_or_default())
}

fn name(endpoint: &Endpoint) -> String {
    route(&endpoint.method, &endpoint.name)
}

fn second(second: &EndpointSecond) -> Second {
    Second {
        at_s: f64::from(second.at_s),
        requests: second.requests,
        failures: second.failures,
        p50_ms: Some(second.p50_ms),
        p95_ms: Some(second.p95_ms),
        ..Second::default()
    }
}

fn count(seconds: &[Second], usual_ms: Option<f64>, is_counted: &dyn Fn(f64) -> bool) -> Count {
    let counted = seconds.iter().filter(|it| is_counted(it.at_s));
    let (requests, affected) = counted.fold((0, 0), |(requests, affected), second| {
        (requests + second.requests, affected + bad(second, usual_ms))
    });
    Count::new(affected, requests)
}

/// Litmus' resilience score: the share of each fault's probes that succeeded while it lasted, weighted by the faults'
/// weights.
pub(super) fn resilience(case: &Case<'_>, faults: &[Fault]) -> Option<Value> {
    let probed = case.record.analysis.get("fault_probes")?;
    let answered = |planned: &PlannedFault| {
        let number = |key: &str| probed.get(&planned.name)?.get("during")?.get(key)?.as_f64();
        let probes = number("probes").filter(|probes| *probes > 0.0)?;
        let percent = 100.0 * (probes - number("failed")?).max(0.0) / probes;
        Some((planned.weight.unwrap_or(WEIGHT), percent))
    };
    let carried_out = |planned: &&PlannedFault| faults.iter().any(|it| it.name == planned.name);
    let planned = case.test.faults.iter().filter(carried_out);
    let each: Vec<(&str, (f64, f64))> = planned
        .filter_map(|planned| Some((planned.name.as_str(), answered(planned)?)))
        .collect();
    let weighted: Vec<(f64, f64)> = each.iter().map(|(_, both)| *both).collect();
    let score = fault::resilience_score(&weighted).ok()??;
    let faults = each.iter().map(|(name, (weight, percent))| {
        json!({ "fault": name, "weight": weight, "probe_success_percent": percent })
    });
    Some(json!({ "score_percent": score, "faults": faults.collect::<Vec<Value>>() }))
}
