//! The observations of a drill, and their aggregates over a period.

use std::ops::Range;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::Bounds;
use super::breaker::BreakerState;

/// Progress messages.
#[derive(Debug, Clone)]
pub enum Stage {
    Steadying,
    Injected {
        detector: String,
        patch: String,
    },
    Reverted {
        detector: String,
    },
    Breaker {
        detector: String,
        state: BreakerState,
    },
    Recovering,
}

/// A request sent by the drill itself. Times are from the drill's start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    #[serde(serialize_with = "seconds")]
    pub sent: Duration,
    #[serde(serialize_with = "seconds")]
    pub took: Duration,
    /// 0: no response.
    pub status: u16,
    pub coverage: f64,
}

impl Probe {
    pub fn answered(&self) -> bool {
        matches!(self.status, 200 | 206)
    }
}

/// A change of a breaker's state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BreakerSeen {
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    pub detector: String,
    pub state: BreakerState,
}

/// The calls of a detector in requests so far, by the orchestrator's metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct CallsSeen {
    pub at: Duration,
    pub detector: String,
    pub calls: Calls,
}

/// Calls of a detector in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Calls {
    pub made: u64,
    /// Those that failed, were late, or were not tried because the detector was unavailable.
    pub failed: u64,
}

impl Calls {
    /// 0 without calls.
    pub fn failed_percent(self) -> f64 {
        100.0 * self.failed as f64 / self.made.max(1) as f64
    }
}

/// An action of the drill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// `injected` or `reverted`.
    pub what: &'static str,
    pub detector: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}

impl Event {
    /// The journal entry of a stage; breakers are recorded separately.
    pub(super) fn of(at: Duration, stage: &Stage) -> Option<Self> {
        let (what, detector, patch) = match stage {
            Stage::Injected { detector, patch } => ("injected", detector, Some(patch.clone())),
            Stage::Reverted { detector } => ("reverted", detector, None),
            Stage::Steadying | Stage::Breaker { .. } | Stage::Recovering => return None,
        };
        Some(Self {
            at,
            what,
            detector: detector.clone(),
            patch,
        })
    }
}

/// All observations so far.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Observations {
    pub probes: Vec<Probe>,
    pub breakers: Vec<BreakerSeen>,
    /// A reading for each change of a counter. The journal has their differences, in the outcome.
    #[serde(skip)]
    pub calls: Vec<CallsSeen>,
    /// Faults as they were injected and reverted.
    pub events: Vec<Event>,
    /// Probes not sent because too many were in flight; without them the measurements are too good.
    pub probes_left_out: u64,
    /// Probes not sent because of limits of this machine, by reason.
    pub own_limits: IndexMap<&'static str, u64>,
    /// Number of successful polls of the breakers.
    pub looks: u64,
    /// Number of failed polls, and the last error.
    pub failed_reads: u64,
    pub last_failed_read: Option<String>,
}

/// The measurements of a period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    pub probes: usize,
    /// Share of probes with a full or partial response.
    pub answered: f64,
    /// Mean over the responses; 0 without any.
    pub coverage: f64,
    /// Nearest rank, in milliseconds; infinite (null in JSON) if one in twenty received no response.
    pub p95_ms: f64,
}

impl Observations {
    pub(super) fn note_look(&mut self, look: Result<(), String>) {
        match look {
            Ok(()) => self.looks += 1,
            Err(why) => {
                self.failed_reads += 1;
                self.last_failed_read = Some(why);
            }
        }
    }

    /// The reasons why the observations are untrusted.
    pub(super) fn distrust(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.probes_left_out > 0 {
            reasons.push(format!("{} probes were left out", self.probes_left_out));
        }
        let limits = self.own_limits.iter();
        reasons.extend(limits.map(|(why, count)| format!("{count} probes were not sent: {why}")));
        if self.looks == 0 {
            let why = self
                .last_failed_read
                .as_deref()
                .unwrap_or("no poll was made");
            reasons.push(format!("the breaker states could not be read: {why}"));
        }
        reasons
    }

