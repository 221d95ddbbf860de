//! The limit with a simulated callee: exact steps, and the known failures of other limits.

use std::time::{Duration, Instant};

use super::{Config, Limit, Sample};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A callee that works on `places` calls at once, each for `work_ms`; the others queue.
#[derive(Clone, Copy)]
struct Callee {
    places: f64,
    work_ms: f64,
}

impl Callee {
    /// The duration of an answer with this many calls in flight.
    fn latency_ms(self, in_flight: u32) -> f64 {
        self.work_ms * (f64::from(in_flight) / self.places).max(1.0)
    }
}

struct Run {
    limit: Limit,
    now: Instant,
}

impl Run {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        Self {
            limit: Limit::new(config, now),
            now,
        }
    }

    /// One window with a demand of `wanted` calls in flight; those above the limit wait.
    fn window(&mut self, callee: Callee, wanted: u32) -> u32 {
        let in_flight = wanted.min(self.limit.limit());
        let took_s = callee.latency_ms(in_flight) / 1e3;
        let count = (f64::from(in_flight) / took_s).round() as u32;
        let took = Duration::from_secs_f64(took_s);
        self.samples(in_flight, count.max(50), Sample::Answered(took))
    }

    /// One window of equal samples, begun in it.
    fn samples(&mut self, in_flight: u32, count: u32, sample: Sample) -> u32 {
        let begun = self.now;
        for n in 1..=count {
            let at = begun + SECOND * n / count;
            self.limit.count(at, begun, in_flight, sample);
        }
        self.now = begun + SECOND;
        self.limit.limit()
    }

    fn windows(&mut self, count: usize, callee: Callee, wanted: u32) -> Vec<u32> {
        (0..count).map(|_| self.window(callee, wanted)).collect()
    }
}

fn answered(ms: u32) -> Sample {
    Sample::Answered(ms * MS)
}

/// The median of the last windows: single ones may be part of a descent.
fn settled(limits: &[u32]) -> u32 {
    let mut last: Vec<u32> = limits.iter().rev().take(25).copied().collect();
    last.sort_unstable();
    last[last.len() / 2]
}

const TEN: Callee = Callee {
    places: 10.0,
    work_ms: 20.0,
};

/// Without slack every queue is visible, and limits are exact.
fn by_ratio() -> Config {
    Config {
        slack_ms: 0,
        ..Config::default()
    }
}

#[test]
fn it_doubles_while_that_brings_answers_then_moves_by_the_logarithm() {
    let mut run = Run::new(Config {
        initial: 10,
        ..by_ratio()
    });
    let limits: Vec<u32> = [
        (10, 10),  // the first window makes the baseline: 10 -> 20
        (20, 10),  // twice the answers: 20 -> 40
        (40, 40),  // too slow: back to 20, and a descent is due
        (20, 10),  // it begins: 20 -> 15
        (15, 10),  // no faster, and fewer answers: back to 20, which may double again
        (20, 10),  // it does: 20 -> 40
        (40, 20),  // slow: back to 20
        (20, 10),  // 20 + log10(20)
        (21, 10),  // 21.3 + log10(21.3)
        (22, 100), // slow: 22.6 - log10(22.6)
        (21, 10),  // and up again
        (10, 10),  // not full: stays
        (10, 90),  // slow, but not because of the limit: stays
    ]
    .into_iter()
    .map(|(in_flight, ms)| run.samples(in_flight, 1_000 * in_flight / ms, answered(ms)))
    .collect();
    assert_eq!(limits, [20, 40, 20, 15, 20, 40, 20, 21, 22, 21, 22, 22, 22]);
}

#[test]
fn a_doubling_that_brings_no_more_answers_is_the_last() {
    let mut run = Run::new(Config::default());
    let limits: Vec<u32> = [(64, 3_200), (128, 6_000), (256, 6_100), (257, 6_200)]
        .into_iter()
        .map(|(in_flight, count)| run.samples(in_flight, count, answered(20)))
        .collect();
    assert_eq!(limits, [128, 256, 258, 258]);
}

