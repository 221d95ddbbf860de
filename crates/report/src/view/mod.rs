//! The reports of the five documents, with exactly their keys, headings and units.

mod acis;
mod acso;
mod agent360;
mod aiaas;
mod detectors;

pub use acis::acis;
pub use acso::acso;
pub use agent360::agent360;
pub(crate) use aiaas::summary_of;
pub use aiaas::{Baseline, aiaas, baseline};
pub use detectors::detectors;

use crate::record::{ResourceSample, RunRecord, TestRecord};

/// The test with the most requests: percentiles of several tests cannot be combined, so views with one
/// percentile show this test's.
pub(crate) fn main_test(run: &RunRecord) -> Option<&TestRecord> {
    let mut tests = run.tests.iter().filter(|test| test.figures.requests > 0);
    let first = tests.next()?;
    Some(tests.fold(first, |most, test| {
        if test.figures.requests > most.figures.requests {
            test
        } else {
            most
        }
    }))
}

/// Mean and largest value over samples; `None` without the figure.
pub(crate) fn mean_and_largest<'a>(
    samples: impl Iterator<Item = &'a ResourceSample>,
    of: fn(&ResourceSample) -> Option<f64>,
) -> Option<(f64, f64)> {
    let values: Vec<f64> = samples
        .filter_map(of)
        .filter(|value| value.is_finite())
        .collect();
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some((
        mean,
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    ))
}

/// Requests of each whole second.
pub(crate) fn rates(test: &TestRecord) -> Vec<f64> {
    test.seconds
        .iter()
        .map(|second| second.requests as f64)
        .collect()
}
