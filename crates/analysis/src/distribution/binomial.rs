//! Tails of the binomial distribution.

use super::beta::incomplete_beta;

/// P(X <= k) of n trials with success probability p (DLMF 8.17.5).
pub fn binomial_at_most(n: u64, p: f64, k: u64) -> f64 {
    if k >= n {
        return 1.0;
    }
    incomplete_beta((n - k) as f64, k as f64 + 1.0, 1.0 - p)
}

/// P(X >= k).
pub fn binomial_at_least(n: u64, p: f64, k: u64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    incomplete_beta(k as f64, (n - k) as f64 + 1.0, p)
}
