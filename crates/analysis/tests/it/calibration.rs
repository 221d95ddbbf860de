//! The coverage of the intervals and the error rates of the tests, each in a thousand seeded runs.

use analysis::Sorted;
use analysis::comparison::{Outcome, Plan, compare};
use analysis::effective_size;
use analysis::mann_whitney::u_test;
use analysis::order_interval::quantile_interval;
use analysis::service_demand::{Resource, attribute};
use analysis::shift::hodges_lehmann;
use analysis::soak::{self, Verdict, soak};
use analysis::steady_state::{self, Limits, steady_state};
use analysis::threshold::{Limit, ThresholdOutcome, quantile as judge_quantile};
use analysis::usl;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, LogNormal, Normal};

const RUNS: u64 = 1000;

/// The percentage of a thousand runs for which `holds` is true; run n has the seed n.
fn percent(holds: impl Fn(&mut SmallRng) -> bool) -> f64 {
    let count = (0..RUNS)
        .filter(|seed| holds(&mut SmallRng::seed_from_u64(*seed)))
        .count();
    100.0 * count as f64 / RUNS as f64
}

#[track_caller]
fn assert_within(what: &str, found: f64, range: std::ops::RangeInclusive<f64>) {
    // With `--nocapture`, prints the figures themselves.
    eprintln!("{what}: {found:.1} %");
    assert!(
        range.contains(&found),
        "{what}: {found} % of {RUNS} runs (seeds 0..{RUNS}), not within {range:?}"
    );
}

fn normal(mean: f64, deviation: f64) -> Normal<f64> {
    Normal::new(mean, deviation).expect("valid parameters")
}

/// Response times: log-normal with a median of 100 ms and a long tail.
fn response_times(rng: &mut SmallRng, count: usize) -> Vec<f64> {
    let times = LogNormal::new(100f64.ln(), 0.5).expect("valid parameters");
    times.sample_iter(rng).take(count).collect()
}

/// Each value keeps `memory` of the previous one's distance from 0; deviation 1.
fn correlated(rng: &mut SmallRng, memory: f64, count: usize) -> Vec<f64> {
    let steps = normal(0.0, (1.0 - memory * memory).sqrt());
    let mut last = normal(0.0, 1.0).sample(rng);
    (0..count)
        .map(|_| {
            last = memory * last + steps.sample(rng);
            last
        })
        .collect()
}

#[test]
fn the_true_p95_lies_within_its_interval_as_often_as_promised() {
    let truth = 100.0 * (0.5 * 1.644_853_626_951_472_7f64).exp();
    let covered = percent(|rng| {
        let sample = Sorted::new(&response_times(rng, 1000)).expect("finite values");
        quantile_interval(&sample, 0.95, 0.95).is_ok_and(|interval| interval.contains(truth))
    });
    assert_within("the true p95 is inside", covered, 94.0..=97.0);
}

#[test]
fn a_threshold_on_the_true_p95_is_rarely_decided() {
    let truth = 100.0 * (0.5 * 1.644_853_626_951_472_7f64).exp();
    let undecided = percent(|rng| {
        let sample = Sorted::new(&response_times(rng, 1000)).expect("finite values");
        judge_quantile(&sample, 0.95, Limit::below(truth), 0.95)
            .is_ok_and(|verdict| verdict.answer == ThresholdOutcome::Inconclusive)
    });
    assert_within("inconclusive", undecided, 94.0..=97.0);
}

#[test]
fn the_true_mean_of_correlated_values_lies_within_its_interval() {
    let covered = percent(|rng| {
        let series = correlated(rng, 0.7, 4000);
        effective_size::mean(&series, 0.95).is_ok_and(|mean| mean.interval.contains(0.0))
    });
    assert_within("the true mean is inside", covered, 93.0..=97.0);
    // Assuming independence would cover it in about six of ten runs.
    let naive = percent(|rng| {
        let series = correlated(rng, 0.7, 4000);
        let mean = series.iter().sum::<f64>() / 4000.0;
        mean.abs() < 1.96 / 4000f64.sqrt()
    });
    assert_within("without the correlation", naive, 50.0..=75.0);
}

