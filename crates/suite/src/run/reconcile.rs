//! What a simulated target counted beside what was sent, and what it still has when the load is over.
//!
//! Every request carries an id of its own, so the target's journal can say which arrived. A run whose
//! numbers do not agree is suspect, as long as nobody can say where the difference is.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use report::record::{Conclusion, LedgerEntry};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use crate::plan::{PlannedPhase, PlannedTest};

/// Ids are compared up to so many requests; beyond that, counts alone.
const MOST_IDS: u64 = 10_000;
/// How long requests that were cut off may take to end in the target.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);

/// The target's account when the load began.
#[derive(Debug)]
pub struct Account {
    recorded: u64,
    evicted: u64,
    stores: Vec<(String, f64)>,
}

impl Account {
    /// The account now; `None` where the target keeps none.
    pub fn open(admin: &Admin) -> Option<Self> {
        Self::of(&admin.state().ok()?)
    }

    fn of(state: &Value) -> Option<Self> {
        Some(Self {
            recorded: state["recorded"].as_u64()?,
            evicted: state["evicted"].as_u64()?,
            stores: entries(state),
        })
    }

    /// The account after the load, as soon as nothing is in flight any more, or at once when `hurry` is cancelled.
    pub fn close(self, admin: &Admin, hurry: &CancellationToken) -> Option<Closed> {
        let state = settled(admin, hurry)?;
        let now = Self::of(&state)?;
        let recorded = now.recorded.checked_sub(self.recorded);
        let ids = recorded.and_then(|recorded| self.ids(admin, &now, recorded));
        Some(Closed {
            left_behind: self.left_behind(&state, &now),
            recorded,
            ids,
        })
    }

    /// The ids in the journal of the requests since; `None` where it has not all of them.
    fn ids(&self, admin: &Admin, now: &Self, recorded: u64) -> Option<Ids> {
        if recorded > MOST_IDS || now.evicted != self.evicted {
            return None;
        }
        let journal = admin.journal(recorded).ok()?;
        let all = journal["entries"].as_array()?;
        if all.len() as u64 != recorded {
            return None;
        }
        let ids: HashSet<(&str, u64)> = all
            .iter()
            .filter_map(|entry| Some((entry["key"].as_str()?, entry["attempt"].as_u64()?)))
            .collect();
        let cut_off = all.iter().filter(|entry| entry["cancelled"] == true);
        Some(Ids {
            different: ids.len() as u64,
            cut_off: cut_off.count() as u64,
        })
    }

    /// A360-22: workflows, sessions and jobs that the run leaves, and requests that are still inside.
    fn left_behind(&self, state: &Value, now: &Self) -> LedgerEntry {
        let in_flight = state["in_flight"].as_u64().unwrap_or(0);
        let before = |name: &str| {
            let known = self.stores.iter().find(|(known, _)| known == name);
            known.map_or(0.0, |(_, count)| *count)
        };
        let more: Vec<String> = now
            .stores
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
                "After the load the target has {in_flight} requests in flight and {stores}."
            ),
        }
    }
}

/// What the journal says of each request.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Ids {
    different: u64,
    /// Requests whose client went away before the answer: the end of the load, or a timeout.
    cut_off: u64,
}

/// Requests of the driver.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// As the load.
    pub sent: u64,
    /// In `setup`, `teardown` and warm-ups.
    pub beside: u64,
}

/// The target's account of a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Closed {
    left_behind: LedgerEntry,
    /// Requests that it took; `None` where it began anew meanwhile.
    recorded: Option<u64>,
    ids: Option<Ids>,
}

