//! The collector's state of one runner.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use interval_log::{IntervalLog, Key, MOST_MICROS};
use load_metrics::Sink;

use super::sinks;
use super::wire::{Ended, Joining, Push};

/// Maximum number of metrics and of endpoints, because scripts choose their names.
const MOST_METRICS: usize = 2_000;
const MOST_ENDPOINTS: usize = 500;
const MOST_INTERVALS: usize = 2_000_000;

/// The state of a runner.
#[derive(Debug)]
pub struct Runner {
    pub joining: Joining,
    /// Time of its last request, since the start of the collector.
    pub heard: Duration,
    pub is_ready: bool,
    /// Whether its scenarios have ended and it waits for `teardown`.
    pub is_at_teardown: bool,
    pub began_unix_ms: Option<f64>,
    pub ended: Option<Ended>,
    /// When it was declared lost.
    pub lost: Option<Duration>,
    /// The measurements by metric.
    pub sinks: BTreeMap<String, Sink>,
    /// Latencies by second, the endpoint as the tag.
    pub log: IntervalLog,
    pub total: Histogram<u64>,
    pub failures: u64,
    sequence: u64,
}

/// The reason why a push is rejected.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the histogram of {endpoint} cannot be read: {source}")]
    Histogram {
        endpoint: String,
        #[source]
        source: interval_log::DecodeError,
    },
    #[error(
        "more than {MOST_METRICS} metrics, {MOST_ENDPOINTS} endpoints or {MOST_INTERVALS} intervals"
    )]
    TooMuch,
}

impl Runner {
    pub fn new(joining: Joining, now: Duration) -> Self {
        Self {
            joining,
            heard: now,
            is_ready: false,
            is_at_teardown: false,
            began_unix_ms: None,
            ended: None,
            lost: None,
            sinks: BTreeMap::new(),
            log: IntervalLog::of_micros(),
            total: interval_log::histogram(),
            failures: 0,
            sequence: 0,
        }
    }

    /// Whether it is still running.
    pub fn is_running(&self) -> bool {
        self.ended.is_none() && self.lost.is_none()
    }

    /// Adds its measurements; a repeated push is ignored.
    ///
    /// # Errors
    /// The push is not valid; nothing is added.
    pub fn take(&mut self, push: Push) -> Result<(), Refused> {
        if push.sequence <= self.sequence {
            return Ok(());
        }
        let mut intervals = Vec::new();
        for interval in push.intervals {
            let histogram =
                interval_log::decode(&interval.histogram).map_err(|source| Refused::Histogram {
                    endpoint: interval.endpoint.clone(),
                    source,
                })?;
            let key = Key {
                begin_ms: interval.begin_ms,
                length_ms: 1000,
                tag: interval.endpoint,
            };
            intervals.push((key, histogram, interval.failures));
        }
        if self.log.keys().len() + intervals.len() > MOST_INTERVALS
            || self.sinks.len() + push.sinks.len() > 2 * MOST_METRICS
        {
            return Err(Refused::TooMuch);
        }
        self.sequence = push.sequence;
        for (key, histogram, failures) in intervals {
            // Value by value, because the histogram of another program may have other bounds.
            for step in histogram.iter_recorded() {
                let micros = step.value_iterated_to().min(MOST_MICROS);
                self.total
                    .saturating_record_n(micros, step.count_at_value());
            }
            self.failures += failures;
            self.log.add(key, &histogram);
        }
        for of in push.sinks {
            let sink = sinks::from_wire(of.sink);
            match self.sinks.get_mut(&of.metric) {
                Some(known) => known.merge(sink),
                None => drop(self.sinks.insert(of.metric, sink)),
            }
        }
        self.began_unix_ms = self.began_unix_ms.or(push.began_unix_ms);
        Ok(())
    }
}
