//! The crate's results, compared with published results, other implementations and known truth.

mod bad_input;
mod calibration;
mod change_points;
mod distributions;
mod invariance;
mod percentiles;
mod queues;
mod scalability;
mod two_samples;

/// Rows of numbers of a data file; lines that begin with # describe their source.
fn rows(file: &str) -> Vec<Vec<f64>> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            line.split(',')
                .map(|cell| cell.parse().expect("the data files hold numbers"))
                .collect()
        })
        .collect()
}

/// Equal to `digits` significant digits.
#[track_caller]
fn assert_digits(what: &str, found: f64, expected: f64, digits: i32) {
    let reach = 0.5 * 10f64.powf(expected.abs().log10().floor() + 1.0 - f64::from(digits));
    assert!(
        (found - expected).abs() <= reach,
        "{what}: {found}, not {expected} to {digits} digits"
    );
}
