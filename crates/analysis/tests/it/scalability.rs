//! The scalability law, Kneedle and the capacity estimates against published fits.

use analysis::capacity::{self, Agreement, Method};
use analysis::distribution::student_t_quantile;
use analysis::kneedle::{Shape, knee};
use analysis::usl::{Coefficient, Fit, Reach, fit};

use crate::{assert_digits, rows};

/// Gunther, "Guerrilla Capacity Planning" (2007); data set raytracer of R's usl: processors, throughput.
const RAYTRACER: [(f64, f64); 11] = [
    (1.0, 20.0),
    (4.0, 78.0),
    (8.0, 130.0),
    (12.0, 170.0),
    (16.0, 190.0),
    (20.0, 200.0),
    (24.0, 210.0),
    (28.0, 230.0),
    (32.0, 260.0),
    (48.0, 280.0),
    (64.0, 310.0),
];

/// SPEC SDM91 on a SPARCcenter 2000; data set specsdm91 of R's usl: users, scripts per hour.
const SPECSDM91: [(f64, f64); 7] = [
    (1.0, 64.9),
    (18.0, 995.9),
    (36.0, 1652.4),
    (72.0, 1853.2),
    (108.0, 1828.9),
    (144.0, 1775.0),
    (216.0, 1702.2),
];

/// Schwartz, "Practical Scalability Analysis with the Universal Scalability Law"; also in usl4j's tests.
const CISCO: [f64; 32] = [
    955.16, 1878.91, 2688.01, 3548.68, 4315.54, 5130.43, 5931.37, 6531.08, 7219.8, 7867.61,
    8278.71, 8646.7, 9047.84, 9426.55, 9645.37, 9897.24, 10097.6, 10240.5, 10532.39, 10798.52,
    11151.43, 11518.63, 11806.0, 12089.37, 12075.41, 12177.29, 12211.41, 12158.93, 12155.27,
    12118.04, 12140.4, 12074.39,
];

fn split(points: &[(f64, f64)]) -> (Vec<f64>, Vec<f64>) {
    points.iter().copied().unzip()
}

fn cisco() -> (Vec<f64>, Vec<f64>) {
    ((1..=32).map(f64::from).collect(), CISCO.to_vec())
}

fn fitted((loads, throughputs): &(Vec<f64>, Vec<f64>)) -> Fit {
    fit(loads, throughputs, 0.95).expect("the data can be fitted")
}

#[track_caller]
fn check(what: &str, found: Coefficient, estimate: f64, error: f64) {
    assert_digits(what, found.estimate, estimate, 4);
    assert_digits(&format!("{what}, error"), found.standard_error, error, 4);
}

#[test]
fn specsdm91_is_fitted_as_r_prints_it() {
    // github.com/smoeding/usl 3.0.3: README.md and tests/summary.Rout.save.
    let fit = fitted(&split(&SPECSDM91));
    check("alpha", fit.alpha, 0.027_728_5, 0.009_121_7);
    check("beta", fit.beta, 0.000_104_365_8, 0.000_019_875);
    check("gamma", fit.gamma, 89.995_233, 14.213_489_4);
    assert_digits("residual error", fit.residual_deviation, 82.85, 4);
    let peak = fit.peak().expect("beta is above 0");
    assert_digits("peak load", peak.load, 96.519_56, 5);
    assert_digits("peak throughput", peak.throughput, 1884.0, 4);
    assert_eq!(peak.reach, Reach::Measured);
    assert_digits("ceiling", fit.ceiling().expect("alpha"), 3245.589, 5);
    let optimal = fit.optimal().expect("alpha is above 0");
    assert_digits("optimal load", optimal.load, 36.064_01, 5);
    assert_digits("optimal throughput", optimal.throughput, 1542.0, 4);
    // tests/predict.Rout.save and tests/overhead.Rout.save.
    assert_digits("X(36)", fit.throughput(36.0), 1541.0, 4);
    let overhead = fit.overhead(216.0);
    assert_digits("ideal", overhead.ideal, 0.00463, 3);
    assert_digits("contention", overhead.contention, 0.0276, 3);
    assert_digits("coherency", overhead.coherency, 0.011_219, 4);
    // limit, optimum and peak of other coefficients: tests/{limit,optimal,peak}-scalability.R.
    let other = fit.with(0.001, 0.000_01);
    assert_digits(
        "other ceiling",
        other.ceiling().expect("alpha"),
        89_995.23,
        4,
    );
    assert_digits(
        "other optimum",
        other.optimal().expect("alpha").load,
        1000.0,
        4,
    );
    assert_digits("other peak", other.peak().expect("beta").load, 316.0696, 5);
}

