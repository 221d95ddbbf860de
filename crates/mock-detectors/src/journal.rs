//! Journal entries of requests.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use simulated_server::Decided;

/// One request and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// Counted from 1 in the order in which requests ended.
    pub(crate) sequence: u64,
    pub(crate) unix_us: u64,
    pub(crate) revision: u64,
    pub(crate) tenant: Box<str>,
    pub(crate) key: Box<str>,
    pub(crate) attempt: u32,
    /// Index in the tenant's stream.
    pub(crate) index: u64,
    /// `none`, a kind of failure, `rate_limited`, `overflow` or `bad_request`.
    pub(crate) fault: &'static str,
    /// Status that was sent; 0 when none was.
    pub(crate) status: u16,
    pub(crate) planned_us: u64,
    pub(crate) queued_us: u64,
    pub(crate) actual_us: u64,
    /// The caller disconnected before the answer.
    pub(crate) cancelled: bool,
    /// The truth about the content, whatever the answer was.
    pub(crate) findings: u32,
    /// Whether the verdict on clean content, or on other content, is wrong on purpose.
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

    /// The decision, as in the header.
    pub(crate) fn decided(&self, degraded: bool) -> Decided<'_> {
        Decided {
            revision: self.revision,
            index: self.index,
            key: &self.key,
            fault: self.fault,
            planned_us: self.planned_us,
            queued_us: self.queued_us,
            actual_us: self.actual_us,
            degraded,
        }
    }
}

/// Maximum number of stored characters of a tenant or a key.
const MOST_CHARS: usize = 128;

/// A stored text: one that is too long is cut, and ends with a hash that distinguishes it from others with the
/// same beginning.
pub(crate) fn bounded(text: &str) -> Cow<'_, str> {
    const MARK_CHARS: usize = 17;
    let cut = text.char_indices().nth(MOST_CHARS - MARK_CHARS);
    match (text.chars().nth(MOST_CHARS), cut) {
        (Some(_), Some((at, _))) => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            Cow::Owned(format!("{}~{:016x}", &text[..at], hasher.finish()))
        }
        _ => Cow::Borrowed(text),
    }
}

/// A filter of entries.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Filter {
    pub(crate) fault: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) revision: Option<u64>,
    pub(crate) status: Option<u16>,
    pub(crate) cancelled: Option<bool>,
    /// Entries after this sequence number.
    pub(crate) after: Option<u64>,
    pub(crate) limit: Option<usize>,
}

impl simulated_server::journal::Entry for Entry {
    type Filter = Filter;
    const TEXT_FILTERS: &'static [&'static str] = &["fault", "tenant", "key"];

    fn number(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    fn matches(&self, filter: &Filter) -> bool {
        fn same<T: PartialEq + ?Sized>(wanted: Option<&T>, is: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        same(filter.fault.as_deref(), self.fault)
            && same(
                filter.tenant.as_deref().map(bounded).as_deref(),
                &self.tenant,
            )
            && same(filter.key.as_deref().map(bounded).as_deref(), &self.key)
            && same(filter.revision.as_ref(), &self.revision)
            && same(filter.status.as_ref(), &self.status)
            && same(filter.cancelled.as_ref(), &self.cancelled)
            && filter.after.is_none_or(|after| self.sequence > after)
    }

    fn limit(filter: &Filter) -> Option<usize> {
        filter.limit
    }

    fn fault(&self) -> &str {
        self.fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_by_characters_and_stay_distinguishable() {
        for text in ["", "a", &"ä".repeat(MOST_CHARS)] {
            assert_eq!(bounded(text), text);
        }
        let long = |end: &str| "ä".repeat(1_000_000) + end;
        let (one, other) = (long("1"), long("2"));
        let (one, other) = (bounded(&one), bounded(&other));
        assert_ne!(one, other);
        assert_eq!(one.chars().count(), MOST_CHARS);
        assert_eq!(bounded(&one), one, "what is cut stays as it is");
    }
}
