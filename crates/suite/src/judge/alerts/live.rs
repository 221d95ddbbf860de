//! The alerts during a test; the judgement applies the same rules after it.

use report::record::{ResourceSample, Second};

use super::table::{ALERTS, Alert, moments};
use super::watch::{Change, IN_A_ROW, Watch};

/// The six alerts, fed while a test runs.
#[derive(Debug)]
pub struct LiveAlerts {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    alert: Alert,
    watch: Watch,
    /// The notice of the alert, while it is active.
    standing: Option<Notice>,
}

/// An alert that was raised or resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    pub kind: &'static str,
    pub severity: &'static str,
    /// The documents' text, with the value that raised the alert.
    pub message: String,
    /// False: resolved.
    pub is_firing: bool,
    /// The value when the alert was raised, and its bound; milliseconds or ratios.
    pub value: f64,
    pub bound: f64,
    /// When the alert was raised, on the clock of the input.
    pub raised_s: f64,
}

impl Default for LiveAlerts {
    fn default() -> Self {
        let watched = ALERTS.map(|alert| Watched {
            alert,
            watch: Watch::new(alert.bound, IN_A_ROW),
            standing: None,
        });
        Self {
            watched: watched.into(),
        }
    }
}

impl LiveAlerts {
    /// Adds the next second of the requests.
    pub fn second(&mut self, second: &Second) -> Vec<Notice> {
        self.feed(second.at_s, |alert| alert.of_second(second))
    }

    /// Adds samples of the target's resources.
    pub fn samples(&mut self, samples: &[ResourceSample]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for moment in moments(samples) {
            let at_s = moment.first().map_or(0.0, |sample| sample.at_s);
            let of = |alert: &Alert| alert.is_of_resources().then(|| alert.of_moment(moment))?;
            notices.extend(self.feed(at_s, of));
        }
        notices
    }

    /// The active alerts.
    pub fn standing(&self) -> impl Iterator<Item = &Notice> {
        self.watched.iter().filter_map(|one| one.standing.as_ref())
    }

    fn feed(&mut self, at_s: f64, of: impl Fn(&Alert) -> Option<f64>) -> Vec<Notice> {
        let mut notices = Vec::new();
        for one in &mut self.watched {
            let change = of(&one.alert).and_then(|value| one.watch.see(value));
            match change {
                Some(Change::Raised(value)) => {
                    let notice = Notice {
                        kind: one.alert.kind,
                        severity: one.alert.severity,
                        message: one.alert.message(value),
                        is_firing: true,
                        value,
                        bound: one.alert.bound,
                        raised_s: at_s,
                    };
                    one.standing = Some(notice.clone());
                    notices.push(notice);
                }
                Some(Change::Resolved) => {
                    let resolved = one.standing.take().map(Notice::resolved);
                    notices.extend(resolved);
                }
                None => {}
            }
        }
        notices
    }
}

impl Notice {
    /// The same alert, resolved.
    #[must_use]
    pub fn resolved(self) -> Self {
        Self {
            is_firing: false,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: u32, p95_ms: f64) -> Second {
        Second {
            at_s: f64::from(at),
            requests: 10,
            p95_ms: Some(p95_ms),
            ..Second::default()
        }
    }

    #[test]
    fn aia_44_an_alert_is_told_once_and_again_when_it_is_over() {
        let mut live = LiveAlerts::default();
        let mut told = Vec::new();
        for at in 0..30 {
            let p95_ms = if at < 12 { 150.0 } else { 20.0 };
            let notices = live.second(&second(at, p95_ms));
            told.extend(notices.into_iter().map(|it| (at, it.kind, it.is_firing)));
            assert_eq!(
                live.standing().count(),
                usize::from((4..16).contains(&at)),
                "{at}"
            );
        }
        assert_eq!(
            told,
            [
                (4, "latency_p95_high", true),
                (16, "latency_p95_high", false)
            ]
        );
    }

    #[test]
    fn resources_raise_by_the_busiest_host() {
        let mut live = LiveAlerts::default();
        let host = |at: u32, name: &str, cpu: f64| ResourceSample {
            at_s: f64::from(at),
            host: Some(name.to_owned()),
            cpu_ratio: Some(cpu),
            ..ResourceSample::default()
        };
        let samples: Vec<ResourceSample> = (0..6)
            .flat_map(|at| [host(at, "idle", 0.1), host(at, "busy", 0.9)])
            .collect();
        let notices = live.samples(&samples);
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert_eq!(notices[0].message, "CPU usage 90.00% exceeds 80% threshold");
        assert_eq!(notices[0].raised_s, 4.0);
    }
}
