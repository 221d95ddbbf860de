//! Compares the figures of whole tests by their seconds.
//!
//! Adjacent seconds are correlated: they are combined into as many windows as the series has independent
//! values (batch means), at most fifty, for which the test is exact.

use analysis::canary::{self, Class, Criteria, Direction};
use analysis::comparison;
use analysis::effect::Magnitude;
use analysis::effective_size::effective_size;
use analysis::mann_whitney::{EXACT_UP_TO, Method};

use super::{Change, FigureComparison, Options};
use crate::record::{PhaseRecord, Second, TestRecord};

/// With fewer values on a side, no permutation is significant at 0.05.
const FEWEST: usize = 4;

/// From NetflixACAJudge: the share of a shift's own size that its whole interval has to exceed.
const CANARY_TOLERANCE: f64 = 0.25;
const CANARY_CONFIDENCE: f64 = 0.98;

/// A compared figure.
struct Figure {
    name: &'static str,
    unit: &'static str,
    of_second: fn(&Second) -> Option<f64>,
    of_phase: fn(&PhaseRecord) -> Option<f64>,
    smaller_is_worse: bool,
    /// Whether "no regression" requires a certain result for this figure.
    decides: bool,
}

const FIGURES: [Figure; 4] = [
    Figure {
        name: "throughput",
        unit: "1/s",
        of_second: |second| Some(second.requests.saturating_sub(second.failures) as f64),
        of_phase: |phase| phase.figures.successes_per_s(),
        smaller_is_worse: true,
        decides: true,
    },
    Figure {
        name: "p50",
        unit: "ms",
        of_second: |second| second.p50_ms,
        of_phase: |phase| phase.figures.percentile("p50"),
        smaller_is_worse: false,
        decides: true,
    },
    Figure {
        name: "p95",
        unit: "ms",
        of_second: |second| second.p95_ms,
        of_phase: |phase| phase.figures.percentile("p95"),
        smaller_is_worse: false,
        decides: true,
    },
    Figure {
        name: "p99",
        unit: "ms",
        of_second: |second| second.p99_ms,
        of_phase: |phase| phase.figures.percentile("p99"),
        smaller_is_worse: false,
        decides: false,
    },
];

/// Values, independent within each side, and their description.
struct Sample {
    values: Vec<f64>,
    of: String,
}

/// One line per figure.
pub fn lines(before: &TestRecord, after: &TestRecord, options: &Options) -> Vec<FigureComparison> {
    FIGURES
        .iter()
        .map(|figure| line(figure, before, after, options))
        .collect()
}

fn line(
    figure: &Figure,
    before: &TestRecord,
    after: &TestRecord,
    options: &Options,
) -> FigureComparison {
    let (a, b) = samples(figure, before, after);
    let plan = options.plan(figure.smaller_is_worse);
    let mut line = FigureComparison {
        figure: figure.name,
        unit: figure.unit,
        baseline: None,
        candidate: None,
        relative: None,
        interval: None,
        p_value: None,
        test: format!("Mann-Whitney, {} and {}", a.of, b.of),
        superiority: None,
        magnitude: None,
        minimal_detectable: None,
        needs_per_side: None,
        change: Change::Inconclusive,
        note: None,
        canary: canary(figure, &a.values, &b.values),
        smaller_is_worse: figure.smaller_is_worse,
        decides: figure.decides,
    };
    if a.values.len().min(b.values.len()) < FEWEST {
        line.note = Some(format!(
            "fewer than {FEWEST} values on a side ({} and {})",
            a.of, b.of
        ));
        return line;
    }
    match comparison::compare(&a.values, &b.values, &plan) {
        Err(error) => line.note = Some(error.to_string()),
        Ok(found) => {
            let method = match found.test.method {
                Method::Exact => "exact",
                Method::Normal => "by normal approximation",
            };
            line.test = format!("Mann-Whitney, {method}, {} and {}", a.of, b.of);
            line.baseline = Some(found.baseline_median);
            line.candidate = Some(found.candidate_median);
            line.relative = Some(found.relative_shift);
            let interval = found.relative_interval;
            line.interval = interval
                .is_bounded()
                .then_some([interval.lower, interval.upper]);
            line.p_value = Some(found.test.p_value);
            line.superiority = Some(found.effect.superiority);
            line.magnitude = Some(match found.effect.magnitude {
                Magnitude::Negligible => "negligible",
                Magnitude::Small => "small",
                Magnitude::Medium => "medium",
                Magnitude::Large => "large",
            });
            line.minimal_detectable = found.minimal_detectable;
            line.needs_per_side = found.needs_per_side;
        }
    }
    line
}

/// Kayenta's criteria, in the direction that is worse.
fn canary(figure: &Figure, control: &[f64], experiment: &[f64]) -> Class {
    let criteria = Criteria {
        direction: if figure.smaller_is_worse {
            Direction::Decrease
        } else {
            Direction::Increase
        },
        tolerance: CANARY_TOLERANCE,
        confidence: CANARY_CONFIDENCE,
    };
    if control.len().min(experiment.len()) < FEWEST {
        return Class::NoData;
    }
    canary::classify(control, experiment, &criteria).unwrap_or(Class::NoData)
}

/// By second if both have seconds in judged phases, otherwise one value per judged phase.
fn samples(figure: &Figure, before: &TestRecord, after: &TestRecord) -> (Sample, Sample) {
    let (a, b) = (seconds(figure, before), seconds(figure, after));
    if a.is_empty() || b.is_empty() {
        return (phases(figure, before), phases(figure, after));
    }
    // The same length for both, because the variance depends on the length of the windows.
    let length = window_s(&a).max(window_s(&b));
    (windows(&a, length), windows(&b, length))
}

fn seconds(figure: &Figure, test: &TestRecord) -> Vec<f64> {
    let judged = |second: &&Second| {
        let middle = second.at_s + 0.5;
        let within =
            |phase: &PhaseRecord| phase.judged && middle >= phase.begin_s && middle < phase.end_s;
        test.phases.is_empty() || test.phases.iter().any(within)
    };
    let seconds = test.seconds.iter().filter(judged);
    seconds
        .filter_map(figure.of_second)
        .filter(|value| value.is_finite())
        .collect()
}

fn phases(figure: &Figure, test: &TestRecord) -> Sample {
    let phases = test.phases.iter().filter(|phase| phase.judged);
    let values: Vec<f64> = phases.filter_map(figure.of_phase).collect();
    let of = format!("{} phases", values.len());
    Sample { values, of }
}

/// The number of seconds to combine so that the windows are approximately independent.
fn window_s(seconds: &[f64]) -> usize {
    // A short series has no estimate of its own; its values are used as they are.
    let worth = effective_size(seconds).unwrap_or(seconds.len() as f64);
    let most = (worth.floor() as usize).clamp(FEWEST, EXACT_UP_TO);
    seconds.len().div_ceil(most).max(1)
}

/// The medians of windows. A remainder at the end would be noisier, and is left out.
fn windows(seconds: &[f64], length: usize) -> Sample {
    let values: Vec<f64> = seconds.chunks_exact(length).map(median).collect();
    Sample {
        of: match length {
            1 => format!("{} seconds", values.len()),
            length => format!("{} windows of {length} s", values.len()),
        },
        values,
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}
