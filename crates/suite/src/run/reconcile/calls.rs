//! Compares the orchestrator with its mock detectors: every call in their journals belongs to a request that was sent,
//! and none is recorded twice.
//!
//! The orchestrator decides how many calls a request makes: by policy, cache, retries and hedges. So calls are counted on both
//! sides, and only calls that no decision explains are a problem. A call that never reached a detector is in no journal; the
//! orchestrator's metrics count it.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use load_engine::{Ended, Ending, Exchanges};
use report::record::{Conclusion, LedgerEntry};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use ureq::Agent;

use super::ids::Named;
use super::{LOOK, READ_FROM, SETTLE_WITHIN, again_and_again};
use crate::drill::Target;
use crate::metrics_text;
use crate::run::admin::Admin;

/// Maximum number of ids and calls that are remembered; further ones are not compared.
const MOST: usize = 4_000_000;
/// Time limit for reading the metrics of the orchestrator.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// Time limit for an ended call to appear in the journal of a detector.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// The detectors' account of a running test.
#[derive(Debug)]
pub struct CallAccount {
    exchanges: Arc<Exchanges>,
    detectors: Vec<(Admin, Mutex<Journal>)>,
    orchestrator: Orchestrator,
    /// Its counters before the test, by detector.
    before: Vec<Option<Made>>,
    book: Mutex<Book>,
}

/// The metrics of the orchestrator.
#[derive(Debug)]
struct Orchestrator {
    agent: Agent,
    url: String,
}

/// Its calls of one detector.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Made {
    attempts: f64,
    /// Of these, calls without a connection.
    unconnected: f64,
    /// Calls whose connection broke before a response.
    broken: f64,
    in_flight: f64,
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
    /// Calls that the orchestrator counted; absent if its metrics could not be read.
    pub made: Option<u64>,
    /// Of these, calls that never reached the detector, because no connection could be established.
    pub unconnected: u64,
    /// Calls whose connection broke before a response. They may be in the journal, or not.
    pub broken: u64,
}

impl CallAccount {
    /// Opens the account; `None` if a detector has no admin API.
    pub fn open(target: &Target, exchanges: &Arc<Exchanges>) -> Option<Self> {
        let journal = |(name, url): (&String, &String)| {
            let admin = Admin::new(url);
            let read = admin.recorded().ok()?;
            let detector = name.clone();
            Some((admin, Mutex::new(Journal { detector, read })))
        };
        // The metrics are read first here, and the journals first after the load: so no journal has an uncounted call.
        let orchestrator = Orchestrator::new(&target.orchestrator);
        let metrics = orchestrator.metrics();
        let before = target.detectors.keys();
        let before = before.map(|name| Made::of(metrics.as_deref()?, name));
        Some(Self {
            exchanges: Arc::clone(exchanges),
            before: before.collect(),
            detectors: target
                .detectors
                .iter()
                .map(journal)
                .collect::<Option<_>>()?,
            orchestrator,
            book: Mutex::default(),
        })
    }

    /// Reads new entries until the load is over.
    pub fn follow(&self, over: &CancellationToken) {
        again_and_again(over, || self.read(READ_FROM));
    }

