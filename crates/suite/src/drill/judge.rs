//! Derives the verdict from the observations. Pure: the same observations give the same verdict.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::breaker::BreakerState;
use super::observe::{Measured, Observations};
use super::reach::Reach;
use super::{Bounds, Drill, Opens};

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All requirements were met.
    Passed,
    /// A requirement was not met.
    Failed,
    /// The system was not steady at the start, so nothing was injected.
    NotSteady,
    /// The measurement is not valid.
    Untrusted,
    /// Ended early by a signal; no requirement was judged.
    Interrupted,
}

/// The measurements of a drill. Times are in seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub verdict: Verdict,
    pub before: Option<Measured>,
    pub during: Option<Measured>,
    /// From when the breaker opened until the last fault's end.
    pub after_detection: Option<Measured>,
    /// From the first fault until the first incomplete response.
    pub time_to_impact_s: Option<f64>,
    /// From the first fault until the breaker opened.
    pub time_to_detect_s: Option<f64>,
    /// From the end of the last fault until the steady state held and the breakers opened by the faults
    /// were closed.
    pub time_to_recover_s: Option<f64>,
    /// Probes from the first fault until recovery without a response.
    pub unanswered: usize,
    /// The detectors that the faults affected, with their concurrent control group.
    pub reach: Option<Reach>,
    /// The requirements that were not met, one per line.
    pub broken: Vec<String>,
}

/// The reasons why the system is not steady before the first fault; empty if it is.
pub fn unsteady(drill: &Drill, seen: &Observations) -> Vec<String> {
    match before(drill, seen) {
        None => vec!["no probe received a response".to_owned()],
        Some(measured) => drill.steady_state.expect.broken_by(&measured),
    }
}

/// The measurements of the steady state. A probe in flight at the start of the first fault may be affected by
/// it, so that it is not part of them.
fn before(drill: &Drill, seen: &Observations) -> Option<Measured> {
    let begin = Duration::from_millis(drill.steady_state.after_ms);
    let ended = seen
        .probes
        .iter()
        .filter(|probe| probe.sent + probe.took <= drill.injection());
    let seen = Observations {
        probes: ended.cloned().collect(),
        ..Observations::default()
    };
    seen.measure(begin..drill.injection())
}

/// When the steady state held again for the length of the first observation, with the breakers opened by
/// the faults closed. `now` is the time since the start of the drill; `None`: not yet.
pub fn recovered(drill: &Drill, seen: &Observations, now: Duration) -> Option<Duration> {
    let opened = opened_by_faults(drill, seen);
    if seen
        .breakers_not_closed()
        .any(|name| opened.contains(&name))
    {
        return None;
    }
    let faults_end = drill.end_of_faults();
    let last_move = seen
        .breakers
        .iter()
        .filter(|breaker| opened.contains(&breaker.detector.as_str()))
        .map(|breaker| breaker.at)
        .max()
        .unwrap_or_default();
    let stable = Duration::from_millis(drill.steady_state.for_ms);
    let begins = seen.probes.iter().map(|probe| probe.sent);
    let mut candidates: Vec<Duration> = begins
        .filter(|sent| *sent >= faults_end.max(last_move) && *sent + stable <= now)
        .collect();
    candidates.sort();
    candidates.into_iter().find(|begin| {
        let measured = seen.measure(*begin..*begin + stable);
        measured.is_some_and(|measured| holds(&drill.steady_state.expect, &measured))
    })
}

/// The faulted detectors whose breaker opened during the faults; if the drill names required ones, only
/// these. A breaker that opens for another reason says nothing about recovery.
fn opened_by_faults<'a>(drill: &Drill, seen: &'a Observations) -> Vec<&'a str> {
    let named = drill.detect.as_ref().map(|detect| &detect.breaker_opens);
    let faulted = |name: &str| match named {
        Some(Opens::Each(names)) => names.iter().any(|chosen| chosen == name),
        Some(Opens::One(chosen)) if chosen != "any" => chosen == name,
        _ => {
            let mut chosen = drill.faults.iter().map(|fault| fault.detector.as_str());
            chosen.any(|chosen| chosen == "all" || chosen == name)
        }
    };
    let spell = drill.injection()..=drill.end_of_faults();
    seen.breakers
        .iter()
        .filter(|breaker| breaker.state == BreakerState::Open && spell.contains(&breaker.at))
        .map(|breaker| breaker.detector.as_str())
        .filter(|name| faulted(name))
        .collect()
}

