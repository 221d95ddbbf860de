//! The journal of the last requests: a bounded ring, with a count of evicted entries.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One request and its outcome.
pub trait Entry: Clone + Serialize + Send + 'static {
    /// A filter of entries, from a query.
    type Filter: DeserializeOwned + Send;

    /// The fields of the filter with text; the others are parsed.
    const TEXT_FILTERS: &'static [&'static str];

    /// Sets its number, counted from 1 in the order in which requests ended.
    fn number(&mut self, sequence: u64);

    fn matches(&self, filter: &Self::Filter) -> bool;

    /// The number of last entries that a filter selects.
    fn limit(filter: &Self::Filter) -> Option<usize>;

    /// Removes the parts that a filter does not request.
    fn shorten(&mut self, _filter: &Self::Filter) {}

    /// `none`, a kind of failure or of refusal.
    fn fault(&self) -> &str;
}

/// The ring.
#[derive(Debug)]
pub struct Journal<E> {
    capacity: usize,
    ring: Mutex<Ring<E>>,
    evicted: AtomicU64,
}

#[derive(Debug)]
struct Ring<E> {
    entries: VecDeque<E>,
    recorded: u64,
}

impl<E: Entry> Journal<E> {
    /// A journal that keeps the last `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ring: Mutex::new(Ring {
                entries: VecDeque::new(),
                recorded: 0,
            }),
            evicted: AtomicU64::new(0),
        }
    }

    /// Numbers an entry and stores it.
    pub fn record(&self, mut entry: E) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.recorded += 1;
        entry.number(ring.recorded);
        if self.capacity > 0 {
            if ring.entries.len() >= self.capacity {
                ring.entries.pop_front();
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            if ring.entries.len() == ring.entries.capacity() {
                // Doubled as usual, but not beyond the bound.
                let most = self.capacity - ring.entries.len();
                let more = ring.entries.len().max(64).min(most);
                ring.entries.reserve_exact(more);
            }
            ring.entries.push_back(entry);
        } else {
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The entries that match, oldest first, the last `limit` of them.
    pub fn select(&self, filter: &E::Filter) -> Vec<E> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = E::limit(filter).unwrap_or(usize::MAX);
        let mut entries: Vec<E> = ring
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.matches(filter))
            .take(limit)
            .cloned()
            .map(|mut entry| {
                entry.shorten(filter);
                entry
            })
            .collect();
        entries.reverse();
        entries
    }

    /// Deletes everything; the numbering continues.
    pub fn clear(&self) -> usize {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let cleared = ring.entries.len();
        ring.entries.clear();
        cleared
    }

    /// Requests recorded since the start.
    pub fn recorded(&self) -> u64 {
        self.ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recorded
    }

    /// Entries evicted since the start.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, PartialEq, Serialize)]
    struct Even(u64);

    #[derive(Debug, Default, Deserialize)]
    struct Filter {
        even: bool,
        limit: Option<usize>,
    }

    impl Entry for Even {
        type Filter = Filter;
        const TEXT_FILTERS: &'static [&'static str] = &[];

        fn number(&mut self, sequence: u64) {
            self.0 = sequence;
        }

        fn matches(&self, filter: &Filter) -> bool {
            !filter.even || self.0.is_multiple_of(2)
        }

        fn limit(filter: &Filter) -> Option<usize> {
            filter.limit
        }

        fn fault(&self) -> &'static str {
            "none"
        }
    }

    fn check(journal: &Journal<Even>, filter: &Filter, expected: &[u64]) {
        let numbers: Vec<u64> = journal.select(filter).iter().map(|entry| entry.0).collect();
        assert_eq!(numbers, expected, "{filter:?}");
    }

    #[test]
    fn the_last_entries_that_match_are_kept_and_the_rest_is_counted() {
        let journal = Journal::new(5);
        for _ in 0..8 {
            journal.record(Even(0));
        }
        check(&journal, &Filter::default(), &[4, 5, 6, 7, 8]);
        let last = |even, limit| Filter { even, limit };
        check(&journal, &last(true, None), &[4, 6, 8]);
        check(&journal, &last(true, Some(2)), &[6, 8]);
        check(&journal, &last(false, Some(0)), &[]);
        assert_eq!((journal.recorded(), journal.evicted()), (8, 3));
        assert_eq!(journal.clear(), 5);
        journal.record(Even(0));
        check(&journal, &Filter::default(), &[9]);
    }

    #[test]
    fn a_journal_without_room_only_counts() {
        let journal = Journal::new(0);
        journal.record(Even(0));
        check(&journal, &Filter::default(), &[]);
        assert_eq!((journal.recorded(), journal.evicted()), (1, 1));
    }
}
