//! The hot path: samples of one thread.

// A wrapper: it reads the clock for the core.
#![allow(clippy::disallowed_methods)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use crate::aggregate::Part;
use crate::builtin;
use crate::metric::{Filter, Kind, MetricId};
use crate::registry::Registry;
use crate::sample::{Batch, BatchSink, Sample, UnixNanos};
use crate::sink::{RateSink, Sink};
use crate::tags::{Interner, SystemTag, SystemTags, TagSet, Tags};

/// Records the samples of all VUs of one thread. This is a handle: clones share their state.
#[derive(Clone)]
pub struct Recorder(Rc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    system_tags: SystemTags,
    interner: Interner,
    /// Each entry: the parent, the sub-metric, and the tags that a sample must have.
    filters: Vec<(MetricId, Filter)>,
    sinks: RefCell<Vec<Option<Sink>>>,
    checks: RefCell<Vec<CheckTally>>,
    /// Samples by scenario and group, if the summary needs them.
    parts: Option<RefCell<Parts>>,
    stream: Option<Stream>,
}

#[derive(Default)]
struct Parts {
    slots: HashMap<Part, u32>,
    sinks: Vec<(Arc<Tags>, Vec<Option<Sink>>)>,
}

/// The settings of a recorder besides aggregation.
#[derive(Default)]
pub struct RecorderConfig {
    /// The system tags that are enabled.
    pub system_tags: SystemTags,
    /// Tags of every sample.
    pub run_tags: Tags,
    /// Whether samples are also aggregated by scenario and group.
    pub by_part: bool,
    /// Receives every sample.
    pub outputs: Option<Box<dyn BatchSink>>,
}

/// The passes and failures of a check.
#[derive(Debug, Clone)]
pub struct CheckTally {
    /// The tags of its first sample; `check` and `group` name it.
    pub tags: Arc<Tags>,
    /// When it was first seen.
    pub first_at: UnixNanos,
    /// Passes are `trues`.
    pub rate: RateSink,
}

struct Stream {
    batch: RefCell<Batch>,
    sink: Box<dyn BatchSink>,
}

/// Samples per batch for outputs.
const BATCH: usize = 512;

/// The aggregates of one thread since the last delta.
#[derive(Debug, Default)]
pub struct Delta {
    /// One entry for each metric that had samples.
    pub sinks: Vec<(MetricId, Sink)>,
    /// The checks that had samples.
    pub checks: Vec<CheckTally>,
    /// One entry for each part and metric that had samples; the tags name the part.
    pub parts: Vec<(Arc<Tags>, MetricId, Sink)>,
}

impl Recorder {
    /// A recorder for the calling thread. Sub-metrics must be registered first.
    pub fn new(registry: Arc<Registry>, config: RecorderConfig) -> Self {
        let filters = registry.all().into_iter();
        let filters = filters
            .filter_map(|m| m.filter.map(|filter| (m.id, filter)))
            .collect();
        let stream = config.outputs.map(|sink| Stream {
            batch: RefCell::default(),
            sink,
        });
        Self(Rc::new(Inner {
            registry,
            system_tags: config.system_tags,
            interner: Interner::new(config.run_tags),
            filters,
            sinks: RefCell::default(),
            checks: RefCell::default(),
            parts: config.by_part.then(RefCell::default),
            stream,
        }))
    }

    /// The metrics of the run.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    /// Whether samples carry this system tag.
    pub fn wants(&self, tag: SystemTag) -> bool {
        self.0.system_tags.has(tag)
    }

    /// Whether an output reads single samples (time, metadata) and not only aggregates.
    pub fn streams(&self) -> bool {
        self.0.stream.is_some()
    }

    /// The time for a sample that is recorded now. It is arbitrary if no output reads single samples, since reading the
    /// clock costs as much as recording a sample.
    pub fn sample_time(&self) -> UnixNanos {
        if self.streams() {
            SystemTime::now().into()
        } else {
            UnixNanos::default()
        }
    }

    /// The run's tags.
    pub fn root(&self) -> TagSet {
        self.0.interner.root()
    }

    /// `base` with these pairs added. Callers should keep the result; a repeated call costs one hash of
    /// the added pairs, without an allocation.
    pub fn extend(&self, base: &TagSet, added: &[(&str, &str)]) -> TagSet {
        self.0.interner.extend(base, added)
    }

    /// The set with exactly these tags.
    pub fn intern(&self, tags: Tags) -> TagSet {
        self.0.interner.intern(tags)
    }

    /// Records a sample.
    #[inline]
    pub fn record(&self, metric: MetricId, tags: &TagSet, at: UnixNanos, value: f64) {
        self.record_with(metric, tags, None, at, value);
    }

