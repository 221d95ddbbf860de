//! Every distribution against its own formula: Kolmogorov–Smirnov for the continuous ones, χ² for
//! mixes, at n = 10⁵ with fixed seeds.

use fault_profile::draw::{Purpose, Root};
use fault_profile::sampler::Sampler;
use fault_profile::{Decision, Key, Latency, Model, Profile, Request};
use serde_json::{Value, json};
use std::time::Duration;

const N: usize = 100_000;
/// Exceeded with probability 0.001 when the distribution is right (1.949 / √n).
const KS_CRITICAL: f64 = 0.006_164;

fn sample(latency: &Value) -> Vec<f64> {
    let latency: Latency = serde_json::from_value(latency.clone()).expect("the test's own latency");
    let sampler = Sampler::new(&latency);
    (0..N as u64)
        .map(|index| sampler.draw_ms(&mut Root::new(42).word(index).draws(Purpose::Latency)))
        .collect()
}

fn check(latency: Value, cdf: impl Fn(f64) -> f64) {
    let mut times = sample(&latency);
    times.sort_unstable_by(f64::total_cmp);
    let distance = times
        .iter()
        .enumerate()
        .fold(0.0f64, |distance, (index, &ms)| {
            let at = cdf(ms);
            let below = index as f64 / N as f64;
            distance.max(at - below).max(below + 1.0 / N as f64 - at)
        });
    assert!(distance < KS_CRITICAL, "{latency}: D = {distance}");
}

/// Abramowitz and Stegun 7.1.26; absolute error below 1.5e-7.
fn normal_cdf(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let poly = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let half = 0.5 * poly * (-x * x).exp();
    if z < 0.0 { half } else { 1.0 - half }
}

/// Regularised lower incomplete gamma function, by its series.
fn gamma_cdf(shape: f64, x: f64, ln_gamma_shape: f64) -> f64 {
    let mut term = 1.0 / shape;
    let mut sum = term;
    let mut n = shape;
    while term > sum * 1e-12 {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    sum * (shape * x.ln() - x - ln_gamma_shape).exp()
}

#[test]
fn a_constant_is_constant() {
    assert!(
        sample(&json!({"constant": {"ms": 12.5}}))
            .iter()
            .all(|&ms| ms == 12.5)
    );
}

#[test]
fn uniform_draws_are_uniform() {
    check(json!({"uniform": {"min_ms": 100, "max_ms": 2000}}), |ms| {
        (ms - 100.0) / 1900.0
    });
}

#[test]
fn normal_draws_are_normal() {
    check(
        json!({"normal": {"mean_ms": 200, "std_dev_ms": 20}}),
        |ms| normal_cdf((ms - 200.0) / 20.0),
    );
}

#[test]
fn log_normal_draws_meet_their_median_and_p99() {
    let sigma = (400.0f64 / 100.0).ln() / 2.326_347_874;
    check(
        json!({"log_normal": {"median_ms": 100, "p99_ms": 400}}),
        |ms| normal_cdf((ms / 100.0).ln() / sigma),
    );
    check(
        json!({"log_normal": {"median_ms": 50, "sigma": 0.7}}),
        |ms| normal_cdf((ms / 50.0).ln() / 0.7),
    );
}

#[test]
fn exponential_draws_are_exponential() {
    check(json!({"exponential": {"mean_ms": 30}}), |ms| {
        1.0 - (-ms / 30.0).exp()
    });
}

#[test]
fn pareto_draws_follow_the_power_law() {
    check(json!({"pareto": {"scale_ms": 10, "shape": 2.5}}), |ms| {
        1.0 - (10.0 / ms).powf(2.5)
    });
}

#[test]
fn gamma_draws_are_gamma() {
    // Γ(3) = 2
    check(json!({"gamma": {"shape": 3, "scale_ms": 20}}), |ms| {
        gamma_cdf(3.0, ms / 20.0, 2.0f64.ln())
    });
}

#[test]
fn a_percentile_table_is_met_between_and_beyond_its_points() {
    let points = json!([
        {"percentile": 0, "ms": 5}, {"percentile": 50, "ms": 20},
        {"percentile": 90, "ms": 80}, {"percentile": 99, "ms": 300}
    ]);
    let cdf = |ms: f64| match ms {
        _ if ms < 20.0 => 0.5 * (ms - 5.0) / 15.0,
        _ if ms < 80.0 => 0.5 + 0.4 * (ms - 20.0) / 60.0,
        _ if ms < 300.0 => 0.9 + 0.09 * (ms - 80.0) / 220.0,
        _ => 1.0 - 0.01 * (300.0 / ms).powf(3.0),
    };
    check(
        json!({"percentiles": {"points": points, "tail": {"pareto": 3}}}),
        cdf,
    );
    let clamped = sample(&json!({"percentiles": {"points": points}}));
    assert_eq!(clamped.iter().copied().fold(0.0, f64::max), 300.0);
}

#[test]
fn a_recorded_histogram_is_met() {
    let buckets = json!([
        {"up_to_ms": 10, "count": 0}, {"up_to_ms": 20, "count": 600},
        {"up_to_ms": 50, "count": 300}, {"up_to_ms": 100, "count": 100}
    ]);
    check(json!({"histogram": {"buckets": buckets}}), |ms| match ms {
        _ if ms < 20.0 => 0.6 * (ms - 10.0) / 10.0,
        _ if ms < 50.0 => 0.6 + 0.3 * (ms - 20.0) / 30.0,
        _ => 0.9 + 0.1 * (ms - 50.0) / 50.0,
    });
    check(
        json!({"histogram": {"buckets": buckets, "tail": {"pareto": 2}}}),
        |ms| match ms {
            _ if ms < 20.0 => 0.6 * (ms - 10.0) / 10.0,
            _ if ms < 50.0 => 0.6 + 0.3 * (ms - 20.0) / 30.0,
            _ => 1.0 - 0.1 * (50.0 / ms).powi(2),
        },
    );
}

#[test]
fn a_mixture_has_the_weighted_distribution() {
    check(
        json!({"mixture": {"parts": [
            {"weight": 9, "latency": {"uniform": {"min_ms": 10, "max_ms": 20}}},
            {"weight": 1, "latency": {"exponential": {"mean_ms": 200}}}
        ]}}),
        |ms| 0.9 * ((ms - 10.0) / 10.0).clamp(0.0, 1.0) + 0.1 * (1.0 - (-ms / 200.0).exp()),
    );
}

#[test]
fn resampling_keeps_the_shape_and_clamping_fills_the_bound() {
    let inner = json!({"exponential": {"mean_ms": 50}});
    let within = 1.0 - (-2.0f64).exp();
    check(
        json!({"truncated": {"max_ms": 100, "latency": inner}}),
        |ms| (1.0 - (-ms / 50.0).exp()) / within,
    );
    let clamped = sample(&json!({"truncated": {"max_ms": 100, "rule": "clamp", "latency": inner}}));
    let at_bound = clamped.iter().filter(|&&ms| ms == 100.0).count() as f64 / N as f64;
    assert!((at_bound - (1.0 - within)).abs() < 0.004, "{at_bound}");
}

#[test]
fn draws_below_zero_become_zero() {
    let times = sample(&json!({"normal": {"mean_ms": 1, "std_dev_ms": 10}}));
    assert!(times.iter().all(|&ms| ms >= 0.0));
    assert!(times.contains(&0.0));
}

fn decide(profile: Value) -> Vec<Decision> {
    let profile: Profile = serde_json::from_value(profile).expect("the test's own profile");
    let model = Model::new(&profile, "detector").expect("a valid profile");
    (1..=N as u64)
        .map(|index| model.decide(&request(index)))
        .collect()
}

fn request(index: u64) -> Request<'static> {
    let key = Key::Index(index);
    Request {
        tenant: "t",
        key,
        attempt: 1,
        index,
        chars: 0,
        items: 1,
        at: Duration::ZERO,
    }
}

