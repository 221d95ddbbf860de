//! The health of the driver: its measurements are only as accurate as its timing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A start is late when it is delayed by more than this.
pub const LATE: Duration = Duration::from_millis(10);

/// A start is very late when it is delayed by more than this: its measurement is not useful.
pub const VERY_LATE: Duration = Duration::from_millis(100);

/// A response is read late when it waits unread for longer than this.
pub const LATE_READ: Duration = Duration::from_millis(1);

/// The share of late starts above which the plan was not kept.
const TOLERATED_SHARE: f64 = 0.01;

/// How often the lag of a worker's event loop is measured.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Counters that all workers share.
#[derive(Debug, Default)]
pub struct Health {
    starts: Counted,
    /// Checks of the event loops, while scenarios run.
    looks: Counted,
    watching: AtomicBool,
    /// The greatest lateness of a start or a check since it was last taken.
    recent_ns: AtomicU64,
    late_reads: AtomicU64,
    latest_read_ns: AtomicU64,
    lag_ns: AtomicU64,
    without_descriptor: AtomicU64,
    without_port: AtomicU64,
}

/// Counters of planned events.
#[derive(Debug, Default)]
struct Counted {
    all: AtomicU64,
    late: AtomicU64,
    very_late: AtomicU64,
    latest_ns: AtomicU64,
}

/// Planned events, and how late they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Punctuality {
    pub all: u64,
    /// More than [`LATE`] after their time.
    pub late: u64,
    /// More than [`VERY_LATE`] after their time.
    pub very_late: u64,
    /// The greatest lateness.
    pub latest: Duration,
}

/// A limit of the driver's machine, not of the service under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnLimit {
    /// Open files of the process or the system.
    Descriptors,
    /// Local ports for connections to one address.
    Ports,
}

/// A snapshot of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HealthReport {
    /// Iterations with a planned start.
    pub starts: Punctuality,
    /// Checks of the event loops while scenarios ran: one for each tenth of a second of each thread, whether or
    /// not the loop performed it.
    pub looks: Punctuality,
    /// Responses that were read more than [`LATE_READ`] after their arrival; none where the system does not
    /// report it.
    pub late_reads: u64,
    /// The greatest lateness of a read. Response times do not include it.
    pub latest_read: Duration,
    /// The greatest delay of a timer by an event loop.
    pub event_loop_lag: Duration,
    /// Requests that were not sent for lack of a file descriptor.
    pub without_descriptor: u64,
    /// Requests that were not sent for lack of a local port.
    pub without_port: u64,
}

impl Health {
    /// Records the delay of an iteration's start.
    pub(crate) fn note_start(&self, late: Duration) {
        self.starts.note(late);
        raise(&self.recent_ns, late);
    }

    /// Begins or ends the time in which checks of the event loops are counted. Creating VUs, `setup` and
    /// `teardown` may keep a thread busy without delaying any request.
    pub(crate) fn watch(&self, watching: bool) {
        self.watching.store(watching, Ordering::Relaxed);
    }

    /// Records that an event loop was this late for a check. The checks that it missed meanwhile count as well:
    /// a loop that stalls for a second is late for ten of them.
    fn note_look(&self, late: Duration) {
        raise(&self.lag_ns, late);
        if !self.watching.load(Ordering::Relaxed) {
            return;
        }
        raise(&self.recent_ns, late);
        let mut late = Some(late);
        while let Some(this) = late {
            self.looks.note(this);
            late = this.checked_sub(LOOK_EVERY).filter(|it| !it.is_zero());
        }
    }

    /// The greatest lateness of a start or a check since the last call.
    pub fn take_recent(&self) -> Duration {
        Duration::from_nanos(self.recent_ns.swap(0, Ordering::Relaxed))
    }

    /// Records the time between a response's arrival and its read.
    pub fn note_read(&self, late: Duration) {
        if late > LATE_READ {
            self.late_reads.fetch_add(1, Ordering::Relaxed);
        }
        raise(&self.latest_read_ns, late);
    }

