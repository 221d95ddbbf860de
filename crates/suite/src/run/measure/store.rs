//! The storage of measured values.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use live_page::Exceptions;
use load_engine::log::LogEntry;
use report::record::ResourceSample;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::recent::Recent;
use super::threshold_metrics::ThresholdMetrics;

/// Requests that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Series {
    pub method: String,
    /// The request's name: a route with placeholders.
    pub name: String,
    pub class: Option<String>,
    /// 0: no response.
    pub status: u16,
    pub failed: bool,
    /// The error message of failed requests.
    pub error: Option<String>,
}

/// A phase's place in time, in seconds from the start of the test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub begin_s: f64,
    pub end_s: f64,
}

/// Values that are only counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub iterations: u64,
    pub dropped_iterations: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// The probes of a second, with or without a response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    pub micros: Vec<u32>,
    pub failures: u64,
}

/// Second, phase and series of a cell. Requests that end outside all phases have the phase [`OUTSIDE`].
pub(super) type Key = (u32, u32, u32);

/// The phase of requests that end after the last one, or between two.
pub(super) const OUTSIDE: u32 = u32::MAX;

/// Microseconds of each request in a cell.
pub(super) type Cells = BTreeMap<Key, Vec<u32>>;

/// Maximum number of endpoints, errors and checks, whose names come from scripts; further ones are merged.
const MOST_NAMES: usize = 10_000;

/// All measurements of a test.
#[derive(Debug, Default)]
pub struct Store {
    pub(super) series: Vec<Series>,
    by_series: HashMap<Series, u32>,
    /// The start of the first run's scenarios, in milliseconds since 1970.
    pub(super) origin_ms: Option<i64>,
    /// The length of the test before it was resumed: the resumed process' first run begins this long after
    /// the test did.
    pub(super) before_ms: i64,
    pub(super) marks: Vec<Mark>,
    pub(super) runs: usize,
    pub(super) latencies: Cells,
    /// Timed from the planned start of the iteration.
    pub(super) intended: Cells,
    /// Bytes of the bodies of responses.
    pub(super) contents: BTreeMap<Key, u64>,
    pub(super) counts: BTreeMap<(u32, u32), Counts>,
    /// Users by second.
    pub(super) users: BTreeMap<u32, f64>,
    /// Requests of probes by second, which are not part of the load.
    pub(super) probes: BTreeMap<u32, Probes>,
    pub(super) checks: IndexMap<String, (u64, u64)>,
    pub exceptions: Exceptions,
    pub(super) last_s: f64,
    pub(super) is_closed: bool,
    /// Requests outside the load, which are not measured.
    pub(super) beside: u64,
    pub(super) recent: Recent,
    pub(super) asked: ThresholdMetrics,
    /// From the start of the first request to the end of the last one.
    pub(super) requests_s: Option<[f64; 2]>,
}

