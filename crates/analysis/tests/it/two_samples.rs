//! Tests of two samples against benchstat, R and Kayenta.

use analysis::canary::{Class, Criteria, Direction, classify, summary_score};
use analysis::comparison::{Outcome, Plan, compare};
use analysis::mann_whitney::{Method, u_test};
use analysis::shift::hodges_lehmann;
use analysis::trend::trend;

#[track_caller]
fn check_p(a: &[f64], b: &[f64], expected: f64) {
    for (a, b) in [(a, b), (b, a)] {
        let found = u_test(a, b).expect("finite values").p_value;
        assert!(
            (found / expected - 1.0).abs() < 1e-7,
            "{found}, not {expected}"
        );
    }
}

#[test]
fn benchstats_worked_examples_have_its_p_values() {
    // golang.org/x/perf, benchmath/assumption_test.go, TestCompareNone: ties and no ties.
    check_p(&[-1.0; 3], &[1.0; 3], 0.1);
    check_p(&[-1.0; 4], &[1.0; 4], 0.028_571_428_571_428_57);
    check_p(
        &[1.0, -1.0, -1.0, -1.0],
        &[-1.0, 1.0, 1.0, 1.0],
        0.485_714_285_714_285_7,
    );
    check_p(&[1.0; 4], &[1.0; 4], 1.0);
}

#[test]
fn go_moremaths_worked_examples_have_its_p_values() {
    // github.com/aclements/go-moremath, stats/utest_test.go; the large ones are R's wilcox.test.
    let s1 = [2.0, 1.0, 3.0, 5.0];
    check_p(&s1, &[12.0, 11.0, 13.0, 15.0], 0.028_571_428_571_428_577);
    check_p(&s1, &[0.0, 4.0, 6.0, 7.0], 0.485_714_285_714_285_77);
    check_p(&s1, &s1, 1.0);
    check_p(&s1, &[2.0; 4], 0.714_285_714_285_714_3);
    let l1: Vec<f64> = (0..500).map(|i| f64::from(i * 2)).collect();
    let l2: Vec<f64> = (0..600).map(|i| f64::from(i * 2 - 41)).collect();
    let mut l3 = l2.clone();
    l3[..30].copy_from_slice(&l1[..30]);
    assert_eq!(u_test(&l2, &l1).expect("finite").u, 135_250.0);
    check_p(&l1, &l2, 0.004_933_536_081_417_222);
    check_p(&l1, &l1, 1.0);
    assert_eq!(u_test(&l3, &l1).expect("finite").u, 134_845.0);
    check_p(&l1, &l3, 0.003_870_381_423_961_788);
}

#[test]
fn the_tables_of_mann_and_whitney_are_found() {
    // Mann and Whitney 1947, table I, n = 5: P(U <= 1) for m = 3 is .035714; for m = 5, U <= 5 .075397.
    let m3 = [2.5, 0.0, 0.5];
    let n5 = [2.0, 3.0, 4.0, 5.0, 6.0];
    let test = u_test(&n5, &m3).expect("finite values");
    assert_eq!((test.u, test.method), (1.0, Method::Exact));
    assert!((test.p_value - 2.0 * 0.035_714).abs() < 2e-6);
    let m5 = [0.0, 0.5, 1.0, 2.5, 5.5];
    let test = u_test(&n5, &m5).expect("finite values");
    assert_eq!(test.u, 5.0);
    assert!((test.p_value - 2.0 * 0.075_397).abs() < 2e-6, "{test:?}");
}

#[test]
fn the_exact_and_the_approximate_test_meet() {
    let a: Vec<f64> = (0..50).map(|i| f64::from(i * i % 71)).collect();
    let b: Vec<f64> = (0..50).map(|i| f64::from(i * i % 71) * 1.1 + 3.0).collect();
    let exact = u_test(&a, &b).expect("finite values");
    let (mut more_a, mut more_b) = (a.clone(), b.clone());
    more_a.push(35.0);
    more_b.push(38.0);
    let approximate = u_test(&more_a, &more_b).expect("finite values");
    assert_eq!(
        (exact.method, approximate.method),
        (Method::Exact, Method::Normal)
    );
    assert!((exact.p_value - approximate.p_value).abs() < 0.02);
}

