//! The detectors that the faults affected, beside those that they left alone (N-07). Pure.
//!
//! Clients of the orchestrator see one endpoint, so that a drill compares detectors: the results of their calls in
//! requests, from the orchestrator's metrics. All detectors have the same requests at the same time, which makes the
//! unaffected ones the concurrent control group.

use std::fmt;
use std::time::Duration;

use analysis::Interval;
use analysis::blast_radius::BlastRadius;
use analysis::fault::Exposure;
use analysis::proportion::Count;
use serde::Serialize;

use super::Drill;
use super::observe::{Calls, CallsSeen, Observations};

/// A detector is affected only if more than the rest of its calls failed.
const GOOD_SHARE: f64 = 0.9;
/// Significance level over all detectors.
const LEVEL: f64 = 0.05;

const RULE: &str = "more than 10 % of its calls in requests failed, were late or were refused by a breaker during the faults; more than \
     in the steady state, and by more than those of the control group did at the same time (the detectors that did not get \
     worse), each at 5 % for all detectors together (Benjamini and Hochberg)";

/// Whom the faults of a drill affected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reach {
    pub affected: Vec<Affected>,
    /// Detectors that got worse, but no more than the control group did.
    pub spared: Vec<String>,
    /// `None` where every detector got worse; the steady state alone decides then.
    pub control: Option<Control>,
    /// Calls of the affected that neither the steady state nor the control group explains.
    pub calls_beyond_control: Option<f64>,
    /// Detectors with calls in the steady state and during the faults.
    pub detectors: usize,
    pub rule: &'static str,
}

/// An affected detector.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Affected {
    pub detector: String,
    /// Whether a fault was injected into it.
    pub faulted: bool,
    pub before: Calls,
    pub during: Calls,
    /// The 95 % interval of the rise of its failed share, and of what exceeds the rise of the control group.
    pub difference: [f64; 2],
    pub adjusted_p_value: f64,
    pub beyond_control: Option<[f64; 2]>,
}

/// The detectors that did not get worse, together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Control {
    pub detectors: usize,
    pub before: Calls,
    pub during: Calls,
}

impl Reach {
    /// `None` if no detector had calls both in the steady state and during the faults.
    pub fn of(drill: &Drill, seen: &Observations) -> Option<Self> {
        let begin = Duration::from_millis(drill.steady_state.after_ms);
        let (injection, end) = (drill.injection(), drill.end_of_faults());
        let mut detectors: Vec<&str> = Vec::new();
        for it in &seen.calls {
            if !detectors.contains(&it.detector.as_str()) {
                detectors.push(&it.detector);
            }
        }
        let exposures: Vec<Exposure<'_>> = detectors
            .into_iter()
            .map(|name| {
                let own: Vec<&CallsSeen> =
                    seen.calls.iter().filter(|it| it.detector == name).collect();
                let [begin, injection, end] = [begin, injection, end].map(|at| until(&own, at));
                Exposure {
                    name,
                    exposed: count(injection, end),
                    control: count(begin, injection),
                }
            })
            .filter(|it| it.exposed.trials > 0 && it.control.trials > 0)
            .collect();
        if exposures.is_empty() {
            return None;
        }
        let radius = BlastRadius::of(&exposures, GOOD_SHARE, LEVEL).ok()?;
        let is_faulted = |name: &str| {
            let mut faults = drill.faults.iter();
            faults.any(|fault| fault.detector == "all" || fault.detector == name)
        };
        Some(Self {
            calls_beyond_control: radius.requests_beyond_control(),
            control: radius.control.map(|control| Control {
                detectors: control.members,
                before: control.shares.before.into(),
                during: control.shares.during.into(),
            }),
            detectors: radius.watched,
            affected: radius
                .affected
                .into_iter()
                .map(|it| Affected {
                    faulted: is_faulted(&it.hit.name),
                    before: it.before.into(),
                    during: it.during.into(),
                    difference: bounds(it.hit.difference),
                    adjusted_p_value: it.hit.adjusted_p_value,
                    beyond_control: it.beyond.map(|beyond| bounds(beyond.difference)),
                    detector: it.hit.name,
                })
                .collect(),
            spared: radius.spared,
            rule: RULE,
        })
    }
}

fn bounds(interval: Interval) -> [f64; 2] {
    [interval.lower, interval.upper]
}

/// The counters of a detector at a time: the last reading before, or the first one.
fn until(seen: &[&CallsSeen], at: Duration) -> Calls {
    let last = seen.iter().rev().find(|it| it.at <= at);
    let reading = last.or(seen.first());
    reading.map(|it| it.calls).unwrap_or_default()
}

/// The calls between two readings; an orchestrator that was restarted begins at zero.
fn count(from: Calls, to: Calls) -> Count {
    let made = to.made.saturating_sub(from.made);
    Count::new(to.failed.saturating_sub(from.failed).min(made), made)
}

