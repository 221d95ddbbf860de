//! Every interleaving of a few threads on the budget's word and on the breaker's state.
//! `cargo test --package resilience --features loom --test loom --release`
#![cfg(feature = "loom")]
#![allow(clippy::disallowed_methods)] // a test reads the clock that the cores are given

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread;
use resilience::breaker::{Breaker, Config, Outcome, State};
use resilience::budget::Budget;
use resilience::retry;

/// A budget that fills by deposits alone, each of them worth `ratio` of a call. One call is there
/// from the start.
fn budget(ratio: f64, now: Instant) -> Arc<Budget> {
    let config = retry::Config {
        budget_ratio: ratio,
        budget_floor_per_s: 1.0,
        ..retry::Config::default()
    };
    Arc::new(Budget::new(&config, now))
}

#[test]
fn one_token_is_spent_once() {
    loom::model(|| {
        let now = Instant::now();
        let budget = budget(0.2, now);
        let spend = |budget: &Arc<Budget>| {
            let budget = budget.clone();
            thread::spawn(move || u32::from(budget.withdraw(now)))
        };
        let threads = [spend(&budget), spend(&budget)];
        let spent: u32 = threads.map(|it| it.join().expect("no panic")).iter().sum();
        assert_eq!(spent, 1);
    });
}

#[test]
fn concurrent_deposits_and_withdrawals_lose_and_create_nothing() {
    loom::model(|| {
        let now = Instant::now();
        let budget = budget(1.0, now);
        let work = |budget: &Arc<Budget>| {
            let budget = budget.clone();
            thread::spawn(move || {
                budget.deposit(now);
                u32::from(budget.withdraw(now)) + u32::from(budget.withdraw(now))
            })
        };
        let threads = [work(&budget), work(&budget)];
        let spent: u32 = threads.map(|it| it.join().expect("no panic")).iter().sum();
        let left = budget.available(now).round() as u32;
        assert_eq!(spent + left, 3, "one from the start and two deposits");
    });
}

#[test]
fn a_refill_is_granted_once() {
    loom::model(|| {
        let now = Instant::now();
        let budget = budget(0.0, now);
        assert!(budget.withdraw(now));
        let later = now + Duration::from_secs(1);
        let spend = |budget: &Arc<Budget>| {
            let budget = budget.clone();
            thread::spawn(move || u32::from(budget.withdraw(later)))
        };
        let threads = [spend(&budget), spend(&budget)];
        let spent: u32 = threads.map(|it| it.join().expect("no panic")).iter().sum();
        assert_eq!(spent, 1);
    });
}

/// Open, with no time to wait: the next call is a trial.
fn due(trials: u32) -> (Breaker, resilience::breaker::Permit) {
    let config = Config {
        consecutive_failures: 1,
        half_open_calls: trials,
        failure_rate: 1.0,
        open_ms: 0,
        max_open_ms: 0,
        jitter: 0.0,
        ..Config::default()
    };
    let breaker = Breaker::new(config, |_| {});
    let straggler = breaker.acquire().expect("closed");
    let failing = breaker.acquire().expect("closed");
    failing.report(Outcome::Failure, Duration::ZERO, None);
    assert_eq!(breaker.state(), State::Open);
    (breaker, straggler)
}

#[test]
fn one_trial_is_given_to_one_caller() {
    loom::model(|| {
        let (breaker, straggler) = due(1);
        let ask = |breaker: &Breaker| {
            let breaker = breaker.clone();
            thread::spawn(move || breaker.acquire().ok())
        };
        let threads = [ask(&breaker), ask(&breaker)];
        let permits = threads.map(|it| it.join().expect("no panic"));
        assert_eq!(permits.iter().flatten().count(), 1);
        assert_eq!(breaker.state(), State::HalfOpen);
        drop((permits, straggler));
    });
}

#[test]
fn a_late_result_neither_closes_nor_reopens() {
    for said in [Outcome::Failure, Outcome::Success] {
        loom::model(move || {
            let (breaker, straggler) = due(1);
            let trial = breaker.acquire().expect("a trial");
            let late = thread::spawn(move || straggler.report(said, Duration::ZERO, None));
            let good = thread::spawn(move || trial.report(Outcome::Success, Duration::ZERO, None));
            late.join().expect("no panic");
            good.join().expect("no panic");
            assert_eq!(breaker.state(), State::Closed);
            assert_eq!(breaker.counts().calls, 0, "it is not counted later either");
        });
    }
}

#[test]
fn a_cancelled_trial_never_blocks_the_breaker() {
    loom::model(|| {
        let (breaker, straggler) = due(1);
        let trial = breaker.acquire().expect("a trial");
        let leave = thread::spawn(move || drop(trial));
        let ask = {
            let breaker = breaker.clone();
            thread::spawn(move || drop(breaker.acquire()))
        };
        leave.join().expect("no panic");
        ask.join().expect("no panic");
        drop(straggler);
        let again = breaker.acquire().expect("the permit came back");
        again.report(Outcome::Success, Duration::ZERO, None);
        assert_eq!(breaker.state(), State::Closed);
    });
}
