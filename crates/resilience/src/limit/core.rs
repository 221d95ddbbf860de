//! The limit as a pure decision, once per window of answers.
//!
//! The latency that most answers kept (p90) is compared with a slow baseline. While callers use the
//! whole limit and latency is near the baseline, the limit grows: it doubles until it was once too
//! high, then by log10 of itself. Latency above the baseline's tolerance shrinks it by log10, lost
//! calls by a tenth.
//!
//! What breaks such limits elsewhere is where the baseline comes from. Measured under load, it has
//! the queue in it and the limit drifts up; pinned to a few calls, every measurement is an outage;
//! never raised, a callee that became slower for good is throttled for ever. Here a *descent* tells
//! the two apart: the limit goes down by quarters as long as that makes answers faster, which only
//! a queue does. Where it does not, the callee itself is that slow: the last steps are taken back
//! and its latency is the new baseline.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

const LONGEST_US: u64 = 600_000_000;
/// The answer that counts: nine in ten came within its time.
const SHARE: f64 = 0.9;
/// A window with this share of lost calls shrinks the limit.
const TOO_MANY_LOST: f64 = 0.1;
/// Slow windows in a row after which a descent looks for the reason.
const SLOW_WINDOWS: u32 = 3;
/// Full windows without one after which a descent looks whether the baseline still holds.
const FULL_WINDOWS: u32 = 30;
/// One step of a descent, and what it must bring to be followed by another.
const STEP: f64 = 0.75;
const GAIN: f64 = 0.9;
/// The limit is at most this many times what was really under way, once it is above `initial`.
const HEADROOM: f64 = 5.0;

/// Bounds of the limit, and how it is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// False: the limit stays at `max`.
    pub enabled: bool,
    /// Calls under way at once, to begin with.
    pub initial: u32,
    pub min: u32,
    pub max: u32,
    /// Answers are gathered for so long at least.
    pub window_ms: u64,
    /// And until there are so many.
    pub minimum_samples: u32,
    /// How many times the usual latency is still no queue, at least 1.
    pub tolerance: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            initial: 64,
            min: 1,
            max: 1_000,
            window_ms: 1_000,
            minimum_samples: 50,
            tolerance: 1.5,
        }
    }
}

impl Config {
    /// Adds a fault, as path and message, for every value that makes no sense.
    pub fn validate(&self, faults: &mut Vec<(String, String)>) {
        let mut fault = |path: &str, message: String| faults.push((path.to_owned(), message));
        if self.min == 0 {
            fault("min", "must be at least 1".to_owned());
        }
        if !(self.min..=self.max).contains(&self.initial) {
            let hint = format!("{} is not between min and max", self.initial);
            fault("initial", hint);
        }
        if self.window_ms == 0 || self.minimum_samples == 0 {
            let hint = "window_ms and minimum_samples must be at least 1".to_owned();
            fault("window_ms", hint);
        }
        if !(self.tolerance.is_finite() && self.tolerance >= 1.0) {
            fault("tolerance", format!("{}: use at least 1", self.tolerance));
        }
    }
}

/// How one call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Answered after this time, well or badly.
    Answered(Duration),
    /// Timed out or refused as too much. How long that took says nothing: a refusal is quick.
    Lost,
    /// Cancelled; says nothing at all.
    Ignored,
}

/// The limit of one callee.
#[derive(Debug)]
pub struct Limit {
    config: Config,
    limit: f64,
    /// Calls begun before were made under another limit and are not counted.
    changed: Instant,
    window: Window,
    baseline_s: Option<f64>,
    /// Doubling until it is once too high.
    starting: bool,
    slow_windows: u32,
    /// The limit before the first of them.
    before_slow: f64,
    full_windows: u32,
    descent: Option<Descent>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    answers: Histogram<u32>,
    lost: u32,
    most_in_flight: u32,
    full: bool,
}

#[derive(Debug, Clone, Copy)]
struct Descent {
    /// The limit and the latency before the last step.
    limit: f64,
    latency_s: f64,
    /// Whether an earlier step was worth it.
    gained: bool,
    /// The limit to go back to where no step was.
    back: f64,
}

