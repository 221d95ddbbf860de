//! The aggregates of all threads, on the thread that evaluates thresholds.

use std::collections::HashMap;
use std::sync::Arc;

use crate::metric::MetricId;
use crate::recorder::{CheckTally, Delta};
use crate::sink::{RateSink, Sink};
use crate::tags::Tags;

/// The sum of all deltas.
#[derive(Debug, Default)]
pub struct Aggregate {
    sinks: Vec<Option<Sink>>,
    checks: Vec<CheckTally>,
    /// By scenario, group and name. A group itself has no name; the name of a check may be empty.
    check_slots: HashMap<(String, String, Option<String>), usize>,
    parts: HashMap<Part, Vec<Option<Sink>>>,
    is_bounded: bool,
}

/// The scenario and group that a sample belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part {
    /// The scenario; empty outside scenarios.
    pub scenario: String,
    /// The path of the group; empty for the root.
    pub group: String,
}

impl Aggregate {
    /// Stores trends in buckets, whose size does not depend on the length of the run.
    pub fn bounded() -> Self {
        Self {
            is_bounded: true,
            ..Self::default()
        }
    }

    /// Merges the aggregates of one thread.
    pub fn absorb(&mut self, delta: Delta) {
        for (id, sink) in delta.sinks {
            let sink = self.kept(sink);
            merge_into(&mut self.sinks, id, sink);
        }
        for tally in delta.checks {
            self.absorb_check(tally);
        }
        for (tags, id, sink) in delta.parts {
            let sink = self.kept(sink);
            merge_into(self.parts.entry(Part::of(&tags)).or_default(), id, sink);
        }
    }

    fn kept(&self, mut sink: Sink) -> Sink {
        if self.is_bounded {
            sink.compact();
        }
        sink
    }

    /// Records a sample that does not come from a VU.
    pub fn add(&mut self, id: MetricId, kind: crate::Kind, value: f64) {
        let mut sink = Sink::new(kind);
        sink.add(value);
        merge_into(&mut self.sinks, id, sink);
    }

    /// The sink of a metric, with trends sorted; `None` without samples.
    pub fn sorted(&mut self, id: MetricId) -> Option<&Sink> {
        let sink = self.sinks.get_mut(id.index())?.as_mut()?;
        sink.sort();
        Some(sink)
    }

    /// The sink of a metric; trends may be unsorted.
    pub fn sink(&self, id: MetricId) -> Option<&Sink> {
        self.sinks.get(id.index())?.as_ref()
    }

    /// All checks in order of their first sample.
    pub fn checks(&self) -> Vec<&CheckTally> {
        let mut checks: Vec<_> = self.checks.iter().collect();
        checks.sort_by_key(|tally| tally.first_at);
        checks
    }

    /// The parts that had samples, in order.
    pub fn parts(&self) -> Vec<&Part> {
        let mut parts: Vec<_> = self.parts.keys().collect();
        parts.sort();
        parts
    }

    /// The merged samples of a metric in the given parts, sorted.
    pub fn of_parts(&self, parts: &[&Part], id: MetricId) -> Option<Sink> {
        let mut found: Option<Sink> = None;
        for part in parts {
            let sink = self
                .parts
                .get(*part)
                .and_then(|sinks| sinks.get(id.index())?.as_ref());
            match (&mut found, sink) {
                (_, None) => {}
                (None, Some(sink)) => found = Some(sink.clone()),
                (Some(sum), Some(sink)) => sum.merge(sink.clone()),
            }
        }
        if let Some(sink) = &mut found {
            sink.sort();
        }
        found
    }

    fn absorb_check(&mut self, tally: CheckTally) {
        let part = Part::of(&tally.tags);
        let name = tally.tags.get("check").map(str::to_owned);
        let slot = *self
            .check_slots
            .entry((part.scenario, part.group, name))
            .or_insert_with(|| {
                let first_at = tally.first_at;
                let tags = Arc::clone(&tally.tags);
                self.checks.push(CheckTally {
                    tags,
                    first_at,
                    rate: RateSink::default(),
                });
                self.checks.len() - 1
            });
        let known = &mut self.checks[slot];
        known.first_at = known.first_at.min(tally.first_at);
        known.rate.trues += tally.rate.trues;
        known.rate.total += tally.rate.total;
    }
}

impl Part {
    /// The part that samples with these tags belong to.
    pub fn of(tags: &Tags) -> Self {
        let tag = |name| tags.get(name).unwrap_or_default().to_owned();
        Self {
            scenario: tag("scenario"),
            group: tag("group"),
        }
    }
}

fn merge_into(sinks: &mut Vec<Option<Sink>>, id: MetricId, sink: Sink) {
    if sinks.len() <= id.index() {
        sinks.resize_with(id.index() + 1, || None);
    }
    match &mut sinks[id.index()] {
        Some(known) => known.merge(sink),
        empty => *empty = Some(sink),
    }
}
