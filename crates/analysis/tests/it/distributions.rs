//! Our distributions against the crate statrs and printed tables.

use analysis::distribution::{
    beta_quantile, binomial_at_least, binomial_at_most, incomplete_beta, ln_gamma, normal_cdf,
    normal_quantile, student_t_cdf, student_t_quantile, student_t_two_sided,
};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};

#[track_caller]
fn close(what: &str, found: f64, expected: f64, relative: f64) {
    let difference = (found - expected).abs();
    assert!(
        difference <= relative * expected.abs() || difference < 1e-300,
        "{what}: {found}, not {expected}"
    );
}

#[test]
fn the_normal_distribution_is_statrs() {
    let normal = Normal::standard();
    for i in -80..=80 {
        let z = f64::from(i) / 10.0;
        close(&format!("cdf({z})"), normal_cdf(z), normal.cdf(z), 1e-9);
    }
    // Printed: Abramowitz and Stegun, table 26.1 and 26.5.
    close("cdf(1.96)", normal_cdf(1.96), 0.975_002_104_851_780, 1e-14);
    close("cdf(-5)", normal_cdf(-5.0), 2.866_515_718_791_946e-7, 1e-12);
    close(
        "cdf(-10)",
        normal_cdf(-10.0),
        7.619_853_024_160_527e-24,
        1e-12,
    );
    close(
        "q(.975)",
        normal_quantile(0.975),
        1.959_963_984_540_054,
        1e-15,
    );
    close(
        "q(1e-20)",
        normal_quantile(1e-20),
        -9.262_340_089_798_408,
        1e-13,
    );
    for i in 1..1000 {
        let p = f64::from(i) / 1000.0;
        close(
            &format!("there and back {p}"),
            normal_cdf(normal_quantile(p)),
            p,
            1e-12,
        );
    }
    assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(normal_quantile(1.0), f64::INFINITY);
    assert!(normal_quantile(1.5).is_nan() && normal_quantile(f64::NAN).is_nan());
}

#[test]
fn students_t_is_statrs_and_the_tables() {
    for degrees in [1.0, 2.0, 3.0, 7.5, 30.0, 1e4] {
        let t = StudentsT::new(0.0, 1.0, degrees).expect("valid parameters");
        for i in -40..=40 {
            let x = f64::from(i) / 4.0;
            let found = student_t_cdf(x, degrees);
            close(&format!("cdf({x}; {degrees})"), found, t.cdf(x), 1e-8);
        }
    }
    // Printed tables: t at 97.5 % and 99.5 %.
    close(
        "t1",
        student_t_quantile(0.975, 1.0),
        12.706_204_736_174_7,
        1e-12,
    );
    close(
        "t4",
        student_t_quantile(0.975, 4.0),
        2.776_445_105_197_79,
        1e-12,
    );
    close(
        "t10",
        student_t_quantile(0.995, 10.0),
        3.169_272_672_617_16,
        1e-11,
    );
    close("t1e6", student_t_quantile(0.975, 1e6), 1.959_966, 1e-6);
    close(
        "far",
        student_t_two_sided(40.0, 10.0),
        2.280_857_743_085_747_5e-12,
        1e-9,
    );
    assert_eq!(student_t_quantile(0.5, 3.0), 0.0);
    assert_eq!(student_t_quantile(0.1, 3.0), -student_t_quantile(0.9, 3.0));
    assert_eq!(student_t_two_sided(f64::INFINITY, 3.0), 0.0);
}

#[test]
fn the_incomplete_beta_and_gamma_functions_are_statrs() {
    use statrs::function::{beta::beta_reg, gamma};
    for i in 1..400 {
        let x = f64::from(i) / 7.0;
        let (found, expected) = (ln_gamma(x), gamma::ln_gamma(x));
        assert!(
            (found - expected).abs() < 1e-12 * expected.abs().max(1.0),
            "{x}"
        );
    }
    for (a, b) in [
        (0.5, 0.5),
        (2.0, 3.0),
        (30.0, 0.5),
        (400.0, 7.0),
        (950.0, 51.0),
    ] {
        for i in 0..=50 {
            let x = f64::from(i) / 50.0;
            let (found, expected) = (incomplete_beta(a, b, x), beta_reg(a, b, x));
            assert!(
                (found - expected).abs() < 1e-10,
                "I_{x}({a}, {b}): {found}, {expected}"
            );
        }
        for i in 1..20 {
            let p = f64::from(i) / 20.0;
            let back = incomplete_beta(a, b, beta_quantile(a, b, p));
            assert!((back - p).abs() < 1e-10, "{a} {b} {p}: {back}");
        }
    }
    assert!(incomplete_beta(0.0, 1.0, 0.5).is_nan() && beta_quantile(1.0, 1.0, 2.0).is_nan());
}

#[test]
fn binomial_tails_are_statrs() {
    for (n, p) in [(1, 0.5), (10, 0.5), (100, 0.99), (5000, 0.95)] {
        let binomial = Binomial::new(p, n).expect("valid parameters");
        for k in (0..=n).step_by(1 + n as usize / 50) {
            let expected = binomial.cdf(k);
            let at_most = binomial_at_most(n, p, k);
            assert!(
                (at_most - expected).abs() < 1e-9,
                "{n} {p} {k}: {at_most}, {expected}"
            );
            let more = binomial_at_least(n, p, k + 1);
            assert!((at_most + more - 1.0).abs() < 1e-9, "{n} {p} {k}");
        }
    }
}
