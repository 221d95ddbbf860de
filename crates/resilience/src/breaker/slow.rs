//! Calls that are cut off: when and how they count.

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{Config, Core, Outcome, Reason, Report, State};

const MS: Duration = Duration::from_millis(1);

/// The orchestrator's: nine tenths of two seconds.
fn cutting_off() -> Config {
    Config {
        slow_cut_off_ms: Some(1_800),
        jitter: 0.0,
        ..Config::default()
    }
}

fn end(core: &mut Core, now: Instant, outcome: Outcome, elapsed: Duration) {
    let rng = &mut SmallRng::seed_from_u64(0);
    let ticket = core.acquire(now, rng).expect("a permit");
    let report = Report {
        outcome,
        elapsed,
        retry_after: None,
    };
    core.report(ticket, now, report, rng);
}

#[test]
fn calls_that_are_cut_off_late_trip_it_as_slow_and_not_as_consecutive_failures() {
    let now = Instant::now();
    let mut core = Core::new(cutting_off(), now);
    for calls in 1..20 {
        end(&mut core, now, Outcome::CutOff, 1_975 * MS);
        let counts = core.counts(now);
        assert_eq!(
            (counts.calls, counts.slow, counts.failed),
            (calls, calls, 0)
        );
    }
    end(&mut core, now, Outcome::CutOff, 1_975 * MS);
    assert_eq!(core.state(), State::Open);
    let last = core.take_transitions().pop().expect("it opened");
    assert_eq!(last.reason, Reason::SlowCallRate);
}

#[test]
fn a_call_that_is_cut_off_early_is_ignored() {
    let mut now = Instant::now();
    let mut core = Core::new(cutting_off(), now);
    for _ in 0..4 {
        end(&mut core, now, Outcome::Failure, MS);
    }
    for _ in 0..100 {
        end(&mut core, now, Outcome::CutOff, 985 * MS);
    }
    assert_eq!(core.counts(now).calls, 4);
    end(&mut core, now, Outcome::Failure, MS);
    assert_eq!(core.state(), State::Open, "the fifth failure in a row");
    now += Duration::from_secs(60);
    for _ in 0..10 {
        end(&mut core, now, Outcome::CutOff, 985 * MS);
        assert_eq!(core.state(), State::HalfOpen, "the trial was given back");
    }
}

#[test]
fn a_success_as_late_as_a_cut_off_counts_as_slow() {
    let now = Instant::now();
    let mut core = Core::new(cutting_off(), now);
    for _ in 0..100 {
        end(&mut core, now, Outcome::Success, 4_000 * MS);
    }
    assert_eq!(core.state(), State::Closed, "a job has time");
}

#[test]
fn trials_that_are_cut_off_late_reopen_it() {
    let mut now = Instant::now();
    let mut core = Core::new(cutting_off(), now);
    for _ in 0..20 {
        end(&mut core, now, Outcome::CutOff, 1_975 * MS);
    }
    now += Duration::from_secs(60);
    for _ in 0..2 {
        end(&mut core, now, Outcome::CutOff, 1_975 * MS);
    }
    let last = core.take_transitions().pop().expect("it re-opened");
    assert_eq!((last.to, last.reason), (State::Open, Reason::TrialsFailed));
}

/// One in twenty stalls and is cut off, the others take up to two seconds: the slowest detector of
/// the shipped fleet in a steady state, for a day at ten calls a second.
#[test]
fn one_stall_in_twenty_never_trips_it() {
    let now = Instant::now();
    let mut rng = SmallRng::seed_from_u64(7);
    let mut core = Core::new(cutting_off(), now);
    for _ in 0..864_000 {
        let took = match rng.random_bool(0.05) {
            true => 30_000,
            false => rng.random_range(100..2_000),
        };
        match took < 1_975 {
            true => end(&mut core, now, Outcome::Success, took * MS),
            false => end(&mut core, now, Outcome::CutOff, 1_975 * MS),
        }
        assert_eq!(core.state(), State::Closed);
    }
}
