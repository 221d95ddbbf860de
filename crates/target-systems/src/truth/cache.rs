//! Hit ratios in the steady state.
//!
//! Uniform keys without a lifetime: min(1, C/K), because least recently used then equals random. A lifetime
//! T from the filling, with space for all keys: a key that is looked up at rate λ has a hit ratio of
//! λT/(1 + λT). All other cases by Che's approximation (H. Che, Y. Tung, Z. Wang, "Hierarchical web caching
//! systems", IEEE JSAC 20/7, 2002).

use crate::plan::{Cache, Popularity, Population};

/// Number of keys that are summed individually; further ones are summed in groups.
const MOST_GROUPS: u64 = 10_000;

/// A hit ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HitRatio {
    pub value: f64,
    pub exact: bool,
}

/// The ratio of an instance with `rate_per_s` lookups per second of keys of its population; ageing is
/// applied to `ttl_s`.
pub(super) fn of_population(
    population: Population,
    cache: &Cache,
    rate_per_s: f64,
    ttl_s: Option<f64>,
) -> HitRatio {
    let keys = population.keys.max(1) as f64;
    let capacity = cache.capacity as f64;
    let fits = capacity >= keys;
    match (population.popularity, ttl_s) {
        (_, None) if fits => exact(1.0),
        (Popularity::Uniform, None) => exact(capacity / keys),
        (Popularity::Uniform, Some(ttl_s)) if fits => exact(of_lifetime(rate_per_s / keys, ttl_s)),
        (Popularity::Zipf(_), Some(ttl_s)) if fits => {
            let groups = groups(population);
            HitRatio {
                value: groups
                    .iter()
                    .map(|group| {
                        let rate = group.share / group.keys * rate_per_s;
                        group.share * of_lifetime(rate, ttl_s)
                    })
                    .sum(),
                exact: population.keys <= MOST_GROUPS,
            }
        }
        _ => approximate(population, capacity, rate_per_s, ttl_s),
    }
}

/// The ratio of a single key that is looked up at a rate.
pub(super) fn of_one_key(rate_per_s: f64, ttl_s: Option<f64>) -> HitRatio {
    exact(ttl_s.map_or(1.0, |ttl_s| of_lifetime(rate_per_s, ttl_s)))
}

fn exact(value: f64) -> HitRatio {
    HitRatio { value, exact: true }
}

fn of_lifetime(rate: f64, ttl_s: f64) -> f64 {
    rate * ttl_s / (1.0 + rate * ttl_s)
}

/// Keys of about the same popularity.
#[derive(Debug, Clone, Copy)]
struct Group {
    keys: f64,
    /// Share of all lookups.
    share: f64,
}

fn groups(population: Population) -> Vec<Group> {
    let keys = population.keys.max(1);
    let s = match population.popularity {
        Popularity::Uniform => 0.0,
        Popularity::Zipf(s) => s,
    };
    let mut groups = Vec::new();
    let mut first = 1;
    while first <= keys {
        // Up to 10 000 groups of one key; each further group is a thousandth of the keys before it.
        let size = if first <= MOST_GROUPS {
            1
        } else {
            (first / 1_000).max(1)
        };
        let size = size.min(keys - first + 1);
        let middle = first as f64 + (size - 1) as f64 / 2.0;
        groups.push(Group {
            keys: size as f64,
            share: size as f64 * middle.powf(-s),
        });
        first += size;
    }
    let total: f64 = groups.iter().map(|group| group.share).sum();
    groups.iter_mut().for_each(|group| group.share /= total);
    groups
}

/// Che: a key stays for the characteristic time t at which Σ(1 − e^(−λᵢt)) equals the capacity, but not
/// longer than its lifetime.
fn approximate(
    population: Population,
    capacity: f64,
    rate_per_s: f64,
    ttl_s: Option<f64>,
) -> HitRatio {
    let groups = groups(population);
    let held = |time: f64| -> f64 {
        groups
            .iter()
            .map(|group| group.keys * -(-(group.share / group.keys) * time).exp_m1())
            .sum()
    };
    // Time in lookups, not in seconds: the ratio without a lifetime does not depend on the rate.
    let (mut low, mut high) = (0.0, 1.0);
    while held(high) < capacity && high < 1e18 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if held(middle) < capacity {
            low = middle;
        } else {
            high = middle;
        }
    }
    let value = groups
        .iter()
        .map(|group| {
            let rate = group.share / group.keys;
            let by_room = -(-rate * high).exp_m1();
            let by_lifetime = ttl_s.map_or(1.0, |ttl_s| of_lifetime(rate * rate_per_s, ttl_s));
            group.share * by_room.min(by_lifetime)
        })
        .sum();
    HitRatio {
        value,
        exact: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(popularity: Popularity, capacity: usize, rate: f64, ttl_s: Option<f64>) -> HitRatio {
        let population = Population {
            keys: 500,
            popularity,
        };
        let cache = Cache {
            population: Some(population),
            capacity,
            ttl: None,
            entry_kb: 0.0,
        };
        of_population(population, &cache, rate, ttl_s)
    }

    #[test]
    fn uniform_keys_follow_their_closed_forms() {
        assert_eq!(ratio(Popularity::Uniform, 250, 10.0, None), exact(0.5));
        assert_eq!(ratio(Popularity::Uniform, 500, 10.0, None), exact(1.0));
        let with_lifetime = ratio(Popularity::Uniform, 500, 21.0, Some(300.0));
        assert!((with_lifetime.value - 6_300.0 / 6_800.0).abs() < 1e-12);
        assert!(with_lifetime.exact);
    }

    #[test]
    fn the_approximation_meets_the_uniform_case_and_favours_popular_keys() {
        let population = Population {
            keys: 500,
            popularity: Popularity::Uniform,
        };
        let uniform = approximate(population, 250.0, 10.0, None).value;
        assert!((uniform - 0.5).abs() < 1e-6, "{uniform}");
        let zipf = ratio(Popularity::Zipf(0.9), 250, 10.0, None);
        assert!(
            zipf.value > 0.7 && zipf.value < 1.0 && !zipf.exact,
            "{zipf:?}"
        );
    }
}