#[test]
fn a_few_milliseconds_more_do_not_shrink_the_limit() {
    let mut run = Run::new(Config::default());
    run.samples(10, 500, answered(20));
    for _ in 0..20 {
        let full = run.limit.limit();
        assert!(run.samples(full, 600, answered(110)) > full);
    }
    let full = run.limit.limit();
    assert!(run.samples(full, 600, answered(140)) < full);
}

#[test]
fn it_grows_only_while_it_is_used() {
    let mut run = Run::new(Config::default());
    for _ in 0..100 {
        assert_eq!(run.samples(30, 60, answered(10)), 64);
    }
}

#[test]
fn an_unused_limit_is_reduced_with_headroom() {
    let mut run = Run::new(Config {
        initial: 20,
        ..Config::default()
    });
    for _ in 0..5 {
        let full = run.limit.limit();
        run.samples(full, 100 * full, answered(10));
    }
    assert_eq!(run.limit.limit(), 640);
    assert_eq!(run.samples(30, 60, answered(10)), 150);
    assert_eq!(run.samples(1, 60, answered(10)), 20, "not below the start");
}

#[test]
fn lost_calls_shrink_it_by_a_tenth_and_are_not_latency_samples() {
    let mut run = Run::new(Config {
        initial: 100,
        ..Config::default()
    });
    run.samples(10, 60, answered(20));
    assert_eq!(run.samples(100, 60, Sample::Lost), 90);
    assert_eq!(run.samples(90, 60, Sample::Lost), 81);
    // Immediate refusals do not make 20 ms look slow.
    let limits: Vec<u32> = (0..40).map(|_| run.samples(81, 60, answered(20))).collect();
    assert!(limits.iter().all(|limit| *limit >= 60), "{limits:?}");
    assert!(settled(&limits) >= 81, "{limits:?}");
}

#[test]
fn a_few_lost_calls_among_many_change_nothing() {
    let mut run = Run::new(Config::default());
    for n in 0..200 {
        let sample = if n % 20 == 0 {
            Sample::Lost
        } else {
            answered(10)
        };
        run.limit
            .count(run.now + SECOND * n / 60, run.now, 10, sample);
    }
    assert_eq!(run.limit.limit(), 64);
}

#[test]
fn calls_begun_under_another_limit_and_cancelled_ones_do_not_count() {
    let mut run = Run::new(Config::default());
    let begun = run.now;
    assert_eq!(run.samples(64, 60, answered(10)), 128);
    for n in 0..1_000 {
        let late = run.now + n * 10 * MS;
        run.limit.count(late, begun, 64, answered(9_000));
        run.limit.count(late, late, 500, Sample::Ignored);
    }
    assert_eq!(run.limit.limit(), 128);
}

#[test]
fn too_few_calls_decide_nothing() {
    let mut run = Run::new(Config::default());
    for _ in 0..30 {
        run.samples(64, 4, answered(10));
    }
    assert_eq!(run.limit.limit(), 64);
}

#[test]
fn under_lasting_overload_it_settles_where_the_queue_ends() {
    for (places, wanted) in [(10.0, 1_000), (40.0, 1_000), (3.0, 100)] {
        let callee = Callee {
            places,
            work_ms: 20.0,
        };
        let mut run = Run::new(by_ratio());
        let limits = run.windows(1_000, callee, wanted);
        let settled = f64::from(settled(&limits));
        assert!(
            (places * 0.9..=places * 1.7).contains(&settled),
            "{places} places: {settled}, {limits:?}"
        );
    }
}

