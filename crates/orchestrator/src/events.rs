//! What happened to the detectors: the last thousand incidents, and whoever listens gets the next
//! ones as they come.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;

/// Incidents that are kept.
const KEPT: usize = 1_000;
/// Incidents that a slow listener may fall behind before it loses some.
const BEHIND: usize = 256;
/// Who may follow at once.
const MAX_LISTENERS: usize = 256;

/// What a follower has missed, and what comes next.
pub type Follow = (Vec<Arc<Incident>>, broadcast::Receiver<Arc<Incident>>);

/// One thing that happened. Never about a request, so never with content.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Counts up from 1 without gaps.
    pub id: u64,
    pub timestamp: String,
    pub kind: Kind,
    pub detector: String,
    /// The one of its endpoints, where it has several.
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

/// The log and its listeners.
pub struct Events {
    kept: Mutex<VecDeque<Arc<Incident>>>,
    next: broadcast::Sender<Arc<Incident>>,
    count: AtomicU64,
}

impl Default for Events {
    fn default() -> Self {
        let (next, _) = broadcast::channel(BEHIND);
        Self {
            kept: Mutex::default(),
            next,
            count: AtomicU64::new(0),
        }
    }
}

impl Events {
    /// Notes a change of a detector, or of one of its endpoints, from one state to another.
    pub fn changed(
        &self,
        kind: Kind,
        (detector, endpoint): (&str, Option<&str>),
        (from, to): (&'static str, &'static str),
        reason: &'static str,
    ) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let incident = Arc::new(Incident {
            id: self.count.fetch_add(1, Ordering::Relaxed) + 1,
            timestamp: jiff::Timestamp::now().to_string(),
            kind,
            detector: detector.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            from,
            to,
            reason,
        });
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(incident.clone());
        // Under the lock, so that listeners see ids in order. Nobody listening is no error.
        drop(self.next.send(incident));
    }

    /// Those kept, oldest first.
    pub fn kept(&self) -> Vec<Arc<Incident>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }

    /// Those kept that came after `id`, and all that come from now on, without gap or repetition.
    /// `None`: enough follow already.
    pub fn follow(&self, id: u64) -> Option<Follow> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that no two take the last place.
        if self.next.receiver_count() >= MAX_LISTENERS {
            return None;
        }
        let missed = kept
            .iter()
            .filter(|incident| incident.id > id)
            .cloned()
            .collect();
        Some((missed, self.next.subscribe()))
    }

    /// The id of the last one; 0 when there was none.
    pub fn last(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_are_kept_and_a_follower_misses_none() {
        let events = Events::default();
        let note = |count: usize| {
            for _ in 0..count {
                events.changed(Kind::Health, ("a", None), ("in", "out"), "test");
            }
        };
        note(1_100);
        assert_eq!(
            (events.kept().len(), events.kept()[0].id, events.last()),
            (1_000, 101, 1_100)
        );
        let (missed, mut next) = events.follow(1_098).expect("a place");
        note(1);
        let ids: Vec<u64> = missed.iter().map(|incident| incident.id).collect();
        assert_eq!(ids, [1_099, 1_100]);
        assert_eq!(next.try_recv().map(|incident| incident.id), Ok(1_101));
    }
}