    /// Records a request that was not sent because of a limit of this machine.
    pub fn note_own_limit(&self, limit: OwnLimit) {
        let counter = match limit {
            OwnLimit::Descriptors => &self.without_descriptor,
            OwnLimit::Ports => &self.without_port,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Measures repeatedly the lag of the event loop on the calling task's thread.
    pub(crate) async fn watch_event_loop(&self) {
        loop {
            let due = tokio::time::Instant::now() + LOOK_EVERY;
            tokio::time::sleep_until(due).await;
            self.note_look(due.elapsed());
        }
    }

    /// The counters so far.
    pub fn report(&self) -> HealthReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HealthReport {
            starts: self.starts.read(),
            looks: self.looks.read(),
            late_reads: read(&self.late_reads),
            latest_read: Duration::from_nanos(read(&self.latest_read_ns)),
            event_loop_lag: Duration::from_nanos(read(&self.lag_ns)),
            without_descriptor: read(&self.without_descriptor),
            without_port: read(&self.without_port),
        }
    }
}

impl HealthReport {
    /// The reason why the planned start times were not kept, if they were not.
    pub fn broken_schedule(&self) -> Option<String> {
        let starts = self.starts;
        let tolerated = starts.all as f64 * TOLERATED_SHARE;
        (starts.late as f64 > tolerated).then(|| {
            format!(
                "the schedule was not kept: {} of {} planned iterations started more than {} ms \
                 late, the latest {} ms",
                starts.late,
                starts.all,
                LATE.as_millis(),
                starts.latest.as_millis()
            )
        })
    }

    /// Requests that were not sent because of limits of this machine: they count as failed requests but are not
    /// failures of the service.
    pub fn own_limits(&self) -> Vec<String> {
        let lines = [
            (
                self.without_descriptor,
                "the load generator ran out of file descriptors; raise its limit (ulimit -n)",
            ),
            (
                self.without_port,
                "the load generator had no free local port; widen net.ipv4.ip_local_port_range or \
                 let connections be used again (with --local-ips: are they this machine's?)",
            ),
        ];
        let hit = lines.into_iter().filter(|(count, _)| *count > 0);
        hit.map(|(count, why)| format!("{count} requests were not sent: {why}"))
            .collect()
    }

    /// The lines of the summary.
    pub fn to_text(&self, dropped_samples: u64) -> String {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let name = |name: &str| format!("    {name:.<40}: ");
        format!(
            "\n    GENERATOR\n{}{} out of {} planned, latest={:.2}ms\n{}{}, latest={:.2}ms\n\
             {}max={:.2}ms\n{}{dropped_samples}\n",
            name("late_starts"),
            self.starts.late,
            self.starts.all,
            millis(self.starts.latest),
            name("late_reads"),
            self.late_reads,
            millis(self.latest_read),
            name("event_loop_lag"),
            millis(self.event_loop_lag),
            name("dropped_samples"),
        )
    }
}

impl Counted {
    fn note(&self, late: Duration) {
        self.all.fetch_add(1, Ordering::Relaxed);
        if late > LATE {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
        if late > VERY_LATE {
            self.very_late.fetch_add(1, Ordering::Relaxed);
        }
        raise(&self.latest_ns, late);
    }

    fn read(&self) -> Punctuality {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Punctuality {
            all: read(&self.all),
            late: read(&self.late),
            very_late: read(&self.very_late),
            latest: Duration::from_nanos(read(&self.latest_ns)),
        }
    }
}

/// Nearly always it is not the greatest: a read is cheaper than a write to a shared value.
fn raise(greatest_ns: &AtomicU64, late: Duration) {
    let late_ns = nanos(late);
    if late_ns > greatest_ns.load(Ordering::Relaxed) {
        greatest_ns.fetch_max(late_ns, Ordering::Relaxed);
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
    fn local_limits_are_reported_with_their_remedy() {
        let health = Health::default();
        assert_eq!(health.report().own_limits(), [""; 0]);
        for limit in [
            OwnLimit::Descriptors,
            OwnLimit::Descriptors,
            OwnLimit::Ports,
        ] {
            health.note_own_limit(limit);
        }
        let lines = health.report().own_limits();
        assert!(lines[0].starts_with("2 requests") && lines[0].contains("ulimit -n"));
        assert!(lines[1].starts_with("1 requests") && lines[1].contains("no free local port"));
    }

    #[test]
    fn a_response_that_waited_for_a_millisecond_was_read_late() {
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

    #[test]
    fn a_loop_that_stands_still_is_late_for_every_look_that_it_missed() {
        let health = Health::default();
        health.note_look(Duration::from_millis(900));
        assert_eq!(
            health.report().looks,
            Punctuality::default(),
            "no scenario runs"
        );
        assert_eq!(health.report().event_loop_lag, Duration::from_millis(900));
        health.watch(true);
        health.note_look(Duration::from_millis(1));
        health.note_look(Duration::from_millis(350));
        let looks = health.report().looks;
        // On time; then 350, 250, 150 and 50 ms late.
        assert_eq!((looks.all, looks.late, looks.very_late), (5, 4, 3));
        assert_eq!(looks.latest, Duration::from_millis(350));
        health.note_start(Duration::from_millis(120));
        let starts = health.report().starts;
        assert_eq!((starts.all, starts.late, starts.very_late), (1, 1, 1));
        assert_eq!(health.take_recent(), Duration::from_millis(350));
        assert_eq!(health.take_recent(), Duration::ZERO);
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
