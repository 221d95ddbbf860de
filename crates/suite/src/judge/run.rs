//! Judgements over several tests: scaling over cells, effects of parts, the mix, indicators, headroom, the outcome.

use analysis::least_squares;
use analysis::threshold::Limit;
use report::record::{
    Conclusion, Judgement, Outcome, RunRecord, Standing, TestContent, TestRecord,
};
use serde_json::{Value, json};

use super::Case;
use super::decide::{CONFIDENCE, Decision};
use super::effect;
use super::expression::Bound;
use super::outcome;
use super::verdict::{decided, number};

/// ACSO-50: the target throughput.
const TARGET_OPS_PER_S: f64 = 50.0;
/// AIA-38: the minimum share of proportional scaling.
const PROPORTIONAL: f64 = 0.8;
/// A mix is doubted if chance explains its counts less often than this: the rate at which a valid one is
/// doubted.
const BY_CHANCE: f64 = 0.001;

/// Judges questions that span tests, and gives the run the worst outcome of its tests. The indicators of
/// ACSO-50 and the headroom of ACSO-58 go into the analysis of the last test, as `kpis` and `headroom`.
pub fn judge_run(run: &mut RunRecord) {
    let groups = groups(&run.tests);
    for group in &groups {
        for name in ["scaling", "monotone", "efficiency", "effect"] {
            over_parts(&mut run.tests, group, name);
        }
        if run.suite == "aiaas" {
            at_least_proportional(&mut run.tests, group);
        }
    }
    indicators(run);
    let outcomes = run.tests.iter().map(|test| test.outcome);
    let worst = outcomes.fold(kept(run.outcome), Outcome::worst);
    run.outcome = if run.tests.is_empty() {
        worst.worst(Outcome::Untrusted)
    } else if !run.complete {
        worst.worst(Outcome::Inconclusive)
    } else {
        worst
    };
}

fn kept(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Interrupted | Outcome::Internal | Outcome::Usage | Outcome::Regression => outcome,
        _ => Outcome::Passed,
    }
}

/// Groups the tests with the same name, and for cells with the same part; returns their indices in the run.
fn groups(tests: &[TestRecord]) -> Vec<Vec<usize>> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (place, test) in tests.iter().enumerate() {
        let key = if test.cell.is_empty() {
            test.name.clone()
        } else {
            format!("{}/{}", test.name, test.part.as_deref().unwrap_or(""))
        };
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, places)) => places.push(place),
            None => groups.push((key, vec![place])),
        }
    }
    groups.into_iter().map(|(_, places)| places).collect()
}

/// Replaces the placeholder at the last test of a group with the result over the whole group.
fn over_parts(tests: &mut [TestRecord], group: &[usize], name: &str) {
    let ending = format!(".named.{name}");
    let asks = |test: &TestRecord| {
        test.content != TestContent::Ladder
            && test.judgements.iter().any(|it| it.id.ends_with(&ending))
    };
    let Some(last) = group
        .iter()
        .rev()
        .find(|place| asks(&tests[**place]))
        .copied()
    else {
        return;
    };
    let members: Vec<&TestRecord> = group.iter().map(|place| &tests[*place]).collect();
    let (decision, text, shown) = match name {
        "scaling" => scaling(&members),
        "monotone" => monotone(&members),
        "effect" => effect::over(&members),
        _ => efficiencies(&members),
    };
    let test = &mut tests[last];
    test.analysis.insert(name.to_owned(), shown);
    for judgement in test
        .judgements
        .iter_mut()
        .filter(|it| it.id.ends_with(&ending))
    {
        judgement.asked = format!("{name}: {text}");
        judgement.standing = decision.standing;
        judgement.measured = decision.measured;
        judgement.interval = decision.interval;
    }
    settle(test);
}

