//! The core compared with a slow, obvious model, and cases in which other breakers failed.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::{Config, Core, Outcome, Reason, Report, State, Ticket, Window};

const MS: Duration = Duration::from_millis(1);

/// Remembers everything and recomputes each decision from the whole history.
struct Model {
    config: Config,
    state: State,
    period: u64,
    /// Time and badness of the calls of this period.
    calls: Vec<(Instant, bool, bool)>,
    streak: u32,
    opened: Option<(Instant, Duration)>,
    last_resort: Option<Instant>,
    cycles: u32,
    trials: Vec<Trial>,
    first_trial: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq)]
enum Trial {
    Running,
    Good,
    Bad,
}

impl Model {
    fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Closed,
            period: 0,
            calls: Vec::new(),
            streak: 0,
            opened: None,
            last_resort: None,
            cycles: 0,
            trials: Vec::new(),
            first_trial: None,
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.period += 1;
        self.calls.clear();
        self.streak = 0;
        self.trials.clear();
        self.first_trial = None;
    }

    fn open(&mut self, now: Instant, asked: Option<Duration>) {
        let cap = MS * self.config.max_open_ms as u32;
        let wait = (MS * self.config.open_ms as u32 * 2_u32.pow(self.cycles.min(10))).min(cap);
        self.opened = Some((now, wait.max(asked.unwrap_or_default()).min(cap)));
        let usual = MS * self.config.open_ms as u32;
        self.last_resort = Some(now + usual.max(asked.unwrap_or_default()).min(cap));
        self.enter(State::Open);
    }

    fn pass_time(&mut self, now: Instant) {
        if self.state == State::Open
            && let Some((at, wait)) = self.opened
            && now >= at + wait
        {
            self.enter(State::HalfOpen);
        } else if self.state == State::HalfOpen
            && let Some(first) = self.first_trial
            && now >= first + MS * self.config.half_open_max_ms as u32
        {
            self.cycles += 1;
            self.open(now, None);
        }
    }

    fn acquire(&mut self, now: Instant) -> Option<u64> {
        self.pass_time(now);
        match self.state {
            State::Closed => Some(self.period),
            State::Open => None,
            State::HalfOpen if self.trials.len() as u32 >= self.config.half_open_calls => None,
            State::HalfOpen => {
                self.trials.push(Trial::Running);
                self.first_trial.get_or_insert(now);
                Some(self.period)
            }
        }
    }

    fn last_resort(&mut self, now: Instant) -> Option<u64> {
        let from = self.last_resort?;
        if self.state != State::Open || now < from {
            return None;
        }
        self.last_resort = Some(now + MS * self.config.open_ms as u32);
        Some(self.period)
    }

    fn give_back(&mut self) {
        let running = self
            .trials
            .iter()
            .position(|trial| *trial == Trial::Running);
        self.trials
            .remove(running.expect("a running trial has its ticket"));
        if self.trials.is_empty() {
            self.first_trial = None;
        }
    }

    fn report(&mut self, period: u64, now: Instant, report: Report) {
        self.pass_time(now);
        if period != self.period {
            return;
        }
        let longer_than = |ms: u64| ms > 0 && report.elapsed > MS * ms as u32;
        let cut_off = report.outcome == Outcome::CutOff;
        let slow = longer_than(self.config.slow_call_ms)
            || (cut_off && self.config.slow_cut_off_ms.is_some_and(longer_than));
        let says_nothing = report.outcome == Outcome::Ignored || (cut_off && !slow);
        match (self.state, report.outcome) {
            (State::Open, Outcome::Success) if !slow => {
                self.enter(State::HalfOpen);
                self.trials.push(Trial::Good);
                self.first_trial = Some(now);
                self.decide_recovery(now, None);
            }
            (State::Open, _) => {
                let cap = MS * self.config.max_open_ms as u32;
                let asked = now + report.retry_after.unwrap_or_default().min(cap);
                self.last_resort = self.last_resort.map(|from| from.max(asked));
            }
            (State::Closed, _) if says_nothing => {}
            (State::HalfOpen, _) if says_nothing => self.give_back(),
            (State::HalfOpen, outcome) => {
                let running = self
                    .trials
                    .iter()
                    .position(|trial| *trial == Trial::Running);
                let good = outcome == Outcome::Success && !slow;
                self.trials[running.expect("a running trial has its ticket")] =
                    if good { Trial::Good } else { Trial::Bad };
                self.decide_recovery(now, report.retry_after);
            }
            (State::Closed, outcome) => {
                let failed = matches!(outcome, Outcome::Failure | Outcome::Overload);
                self.calls.push((now, failed, slow));
                match outcome {
                    Outcome::Failure => self.streak += 1,
                    Outcome::Success => self.streak = 0,
                    Outcome::Overload | Outcome::CutOff | Outcome::Ignored => {}
                }
                self.decide_trip(now, report.retry_after);
            }
        }
    }

    /// Tries every way the trials still open could end.
    fn decide_recovery(&mut self, now: Instant, asked: Option<Duration>) {
        let permitted = self.config.half_open_calls;
        let bad = self
            .trials
            .iter()
            .filter(|trial| **trial == Trial::Bad)
            .count() as u32;
        let good = self
            .trials
            .iter()
            .filter(|trial| **trial == Trial::Good)
            .count() as u32;
        let fails = |bad: u32| {
            bad >= 1 && f64::from(bad) / f64::from(permitted) >= self.config.failure_rate
        };
        let open_ended = permitted - bad - good;
        if fails(bad) {
            self.cycles += 1;
            self.open(now, asked);
        } else if !fails(bad + open_ended) {
            self.cycles = 0;
            self.enter(State::Closed);
        }
    }

    fn decide_trip(&mut self, now: Instant, asked: Option<Duration>) {
        let Window::Count { calls } = self.config.window else {
            return;
        };
        let from = self.calls.len().saturating_sub(calls as usize);
        let held = &self.calls[from..];
        let count = held.len() as f64;
        let failed = held.iter().filter(|call| call.1).count() as f64;
        let slow = held.iter().filter(|call| call.2).count() as f64;
        let enough = held.len() as u32 >= self.config.minimum_calls;
        let streak = self.config.consecutive_failures;
        if (streak > 0 && self.streak >= streak)
            || (enough && failed / count >= self.config.failure_rate)
            || (enough && slow / count >= self.config.slow_call_rate)
        {
            self.open(now, asked);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u16),
    Acquire,
    /// Requests a call of last resort.
    Insist,
    /// Completes the n-th outstanding ticket, however old.
    Report(usize, Outcome, u8, Option<u16>),
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Overload),
        3 => Just(Outcome::CutOff),
        1 => Just(Outcome::Ignored),
    ];
    prop_oneof![
        2 => (0_u16..400).prop_map(Step::Wait),
        6 => Just(Step::Acquire),
        2 => Just(Step::Insist),
        5 => (0_usize..8, outcome, 0_u8..40, proptest::option::weighted(0.1, 0_u16..900))
            .prop_map(|(which, outcome, took, asked)| Step::Report(which, outcome, took, asked)),
        1 => (0_usize..8).prop_map(Step::Drop),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let rates = (0.05_f64..=1.0, 0.05_f64..=1.0);
    (
        1_u32..8,
        1_u32..5,
        rates,
        0_u32..4,
        1_u32..5,
        (
            prop_oneof![Just(0_u64), Just(20)],
            prop_oneof![Just(None), Just(Some(0)), Just(Some(10)), Just(Some(30))],
        ),
    )
        .prop_map(
            |(calls, minimum, (failure_rate, slow_call_rate), streak, trials, slow)| Config {
                window: Window::Count {
                    calls: calls.max(minimum),
                },
                minimum_calls: minimum,
                failure_rate,
                slow_call_rate,
                slow_call_ms: slow.0,
                slow_cut_off_ms: slow.1,
                consecutive_failures: streak,
                half_open_calls: trials,
                open_ms: 200,
                max_open_ms: 1_000,
                half_open_max_ms: 300,
                jitter: 0.0,
                enabled: true,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_core_agrees_with_the_model(
        config in config(), steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut now = Instant::now();
        let mut rng = SmallRng::seed_from_u64(1);
        let mut core = Core::new(config.clone(), now);
        let mut model = Model::new(config);
        let mut tickets: Vec<(Ticket, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(ms) => now += MS * u32::from(ms),
                Step::Acquire => {
                    let ours = core.acquire(now, &mut rng);
                    let theirs = model.acquire(now);
                    prop_assert_eq!(ours.is_ok(), theirs.is_some());
                    if let (Ok(ticket), Some(period)) = (ours, theirs) {
                        tickets.push((ticket, period));
                    }
                }
                Step::Insist => {
                    let ours = core.acquire(now, &mut rng).ok().or_else(|| core.last_resort(now));
                    let theirs = model.acquire(now).or_else(|| model.last_resort(now));
                    prop_assert_eq!(ours.is_some(), theirs.is_some());
                    tickets.extend(ours.zip(theirs));
                }
                Step::Report(which, outcome, took, asked) if which < tickets.len() => {
                    let (ticket, period) = tickets.remove(which);
                    let retry_after = asked.map(|ms| MS * u32::from(ms));
                    let report = Report { outcome, elapsed: MS * u32::from(took), retry_after };
                    core.report(ticket, now, report, &mut rng);
                    model.report(period, now, report);
                }
                Step::Drop(which) if which < tickets.len() => {
                    let (ticket, period) = tickets.remove(which);
                    core.release(ticket);
                    if period == model.period && model.state == State::HalfOpen {
                        model.give_back();
                    }
                }
                Step::Report(..) | Step::Drop(_) => {}
            }
            prop_assert_eq!(core.state(), model.state);
        }
    }

    #[test]
    fn a_wait_is_jittered_upwards_only_and_never_above_the_cap(seed: u64, jitter in 0.0_f64..=1.0) {
        let config = Config { jitter, max_open_ms: 90_000, ..strict() };
        let now = Instant::now();
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut core = Core::new(config, now);
        fail(&mut core, now, None, &mut rng);
        let wait = core.acquire(now, &mut rng).expect_err("open").retry_after;
        prop_assert!((Duration::from_secs(60)..=Duration::from_secs(90)).contains(&wait));
    }

    #[test]
    fn waits_differ_from_one_breaker_to_the_next(seed: u64) {
        let now = Instant::now();
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut wait = || {
            let mut core = Core::new(Config { jitter: 0.5, ..strict() }, now);
            fail(&mut core, now, None, &mut rng);
            wait_of(&mut core, now)
        };
        let waits: Vec<Duration> = (0..8).map(|_| wait()).collect();
        prop_assert!(waits.iter().any(|it| *it != waits[0]), "{waits:?}");
    }
}

fn strict() -> Config {
    Config {
        consecutive_failures: 1,
        jitter: 0.0,
        ..Config::default()
    }
}

fn fail(core: &mut Core, now: Instant, asked: Option<Duration>, rng: &mut SmallRng) {
    end(core, now, Outcome::Failure, asked, rng);
}

fn end(
    core: &mut Core,
    now: Instant,
    outcome: Outcome,
    retry_after: Option<Duration>,
    rng: &mut SmallRng,
) {
    let ticket = core.acquire(now, rng).expect("a permit");
    let report = Report {
        outcome,
        elapsed: MS,
        retry_after,
    };
    core.report(ticket, now, report, rng);
}

fn wait_of(core: &mut Core, now: Instant) -> Duration {
    core.acquire(now, &mut SmallRng::seed_from_u64(0))
        .expect_err("open")
        .retry_after
}

#[test]
fn the_wait_doubles_with_each_failed_recovery_and_starts_over_after_a_good_one() {
    let mut now = Instant::now();
    let mut rng = SmallRng::seed_from_u64(0);
    let mut core = Core::new(
        Config {
            half_open_calls: 1,
            ..strict()
        },
        now,
    );
    let mut waits = Vec::new();
    for _ in 0..4 {
        fail(&mut core, now, None, &mut rng);
        waits.push(wait_of(&mut core, now).as_secs());
        now += wait_of(&mut core, now);
    }
    assert_eq!(waits, [60, 120, 240, 300]);
    let ticket = core.acquire(now, &mut rng).expect("a trial");
    let good = Report {
        outcome: Outcome::Success,
        elapsed: MS,
        retry_after: None,
    };
    core.report(ticket, now, good, &mut rng);
    fail(&mut core, now, None, &mut rng);
    assert_eq!(wait_of(&mut core, now).as_secs(), 60);
}

#[test]
fn retry_after_lengthens_the_wait_up_to_the_cap() {
    let now = Instant::now();
    for (asked_s, waits_s) in [(1, 60), (100, 100), (10_000, 300)] {
        let mut core = Core::new(strict(), now);
        let asked = Some(Duration::from_secs(asked_s));
        fail(&mut core, now, asked, &mut SmallRng::seed_from_u64(0));
        assert_eq!(wait_of(&mut core, now).as_secs(), waits_s);
    }
}

#[test]
fn trials_without_a_result_reopen_it_in_bounded_time() {
    let mut now = Instant::now();
    let mut rng = SmallRng::seed_from_u64(0);
    let mut core = Core::new(strict(), now);
    fail(&mut core, now, None, &mut rng);
    now += Duration::from_secs(60);
    while core.acquire(now, &mut rng).is_ok() {}
    assert_eq!(core.state(), State::HalfOpen);
    now += Duration::from_secs(30);
    assert_eq!(wait_of(&mut core, now).as_secs(), 120);
    let last = core.take_transitions().pop().expect("it re-opened");
    assert_eq!(last.reason, Reason::TrialsUndecided);
}

#[test]
fn a_slow_success_fails_a_trial() {
    let mut now = Instant::now();
    let mut rng = SmallRng::seed_from_u64(0);
    let mut core = Core::new(
        Config {
            slow_call_ms: 10,
            half_open_calls: 1,
            ..strict()
        },
        now,
    );
    fail(&mut core, now, None, &mut rng);
    now += Duration::from_secs(60);
    let ticket = core.acquire(now, &mut rng).expect("a trial");
    let slow = Report {
        outcome: Outcome::Success,
        elapsed: 11 * MS,
        retry_after: None,
    };
    core.report(ticket, now, slow, &mut rng);
    assert_eq!(core.state(), State::Open);
}

#[test]
fn a_call_of_last_resort_goes_once_per_interval_however_long_the_wait_is() {
    let config = Config {
        half_open_calls: 2,
        ..strict()
    };
    let (start, mut rng) = (Instant::now(), SmallRng::seed_from_u64(0));
    let second = Duration::from_secs(1);
    let mut core = Core::new(config, start);
    // Opened, and opened again: the wait is now two minutes, the interval still one.
    fail(&mut core, start, None, &mut rng);
    let now = start + 60 * second;
    fail(&mut core, now, None, &mut rng);
    assert_eq!(wait_of(&mut core, now), 120 * second);
    assert_eq!(core.last_resort(now + 59 * second), None);
    let failed = core.last_resort(now + 60 * second).expect("it is due");
    assert_eq!(core.last_resort(now + 60 * second), None, "one alone");
    let report = |outcome| Report {
        outcome,
        elapsed: MS,
        retry_after: None,
    };
    core.report(
        failed,
        now + 61 * second,
        report(Outcome::Failure),
        &mut rng,
    );
    assert_eq!(core.state(), State::Open);
    assert_eq!(
        wait_of(&mut core, now + 61 * second),
        59 * second,
        "no longer for that"
    );
    let now = now + 119 * second;
    assert_eq!(core.last_resort(now), None);
    let late = now + second - MS;
    core.take_transitions();
    assert_eq!(core.last_resort(late), None);
    assert!(
        core.acquire(now + second, &mut rng).is_ok(),
        "its wait is over"
    );
}

#[test]
fn a_call_of_last_resort_that_succeeds_begins_the_recovery() {
    let (start, mut rng) = (Instant::now(), SmallRng::seed_from_u64(0));
    let config = Config {
        half_open_calls: 3,
        max_open_ms: 600_000,
        ..strict()
    };
    let mut core = Core::new(config, start);
    let asked = Some(Duration::from_secs(300));
    fail(&mut core, start, asked, &mut rng);
    let early = start + Duration::from_secs(60);
    assert_eq!(core.last_resort(early), None, "it was asked to wait longer");
    core.force_open();
    assert_eq!(
        core.last_resort(start + Duration::from_secs(999)),
        None,
        "an operator's word"
    );
    core.reset(start);
    fail(&mut core, start, None, &mut rng);
    // Two failed recoveries make the wait longer than the interval.
    let mut now = start;
    for _ in 0..2 {
        now += wait_of(&mut core, now);
        fail(&mut core, now, None, &mut rng);
        fail(&mut core, now, None, &mut rng);
    }
    now += Duration::from_secs(60);
    let ticket = core.last_resort(now).expect("it is due");
    let good = Report {
        outcome: Outcome::Success,
        elapsed: MS,
        retry_after: None,
    };
    core.report(ticket, now, good, &mut rng);
    assert_eq!(core.state(), State::HalfOpen);
    let ticket = core.acquire(now, &mut rng).expect("a trial");
    core.report(ticket, now, good, &mut rng);
    assert_eq!(core.state(), State::Closed);
}

#[test]
fn a_forced_breaker_stays_open_until_reset() {
    let now = Instant::now();
    let mut core = Core::new(strict(), now);
    core.force_open();
    let mut rng = SmallRng::seed_from_u64(0);
    let much_later = now + Duration::from_secs(86_400);
    assert!(core.acquire(much_later, &mut rng).is_err());
    core.reset(much_later);
    assert!(core.acquire(much_later, &mut rng).is_ok());
}

#[test]
fn a_disabled_breaker_admits_everything() {
    let now = Instant::now();
    let mut core = Core::new(
        Config {
            enabled: false,
            ..strict()
        },
        now,
    );
    let mut rng = SmallRng::seed_from_u64(0);
    for _ in 0..50 {
        fail(&mut core, now, None, &mut rng);
    }
    assert_eq!(core.state(), State::Closed);
    core.force_open();
    assert!(core.acquire(now, &mut rng).is_err(), "the operator decides");
}

#[test]
fn a_rate_that_is_just_reached_trips_it() {
    let config = Config {
        minimum_calls: 4,
        failure_rate: 0.5,
        consecutive_failures: 0,
        ..strict()
    };
    let now = Instant::now();
    let mut rng = SmallRng::seed_from_u64(0);
    let mut core = Core::new(config, now);
    for outcome in [Outcome::Failure, Outcome::Success, Outcome::Success] {
        end(&mut core, now, outcome, None, &mut rng);
    }
    assert_eq!(core.state(), State::Closed);
    fail(&mut core, now, None, &mut rng);
    assert_eq!(core.state(), State::Open);
}
