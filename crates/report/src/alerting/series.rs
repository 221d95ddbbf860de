//! The series of a test as Prometheus would have scraped them.

use super::figure::Figure;
use crate::record::{ResourceSample, Second, TestRecord};

/// Up to this length each second is scraped; longer tests every 15 seconds.
const EVERY_SECOND_UP_TO_S: f64 = 7200.0;
const ELSE_S: u32 = 15;
/// Samples of all hosts within this time count as simultaneous.
const MOMENT_S: f64 = 0.5;

/// Scrape interval of the figures, in seconds.
pub fn scrape_s(test: &TestRecord) -> u32 {
    if test.duration_s <= EVERY_SECOND_UP_TO_S {
        1
    } else {
        ELSE_S
    }
}

/// The figure at each scrape, from the start of the test on. A scrape sees the second that has just ended;
/// `None` if it had no request.
pub fn scraped(test: &TestRecord, figure: &Figure) -> Vec<Option<f64>> {
    let mut by_second = vec![None; length(test) + 1];
    let mut put = |at_s: f64, value: Option<f64>| {
        let ended = at_s.max(0.0).round() as usize + 1;
        if let (Some(place), Some(value)) = (by_second.get_mut(ended), value) {
            *place = Some(value).filter(|value| value.is_finite());
        }
    };
    if let Figure::Metric(asked) = figure {
        let known = test.asked.iter().find(|one| one.metric == asked.metric);
        let values = known.and_then(|known| known.seconds.get(&asked.aggregate));
        let values = values.into_iter().flatten().enumerate();
        values.for_each(|(second, value)| put(second as f64, *value));
    } else if figure.is_of_resources() {
        let samples = &test.observed.target;
        let moments = samples.chunk_by(|a, b| b.at_s - a.at_s < MOMENT_S);
        moments.for_each(|moment| put(moment[0].at_s.floor(), of_moment(moment, figure)));
    } else {
        let seconds = test.seconds.iter();
        seconds.for_each(|second| put(second.at_s, of_second(second, figure)));
    }
    let step = scrape_s(test) as usize;
    by_second.into_iter().step_by(step).collect()
}

/// The figure at each second as seen by an evaluation: that of the last scrape.
pub fn series(test: &TestRecord, figure: &Figure) -> Vec<Option<f64>> {
    let step = scrape_s(test) as usize;
    let scraped = scraped(test, figure).into_iter();
    let held = scraped.flat_map(|value| std::iter::repeat_n(value, step));
    held.take(length(test) + 1).collect()
}

fn length(test: &TestRecord) -> usize {
    let last = test.seconds.last().map_or(0.0, |second| second.at_s) + 1.0;
    test.duration_s.max(last).ceil().max(0.0) as usize
}

fn of_second(second: &Second, figure: &Figure) -> Option<f64> {
    let share = |part: u64| (second.requests > 0).then(|| part as f64 / second.requests as f64);
    match figure {
        Figure::Mean => second.mean_ms,
        Figure::P50 => second.p50_ms,
        Figure::P95 => second.p95_ms,
        Figure::P99 => second.p99_ms,
        Figure::ErrorRatio => share(second.failures),
        Figure::SuccessRatio => share(second.requests - second.failures.min(second.requests)),
        Figure::Cpu | Figure::Memory | Figure::Metric(_) => None,
    }
}

/// The maximum over all hosts.
fn of_moment(moment: &[ResourceSample], figure: &Figure) -> Option<f64> {
    let of = |sample: &ResourceSample| match figure {
        Figure::Cpu => sample.cpu_ratio,
        Figure::Memory => sample.memory_ratio,
        _ => None,
    };
    moment.iter().filter_map(of).reduce(f64::max)
}
