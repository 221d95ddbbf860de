//! Invariances: the order of values, their unit, their origin.

use analysis::Sorted;
use analysis::change_point::{Options, change_points};
use analysis::comparison::{Plan, compare};
use analysis::kneedle::{Shape, knee};
use analysis::mann_whitney::u_test;
use analysis::order_interval::{quantile_interval, rank_interval};
use analysis::outlier::{iqr_fences, mad_fences};
use analysis::percentile::{Definition, quantile};
use analysis::shift::hodges_lehmann;
use analysis::trend::trend;
use analysis::usl;
use proptest::prelude::*;

const DEFINITIONS: [Definition; 3] = [Definition::Rank, Definition::Type6, Definition::Type7];

/// Values with ties; quarters are exact as floats, so shifts and powers of two are lossless.
fn sample(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-400i32..400).prop_map(|x| f64::from(x) / 4.0), sizes)
}

fn mapped(values: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
    values.iter().map(|x| f(*x)).collect()
}

fn reversed(values: &[f64]) -> Vec<f64> {
    values.iter().rev().copied().collect()
}

proptest! {
    #[test]
    fn percentiles_follow_scale_and_shift_and_stay_within_the_sample(
        values in sample(1..60), q in 0.0..=1.0f64,
    ) {
        let of = |values: &[f64], definition| {
            let sorted = Sorted::new(values).expect("finite values");
            quantile(&sorted, q, definition).expect("a quantile")
        };
        let sorted = Sorted::new(&values).expect("finite values");
        for definition in DEFINITIONS {
            let found = of(&values, definition);
            prop_assert!((sorted.min()..=sorted.max()).contains(&found));
            prop_assert_eq!(found, of(&reversed(&values), definition));
            prop_assert_eq!(4.0 * found, of(&mapped(&values, |x| 4.0 * x), definition));
            let shifted = of(&mapped(&values, |x| x + 64.0), definition);
            prop_assert!((found + 64.0 - shifted).abs() < 1e-9);
        }
    }

    #[test]
    fn percentiles_never_fall_as_the_quantile_rises(
        values in sample(1..40), q in 0.0..=1.0f64, more in 0.0..=1.0f64,
    ) {
        let sorted = Sorted::new(&values).expect("finite values");
        for definition in DEFINITIONS {
            let low = quantile(&sorted, q.min(more), definition).expect("a quantile");
            let high = quantile(&sorted, q.max(more), definition).expect("a quantile");
            prop_assert!(low <= high + 1e-12 * low.abs());
        }
    }

    #[test]
    fn intervals_hold_their_estimate_and_shrink_with_confidence(
        values in sample(30..90), q in 0.2..0.8f64,
    ) {
        let sorted = Sorted::new(&values).expect("finite values");
        let at = |confidence| quantile_interval(&sorted, q, confidence).expect("valid input");
        let (narrow, wide) = (at(0.8), at(0.99));
        let estimate = quantile(&sorted, q, Definition::Type6).expect("a quantile");
        prop_assert!(narrow.contains(estimate), "{estimate} {narrow:?}");
        prop_assert!(wide.lower <= narrow.lower && wide.upper >= narrow.upper);
    }

    #[test]
    fn rank_intervals_mirror(n in 1u64..2000, percent in 1u32..100) {
        let q = f64::from(percent) / 100.0;
        let low = rank_interval(n, q, 0.95).expect("valid input");
        let high = rank_interval(n, 1.0 - q, 0.95).expect("valid input");
        prop_assert_eq!(low.lower.map(|rank| n + 1 - rank), high.upper);
    }

    #[test]
    fn the_u_test_knows_order_only(a in sample(1..25), b in sample(1..25)) {
        let test = u_test(&a, &b).expect("finite values");
        prop_assert!((0.0..=1.0).contains(&test.p_value));
        let grown = |x: f64| x.powi(3) + 7.0;
        let same = u_test(&mapped(&a, grown), &reversed(&mapped(&b, grown)));
        prop_assert_eq!(same.expect("finite values"), test);
        let swapped = u_test(&b, &a).expect("finite values");
        prop_assert!((swapped.p_value - test.p_value).abs() < 1e-12);
        prop_assert!((swapped.superiority + test.superiority - 1.0).abs() < 1e-12);
        let mirrored = u_test(&mapped(&a, |x| -x), &mapped(&b, |x| -x)).expect("finite values");
        prop_assert!((mirrored.p_value - test.p_value).abs() < 1e-12);
    }

    #[test]
    fn the_shift_follows_a_shift(a in sample(5..20), b in sample(5..20)) {
        let shift = hodges_lehmann(&a, &b, 0.9).expect("valid input");
        let moved = hodges_lehmann(&a, &mapped(&b, |x| x + 32.0), 0.9).expect("valid input");
        prop_assert_eq!(moved.estimate, shift.estimate + 32.0);
        prop_assert_eq!(moved.interval.lower, shift.interval.lower + 32.0);
        prop_assert!(shift.interval.contains(shift.estimate));
        let back = hodges_lehmann(&b, &a, 0.9).expect("valid input");
        prop_assert_eq!(back.estimate, -shift.estimate);
        prop_assert_eq!(back.interval.upper, -shift.interval.lower);
    }

    #[test]
    fn a_comparison_does_not_depend_on_the_unit(a in sample(8..30), b in sample(8..30)) {
        let positive = |values: &[f64]| mapped(values, |x| x + 128.0);
        let (a, b) = (positive(&a), positive(&b));
        let found = compare(&a, &b, &Plan::default()).expect("valid input");
        let milliseconds = |values: &[f64]| mapped(values, |x| x * 1024.0);
        let scaled = compare(&milliseconds(&a), &milliseconds(&b), &Plan::default());
        let scaled = scaled.expect("valid input");
        prop_assert_eq!(scaled.outcome, found.outcome);
        prop_assert_eq!(scaled.relative_shift, found.relative_shift);
        prop_assert_eq!(scaled.minimal_detectable, found.minimal_detectable);
    }

    #[test]
    fn change_points_do_not_depend_on_the_unit(values in sample(4..80)) {
        let options = Options { max_p_value: 0.05, ..Options::default() };
        let at = |values: &[f64]| -> Vec<usize> {
            let points = change_points(values, &options).expect("finite values");
            points.iter().map(|point| point.index).collect()
        };
        // A multiple of every value is a multiple of every distance; relative changes stay.
        prop_assert_eq!(at(&mapped(&values, |x| 4.0 * x)), at(&values));
    }

    #[test]
    fn a_trend_follows_scale_shift_and_slope(values in sample(8..60)) {
        let times: Vec<f64> = (0u32..).zip(&values).map(|(i, _)| f64::from(i)).collect();
        let of = |values: &[f64]| trend(&times, values, 0.95).expect("valid input");
        let found = of(&values);
        prop_assert!(found.interval.contains(found.slope));
        let moved = of(&mapped(&values, |x| x + 16.0));
        prop_assert_eq!(moved.slope, found.slope);
        let scaled = of(&mapped(&values, |x| 2.0 * x));
        prop_assert_eq!(scaled.slope, 2.0 * found.slope);
        prop_assert_eq!(scaled.p_value, found.p_value);
        let steeper: Vec<f64> = values.iter().zip(&times).map(|(x, t)| x + 8.0 * t).collect();
        prop_assert!((of(&steeper).slope - found.slope - 8.0).abs() < 1e-9);
        let falling = of(&mapped(&values, |x| -x));
        prop_assert_eq!(falling.slope, -found.slope);
        prop_assert_eq!(falling.p_value, found.p_value);
    }

    #[test]
    fn fences_follow_scale_and_shift(values in sample(4..60)) {
        for fences in [mad_fences, iqr_fences] {
            let found = fences(&values, 2.0).expect("finite values");
            let moved = fences(&mapped(&values, |x| 4.0 * x + 64.0), 2.0).expect("finite values");
            prop_assert!((moved.lower - (4.0 * found.lower + 64.0)).abs() < 1e-9);
            prop_assert!((moved.upper - (4.0 * found.upper + 64.0)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_fit_finds_an_exact_law_in_any_unit_and_order(
        alpha in 0.001..0.5f64, log_beta in -6.0..-2.0f64, log_gamma in -3.0..6.0f64,
    ) {
        let (beta, gamma) = (10f64.powf(log_beta), 10f64.powf(log_gamma));
        let loads = [64.0, 1.0, 32.0, 2.0, 16.0, 4.0, 8.0, 128.0];
        let law = |n: f64| gamma * n / (1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0));
        let fit = usl::fit(&loads, &loads.map(law), 0.95).expect("valid input");
        let close = |found: f64, truth: f64| (found / truth - 1.0).abs() < 1e-5;
        prop_assert!(close(fit.alpha.estimate, alpha), "{fit:?}");
        prop_assert!(close(fit.beta.estimate, beta), "{fit:?}");
        prop_assert!(close(fit.gamma.estimate, gamma), "{fit:?}");
    }

    #[test]
    fn a_knee_does_not_depend_on_units_or_order(values in sample(5..40)) {
        let x: Vec<f64> = (0u32..).zip(&values).map(|(i, _)| f64::from(i)).collect();
        let Ok(found) = knee(&x, &values, Shape::ConcaveRising, 1.0) else {
            return Ok(());
        };
        let scaled = knee(
            &reversed(&mapped(&x, |x| 8.0 * x)),
            &reversed(&mapped(&values, |y| 2.0 * y + 32.0)),
            Shape::ConcaveRising,
            1.0,
        );
        let scaled = scaled.expect("valid input").map(|(x, _)| x / 8.0);
        prop_assert_eq!(scaled, found.map(|(x, _)| x));
    }
}