    /// The account after the load, as soon as all calls have ended and are in the journals, or after a while.
    pub fn close(self, hurry: &CancellationToken) -> Calls {
        let begun = Instant::now();
        loop {
            self.read(1);
            let is_over = self.take_in_made();
            let within = if is_over {
                WRITTEN_WITHIN
            } else {
                SETTLE_WITHIN
            };
            let is_told = is_over && self.book().is_told();
            if is_told || begun.elapsed() > within || hurry.is_cancelled() {
                break;
            }
            std::thread::sleep(LOOK);
        }
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

    /// Takes in what the orchestrator counted until now. Whether none of its calls is in flight.
    fn take_in_made(&self) -> bool {
        let Some(metrics) = self.orchestrator.metrics() else {
            return true;
        };
        let mut is_over = true;
        for ((_, journal), before) in self.detectors.iter().zip(&self.before) {
            let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Made::of(&metrics, &journal.detector);
            let Some((now, before)) = now.zip(*before) else {
                continue;
            };
            is_over &= now.in_flight <= 0.0;
            self.book().made(&journal.detector, now.since(before));
        }
        is_over
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orchestrator {
    fn new(url: &str) -> Self {
        let config = Agent::config_builder().timeout_global(Some(TOLD_WITHIN));
        Self {
            agent: config.build().into(),
            url: format!("{}/metrics", url.trim_end_matches('/')),
        }
    }

    fn metrics(&self) -> Option<String> {
        let mut answer = self.agent.get(&self.url).call().ok()?;
        answer.body_mut().read_to_string().ok()
    }
}

impl Made {
    /// `None` if its metrics lack these series.
    fn of(metrics: &str, detector: &str) -> Option<Self> {
        let sum = |name: &str, class: Option<&str>| {
            let class = class.map(|class| ("class", class));
            let labels = std::iter::once(("detector", detector)).chain(class);
            metrics_text::sum(metrics, name, labels)
        };
        Some(Self {
            attempts: sum("detector_attempts_total", None)?,
            unconnected: sum("detector_failures_total", Some("connect"))?,
            broken: sum("detector_failures_total", Some("reset"))?,
            in_flight: sum("detector_in_flight", None)?,
        })
    }

    /// Calls in flight before the test reach the journals during it.
    fn since(self, before: Self) -> Self {
        Self {
            attempts: self.attempts - before.attempts + before.in_flight,
            unconnected: self.unconnected - before.unconnected,
            broken: self.broken - before.broken,
            in_flight: self.in_flight,
        }
    }
}

impl Book {
    fn made(&mut self, detector: &str, made: Made) {
        let of = self.found.detectors.entry(detector.to_owned()).or_default();
        of.made = Some(made.attempts as u64);
        of.unconnected = made.unconnected as u64;
        of.broken = made.broken as u64;
    }

    /// Whether the journals have all calls that can be in them.
    fn is_told(&self) -> bool {
        let mut detectors = self.found.detectors.values();
        detectors.all(|of| of.missing() <= 0)
    }

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

impl CallsOf {
    /// Calls that were made, and are neither in the journal nor known to have had no connection. Negative: the journal has more.
    fn missing(&self) -> i64 {
        let Some(made) = self.made else { return 0 };
        made as i64 - self.unconnected as i64 - self.journalled as i64
    }
}

impl Calls {
    pub fn entry(&self) -> LedgerEntry {
        let calls: u64 = self.detectors.values().map(|of| of.journalled).sum();
        let made: Option<u64> = self.detectors.values().map(|of| of.made).sum();
        let made = made.filter(|_| !self.detectors.is_empty());
        let made = made.map_or_else(String::new, |made| {
            format!(", and the orchestrator made {made}")
        });
        let mut text = format!(
            "{} requests were sent ({} answered, {} failed without an answer, {} cut off); the detectors' journals have {calls} \
             calls{made}.",
            self.sent, self.answered, self.failed, self.cut
        );
        let mut tell = |what: &str, count: fn(&CallsOf) -> u64| {
            let counts = self.detectors.iter().map(|(name, of)| (name, count(of)));
            let counts: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
            let all: u64 = counts.iter().map(|(_, count)| count).sum();
            if all > 0 {
                let shown = counts
                    .iter()
                    .map(|(name, count)| format!("{name} ({count})"));
                let shown: Vec<String> = shown.collect();
                text.push_str(&format!(" {all} {what}: {}.", shown.join(", ")));
            }
            all
        };
        tell(
            "never reached a detector, because no connection could be established",
            |of| of.unconnected,
        );
        // Entries that the journals evicted are missing, too.
        if self.unread == 0 {
            tell("broke off or were given up before they arrived", |of| {
                of.missing().try_into().unwrap_or_default()
            });
        }
        let surplus = tell("are in a journal, but were not made", |of| {
            (-of.missing()).try_into().unwrap_or_default()
        });
        let mut is_valid = surplus == 0;
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

    /// Calls that never reached a detector are counted by the orchestrator alone.
    #[test]
    fn calls_that_are_in_no_journal_are_told_by_detector() {
        let metrics = |attempts: u32, connect: u32| {
            format!(
                "detector_attempts_total{{detector=\"regex\"}} {attempts}\n\
                 detector_failures_total{{class=\"connect\",detector=\"regex\"}} {connect}\n\
                 detector_failures_total{{class=\"reset\",detector=\"regex\"}} 1\n\
                 detector_in_flight{{detector=\"regex\"}} 0\n"
            )
        };
        let made = |attempts, connect| Made::of(&metrics(attempts, connect), "regex");
        assert_eq!(Made::of("", "regex"), None);
        let entry = |attempts: u32, connect: u32| {
            let mut found = closed(
                &[Some("a"), Some("b")],
                &[("regex", "a", 1), ("regex", "b", 1)],
            );
            let now = made(10 + attempts, 2 + connect).expect("counters");
            let mut book = Book {
                found: found.clone(),
                ..Book::default()
            };
            book.made("regex", now.since(made(10, 2).expect("counters")));
            found = book.found;
            found.entry()
        };
        let valid = |attempts, connect, told: &str| {
            let entry = entry(attempts, connect);
            assert_eq!(entry.conclusion, Conclusion::Valid, "{}", entry.text);
            assert!(entry.text.contains(told), "{}", entry.text);
        };
        valid(2, 0, "have 2 calls, and the orchestrator made 2.");
        let unconnected =
            "3 never reached a detector, because no connection could be established: regex (3).";
        valid(5, 3, unconnected);
        valid(
            6,
            3,
            "1 broke off or were given up before they arrived: regex (1).",
        );
        let surplus = entry(1, 0);
        assert_eq!(surplus.conclusion, Conclusion::Suspect);
        assert!(
            surplus
                .text
                .contains("1 are in a journal, but were not made: regex (1).")
        );
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
