//! Compares requests by id: the driver's record of each with the target's journal.
//!
//! A request is settled when both sides have recorded it. Only unsettled requests are stored, so that a long test
//! takes no more memory than a short one.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use load_engine::{Ended, Ending};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::latency::{Latencies, LatencyPair};

/// Maximum number of settled ids that are remembered, to recognize duplicates.
const MOST_SETTLED: usize = 4_000_000;
/// Maximum number of unsettled requests; further ones are only counted.
const MOST_OPEN: usize = 1_000_000;
/// Maximum number of ids that are listed.
const MOST_NAMED: usize = 10;
/// Maximum length of an id in the journal, in characters.
const MOST_CHARS: usize = 128;
/// Prefix of the ids of requests outside the load, which are not compared.
pub const PROBE_PREFIX: &str = "sparring-probe";

/// The records of each request.
#[derive(Debug, Default)]
pub struct Ids {
    open: HashMap<Box<str>, Open>,
    settled: HashSet<u64>,
    latencies: Latencies,
    found: Comparison,
}

/// A request that only one side has recorded, or on which the sides disagree.
#[derive(Debug, Default)]
struct Open {
    answered: u32,
    failed: u32,
    cut: u32,
    journalled: u32,
    client_us: u64,
    server_us: u64,
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Comparison {
    /// Exchanges that the driver began: requests, handshakes and messages.
    pub sent: u64,
    /// The number of these with a response.
    pub answered: u64,
    /// The number of these without one: no connection, a reset, a timeout.
    pub failed: u64,
    /// Interrupted by the end of an iteration or of the load, or by Ctrl-C.
    pub cut: u64,
    /// Entries of the journal, without those of probes.
    pub journalled: u64,
    /// Exchanges and entries whose id occurs exactly once on each side.
    pub matched: u64,
    /// Sent without an id; only their numbers are compared.
    pub unnamed: u64,
    /// The number of these with a response.
    pub unnamed_answered: u64,
    /// With a response, but not in the journal.
    pub lost: Named,
    /// Failed, and not in the journal: they did not arrive.
    pub not_arrived: Named,
    /// Interrupted before they arrived.
    pub cut_before_arrival: Named,
    /// More often in the journal than they were sent.
    pub duplicated: Named,
    /// In the journal, but never sent by this driver with an id.
    pub unknown: Named,
    /// Completed exchanges, and entries of the journal, that were not compared because of the limits on
    /// memory.
    pub untold: u64,
    pub unread: u64,
    /// Latency at the client and in the journal, by percentile.
    pub latency: Vec<LatencyPair>,
}

/// A number of ids, with the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub count: u64,
    pub first: Vec<String>,
}

impl Named {
    pub fn add(&mut self, id: &str, times: u32) {
        if times == 0 {
            return;
        }
        self.count += u64::from(times);
        self.first.push(id.to_owned());
        // Sorted, because the order of the map is random.
        self.first.sort_unstable();
        self.first.truncate(MOST_NAMED);
    }

    /// `7: a, b and 5 more`; empty without any.
    pub fn shown(&self) -> String {
        let more = self.count - (self.first.len() as u64).min(self.count);
        let names = self.first.join(", ");
        match more {
            0 => names,
            _ => format!("{names} and {more} more"),
        }
    }
}

