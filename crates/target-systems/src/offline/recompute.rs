//! A run from its input log.

use std::time::Duration;

use crate::network::{Detail, Finished, Input, Network};
use crate::plan::Plan;

/// Replays inputs, each with its time, and gives what ended by `until`. The same build, plan and
/// log give the same to the nanosecond.
///
/// # Errors
/// What [`Plan::problems`] finds.
pub fn recompute(
    plan: Plan,
    detail: Detail,
    log: impl IntoIterator<Item = (Duration, Input)>,
    until: Duration,
) -> Result<Vec<Finished>, Vec<String>> {
    let mut network = Network::new(plan, detail)?;
    let mut journal = Vec::new();
    for (at, input) in log {
        // What an input did was told to its caller then; here its consequences count.
        drop(network.apply(at, input));
        journal.extend(network.finished());
    }
    network.advance(until);
    journal.extend(network.finished());
    Ok(journal)
}

/// Where two journals differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Place in the journals.
    pub place: usize,
    pub recorded: Option<Finished>,
    pub recomputed: Option<Finished>,
}

/// Entries that differ, in journals whose order is that of the ends.
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