impl Limit {
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            limit: f64::from(config.initial),
            changed: now,
            window: Window::new(now),
            baseline_s: None,
            starting: true,
            slow_windows: 0,
            before_slow: f64::from(config.initial),
            full_windows: 0,
            descent: None,
            config,
        }
    }

    /// Calls that may be under way now.
    pub fn limit(&self) -> u32 {
        if self.config.enabled {
            self.limit as u32
        } else {
            self.config.max
        }
    }

    /// Counts a call that began at `started`, when `in_flight` calls were under way, it included.
    pub fn count(&mut self, now: Instant, started: Instant, in_flight: u32, sample: Sample) {
        if !self.config.enabled || started < self.changed {
            return;
        }
        match sample {
            Sample::Ignored => return,
            Sample::Lost => self.window.lost += 1,
            Sample::Answered(took) => self.window.add(took),
        }
        self.window.most_in_flight = self.window.most_in_flight.max(in_flight);
        self.window.full |= in_flight >= self.limit();
        let age = now.saturating_duration_since(self.window.since);
        let length = Duration::from_millis(self.config.window_ms);
        if age < length {
            return;
        }
        if self.window.count() >= self.config.minimum_samples {
            self.decide(now);
        } else if age >= 10 * length {
            self.window.clear(now);
        }
    }

    fn decide(&mut self, now: Instant) {
        let before = self.limit();
        if self.window.lost_share() >= TOO_MANY_LOST {
            self.starting = false;
            self.descent = None;
            self.limit = self.bounded((self.limit * 0.9).min(self.limit - 1.0));
        } else {
            let latency_s = self.window.latency_s();
            match self.descent.take() {
                Some(descent) => self.descend(descent, latency_s),
                None => self.steer(latency_s),
            }
        }
        if self.limit() != before {
            self.changed = now;
        }
        self.window.clear(now);
    }

    fn steer(&mut self, latency_s: f64) {
        let baseline_s = *self.baseline_s.get_or_insert(latency_s);
        if latency_s > self.config.tolerance * baseline_s {
            self.shrink(latency_s);
            return;
        }
        self.slow_windows = 0;
        self.learn(latency_s, baseline_s);
        if self.window.full {
            self.full_windows += 1;
            if self.full_windows >= FULL_WINDOWS {
                self.begin_descent(latency_s, self.limit);
                return;
            }
            let more = if self.starting {
                self.limit
            } else {
                step(self.limit)
            };
            self.limit = self.bounded(self.limit + more);
        } else {
            let used = HEADROOM * f64::from(self.window.most_in_flight);
            let initial = f64::from(self.config.initial);
            if self.limit > initial && self.limit > used {
                self.limit = self.bounded(used.max(initial));
            }
        }
    }

    fn shrink(&mut self, latency_s: f64) {
        if self.slow_windows == 0 {
            self.before_slow = self.limit;
        }
        self.slow_windows += 1;
        if self.starting {
            // The doubling went too far: back to where it was still good, and look for the queue
            // that may have been there all the time.
            self.starting = false;
            self.limit = self.bounded(self.limit / 2.0);
            self.full_windows = FULL_WINDOWS;
        } else if self.slow_windows >= SLOW_WINDOWS {
            self.begin_descent(latency_s, self.before_slow);
        } else {
            self.limit = self.bounded(self.limit - step(self.limit));
        }
    }

    /// The baseline sinks with any faster window, and rises only by windows in which callers did
    /// not use the limit: those cannot have queued because of it.
    fn learn(&mut self, latency_s: f64, baseline_s: f64) {
        if latency_s < baseline_s {
            self.baseline_s = Some(baseline_s + (latency_s - baseline_s) / 2.0);
        } else if !self.window.full {
            self.baseline_s = Some(baseline_s + (latency_s - baseline_s) / 20.0);
        }
    }

    fn begin_descent(&mut self, latency_s: f64, back: f64) {
        self.full_windows = 0;
        self.slow_windows = 0;
        // From what is really under way: a step above that would change nothing.
        let used = self.limit.min(f64::from(self.window.most_in_flight));
        self.descent = Some(Descent {
            limit: used,
            latency_s,
            gained: false,
            back,
        });
        self.limit = self.bounded(used * STEP);
    }

    fn descend(&mut self, descent: Descent, latency_s: f64) {
        if latency_s < descent.latency_s * GAIN {
            let next = self.bounded(self.limit * STEP);
            if next < self.limit {
                self.descent = Some(Descent {
                    limit: self.limit,
                    latency_s,
                    gained: true,
                    ..descent
                });
                self.limit = next;
                return;
            }
            self.baseline_s = Some(latency_s);
            return;
        }
        // Fewer calls are not answered faster: this is what an answer takes.
        self.baseline_s = Some(latency_s);
        self.limit = if descent.gained {
            descent.limit
        } else {
            descent.back.max(descent.limit)
        };
    }

    fn bounded(&self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.config.min), f64::from(self.config.max))
    }
}

/// How far the limit moves in one window: log10 of itself, at least one.
fn step(limit: f64) -> f64 {
    limit.log10().max(1.0)
}

impl Window {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            answers: Histogram::new_with_max(LONGEST_US, 2)
                .expect("the bounds above make a histogram"),
            lost: 0,
            most_in_flight: 0,
            full: false,
        }
    }

    fn clear(&mut self, now: Instant) {
        self.since = now;
        self.answers.reset();
        self.lost = 0;
        self.most_in_flight = 0;
        self.full = false;
    }

    fn add(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US);
        self.answers.saturating_record(us.clamp(1, LONGEST_US));
    }

    fn count(&self) -> u32 {
        u32::try_from(self.answers.len())
            .unwrap_or(u32::MAX)
            .saturating_add(self.lost)
    }

    fn lost_share(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.count().max(1))
    }

    fn latency_s(&self) -> f64 {
        self.answers.value_at_quantile(SHARE) as f64 / 1e6
    }
}