/// With slack, callers wait up to the slack at the callee, and no longer.
#[test]
fn the_queue_at_the_callee_takes_no_longer_than_the_slack() {
    for wanted in [14, 30, 100, 1_000] {
        let mut run = Run::new(Config::default());
        run.windows(20, TEN, 5);
        let limits = run.windows(500, TEN, wanted);
        let latency_ms = TEN.latency_ms(settled(&limits).min(wanted));
        assert!(latency_ms <= 125.0, "{wanted} wanted: {latency_ms} ms");
        let least = limits[100..].iter().min().expect("windows");
        assert!(*least >= 7, "{wanted} wanted: {least}");
    }
}

/// Gradient limits drift up under modest overload, because their baseline does.
#[test]
fn it_does_not_drift_under_modest_overload() {
    for wanted in [14, 30, 63] {
        let mut run = Run::new(by_ratio());
        run.windows(20, TEN, 5);
        let limits = run.windows(2_000, TEN, wanted);
        let most = limits.iter().max().expect("windows");
        assert!(*most <= 64, "{wanted} wanted: {most}");
    }
    let mut run = Run::new(by_ratio());
    let limits = run.windows(2_000, TEN, 100);
    let most = limits[500..].iter().max().expect("windows");
    assert!(*most <= 24, "{most}");
}

/// A baseline that is measured under overload includes the queue.
#[test]
fn a_start_under_overload_finds_the_true_latency() {
    let mut run = Run::new(by_ratio());
    let limits = run.windows(60, TEN, 1_000);
    assert!(settled(&limits) <= 17, "{limits:?}");
}

/// Limits whose baseline never rises throttle a callee that became slower for good.
#[test]
fn a_callee_that_became_slower_for_good_is_not_throttled_for_ever() {
    let slower = Callee {
        places: 10.0,
        work_ms: 200.0,
    };
    let mut run = Run::new(by_ratio());
    run.windows(50, TEN, 1_000);
    let limits = run.windows(100, slower, 1_000);
    let settled = settled(&limits);
    assert!((9..=17).contains(&settled), "{settled}: {limits:?}");
}

/// And a limit at the minimum recovers.
#[test]
fn it_recovers_from_the_minimum() {
    let mut run = Run::new(by_ratio());
    run.windows(20, TEN, 5);
    for _ in 0..100 {
        let full = run.limit.limit();
        run.samples(full, 60, Sample::Lost);
    }
    assert_eq!(run.limit.limit(), 1);
    let limits = run.windows(60, TEN, 1_000);
    assert!(settled(&limits) >= 9, "{limits:?}");
}

/// A descent is not an outage: it never takes more than a quarter below what is needed.
#[test]
fn looking_for_the_baseline_costs_little() {
    let mut run = Run::new(by_ratio());
    run.windows(100, TEN, 1_000);
    let limits = run.windows(1_000, TEN, 1_000);
    let least = limits.iter().min().expect("windows");
    assert!(*least >= 7, "{least}");
    let short = limits.iter().filter(|limit| **limit < 10).count();
    assert!(short <= 70, "{short} of 1000 windows below the capacity");
}

#[test]
fn slow_start_reaches_a_large_callee_in_seconds() {
    let large = Callee {
        places: 800.0,
        work_ms: 20.0,
    };
    let mut run = Run::new(Config::default());
    let limits = run.windows(6, large, 2_000);
    assert!(limits.iter().any(|limit| *limit >= 800), "{limits:?}");
}

#[test]
fn a_disabled_limit_stays_at_its_maximum() {
    let mut run = Run::new(Config {
        enabled: false,
        ..Config::default()
    });
    assert_eq!(run.samples(1_000, 600, Sample::Lost), 1_000);
}

#[test]
fn every_bad_value_is_reported_at_once() {
    let config = Config {
        min: 0,
        initial: 2_000,
        tolerance: f64::NAN,
        window_ms: 0,
        ..Config::default()
    };
    let mut faults = Vec::new();
    config.validate(&mut faults);
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["min", "initial", "window_ms", "tolerance"]);
}