#[test]
fn the_same_system_twice_is_rarely_called_a_regression() {
    for (size, seed_offset) in [(10, 0), (30, 1), (80, 2)] {
        let wrong = percent(|rng| {
            let mut all = response_times(rng, 2 * size + seed_offset);
            let candidate = all.split_off(size);
            compare(&all, &candidate[..size], &Plan::default())
                .is_ok_and(|found| found.outcome == Outcome::Regression)
        });
        assert_within(&format!("A against A, {size} each"), wrong, 0.0..=5.0);
    }
}

#[test]
fn a_slow_down_of_twenty_percent_is_found_where_it_is_said_to_be_detectable() {
    let plan = Plan {
        power: 0.95,
        ..Plan::default()
    };
    let before = normal(100.0, 20.0);
    let compared = |rng: &mut SmallRng, factor: f64| {
        let a: Vec<f64> = before.sample_iter(&mut *rng).take(40).collect();
        let b: Vec<f64> = before
            .sample_iter(rng)
            .take(40)
            .map(|x| x * factor)
            .collect();
        compare(&a, &b, &plan).expect("valid input")
    };
    let promised = percent(|rng| {
        compared(rng, 1.2)
            .minimal_detectable
            .is_some_and(|mde| mde <= 0.2)
    });
    let found = |outcomes: &[Outcome]| {
        100.0 / promised
            * percent(|rng| {
                let found = compared(rng, 1.2);
                let promised = found.minimal_detectable.is_some_and(|mde| mde <= 0.2);
                promised && outcomes.contains(&found.outcome)
            })
    };
    let worse = found(&[Outcome::Regression, Outcome::WorseWithinTolerance]);
    assert_within("and found to be worse", worse, 95.0..=100.0);
    // One in forty intervals is below the truth; a change of exactly the tolerance is then underestimated.
    let regressions = found(&[Outcome::Regression]);
    assert_within("and called a regression", regressions, 92.5..=100.0);
}

#[test]
fn too_few_runs_never_say_that_nothing_changed() {
    let wrong = percent(|rng| {
        let noisy = normal(100.0, 30.0);
        let a: Vec<f64> = noisy.sample_iter(&mut *rng).take(5).collect();
        let b: Vec<f64> = noisy.sample_iter(rng).take(5).collect();
        compare(&a, &b, &Plan::default()).is_ok_and(|found| found.outcome == Outcome::NoRegression)
    });
    assert_within("no regression from five runs", wrong, 0.0..=1.0);
}

#[test]
fn the_true_shift_lies_within_its_interval_and_the_test_keeps_its_level() {
    let covered = percent(|rng| {
        let a = response_times(rng, 30);
        let b: Vec<f64> = response_times(rng, 25).iter().map(|x| x + 13.0).collect();
        hodges_lehmann(&a, &b, 0.95).is_ok_and(|shift| shift.interval.contains(13.0))
    });
    assert_within("the true shift is inside", covered, 93.5..=97.5);
    let rejected = percent(|rng| {
        // Rounded to tens, so that many values are tied.
        let round = |values: Vec<f64>| values.iter().map(|x| (x / 10.0).round()).collect();
        let a: Vec<f64> = round(response_times(rng, 12));
        let b: Vec<f64> = round(response_times(rng, 12));
        u_test(&a, &b).is_ok_and(|test| test.p_value <= 0.05)
    });
    assert_within("rejected though equal", rejected, 2.0..=6.0);
}

fn judged(values: &[f64]) -> soak::Soak {
    let times: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
    soak(&times, values, &soak::Plan::default()).expect("valid input")
}

#[test]
fn a_soak_without_a_leak_is_rarely_called_one() {
    let leaks = |series: fn(&mut SmallRng) -> Vec<f64>| {
        percent(|rng| judged(&series(rng)).verdict == Verdict::Leak)
    };
    let white = leaks(|rng| normal(500.0, 5.0).sample_iter(rng).take(180).collect());
    assert_within("white noise", white, 0.0..=5.0);
    let red = leaks(|rng| correlated(rng, 0.6, 180));
    assert_within("correlated noise", red, 0.0..=5.0);
    let deep_red = leaks(|rng| correlated(rng, 0.85, 300));
    assert_within("strongly correlated noise", deep_red, 0.0..=5.0);
    let sawtooth = leaks(|rng| {
        let noise = normal(0.0, 2.0);
        (0..240)
            .map(|i| 300.0 + 10.0 * f64::from(i % 17) + noise.sample(rng))
            .collect()
    });
    assert_within("a sawtooth", sawtooth, 0.0..=5.0);
}

