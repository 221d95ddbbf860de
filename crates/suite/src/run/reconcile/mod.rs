//! Compares a simulated target's counts with the requests that were sent, and reports what it retains after
//! the load.
//!
//! Every request carries a unique id, so that the target's journal shows which arrived (N-06). A run whose numbers
//! differ without an explanation is suspect.

mod calls;
mod ids;
mod latency;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use load_engine::Exchanges;
use report::record::{Conclusion, LedgerEntry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::ids::{Comparison, Ids};
use super::admin::Admin;

pub use self::calls::{CallAccount, Calls};
pub use self::ids::PROBE_PREFIX;

/// The header of a request's id, and the field of a message's.
pub const ID_HEADER: &str = "X-Request-Id";
pub const ID_FIELD: &str = "id";

/// The journal is read during the load when it has this number of new entries, before it evicts them; fewer wait for
/// the end.
const READ_FROM: u64 = 2_000;
const READ_EVERY: Duration = Duration::from_millis(500);
/// Maximum time for the target to complete interrupted requests.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);

/// The target's account of a running test.
#[derive(Debug)]
pub struct Account<'a> {
    admin: &'a Admin,
    exchanges: Arc<Exchanges>,
    stores: Vec<(String, f64)>,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    ids: Ids,
    /// The last entry of the journal that was read.
    read: u64,
    /// The journal was reset meanwhile.
    is_anew: bool,
    /// Exchanges without a recorded end.
    untold: u64,
}

impl<'a> Account<'a> {
    /// Opens the account for exchanges that are recorded there; `None` if the target has no journal.
    pub fn open(admin: &'a Admin, exchanges: &Arc<Exchanges>) -> Option<Self> {
        let state = admin.state().ok()?;
        Some(Self {
            admin,
            exchanges: Arc::clone(exchanges),
            stores: entries(&state),
            book: Mutex::new(Book {
                ids: Ids::default(),
                read: state["recorded"].as_u64()?,
                is_anew: false,
                untold: 0,
            }),
        })
    }

    /// Reads new entries repeatedly until the load is over: the journal retains only its last entries.
    pub fn follow(&self, over: &CancellationToken) {
        again_and_again(over, || {
            let mut book = self.book();
            book.take(&self.exchanges);
            let recorded = self.admin.recorded().unwrap_or_default();
            if recorded.saturating_sub(book.read) >= READ_FROM || recorded < book.read {
                book.read(self.admin);
            }
        });
    }

