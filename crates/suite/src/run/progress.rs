//! The progress shown during a test.

use std::time::Duration;

use load_driver::RunHandle;
use tokio_util::sync::CancellationToken;

use super::measure::{Shared, second, unix_now};
use crate::plan::PlannedPhase;

const EVERY: Duration = Duration::from_secs(1);
/// The polling interval for the end of the test.
const LOOK: Duration = Duration::from_millis(50);

/// Receives the progress. The binary decides what is shown.
pub trait Tell: Sync {
    /// An event: a permanent line.
    fn line(&self, text: &str);

    /// Something that the user has to know, although the run goes on: a permanent line, also if little is shown.
    fn warn(&self, text: &str);

    /// The current state, once a second: a line that the next one replaces.
    fn live(&self, text: &str);
}

/// The subject of the progress line during a run of the driver.
#[derive(Debug)]
pub struct Shown<'a> {
    pub label: String,
    pub phases: &'a [PlannedPhase],
    pub store: Shared,
    pub seen: RunHandle,
}

impl Shown<'_> {
    /// Reports the progress once a second, until `over`; blocks.
    pub fn show(&self, tell: &dyn Tell, over: &CancellationToken) {
        let mut waited = Duration::ZERO;
        let mut logged = None;
        while !over.is_cancelled() {
            std::thread::sleep(LOOK);
            waited += LOOK;
            let phase = self.phase();
            if phase != logged
                && let Some(name) = phase
            {
                tracing::info!(test = self.label, "phase {name} begins");
                logged = phase;
            }
            if waited >= EVERY {
                waited = Duration::ZERO;
                tell.live(&self.line());
            }
        }
    }

    /// The current phase; `None` before the first and after the last.
    fn phase(&self) -> Option<&str> {
        let began_ms = self.seen.began_unix_ms()?;
        let elapsed = (unix_now() - began_ms as f64 / 1e3).max(0.0);
        let phase = self.phases.iter().find(|phase| elapsed < phase.end_s)?;
        Some(&phase.name)
    }

    /// The phase, elapsed and remaining time, users, rate, 95th percentile and errors of the last complete
    /// second.
    fn line(&self) -> String {
        let Some(began_ms) = self.seen.began_unix_ms() else {
            return format!("{}  starting", self.label);
        };
        let elapsed = (unix_now() - began_ms as f64 / 1e3).max(0.0);
        let end = self.phases.last().map(|phase| phase.end_s);
        let name = match (self.phase(), end) {
            (Some(name), _) => name,
            (None, Some(_)) => "last requests",
            (None, None) => "running",
        };
        let time = match end {
            Some(end) => format!("{} of {}", clock(elapsed), clock(end)),
            None => clock(elapsed),
        };
        format!("{}  {name}  {time}{}", self.label, self.measured())
    }

    fn measured(&self) -> String {
        let store = self.store.lock();
        let Some(began) = store.began() else {
            return String::new();
        };
        // The current second is incomplete, and the previous one may not have arrived yet.
        let last = (unix_now() - began).floor() - 2.0;
        if last < 0.0 {
            return String::new();
        }
        let second = second(&store, last as u32);
        drop(store);
        let p95 = second
            .p95_ms
            .map_or("-".to_owned(), |p95| format!("{p95:.0} ms"));
        let users = second
            .users
            .map_or("-".to_owned(), |users| format!("{users:.0}"));
        format!(
            "  {users} users  {}/s  p95 {p95}  {} errors",
            second.requests, second.failures
        )
    }
}

/// `4s`, `2m05s`, `1h02m05s`.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes) => format!("{hours}h{minutes:02}m{seconds:02}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn times_are_short() {
        for (seconds, text) in [
            (4.9, "4s"),
            (125.0, "2m05s"),
            (3725.0, "1h02m05s"),
            (-1.0, "0s"),
        ] {
            assert_eq!(clock(seconds), text);
        }
    }
}
