//! Figures of a ladder: efficiency, stability, saturation, the scalability law and the knee (R-12,
//! ACSO-22, ACSO-23, ACSO-36, ACSO-48).

use analysis::kneedle::{self, Shape};
use analysis::ladder::{self, Figures, Rung, Stability};
use analysis::usl::{self, Coefficient, Fit, Mark, Reach};
use report::record::{LoadModel, TestContent};
use serde_json::{Value, json};

use super::decide::CONFIDENCE;
use super::figure::Figure;
use super::verdict::Sheet;
use super::window::Window;
use super::{Case, step, window};

/// The steps of a ladder in order, without the final step back.
pub(super) fn steps<'a>(case: &Case<'a>) -> Vec<Window<'a>> {
    if case.test.content != TestContent::Ladder {
        return Vec::new();
    }
    let mut steps = window::steady(case.test, case.record);
    steps.retain(|step| step.level.is_some_and(|level| level > 0.0));
    let mut highest = 0.0;
    steps.retain(|step| {
        let level = step.level.unwrap_or(0.0);
        let rises = level > highest;
        highest = f64::max(highest, level);
        rises
    });
    steps
}

/// With at least this many iterations per user, the edges of a window are at most a twentieth of it.
const MANY_CYCLES: f64 = 20.0;

/// A step as input of the analysis: throughput is successes per second.
fn rung(step: &Window<'_>) -> Option<Rung> {
    Some(Rung {
        users: step.level?,
        throughput: Figure::Successes.value(step)?,
        success_rate: step.figures.success_rate()?,
        mean_response: Figure::Mean.value(step)?,
        cpu: Figure::Cpu.value(step).map(|cpu| cpu.clamp(0.0, 1.0)),
    })
}

pub(super) fn rungs(case: &Case<'_>) -> Vec<Rung> {
    let steps = steps(case);
    let mut rungs: Vec<Rung> = steps.iter().filter_map(rung).collect();
    if let (Some(first), Some(step)) = (rungs.first_mut(), steps.first())
        && let Some(base) = by_law(case, step)
    {
        first.throughput = base.throughput;
    }
    rungs
}

/// A throughput with its relative deviation.
struct Base {
    throughput: f64,
    deviation: f64,
    think_s: f64,
}

/// The throughput of the first step by the response-time law, X = N/(R + Z), if its users have completed so few
/// iterations that the edges of the window matter: all users begin at once, and send one iteration more than fits the
/// time. Every efficiency is relative to this step. `None` if the edges, at most one iteration per user, do not
/// explain the count: then the users' waits differ from those of the suite.
fn by_law(case: &Case<'_>, step: &Window<'_>) -> Option<Base> {
    let [class] = case.test.classes.as_slice() else {
        return None;
    };
    let figures = step.figures;
    let latency = figures.latency.as_ref()?;
    let (users, count) = (step.level?, figures.requests as f64);
    let is_short =
        case.test.model == LoadModel::Closed && count > 0.0 && count < users * MANY_CYCLES;
    let think_s = (class.wait_s[0] + class.wait_s[1]) / 2.0;
    let cycle_s = think_s + latency.mean / 1_000.0;
    let throughput = users / cycle_s;
    let explained = (count - throughput * step.length_s()).abs() <= users;
    (is_short && think_s > 0.0 && figures.failures == 0 && explained).then(|| Base {
        throughput,
        deviation: latency.standard_deviation / 1_000.0 / count.sqrt() / cycle_s,
        think_s,
    })
}

/// The law fitted to a ladder; in an open test the load is the number in the system (Little's law).
pub(super) fn fit(case: &Case<'_>) -> Option<Fit> {
    let (loads, throughputs) = curve(case);
    usl::fit(&loads, &throughputs, CONFIDENCE).ok()
}

/// Load and throughput of each step.
pub(super) fn curve(case: &Case<'_>) -> (Vec<f64>, Vec<f64>) {
    let load = |rung: &Rung| match case.test.model {
        LoadModel::Open => rung.throughput * rung.mean_response / 1_000.0,
        _ => rung.users,
    };
    let rungs = rungs(case);
    let points = rungs.iter().map(|rung| (load(rung), rung.throughput));
    points.filter(|(load, _)| *load > 0.0).unzip()
}

