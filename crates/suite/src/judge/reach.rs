//! The reach of a fault: the affected endpoints, and the share of its probes that still succeeded (N-07).

use analysis::fault::{self, Exposure, Hit, Meanwhile};
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

/// An endpoint that a fault affected.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affected {
    before: Count,
    during: Count,
    /// Compared with itself before the fault.
    hit: Hit,
    /// Compared with the control group.
    beyond: Option<Hit>,
}

/// The other endpoints at the time of the fault, all together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Control {
    endpoints: usize,
    shares: Meanwhile,
}

/// The blast radius of one fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Radius {
    pub affected: Vec<Affected>,
    /// Endpoints that got worse, but no more than the control group did.
    spared: Vec<String>,
    /// `None` where every endpoint got worse.
    control: Option<Control>,
    /// Endpoints with requests before and during the fault.
    watched: usize,
}

impl Radius {
    pub fn names(&self) -> String {
        let names: Vec<&str> = self
            .affected
            .iter()
            .map(|it| it.hit.name.as_str())
            .collect();
        names.join(", ")
    }

    /// The affected share of the endpoints; `None` if none can be judged.
    pub fn share(&self) -> Option<f64> {
        (self.watched > 0).then(|| self.affected.len() as f64 / self.watched as f64)
    }

    /// One entry for each affected endpoint.
    pub fn shown<'a>(&'a self, fault: &'a str) -> impl Iterator<Item = Value> + 'a {
        self.affected.iter().map(move |it| {
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
        let shares = self.control.map(|control| control.shares);
        // Of each affected endpoint what its own share before and the rise of the control group do not explain.
        let beyond = shares.map(|shares| {
            let rise = shares.during.share() - shares.before.share();
            let excess = |it: &Affected| {
                let expected = (it.before.share() + rise) * it.during.trials as f64;
                (it.during.hits as f64 - expected).max(0.0)
            };
            self.affected.iter().map(excess).sum::<f64>()
        });
        (self.watched > 0).then(|| {
            json!({
                "fault": fault,
                "endpoints": self.control.map_or(0, |control| control.endpoints),
                "requests": shares.map(|shares| shares.during.trials),
                "bad_before": shares.map(|shares| shares.before.share()),
                "bad_during": shares.map(|shares| shares.during.share()),
                "spared": self.spared.join(", "),
                "requests_beyond_control": beyond,
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
    let hits = fault::blast_radius(&exposures, LEVEL).unwrap_or_default();
    let (worse, others): (Vec<_>, Vec<_>) = hits
        .into_iter()
        .zip(&exposures)
        .partition(|(hit, it)| hit.is_hit && it.exposed.share() > 1.0 - GOOD_SHARE);
    let others: Vec<&Exposure<'_>> = others.into_iter().map(|(_, it)| it).collect();
    let control = control(&others);
    let suspects: Vec<Exposure<'_>> = worse.iter().map(|(_, it)| **it).collect();
    let beyond = control.and_then(|it| fault::beyond_control(&suspects, &it.shares, LEVEL).ok());
    let beyond = beyond.map_or_else(
        || vec![None; suspects.len()],
        |hits| hits.into_iter().map(Some).collect(),
    );
    let mut radius = Radius {
        control,
        watched: names.len(),
        ..Radius::default()
    };
    for ((hit, it), beyond) in worse.into_iter().zip(beyond) {
        if beyond.as_ref().is_some_and(|beyond| !beyond.is_hit) {
            radius.spared.push(hit.name);
            continue;
        }
        radius.affected.push(Affected {
            before: it.control,
            during: it.exposed,
            hit,
            beyond,
        });
    }
    radius
}

fn control(others: &[&Exposure<'_>]) -> Option<Control> {
    let sum = |of: fn(&Exposure<'_>) -> Count| {
        let counts = others.iter().map(|it| of(it));
        counts.fold(Count::new(0, 0), |sum, it| {
            Count::new(sum.hits + it.hits, sum.trials + it.trials)
        })
    };
    (!others.is_empty()).then(|| Control {
        endpoints: others.len(),
        shares: Meanwhile {
            before: sum(|it| it.control),
            during: sum(|it| it.exposed),
        },
    })
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
