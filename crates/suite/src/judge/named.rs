//! The analyses that a test requires, and the minimum load that it has to sustain.

use analysis::threshold::Limit;
use report::record::{EventKind, Standing, TestContent};
use serde_json::Value;

use super::decide::Decision;
use super::expression::Bound;
use super::verdict::{Question, Sheet, decided, number};
use super::{Case, grades, ladder, soak, window};
use crate::plan::RESTART;

const RULE: &str =
    "the analysis must produce a result; a result that the data do not support does not count";
const USERS_RULE: &str = "the highest step with all steps up to it stable: success >= 0.95, mean response < 2 x the first step's, processor < 85 %, and no grade below acceptable";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    if let Some(least) = case.test.judge.at_least_users {
        at_least_users(case, sheet, least);
    }
    let names = case.test.judge.names.iter().map(String::as_str);
    // A search always determines a capacity, whatever else it has to name: its thresholds and grades judge
    // the levels.
    let is_asked = |name: &String| ["capacity", "scaling"].contains(&name.as_str());
    let is_search = case.test.content == TestContent::Search;
    let own = is_search && !case.test.judge.names.iter().any(is_asked);
    for name in names.chain(own.then_some("capacity")) {
        let (decision, text) = named(case, sheet, name);
        let question = Question {
            kind: "named",
            name,
            phase: None,
            unit: "",
            rule: RULE,
        };
        let asked = format!("{}: {text}", name.replace('_', " "));
        sheet.add(question, &asked, None, decision);
    }
}

fn at_least_users(case: &Case<'_>, sheet: &mut Sheet, least: f64) {
    let stable = sheet
        .found("ladder/max_stable_users")
        .and_then(Value::as_f64);
    let (borne, failed) = ladder::borne(case);
    let seen = !ladder::steps(case).is_empty();
    let measured = match (stable, borne) {
        (Some(stable), Some(borne)) => Some(stable.min(borne)),
        // A single step has no ladder figures, but it was either sustained or not.
        (None, Some(borne)) if failed.is_none() => Some(borne),
        _ if seen => Some(0.0),
        _ => None,
    };
    let bound = Bound::Limit(Limit::at_least(least));
    let question = Question {
        kind: "users",
        name: "at_least",
        phase: None,
        unit: "users",
        rule: USERS_RULE,
    };
    let asked = format!("at least {} users are supported", number(least));
    sheet.answer(question, &asked, bound, Decision::plain(measured, bound));
}

/// The decision and its sentence.
fn named(case: &Case<'_>, sheet: &Sheet, name: &str) -> (Decision, String) {
    match name {
        "capacity" => capacity(sheet),
        "failure_mode" => failure_mode(case, sheet),
        "bottleneck" => bottleneck(case, sheet),
        "leak" => leak(case, sheet),
        "knee" => knee(sheet),
        "recovery" if !case.test.faults.is_empty() => recovery_from_faults(case),
        "recovery" => recovery(sheet),
        "detection" => detection(case),
        "mix" => super::run::mix(case),
        "failures_have_a_status" => statuses(case),
        "efficiency" if case.test.content == TestContent::Ladder => efficiency(sheet),
        // A cell's own result; the last cell shows the result over all cells.
        "scaling" if case.test.content == TestContent::Search => capacity(sheet),
        "efficiency" | "scaling" | "monotone" | "effect" => (
            decided(Standing::Reported),
            "analysed over all cells and parts".to_owned(),
        ),
        other => (Decision::NO_DATA, format!("unknown analysis {other}")),
    }
}

fn no_data(text: &str) -> (Decision, String) {
    (Decision::NO_DATA, text.to_owned())
}

