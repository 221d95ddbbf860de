//! The actual load of a test: the response-time law, the open equivalent, Apdex, steadiness (S-17,
//! N-08, ACIS-27).

use analysis::apdex::Apdex;
use analysis::laws;
use analysis::steady_state::{self, Limits, Verdict};
use report::record::{Endpoint, Latency, LoadModel};
use serde_json::{Value, json};

use super::Case;
use super::decide::Quantiles;
use super::thresholds::Metric;
use super::verdict::{Sheet, number};
use super::window::{self, Window};

/// Apdex's target time; ACIS calls responses below it fast.
pub(super) const APDEX_TARGET_MS: f64 = 500.0;

pub(super) fn analyse(case: &Case<'_>, sheet: &mut Sheet) {
    let windows = window::steady(case.test, case.record);
    if case.test.model == LoadModel::Closed && !windows.is_empty() {
        let laws: Vec<Value> = windows.iter().filter_map(|it| law(case, it)).collect();
        if !laws.is_empty() {
            sheet
                .analysis
                .insert("response_time_law".to_owned(), Value::Array(laws));
        }
    }
    if let Some(latency) = &case.record.figures.latency {
        let figures = &case.record.figures;
        let apdex = apdex(latency, figures.requests, figures.failures);
        sheet.analysis.insert("apdex".to_owned(), apdex);
    }
    let steadiness: Vec<Value> = windows.iter().filter_map(steadiness).collect();
    if !steadiness.is_empty() {
        sheet
            .analysis
            .insert("steady_state".to_owned(), Value::Array(steadiness));
    }
}

/// N = X·(R + Z): users alternate between response and think time (Denning and Buzen 1978). `X` is counted
/// in requests, so that `Z` is the think time of an iteration divided by its requests.
fn law(case: &Case<'_>, window: &Window<'_>) -> Option<Value> {
    let users = window.figures.users.or(window.level)?;
    let throughput = window.figures.requests_per_s?;
    let response_s = window.figures.latency.as_ref()?.mean / 1_000.0;
    let think_s = think_s(case, window)? / requests_per_iteration(case);
    let mean = laws::Cycle {
        response_s,
        think_s,
    };
    let check =
        laws::interactive_response_time(users, throughput, mean, super::laws::TOLERANCE).ok()?;
    Some(json!({
        "phase": window.phase,
        "users": users,
        "throughput_per_s": throughput,
        "response_s": response_s,
        "think_s": think_s,
        "law_users": check.expected,
        "deviation": check.deviation,
        "holds": check.holds,
        "open_equivalent_per_s": throughput,
        "text": format!(
            "{} users = {} requests/s x ({} s + {} s) within {} %; as an open test this is {} arrivals per second, \
             which do not wait for each other and so queue longer.",
            number(users), number(throughput), number(response_s), number(think_s),
            number(check.deviation.abs() * 100.0), number(throughput)
        ),
    }))
}

/// The mean think time of an iteration: that of the classes, weighted by their shares of the requests, or
/// by their weights if requests are not recorded by class.
pub(super) fn think_s(case: &Case<'_>, window: &Window<'_>) -> Option<f64> {
    let classes = &case.test.classes;
    let of = |class: &crate::plan::PlannedClass| (class.wait_s[0] + class.wait_s[1]) / 2.0;
    if let [only] = classes.as_slice() {
        return Some(of(only));
    }
    let requests = |name: &str| -> u64 {
        let own = |it: &&Endpoint| it.class.as_deref() == Some(name);
        window
            .endpoints
            .iter()
            .filter(own)
            .map(|it| it.figures.requests)
            .sum()
    };
    let counted = classes
        .iter()
        .map(|class| (of(class), requests(&class.name) as f64));
    let planned = classes
        .iter()
        .map(|class| (of(class), f64::from(class.weight)));
    weighted(counted).or_else(|| weighted(planned))
}

/// The mean of values by weights; `None` without any weight.
fn weighted(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, weights) = values.fold((0.0, 0.0), |(sum, weights), (value, weight)| {
        (sum + value * weight, weights + weight)
    });
    (weights > 0.0).then(|| sum / weights)
}

fn requests_per_iteration(case: &Case<'_>) -> f64 {
    let iterations = Metric::find(&case.record.k6_summary, "iterations")
        .and_then(|metric| metric.value("count"));
    match iterations {
        Some(iterations) if iterations > 0.0 && case.record.figures.requests > 0 => {
            case.record.figures.requests as f64 / iterations
        }
        _ => 1.0,
    }
}

/// Apdex (Technical Specification 1.1): failures are frustrated; they are assumed to be as fast as the
/// rest, because a record does not separate their times.
pub(super) fn apdex(latency: &Latency, requests: u64, failures: u64) -> Value {
    let known = Quantiles::of(latency, requests);
    let answered = requests - failures.min(requests);
    let within = |limit: f64| {
        // The specification counts a value exactly at the target as satisfied.
        let share = known.share_below(limit * (1.0 + 1e-9)).unwrap_or(0.0);
        (share * answered as f64).round() as u64
    };
    let satisfied = within(APDEX_TARGET_MS);
    let within_four = within(4.0 * APDEX_TARGET_MS).max(satisfied);
    let apdex = Apdex {
        satisfied,
        tolerating: within_four - satisfied,
        frustrated: answered - within_four.min(answered) + failures,
    };
    json!({
        "target_ms": APDEX_TARGET_MS,
        "satisfied": apdex.satisfied,
        "tolerating": apdex.tolerating,
        "frustrated": apdex.frustrated,
        "score": apdex.score(),
        "rating": apdex.rating(),
    })
}

/// MSER-5 and a trend test on throughput (White 1997); too short a series is not analysed.
fn steadiness(window: &Window<'_>) -> Option<Value> {
    let series: Vec<f64> = window.seconds.iter().map(|it| it.requests as f64).collect();
    let found = steady_state::steady_state(&series, &Limits::default()).ok()?;
    let (steady, text) = match found.verdict {
        Verdict::Steady => (true, format!("steady from second {} on", found.start)),
        Verdict::NoSteadyPart => (false, "it never becomes steady".to_owned()),
        Verdict::Drifts { share } => (false, format!("it drifts by {} %", number(share * 100.0))),
    };
    Some(json!({
        "phase": window.phase,
        "steady": steady,
        "start_s": window.span_s[0] + found.start as f64,
        "requests_per_s": found.mean,
        "text": text,
    }))
}
