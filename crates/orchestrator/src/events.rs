//! Incidents of detectors: the last thousand are kept, and listeners receive new ones.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;

/// The number of incidents that are kept.
const KEPT: usize = 1_000;
/// The number of incidents that a slow listener may fall behind before it loses some.
const BEHIND: usize = 256;
/// The maximum of concurrent followers.
const MAX_LISTENERS: usize = 256;

/// Ids of one process begin with the microsecond in which it started: ids of the next process, or of another
/// replica, are never mistaken for them. JSON numbers hold them for two centuries.
const IDS_PER_MS: u64 = 1_000;

/// The incidents that a follower has missed, and the next ones.
pub struct Follow {
    /// The gap before them, if any.
    pub gap: Option<Gap>,
    pub missed: Vec<Arc<Incident>>,
    pub next: broadcast::Receiver<Arc<Incident>>,
}

/// Incidents that are no longer available for a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The last id that it saw is not from this process: the incidents between then and the start of this
    /// process are unknown.
    Reset,
    /// This many are no longer kept.
    Lost(u64),
}

/// One incident. It never concerns a request, so it never contains content.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Increases without gaps while the process runs.
    pub id: u64,
    pub timestamp: String,
    pub kind: Kind,
    pub detector: String,
    /// The endpoint, if the detector has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    pub from: &'static str,
    pub to: &'static str,
    pub reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    CircuitBreaker,
    Health,
    Registry,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::CircuitBreaker => "circuit_breaker",
            Self::Health => "health",
            Self::Registry => "registry",
        }
    }
}

/// A change of a detector, or of one of its endpoints, from one state to another.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub kind: Kind,
    pub detector: &'a str,
    /// The endpoint, if the detector has several.
    pub endpoint: Option<&'a str>,
    pub from: &'static str,
    pub to: &'static str,
    pub reason: &'static str,
}

/// The log and its listeners.
pub struct Events {
    kept: Mutex<VecDeque<Arc<Incident>>>,
    next: broadcast::Sender<Arc<Incident>>,
    /// The id before the first one.
    start: u64,
    last: AtomicU64,
}

impl Events {
    /// An empty log of a process that starts at this time, in milliseconds since 1970.
    pub fn new(start_ms: u64) -> Self {
        let (next, _) = broadcast::channel(BEHIND);
        let start = start_ms.saturating_mul(IDS_PER_MS);
        Self {
            kept: Mutex::default(),
            next,
            start,
            last: AtomicU64::new(start),
        }
    }

    /// Records a change.
    pub fn changed(&self, change: &Change<'_>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let incident = Arc::new(Incident {
            id: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            timestamp: jiff::Timestamp::now().to_string(),
            kind: change.kind,
            detector: change.detector.to_owned(),
            endpoint: change.endpoint.map(str::to_owned),
            from: change.from,
            to: change.to,
            reason: change.reason,
        });
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(incident.clone());
        // Under the lock, so that listeners see ids in order. It is not an error if there are none.
        drop(self.next.send(incident));
    }

    /// The kept incidents, oldest first.
    pub fn kept(&self) -> Vec<Arc<Incident>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }

    /// The kept incidents after this id, and all new ones, without repetition; a gap is reported. With an
    /// unknown id, all kept ones; without an id, only new ones. `None` when there are too many followers.
    pub fn follow(&self, seen: Option<Seen>) -> Option<Follow> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that only one takes the last place.
        if self.next.receiver_count() >= MAX_LISTENERS {
            return None;
        }
        let last = self.last.load(Ordering::Relaxed);
        let (gap, from) = match seen {
            None => (None, last),
            Some(Seen::Id(id)) if (self.start..=last).contains(&id) => {
                let oldest = last - kept.len() as u64;
                let lost = oldest.saturating_sub(id);
                ((lost > 0).then_some(Gap::Lost(lost)), id)
            }
            Some(_) => (Some(Gap::Reset), self.start),
        };
        let missed = kept.iter().filter(|incident| incident.id > from);
        Some(Follow {
            gap,
            missed: missed.cloned().collect(),
            next: self.next.subscribe(),
        })
    }
}

/// The last incident that a follower saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Id(u64),
    /// Not a valid id.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first id of the first process.
    const START: u64 = 5 * IDS_PER_MS;

    fn note(events: &Events, count: usize) {
        for _ in 0..count {
            events.changed(&Change {
                kind: Kind::Health,
                detector: "a",
                endpoint: None,
                from: "in",
                to: "out",
                reason: "test",
            });
        }
    }

    fn check(events: &Events, seen: Option<Seen>, gap: Option<Gap>, missed: &[u64]) {
        let follow = events.follow(seen).expect("a place");
        let ids: Vec<u64> = follow.missed.iter().map(|it| it.id - START).collect();
        assert_eq!((follow.gap, ids.as_slice()), (gap, missed), "{seen:?}");
    }

    #[test]
    fn a_thousand_are_kept_and_a_follower_misses_none() {
        let events = Events::new(5);
        note(&events, 1_100);
        let kept = events.kept();
        assert_eq!((kept.len(), kept[0].id), (1_000, START + 101));
        let seen = Some(Seen::Id(START + 1_098));
        check(&events, seen, None, &[1_099, 1_100]);
        let mut next = events.follow(seen).expect("a place").next;
        note(&events, 1);
        assert_eq!(next.try_recv().map(|it| it.id), Ok(START + 1_101));
    }

    #[test]
    fn incidents_that_are_no_longer_kept_are_reported_as_a_gap() {
        let events = Events::new(5);
        check(&events, None, None, &[]);
        check(&events, Some(Seen::Id(START)), None, &[]);
        note(&events, 2);
        check(&events, None, None, &[]);
        check(&events, Some(Seen::Id(START)), None, &[1, 2]);
        check(&events, Some(Seen::Id(START + 2)), None, &[]);
        // Ids of other processes: one that ran before, and a replica that started later.
        for seen in [
            Seen::Id(7),
            Seen::Id(START + 3),
            Seen::Id(u64::MAX),
            Seen::Unknown,
        ] {
            check(&events, Some(seen), Some(Gap::Reset), &[1, 2]);
        }
        note(&events, 1_010);
        let follow = events.follow(Some(Seen::Id(START + 2))).expect("a place");
        assert_eq!(
            (follow.gap, follow.missed.len()),
            (Some(Gap::Lost(10)), 1_000)
        );
    }
}
