//! Compares the orchestrator with its mock detectors: every call in their journals belongs to a request that was sent,
//! and none is recorded twice.
//!
//! The orchestrator decides how many calls a request makes: by policy, cache, retries and hedges. So calls are counted,
//! and only calls that no decision explains are a problem.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use load_engine::{Ended, Ending, Exchanges};
use report::record::{Conclusion, LedgerEntry};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::ids::Named;
use super::{READ_FROM, again_and_again};
use crate::run::admin::Admin;

/// Maximum number of ids and calls that are remembered; further ones are not compared.
const MOST: usize = 4_000_000;

/// The detectors' account of a running test.
#[derive(Debug)]
pub struct CallAccount {
    exchanges: Arc<Exchanges>,
    detectors: Vec<(Admin, Mutex<Journal>)>,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Journal {
    detector: String,
    read: u64,
}

#[derive(Debug, Default)]
struct Book {
    /// Hashes of the ids that were sent.
    sent: HashSet<u64>,
    /// Hashes of detector, id and attempt of each call.
    calls: HashSet<u64>,
    /// Ids of calls whose request has not ended, with the number of calls.
    waiting: HashMap<Box<str>, u32>,
    found: Calls,
}

/// The result of the comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calls {
    /// Requests of the driver: with a response, failed without one, interrupted.
    pub sent: u64,
    pub answered: u64,
    pub failed: u64,
    pub cut: u64,
    /// The number of these without an id: calls for them cannot be told apart from others.
    pub unnamed: u64,
    pub detectors: IndexMap<String, CallsOf>,
    /// Calls for requests that this driver did not send.
    pub unknown: Named,
    /// Calls that are recorded twice, as the same attempt.
    pub duplicated: Named,
    /// Requests and entries that were not compared because of the limits on memory.
    pub untold: u64,
    pub unread: u64,
}

/// The calls in the journal of one detector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsOf {
    pub journalled: u64,
    /// The number of these that are attempts after the first: retries and hedges.
    pub further_attempts: u64,
    /// Calls that the orchestrator cancelled before the response.
    pub cancelled: u64,
}

impl CallAccount {
    /// Opens the account; `None` if a detector has no admin API.
    pub fn open<'a>(
        detectors: impl Iterator<Item = (&'a String, &'a String)>,
        exchanges: &Arc<Exchanges>,
    ) -> Option<Self> {
        let journal = |(name, url): (&String, &String)| {
            let admin = Admin::new(url);
            let read = admin.recorded().ok()?;
            let detector = name.clone();
            Some((admin, Mutex::new(Journal { detector, read })))
        };
        Some(Self {
            exchanges: Arc::clone(exchanges),
            detectors: detectors.map(journal).collect::<Option<_>>()?,
            book: Mutex::default(),
        })
    }

    /// Reads new entries until the load is over.
    pub fn follow(&self, over: &CancellationToken) {
        again_and_again(over, || self.read(READ_FROM));
    }

    /// The account after the load.
    pub fn close(self) -> Calls {
        self.read(1);
        let book = self.book.into_inner();
        book.unwrap_or_else(PoisonError::into_inner).closed()
    }

    /// Reads the journals that have at least this many new entries.
    fn read(&self, least: u64) {
        for (admin, journal) in &self.detectors {
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            let recorded = admin.recorded().unwrap_or_default();
            if recorded.saturating_sub(journal.read) < least {
                continue;
            }
            match admin.journal_after(journal.read) {
                Ok(entries) => journal.read = self.book().journalled(&journal, &entries),
                Err(error) => tracing::warn!("the journal of {}: {error}", journal.detector),
            }
        }
        let taken = self.exchanges.take();
        let mut book = self.book();
        taken.ended.into_iter().for_each(|ended| book.ended(ended));
        book.found.untold = taken.untold;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn ended(&mut self, ended: Ended) {
        self.found.sent += 1;
        *match ended.ending {
            Ending::Answered => &mut self.found.answered,
            Ending::Failed => &mut self.found.failed,
            Ending::Cut => &mut self.found.cut,
        } += 1;
        match ended.id {
            None => self.found.unnamed += 1,
            Some(id) => {
                if self.sent.len() < MOST {
                    self.sent.insert(hash(&*id));
                } else {
                    self.found.untold += 1;
                }
            }
        }
    }

    /// Processes entries of a journal, and returns the number of the last one.
    fn journalled(&mut self, journal: &Journal, answer: &Value) -> u64 {
        let entries = answer["entries"].as_array().map_or(&[][..], Vec::as_slice);
        let last = entries.last().and_then(|entry| entry["sequence"].as_u64());
        let recorded = answer["recorded"].as_u64().max(last).unwrap_or_default();
        let missed = recorded.saturating_sub(journal.read);
        self.found.unread += missed.saturating_sub(entries.len() as u64);
        let detector = journal.detector.as_str();
        let mut of = CallsOf::default();
        for entry in entries {
            let id = entry["key"].as_str().unwrap_or_default();
            let attempt = entry["attempt"].as_u64().unwrap_or(1);
            of.journalled += 1;
            of.further_attempts += u64::from(attempt > 1);
            of.cancelled += u64::from(entry["cancelled"] == true);
            if self.calls.len() < MOST && !self.calls.insert(hash(&(detector, id, attempt))) {
                let name = format!("{detector} {id} attempt {attempt}");
                self.found.duplicated.add(&name, 1);
            }
            if !self.is_sent(id) {
                *self.waiting.entry(id.into()).or_default() += 1;
            }
        }
        let all = self.found.detectors.entry(detector.to_owned()).or_default();
        all.journalled += of.journalled;
        all.further_attempts += of.further_attempts;
        all.cancelled += of.cancelled;
        recorded
    }

    /// An item of a batch has the batch's id and its own index.
    fn is_sent(&self, id: &str) -> bool {
        let of_batch = id.rsplit_once('-').map(|(batch, _)| batch);
        let mut ids = std::iter::once(id).chain(of_batch);
        ids.any(|id| self.sent.contains(&hash(id)))
    }

    fn closed(mut self) -> Calls {
        for (id, calls) in std::mem::take(&mut self.waiting) {
            if !self.is_sent(&id) {
                self.found.unknown.add(&id, calls);
            }
        }
        self.found
    }
}