    /// Records a sample with metadata: pairs that do not form a series of their own.
    pub fn record_with(
        &self,
        metric: MetricId,
        tags: &TagSet,
        metadata: Option<&Arc<Tags>>,
        at: UnixNanos,
        value: f64,
    ) {
        let mut sinks = self.0.sinks.borrow_mut();
        self.sink(&mut sinks, metric).add(value);
        for &(parent, filtered) in self.matches(tags) {
            if parent == metric {
                self.sink(&mut sinks, filtered).add(value);
            }
        }
        drop(sinks);
        if metric == builtin::CHECKS || metric == builtin::GROUP_DURATION {
            self.tally_check(tags, at, value);
        }
        if let Some(parts) = &self.0.parts {
            self.add_to_part(&mut parts.borrow_mut(), metric, tags, value);
        }
        if let Some(stream) = &self.0.stream {
            let metadata = metadata.map(Arc::clone);
            stream.push(Sample {
                metric,
                at,
                value,
                tags: tags.shared(),
                metadata,
            });
        }
    }

    /// Takes the aggregates since the last call.
    pub fn take_delta(&self) -> Delta {
        let sinks = take_all(&mut self.0.sinks.borrow_mut()).collect();
        let checks = self
            .0
            .checks
            .borrow_mut()
            .iter_mut()
            .filter_map(take_tally)
            .collect();
        let mut by_part = Vec::new();
        if let Some(parts) = &self.0.parts {
            for (tags, sinks) in &mut parts.borrow_mut().sinks {
                by_part.extend(take_all(sinks).map(|(id, sink)| (Arc::clone(tags), id, sink)));
            }
        }
        Delta {
            sinks,
            checks,
            parts: by_part,
        }
    }

    /// Sends the waiting samples to the outputs.
    pub fn flush(&self) {
        if let Some(stream) = &self.0.stream {
            stream.flush();
        }
    }

    fn sink<'a>(&self, sinks: &'a mut Vec<Option<Sink>>, metric: MetricId) -> &'a mut Sink {
        if sinks.len() <= metric.index() {
            sinks.resize_with(metric.index() + 1, || None);
        }
        sinks[metric.index()].get_or_insert_with(|| Sink::new(self.kind(metric)))
    }

    fn tally_check(&self, tags: &TagSet, at: UnixNanos, value: f64) {
        let mut checks = self.0.checks.borrow_mut();
        let slot = tags.0.check_slot.get().unwrap_or_else(|| {
            let slot = u32::try_from(checks.len()).expect("fewer checks than fit in memory");
            tags.0.check_slot.set(Some(slot));
            checks.push(CheckTally {
                tags: tags.shared(),
                first_at: at,
                rate: RateSink::default(),
            });
            slot
        });
        let rate = &mut checks[slot as usize].rate;
        rate.total += 1;
        rate.trues += u64::from(value != 0.0);
    }

    fn add_to_part(&self, parts: &mut Parts, metric: MetricId, tags: &TagSet, value: f64) {
        let slot = tags.0.part_slot.get().unwrap_or_else(|| {
            let next = u32::try_from(parts.sinks.len()).expect("fewer parts than fit in memory");
            let slot = *parts.slots.entry(Part::of(tags.tags())).or_insert(next);
            if slot == next {
                parts.sinks.push((tags.shared(), Vec::new()));
            }
            tags.0.part_slot.set(Some(slot));
            slot
        });
        self.sink(&mut parts.sinks[slot as usize].1, metric)
            .add(value);
    }

    #[cold]
    fn kind(&self, metric: MetricId) -> Kind {
        self.0.registry.kind(metric)
    }

    fn matches<'a>(&self, tags: &'a TagSet) -> &'a [(MetricId, MetricId)] {
        tags.0.matches.get_or_init(|| {
            let filters = self.0.filters.iter();
            let matching = filters.filter(|(_, filter)| filter.takes(&tags.0.tags));
            matching.map(|(id, filter)| (filter.parent, *id)).collect()
        })
    }
}

fn take_all(sinks: &mut [Option<Sink>]) -> impl Iterator<Item = (MetricId, Sink)> {
    sinks.iter_mut().enumerate().filter_map(|(index, sink)| {
        let id = MetricId(u32::try_from(index).expect("ids are 32 bit"));
        sink.take().map(|sink| (id, sink))
    })
}

fn take_tally(tally: &mut CheckTally) -> Option<CheckTally> {
    let rate = std::mem::take(&mut tally.rate);
    (rate.total > 0).then(|| CheckTally {
        tags: Arc::clone(&tally.tags),
        first_at: tally.first_at,
        rate,
    })
}

impl Stream {
    fn push(&self, sample: Sample) {
        let mut batch = self.batch.borrow_mut();
        batch.push(sample);
        if batch.len() >= BATCH {
            drop(batch);
            self.flush();
        }
    }

    fn flush(&self) {
        let batch = self.batch.take();
        if !batch.is_empty() {
            self.sink.offer(batch);
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("streams", &self.streams())
            .finish_non_exhaustive()
    }
}
