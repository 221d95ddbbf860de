//! The percentile spectrum: latency by share of requests, with each further nine as wide as the last.

use super::Limits;
use crate::chart::{Axis, Chart, Labels, Limit, Series, Shape};
use crate::number::{DASH, figure, or_dash};
use crate::record::{Latency, PERCENTILES, TestRecord};
use crate::table::Table;

/// The spectrum of the whole test; `None` without requests.
pub fn chart(test: &TestRecord, id: &str, _limits: &Limits) -> Option<Chart> {
    let sent = test.figures.latency.as_ref()?;
    let intended = test.figures.intended_latency.as_ref();
    let last = 1.0 - 1.0 / (test.figures.requests.max(10) as f64);
    let x = Axis::percentiles(last);
    let mut series = vec![series("from sending", 0, sent, last)];
    if let Some(intended) = intended {
        series.push(self::series("from the schedule", 1, intended, last));
    }
    let all = || {
        series
            .iter()
            .flat_map(|series| &series.points)
            .filter_map(|(_, y)| *y)
    };
    let largest = all().fold(0.0, f64::max);
    let smallest = all().filter(|y| *y > 0.0).fold(f64::INFINITY, f64::min);
    let y = if smallest.is_finite() && largest / smallest > 30.0 {
        Axis::log("ms, logarithmic", smallest, largest)
    } else {
        Axis::from_zero("ms", largest, Labels::Figures)
    };
    let limits = bounds(test, &y);
    Some(Chart {
        id: id.to_owned(),
        title: "Percentile spectrum".to_owned(),
        description: format!(
            "Latency by percentile of the whole test, from {} to {} ms; each further nine of the percentile is as wide as the last.",
            figure(sent.min),
            figure(sent.max)
        ),
        x,
        y,
        series,
        bands: Vec::new(),
        limits,
        moments: Vec::new(),
        data: table(sent, intended),
    })
}

fn series(name: &str, colour: usize, latency: &Latency, last: f64) -> Series {
    let mut points = vec![(0.0, Some(latency.min))];
    for (key, share) in PERCENTILES {
        // The maximum is at the end; percentiles beyond the number of requests repeat it.
        if share < last || key == "p100" {
            points.push((share.min(last), latency.percentiles.get(key).copied()));
        }
    }
    Series {
        name: name.to_owned(),
        note: format!("max {}", crate::number::milliseconds(latency.max)),
        colour,
        shape: Shape::Line,
        points,
    }
}

fn bounds(test: &TestRecord, y: &Axis) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    for judgement in test
        .judgements
        .iter()
        .filter(|judgement| judgement.unit == "ms")
    {
        let Some(bound) = judgement
            .bound
            .filter(|bound| bound.is_finite() && *bound <= y.to)
        else {
            continue;
        };
        if limits.len() < 3 && limits.iter().all(|limit| limit.y != bound) {
            limits.push(Limit {
                name: crate::escape::clipped(&judgement.asked, 48),
                y: bound,
            });
        }
    }
    limits
}

fn table(sent: &Latency, intended: Option<&Latency>) -> Table {
    let mut table = Table::new(
        "Latency by percentile",
        &[
            "percentile",
            "#from sending ms",
            "95 % interval",
            "#from the schedule ms",
            "#waited in the generator ms",
        ],
    );
    for (key, _) in PERCENTILES {
        let Some(value) = sent.percentiles.get(key) else {
            continue;
        };
        let interval = sent.intervals.get(key).map_or_else(
            || DASH.to_owned(),
            |[low, high]| format!("{} to {}", figure(*low), figure(*high)),
        );
        let planned = intended.and_then(|latency| latency.percentiles.get(key).copied());
        table.row(vec![
            if key == "p100" { "max" } else { key }.into(),
            figure(*value).into(),
            interval.into(),
            or_dash(planned, figure).into(),
            or_dash(planned.map(|planned| planned - value), figure).into(),
        ]);
    }
    table.without_empty_columns()
}