impl From<Count> for Calls {
    fn from(count: Count) -> Self {
        Self {
            made: count.trials,
            failed: count.hits,
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |faulted: bool| {
            let affected = self.affected.iter();
            let names: Vec<&str> = affected
                .filter(|it| it.faulted == faulted)
                .map(|it| it.detector.as_str())
                .collect();
            names.join(", ")
        };
        let (faulted, others) = (names(true), names(false));
        f.write_str("affected detectors: ")?;
        f.write_str(match (faulted.is_empty(), others.is_empty()) {
            (true, true) => "none",
            (true, false) => "none with a fault",
            (false, _) => &faulted,
        })?;
        if !others.is_empty() {
            write!(f, "; without a fault: {others}")?;
        }
        match &self.control {
            Some(control) => write!(
                f,
                "\ncontrol group: {}, failed calls {:.1} % before, {:.1} % meanwhile",
                match control.detectors {
                    1 => "1 detector".to_owned(),
                    n => format!("{n} detectors"),
                },
                control.before.failed_percent(),
                control.during.failed_percent()
            ),
            None => f.write_str("\ncontrol group: none, because every detector got worse"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Steady from 2 to 4 s, a fault of `a` from 4 to 8 s.
    fn drill() -> Drill {
        live_config::read::from_value(json!({
            "title": "t",
            "steady_state": {"for_ms": 2000, "expect": {}},
            "faults": [{"detector": "a", "patch": {}, "for_ms": 4000}],
            "recover": {"within_ms": 3000},
        }))
        .expect("a sound drill")
    }

    /// Readings of a detector every 200 ms with 10 calls in each; of a hundred, so many fail before and during the fault.
    fn calls(detector: &str, before: u64, during: u64) -> Vec<CallsSeen> {
        let mut calls = Calls {
            made: 1_000,
            failed: 900,
        };
        let reading = |at: u64| {
            let share = if (4_001..=8_000).contains(&at) {
                during
            } else {
                before
            };
            calls.made += 10;
            calls.failed += share / 10;
            CallsSeen {
                at: Duration::from_millis(at),
                detector: detector.to_owned(),
                calls,
            }
        };
        (0..75).map(|n| n * 200).map(reading).collect()
    }

    fn reach(of: [(&str, u64, u64); 3]) -> Option<Reach> {
        let seen = Observations {
            calls: of
                .into_iter()
                .flat_map(|(name, before, during)| calls(name, before, during))
                .collect(),
            ..Observations::default()
        };
        Reach::of(&drill(), &seen)
    }

    #[test]
    fn exactly_the_faulty_detector_is_in_the_radius() {
        let found = reach([("a", 0, 80), ("b", 10, 10), ("c", 0, 0)]).expect("calls");
        let affected = &found.affected;
        assert_eq!(affected.len(), 1, "{found:?}");
        assert!(affected[0].faulted && affected[0].detector == "a");
        assert_eq!(affected[0].before.failed, 0);
        let calls = |made, failed| Calls { made, failed };
        let control = found.control.expect("two others");
        assert_eq!((control.detectors, control.before), (2, calls(200, 10)));
        let shown = found.to_string();
        assert!(shown.starts_with("affected detectors: a\n"), "{shown}");
        let group = "control group: 2 detectors, failed calls 5.0 % before, 5.0 % meanwhile";
        assert!(shown.ends_with(group), "{shown}");
        let beyond = affected[0].beyond_control.expect("a control group");
        assert!(beyond[0] > 0.6 && beyond[1] < 0.95, "{beyond:?}");
    }

    #[test]
    fn a_detector_without_a_fault_that_fails_with_the_others_is_named() {
        let found = reach([("a", 0, 80), ("b", 0, 50), ("c", 0, 0)]).expect("calls");
        let shown = found.to_string();
        let line = "affected detectors: a; without a fault: b\n";
        assert!(shown.starts_with(line), "{shown}");
        let spread = found.affected.iter().filter(|it| !it.faulted).count();
        assert_eq!(spread, 1);
    }

    #[test]
    fn faults_of_all_leave_no_control_group_and_no_calls_leave_no_answer() {
        let found = reach([("a", 0, 80), ("b", 0, 80), ("c", 0, 80)]).expect("calls");
        assert!(found.to_string().ends_with("every detector got worse"));
        assert_eq!(found.calls_beyond_control, None);
        assert_eq!(Reach::of(&drill(), &Observations::default()), None);
        // An unchanged counter has no readings after the first.
        let still = CallsSeen {
            at: Duration::ZERO,
            detector: "d".to_owned(),
            calls: Calls::default(),
        };
        let seen = Observations {
            calls: vec![still],
            ..Observations::default()
        };
        assert_eq!(Reach::of(&drill(), &seen), None);
    }
}
