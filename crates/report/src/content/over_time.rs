//! A test second by second: throughput, latency, errors, users.

use super::Limits;
use crate::chart::{
    Axis, Band, BandKind, Bin, Caption, Chart, Labels, Limit, Moment, Series, Shape, bins,
};
use crate::escape::clipped;
use crate::number::{count, figure, milliseconds, or_dash, percent};
use crate::record::{EventKind, Judgement, Second, TestRecord};
use crate::table::{Cell, Table};

/// The maximum factor by which an axis is extended beyond the highest point to show a threshold.
const STRETCH: f64 = 2.5;

/// A figure of a bin of seconds.
type Of = fn(&Bin<'_, Second>) -> Option<f64>;

/// A curve: its name, its style, and its figure.
struct Curve {
    name: &'static str,
    colour: usize,
    shape: Shape,
    of: Of,
    form: fn(f64) -> String,
}

/// The four charts of a test; none for a test without seconds.
pub fn charts(test: &TestRecord, prefix: &str, limits: &Limits) -> Vec<Chart> {
    if test.seconds.is_empty() {
        return Vec::new();
    }
    let chart = |name: &str, title: &str, unit: &str, curves: &[Curve]| {
        let id = &format!("{prefix}-{name}");
        draw(test, Caption { id, title, unit }, curves, limits)
    };
    let mut charts = vec![
        chart("throughput", "Throughput", "requests/s", &THROUGHPUT),
        chart("latency", "Latency", "ms", &LATENCY),
        chart("errors", "Failed requests", "% of requests", &ERRORS),
    ];
    if test.seconds.iter().any(|second| second.users.is_some()) {
        charts.push(chart("users", "Users", "virtual users", &USERS));
    }
    if test
        .seconds
        .iter()
        .any(|second| second.dropped_iterations > 0)
    {
        charts.push(chart(
            "dropped",
            "Dropped iterations",
            "iterations/s",
            &DROPPED,
        ));
    }
    charts
}

const THROUGHPUT: [Curve; 2] = [
    Curve {
        name: "succeeded",
        colour: 0,
        shape: Shape::Area,
        of: |bin| bin.mean(|s| Some(s.requests.saturating_sub(s.failures) as f64)),
        form: figure,
    },
    Curve {
        name: "failed",
        colour: 1,
        shape: Shape::Line,
        of: |bin| bin.mean(|s| Some(s.failures as f64)),
        form: figure,
    },
];

const LATENCY: [Curve; 3] = [
    Curve {
        name: "p50",
        colour: 0,
        shape: Shape::Line,
        of: |bin| bin.largest(|s| s.p50_ms),
        form: milliseconds,
    },
    Curve {
        name: "p95",
        colour: 3,
        shape: Shape::Line,
        of: |bin| bin.largest(|s| s.p95_ms),
        form: milliseconds,
    },
    Curve {
        name: "p99",
        colour: 1,
        shape: Shape::Line,
        of: |bin| bin.largest(|s| s.p99_ms),
        form: milliseconds,
    },
];

const ERRORS: [Curve; 1] = [Curve {
    name: "failed",
    colour: 1,
    shape: Shape::Area,
    of: |bin| {
        let requests = bin.sum(|s| Some(s.requests as f64))?;
        let failures = bin.sum(|s| Some(s.failures as f64))?;
        (requests > 0.0).then(|| 100.0 * failures / requests)
    },
    form: |value| percent(value / 100.0),
}];

const USERS: [Curve; 1] = [Curve {
    name: "users",
    colour: 2,
    shape: Shape::Step,
    of: |bin| bin.largest(|s| s.users),
    form: figure,
}];

const DROPPED: [Curve; 1] = [Curve {
    name: "dropped",
    colour: 5,
    shape: Shape::Bars,
    of: |bin| bin.mean(|s| Some(s.dropped_iterations as f64)),
    form: figure,
}];

fn draw(test: &TestRecord, caption: Caption<'_>, curves: &[Curve], limits: &Limits) -> Chart {
    let Caption { id, title, unit } = caption;
    let mut series = Vec::new();
    let mut largest: f64 = 0.0;
    for curve in curves {
        let points: Vec<(f64, Option<f64>)> = bins(&test.seconds, limits.points)
            .map(|bin| (middle(&bin), (curve.of)(&bin)))
            .collect();
        let peak = points.iter().filter_map(|(_, y)| *y).reduce(f64::max);
        largest = largest.max(peak.unwrap_or(0.0));
        series.push(Series {
            name: curve.name.to_owned(),
            note: peak
                .map(|peak| format!("peak {}", (curve.form)(peak)))
                .unwrap_or_default(),
            colour: curve.colour,
            shape: curve.shape,
            points,
        });
    }
    let thresholds = thresholds(test, unit);
    let shown = thresholds.iter().map(|(_, bound)| *bound);
    let stretched = shown.filter(|bound| *bound <= STRETCH * largest || largest == 0.0);
    let top = stretched.fold(largest, f64::max);
    let per_point = test.seconds.len().div_ceil(limits.points.max(1)).max(1);
    Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        description: describe(title, &series, per_point),
        x: Axis::time(test.duration_s),
        y: Axis::from_zero(unit, top * 1.05, Labels::Figures),
        limits: thresholds
            .into_iter()
            .map(|(name, bound)| Limit {
                name: if bound > top * 1.05 {
                    format!("{name} ↑")
                } else {
                    name
                },
                y: bound,
            })
            .collect(),
        series,
        bands: bands(test),
        moments: moments(test),
        data: data(test, title, curves, limits),
    }
}