/// Kayenta, kayenta-judge/src/test/scala/…/ClassifierSuite.scala.
mod kayenta {
    pub(super) const AROUND_TEN: [f64; 30] = [
        9.776_734_312,
        10.587_071_85,
        7.837_550_639,
        9.324_332_689,
        8.377_450_541,
        8.935_926_44,
        8.270_766_332,
        9.748_430_813,
        11.623_746_716,
        9.275_344_268,
        8.153_804_775,
        10.562_020_976,
        13.498_135_575,
        11.054_419_256,
        6.953_890_359,
        12.521_008_342,
        9.021_635_86,
        4.923_485_67,
        11.251_360_204,
        11.598_449_508,
        8.435_232_205,
        11.110_228_517,
        10.700_633_802,
        8.921_277_365,
        10.086_167_068,
        11.421_075_155,
        9.379_234_781,
        7.798_032_015,
        10.623_398_073,
        11.909_642_062,
    ];
    pub(super) const CONTROL: [f64; 30] = [
        11.145_358_677,
        9.961_805_989,
        7.068_574_306,
        7.301_266_181,
        9.794_463_027,
        9.603_791_86,
        6.186_779_335,
        12.345_599_159,
        10.371_891_734,
        8.609_430_079,
        9.913_162_673,
        10.361_375_299,
        14.206_800_388,
        10.946_153_755,
        10.215_876_627,
        11.739_760_899,
        10.907_627_469,
        12.823_353_694,
        8.101_860_977,
        8.498_161_641,
        12.113_441_375,
        13.272_210_81,
        10.114_579_382,
        6.946_395_877,
        6.210_527_854,
        10.160_401_685,
        8.345_771_207,
        8.383_822_064,
        7.002_020_507,
        10.755_757_402,
    ];
    pub(super) const AROUND_TWENTY: [f64; 30] = [
        20.878_412_602,
        21.785_505_812,
        19.708_280_847,
        15.859_946_903,
        19.510_058_772,
        19.392_005_525,
        22.926_528_315,
        17.156_530_277,
        18.655_117_916,
        23.422_607_912,
        24.055_817_684,
        22.626_899_585,
        21.979_472_968,
        21.659_318_607,
        20.067_707_574,
        22.119_570_836,
        16.440_376_331,
        21.559_622_826,
        21.000_181_443,
        17.779_369_411,
        17.806_006_359,
        18.537_200_618,
        20.555_550_3,
        19.552_928_184,
        21.771_118_944,
        21.809_622_806,
        20.961_762_91,
        20.977_571_578,
        19.106_303_205,
        16.976_918_967,
    ];
}

#[test]
fn kayentas_worked_examples_have_its_classes() {
    let check = |control: &[f64], experiment: &[f64], direction, expected| {
        let criteria = Criteria {
            direction,
            tolerance: 0.10,
            confidence: 0.95,
        };
        let found = classify(control, experiment, &criteria);
        assert_eq!(found, Ok(expected));
    };
    let (ten, twenty) = (&kayenta::AROUND_TEN, &kayenta::AROUND_TWENTY);
    check(&kayenta::CONTROL, ten, Direction::Either, Class::Pass);
    check(&kayenta::CONTROL, twenty, Direction::Either, Class::High);
    check(twenty, ten, Direction::Either, Class::Low);
    check(twenty, ten, Direction::Increase, Class::Pass);
    check(&kayenta::CONTROL, twenty, Direction::Decrease, Class::Pass);
    check(&kayenta::CONTROL, twenty, Direction::Increase, Class::High);
    check(twenty, ten, Direction::Decrease, Class::Low);
    // ScorerSuite's weights: two groups of 60 and 40.
    assert_eq!(
        summary_score(&[(100.0, 60.0), (50.0, 40.0)]),
        Ok(Some(80.0))
    );
}

#[test]
fn the_shift_is_the_brute_forces() {
    // All 900 differences sorted; the interval's rank 318 is R's qwilcox(0.025, 30, 30).
    let mut all: Vec<f64> = kayenta::AROUND_TEN
        .iter()
        .flat_map(|y| kayenta::CONTROL.iter().map(move |x| y - x))
        .collect();
    all.sort_by(f64::total_cmp);
    let found = hodges_lehmann(&kayenta::CONTROL, &kayenta::AROUND_TEN, 0.95).expect("valid");
    assert_eq!(found.estimate, f64::midpoint(all[449], all[450]));
    assert_eq!(
        (found.interval.lower, found.interval.upper),
        (all[317], all[900 - 318])
    );
}

#[test]
fn a_hundred_noisy_runs_of_the_same_see_twelve_percent_and_five_see_nothing() {
    // The check of N-02: cv 30 %; 2.8 standard errors of 0.3 · √(2/100) are 11.9 %.
    let quantiles = |n: u32| -> Vec<f64> {
        (0..n)
            .map(|i| (f64::from(i) + 0.5) / f64::from(n))
            .map(|p| 100.0 + 30.0 * analysis::distribution::normal_quantile(p))
            .collect()
    };
    let (five, hundred) = (quantiles(5), quantiles(100));
    let few = compare(&five, &five, &Plan::default()).expect("valid input");
    assert_eq!(few.outcome, Outcome::Inconclusive);
    assert!(few.needs_per_side.is_some_and(|needed| needed > 5));
    let many = compare(&hundred, &hundred, &Plan::default()).expect("valid input");
    assert_eq!(many.outcome, Outcome::NoRegression);
    let mde = many.minimal_detectable.expect("the shift is bounded");
    assert!((0.11..0.13).contains(&mde), "{mde}");
}

#[test]
fn the_theil_sen_slope_is_scipys() {
    // scipy 1.16: theilslopes(values, arange(10), 0.95) = 1.75 within 1.2857 to 2.1429.
    let times: Vec<f64> = (0..10).map(f64::from).collect();
    let values = [1.0, 4.0, 3.0, 8.0, 9.0, 7.0, 12.0, 15.0, 13.0, 18.0];
    let found = trend(&times, &values, 0.95).expect("valid input");
    assert!((found.slope - 1.75).abs() < 1e-12, "{found:?}");
    // Ranks are rounded outwards here and to the nearest there, and scipy knows no autocorrelation.
    assert!(
        found.interval.lower <= 1.2858 && found.interval.lower > 0.9,
        "{found:?}"
    );
    assert!(
        found.interval.upper >= 2.1428 && found.interval.upper < 2.5,
        "{found:?}"
    );
}
