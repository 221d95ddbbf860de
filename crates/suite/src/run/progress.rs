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

    /// The current state, once a second: a line that the next one replaces. Each form is shorter than the one before; the first
    /// that fits is shown.
    fn live(&self, forms: &[String]);
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
                tell.live(&self.forms());
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

    /// The phase, elapsed and remaining time, and the figures of the last complete second. Narrow terminals show no phase
    /// first of all, then no time and no label.
    fn forms(&self) -> Vec<String> {
        let label = &self.label;
        let Some(began_ms) = self.seen.began_unix_ms() else {
            return vec![format!("{label}  starting")];
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
        match self.measured() {
            Some(measured) => measured.forms(label, name, &time),
            None => vec![format!("{label}  {name}  {time}")],
        }
    }

    fn measured(&self) -> Option<Measured> {
        let store = self.store.lock();
        // The current second is incomplete, and the previous one may not have arrived yet.
        let last = (unix_now() - store.began()?).floor() - 2.0;
        if last < 0.0 {
            return None;
        }
        let second = second(&store, last as u32);
        drop(store);
        let absent = || "-".to_owned();
        Some(Measured {
            users: second
                .users
                .map_or_else(absent, |users| format!("{users:.0}")),
            rate: second.requests,
            p95: second
                .p95_ms
                .map_or_else(absent, |p95| format!("{p95:.0} ms")),
            errors: second.failures,
        })
    }
}

/// The figures of a second.
struct Measured {
    users: String,
    rate: u64,
    p95: String,
    errors: u64,
}

impl Measured {
    fn forms(&self, label: &str, phase: &str, time: &str) -> Vec<String> {
        let judged = format!("p95 {}  {} errors", self.p95, self.errors);
        let with_rate = format!("{}/s  {judged}", self.rate);
        let all = format!("{} users  {with_rate}", self.users);
        vec![
            format!("{label}  {phase}  {time}  {all}"),
            format!("{label}  {time}  {all}"),
            format!("{label}  {all}"),
            all,
            with_rate,
            judged,
        ]
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
    use super::{Measured, clock};

    #[test]
    fn narrow_lines_keep_errors_and_latency() {
        let measured = Measured {
            users: "20".to_owned(),
            rate: 12,
            p95: "1000 ms".to_owned(),
            errors: 3,
        };
        let forms = measured.forms("load", "ramp to 20", "4s of 2m05s");
        let fits = |columns: usize| {
            let mut forms = forms.iter();
            forms.find(|form| form.chars().count() < columns).cloned()
        };
        for (columns, shown) in [
            (
                80,
                "load  ramp to 20  4s of 2m05s  20 users  12/s  p95 1000 ms  3 errors",
            ),
            (
                60,
                "load  4s of 2m05s  20 users  12/s  p95 1000 ms  3 errors",
            ),
            (50, "load  20 users  12/s  p95 1000 ms  3 errors"),
            (40, "20 users  12/s  p95 1000 ms  3 errors"),
            (30, "12/s  p95 1000 ms  3 errors"),
        ] {
            assert_eq!(fits(columns).as_deref(), Some(shown));
        }
    }

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
