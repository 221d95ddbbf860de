//! Alerts to the sinks of the suite file, while a test runs.
//!
//! A sink that fails is reported and noted as an event; verdicts never depend on one.

mod deliver;
mod letter;

use std::time::{Duration, Instant};

use report::record::{EventKind, Second};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::measure::{Store, asked_at, second, unix_now};
use super::resources::Monitor;
use super::stage::Stage;
use crate::judge::{LiveAlerts, Notice, latency_alerts};
use deliver::Sinks;
use letter::Letter;

const EVERY: Duration = Duration::from_secs(1);
/// The polling interval for the end of the test.
const LOOK: Duration = Duration::from_millis(50);
/// A second is complete, and its samples have arrived, this long after its begin.
const SETTLED_S: f64 = 2.0;
/// Alertmanager considers an alert resolved if it is not repeated within five minutes.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// Watches a test and notifies the sinks, until `over`; blocks. Returns at once if there are no sinks.
pub fn watch(stage: &Stage<'_>, monitor: &Monitor, over: &CancellationToken) {
    let asked = &stage.job.file.alerts.sinks;
    if asked.is_empty() {
        return;
    }
    let mut watching = Watching {
        stage,
        monitor,
        live: LiveAlerts::default(),
        sinks: Sinks::new(stage, asked),
        next_second: stage.store.lock().before_s() as u32,
        next_sample: 0,
    };
    let (mut next, mut remind) = (Instant::now(), Instant::now() + REMIND_EVERY);
    while !over.is_cancelled() {
        std::thread::sleep(LOOK);
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + EVERY;
        watching.look(SETTLED_S);
        if Instant::now() >= remind {
            remind = Instant::now() + REMIND_EVERY;
            watching.remind();
        }
    }
    watching.look(0.0);
    watching.end();
}

/// The figures of a second for the alerts: those of its requests, with the percentiles of another trend if the suite
/// names one.
fn watched(store: &Store, stage: &Stage<'_>, place: u32) -> Second {
    let requests = second(store, place);
    let Some(metric) = &stage.job.file.alerts.latency_of else {
        return requests;
    };
    let [p50_ms, p95_ms, p99_ms] =
        latency_alerts().map(|aggregate| asked_at(store, metric, aggregate, place));
    Second {
        p50_ms,
        p95_ms,
        p99_ms,
        ..requests
    }
}

struct Watching<'a> {
    stage: &'a Stage<'a>,
    monitor: &'a Monitor,
    live: LiveAlerts,
    sinks: Sinks<'a>,
    /// The first second that was not processed yet, and the first of the target's samples.
    next_second: u32,
    next_sample: usize,
}

impl Watching<'_> {
    /// Processes the input up to this age.
    fn look(&mut self, settled_s: f64) {
        let mut notices = Vec::new();
        let samples = self.monitor.target_from(self.next_sample);
        self.next_sample += samples.len();
        // Samples have times since 1970, seconds have times since the start of the test.
        notices.extend(
            self.live
                .samples(&samples)
                .into_iter()
                .map(|it| (it.raised_s, it)),
        );
        let store = self.stage.store.lock();
        if let Some(began) = store.began() {
            let settled = (unix_now() - began - settled_s).min(store.last_s().max(0.0) + 1.0);
            while f64::from(self.next_second) + 1.0 <= settled {
                let watched = watched(&store, self.stage, self.next_second);
                let seen = self.live.second(&watched);
                notices.extend(seen.into_iter().map(|it| (began + it.raised_s, it)));
                self.next_second += 1;
            }
        }
        drop(store);
        for (raised, notice) in notices {
            self.send(&notice, raised, false);
        }
    }

    /// Repeats active alerts to the sinks that need it.
    fn remind(&mut self) {
        for (raised, notice) in self.standing() {
            self.send(&notice, raised, true);
        }
    }

    /// Resolves the active alerts, because the test has ended.
    fn end(&mut self) {
        for (raised, notice) in self.standing() {
            self.send(&notice.resolved(), raised, false);
        }
        self.sinks.sum_up();
    }

    fn standing(&self) -> Vec<(f64, Notice)> {
        let began = self.stage.store.lock().began().unwrap_or_default();
        // Times of seconds are small, those of samples count from 1970.
        let raised = |notice: &Notice| {
            let since_begin = notice.raised_s < began;
            notice.raised_s + if since_begin { began } else { 0.0 }
        };
        let standing = self.live.standing();
        standing
            .map(|notice| (raised(notice), notice.clone()))
            .collect()
    }

    fn send(&mut self, notice: &Notice, raised: f64, is_reminder: bool) {
        let letter = Letter::new(self.stage, notice, raised);
        for failed in self.sinks.tell(&letter, is_reminder) {
            let text = format!("alerts do not reach {}: {}", failed.sink, failed.why);
            self.stage.job.tell.line(&text);
            self.stage
                .note(EventKind::Warning, text, json!({ "sink": failed.sink }));
        }
    }
}
