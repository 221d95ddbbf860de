//! Change points against Apache Otava, the maintained Hunter.

use analysis::change_point::{History, Merging, Options, change_points};

use crate::rows;

fn indices(series: &[f64], options: Options) -> Vec<usize> {
    change_points(series, &options)
        .expect("a finite series")
        .into_iter()
        .map(|point| point.index)
        .collect()
}

/// tests/series_test.py and tests/analysis_test.py of Apache Otava 0.8.
mod otava {
    pub(super) const SERIES_1: [f64; 11] = [
        1.02, 0.95, 0.99, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55,
    ];
    pub(super) const SERIES_2: [f64; 11] = [
        2.02, 2.03, 2.01, 2.04, 1.82, 1.85, 1.79, 1.81, 1.80, 1.76, 1.78,
    ];
    pub(super) const HALVED: [f64; 20] = [
        1.02, 0.95, 0.99, 1.00, 1.12, 1.00, 1.01, 0.98, 1.01, 0.96, 0.50, 0.51, 0.48, 0.48, 0.55,
        0.50, 0.49, 0.51, 0.50, 0.49,
    ];
    pub(super) const FROM_ZERO: [f64; 11] = [
        0.0, 0.0, 0.0, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55,
    ];
    pub(super) const JUMPS: [f64; 14] = [
        0.3, 2.4, 1.5, -0.9, -0.5, 99.7, 98.3, 99.1, 149.0, 149.7, 149.5, 149.1, 148.8, 150.0,
    ];
}

#[test]
fn hunters_short_series_change_where_otava_says() {
    assert_eq!(indices(&otava::SERIES_1, Options::default()), [6]);
    assert_eq!(indices(&otava::SERIES_2, Options::default()), [4]);
    assert_eq!(indices(&otava::FROM_ZERO, Options::default()), [3, 6]);
    let large = Options {
        min_magnitude: 0.2,
        ..Options::default()
    };
    assert_eq!(indices(&otava::SERIES_1, large), [6]);
    assert!(indices(&otava::SERIES_2, large).is_empty());
    let narrow = Options {
        window: 10,
        max_p_value: 0.0001,
        ..Options::default()
    };
    assert_eq!(indices(&otava::HALVED, narrow), [10]);
    let level = Options {
        max_p_value: 0.01,
        ..Options::default()
    };
    assert_eq!(indices(&otava::JUMPS, level), [5, 8]);
}

#[test]
fn p_values_and_means_are_otavas() {
    // Otava 0.8 with its defaults.
    let found = change_points(&otava::SERIES_1, &Options::default()).expect("a finite series");
    let point = found[0];
    assert!(
        (point.p_value / 9.470_438_654_814_028e-8 - 1.0).abs() < 1e-6,
        "{point:?}"
    );
    assert!((point.mean_before - 0.996_666_666_666_666_7).abs() < 1e-12);
    assert!((point.deviation_before - 0.067_494_855_771_055_32).abs() < 1e-12);
    assert!((point.relative_change() - (0.504 / 0.996_666_666_666_666_7 - 1.0)).abs() < 1e-12);
    let found = change_points(&otava::SERIES_2, &Options::default()).expect("a finite series");
    assert!((found[0].p_value / 8.236_974_073_947_705e-8 - 1.0).abs() < 1e-6);
}

fn tigerbeetle() -> Vec<f64> {
    rows(include_str!("../data/tigerbeetle.csv"))
        .iter()
        .map(|row| row[0])
        .collect()
}

#[test]
fn the_tigerbeetle_history_changes_where_otava_says_at_every_level() {
    // tests/tigerbeetle_test.py of Apache Otava, window 30.
    let series = tigerbeetle();
    let check = |max_p_value, min_magnitude, expected: &[usize]| {
        let options = Options {
            window: 30,
            max_p_value,
            min_magnitude,
            merging: Merging::AsOtava,
        };
        let found = indices(&series, options);
        assert_eq!(
            found, expected,
            "p {max_p_value}, magnitude {min_magnitude}"
        );
    };
    check(0.01, 0.05, &[15, 71]);
    check(0.05, 0.05, &[15, 71]);
    check(0.1, 0.05, &[10, 11, 15, 71, 363]);
    check(0.2, 0.05, &[10, 11, 15, 71]);
    let many = [
        3, 6, 7, 10, 11, 13, 15, 16, 28, 29, 35, 37, 39, 41, 44, 48, 49, 56, 58, 61, 65, 66, 69,
        71, 74, 76, 82, 95, 108, 117, 125, 126, 129, 131, 136, 137, 142, 148, 165, 169, 187, 190,
        192, 197, 200, 212, 220, 241, 243, 246, 247, 249, 250, 260, 265, 266, 268, 278, 282, 288,
        305, 306, 325, 330, 337, 338, 340, 347, 349, 363,
    ];
    check(0.2, 0.0, &many);
    let fewer = [
        3, 6, 10, 11, 15, 16, 28, 29, 35, 37, 39, 41, 44, 48, 49, 61, 71, 95, 117, 131, 142, 148,
        165, 169, 192, 206, 212, 260, 265, 268, 278, 282, 288, 305, 363,
    ];
    check(0.1, 0.0, &fewer);
    let strict = [
        15, 26, 61, 71, 95, 117, 131, 142, 148, 165, 169, 192, 212, 260,
    ];
    check(0.01, 0.0, &strict);
    check(
        0.001,
        0.0,
        &[15, 61, 71, 95, 117, 131, 142, 148, 192, 212, 260],
    );
    check(0.0001, 0.0, &[71, 95, 117, 131, 142, 148, 192, 212]);
    check(0.00001, 0.0, &[71, 95, 131, 192, 212]);
}

