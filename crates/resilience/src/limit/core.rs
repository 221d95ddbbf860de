//! The limit as a pure decision, once per window of answers.
//! The latency that most answers met (p90) is compared with a slow baseline. While callers use the whole
//! limit and latency is near the baseline, the limit grows: it doubles as long as that increases
//! throughput, then by log10 of itself. Latency that exceeds the baseline both by the tolerance and by the
//! slack reduces it by log10, lost calls by a tenth. A limit that was not reached is not the cause of
//! slowness and remains unchanged, until a descent (below) shows otherwise.
//!
//! The slack exists for callers without enough processor time: they process answers when they wake up, many
//! at once and all of them late, although no callee has a queue. A limit that mistakes this for a queue
//! sheds half of the load that a caller without a limit would have managed.
//!
//! Such limits usually fail because of the origin of the baseline. Measured under load, it includes the
//! queue and the limit drifts up; fixed after a few calls, every measurement looks like an outage; never
//! raised, a callee that became permanently slower is throttled for ever. Here a *descent* distinguishes
//! the two: the limit is reduced by quarters as long as that makes answers faster, which happens only with
//! a queue, without reducing their number. If it does not, the callee itself is that slow: the last steps
//! are undone and its latency is the new baseline. If the last step reduced throughput, the limit may be
//! what restricts callers, and it doubles again.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use live_config::{Check, ConfigError};
use serde::{Deserialize, Serialize};

const LONGEST_US: u64 = 600_000_000;
/// The quantile of the latency: nine in ten answers are faster.
const SHARE: f64 = 0.9;
/// A window with this share of lost calls shrinks the limit.
const TOO_MANY_LOST: f64 = 0.1;
/// Consecutive slow windows after which a descent looks for the reason.
const SLOW_WINDOWS: u32 = 3;
/// Full windows without a descent, after which one checks whether the baseline is still valid.
const FULL_WINDOWS: u32 = 30;
/// One step of a descent, and the improvement required for another one.
const STEP: f64 = 0.75;
const GAIN: f64 = 0.9;
/// A step down with less than this share of the answers was below the callee's capacity.
const HELD: f64 = 0.9;
/// A doubling that raised throughput by less than this was not needed.
const MORE: f64 = 1.1;
/// The limit is at most this many times the calls that were really in flight, once it is above `initial`.
const HEADROOM: f64 = 5.0;

/// Bounds of the limit, and its adaptation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// False: the limit stays at `max`.
    pub enabled: bool,
    /// The limit at the start.
    pub initial: u32,
    /// The limit never falls below this.
    pub min: u32,
    /// The limit never rises above this.
    pub max: u32,
    /// The minimum length of a measurement window.
    pub window_ms: u64,
    /// The minimum number of answers in a window.
    pub minimum_samples: u32,
    /// The multiple of the baseline latency above which answers count as queued, at least 1.
    pub tolerance: f64,
    /// The excess over the baseline latency, in ms, that is tolerated before calls are rejected.
    pub slack_ms: u64,
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
            slack_ms: 100,
        }
    }
}

impl Config {
    /// Adds an error for every invalid value.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        let mut check = Check::new(faults);
        check.at_least("min", self.min, 1);
        if !(self.min..=self.max).contains(&self.initial) {
            let hint = format!("{} is not between min and max", self.initial);
            check.error("initial", hint);
        }
        check.at_least("window_ms", self.window_ms, 1);
        check.at_least("minimum_samples", self.minimum_samples, 1);
        check.at_least("tolerance", self.tolerance, 1.0);
    }
}

/// The end of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Answered after this time, well or badly.
    Answered(Duration),
    /// Timed out or refused by overload. Its duration says nothing, since a refusal is fast.
    Lost,
    /// Cancelled; carries no information.
    Ignored,
}

/// The limit of one callee.
#[derive(Debug)]
pub struct Limit {
    config: Config,
    limit: f64,
    /// Calls that began earlier had another limit and are not counted.
    changed: Instant,
    window: Window,
    baseline_s: Option<f64>,
    doubling: Option<Doubling>,
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
    /// All calls that ended, including those under another limit: the throughput of the callee.
    ended: u32,
    most_in_flight: u32,
    full: bool,
}

/// The result of a window, for comparison with a later one.
#[derive(Debug, Clone, Copy)]
struct Seen {
    latency_s: f64,
    ended_per_s: f64,
}

#[derive(Debug, Clone, Copy)]
struct Doubling {
    /// The first one since the start: its baseline may have a queue in it.
    first: bool,
    /// The limit and the answers per second before the last time.
    before: Option<(f64, f64)>,
}

#[derive(Debug, Clone, Copy)]
struct Descent {
    /// The limit and the latency before the last step, and the most answers of all steps.
    limit: f64,
    seen: Seen,
    /// Whether an earlier step was worth it.
    gained: bool,
    /// The limit to return to if no step helped.
    back: f64,
}