#[test]
fn failures_come_at_their_rate_and_in_their_mix() {
    let decisions = decide(json!({"seed": 5, "success_rate": 0.7, "failures": [
        {"weight": 5, "kind": {"status": {"code": 500}}},
        {"weight": 3, "kind": {"reset": {}}},
        {"weight": 2, "kind": {"hang": {}}}
    ]}));
    let count = |name| {
        let name = Some(name);
        decisions
            .iter()
            .filter(|d| d.failure.as_ref().map(fault_profile::Failure::name) == name)
            .count() as f64
    };
    let observed = [
        N as f64 - count("status") - count("reset") - count("hang"),
        count("status"),
        count("reset"),
        count("hang"),
    ];
    let expected = [0.7, 0.15, 0.09, 0.06].map(|share| share * N as f64);
    let chi2: f64 = observed
        .iter()
        .zip(expected)
        .map(|(o, e)| (o - e).powi(2) / e)
        .sum();
    // χ² with 3 degrees of freedom: 16.27 is exceeded with probability 0.001.
    assert!(chi2 < 16.27, "chi2 {chi2}: {observed:?}");
}

#[test]
fn wrong_verdicts_come_at_their_declared_rates() {
    let decisions = decide(json!({"accuracy":
        {"false_positive_rate": 0.05, "false_negative_rate": 0.2}}));
    let share = |of: &dyn Fn(&Decision) -> bool| {
        decisions.iter().filter(|decision| of(decision)).count() as f64 / N as f64
    };
    for place in [0, 1, 7] {
        assert!((share(&|d| d.verdicts.false_positive(place)) - 0.05).abs() < 0.003);
        assert!((share(&|d| d.verdicts.false_negative(place)) - 0.2).abs() < 0.005);
    }
    // Contents of one request are wrong independently of each other.
    let both = share(&|d| d.verdicts.false_negative(0) && d.verdicts.false_negative(1));
    assert!((both - 0.04).abs() < 0.003, "{both}");
}