#[test]
fn a_leak_of_the_detectable_size_is_found() {
    let found = percent(|rng| {
        let noise: Vec<f64> = normal(500.0, 5.0).sample_iter(rng).take(180).collect();
        let slope = judged(&noise).detectable_slope;
        let leaking: Vec<f64> = (0u32..)
            .zip(&noise)
            .map(|(i, x)| x + slope * f64::from(i))
            .collect();
        judged(&leaking).verdict == Verdict::Leak
    });
    assert_within("leaks of the detectable size", found, 90.0..=100.0);
}

#[test]
fn a_leak_of_a_megabyte_a_minute_is_measured_within_ten_percent() {
    let close = percent(|rng| {
        let noise = normal(0.0, 8.0);
        let values: Vec<f64> = (0..180)
            .map(|minute| 200.0 + f64::from(minute) + noise.sample(rng))
            .collect();
        let found = judged(&values);
        found.verdict == Verdict::Leak && (found.trend.slope - 1.0).abs() < 0.1
    });
    assert_within("within ten percent", close, 99.0..=100.0);
}

#[test]
fn the_true_scalability_lies_within_its_intervals() {
    let loads: Vec<f64> = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128]
        .map(f64::from)
        .to_vec();
    let (alpha, beta, gamma) = (0.03, 2e-4, 100.0);
    let law = |n: f64| gamma * n / (1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0));
    let fits: Vec<usl::Fit> = (0..RUNS)
        .map(|seed| {
            let rng = &mut SmallRng::seed_from_u64(seed);
            let noise = normal(0.0, 20.0);
            let measured: Vec<f64> = loads.iter().map(|n| law(*n) + noise.sample(rng)).collect();
            usl::fit(&loads, &measured, 0.95).expect("valid input")
        })
        .collect();
    let inside = |holds: &dyn Fn(&usl::Fit) -> bool| {
        100.0 * fits.iter().filter(|fit| holds(fit)).count() as f64 / RUNS as f64
    };
    let check = |what, found| assert_within(what, found, 93.0..=97.0);
    check("alpha", inside(&|fit| fit.alpha.interval.contains(alpha)));
    check("beta", inside(&|fit| fit.beta.interval.contains(beta)));
    check("gamma", inside(&|fit| fit.gamma.interval.contains(gamma)));
    let peak = ((1.0 - alpha) / beta).sqrt();
    let peaks = inside(&|fit| fit.peak_interval().is_some_and(|i| i.contains(peak)));
    check("the peak", peaks);
}

#[test]
fn the_true_demand_lies_within_its_interval() {
    let covered = percent(|rng| {
        let throughputs: Vec<f64> = (1..=10).map(|i| f64::from(i) * 5.0).collect();
        let noise = normal(0.0, 0.01);
        let busy: Vec<f64> = throughputs
            .iter()
            .map(|x| (0.010 * x + noise.sample(rng)).max(0.0))
            .collect();
        let resource = Resource {
            name: "disk",
            utilisations: &busy,
        };
        attribute(&throughputs, &[resource], 0.95)
            .is_ok_and(|found| found.demands[0].demand_interval.contains(0.010))
    });
    assert_within("the true demand is inside", covered, 92.0..=97.0);
}

#[test]
fn a_steady_window_is_rarely_called_unsteady_and_a_drifting_one_often() {
    let steady = percent(|rng| {
        let series: Vec<f64> = normal(100.0, 10.0).sample_iter(rng).take(600).collect();
        steady_state(&series, &Limits::default())
            .is_ok_and(|found| found.verdict == steady_state::Verdict::Steady)
    });
    assert_within("steady", steady, 90.0..=100.0);
    let drifting = percent(|rng| {
        let noise = normal(0.0, 10.0);
        let series: Vec<f64> = (0..600)
            .map(|i| 100.0 + 0.1 * f64::from(i) + noise.sample(rng))
            .collect();
        steady_state(&series, &Limits::default())
            .is_ok_and(|found| found.verdict != steady_state::Verdict::Steady)
    });
    assert_within("drifting", drifting, 95.0..=100.0);
}