    /// The account after the load, as soon as nothing is in flight, or at once when `hurry` is cancelled.
    pub fn close(self, hurry: &CancellationToken) -> Option<Closed> {
        let state = settled(self.admin, hurry)?;
        let left_behind = left_behind(&self.stores, &state);
        let mut book = self.book();
        book.read(self.admin);
        book.take(&self.exchanges);
        let mut ids = std::mem::take(&mut book.ids);
        ids.untold(book.untold);
        Some(Closed {
            left_behind,
            compared: (!book.is_anew).then(|| ids.compared()),
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn take(&mut self, exchanges: &Exchanges) {
        let taken = exchanges.take();
        for ended in taken.ended {
            self.ids.ended(ended);
        }
        self.untold = taken.untold;
    }

    /// Reads the entries since the last one.
    fn read(&mut self, admin: &Admin) {
        let Ok(journal) = admin.brief_journal_after(self.read) else {
            return;
        };
        self.take_in(&journal);
    }

    fn take_in(&mut self, journal: &Value) {
        let entries = journal["entries"].as_array().map_or(&[][..], Vec::as_slice);
        let last = entries.last().and_then(|entry| entry["sequence"].as_u64());
        let recorded = journal["recorded"].as_u64().max(last).unwrap_or_default();
        if recorded < self.read {
            self.is_anew = true;
            return;
        }
        for entry in entries {
            self.ids.journalled(entry);
        }
        self.ids
            .missed((recorded - self.read).saturating_sub(entries.len() as u64));
        self.read = recorded;
    }
}

/// Reads twice a second until the load is over.
fn again_and_again(over: &CancellationToken, read: impl Fn()) {
    while !over.is_cancelled() {
        read();
        let next = Instant::now() + READ_EVERY;
        while Instant::now() < next && !over.is_cancelled() {
            std::thread::sleep(LOOK);
        }
    }
}

/// A360-22: workflows, sessions and jobs that remain after the run, and requests that are still in flight.
fn left_behind(stores: &[(String, f64)], state: &Value) -> LedgerEntry {
    let in_flight = state["in_flight"].as_u64().unwrap_or(0);
    let before = |name: &str| {
        let known = stores.iter().find(|(known, _)| known == name);
        known.map_or(0.0, |(_, count)| *count)
    };
    let more: Vec<String> = entries(state)
        .iter()
        .map(|(name, count)| (name, count - before(name)))
        .filter(|(_, more)| *more > 0.0)
        .map(|(name, more)| format!("{more} in {name}"))
        .collect();
    let stores = match more.as_slice() {
        [] => "no entries".to_owned(),
        some => format!("entries that were not there before: {}", some.join(", ")),
    };
    LedgerEntry {
        what: "clean_up".to_owned(),
        conclusion: match in_flight {
            0 => Conclusion::Valid,
            _ => Conclusion::Suspect,
        },
        text: format!(
            "After the load the target has {in_flight} {} in flight and {stores}.",
            if in_flight == 1 {
                "request"
            } else {
                "requests"
            }
        ),
    }
}

/// The completed account of a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Closed {
    left_behind: LedgerEntry,
    /// `None` if the journal was reset meanwhile.
    compared: Option<Comparison>,
}

impl Closed {
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        let compared = self.compared.as_ref().map(|compared| LedgerEntry {
            what: "reconciliation".to_owned(),
            conclusion: match compared.problems().is_empty() {
                true => Conclusion::Valid,
                false => Conclusion::Suspect,
            },
            text: compared.text(),
        });
        [self.left_behind.clone()]
            .into_iter()
            .chain(compared)
            .collect()
    }

    /// For the analysis: counts, listed ids, and the latency on both sides.
    pub fn shown(&self) -> Option<Value> {
        self.compared.as_ref().map(|compared| json!(compared))
    }
}

/// Entries by store.
fn entries(state: &Value) -> Vec<(String, f64)> {
    let stores = state["stores"].as_object().into_iter().flatten();
    stores
        .filter_map(|(name, store)| Some((name.clone(), store["entries"].as_f64()?)))
        .collect()
}

/// The target's state as soon as nothing is in flight, or after a while.
fn settled(admin: &Admin, hurry: &CancellationToken) -> Option<Value> {
    let begun = Instant::now();
    loop {
        let state = admin.state().ok()?;
        let is_late = begun.elapsed() > SETTLE_WITHIN || hurry.is_cancelled();
        if state["in_flight"] == 0 || is_late {
            return Some(state);
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn book(read: u64) -> Book {
        Book {
            ids: Ids::default(),
            read,
            is_anew: false,
            untold: 0,
        }
    }

    #[test]
    fn entries_that_the_journal_evicted_before_they_were_read_are_counted() {
        let entry = |sequence: u64| json!({ "sequence": sequence, "key": format!("k-{sequence}") });
        let mut book = book(10);
        book.take_in(&json!({ "recorded": 12, "entries": [entry(11), entry(12)] }));
        // 13 and 14 were evicted; 16 was added while the journal was read.
        book.take_in(&json!({ "recorded": 15, "entries": [entry(15), entry(16)] }));
        book.take_in(&json!({ "recorded": 16, "entries": [] }));
        assert_eq!(book.read, 16);
        let found = book.ids.compared();
        assert_eq!((found.journalled, found.unread), (4, 2));
    }

    #[test]
    fn a_journal_that_began_anew_is_not_compared() {
        let mut book = book(10);
        book.take_in(&json!({ "recorded": 3, "entries": [] }));
        assert!(book.is_anew);
    }

    #[test]
    fn a_comparison_is_a_line_of_the_ledger_and_a_part_of_the_analysis() {
        let exchanges = Arc::new(Exchanges::new(ID_HEADER, ID_FIELD));
        let header = |id: &str| [(ID_HEADER.to_owned(), id.to_owned())];
        for id in ["a", "b"] {
            exchanges
                .begin(&header(id))
                .end(load_engine::Ending::Answered);
        }
        let mut book = book(0);
        book.take(&exchanges);
        book.take_in(
            &json!({ "recorded": 1, "entries": [{ "sequence": 1, "key": "a", "actual_us": 1 }] }),
        );
        let closed = Closed {
            left_behind: left_behind(&[], &json!({ "in_flight": 0 })),
            compared: Some(book.ids.compared()),
        };
        let ledger = closed.ledger();
        assert_eq!(ledger[1].what, "reconciliation");
        assert_eq!(ledger[1].conclusion, Conclusion::Suspect);
        assert!(
            ledger[1]
                .text
                .contains("1 answered but not in the journal: b"),
            "{}",
            ledger[1].text
        );
        let shown = closed.shown().expect("a comparison");
        assert_eq!(shown["lost"], json!({ "count": 1, "first": ["b"] }));
        assert_eq!(shown["latency"][0]["percentile"], "p50");
    }

    /// A360-22: the number of remaining entries is 0, or they are named.
    #[test]
    fn remaining_entries_of_a_run_are_named() {
        let state = |in_flight, workflows| {
            json!({ "recorded": 1, "evicted": 0, "in_flight": in_flight,
                    "stores": { "workflows": { "entries": workflows }, "idle": { "entries": 3 } } })
        };
        let before = entries(&state(0, 1));
        let left = |state: &Value| left_behind(&before, state);
        let nothing = left(&state(0, 1));
        assert_eq!(nothing.conclusion, Conclusion::Valid);
        assert!(nothing.text.contains("no entries"), "{}", nothing.text);
        let one = left(&state(1, 1)).text;
        assert!(one.contains("has 1 request in flight"), "{one}");
        let some = left(&state(2, 5));
        assert_eq!(some.conclusion, Conclusion::Suspect);
        assert!(some.text.contains("4 in workflows"), "{}", some.text);
        assert!(some.text.contains("2 requests in flight"), "{}", some.text);
    }
}
