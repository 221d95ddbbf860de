//! Operational laws, which every valid measurement satisfies whatever the distributions: Little's law of the
//! requests in flight, and the utilisation law of each resource (Denning and Buzen 1978).

use analysis::effective_size;
use analysis::laws;
use analysis::service_demand::Demand;
use report::record::{Conclusion, LedgerEntry};
use serde_json::{Value, json};

use super::Case;
use super::decide::CONFIDENCE;
use super::figure::Figure;
use super::verdict::{Sheet, number};
use super::window::{self, Window};

/// The deviation from a law that sampling can explain.
pub(super) const TOLERANCE: f64 = 0.1;
/// The part of a response time between client and target: connections, the network, the client's own
/// threads.
const BETWEEN_S: f64 = 0.001;
/// Fewer requests in flight are not judged: their number is 0 or 1 most of the time.
const FEWEST_IN_FLIGHT: f64 = 1.0;
/// A resource that is used less than this may be measured too coarsely to satisfy a law.
const LEAST_SHARE: f64 = 0.05;
const IN_FLIGHT: &str = "in_flight";

/// Checks N = X·R in each steady window in which the target counts its requests in flight.
pub(super) fn analyse(case: &Case<'_>, sheet: &mut Sheet) {
    let windows = window::steady(case.test, case.record);
    let found: Vec<Value> = windows.iter().filter_map(in_flight).collect();
    if !found.is_empty() {
        let found = Value::Array(found);
        sheet.analysis.insert("littles_law".to_owned(), found);
    }
}

/// The target's own count of its requests in flight, beside throughput times response time as clients measure them.
/// If the clients' value is larger, requests wait outside the target. If the target's value is larger, it still works
/// for clients that are gone.
fn in_flight(window: &Window<'_>) -> Option<Value> {
    let system = |it: &&report::record::ResourceSample| it.host.as_deref() == Some("system");
    let samples = window.target.iter().filter(system);
    let counted: Vec<f64> = samples
        .filter_map(|it| it.other.get(IN_FLIGHT).copied())
        .collect();
    let sampled = effective_size::mean(&counted, CONFIDENCE).ok()?;
    let latency = window.figures.latency.as_ref()?;
    let throughput = window.figures.requests_per_s?;
    let response_s = latency.mean / 1_000.0;
    let check = laws::little(sampled.mean, throughput, response_s, TOLERANCE).ok()?;
    if check.expected < FEWEST_IN_FLIGHT {
        return None;
    }
    // Requests that cross an edge of the window are counted in part: at each edge those in flight, for at most one
    // response time.
    let slow_s = window.figures.percentile("p95")? / 1_000.0;
    let edges = [counted.first()?, counted.last()?].map(|count| count * slow_s / window.length_s());
    let allowed = TOLERANCE * check.expected
        + BETWEEN_S * throughput
        + edges[0].max(edges[1])
        + sampled.interval.half_width();
    let holds = check.holds || (check.measured - check.expected).abs() <= allowed;
    Some(json!({
        "phase": window.phase,
        "in_flight": check.measured,
        "throughput_per_s": throughput,
        "response_s": response_s,
        "law_in_flight": check.expected,
        "deviation": check.deviation,
        "allowed": allowed,
        "holds": holds,
    }))
}

/// Windows that violate Little's law are suspect: part of the measured time was not spent in the target, or the target
/// works for more than the measured requests.
pub(super) fn ledger(sheet: &Sheet) -> Option<LedgerEntry> {
    let windows = sheet.found("littles_law")?.as_array()?;
    let broken = windows.iter().filter(|it| it["holds"] == false);
    let deviation = |it: &&Value| it["deviation"].as_f64().unwrap_or(0.0).abs();
    let worst = broken.max_by(|a, b| deviation(a).total_cmp(&deviation(b)));
    let (conclusion, text) = match worst {
        None => (
            Conclusion::Valid,
            format!(
                "Throughput times response time is the number of requests that the target counts in flight, in {} windows.",
                windows.len()
            ),
        ),
        Some(worst) => {
            let value = |key: &str| number(worst[key].as_f64().unwrap_or(0.0));
            let text = format!(
                "Throughput times response time gives {} requests in flight in {}, where the target counts {}.",
                value("law_in_flight"),
                worst["phase"].as_str().unwrap_or("the whole test"),
                value(IN_FLIGHT),
            );
            (Conclusion::Suspect, text)
        }
    };
    Some(LedgerEntry {
        what: "littles_law".to_owned(),
        conclusion,
        text,
    })
}

/// U = background + X·D in each window: the largest deviation. A resource that violates it also does other work.
pub(super) fn utilisation(
    demand: &Demand,
    windows: &[Window<'_>],
    shares: &[f64],
) -> Option<laws::Check> {
    let checked = windows.iter().zip(shares).filter_map(|(window, share)| {
        let busy = (share - demand.background).clamp(0.0, 1.0);
        let throughput = Figure::Successes.value(window)?;
        let check = laws::utilisation(busy, throughput, demand.demand_s, TOLERANCE).ok()?;
        (busy.max(check.expected) >= LEAST_SHARE).then_some(check)
    });
    checked.max_by(|a, b| a.deviation.abs().total_cmp(&b.deviation.abs()))
}