fn holds(bounds: &Bounds, measured: &Measured) -> bool {
    bounds.broken_by(measured).is_empty()
}

/// The verdict on a completed drill. `invalid_because` contains the reasons why the measurement is not valid.
pub fn judge(
    drill: &Drill,
    seen: &Observations,
    now: Duration,
    invalid_because: &[String],
) -> Outcome {
    let before = before(drill, seen);
    let unsteady = unsteady(drill, seen);
    if !unsteady.is_empty() {
        return Outcome {
            verdict: Verdict::NotSteady,
            before,
            during: None,
            after_detection: None,
            time_to_impact_s: None,
            time_to_detect_s: None,
            time_to_recover_s: None,
            unanswered: 0,
            reach: None,
            broken: unsteady,
        };
    }
    let begin = drill.injection();
    let recovery = recovered(drill, seen, now);
    let stretch = begin..recovery.unwrap_or(now);
    let during = seen.measure(stretch.clone());
    let detected = detected(drill, seen, begin);
    let after_detection =
        detected.and_then(|took| seen.measure(begin + took..drill.end_of_faults()));
    let mut broken = match &during {
        Some(measured) => drill.during.broken_by(measured),
        None => vec!["no probe was sent during the faults".to_owned()],
    };
    broken.extend(late(drill, detected, recovery));
    broken.extend(unhelped(drill, detected, after_detection.as_ref()));
    broken.extend(invalid_because.iter().cloned());
    let impact = seen
        .probes
        .iter()
        .filter(|probe| probe.sent >= begin && probe.status != 200);
    Outcome {
        verdict: match (invalid_because.is_empty(), broken.is_empty()) {
            (false, _) => Verdict::Untrusted,
            (true, false) => Verdict::Failed,
            (true, true) => Verdict::Passed,
        },
        before,
        during,
        after_detection,
        time_to_impact_s: impact
            .map(|probe| (probe.sent + probe.took - begin).as_secs_f64())
            .reduce(f64::min),
        time_to_detect_s: detected.map(|at| at.as_secs_f64()),
        time_to_recover_s: recovery
            .map(|at| at.saturating_sub(drill.end_of_faults()).as_secs_f64()),
        unanswered: seen
            .probes
            .iter()
            .filter(|probe| stretch.contains(&probe.sent) && !probe.answered())
            .count(),
        reach: Reach::of(drill, seen),
        broken,
    }
}

/// The time from the first fault until the required breakers had opened.
fn detected(drill: &Drill, seen: &Observations, begin: Duration) -> Option<Duration> {
    let first = |asked: &str| {
        seen.breakers
            .iter()
            .filter(|breaker| breaker.state == BreakerState::Open && breaker.at >= begin)
            .filter(|breaker| asked == "any" || breaker.detector == asked)
            .map(|breaker| breaker.at - begin)
            .min()
    };
    match drill.detect.as_ref().map(|detect| &detect.breaker_opens) {
        None => first("any"),
        Some(Opens::One(name)) => first(name),
        Some(Opens::Each(names)) => {
            let firsts = names.iter().map(|name| first(name));
            firsts.collect::<Option<Vec<_>>>()?.into_iter().max()
        }
    }
}

fn late(drill: &Drill, detected: Option<Duration>, recovery: Option<Duration>) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(detect) = &drill.detect {
        let within = Duration::from_millis(detect.within_ms);
        match detected {
            None => broken.push(format!(
                "the breaker of {} never opened",
                detect.breaker_opens
            )),
            Some(took) if took > within => broken.push(format!(
                "the breaker of {} opened after {:.1} s; the limit is {:.1} s",
                detect.breaker_opens,
                took.as_secs_f64(),
                within.as_secs_f64()
            )),
            Some(_) => {}
        }
    }
    let within = Duration::from_millis(drill.recover.within_ms);
    if recovery.is_none_or(|at| at > drill.end_of_faults() + within) {
        broken.push(format!(
            "not recovered within {:.1} s",
            within.as_secs_f64()
        ));
    }
    broken
}