/// AIA-38, AIA-39: n instances sustain at least 0.8 n times the load of one. Only searches show that, because
/// throughput is the capacity of a cell only when the smallest cell is saturated (S-09).
fn at_least_proportional(tests: &mut [TestRecord], group: &[usize]) {
    let members: Vec<&TestRecord> = group.iter().map(|place| &tests[*place]).collect();
    let is_search = members
        .iter()
        .all(|test| test.content == TestContent::Search);
    let axis = axis(&members).filter(|axis| is_search && axis.ends_with(".instances"));
    let (Some(axis), Some(last)) = (axis, group.last().copied()) else {
        return;
    };
    let points = points(&members, &axis);
    let whole = points.len() == members.len() && points.len() > 1;
    let least = points.first().filter(|_| whole).and_then(|(first, base)| {
        let shares = points.iter().map(|(x, y)| (y / base) / (x / first));
        shares.reduce(f64::min)
    });
    let bound = Bound::Limit(Limit::at_least(PROPORTIONAL));
    let decision = match least {
        Some(_) => Decision::plain(least, bound),
        None => no_figure(&members, "").0,
    };
    let test = &mut tests[last];
    let id = format!("{}.row.scaling", test.title());
    test.judgements.retain(|it| it.id != id);
    test.judgements.push(Judgement {
        id,
        kind: "row".to_owned(),
        asked: format!("each step of {axis} sustains >= {PROPORTIONAL} of proportional"),
        phase: None,
        standing: decision.standing,
        measured: decision.measured,
        bound: Some(PROPORTIONAL),
        interval: None,
        unit: "ratio".to_owned(),
        grade: None,
        needs_more: None,
        proved: None,
        rule: "the result of a search divided by that of the smallest cell (AIA-38, AIA-39, S-09)"
            .to_owned(),
    });
    settle(test);
}

/// The outcome after a judgement has changed.
fn settle(test: &mut TestRecord) {
    let standings = test.judgements.iter().map(|it| it.standing.outcome());
    let mut outcome = standings.fold(kept(test.outcome), Outcome::worst);
    if test
        .ledger
        .iter()
        .any(|it| it.conclusion == Conclusion::Invalid)
    {
        outcome = outcome.worst(Outcome::Untrusted);
    }
    if !test.complete {
        outcome = outcome.worst(Outcome::Inconclusive);
    }
    let open = |standing| !matches!(standing, Standing::Held | Standing::Reported);
    let sentences: Vec<String> = test
        .judgements
        .iter()
        .filter(|it| it.kind == "named" || it.id.ends_with(".row.scaling"))
        .filter(|it| open(it.standing))
        .map(outcome::sentence)
        .collect();
    for sentence in sentences {
        if !test.reasons.contains(&sentence) {
            test.reasons.push(sentence);
        }
    }
    test.outcome = outcome;
}

/// The capacity of a cell: the last level of a search that passed, or its successes per second.
fn throughput(test: &TestRecord) -> Option<f64> {
    let capacity = test
        .analysis
        .get("capacity")
        .and_then(|it| it.get("passed")?.as_f64());
    if test.content == TestContent::Search {
        return capacity;
    }
    let judged = test
        .phases
        .iter()
        .rfind(|it| it.judged && it.figures.requests > 0);
    judged
        .map_or(&test.figures, |phase| &phase.figures)
        .successes_per_s()
}

/// The axis of a grid whose values are numbers, other than the level of load.
fn axis(members: &[&TestRecord]) -> Option<String> {
    let cells = members.iter().flat_map(|it| &it.cell);
    let mut numeric = cells.filter(|(name, value)| *name != "level" && as_number(value).is_some());
    numeric.next().map(|(name, _)| name.clone())
}