pub(super) fn analyse(case: &Case<'_>, sheet: &mut Sheet) {
    if case.test.content != TestContent::Ladder {
        return;
    }
    let rungs = rungs(case);
    match ladder::figures(&rungs, &Stability::default()) {
        Ok(figures) => {
            let shown = shown(case, &rungs, &figures);
            sheet.analysis.insert("ladder".to_owned(), shown);
        }
        Err(error) => {
            let shown = json!({ "error": error.to_string() });
            sheet.analysis.insert("ladder".to_owned(), shown);
        }
    }
    let (loads, throughputs) = curve(case);
    match usl::fit(&loads, &throughputs, CONFIDENCE) {
        Ok(fit) => sheet.analysis.insert("usl".to_owned(), law(&fit)),
        Err(error) => {
            let shown = json!({ "error": error.to_string() });
            sheet.analysis.insert("usl".to_owned(), shown)
        }
    };
    let knee = kneedle::knee(&loads, &throughputs, Shape::ConcaveRising, 1.0);
    if let Ok(Some((users, throughput))) = knee {
        let shown = json!({ "users": users, "throughput_per_s": throughput, "method": "kneedle" });
        sheet.analysis.insert("knee".to_owned(), shown);
    }
}

fn shown(case: &Case<'_>, rungs: &[Rung], figures: &Figures) -> Value {
    let windows = steps(case);
    let steps: Vec<Value> = rungs
        .iter()
        .zip(&figures.efficiencies)
        .zip(&windows)
        .map(|((rung, (_, efficiency)), window)| {
            json!({
                "users": rung.users,
                "throughput_per_s": rung.throughput,
                "success_rate": rung.success_rate,
                "mean_ms": rung.mean_response,
                "p95_ms": window.figures.percentile("p95"),
                "cpu_ratio": rung.cpu,
                "efficiency": efficiency,
                "stable": figures.max_stable_users.is_some_and(|most| rung.users <= most),
            })
        })
        .collect();
    let error = error(case, rungs, figures);
    let base = windows.first().and_then(|step| by_law(case, step));
    json!({
        "steps": steps,
        // With it, the first step's throughput is users / (think + response) instead of the counted one.
        "base_think_s": base.map(|base| base.think_s),
        "ended_at": step::ended_at(case.test, case.file, case.record),
        "retention_interval": figures.retention.zip(error).map(|(it, error)| {
            [it * (1.0 - error).max(0.0), it * (1.0 + error)]
        }),
        "saturation_interval": error.map(|error| saturation(rungs, &windows, error)),
        "linear_scalability_score": figures.linear_scalability_score,
        "max_stable_users": figures.max_stable_users,
        "retention": figures.retention,
        "saturation_point": figures.saturation_point,
        "correlation": figures.correlation,
        "response_growth": response_growth(rungs),
        "degradation": degradation(rungs),
    })
}

/// The combined half-width, as a share at 95 %, of the throughput of the first step and of the last stable
/// one: every efficiency is relative to the first step, which has the fewest requests.
fn error(case: &Case<'_>, rungs: &[Rung], figures: &Figures) -> Option<f64> {
    let windows = steps(case);
    let of = |users: f64| {
        let step = windows.iter().find(|step| step.level == Some(users))?;
        count_error(case, step)
    };
    let by_law = windows.first().and_then(|step| by_law(case, step));
    let first = match by_law {
        Some(base) => base.deviation,
        None => of(rungs.first()?.users)?,
    };
    let last = of(figures.max_stable_users?)?;
    Some(1.96 * first.hypot(last))
}

/// The relative deviation of a step's count. Users that return after each cycle are not a Poisson process:
/// the window cuts their cycles at a random place, with a deviation of at most half a cycle each, and a sum
/// of n cycles varies by √n times their coefficient of variation (renewal theory; Cox, "Renewal Theory",
/// 1962). Poisson's deviation is the maximum.
fn count_error(case: &Case<'_>, step: &Window<'_>) -> Option<f64> {
    let count = step.figures.requests as f64;
    if count == 0.0 {
        return None;
    }
    let poisson = count.sqrt();
    let cycles = || {
        let [class] = case.test.classes.as_slice() else {
            return None;
        };
        let latency = step.figures.latency.as_ref()?;
        let [least, most] = class.wait_s;
        let think = (most - least) / 12f64.sqrt();
        let mean = (least + most) / 2.0 + latency.mean / 1_000.0;
        let variation = think.hypot(latency.standard_deviation / 1_000.0) / mean;
        Some((step.level? / 4.0 + count * variation.powi(2)).sqrt())
    };
    let deviation = match case.test.model {
        LoadModel::Closed => cycles().map_or(poisson, |cycles| cycles.min(poisson)),
        _ => poisson,
    };
    Some(deviation / count)
}