fn capacity(sheet: &Sheet) -> (Decision, String) {
    let Some(found) = sheet.found("capacity") else {
        return no_data("no level was measured");
    };
    let of = match found.get("of").and_then(Value::as_str) {
        Some("users") => "users",
        _ => "requests/s",
    };
    let at = |key: &str| found.get(key).and_then(Value::as_f64);
    let measured = |value: Option<f64>, interval: Option<[f64; 2]>, standing| Decision {
        measured: value,
        interval,
        ..decided(standing)
    };
    let end = found.get("end").and_then(Value::as_str);
    match (at("passed"), at("failed")) {
        (Some(passed), Some(failed)) if end != Some("generator_limited") => {
            // A search that ran out of steps encloses a wider interval than required.
            let (standing, note) = match end {
                Some("out_of_probes") => (
                    Standing::Inconclusive,
                    ", wider than requested or unconfirmed",
                ),
                _ => (Standing::Held, ""),
            };
            (
                measured(Some(passed), Some([passed, failed]), standing),
                format!(
                    "between {} and {} {of}{note}",
                    number(passed),
                    number(failed)
                ),
            )
        }
        (Some(passed), _) => (
            measured(Some(passed), None, Standing::Inconclusive),
            format!(
                "at least {} {of}; no level that was reached failed",
                number(passed)
            ),
        ),
        (None, Some(failed)) => (
            measured(None, None, Standing::Inconclusive),
            format!(
                "below {} {of}; the lowest level fails already",
                number(failed)
            ),
        ),
        (None, None) if end == Some("out_of_probes") => (
            measured(None, None, Standing::Inconclusive),
            "no level had enough requests for a decision; use longer steps".to_owned(),
        ),
        (None, None) => no_data("no level was measured"),
    }
}

/// The failure mode: the first graded figure below acceptable, in the order of the load.
fn failure_mode(case: &Case<'_>, _: &Sheet) -> (Decision, String) {
    let windows = match ladder::steps(case) {
        steps if steps.is_empty() => window::steady(case.test, case.record),
        steps => steps,
    };
    if windows.is_empty() {
        return no_data("no steady phase had a request");
    }
    for window in &windows {
        let broken = grades::broken(case.file, window);
        if broken.is_empty() {
            continue;
        }
        let level = window
            .level
            .map_or_else(String::new, |it| format!(" at {}", number(it)));
        let statuses = failing_statuses(window.endpoints);
        let by = if statuses.is_empty() {
            String::new()
        } else {
            format!("; failures: {statuses}")
        };
        return (
            decided(Standing::Held),
            format!("{}{level}{by}", broken.join(", ")),
        );
    }
    (
        decided(Standing::Inconclusive),
        "nothing broke at the levels that were reached".to_owned(),
    )
}