/// A store that the driver fills while other threads read it.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<Store>>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Called when a run of the driver begins: its phases, in seconds from its start, follow those of
    /// earlier runs. The first run's start is that of the test.
    pub fn begin(&mut self, began_ms: i64, phases: impl IntoIterator<Item = Mark>) {
        let origin = *self.origin_ms.get_or_insert(began_ms - self.before_ms);
        self.runs += 1;
        let offset_s = (began_ms - origin) as f64 / 1e3;
        self.marks.extend(phases.into_iter().map(|mark| Mark {
            begin_s: mark.begin_s + offset_s,
            end_s: mark.end_s + offset_s,
        }));
    }

    /// Called when the current run has ended or was told to end, in seconds since 1970: its phases end at that time at
    /// the latest, and later ones do not take place.
    pub fn end(&mut self, ended: f64) {
        let Some(began) = self.began() else {
            return;
        };
        for mark in &mut self.marks {
            mark.begin_s = mark.begin_s.min(ended - began);
            mark.end_s = mark.end_s.min(ended - began);
        }
    }

    /// Ignores all further measurements.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Ends the restored part: its phases end, and the next run continues from there.
    pub(super) fn go_on(&mut self) {
        self.before_ms = (self.last_s * 1e3).ceil() as i64;
        let end_s = self.before_ms as f64 / 1e3;
        for mark in &mut self.marks {
            mark.begin_s = mark.begin_s.min(end_s);
            mark.end_s = mark.end_s.min(end_s);
        }
    }

    /// The length of the restored part of the test, in seconds; 0 for a new test.
    pub fn before_s(&self) -> f64 {
        self.before_ms as f64 / 1e3
    }

    /// The number of completed requests.
    pub fn requests(&self) -> u64 {
        self.latencies
            .values()
            .map(|micros| micros.len() as u64)
            .sum()
    }

    /// The number of requests of `setup`, `teardown`, warm-ups and probes.
    pub const fn requests_beside(&self) -> u64 {
        self.beside
    }

    /// The number of completed iterations.
    pub fn iterations(&self) -> u64 {
        self.counts.values().map(|counts| counts.iterations).sum()
    }

    pub(super) fn all_series(&self) -> &[Series] {
        &self.series
    }

    /// The number of runs of the driver that have begun.
    pub fn runs(&self) -> usize {
        self.runs
    }

    pub(super) fn origin_ms(&self) -> Option<i64> {
        self.origin_ms
    }

    /// The start of the test, in seconds since 1970; `None` before it.
    pub fn began(&self) -> Option<f64> {
        self.origin_ms.map(|ms| ms as f64 / 1e3)
    }

    /// The phases of all runs so far, in seconds from the start of the test.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The time of the latest measurement, in seconds from the start of the test.
    pub fn last_s(&self) -> f64 {
        self.last_s
    }

    /// From the start of the first request to the end of the last one, in seconds from the start of the
    /// test; `None` without requests.
    pub fn requests_s(&self) -> Option<[f64; 2]> {
        self.requests_s
    }

    /// The last thousand requests, with the target's samples, whose times are relative to the start of the
    /// test.
    pub fn recent(&self, target: &[ResourceSample]) -> Option<Value> {
        self.recent.shown(target)
    }

    pub fn series(&self, id: u32) -> &Series {
        &self.series[id as usize]
    }

    /// Whether arrivals were dropped.
    pub fn has_dropped(&self) -> bool {
        self.counts
            .values()
            .any(|counts| counts.dropped_iterations > 0)
    }

    /// The name of each check, with the numbers of its passes and failures.
    pub fn checks(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        let all = self.checks.iter();
        all.map(|(name, (passes, fails))| (name.as_str(), *passes, *fails))
    }

    /// The index of a series. Beyond a limit all new ones are counted as `(other)`.
    pub(super) fn intern(&mut self, series: Series) -> u32 {
        if let Some(id) = self.by_series.get(&series) {
            return *id;
        }
        let series = match self.series.len() {
            few if few < MOST_NAMES => series,
            _ => Series {
                method: String::new(),
                name: "(other)".to_owned(),
                error: None,
                ..series
            },
        };
        let next = self.series.len() as u32;
        let id = *self.by_series.entry(series.clone()).or_insert(next);
        if id == next {
            self.series.push(series);
        }
        id
    }

    pub(super) fn add_latency(&mut self, at_s: f64, series: u32, micros: u32, intended: bool) {
        if self.is_closed {
            return;
        }
        let (second, phase) = self.place(at_s);
        let sent_s = (at_s - f64::from(micros) / 1e6).max(0.0);
        let [first, last] = self.requests_s.unwrap_or([sent_s, at_s]);
        self.requests_s = Some([first.min(sent_s), last.max(at_s)]);
        if !intended {
            let failed = self.series(series).failed;
            self.recent.add(at_s, micros, failed);
        }
        let cells = if intended {
            &mut self.intended
        } else {
            &mut self.latencies
        };
        let cell = cells.entry((second, phase, series)).or_default();
        cell.push(micros);
    }

    pub(super) fn add_content(&mut self, at_s: f64, series: u32, bytes: u64) {
        if self.is_closed {
            return;
        }
        let (second, phase) = self.place(at_s);
        *self.contents.entry((second, phase, series)).or_default() += bytes;
    }

    pub(super) fn add_probe(&mut self, at_s: f64, micros: u32, failed: bool) {
        if self.is_closed {
            return;
        }
        let (second, _) = self.place(at_s);
        let probes = self.probes.entry(second).or_default();
        probes.micros.push(micros);
        probes.failures += u64::from(failed);
    }

    /// Adds a value of a series that a threshold uses.
    pub(super) fn add_asked(&mut self, series: usize, at_s: f64, value: f64) {
        if !self.is_closed {
            self.asked.add(series, at_s.max(0.0) as u32, value);
        }
    }

    pub(super) fn count_beside(&mut self) {
        self.beside += 1;
    }

    pub(super) fn count(&mut self, at_s: f64, add: impl FnOnce(&mut Counts)) {
        if self.is_closed {
            return;
        }
        let place = self.place(at_s);
        add(self.counts.entry(place).or_default());
    }

    pub(super) fn add_users(&mut self, at_s: f64, users: f64) {
        self.users.insert(at_s.max(0.0) as u32, users);
    }

    pub(super) fn add_check(&mut self, name: &str, held: bool) {
        let is_full = self.checks.len() >= MOST_NAMES && !self.checks.contains_key(name);
        if is_full || self.is_closed {
            return;
        }
        let (passes, fails) = self.checks.entry(name.to_owned()).or_default();
        *(if held { passes } else { fails }) += 1;
    }

    /// Counts the exception of an entry of the log.
    pub fn hear(&mut self, entry: &LogEntry<'_>) {
        if !self.is_closed {
            self.exceptions.hear(entry);
        }
    }

    fn place(&mut self, at_s: f64) -> (u32, u32) {
        self.last_s = self.last_s.max(at_s);
        let within = |mark: &Mark| mark.begin_s <= at_s && at_s < mark.end_s;
        // The last phases are those of the current run.
        let phase = self.marks.iter().rposition(within);
        (
            at_s.max(0.0) as u32,
            phase.map_or(OUTSIDE, |phase| phase as u32),
        )
    }
}

impl Store {
    /// Second, series and microseconds of all requests, ordered by second.
    pub fn cells(&self) -> impl Iterator<Item = (u32, u32, &[u32])> {
        let cells = self.latencies.iter();
        cells.map(|((second, _, series), micros)| (*second, *series, micros.as_slice()))
    }

    /// Microseconds by second, for each endpoint and class.
    pub fn by_endpoint(&self) -> IndexMap<String, Vec<(u32, Vec<u32>)>> {
        let mut logs: IndexMap<String, Vec<(u32, Vec<u32>)>> = IndexMap::new();
        for (second, series, micros) in self.cells() {
            let series = self.series(series);
            let class = series.class.as_deref().unwrap_or_default();
            let name = format!("{} {} {class}", series.method, series.name);
            let seconds = logs.entry(name.trim().to_owned()).or_default();
            match seconds.last_mut() {
                Some((last, values)) if *last == second => values.extend(micros),
                _ => seconds.push((second, micros.to_vec())),
            }
        }
        logs
    }
}