impl Limit {
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            limit: f64::from(config.initial),
            changed: now,
            window: Window::new(now),
            baseline_s: None,
            doubling: Some(Doubling {
                first: true,
                before: None,
            }),
            slow_windows: 0,
            before_slow: f64::from(config.initial),
            full_windows: 0,
            descent: None,
            config,
        }
    }

    /// The current limit of calls in flight.
    pub fn limit(&self) -> u32 {
        if self.config.enabled {
            self.limit as u32
        } else {
            self.config.max
        }
    }

    /// Records a call that began at `started`, when `in_flight` calls were in flight, including it.
    pub fn count(&mut self, now: Instant, started: Instant, in_flight: u32, sample: Sample) {
        if !self.config.enabled || sample == Sample::Ignored {
            return;
        }
        self.window.ended += 1;
        if started < self.changed {
            return;
        }
        match sample {
            Sample::Answered(took) => self.window.add(took),
            Sample::Lost | Sample::Ignored => self.window.lost += 1,
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
            self.doubling = None;
            self.descent = None;
            self.limit = self.bounded((self.limit * 0.9).min(self.limit - 1.0));
        } else {
            let seen = self.window.seen(now);
            match self.descent.take() {
                Some(descent) => self.descend(descent, seen),
                None => self.steer(seen),
            }
        }
        if self.limit() != before {
            self.changed = now;
        }
        self.window.clear(now);
    }

    fn steer(&mut self, seen: Seen) {
        let baseline_s = *self.baseline_s.get_or_insert(seen.latency_s);
        if self.is_slow(seen.latency_s, baseline_s) {
            self.shrink(seen);
            return;
        }
        self.slow_windows = 0;
        self.learn(seen.latency_s, baseline_s);
        if self.window.full {
            self.full_windows += 1;
            if self.full_windows >= FULL_WINDOWS {
                self.begin_descent(seen, self.limit);
            } else {
                self.grow(seen.ended_per_s);
            }
        } else {
            let used = HEADROOM * f64::from(self.window.most_in_flight);
            let initial = f64::from(self.config.initial);
            if self.limit > initial && self.limit > used {
                self.limit = self.bounded(used.max(initial));
            }
        }
    }

    fn is_slow(&self, latency_s: f64, baseline_s: f64) -> bool {
        let slack_s = Duration::from_millis(self.config.slack_ms).as_secs_f64();
        latency_s > (self.config.tolerance * baseline_s).max(baseline_s + slack_s)
    }

    fn grow(&mut self, ended_per_s: f64) {
        let brought_more = |(_, before): (f64, f64)| ended_per_s >= MORE * before;
        match &mut self.doubling {
            Some(doubling) if doubling.before.is_none_or(brought_more) => {
                doubling.before = Some((self.limit, ended_per_s));
                self.limit = self.bounded(2.0 * self.limit);
            }
            _ => {
                self.doubling = None;
                self.limit = self.bounded(self.limit + step(self.limit));
            }
        }
    }

    fn shrink(&mut self, seen: Seen) {
        let doubling = self.doubling.take();
        if let Some((limit, first)) = doubling.and_then(|it| Some((it.before?.0, it.first))) {
            // The doubling went too far: return to the last good limit.
            self.limit = self.bounded(limit);
            if first {
                // Then look for a queue that may have existed all the time.
                self.full_windows = FULL_WINDOWS;
            }
            return;
        }
        if self.slow_windows == 0 {
            self.before_slow = self.limit;
        }
        self.slow_windows += 1;
        if self.slow_windows >= SLOW_WINDOWS {
            self.begin_descent(seen, self.before_slow);
        } else if self.window.full {
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

    fn begin_descent(&mut self, seen: Seen, back: f64) {
        self.full_windows = 0;
        self.slow_windows = 0;
        self.doubling = None;
        // From the calls really in flight: a step above that would change nothing.
        let used = self.limit.min(f64::from(self.window.most_in_flight));
        self.descent = Some(Descent {
            limit: used,
            seen,
            gained: false,
            back,
        });
        self.limit = self.bounded(used * STEP);
    }

    fn descend(&mut self, descent: Descent, seen: Seen) {
        let undone = if descent.gained {
            descent.limit
        } else {
            descent.back.max(descent.limit)
        };
        self.baseline_s = Some(seen.latency_s);
        if !self.window.full {
            // Demand has fallen, which says nothing about the step.
            self.limit = undone;
            return;
        }
        let best_per_s = seen.ended_per_s.max(descent.seen.ended_per_s);
        let held = seen.ended_per_s >= HELD * best_per_s;
        if held && seen.latency_s < descent.seen.latency_s * GAIN {
            let next = self.bounded(self.limit * STEP);
            if next < self.limit {
                self.descent = Some(Descent {
                    limit: self.limit,
                    seen: Seen {
                        ended_per_s: best_per_s,
                        ..seen
                    },
                    gained: true,
                    ..descent
                });
                self.limit = next;
            }
            return;
        }
        // Fewer calls are not answered faster: this is the true latency.
        self.limit = undone;
        if !held {
            self.doubling = Some(Doubling {
                first: false,
                before: None,
            });
        }
    }

    fn bounded(&self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.config.min), f64::from(self.config.max))
    }
}

/// The change of the limit in one window: log10 of itself, at least one.
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
            ended: 0,
            most_in_flight: 0,
            full: false,
        }
    }

    fn clear(&mut self, now: Instant) {
        self.since = now;
        self.answers.reset();
        self.lost = 0;
        self.ended = 0;
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

    fn seen(&self, now: Instant) -> Seen {
        let age = now.saturating_duration_since(self.since);
        Seen {
            latency_s: self.answers.value_at_quantile(SHARE) as f64 / 1e6,
            ended_per_s: f64::from(self.ended) / age.as_secs_f64().max(1e-9),
        }
    }
}