/// The load at which efficiency falls to 0.9 if the first step's true throughput is at one end of its interval, and
/// that of the other steps at the opposite end; `null` if it never does.
fn saturation(rungs: &[Rung], windows: &[Window<'_>], error: f64) -> Value {
    let with = |sign: f64| {
        let mut rungs = rungs.to_vec();
        if let Some((first, others)) = rungs.split_first_mut() {
            first.throughput *= (1.0 + sign * error).max(0.01);
            for (rung, window) in others.iter_mut().zip(windows.iter().skip(1)) {
                rung.throughput *= 1.0 - sign * edges(rung, window);
            }
        }
        let figures = ladder::figures(&rungs, &Stability::default()).ok();
        figures.and_then(|it| it.saturation_point)
    };
    json!([with(1.0), with(-1.0)])
}

/// The share of a step's throughput that the edges of its window leave uncertain. Requests in flight there, X·R by
/// Little's law, are half done on average, so that a count of responses misses up to X·R/2 while the queue grows.
fn edges(rung: &Rung, window: &Window<'_>) -> f64 {
    let response_s = rung.mean_response / 1_000.0;
    (response_s / (2.0 * window.figures.seconds.max(1.0))).min(0.5)
}

/// The mean response time at ten times the first load, or at the largest load below that, divided by that
/// of the first (ACSO-39).
fn response_growth(rungs: &[Rung]) -> Option<f64> {
    let first = rungs.first().filter(|rung| rung.mean_response > 0.0)?;
    let last = rungs
        .iter()
        .rfind(|rung| rung.users <= 10.0 * first.users)?;
    let last = Some(last).filter(|last| last.users > first.users)?;
    Some(last.mean_response / first.mean_response)
}

/// How performance degrades (ACSO-27): the exponent of response time over users between the first and the
/// last step, and the loss of successes.
fn degradation(rungs: &[Rung]) -> Option<Value> {
    let (first, last) = (rungs.first()?, rungs.last()?);
    if last.users <= first.users || first.mean_response <= 0.0 || last.mean_response <= 0.0 {
        return None;
    }
    let exponent =
        (last.mean_response / first.mean_response).ln() / (last.users / first.users).ln();
    let failing = first.success_rate - last.success_rate;
    let class = match (exponent, failing) {
        (_, failing) if failing > 0.05 => "errors grow",
        (exponent, _) if exponent < 0.1 => "flat",
        (exponent, _) if exponent < 0.9 => "gradual",
        _ => "proportional or worse",
    };
    Some(json!({ "class": class, "response_exponent": exponent, "lost_success": failing }))
}

fn law(fit: &Fit) -> Value {
    json!({
        "alpha": coefficient(&fit.alpha),
        "beta": coefficient(&fit.beta),
        "gamma": coefficient(&fit.gamma),
        "r_squared": fit.r_squared,
        "points": fit.points,
        "weak": fit.is_weak,
        "peak": fit.peak().map(mark),
        "peak_interval": fit.peak_interval().map(|it| json!([it.lower, it.upper])),
        "optimal": fit.optimal().map(mark),
        "ceiling_per_s": fit.ceiling(),
        "largest_load": fit.largest_load,
    })
}

fn coefficient(it: &Coefficient) -> Value {
    json!({
        "estimate": it.estimate,
        "interval": [it.interval.lower, it.interval.upper],
        "at_bound": it.at_bound,
    })
}

fn mark(mark: Mark) -> Value {
    let beyond = match mark.reach {
        Reach::Measured => None,
        Reach::Extrapolated { beyond } => Some(beyond),
    };
    json!({
        "load": mark.load,
        "throughput_per_s": mark.throughput,
        "extrapolated_beyond": beyond,
        "text": beyond.map_or_else(
            || "within the measured range".to_owned(),
            |beyond| format!("extrapolated beyond the measured range, which ends at {}", super::verdict::number(beyond)),
        ),
    })
}

/// The largest step up to which all steps meet the requirements on a level, and the first step that does
/// not.
pub(super) fn borne(case: &Case<'_>) -> (Option<f64>, Option<f64>) {
    let mut judge = case.test.judge.clone();
    if judge.grades.is_none() && !case.file.grades.is_empty() {
        judge.grades = Some(crate::file::GradeName::Acceptable);
    }
    judge.rows.clear();
    judge.thresholds.clear();
    let asked = step::asked(&judge, case.file);
    let mut passed = None;
    for window in steps(case) {
        let holds = asked
            .iter()
            .all(|(figure, bound)| figure.value(&window).is_none_or(|it| bound.is_kept_by(it)));
        if !holds {
            return (passed, window.level);
        }
        passed = window.level;
    }
    (passed, None)
}
