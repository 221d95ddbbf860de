//! Distribution of users over several classes by weight, as in Locust.

/// Splits `total` whole users by weight: each class gets the floor of its share, and the largest remainders
/// get one more; of equal remainders, the earlier class.
pub(crate) fn users(total: u64, weights: &[u32]) -> Vec<u64> {
    let sum: u64 = weights.iter().copied().map(u64::from).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: u32| u128::from(total) * u128::from(weight);
    let mut shares: Vec<u64> = weights
        .iter()
        .map(|weight| (exact(*weight) / u128::from(sum)) as u64)
        .collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(exact(weights[*place]) % u128::from(sum)));
    let left = total - shares.iter().sum::<u64>();
    for place in order.into_iter().take(left as usize) {
        shares[place] += 1;
    }
    shares
}

/// Splits a rate by weight.
pub(super) fn rates(total: f64, weights: &[u32]) -> Vec<f64> {
    let sum: u32 = weights.iter().sum();
    weights
        .iter()
        .map(|weight| total * f64::from(*weight) / f64::from(sum.max(1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::users;

    #[test]
    fn shares_add_up_and_follow_the_weights() {
        assert_eq!(users(100, &[1, 1]), [50, 50]);
        assert_eq!(users(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(users(500, &[1, 1, 1]), [167, 167, 166]);
        assert_eq!(users(1, &[3, 1]), [1, 0]);
        assert_eq!(users(0, &[3, 1]), [0, 0]);
        assert_eq!(users(7, &[]), [0_u64; 0]);
        for total in 0..200 {
            assert_eq!(users(total, &[5, 3, 2, 1, 1]).iter().sum::<u64>(), total);
        }
    }
}
