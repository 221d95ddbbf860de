//! The judged windows of a record, with their measurements.

use report::record::{
    Endpoint, Figures, PhaseKind, PhaseRecord, ResourceSample, Second, TestContent, TestRecord,
};

use crate::plan::{PlannedTest, whole_name};

/// A period of a test.
#[derive(Debug, Clone)]
pub(super) struct Window<'a> {
    /// `None` for the whole test.
    pub phase: Option<&'a str>,
    pub level: Option<f64>,
    /// The planned arrivals per second of an open test.
    pub rate_per_s: Option<f64>,
    /// Seconds from the start of the test.
    pub span_s: [f64; 2],
    pub figures: &'a Figures,
    pub endpoints: &'a [Endpoint],
    pub seconds: &'a [Second],
    /// Samples of the target.
    pub target: &'a [ResourceSample],
    /// Queries per request: the variable `QUERIES` of the database scripts.
    pub queries: f64,
}

/// The judged phases: those that the judgement names, otherwise all phases judged by kind. A test without
/// phases is judged as a whole.
pub(super) fn judged<'a>(test: &PlannedTest, record: &'a TestRecord) -> Vec<Window<'a>> {
    if record.phases.is_empty() {
        return vec![whole(test, record)];
    }
    let named = &test.judge.phases;
    let is_judged = |phase: &&PhaseRecord| {
        if named.is_empty() {
            phase.judged
        } else {
            let name = whole_name(&phase.name);
            named.iter().any(|named| named == name) && is_whole(record, phase)
        }
    };
    let phases = record.phases.iter().filter(is_judged);
    phases.map(|phase| of(test, record, phase)).collect()
}

/// False for a step of a ladder that was cut short, or that began after the ladder's end.
pub(super) fn is_whole(record: &TestRecord, phase: &PhaseRecord) -> bool {
    phase.judged || phase.kind != PhaseKind::Steady || record.content != TestContent::Ladder
}

/// Every phase with a constant level and with requests, judged or not. For a ladder, its complete steps.
pub(super) fn steady<'a>(test: &PlannedTest, record: &'a TestRecord) -> Vec<Window<'a>> {
    let phases = record.phases.iter();
    phases
        .filter(|phase| phase.kind == PhaseKind::Steady && phase.figures.requests > 0)
        .filter(|phase| is_whole(record, phase))
        .map(|phase| of(test, record, phase))
        .collect()
}

/// The whole test.
pub(super) fn whole<'a>(test: &PlannedTest, record: &'a TestRecord) -> Window<'a> {
    let span_s = executed(record);
    Window {
        phase: None,
        level: None,
        rate_per_s: None,
        span_s,
        figures: &record.figures,
        endpoints: &record.endpoints,
        seconds: within(&record.seconds, span_s),
        target: samples(&record.observed.target, span_s),
        queries: queries(test),
    }
}

/// From the begin of the first phase to the end of the last one. Preparation and the wait for idle users say nothing about the
/// target.
fn executed(record: &TestRecord) -> [f64; 2] {
    let begins = record.phases.iter().map(|phase| phase.begin_s);
    let ends = record.phases.iter().map(|phase| phase.end_s);
    let span = begins.reduce(f64::min).zip(ends.reduce(f64::max));
    span.map_or([0.0, record.duration_s], <[f64; 2]>::from)
}

pub(super) fn of<'a>(
    test: &PlannedTest,
    record: &'a TestRecord,
    phase: &'a PhaseRecord,
) -> Window<'a> {
    let span_s = [phase.begin_s, phase.end_s];
    Window {
        phase: Some(&phase.name),
        level: phase.users.or(phase.rate_per_s),
        rate_per_s: phase.rate_per_s,
        span_s,
        figures: &phase.figures,
        endpoints: &phase.endpoints,
        seconds: within(&record.seconds, span_s),
        target: samples(&record.observed.target, span_s),
        queries: queries(test),
    }
}

/// The seconds that are completely inside.
pub(super) fn within(seconds: &[Second], [begin, end]: [f64; 2]) -> &[Second] {
    let from = seconds.partition_point(|second| second.at_s < begin - 1e-6);
    let to = seconds.partition_point(|second| second.at_s + 1.0 <= end + 1e-6);
    seconds.get(from..to.max(from)).unwrap_or_default()
}

/// The samples taken inside.
pub(super) fn samples(samples: &[ResourceSample], [begin, end]: [f64; 2]) -> &[ResourceSample] {
    let from = samples.partition_point(|sample| sample.at_s < begin - 1e-6);
    let to = samples.partition_point(|sample| sample.at_s <= end + 1e-6);
    samples.get(from..to.max(from)).unwrap_or_default()
}

fn queries(test: &PlannedTest) -> f64 {
    let given = test.env.get("QUERIES").and_then(|text| text.parse().ok());
    given.unwrap_or(1.0)
}

impl Window<'_> {
    pub fn length_s(&self) -> f64 {
        self.span_s[1] - self.span_s[0]
    }

    /// `in steady`, or `in the whole test`.
    pub fn place(&self) -> String {
        self.phase.map_or_else(
            || "in the whole test".to_owned(),
            |name| format!("in {name}"),
        )
    }
}