impl Closed {
    /// Beside what was sent. Faults ask the target beside the load, and a search prepares it anew between
    /// its steps: their sums are not compared.
    pub fn ledger(&self, test: &PlannedTest, sent: Sent) -> Vec<LedgerEntry> {
        let mut ledger = vec![self.left_behind.clone()];
        if test.faults.is_empty() && test.search.is_none() {
            let entry = |recorded| compared(sent, recorded, self.ids, at_once(test));
            ledger.extend(self.recorded.map(entry));
        }
        ledger
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

/// Requests that may be under way when the load is cut off.
fn at_once(test: &PlannedTest) -> u64 {
    let levels = test.phases.iter().map(PlannedPhase::level);
    levels.fold(1.0, f64::max).ceil() as u64
}

/// Requests that the end of the load cut off are in the target's account, though not in ours.
fn compared(
    Sent { sent, beside }: Sent,
    recorded: u64,
    ids: Option<Ids>,
    at_once: u64,
) -> LedgerEntry {
    let sent = sent + beside;
    let difference = recorded.abs_diff(sent);
    let twice = ids.map_or(0, |ids| recorded - ids.different.min(recorded));
    let said = match (difference, ids) {
        (0, Some(_)) if twice == 0 => "each with an id of its own".to_owned(),
        (_, Some(ids)) if twice == 0 && recorded > sent && difference == ids.cut_off => format!(
            "the {difference} more were cut off at the end of the load, each has an id of its own"
        ),
        (_, Some(_)) if twice > 0 => format!("{twice} under an id that another one had"),
        (0, _) => "ids were not compared".to_owned(),
        _ if difference <= at_once => {
            format!("a difference of {difference}, no more than may be under way at the end")
        }
        _ => format!("a difference of {difference} that nothing explains"),
    };
    let of_them = match beside {
        0 => String::new(),
        some => format!(", {some} of them before or beside the load"),
    };
    LedgerEntry {
        what: "reconciliation".to_owned(),
        conclusion: if difference <= at_once && twice == 0 {
            Conclusion::Valid
        } else {
            Conclusion::Suspect
        },
        text: format!(
            "{sent} requests were sent{of_them}, and the target's journal has {recorded}: {said}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_that_agree_are_valid_and_others_say_by_how_much() {
        let of = |sent, recorded, ids: Option<(u64, u64)>| {
            let ids = ids.map(|(different, cut_off)| Ids { different, cut_off });
            let entry = compared(Sent { sent, beside: 0 }, recorded, ids, 5);
            (entry.conclusion, entry.text)
        };
        let (conclusion, text) = of(100, 100, Some((100, 0)));
        assert_eq!(conclusion, Conclusion::Valid);
        assert!(text.contains("an id of its own"), "{text}");
        let (conclusion, text) = of(100, 104, Some((104, 3)));
        assert_eq!(conclusion, Conclusion::Valid);
        assert!(text.contains("a difference of 4"), "{text}");
        let (conclusion, text) = of(100, 104, Some((104, 4)));
        assert_eq!(conclusion, Conclusion::Valid);
        assert!(text.contains("the 4 more were cut off"), "{text}");
        let (conclusion, text) = of(100, 90, None);
        assert_eq!(conclusion, Conclusion::Suspect);
        assert!(text.contains("nothing explains"), "{text}");
        let (conclusion, text) = of(100, 100, Some((99, 0)));
        assert_eq!(conclusion, Conclusion::Suspect);
        assert!(text.contains("1 under an id"), "{text}");
        let warmed_up = Sent {
            sent: 100,
            beside: 10,
        };
        let ids = Ids {
            different: 110,
            cut_off: 0,
        };
        let entry = compared(warmed_up, 110, Some(ids), 1);
        assert_eq!(entry.conclusion, Conclusion::Valid);
        assert!(entry.text.contains("110 requests were sent, 10 of them"));
    }

    /// A360-22: what is left is 0 or named.
    #[test]
    fn what_a_run_leaves_behind_is_named() {
        let state = |in_flight, workflows| {
            json!({ "recorded": 1, "evicted": 0, "in_flight": in_flight,
                    "stores": { "workflows": { "entries": workflows }, "idle": { "entries": 3 } } })
        };
        let before = Account::of(&state(0, 1)).expect("an account");
        let left = |state: &Value| {
            let now = Account::of(state).expect("an account");
            before.left_behind(state, &now)
        };
        let nothing = left(&state(0, 1));
        assert_eq!(nothing.conclusion, Conclusion::Valid);
        assert!(nothing.text.contains("no entries"), "{}", nothing.text);
        let some = left(&state(2, 5));
        assert_eq!(some.conclusion, Conclusion::Suspect);
        assert!(some.text.contains("4 in workflows"), "{}", some.text);
        assert!(some.text.contains("2 requests in flight"), "{}", some.text);
    }
}
