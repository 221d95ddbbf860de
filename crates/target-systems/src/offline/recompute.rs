//! Recomputes a run from its input log.

use std::time::Duration;

use crate::network::{Detail, Finished, Input, Network};
use crate::plan::Plan;

/// Replays inputs, each with its time, and returns the requests that ended by `until`. The same build, plan
/// and log give the same result to the nanosecond.
///
/// # Errors
/// The problems found by [`Plan::problems`].
pub fn recompute(
    plan: Plan,
    detail: Detail,
    log: impl IntoIterator<Item = (Duration, Input)>,
    until: Duration,
) -> Result<Vec<Finished>, Vec<String>> {
    let mut network = Network::new(plan, detail)?;
    let mut journal = Vec::new();
    for (at, input) in log {
        // The effect of an input was returned to its caller at the time; only its consequences matter here.
        drop(network.apply(at, input));
        journal.extend(network.finished());
    }
    network.advance(until);
    journal.extend(network.finished());
    Ok(journal)
}

/// A difference between two journals.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Index in the journals.
    pub place: usize,
    pub recorded: Option<Finished>,
    pub recomputed: Option<Finished>,
}

/// Entries that differ, in journals ordered by the ends of requests.
pub fn differences(recorded: &[Finished], recomputed: &[Finished]) -> Vec<Difference> {
    (0..recorded.len().max(recomputed.len()))
        .filter(|&place| recorded.get(place) != recomputed.get(place))
        .map(|place| Difference {
            place,
            recorded: recorded.get(place).cloned(),
            recomputed: recomputed.get(place).cloned(),
        })
        .collect()
}
