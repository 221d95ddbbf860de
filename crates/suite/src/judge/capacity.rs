//! The capacity of the target: up to four estimates side by side, each with the question that it answers
//! (N-03), and the interval of a search or a ladder that contains it.

use analysis::capacity::{self, Agreement, Estimate, Method};
use analysis::slo_search::{End, Found};
use analysis::usl::Reach;
use report::record::{LoadModel, PhaseKind, TestContent};
use serde_json::{Value, json};

use super::step::Tried;
use super::verdict::Sheet;
use super::{Case, bottleneck, ladder, step};

/// Estimates this close to each other agree.
const TOLERANCE: f64 = 0.1;

pub(super) fn analyse(case: &Case<'_>, sheet: &mut Sheet) {
    let found = searched(case);
    if let Some(borne) = enclosed(case, found.as_ref()) {
        sheet.analysis.insert("capacity".to_owned(), borne);
    }
    let estimates = estimates(case, found.as_ref());
    if estimates.is_empty() {
        return;
    }
    if let Some(crossing) = crossing(case, &estimates) {
        sheet.analysis.insert("knee_by_bounds".to_owned(), crossing);
    }
    let shown: Vec<Value> = estimates.iter().map(shown).collect();
    let agreement = match capacity::agreement(&estimates, TOLERANCE) {
        Ok(Agreement::Agree) => json!({ "agree": true }),
        Ok(Agreement::Differ { factor }) => json!({ "agree": false, "factor": factor }),
        Ok(Agreement::TooFew) | Err(_) => json!({ "agree": null }),
    };
    sheet
        .analysis
        .insert("capacities".to_owned(), Value::Array(shown));
    sheet
        .analysis
        .insert("capacity_agreement".to_owned(), agreement);
}

fn estimates(case: &Case<'_>, found: Option<&Found>) -> Vec<Estimate> {
    let mut estimates = Vec::new();
    // A search for users does not bound a rate.
    let is_rate = case
        .test
        .search
        .as_ref()
        .is_some_and(|it| it.of == "rate_per_s");
    estimates.extend(found.filter(|_| is_rate).and_then(capacity::from_search));
    estimates.extend(ladder::fit(case).as_ref().and_then(capacity::from_usl));
    let (loads, throughputs) = ladder::curve(case);
    estimates.extend(capacity::from_knee(&loads, &throughputs).ok().flatten());
    let demands = bottleneck::attribution(case);
    estimates.extend(demands.as_ref().and_then(capacity::from_demand));
    estimates
}

/// The crossing of the asymptotes of a closed ladder: N* = X_max·(R + Z), with R and Z at few users and the capacity
/// from the demands (Lazowska et al., "Quantitative System Performance", 1984, chapter 5). R + Z is N/X of the first
/// step.
fn crossing(case: &Case<'_>, estimates: &[Estimate]) -> Option<Value> {
    if case.test.content != TestContent::Ladder || case.test.model == LoadModel::Open {
        return None;
    }
    let by_demand = |it: &&Estimate| it.method == Method::ServiceDemand;
    let capacity = estimates.iter().find(by_demand)?;
    let rungs = ladder::rungs(case);
    let first = rungs.first().filter(|rung| rung.throughput > 0.0)?;
    let cycle_s = first.users / first.throughput;
    let interval = capacity.interval.filter(analysis::Interval::is_bounded);
    Some(json!({
        "users": capacity.throughput * cycle_s,
        "interval": interval.map(|it| [it.lower * cycle_s, it.upper * cycle_s]),
        "method": "asymptotic bounds",
    }))
}

fn shown(estimate: &Estimate) -> Value {
    let method = match estimate.method {
        Method::SloSearch => "slo_search",
        Method::UslPeak => "usl_peak",
        Method::Kneedle => "kneedle",
        Method::ServiceDemand => "service_demand",
    };
    let beyond = match estimate.reach {
        Reach::Measured => None,
        Reach::Extrapolated { beyond } => Some(beyond),
    };
    json!({
        "method": method,
        "question": estimate.method.question(),
        "throughput_per_s": estimate.throughput,
        "interval": estimate.interval.filter(analysis::Interval::is_bounded).map(|it| [it.lower, it.upper]),
        "load": estimate.load,
        "extrapolated_beyond": beyond,
    })
}

/// The result of a search: from the runner's analysis, or from the steps of the record.
fn searched(case: &Case<'_>) -> Option<Found> {
    if case.test.content != TestContent::Search {
        return None;
    }
    let account = case.record.analysis.get("search");
    let of = |name: &str| account.and_then(|it| it.get(name)).and_then(Value::as_f64);
    let (mut passed, mut failed) = (of("passed"), of("failed"));
    let mut probes = 0;
    if account.is_none() {
        for phase in case
            .record
            .phases
            .iter()
            .filter(|it| it.kind == PhaseKind::Steady)
        {
            let level = phase.users.or(phase.rate_per_s);
            probes += 1;
            match step::tried(case.test, case.file, case.record, phase, None) {
                Tried::Passed => passed = larger(passed, level),
                Tried::TooFew(_) => {}
                _ => failed = smaller(failed, level),
            }
        }
    }
    let end = match account.and_then(|it| it.get("end")).and_then(Value::as_str) {
        Some("nothing_fails") => End::NothingFails,
        Some("nothing_passes") => End::NothingPasses,
        Some("generator_limited") => End::GeneratorLimited,
        Some("out_of_probes" | "out_of_steps" | "broken_off" | "too_few_requests") => {
            End::OutOfProbes
        }
        Some(_) => End::Bracketed,
        None => match (passed, failed) {
            (Some(_), Some(_)) => End::Bracketed,
            (Some(_), None) => End::NothingFails,
            _ => End::NothingPasses,
        },
    };
    Some(Found {
        passed,
        failed,
        probes,
        end,
    })
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    [one, other].into_iter().flatten().reduce(f64::max)
}

fn smaller(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    [one, other].into_iter().flatten().reduce(f64::min)
}

/// The interval from the last level that passed to the first that failed.
fn enclosed(case: &Case<'_>, found: Option<&Found>) -> Option<Value> {
    let of = case.test.search.as_ref().map_or_else(
        || {
            if case.test.model == LoadModel::Open {
                "rate_per_s"
            } else {
                "users"
            }
        },
        |search| search.of,
    );
    let (passed, failed, end) = match (case.test.content, found) {
        (TestContent::Search, Some(found)) => (found.passed, found.failed, Some(found.end)),
        (TestContent::Ladder, _) => {
            let (passed, failed) = ladder::borne(case);
            (passed, failed, None)
        }
        _ => return None,
    };
    // Throughput above that level has a different mix, because failures are cheap.
    let borne = |it: &&analysis::ladder::Rung| passed.is_none_or(|most| it.users <= most);
    let rungs = ladder::rungs(case);
    let throughput = rungs
        .iter()
        .filter(borne)
        .map(|it| it.throughput)
        .reduce(f64::max);
    Some(json!({
        "of": of,
        "passed": passed,
        "failed": failed,
        "end": end.map(name),
        "highest_throughput_per_s": throughput,
    }))
}

fn name(end: End) -> &'static str {
    match end {
        End::Bracketed => "bracketed",
        End::NothingFails => "nothing_fails",
        End::NothingPasses => "nothing_passes",
        End::GeneratorLimited => "generator_limited",
        End::OutOfProbes => "out_of_probes",
    }
}