fn middle(bin: &Bin<'_, Second>) -> f64 {
    let first = bin.items.first().map_or(0.0, |second| second.at_s);
    let last = bin.items.last().map_or(first, |second| second.at_s);
    // A second is drawn at its middle.
    (first + last) / 2.0 + 0.5
}

fn describe(title: &str, series: &[Series], per_point: usize) -> String {
    let curves: Vec<String> = series
        .iter()
        .map(|series| match series.note.as_str() {
            "" => format!("{}, without figures", series.name),
            note => format!("{}, {note}", series.name),
        })
        .collect();
    let points = match per_point {
        1 => "each point is one second".to_owned(),
        n => format!("each point is {n} seconds; of percentiles the largest second"),
    };
    format!("{title} over time: {}; {points}.", curves.join("; "))
}

/// The phases, and the times of faults.
pub fn bands(test: &TestRecord) -> Vec<Band> {
    let mut bands: Vec<Band> = test
        .phases
        .iter()
        .map(|phase| Band {
            name: phase.name.clone(),
            from: phase.begin_s,
            to: phase.end_s,
            kind: if phase.judged {
                BandKind::Judged
            } else {
                BandKind::Other
            },
        })
        .collect();
    for (name, from, to) in super::events::faults(test) {
        bands.push(Band {
            name: clipped(&name, 40),
            from,
            to,
            kind: BandKind::Fault,
        });
    }
    bands
}

fn moments(test: &TestRecord) -> Vec<Moment> {
    test.observed
        .events
        .iter()
        .filter(|event| {
            matches!(
                event.kind,
                EventKind::Reaction | EventKind::Alert | EventKind::Interrupted
            )
        })
        .take(40)
        .map(|event| Moment {
            name: clipped(&event.text, 120),
            x: event.at_s,
        })
        .collect()
}

/// The thresholds for an axis of this unit, at most three different ones.
fn thresholds(test: &TestRecord, unit: &str) -> Vec<(String, f64)> {
    let mut found: Vec<(String, f64)> = Vec::new();
    for judgement in &test.judgements {
        let Some(bound) = judgement
            .bound
            .and_then(|bound| on_axis(judgement, bound, unit))
        else {
            continue;
        };
        let is_new = found
            .iter()
            .all(|(_, other)| (other - bound).abs() > 1e-9 * bound.abs());
        if is_new && found.len() < 3 && bound.is_finite() {
            found.push((clipped(&judgement.asked, 48), bound));
        }
    }
    found
}

/// The bound in the axis' unit, if the judgement is on the quantity of the axis.
fn on_axis(judgement: &Judgement, bound: f64, unit: &str) -> Option<f64> {
    let about = format!("{} {}", judgement.id, judgement.asked).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| about.contains(word));
    match (unit, judgement.unit.as_str()) {
        ("ms", "ms") => Some(bound),
        ("ms", "s")
            if says(&[
                "p50", "p95", "p99", "p(", "latency", "response", "avg", "mean",
            ]) =>
        {
            Some(1000.0 * bound)
        }
        ("% of requests", "ratio") if says(&["error", "fail"]) => Some(100.0 * bound),
        ("% of requests", "ratio") if says(&["success"]) => Some(100.0 * (1.0 - bound)),
        ("% of requests", "%" | "percent") if says(&["error", "fail"]) => Some(bound),
        ("requests/s", "1/s" | "/s" | "rps" | "requests/s" | "req/s" | "per_s" | "per second") => {
            Some(bound)
        }
        _ => None,
    }
}

fn data(test: &TestRecord, title: &str, curves: &[Curve], limits: &Limits) -> Table {
    let names: Vec<String> = curves
        .iter()
        .map(|curve| format!("#{}", curve.name))
        .collect();
    let mut columns = vec!["#from s", "#seconds"];
    columns.extend(names.iter().map(String::as_str));
    let mut table = Table::new(format!("{title} over time"), &columns);
    for bin in bins(&test.seconds, limits.figures) {
        let from = bin.items.first().map_or(0.0, |second| second.at_s);
        let mut row: Vec<Cell> = vec![figure(from).into(), count(bin.items.len() as u64).into()];
        row.extend(
            curves
                .iter()
                .map(|curve| or_dash((curve.of)(&bin), curve.form).into()),
        );
        table.row(row);
    }
    table
}