impl Ids {
    /// Processes the end of an exchange.
    pub fn ended(&mut self, ended: Ended) {
        self.found.sent += 1;
        *match ended.ending {
            Ending::Answered => &mut self.found.answered,
            Ending::Failed => &mut self.found.failed,
            Ending::Cut => &mut self.found.cut,
        } += 1;
        let Some(id) = ended.id else {
            self.found.unnamed += 1;
            self.found.unnamed_answered += u64::from(ended.ending == Ending::Answered);
            return;
        };
        let micros = u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX);
        let told = self.update(cut(id), |open| {
            *match ended.ending {
                Ending::Answered => &mut open.answered,
                Ending::Failed => &mut open.failed,
                Ending::Cut => &mut open.cut,
            } += 1;
            open.client_us = micros;
        });
        self.found.untold += u64::from(!told);
    }

    /// Processes an entry of the journal.
    pub fn journalled(&mut self, entry: &Value) {
        let key = entry["key"].as_str().unwrap_or_default();
        if key.starts_with(PROBE_PREFIX) {
            return;
        }
        self.found.journalled += 1;
        let took = entry["actual_us"].as_u64().unwrap_or_default();
        let read = self.update(key.into(), |open| {
            open.journalled += 1;
            open.server_us = took;
        });
        self.found.unread += u64::from(!read);
    }

    /// Counts entries that were evicted before they were read.
    pub fn missed(&mut self, entries: u64) {
        self.found.unread += entries;
    }

    /// Counts exchanges that were not recorded.
    pub fn untold(&mut self, exchanges: u64) {
        self.found.untold += exchanges;
    }

    /// Changes the record of an id. Returns false if there is no space for another one.
    fn update(&mut self, id: Box<str>, change: impl FnOnce(&mut Open)) -> bool {
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&id) {
            return false;
        }
        let open = self.open.entry(id.clone()).or_default();
        change(open);
        let sent = open.answered + open.failed + open.cut;
        if sent != open.journalled {
            return true;
        }
        if (open.answered, sent) == (1, 1) {
            self.latencies.add(open.client_us, open.server_us);
        }
        self.found.matched += u64::from(sent);
        self.open.remove(&id);
        if self.settled.len() < MOST_SETTLED {
            self.settled.insert(hash(&id));
        }
        true
    }

    /// The settled and the unsettled requests.
    pub fn compared(mut self) -> Comparison {
        let mut found = std::mem::take(&mut self.found);
        for (id, open) in &self.open {
            let sent = open.answered + open.failed + open.cut;
            found.matched += u64::from(sent.min(open.journalled));
            let missing = sent.saturating_sub(open.journalled);
            // Interrupted exchanges are the first explanation of missing entries.
            let cut = missing.min(open.cut);
            let failed = (missing - cut).min(open.failed);
            found.cut_before_arrival.add(id, cut);
            found.not_arrived.add(id, failed);
            found.lost.add(id, missing - cut - failed);
            let extra = open.journalled.saturating_sub(sent);
            if sent > 0 || self.settled.contains(&hash(id)) {
                found.duplicated.add(id, extra);
            } else {
                found.unknown.add(id, extra);
            }
        }
        found.latency = self.latencies.table();
        found
    }
}

impl Comparison {
    /// The differences that have no explanation; empty if both sides agree.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |named: &Named, what: &str| {
            if named.count > 0 {
                problems.push(format!("{} {what}: {}", named.count, named.shown()));
            }
        };
        say(&self.duplicated, "more often in the journal than sent");
        if self.unread == 0 {
            say(&self.lost, "answered but not in the journal");
        }
        if self.untold == 0 && self.unknown.count > self.unnamed {
            say(&self.unknown, "in the journal but not sent by this driver");
        }
        let missing = self.unnamed_answered.saturating_sub(self.unknown.count);
        if self.unread == 0 && missing > 0 {
            problems.push(format!(
                "{missing} without an id answered but not in the journal"
            ));
        }
        problems
    }

    /// A text on the agreement, and on the explained differences.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} requests were sent ({} answered, {} failed without an answer, {} cut off); the target's journal has {}, {} of \
             them by id.",
            self.sent, self.answered, self.failed, self.cut, self.journalled, self.matched
        );
        let mut say = |sentence: String| {
            text.push(' ');
            text.push_str(&sentence);
        };
        if self.unnamed > 0 {
            say(format!(
                "{} were sent without an id and compared by number.",
                self.unnamed
            ));
        }
        for (named, what) in [
            (&self.not_arrived, "Failed before they arrived"),
            (&self.cut_before_arrival, "Cut off before they arrived"),
        ] {
            if named.count > 0 {
                say(format!("{what}: {} ({}).", named.count, named.shown()));
            }
        }
        if self.untold + self.unread > 0 {
            say(format!(
                "Not compared because of the memory limit: {} requests, {} entries of the journal.",
                self.untold, self.unread
            ));
        }
        for problem in self.problems() {
            say(format!("Unexplained: {problem}."));
        }
        text
    }
}

