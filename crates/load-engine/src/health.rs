//! How the driver itself fared: what it measures is only as good as it was on time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A start that comes so much after its time is late.
pub const LATE: Duration = Duration::from_millis(10);

/// An answer that lies here unread for so long is read late.
pub const LATE_READ: Duration = Duration::from_millis(1);

/// Late starts of this share of all planned ones mean that the plan was not kept.
const TOLERATED_SHARE: f64 = 0.01;

/// How often a worker's event loop is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Counters that all workers share.
#[derive(Debug, Default)]
pub struct Health {
    planned_starts: AtomicU64,
    late_starts: AtomicU64,
    latest_start_ns: AtomicU64,
    late_reads: AtomicU64,
    latest_read_ns: AtomicU64,
    lag_ns: AtomicU64,
}

/// What the counters say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HealthReport {
    /// Iterations that had a time to start at.
    pub planned_starts: u64,
    /// Those that started more than [`LATE`] after it.
    pub late_starts: u64,
    /// The greatest lateness.
    pub latest_start: Duration,
    /// Answers that were read more than [`LATE_READ`] after they had come; none where the system does not tell.
    pub late_reads: u64,
    /// The greatest lateness of a read. The times of answers are without it.
    pub latest_read: Duration,
    /// The longest that an event loop kept a timer waiting.
    pub event_loop_lag: Duration,
}

impl Health {
    /// Notes that an iteration started so much after its time.
    pub(crate) fn note_start(&self, late: Duration) {
        self.planned_starts.fetch_add(1, Ordering::Relaxed);
        if late > LATE {
            self.late_starts.fetch_add(1, Ordering::Relaxed);
        }
        self.latest_start_ns
            .fetch_max(nanos(late), Ordering::Relaxed);
    }

    /// Notes that an answer was read so much after it had come.
    pub fn note_read(&self, late: Duration) {
        if late > LATE_READ {
            self.late_reads.fetch_add(1, Ordering::Relaxed);
        }
        // Nearly always it is not the latest: looking is cheaper than writing what all threads share.
        let late_ns = nanos(late);
        if late_ns > self.latest_read_ns.load(Ordering::Relaxed) {
            self.latest_read_ns.fetch_max(late_ns, Ordering::Relaxed);
        }
    }

    /// Looks again and again how late the event loop of the calling task's thread is.
    pub(crate) async fn watch_event_loop(&self) {
        loop {
            let due = tokio::time::Instant::now() + LOOK_EVERY;
            tokio::time::sleep_until(due).await;
            self.lag_ns
                .fetch_max(nanos(due.elapsed()), Ordering::Relaxed);
        }
    }

    /// What was seen so far.
    pub fn report(&self) -> HealthReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HealthReport {
            planned_starts: read(&self.planned_starts),
            late_starts: read(&self.late_starts),
            latest_start: Duration::from_nanos(read(&self.latest_start_ns)),
            late_reads: read(&self.late_reads),
            latest_read: Duration::from_nanos(read(&self.latest_read_ns)),
            event_loop_lag: Duration::from_nanos(read(&self.lag_ns)),
        }
    }
}

impl HealthReport {
    /// Why the plan of start times was not kept, if it was not.
    pub fn broken_schedule(&self) -> Option<String> {
        let tolerated = self.planned_starts as f64 * TOLERATED_SHARE;
        (self.late_starts as f64 > tolerated).then(|| {
            format!(
                "the schedule was not kept: {} of {} planned iterations started more than {} ms \
                 late, the latest {} ms",
                self.late_starts,
                self.planned_starts,
                LATE.as_millis(),
                self.latest_start.as_millis()
            )
        })
    }

    /// The lines of the summary.
    pub fn to_text(&self, dropped_samples: u64) -> String {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let name = |name: &str| format!("    {name:.<40}: ");
        format!(
            "\n    GENERATOR\n{}{} out of {} planned, latest={:.2}ms\n{}{}, latest={:.2}ms\n\
             {}max={:.2}ms\n{}{dropped_samples}\n",
            name("late_starts"),
            self.late_starts,
            self.planned_starts,
            millis(self.latest_start),
            name("late_reads"),
            self.late_reads,
            millis(self.latest_read),
            name("event_loop_lag"),
            millis(self.event_loop_lag),
            name("dropped_samples"),
        )
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_broken_by_more_than_one_late_start_in_a_hundred() {
        let health = Health::default();
        for _ in 0..99 {
            health.note_start(Duration::from_millis(1));
        }
        health.note_start(Duration::from_millis(25));
        assert_eq!(health.report().broken_schedule(), None);
        health.note_start(Duration::from_millis(40));
        let report = health.report();
        let why = report.broken_schedule().expect("2 of 101 are late");
        assert!(
            why.contains("2 of 101") && why.contains("latest 40 ms"),
            "{why}"
        );
        assert!(report.to_text(3).contains("late_starts"));
    }

    #[test]
    fn an_answer_that_lay_here_for_a_millisecond_was_read_late() {
        let health = Health::default();
        for micros in [0, 1_000, 1_001, 2_500] {
            health.note_read(Duration::from_micros(micros));
        }
        let text = health.report().to_text(0);
        let name = format!("{:.<40}", "late_reads");
        let line = format!("    {name}: 2, latest=2.50ms\n");
        assert!(text.contains(&line), "{text}");
        assert_eq!(health.report().broken_schedule(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_not_blocked_has_no_lag() {
        let health = Health::default();
        let watching = health.watch_event_loop();
        let ended = tokio::time::timeout(Duration::from_secs(1), watching).await;
        assert!(ended.is_err(), "it goes on for ever");
        assert!(health.report().event_loop_lag < Duration::from_millis(5));
    }
}
