//! An exact least-recently-used cache over key numbers.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::event::Nanos;
use super::{Network, nanos};

/// The index of no entry.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    /// The entry is not valid from this time on.
    stale_at: Nanos,
    newer: u32,
    older: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Lru {
    /// A fixed hash state: the order of keys is never read, and a run must not depend on randomness.
    places: HashMap<u64, u32, FixedState>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) evicted: u64,
}

impl Default for Lru {
    fn default() -> Self {
        Self {
            places: HashMap::with_hasher(FixedState::default()),
            entries: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            hits: 0,
            misses: 0,
            evicted: 0,
        }
    }
}

impl Lru {
    /// Whether the key is present; a hit makes it the most recent one, and a stale entry is removed.
    pub(super) fn look_up(&mut self, key: u64, now: Nanos) -> bool {
        let found = self.places.get(&key).copied();
        if let Some(place) = found {
            if self.entries[place as usize].stale_at > now {
                self.unlink(place);
                self.link(place);
                self.hits += 1;
                return true;
            }
            self.remove(place);
        }
        self.misses += 1;
        false
    }

    /// Adds a key; entries beyond the capacity are evicted, the least recent first.
    pub(super) fn insert(&mut self, key: u64, stale_at: Nanos, capacity: usize) {
        if let Some(&place) = self.places.get(&key) {
            self.unlink(place);
            self.entries[place as usize].stale_at = stale_at;
            return self.link(place);
        }
        if capacity == 0 {
            return;
        }
        self.shrink(capacity - 1);
        let entry = Entry {
            key,
            stale_at,
            newer: NONE,
            older: NONE,
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                place
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.places.insert(key, place);
        self.link(place);
    }

    /// Evicts entries beyond this number.
    pub(super) fn shrink(&mut self, capacity: usize) {
        while self.places.len() > capacity {
            self.evicted += 1;
            self.remove(self.oldest);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.entries.clear();
        self.free.clear();
        (self.newest, self.oldest) = (NONE, NONE);
    }

    fn remove(&mut self, place: u32) {
        self.unlink(place);
        self.places.remove(&self.entries[place as usize].key);
        self.free.push(place);
    }

    fn unlink(&mut self, place: u32) {
        let Entry { newer, older, .. } = self.entries[place as usize];
        match self.entries.get_mut(newer as usize) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
        match self.entries.get_mut(older as usize) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link(&mut self, place: u32) {
        let newest = self.newest;
        let entry = &mut self.entries[place as usize];
        (entry.newer, entry.older) = (NONE, newest);
        match self.entries.get_mut(newest as usize) {
            Some(entry) => entry.newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }
}

impl Network {
    /// Adds a key to a cache, unless the machine has crashed since the lookup.
    pub(super) fn fill(&mut self, component: usize, machine: u32, life: u32, key: u64) {
        let rules = self.loaded.component(component);
        let host = rules.host;
        let one = &self.domains[host].machines[machine as usize];
        let Some(cache) = rules.cache.as_ref().filter(|_| one.life == life) else {
            return;
        };
        let stale_at = cache.ttl.map_or(Nanos::MAX, |ttl| {
            let ttl = (nanos(ttl) as f64 / self.loaded.plan.ageing).round();
            self.now.saturating_add(ttl as Nanos)
        });
        let lru = &mut self.units[component].posts[machine as usize].cache;
        let room = one.memory.room(self.now).filter(|_| cache.entry_kb > 0.0);
        let more = room.map(|kb| (kb / cache.entry_kb).floor());
        // Memory has space for `more` further entries.
        let fits = more.map_or(usize::MAX, |more| {
            (lru.len() as f64 + more).max(0.0) as usize
        });
        lru.insert(key, stale_at, cache.capacity.min(fits));
        self.recount_caches(host, machine);
        self.press(host, machine);
    }

    /// Updates the memory used by the caches of a machine.
    pub(super) fn recount_caches(&mut self, host: usize, machine: u32) {
        let components = self.loaded.plan.components.iter().zip(&self.units);
        let kb = components
            .filter(|(rules, _)| rules.host == host)
            .filter_map(|(rules, unit)| Some((rules.cache.as_ref()?, unit)))
            .map(|(cache, unit)| cache.entry_kb * unit.posts[machine as usize].cache.len() as f64)
            .sum();
        self.domains[host].machines[machine as usize].memory.caches = kb;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stale_entry_is_a_miss() {
        let mut lru = Lru::default();
        lru.insert(1, 10, 5);
        assert!(lru.look_up(1, 9));
        assert!(!lru.look_up(1, 10));
        assert_eq!(lru.len(), 0);
    }

    proptest! {
        /// Compares with a list in which every use moves the key to the front.
        #[test]
        fn it_is_an_exact_lru(capacity in 0usize..8, keys in prop::collection::vec(0u64..12, 0..200)) {
            let mut lru = Lru::default();
            let mut list: Vec<u64> = Vec::new();
            for key in keys {
                let expected = list.contains(&key);
                prop_assert_eq!(lru.look_up(key, 0), expected);
                lru.insert(key, Nanos::MAX, capacity);
                list.retain(|other| *other != key);
                list.insert(0, key);
                list.truncate(capacity);
                prop_assert_eq!(lru.len(), list.len());
            }
        }
    }
}
