//! The output of the driver that fills a store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use live_page::{Tagged, is_beside_the_load, is_probe};
use load_driver::RunHandle;
use load_metrics::{MetricId, Sample, Tags, builtin};
use load_outputs::{Output, OutputError, RunEnd, Setup};

use super::store::{Mark, Series, Shared};
use super::threshold_metrics::{Question, Watched};

/// Maximum number of tag sets whose series is found without comparing tags.
const MOST_KNOWN: usize = 100_000;

/// Fills a store with the measurements of one run of the driver.
pub struct Recorder {
    store: Shared,
    seen: RunHandle,
    /// The run's phases, until it has begun.
    phases: Option<Vec<Mark>>,
    /// Queries in addition to the thresholds of the run.
    questions: Vec<Question>,
    watched: Watched,
    known: HashMap<usize, Known>,
}

/// The set is kept alive, so that its address is not reused.
struct Known {
    _tags: Arc<Tags>,
    place: Place,
}

/// The counter of a request.
#[derive(Debug, Clone, Copy)]
enum Place {
    Series(u32),
    Probe {
        failed: bool,
    },
    /// In `setup`, `teardown` or a warm-up.
    Beside,
}

impl Recorder {
    /// The name in messages.
    pub const NAME: &str = "suite";

    /// Creates the output for the run that `seen` shows; its phases are in seconds from its own start.
    pub fn new(
        store: Shared,
        seen: RunHandle,
        phases: Vec<Mark>,
        questions: Vec<Question>,
    ) -> Self {
        Self {
            store,
            seen,
            phases: Some(phases),
            questions,
            watched: Watched::default(),
            known: HashMap::new(),
        }
    }

    fn take(&mut self, origin_ms: i64, sample: &Sample) {
        let at_s = (sample.at.0 - origin_ms * 1_000_000) as f64 / 1e9;
        self.answer(at_s, sample);
        match sample.metric {
            builtin::HTTP_REQ_DURATION | builtin::HTTP_REQ_INTENDED_DURATION => {
                let micros = (sample.value * 1e3).round().clamp(0.0, f64::from(u32::MAX)) as u32;
                let intended = sample.metric == builtin::HTTP_REQ_INTENDED_DURATION;
                match self.place(&sample.tags) {
                    Place::Series(series) => {
                        let mut store = self.store.lock();
                        store.add_latency(at_s, series, micros, intended);
                    }
                    Place::Probe { failed } if !intended => {
                        self.count_beside(sample);
                        self.store.lock().add_probe(at_s, micros, failed);
                    }
                    Place::Probe { .. } | Place::Beside => self.count_beside(sample),
                }
            }
            builtin::HTTP_REQ_CONTENT_BYTES => {
                if let Place::Series(series) = self.place(&sample.tags) {
                    let bytes = sample.value.max(0.0) as u64;
                    self.store.lock().add_content(at_s, series, bytes);
                }
            }
            builtin::VUS => self.store.lock().add_users(at_s, sample.value),
            builtin::CHECKS if !is_beside_the_load(&sample.tags) => {
                let name = sample.tags.get("check").unwrap_or_default();
                self.store.lock().add_check(name, sample.value != 0.0);
            }
            builtin::ITERATIONS if is_beside_the_load(&sample.tags) => {}
            other => self.count(other, at_s, sample.value),
        }
    }

    /// Stores the value for the thresholds on its metric.
    fn answer(&self, at_s: f64, sample: &Sample) {
        let metric = sample.metric.index();
        if !self.watched.has(metric) || is_beside_the_load(&sample.tags) {
            return;
        }
        let mut store = self.store.lock();
        for series in self.watched.of(metric, &sample.tags) {
            store.add_asked(series, at_s, sample.value);
        }
    }

    /// A request of `setup`, `teardown`, a warm-up or a probe is not load, but the target counts it.
    fn count_beside(&self, sample: &Sample) {
        if sample.metric == builtin::HTTP_REQ_DURATION {
            self.store.lock().count_beside();
        }
    }

    fn count(&self, metric: MetricId, at_s: f64, value: f64) {
        let value = value.max(0.0) as u64;
        let mut store = self.store.lock();
        match metric {
            builtin::ITERATIONS => store.count(at_s, |counts| counts.iterations += value),
            builtin::DROPPED_ITERATIONS => {
                store.count(at_s, |counts| counts.dropped_iterations += value);
            }
            builtin::DATA_SENT => store.count(at_s, |counts| counts.sent_bytes += value),
            builtin::DATA_RECEIVED => store.count(at_s, |counts| counts.received_bytes += value),
            _ => {}
        }
    }

    fn place(&mut self, tags: &Arc<Tags>) -> Place {
        let address = Arc::as_ptr(tags) as usize;
        if let Some(known) = self.known.get(&address) {
            return known.place;
        }
        let place = if is_probe(tags) {
            Place::Probe {
                failed: Tagged::read(tags).error.is_some(),
            }
        } else if is_beside_the_load(tags) {
            Place::Beside
        } else {
            Place::Series(self.store.lock().intern(series_of(tags)))
        };
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        let known = Known {
            _tags: Arc::clone(tags),
            place,
        };
        self.known.insert(address, known);
        place
    }
}

fn series_of(tags: &Tags) -> Series {
    let Tagged { key, status, error } = Tagged::read(tags);
    Series {
        method: key.method,
        name: key.name,
        class: key.class,
        status,
        failed: error.is_some(),
        error,
    }
}

impl Output for Recorder {
    fn description(&self) -> String {
        Self::NAME.to_owned()
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        let thresholds = setup.options.thresholds.iter().flatten();
        let mut store = self.store.lock();
        let questions = &self.questions;
        self.watched = Watched::new(&mut store.asked, &setup.registry, thresholds, questions);
        Ok(())
    }

    /// Samples before the first scenario belong to `setup`.
    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
        let Some(began_ms) = self.seen.began_unix_ms() else {
            samples.iter().for_each(|sample| self.count_beside(sample));
            return Ok(());
        };
        if let Some(phases) = self.phases.take() {
            self.store.lock().begin(began_ms, phases);
        }
        if let Some(stopped_ms) = self.seen.stopped_unix_ms() {
            // Before these samples are placed: none of them belongs to a phase that does not take place.
            self.store.lock().end(stopped_ms as f64 / 1e3);
        }
        let origin_ms = self.store.lock().origin_ms().unwrap_or(began_ms);
        for sample in samples {
            if sample.at.0 / 1_000_000 >= began_ms {
                self.take(origin_ms, sample);
            } else {
                self.count_beside(sample);
            }
        }
        Ok(())
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn finish(&mut self, _end: &RunEnd) -> Result<(), OutputError> {
        Ok(())
    }
}
