//! Folded stacks, for flame graph tools and speedscope.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Stacks;
use super::modules::Walker;

/// One line for each stack by name, the most frequent first.
pub fn text(stacks: &Stacks, walker: &Walker) -> String {
    let addresses: BTreeSet<u64> = stacks
        .keys()
        .flat_map(|(_, frames)| frames.iter().copied())
        .collect();
    let addresses: Vec<u64> = addresses.into_iter().collect();
    let names = walker.names(&addresses);
    let name = |address: &u64| {
        let place = addresses.binary_search(address).ok();
        place.map_or("[unknown]", |place| names[place].as_str())
    };
    // Different addresses in a function are one frame.
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for ((thread, frames), count) in stacks {
        let mut line = thread.clone();
        for frame in frames {
            let _ = write!(line, ";{}", name(frame).replace([';', '\n'], ":"));
        }
        *lines.entry(line).or_default() += count;
    }
    let mut lines: Vec<(String, u64)> = lines.into_iter().collect();
    lines.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    lines.iter().fold(String::new(), |mut text, (line, count)| {
        let _ = writeln!(text, "{line} {count}");
        text
    })
}