#[test]
fn the_first_six_ray_tracer_points_have_rs_intervals_and_an_extrapolated_peak() {
    // github.com/smoeding/usl 3.0.3: tests/confint.Rout.save, three digits. Its intervals are narrower than
    // their name: R/confint.R takes qt(0.95, n - 1) for a two-sided 95 % of n - 3 degrees of freedom.
    let fit = fitted(&split(&RAYTRACER[..6]));
    let t = student_t_quantile(0.95, 5.0);
    let check = |what, found: Coefficient, [estimate, lower, upper]: [f64; 3]| {
        assert_digits(what, found.estimate, estimate, 3);
        let half_width = t * found.standard_error;
        assert_digits(what, found.estimate - half_width, lower, 3);
        assert_digits(what, found.estimate + half_width, upper, 3);
        let ours = student_t_quantile(0.975, 3.0) * found.standard_error;
        assert_digits(what, found.interval.half_width(), ours, 6);
    };
    check("alpha", fit.alpha, [0.02444, 0.00754, 0.04135]);
    check("beta", fit.beta, [0.00163, 0.00110, 0.00215]);
    check("gamma", fit.gamma, [20.85605, 19.26717, 22.44492]);
    // To six digits by scipy 1.16's bounded trust-region solver.
    assert_digits("alpha", fit.alpha.estimate, 0.024_444_045, 6);
    assert_digits("beta", fit.beta.estimate, 0.001_626_809_2, 6);
    let peak = fit.peak().expect("beta is above 0");
    assert_digits("peak", peak.load, 24.4883, 5);
    assert_eq!(peak.reach, Reach::Extrapolated { beyond: 20.0 });
    assert!(!fit.is_weak);
    let interval = fit.peak_interval().expect("no parameter is on its bound");
    assert!(
        interval.contains(peak.load) && interval.lower > 15.0,
        "{interval:?}"
    );
}

#[test]
fn the_whole_ray_tracer_never_falls_because_beta_is_on_its_bound() {
    // The vignette of usl 3.0.3 says: beta 0, no maximum. Digits by scipy 1.16's bounded solver.
    let fit = fitted(&split(&RAYTRACER));
    check("alpha", fit.alpha, 0.057_770_78, 0.013_293_2);
    check("gamma", fit.gamma, 21.848_84, 2.196_16);
    assert_eq!(fit.beta.estimate, 0.0);
    assert!(fit.beta.at_bound && !fit.alpha.at_bound);
    assert_eq!((fit.peak(), fit.peak_interval()), (None, None));
    assert_digits("ceiling", fit.ceiling().expect("alpha"), 378.199, 5);
    assert_digits("R squared", fit.r_squared, 0.990_695, 5);
}

#[test]
fn the_oracle_data_are_fitted_as_the_vignette_says() {
    // The vignette: alpha an order of magnitude larger, a peak at about 3.5 sessions. Digits by scipy.
    let data = rows(include_str!("../data/oracledb.csv"));
    let points: Vec<(f64, f64)> = data.iter().map(|row| (row[0], row[1])).collect();
    let fit = fitted(&split(&points));
    check("alpha", fit.alpha, 0.441_371_6, 0.046_741_6);
    check("beta", fit.beta, 0.045_298_3, 0.016_184);
    check("gamma", fit.gamma, 3.386_078, 0.061_116_6);
    assert_digits("peak", fit.peak().expect("beta").load, 3.5, 2);
}

#[test]
fn cisco_is_fitted_as_in_the_book() {
    let fit = fitted(&cisco());
    assert_digits("sigma", fit.alpha.estimate, 0.026_715_91, 4);
    assert_digits("kappa", fit.beta.estimate, 7.690_945e-4, 4);
    assert_digits("lambda", fit.gamma.estimate, 995.6486, 6);
    let peak = fit.peak().expect("beta is above 0");
    assert_eq!(peak.load.floor(), 35.0);
    assert_eq!(peak.reach, Reach::Extrapolated { beyond: 32.0 });
    // usl4j's ModelTest: times and throughputs at 1, 20 and 35 users.
    assert_digits("R(20)", fit.response_time(20.0), 0.001_807_721_8, 5);
    assert_digits("X(20)", fit.throughput(20.0), 11_063.633, 5);
    assert_digits("X(35)", fit.throughput(35.0), 12_341.746, 5);
}