/// Requirements after the detection that were not met.
fn unhelped(drill: &Drill, detected: Option<Duration>, after: Option<&Measured>) -> Vec<String> {
    let Some(detect) = &drill.detect else {
        return Vec::new();
    };
    let lines = match after {
        Some(measured) => detect.then.broken_by(measured),
        None if detected.is_some() && detect.then != Bounds::default() => {
            vec!["no probe was sent before the faults ended".to_owned()]
        }
        None => Vec::new(),
    };
    let lines = lines.into_iter();
    lines
        .map(|line| format!("after detection {line}"))
        .collect()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, measured) in [
            ("before", &self.before),
            ("during", &self.during),
            ("after detection", &self.after_detection),
        ] {
            let Some(m) = measured else { continue };
            writeln!(
                f,
                "{name}: {} probes, answered {:.1} %, coverage {:.2}, p95 {:.0} ms",
                m.probes,
                m.answered * 100.0,
                m.coverage,
                m.p95_ms
            )?;
        }
        for (name, time) in [
            ("first incomplete answer", self.time_to_impact_s),
            ("time to detect", self.time_to_detect_s),
            ("time to recover", self.time_to_recover_s),
        ] {
            match time {
                Some(time) => writeln!(f, "{name}: {time:.1} s")?,
                None => writeln!(f, "{name}: never")?,
            }
        }
        writeln!(f, "unanswered: {}", self.unanswered)?;
        if let Some(reach) = &self.reach {
            writeln!(f, "{reach}")?;
        }
        for line in &self.broken {
            writeln!(f, "  BROKEN  {line}")?;
        }
        let verdict = match self.verdict {
            Verdict::Passed => "PASSED",
            Verdict::Failed => "FAILED",
            Verdict::NotSteady => "NOT STEADY, nothing was injected",
            Verdict::Untrusted => "UNTRUSTED, the measurement is not valid",
            Verdict::Interrupted => "INTERRUPTED, no requirement was judged",
        };
        write!(f, "verdict: {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::observe::{BreakerSeen, Probe};
    use super::*;

    /// Steady from 2 to 4 s, a fault from 4 to 8 s, one probe every 100 ms.
    fn drill() -> Drill {
        live_config::read::from_value(json!({
            "title": "t",
            "steady_state": {"for_ms": 2000, "expect": {"answered": 1.0, "coverage": 0.9}},
            "faults": [{"detector": "a", "patch": {}, "for_ms": 4000}],
            "during": {"answered": 0.9, "p95_ms": 100},
            "detect": {"breaker_opens": "a", "within_ms": 1000},
            "recover": {"within_ms": 3000},
        }))
        .expect("a sound drill")
    }

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// Coverage is half from `from` to `to`; the breaker is open from `open` to `to`.
    fn seen(from: u64, to: u64, open: Option<u64>) -> Observations {
        let probes = (0..150).map(|n| n * 100).map(|at| {
            let hit = (from..to).contains(&at);
            let (status, coverage) = if hit { (206, 0.5) } else { (200, 1.0) };
            Probe {
                sent: ms(at),
                took: ms(10),
                status,
                coverage,
            }
        });
        let breaker = |at, state| BreakerSeen {
            at: ms(at),
            detector: "a".to_owned(),
            state,
        };
        let breakers = open.map(|at| {
            vec![
                breaker(at, BreakerState::Open),
                breaker(to, BreakerState::Closed),
            ]
        });
        Observations {
            probes: probes.collect(),
            breakers: breakers.unwrap_or_default(),
            ..Observations::default()
        }
    }

    fn check(seen: &Observations, verdict: Verdict, line: &str) -> Outcome {
        let outcome = judge(&drill(), seen, ms(15_000), &[]);
        assert_eq!(outcome.verdict, verdict, "{outcome}");
        assert!(outcome.to_string().contains(line), "{outcome}");
        outcome
    }

    #[test]
    fn the_times_are_measured_from_begin_and_end_of_the_fault() {
        let outcome = check(
            &seen(4_500, 9_000, Some(4_700)),
            Verdict::Passed,
            "verdict: PASSED",
        );
        assert_eq!(outcome.time_to_detect_s, Some(0.7));
        assert_eq!(outcome.time_to_recover_s, Some(1.0));
        assert_eq!(outcome.time_to_impact_s, Some(0.51));
        assert_eq!(outcome.during.map(|m| m.probes), Some(50));
    }

    #[test]
    fn a_breaker_that_stays_closed_fails_the_drill() {
        check(
            &seen(4_500, 9_000, None),
            Verdict::Failed,
            "the breaker of a never opened",
        );
    }

    #[test]
    fn all_breakers_of_a_list_have_to_open_and_the_last_one_counts() {
        let mut drill = drill();
        let names = ["a", "b"].map(str::to_owned).to_vec();
        drill.detect.as_mut().expect("asked").breaker_opens = Opens::Each(names);
        let mut seen = seen(4_500, 9_000, Some(4_700));
        let outcome = judge(&drill, &seen, ms(15_000), &[]);
        let line = "the breaker of a, b never opened";
        assert!(outcome.broken.iter().any(|it| it == line), "{outcome}");
        seen.breakers.push(BreakerSeen {
            at: ms(4_900),
            detector: "b".to_owned(),
            state: BreakerState::Open,
        });
        let outcome = judge(&drill, &seen, ms(15_000), &[]);
        assert_eq!(outcome.time_to_detect_s, Some(0.9), "{outcome}");
    }

    #[test]
    fn answers_that_stay_slow_after_detection_fail_the_drill() {
        let mut drill = drill();
        drill.detect.as_mut().expect("asked").then.p95_ms = Some(50);
        let mut seen = seen(4_500, 9_000, Some(4_700));
        let passes = judge(&drill, &seen, ms(15_000), &[]);
        assert_eq!(passes.verdict, Verdict::Passed, "{passes}");
        for probe in &mut seen.probes {
            let after = probe.sent >= ms(4_700) && probe.sent < ms(8_000);
            probe.took = ms(if after { 60 } else { 10 });
        }
        let outcome = judge(&drill, &seen, ms(15_000), &[]);
        assert_eq!(outcome.verdict, Verdict::Failed, "{outcome}");
        let line = "after detection p95 60 ms, expected at most 50";
        assert_eq!(outcome.broken, [line]);
    }

    #[test]
    fn late_recovery_fails_the_drill() {
        check(
            &seen(4_500, 12_000, Some(4_700)),
            Verdict::Failed,
            "not recovered within 3.0 s",
        );
    }

    #[test]
    fn an_unsteady_system_does_not_fail_a_drill() {
        check(
            &seen(2_500, 9_000, Some(4_700)),
            Verdict::NotSteady,
            "coverage 0.625",
        );
    }

    #[test]
    fn a_probe_that_meets_the_fault_on_its_way_does_not_unsteady_the_time_before() {
        let mut seen = seen(4_500, 9_000, Some(4_700));
        let last = &mut seen.probes[39];
        (last.took, last.status, last.coverage) = (ms(200), 206, 0.5);
        check(&seen, Verdict::Passed, "before: 19 probes");
    }

    #[test]
    fn a_flaky_one_that_is_faulted_with_all_is_not_waited_for() {
        let mut drill = drill();
        drill.faults[0].detector = "all".to_owned();
        let mut seen = seen(4_500, 9_000, Some(4_700));
        for at in [5_000, 9_500] {
            seen.breakers.push(BreakerSeen {
                at: ms(at),
                detector: "flaky".to_owned(),
                state: BreakerState::Open,
            });
        }
        let outcome = judge(&drill, &seen, ms(15_000), &[]);
        assert_eq!(outcome.verdict, Verdict::Passed, "{outcome}");
        drill.detect = None;
        let outcome = judge(&drill, &seen, ms(15_000), &[]);
        assert_eq!(outcome.time_to_recover_s, None, "all are meant: {outcome}");
    }

    #[test]
    fn a_breaker_that_the_faults_did_not_open_is_not_waited_for() {
        let mut seen = seen(4_500, 9_000, Some(4_700));
        for (at, detector) in [(5_000, "neighbour"), (9_500, "a")] {
            seen.breakers.push(BreakerSeen {
                at: ms(at),
                detector: detector.to_owned(),
                state: BreakerState::Open,
            });
        }
        let outcome = judge(&drill(), &seen, ms(15_000), &[]);
        assert_eq!(
            outcome.verdict,
            Verdict::Failed,
            "its own opened again: {outcome}"
        );
        seen.breakers.pop();
        check(&seen, Verdict::Passed, "time to recover: 1.0 s");
    }

    #[test]
    fn reasons_to_distrust_win_over_a_pass() {
        let seen = seen(4_500, 9_000, Some(4_700));
        let outcome = judge(
            &drill(),
            &seen,
            ms(15_000),
            &["3 probes left out".to_owned()],
        );
        assert_eq!(outcome.verdict, Verdict::Untrusted);
    }
}
