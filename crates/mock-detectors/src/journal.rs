//! What was done to the last requests: a bounded ring, with a count of what fell out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// One request and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// Counted from 1 in the order in which requests ended.
    pub(crate) sequence: u64,
    pub(crate) unix_us: u64,
    pub(crate) revision: u64,
    pub(crate) tenant: Box<str>,
    pub(crate) key: Box<str>,
    pub(crate) attempt: u32,
    /// Place in the tenant's stream.
    pub(crate) index: u64,
    /// `none`, a kind of failure, `rate_limited`, `overflow` or `bad_request`.
    pub(crate) fault: &'static str,
    /// Status that was sent; 0 when none was.
    pub(crate) status: u16,
    pub(crate) planned_us: u64,
    pub(crate) queued_us: u64,
    pub(crate) actual_us: u64,
    /// The caller went away before the answer.
    pub(crate) cancelled: bool,
    /// What is in the content: the truth, whatever was answered.
    pub(crate) findings: u32,
    /// Whether the verdict on some clean content, or on some other, is wrong on purpose.
    pub(crate) false_positive: bool,
    pub(crate) false_negative: bool,
}

impl Entry {
    pub(crate) fn empty() -> Self {
        Self {
            sequence: 0,
            unix_us: 0,
            revision: 0,
            tenant: Box::default(),
            key: Box::default(),
            attempt: 1,
            index: 0,
            fault: "none",
            status: 0,
            planned_us: 0,
            queued_us: 0,
            actual_us: 0,
            cancelled: false,
            findings: 0,
            false_positive: false,
            false_negative: false,
        }
    }
}

/// Which entries are meant.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Filter {
    pub(crate) fault: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) revision: Option<u64>,
    pub(crate) status: Option<u16>,
    pub(crate) cancelled: Option<bool>,
    /// Entries behind this sequence number.
    pub(crate) after: Option<u64>,
    pub(crate) limit: Option<usize>,
}

impl Filter {
    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        fn same<T: PartialEq + ?Sized>(wanted: Option<&T>, is: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        same(self.fault.as_deref(), entry.fault)
            && same(self.tenant.as_deref(), &entry.tenant)
            && same(self.key.as_deref(), &entry.key)
            && same(self.revision.as_ref(), &entry.revision)
            && same(self.status.as_ref(), &entry.status)
            && same(self.cancelled.as_ref(), &entry.cancelled)
            && self.after.is_none_or(|after| entry.sequence > after)
    }
}

/// The ring.
#[derive(Debug)]
pub(crate) struct Journal {
    capacity: usize,
    ring: Mutex<Ring>,
    evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Entry>,
    recorded: u64,
}

impl Journal {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ring: Mutex::default(),
            evicted: AtomicU64::new(0),
        }
    }

    pub(crate) fn record(&self, mut entry: Entry) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.recorded += 1;
        entry.sequence = ring.recorded;
        if self.capacity > 0 {
            if ring.entries.len() >= self.capacity {
                ring.entries.pop_front();
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            if ring.entries.len() == ring.entries.capacity() {
                // Doubling as usual, but not past the bound.
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
    pub(crate) fn select(&self, filter: &Filter) -> Vec<Entry> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = filter.limit.unwrap_or(usize::MAX);
        let mut entries: Vec<Entry> = ring
            .entries
            .iter()
            .rev()
            .filter(|entry| filter.matches(entry))
            .take(limit)
            .cloned()
            .collect();
        entries.reverse();
        entries
    }

    /// Forgets everything; the numbering goes on.
    pub(crate) fn clear(&self) -> usize {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let cleared = ring.entries.len();
        ring.entries.clear();
        cleared
    }

    /// Requests recorded since the start.
    pub(crate) fn recorded(&self) -> u64 {
        self.ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recorded
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}