/// `503 (120), no answer (3)`: the statuses of failures, the most frequent first.
fn failing_statuses(endpoints: &[report::record::Endpoint]) -> String {
    let mut counts: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for (status, count) in endpoints.iter().flat_map(|it| &it.statuses) {
        let failed = status == "0" || status.parse::<u16>().is_ok_and(|code| code >= 400);
        if failed {
            *counts.entry(status).or_default() += count;
        }
    }
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown = counts.iter().take(3).map(|(status, count)| match *status {
        "0" => format!("no answer ({count})"),
        status => format!("{status} ({count})"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn bottleneck(case: &Case<'_>, sheet: &Sheet) -> (Decision, String) {
    if case.record.observed.target.is_empty() {
        return no_data("the target's resources were not monitored");
    }
    let Some(found) = sheet.found("bottleneck") else {
        return (
            decided(Standing::Inconclusive),
            "no resource is near its limit and nothing waits".to_owned(),
        );
    };
    let text = |key: &str| found.get(key).and_then(Value::as_str);
    let class = text("class").unwrap_or("unknown");
    let place = match (text("resource"), text("of")) {
        (Some(resource), Some(of)) => format!("{resource} of {of}"),
        (Some(resource), None) => resource.to_owned(),
        _ => "a resource that is not monitored".to_owned(),
    };
    let by = text("by").unwrap_or("use");
    let confirmed = found.get("confirmed_by_pressure").and_then(Value::as_bool);
    let confirmed = match confirmed {
        Some(true) if by != "pressure" => ", confirmed by pressure",
        _ => "",
    };
    (
        Decision {
            measured: found.get("share").and_then(Value::as_f64),
            ..decided(Standing::Held)
        },
        format!("{class} ({place}), by {by}{confirmed}"),
    )
}

/// `The memory of api: 3 restarts.`
fn restarts(series: &Value) -> String {
    let name = series
        .get("series")
        .and_then(Value::as_str)
        .unwrap_or("target");
    let count = series.get("restarts").and_then(Value::as_u64).unwrap_or(0);
    format!("its host restarted {count} times ({name})")
}

/// A leak has to be found if the plan makes one, and must not be found otherwise.
fn leak(case: &Case<'_>, sheet: &Sheet) -> (Decision, String) {
    let Some(series) = sheet.found("soak").and_then(Value::as_array) else {
        return no_data("no series was monitored for long enough");
    };
    let verdict = |it: &Value| it.get("verdict").and_then(Value::as_str).map(str::to_owned);
    let judged: Vec<String> = series.iter().filter_map(verdict).collect();
    let leaking = series
        .iter()
        .find(|it| verdict(it).as_deref() == Some("leak"));
    let text = |it: &Value| {
        it.get("text")
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let is_memory = |it: &Value| {
        let name = it.get("series").and_then(Value::as_str);
        name.is_some_and(|name| name.starts_with("memory")) && verdict(it).is_some()
    };
    let expected = soak::leaks_on_purpose(case);
    let restarted = series
        .iter()
        .find(|it| it.get("restarts").and_then(Value::as_u64).unwrap_or(0) > 0);
    match leaking {
        _ if judged.is_empty() => no_data("no series is long enough"),
        Some(it) if expected => (decided(Standing::Held), text(it)),
        Some(it) => (decided(Standing::Crossed), text(it)),
        // A system that restarts does not hold for as long as the run; whether it leaks is another
        // question.
        None if !expected && restarted.is_some() => (
            decided(Standing::Crossed),
            restarted.map(restarts).unwrap_or_default(),
        ),
        None if restarted.is_some_and(|it| verdict(it).as_deref() == Some("restarts")) => (
            decided(Standing::Inconclusive),
            restarted.map(text).unwrap_or_default(),
        ),
        None if expected => (
            decided(Standing::Crossed),
            "the leak that the plan makes was not found".to_owned(),
        ),
        None if judged.iter().any(|it| it == "too_few_teeth") => (
            decided(Standing::Inconclusive),
            "a series rises and falls too rarely for a verdict".to_owned(),
        ),
        None => {
            let shown = series.iter().find(|it| is_memory(it)).or(series.first());
            (decided(Standing::Held), shown.map(text).unwrap_or_default())
        }
    }
}

fn knee(sheet: &Sheet) -> (Decision, String) {
    let at = |pointer: &str| sheet.found(pointer).and_then(Value::as_f64);
    let saturation = at("ladder/saturation_point");
    let bend = at("knee/users");
    if sheet.found("ladder/steps").is_none() {
        return no_data("the ladder has no figures");
    }
    let (Some(users), text) = (saturation.or(bend), "users") else {
        return (
            decided(Standing::Inconclusive),
            "the curve does not bend within the measured range".to_owned(),
        );
    };
    if saturation.is_none() {
        return (
            Decision {
                measured: Some(users),
                ..decided(Standing::Held)
            },
            format!("{} {text}, by Kneedle", number(users)),
        );
    }
    // The first step's error affects every efficiency.
    let ends = [
        "ladder/saturation_interval/0",
        "ladder/saturation_interval/1",
    ];
    let [lower, upper] = ends.map(at);
    // A knee at the end of the ladder has no upper end; one that may be anywhere has no lower end.
    let wide = lower.is_none_or(|lower| lower < users / 2.0);
    let known = sheet.found("ladder/saturation_interval").is_some();
    let standing = if known && wide {
        Standing::Inconclusive
    } else {
        Standing::Held
    };
    (
        Decision {
            measured: Some(users),
            interval: lower.zip(upper).map(|(lower, upper)| [lower, upper]),
            ..decided(standing)
        },
        format!(
            "{} {text}, where efficiency falls to 0.9{}",
            number(users),
            at("knee_by_bounds/users").map_or_else(String::new, |crossing| {
                format!("; the asymptotes cross at {}", number(crossing))
            })
        ),
    )
}

fn efficiency(sheet: &Sheet) -> (Decision, String) {
    match sheet
        .found("ladder/linear_scalability_score")
        .and_then(Value::as_f64)
    {
        Some(score) => (
            Decision {
                measured: Some(score),
                ..decided(Standing::Held)
            },
            format!("linear scalability score {}", number(score)),
        ),
        None => no_data("the ladder has no figures"),
    }
}

fn recovery(sheet: &Sheet) -> (Decision, String) {
    let recovered = sheet.found("recovery/recovered").and_then(Value::as_bool);
    let after = sheet.found("recovery/after_s").and_then(Value::as_f64);
    match (recovered, after) {
        (Some(true), Some(after)) => (
            Decision {
                measured: Some(after),
                ..decided(Standing::Held)
            },
            format!("recovered after {} s", number(after)),
        ),
        (Some(false), _) => match sheet.found("recovery/watched_s").and_then(Value::as_f64) {
            // The time that a system needs to restart does not shrink with the time scale.
            Some(watched_s) if watched_s < RESTART.as_secs_f64() => (
                decided(Standing::Inconclusive),
                format!(
                    "not recovered in the {} s that were observed, too short for a verdict",
                    number(watched_s)
                ),
            ),
            _ => (
                decided(Standing::Crossed),
                "not recovered by the end".to_owned(),
            ),
        },
        _ => no_data("no request and no probe followed the highest load"),
    }
}

fn recovery_from_faults(case: &Case<'_>) -> (Decision, String) {
    let faults = super::faults::all(case.record);
    let open: Vec<&str> = faults
        .iter()
        .filter(|it| !it.recovered)
        .map(|it| it.name.as_str())
        .collect();
    if faults.is_empty() {
        no_data("no fault was injected")
    } else if open.is_empty() {
        let longest = faults
            .iter()
            .filter_map(|it| it.recovered_s)
            .reduce(f64::max);
        (
            Decision {
                measured: longest,
                ..decided(Standing::Held)
            },
            format!("recovered after each of {} faults", faults.len()),
        )
    } else {
        (
            decided(Standing::Crossed),
            format!("not recovered after {}", open.join(", ")),
        )
    }
}

/// Each injected fault has to be followed by a reaction or by a sign of it in the figures.
fn detection(case: &Case<'_>) -> (Decision, String) {
    let events = &case.record.observed.events;
    let faults = events
        .iter()
        .filter(|it| it.kind == EventKind::FaultInjected)
        .count();
    if faults == 0 {
        return no_data("no fault was injected");
    }
    let times = super::faults::all(case.record);
    let detected = times.iter().filter(|it| it.detected_s.is_some()).count();
    let mean = times.iter().filter_map(|it| it.detected_s).sum::<f64>() / detected.max(1) as f64;
    if detected == 0 {
        return (
            decided(Standing::Inconclusive),
            format!("none of {faults} faults was visible to clients"),
        );
    }
    (
        Decision {
            measured: Some(mean),
            ..decided(Standing::Held)
        },
        format!(
            "{detected} of {faults} faults were visible to clients, after {} s on average",
            number(mean)
        ),
    )
}

/// Every failure has a status: none is a broken connection or a missing response.
fn statuses(case: &Case<'_>) -> (Decision, String) {
    if case.record.figures.requests == 0 {
        return no_data("there was no request");
    }
    let endpoints = case.record.endpoints.iter();
    let without: u64 = endpoints.filter_map(|it| it.statuses.get("0")).sum();
    let bound = Bound::Equal(0.0);
    (
        Decision::plain(Some(without as f64), bound),
        format!("{without} requests received no response"),
    )
}
