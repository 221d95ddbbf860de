//! Student's t distribution.

use super::beta::incomplete_beta;
use super::normal::normal_quantile;

/// P(T <= t) with `degrees` > 0 degrees of freedom.
pub fn student_t_cdf(t: f64, degrees: f64) -> f64 {
    let outside = student_t_two_sided(t, degrees) / 2.0;
    if t < 0.0 { outside } else { 1.0 - outside }
}

/// P(|T| >= |t|), the two-sided p value; exact far into the tail.
pub fn student_t_two_sided(t: f64, degrees: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

/// The t with P(T <= t) = p, for p strictly between 0 and 1 and `degrees` > 0; NaN otherwise.
pub fn student_t_quantile(p: f64, degrees: f64) -> f64 {
    let defined = p > 0.0 && p < 1.0 && degrees > 0.0;
    if !defined {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    if p < 0.5 {
        return -student_t_quantile(1.0 - p, degrees);
    }
    let tail = 2.0 * (1.0 - p);
    // t is heavier than normal: the normal quantile is a lower bound, doubling finds an upper one.
    let mut low = 0.0;
    let mut high = normal_quantile(p).max(1.0);
    while student_t_two_sided(high, degrees) > tail {
        low = high;
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if student_t_two_sided(middle, degrees) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}