#[test]
fn points_measured_anew_on_both_sides_all_keep_the_level() {
    // Expected from Otava 0.8 with its merge step corrected: recompute(weakest - 1) and (weakest).
    let series = tigerbeetle();
    let check = |max_p_value, min_magnitude, expected: &[usize]| {
        let options = Options {
            window: 30,
            max_p_value,
            min_magnitude,
            ..Options::default()
        };
        let points = change_points(&series, &options).expect("a finite series");
        let found: Vec<usize> = points.iter().map(|point| point.index).collect();
        assert_eq!(
            found, expected,
            "p {max_p_value}, magnitude {min_magnitude}"
        );
        assert!(points.iter().all(|point| point.p_value < max_p_value));
    };
    check(0.01, 0.05, &[15, 71]);
    check(0.1, 0.05, &[10, 11, 15, 71]);
    let strict = [15, 61, 71, 95, 117, 131, 142, 148, 165, 169, 192, 212, 260];
    check(0.01, 0.0, &strict);
    check(0.001, 0.0, &[15, 61, 71, 95, 117, 131, 142, 148, 192, 212]);
    check(0.0001, 0.0, &[71, 95, 117, 131, 142, 148, 192, 212]);
}

#[test]
fn a_series_that_does_not_change_has_no_change_points() {
    assert!(indices(&[5.0; 200], Options::default()).is_empty());
    assert!(indices(&[5.0], Options::default()).is_empty());
}

/// Appends the values of a series one after the other.
fn one_by_one(series: &[f64], options: Options) -> (History, Vec<Vec<usize>>) {
    let mut history = History::new(options).expect("sound options");
    let mut found = Vec::new();
    for value in series {
        history.append(&[*value]).expect("a finite value");
        let points = history.change_points().into_iter();
        found.push(points.map(|point| point.index).collect());
    }
    (history, found)
}

#[test]
fn hunters_series_change_at_the_same_values_when_they_come_one_by_one() {
    for (series, expected) in [
        (&otava::SERIES_1[..], &[6][..]),
        (&otava::SERIES_2, &[4]),
        (&otava::FROM_ZERO, &[3, 6]),
    ] {
        let (_, found) = one_by_one(series, Options::default());
        assert_eq!(found.last().expect("a value"), expected);
    }
    let options = Options {
        window: 30,
        max_p_value: 0.001,
        min_magnitude: 0.05,
        ..Options::default()
    };
    let series = tigerbeetle();
    let (_, found) = one_by_one(&series, options);
    // All change points of the whole series, and the spike of two runs that was reported when it was new.
    assert_eq!(indices(&series, options), [15, 71]);
    assert_eq!(found.last().expect("a value"), &[10, 11, 15, 71]);
}

#[test]
fn change_points_remain_when_the_next_value_is_appended() {
    let options = Options {
        window: 30,
        max_p_value: 0.001,
        min_magnitude: 0.05,
        ..Options::default()
    };
    let series = tigerbeetle();
    let mut history = History::new(options).expect("sound options");
    let mut before: Vec<usize> = Vec::new();
    for value in &series {
        history.append(&[*value]).expect("a finite value");
        let weak = history.weak().to_vec();
        assert!(
            before.iter().all(|known| weak.contains(known)),
            "{before:?} {weak:?}"
        );
        before = weak;
    }
    // Continuing from a stored history finds the same as an uninterrupted one.
    let (kept, rest) = series.split_at(200);
    let mut first = History::new(options).expect("sound options");
    kept.iter()
        .for_each(|value| first.append(&[*value]).expect("a finite value"));
    let known = (first.series().to_vec(), first.weak().to_vec());
    let mut again = History::with_known(known.0, known.1, options).expect("sound");
    rest.iter()
        .for_each(|value| again.append(&[*value]).expect("a finite value"));
    assert_eq!(again, history);
}

#[test]
fn an_invalid_history_is_rejected() {
    let narrow = Options {
        window: 1,
        ..Options::default()
    };
    assert!(History::new(narrow).is_err());
    let mut history = History::new(Options::default()).expect("sound options");
    assert!(history.append(&[f64::NAN]).is_err());
    assert!(history.series().is_empty());
    for known in [vec![0], vec![3], vec![1, 9]] {
        assert!(History::with_known(vec![1.0, 2.0, 3.0], known, Options::default()).is_err());
    }
}