impl Calls {
    pub fn entry(&self) -> LedgerEntry {
        let calls: u64 = self.detectors.values().map(|of| of.journalled).sum();
        let mut text = format!(
            "{} requests were sent ({} answered, {} failed without an answer, {} cut off); the detectors' journals have {calls} \
             calls.",
            self.sent, self.answered, self.failed, self.cut
        );
        let mut is_valid = true;
        let mut say = |named: &Named, what: &str| {
            if named.count > 0 {
                is_valid = false;
                text.push_str(&format!(" {} {what}: {}.", named.count, named.shown()));
            }
        };
        say(&self.duplicated, "are there twice");
        // Calls for requests without an id cannot be distinguished from those of other clients.
        if self.unnamed == 0 && self.untold == 0 {
            say(&self.unknown, "belong to no request of this driver");
        }
        LedgerEntry {
            what: "reconciliation".to_owned(),
            conclusion: match is_valid {
                true => Conclusion::Valid,
                false => Conclusion::Suspect,
            },
            text,
        }
    }
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    /// Detector, id and attempt of each call.
    fn closed(sent: &[Option<&str>], calls: &[(&str, &str, u64)]) -> Calls {
        let mut book = Book::default();
        for (sequence, (detector, id, attempt)) in (1..).zip(calls) {
            let journal = Journal {
                detector: (*detector).to_owned(),
                read: sequence - 1,
            };
            let entry =
                json!({ "sequence": sequence, "key": id, "attempt": attempt, "cancelled": false });
            let read = book.journalled(
                &journal,
                &json!({ "recorded": sequence, "entries": [entry] }),
            );
            assert_eq!(read, sequence);
        }
        for id in sent {
            book.ended(Ended {
                id: id.map(Box::from),
                ending: Ending::Answered,
                took: Duration::ZERO,
            });
        }
        book.closed()
    }

    #[test]
    fn calls_of_single_requests_and_batches_belong_to_them() {
        let calls = [
            ("toxicity", "a-1", 1),
            ("toxicity", "a-1", 2),
            ("regex", "a-1", 1),
            ("regex", "b-0", 1),
            ("regex", "b-12", 1),
        ];
        let found = closed(&[Some("a-1"), Some("b")], &calls);
        assert_eq!(found.entry().conclusion, Conclusion::Valid, "{found:?}");
        assert_eq!(found.detectors["toxicity"].further_attempts, 1);
        assert_eq!(found.detectors["regex"].journalled, 3);
        assert!(found.entry().text.contains("have 5 calls"));
    }

    #[test]
    fn unknown_and_duplicated_calls_are_named() {
        let calls = [("regex", "a", 1), ("regex", "a", 1), ("regex", "z", 1)];
        let found = closed(&[Some("a")], &calls);
        let entry = found.entry();
        assert_eq!(entry.conclusion, Conclusion::Suspect);
        assert!(
            entry.text.contains("1 are there twice: regex a attempt 1"),
            "{}",
            entry.text
        );
        assert!(
            entry
                .text
                .contains("1 belong to no request of this driver: z")
        );
        let found = closed(&[Some("a"), None], &[("regex", "z", 1)]);
        assert_eq!(
            found.entry().conclusion,
            Conclusion::Valid,
            "it may be of the one without an id"
        );
    }
}
