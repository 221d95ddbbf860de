//! Percentiles and their intervals against published examples.

use analysis::Sorted;
use analysis::order_interval::quantile_interval;
use analysis::percentile::{Definition, quantile};

/// NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.6.2: twelve measurements of a gauge study.
const NIST: [f64; 12] = [
    95.1772, 95.1567, 95.1937, 95.1959, 95.1442, 95.0610, 95.1591, 95.1195, 95.1065, 95.0925,
    95.1990, 95.1682,
];

#[test]
fn the_90th_percentile_of_nists_handbook_is_95_1981() {
    let sample = Sorted::new(&NIST).expect("finite values");
    let found = quantile(&sample, 0.9, Definition::Type6).expect("a quantile");
    assert!((found - 95.1981).abs() < 5e-5, "{found}");
}

#[test]
fn every_definition_is_numpys_of_the_same_number() {
    // numpy 2.2, np.quantile(NIST, q, method=…): inverted_cdf, weibull, linear.
    let sample = Sorted::new(&NIST).expect("finite values");
    let check = |definition, q, expected: f64| {
        let found = quantile(&sample, q, definition).expect("a quantile");
        assert!(
            (found - expected).abs() < 1e-9,
            "{definition:?} {q}: {found}"
        );
    };
    check(Definition::Rank, 0.9, 95.1959);
    check(Definition::Type6, 0.9, 95.198_07);
    check(Definition::Type7, 0.9, 95.195_68);
    check(Definition::Rank, 0.25, 95.1065);
    check(Definition::Type6, 0.25, 95.109_75);
    check(Definition::Type7, 0.25, 95.116_25);
}

#[test]
fn benchstats_median_intervals_are_found() {
    // golang.org/x/perf, benchmath/assumption_test.go, TestSummaryNone.
    let sample = Sorted::new(&[-10.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("finite values");
    assert_eq!(sample.median(), 3.5);
    let at_95 = quantile_interval(&sample, 0.5, 0.95).expect("valid input");
    assert_eq!((at_95.lower, at_95.upper), (-10.0, 6.0));
    let at_99 = quantile_interval(&sample, 0.5, 0.99).expect("valid input");
    assert!(at_99.lower.is_infinite() && at_99.upper.is_infinite());
}