fn as_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// (value of the axis, throughput) by ascending values.
fn points(members: &[&TestRecord], axis: &str) -> Vec<(f64, f64)> {
    let of = |test: &&TestRecord| Some((as_number(test.cell.get(axis)?)?, throughput(test)?));
    let mut points: Vec<(f64, f64)> = members.iter().filter_map(of).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

pub(super) type GroupFinding = (Decision, String, Value);

fn no_data(text: &str) -> GroupFinding {
    (Decision::NO_DATA, text.to_owned(), Value::Null)
}

/// The result for cells without a figure: nothing was measured, or too little to decide their capacity.
fn no_figure(members: &[&TestRecord], text: &str) -> GroupFinding {
    let undecided = |test: &&TestRecord| {
        let mut own = test.judgements.iter().filter(|it| it.kind == "named");
        throughput(test).is_none() && own.any(|it| it.standing == Standing::Inconclusive)
    };
    match members.iter().copied().find(|test| undecided(test)) {
        Some(test) => (
            decided(Standing::Inconclusive),
            format!("the capacity of {} is undecided", test.title()),
            Value::Null,
        ),
        None => no_data(text),
    }
}

/// ACSO-38, AIA-38: throughput over resources, as the slope of the line through the origin and as a share
/// of proportional scaling from the smallest cell.
fn scaling(members: &[&TestRecord]) -> GroupFinding {
    let Some(axis) = axis(members) else {
        return no_data("no cell varies a number");
    };
    let points = points(members, &axis);
    let [(first, base), .., (last, most)] = points.as_slice() else {
        return no_figure(members, "fewer than two cells have a figure");
    };
    if *base <= 0.0 || *first <= 0.0 || points.len() < members.len() {
        return no_figure(members, "a cell has no figure");
    }
    let share = (most / base) / (last / first);
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let slope = least_squares::line(&x, &y, CONFIDENCE).ok();
    let interval = slope.map(|it| [it.slope_interval.lower, it.slope_interval.upper]);
    let rising = points.windows(2).all(|pair| pair[1].1 >= pair[0].1);
    let shown = json!({
        "axis": axis,
        "points": points.iter().map(|(x, y)| json!({ "value": x, "throughput_per_s": y,
            "share_of_proportional": (y / base) / (x / first) })).collect::<Vec<Value>>(),
        "slope_per_unit": slope.map(|it| it.slope),
        "slope_interval": interval,
        "share_of_proportional": share,
        "at_least_0_8": points.iter().all(|(x, y)| (y / base) / (x / first) >= 0.8),
        "monotone": rising,
    });
    let decision = Decision {
        measured: Some(share),
        ..decided(Standing::Held)
    };
    let text = format!(
        "{} times the {axis} sustain {} times the load, {} % of proportional",
        number(last / first),
        number(most / base),
        number(share * 100.0)
    );
    (decision, text, shown)
}

/// AIA-41: more of the resource must not be slower; two means whose intervals overlap are equal.
fn monotone(members: &[&TestRecord]) -> GroupFinding {
    let Some(axis) = axis(members) else {
        return no_data("no cell varies a number");
    };
    let of = |test: &&TestRecord| {
        let latency = test.figures.latency.as_ref()?;
        let error = 1.96 * latency.standard_deviation / (test.figures.requests as f64).sqrt();
        Some((as_number(test.cell.get(&axis)?)?, latency.mean, error))
    };
    let mut means: Vec<(f64, f64, f64)> = members.iter().filter_map(of).collect();
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    if means.len() < 2 || means.len() < members.len() {
        return no_data("a cell has no figure");
    }
    let slower = means
        .windows(2)
        .find(|pair| pair[1].1 - pair[1].2 > pair[0].1 + pair[0].2);
    let shown = json!({ "axis": axis, "means_ms": means.iter()
        .map(|(x, mean, error)| json!({ "value": x, "mean_ms": mean, "interval": [mean - error, mean + error] }))
        .collect::<Vec<Value>>() });
    match slower {
        Some(pair) => (
            decided(Standing::Crossed),
            format!(
                "{} of {axis} are slower than {}",
                number(pair[1].0),
                number(pair[0].0)
            ),
            shown,
        ),
        None => (
            decided(Standing::Held),
            format!("more {axis} is never slower"),
            shown,
        ),
    }
}

/// DET-11: throughput per user of each cell, divided by that of the smallest level with the same values.
fn efficiencies(members: &[&TestRecord]) -> GroupFinding {
    let level = |test: &TestRecord| test.cell.get("level").and_then(as_number);
    let others = |test: &TestRecord| {
        let mut cell = test.cell.clone();
        cell.shift_remove("level");
        cell
    };
    let mut cells = Vec::new();
    for test in members {
        let smallest = members
            .iter()
            .filter(|it| others(it) == others(test))
            .min_by(|a, b| level(a).unwrap_or(0.0).total_cmp(&level(b).unwrap_or(0.0)));
        let per_user = |it: &TestRecord| Some(throughput(it)? / level(it).filter(|it| *it > 0.0)?);
        let base = smallest.and_then(|it| per_user(it)).filter(|it| *it > 0.0);
        let efficiency = per_user(test).zip(base).map(|(own, base)| own / base);
        cells.push((test.title(), test.figures.error_rate(), efficiency));
    }
    let missing = cells.iter().find(|(_, _, efficiency)| efficiency.is_none());
    let shown: Vec<Value> = cells
        .iter()
        .map(|(title, errors, efficiency)| json!({ "cell": title, "error_rate": errors, "efficiency": efficiency }))
        .collect();
    if let Some((title, ..)) = missing {
        return (
            Decision::NO_DATA,
            format!("{title} has no figure"),
            Value::Array(shown),
        );
    }
    let values: Vec<f64> = cells.iter().filter_map(|(_, _, it)| *it).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    // DET-11: no cell fails.
    let failing = cells
        .iter()
        .find(|(_, errors, _)| errors.is_none_or(|it| it > 0.05));
    match failing {
        Some((title, errors, _)) => (
            Decision {
                measured: Some(mean),
                ..decided(Standing::Crossed)
            },
            format!(
                "{} % of the requests of {title} fail",
                number(errors.unwrap_or(1.0) * 100.0)
            ),
            Value::Array(shown),
        ),
        None => (
            Decision {
                measured: Some(mean),
                ..decided(Standing::Held)
            },
            format!("{} on average over {} cells", number(mean), values.len()),
            Value::Array(shown),
        ),
    }
}

/// Whether the classes' tasks were drawn according to their weights (ACSO-21, S-14): Pearson's χ² over the
/// successes of the endpoints that have a task's name, by the Wilson-Hilferty approximation.
pub(super) fn mix(case: &Case<'_>) -> (Decision, String) {
    let [class] = case.test.classes.as_slice() else {
        return (
            Decision::NO_DATA,
            "several classes share the load".to_owned(),
        );
    };
    let total: f64 = class.tasks.values().map(|weight| f64::from(*weight)).sum();
    let count = |task: &str| -> u64 {
        let names = |name: &str| {
            let name = name.to_lowercase();
            let stem = task.trim_end_matches('s').to_lowercase();
            name.contains(&stem)
        };
        let own = case.record.endpoints.iter().filter(|it| names(&it.name));
        own.map(|it| it.figures.requests).sum()
    };
    let counts: Vec<(f64, f64)> = class
        .tasks
        .iter()
        .map(|(task, weight)| (count(task) as f64, f64::from(*weight) / total))
        .collect();
    let seen: f64 = counts.iter().map(|(count, _)| count).sum();
    if seen == 0.0 || counts.len() < 2 {
        return (
            Decision::NO_DATA,
            "no endpoint is named after a task".to_owned(),
        );
    }
    let statistic: f64 = counts
        .iter()
        .map(|(count, share)| (count - share * seen).powi(2) / (share * seen))
        .sum();
    let degrees = (counts.len() - 1) as f64;
    let spread = 2.0 / (9.0 * degrees);
    let z = ((statistic / degrees).cbrt() - (1.0 - spread)) / spread.sqrt();
    let p_value = 1.0 - analysis::distribution::normal_cdf(z);
    let shares: Vec<String> = counts
        .iter()
        .zip(class.tasks.keys())
        .map(|((count, _), task)| format!("{task} {} %", number(count / seen * 100.0)))
        .collect();
    let standing = if p_value >= BY_CHANCE {
        Standing::Held
    } else {
        Standing::Crossed
    };
    (
        Decision {
            measured: Some(p_value),
            ..decided(standing)
        },
        format!("{} (p = {})", shares.join(", "), number(p_value)),
    )
}

/// ACSO-50 and ACSO-58.
fn indicators(run: &mut RunRecord) {
    let steady = |test: &TestRecord| test.content == TestContent::Phases && test.cell.is_empty();
    let load = run
        .tests
        .iter()
        .filter(|it| it.name == "load" && steady(it));
    let current = load.filter_map(throughput).reduce(f64::max);
    let ladder = run.tests.iter().find_map(|it| it.analysis.get("ladder"));
    let score = ladder.and_then(|it| it.get("linear_scalability_score")?.as_f64());
    let busiest = run
        .tests
        .iter()
        .filter(|it| it.figures.requests > 0)
        .max_by(|a, b| levels(a).total_cmp(&levels(b)));
    let highest = run
        .tests
        .iter()
        .filter(|it| steady(it))
        .filter_map(throughput)
        .reduce(f64::max);
    let kpis = json!({
        "throughput_efficiency": current.or(highest).map(|it| it / TARGET_OPS_PER_S),
        "scalability_score": score,
        "resource_efficiency": run.tests.iter().find_map(per_busy_core),
        "reliability_score": busiest.and_then(|it| it.figures.success_rate()),
    });
    let headroom = capacity(run)
        .zip(current)
        .filter(|(_, current)| *current > 0.0);
    let headroom = headroom.map(|(capacity, current)| json!({
        "capacity_per_s": capacity,
        "current_per_s": current,
        "times_current": capacity / current,
        "text": format!("The system sustains {} times the load of the test `load`; ACSO-58 requires three to five times.",
            number(capacity / current)),
    }));
    let Some(last) = run.tests.last_mut() else {
        return;
    };
    last.analysis.insert("kpis".to_owned(), kpis);
    if let Some(headroom) = headroom {
        last.analysis.insert("headroom".to_owned(), headroom);
    }
}

fn levels(test: &TestRecord) -> f64 {
    let levels = test
        .phases
        .iter()
        .filter_map(|it| it.users.or(it.rate_per_s));
    levels.fold(0.0, f64::max)
}

/// Successes per second for each busy core of the target.
fn per_busy_core(test: &TestRecord) -> Option<f64> {
    let target = test.target_in_phases();
    let moments: Vec<f64> = target
        .chunk_by(|a, b| (a.at_s - b.at_s).abs() < 0.5)
        .map(|moment| moment.iter().filter_map(|it| it.cpu_cores).sum())
        .collect();
    let busy = moments.iter().sum::<f64>() / moments.len().max(1) as f64;
    (busy > 0.0)
        .then(|| test.figures.successes_per_s().map(|it| it / busy))
        .flatten()
}

/// The largest sustained throughput of the run: of a search, or of the steps of a ladder.
fn capacity(run: &RunRecord) -> Option<f64> {
    let of = |test: &TestRecord| {
        let found = test.analysis.get("capacity")?;
        if !test.cell.is_empty() {
            return None;
        }
        let is_rate = found.get("of").and_then(Value::as_str) == Some("rate_per_s");
        let key = if is_rate {
            "passed"
        } else {
            "highest_throughput_per_s"
        };
        found.get(key)?.as_f64()
    };
    run.tests.iter().filter_map(of).reduce(f64::max)
}
