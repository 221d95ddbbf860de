//! The regularised incomplete beta function and its inverse.

use super::gamma::ln_gamma;

/// I_x(a, b) for a, b > 0 and x in 0..=1; NaN for anything else.
///
/// Continued fraction of DLMF 8.17.22, evaluated by the modified Lentz method; about 14 digits.
pub fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    let defined = a > 0.0 && b > 0.0 && (0.0..=1.0).contains(&x);
    if !defined {
        return f64::NAN;
    }
    if x == 0.0 || x == 1.0 {
        return x;
    }
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    let front = ln_front.exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(a, b, x) / a
    } else {
        1.0 - front * continued_fraction(b, a, 1.0 - x) / b
    }
}

/// The x with I_x(a, b) = p, for p in 0..=1; NaN for anything else. Bisection to the last bit.
pub fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let defined = a > 0.0 && b > 0.0 && (0.0..=1.0).contains(&p);
    if !defined {
        return f64::NAN;
    }
    let (mut low, mut high) = (0.0f64, 1.0f64);
    for _ in 0..1100 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if incomplete_beta(a, b, middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for m in 1..=10_000u32 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let step = d * c;
        result *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    result
}