#[test]
fn exact_data_give_back_their_law() {
    // github.com/smoeding/usl 3.0.3: tests/coef.R, alpha = beta = 0.02, gamma = 1.
    let loads = vec![1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    let throughputs = vec![1.0, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557];
    let fit = fitted(&(loads, throughputs));
    check("alpha", fit.alpha, 0.020_005_76, 3.525_81e-6);
    check("beta", fit.beta, 0.019_999_67, 2.653_85e-7);
    assert_digits("gamma", fit.gamma.estimate, 1.0, 4);
}

#[test]
fn few_loads_are_called_weak_and_too_few_refused() {
    let (loads, throughputs) = split(&RAYTRACER);
    let five = fit(&loads[..5], &throughputs[..5], 0.95).expect("five loads");
    assert!(five.is_weak);
    let refused = fit(&loads[..3], &throughputs[..3], 0.95).expect_err("three loads");
    assert_eq!(
        refused.to_string(),
        "3 different loads; at least 4 are needed"
    );
}

#[test]
fn kneedle_finds_the_knee_of_the_papers_figure() {
    // Satopää et al. 2011, figure 2: y = 5 - 1 / (x + 0.1) at ten points, the knee near 0.22.
    let x: Vec<f64> = (0..10).map(|i| f64::from(i) / 9.0).collect();
    let y: Vec<f64> = x.iter().map(|x| 5.0 - 1.0 / (x + 0.1)).collect();
    let found = knee(&x, &y, Shape::ConcaveRising, 1.0).expect("valid input");
    assert_eq!(found.map(|(x, _)| x), Some(x[2]));
}

#[test]
fn kneedle_finds_kneeds_knees_of_all_shapes() {
    // github.com/arvkevi/kneed, tests/test_sample.py with interp1d.
    let x: Vec<f64> = (0..10).map(f64::from).collect();
    let rising = [1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0, 40.0, 100.0];
    let falling = [99.0, 98.0, 97.0, 96.0, 95.0, 90.0, 85.0, 80.0, 60.0, 0.0];
    let reversed = |y: [f64; 10]| {
        let mut y = y.to_vec();
        y.reverse();
        y
    };
    let concave = [0.0, 60.0, 80.0, 85.0, 90.0, 95.0, 96.0, 97.0, 98.0, 99.0];
    let check = |y: &[f64], shape, expected| {
        let found = knee(&x[..y.len()], y, shape, 1.0).expect("valid input");
        assert_eq!(found.map(|(x, _)| x), Some(expected), "{shape:?}");
    };
    check(&concave, Shape::ConcaveRising, 2.0);
    check(&falling, Shape::ConcaveFalling, 7.0);
    check(&rising, Shape::ConvexRising, 7.0);
    check(&reversed(rising), Shape::ConvexFalling, 2.0);
    // Truncated data move the knee.
    check(&concave[..7], Shape::ConcaveRising, 2.0);
    check(&falling[..7], Shape::ConcaveFalling, 4.0);
    check(&rising[..7], Shape::ConvexRising, 4.0);
    check(&reversed(rising)[..7], Shape::ConvexFalling, 2.0);
}

#[test]
fn estimates_side_by_side_show_where_they_differ() {
    // The check of N-03.
    let estimates = |data: &(Vec<f64>, Vec<f64>)| {
        let peak = capacity::from_usl(&fitted(data)).expect("beta is above 0");
        let knee = capacity::from_knee(&data.0, &data.1)
            .expect("valid input")
            .expect("a knee");
        (peak, knee)
    };
    let (peak, knee) = estimates(&cisco());
    assert_eq!((knee.method, knee.load), (Method::Kneedle, Some(14.0)));
    assert_digits("cisco's peak", peak.load.expect("a load"), 35.6, 3);
    assert!(peak.reach.is_extrapolated());
    // The extrapolated peak is not considered, so there is nothing to agree.
    let together = capacity::agreement(&[peak, knee], 0.1);
    assert_eq!(together, Ok(Agreement::TooFew));

    let (peak, knee) = estimates(&split(&SPECSDM91));
    assert_eq!(knee.load, Some(36.0));
    assert!(!peak.reach.is_extrapolated());
    let together = capacity::agreement(&[peak, knee], 0.1).expect("valid input");
    let Agreement::Differ { factor } = together else {
        panic!("{together:?}");
    };
    assert_digits("the factor", factor, 1884.0 / 1652.4, 3);
    assert_eq!(
        capacity::agreement(&[peak, knee], 0.2),
        Ok(Agreement::Agree)
    );
}
