//! A cache that is bounded in entries and in bytes, since one answer may be as large as a thousand others, and
//! clients determine the size of answers.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;

/// A cache of shared values; the least useful are evicted beyond the bounds.
pub struct Bounded<K, V> {
    entries: QuickCache<K, Weighed<V>, Weights>,
    /// The minimum weight of a value, so that the number of entries is bounded too.
    least: u64,
}

struct Weighed<V> {
    value: Arc<V>,
    /// Stored, since it is needed on every eviction.
    weight: u64,
}

impl<V> Clone for Weighed<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            weight: self.weight,
        }
    }
}

#[derive(Clone)]
struct Weights;

impl<K, V> Weighter<K, Weighed<V>> for Weights {
    fn weight(&self, _: &K, kept: &Weighed<V>) -> u64 {
        kept.weight
    }
}

impl<K: std::hash::Hash + Eq + Clone, V> Bounded<K, V> {
    /// Room for `entries` with `bytes` in total.
    pub fn new(entries: usize, bytes: usize) -> Self {
        let entries = entries.max(1);
        let least = (bytes as u64 / entries as u64).max(16);
        // A little more than the entries need, since the cache rejects a value that would fill it.
        let room = least
            .saturating_mul(entries as u64)
            .saturating_add(least / 16);
        Self {
            entries: QuickCache::with_weighter(entries, room, Weights),
            least,
        }
    }

    /// Stores a value of about this size, replacing one under the same key. One that would fill the cache is not
    /// stored.
    pub fn insert(&self, key: K, value: Arc<V>, bytes: usize) {
        let weight = (bytes as u64).max(self.least);
        self.entries.insert(key, Weighed { value, weight });
    }

    /// Whether a value is stored under the key; this lookup does not count as a use.
    pub fn has(&self, key: &K) -> bool {
        self.entries.peek(key).is_some()
    }

    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        self.entries.get(key).map(|kept| kept.value)
    }

    pub fn remove(&self, key: &K) {
        self.entries.remove(key);
    }

    pub fn clear(&self) {
        self.entries.clear();
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops the values for which `keep` is false. Returns their number.
    pub fn retain(&self, keep: impl Fn(&V) -> bool) -> usize {
        let before = self.len();
        self.entries.retain(|_, kept| keep(&kept.value));
        before.saturating_sub(self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of `count` values of `bytes` each that are kept in a cache for `entries` with 1 MB in total.
    fn kept(entries: usize, count: usize, bytes: usize) -> usize {
        let cache: Bounded<usize, usize> = Bounded::new(entries, 1_000_000);
        for number in 0..count {
            cache.insert(number, Arc::new(number), bytes);
        }
        let found = (0..count).filter(|number| cache.get(number).is_some());
        assert_eq!(found.count(), cache.len());
        cache.len()
    }

    #[test]
    fn the_cache_is_bounded_in_entries_and_in_bytes() {
        for (entries, count, bytes, most) in [
            (1, 10, 1, 1),
            (2, 10, 1, 2),
            (100, 1_000, 1, 100),
            (100, 50, 100_000, 10),
            (10_000, 1_000, 10_000, 100),
        ] {
            let kept = kept(entries, count, bytes);
            assert!(
                kept >= 1 && kept <= most,
                "{kept} of {most} of {bytes} bytes"
            );
        }
        assert_eq!(kept(100, 10, 1_000), 10, "there is room for all");
        assert_eq!(kept(100, 1, 2_000_000), 0, "too much for the whole cache");
    }

    #[test]
    fn a_value_that_is_too_large_takes_the_one_before_it_along() {
        let cache: Bounded<usize, usize> = Bounded::new(10, 1_000_000);
        cache.insert(1, Arc::new(1), 1_000);
        assert!(cache.has(&1) && !cache.has(&2));
        cache.insert(1, Arc::new(2), 2_000_000);
        assert!(
            !cache.has(&1),
            "an old value under the key is not the new one"
        );
    }
}