    /// The probes sent in `stretch`; `None` without any.
    pub fn measure(&self, stretch: Range<Duration>) -> Option<Measured> {
        let probes: Vec<&Probe> = self
            .probes
            .iter()
            .filter(|probe| stretch.contains(&probe.sent))
            .collect();
        if probes.is_empty() {
            return None;
        }
        let answers: Vec<&&Probe> = probes.iter().filter(|probe| probe.answered()).collect();
        let covered: f64 = answers.iter().map(|probe| probe.coverage).sum();
        let mut times: Vec<f64> = probes
            .iter()
            .map(|probe| match probe.status {
                0 => f64::INFINITY,
                _ => probe.took.as_secs_f64() * 1e3,
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let rank = (times.len() * 95).div_ceil(100);
        Some(Measured {
            probes: probes.len(),
            answered: answers.len() as f64 / probes.len() as f64,
            // The sum of nothing is -0.0.
            coverage: covered.abs() / answers.len().max(1) as f64,
            p95_ms: times[rank - 1],
        })
    }

    /// The detectors whose breaker was not closed when last seen.
    pub fn breakers_not_closed(&self) -> impl Iterator<Item = &str> {
        let last = |detector: &str| {
            self.breakers
                .iter()
                .rev()
                .find(|seen| seen.detector == detector)
        };
        self.breakers
            .iter()
            .filter(move |seen| {
                last(&seen.detector) == Some(*seen) && seen.state != BreakerState::Closed
            })
            .map(|seen| seen.detector.as_str())
    }
}

impl Bounds {
    /// Every bound that `measured` violates, as a line of text.
    pub fn broken_by(&self, measured: &Measured) -> Vec<String> {
        let mut broken = Vec::new();
        for (what, least, value) in [
            ("answered", self.answered, measured.answered),
            ("coverage", self.coverage, measured.coverage),
        ] {
            if let Some(least) = least.filter(|least| value < *least) {
                broken.push(format!("{what} {value:.3}, expected at least {least}"));
            }
        }
        if let Some(most) = self.p95_ms.filter(|most| measured.p95_ms > *most as f64) {
            broken.push(format!(
                "p95 {:.0} ms, expected at most {most}",
                measured.p95_ms
            ));
        }
        broken
    }
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn probe(sent: u64, status: u16, took_ms: u64, coverage: f64) -> Probe {
        Probe {
            sent: at(sent),
            status,
            took: Duration::from_millis(took_ms),
            coverage,
        }
    }

    #[test]
    fn only_the_stretch_counts_and_errors_have_no_coverage() {
        let probes = vec![
            probe(0, 500, 1, 0.0),
            probe(1, 200, 100, 1.0),
            probe(2, 206, 300, 0.5),
            probe(3, 502, 10, 0.0),
            probe(4, 500, 1, 0.0),
        ];
        let seen = Observations {
            probes,
            ..Observations::default()
        };
        let measured = seen.measure(at(1)..at(4)).expect("probes");
        assert_eq!(measured.probes, 3);
        assert!((measured.answered - 2.0 / 3.0).abs() < 1e-9);
        assert!((measured.coverage - 0.75).abs() < 1e-9);
        assert_eq!(seen.measure(at(9)..at(10)), None);
    }

    #[test]
    fn a_probe_without_an_answer_is_later_than_any_bound() {
        let probes = (0..10)
            .map(|n| probe(1, if n == 0 { 0 } else { 200 }, 5, 1.0))
            .collect();
        let seen = Observations {
            probes,
            ..Observations::default()
        };
        let measured = seen.measure(at(0)..at(2)).expect("probes");
        let bounds = Bounds {
            p95_ms: Some(1_000_000),
            ..Bounds::default()
        };
        assert_eq!(bounds.broken_by(&measured).len(), 1);
    }

    #[test]
    fn the_last_state_of_each_breaker_counts() {
        let seen = |at: u64, detector: &str, state| BreakerSeen {
            at: Duration::from_secs(at),
            detector: detector.to_owned(),
            state,
        };
        let breakers = vec![
            seen(1, "a", BreakerState::Open),
            seen(2, "b", BreakerState::Open),
            seen(3, "a", BreakerState::Closed),
        ];
        let observations = Observations {
            breakers,
            ..Observations::default()
        };
        assert_eq!(
            observations.breakers_not_closed().collect::<Vec<_>>(),
            ["b"]
        );
    }
}