/// An id as stored in the journal.
fn cut(id: Box<str>) -> Box<str> {
    match id.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => id[..end].into(),
        None => id,
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn compared(sent: &[(&str, Ending)], journal: &[&str]) -> Comparison {
        let mut ids = Ids::default();
        // Alternately, as they arrive.
        let mut entries = journal.iter();
        for (id, ending) in sent {
            ids.ended(Ended {
                id: (!id.is_empty()).then(|| (*id).into()),
                ending: *ending,
                took: Duration::from_millis(12),
            });
            if let Some(key) = entries.next() {
                ids.journalled(&json!({ "key": key, "actual_us": 10_000 }));
            }
        }
        for key in entries {
            ids.journalled(&json!({ "key": key, "actual_us": 10_000 }));
        }
        ids.compared()
    }

    use Ending::{Answered, Cut, Failed};

    #[test]
    fn requests_recorded_on_both_sides_are_settled_in_any_order() {
        let found = compared(
            &[("a", Answered), ("b", Failed), ("c", Cut)],
            &["c", "a", "b", "sparring-probe-1"],
        );
        assert_eq!(found.problems(), Vec::<String>::new());
        assert_eq!((found.sent, found.journalled, found.matched), (3, 3, 3));
        assert_eq!((found.answered, found.failed, found.cut), (1, 1, 1));
        let p50 = &found.latency[0];
        assert_eq!(p50.percentile, "p50");
        assert!((p50.difference_ms - 2.0).abs() < 0.01, "{p50:?}");
    }

    #[test]
    fn lost_and_duplicated_requests_are_named() {
        let found = compared(
            &[("a", Answered), ("b", Answered), ("c", Answered)],
            &["a", "a", "b"],
        );
        assert_eq!(found.lost.first, ["c"]);
        assert_eq!(found.duplicated.first, ["a"]);
        assert_eq!(found.problems().len(), 2, "{}", found.text());
        let found = compared(&[("a", Answered)], &["a", "z"]);
        assert_eq!(found.unknown.first, ["z"]);
        assert!(found.text().contains("not sent by this driver: z"));
    }

    #[test]
    fn requests_that_did_not_arrive_are_told_apart_from_lost_ones() {
        let dropped: Vec<String> = (0..17).map(|n| format!("r-{n:02}")).collect();
        let mut sent: Vec<(&str, Ending)> =
            dropped.iter().map(|id| (id.as_str(), Failed)).collect();
        sent.push(("late", Cut));
        sent.push(("fine", Answered));
        let found = compared(&sent, &["fine"]);
        assert_eq!(found.problems(), Vec::<String>::new());
        assert_eq!(found.not_arrived.count, 17);
        assert_eq!(found.not_arrived.first.len(), MOST_NAMED);
        assert!(found.text().contains("r-09 and 7 more"), "{}", found.text());
        assert_eq!(found.cut_before_arrival.first, ["late"]);
    }

    #[test]
    fn requests_without_an_id_are_compared_by_their_number() {
        let found = compared(&[("", Answered), ("", Cut)], &["17"]);
        assert_eq!(found.problems(), Vec::<String>::new());
        let found = compared(&[("", Answered), ("", Answered)], &["17"]);
        assert_eq!(found.problems().len(), 1, "{}", found.text());
        let found = compared(&[("", Answered)], &["17", "18", "19"]);
        assert_eq!(found.problems().len(), 1, "{}", found.text());
    }

    #[test]
    fn an_id_that_was_sent_twice_may_be_there_twice() {
        // A redirect, or a request that is repeated with the same id.
        let found = compared(&[("a", Answered), ("a", Answered)], &["a", "a"]);
        assert_eq!(found.problems(), Vec::<String>::new());
        let long = "x".repeat(500);
        let found = compared(&[(&long, Answered)], &[&long[..MOST_CHARS]]);
        assert_eq!(found.problems(), Vec::<String>::new());
    }
}
