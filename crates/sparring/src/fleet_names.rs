//! Finds a detector by its name or alias.

use fleet::{Detector, Fleet};

use crate::terminal::Usage;

/// The detector with this name or alias.
///
/// # Errors
/// It does not exist; the message names the most similar one, or all.
pub fn find<'a>(fleet: &'a Fleet, wanted: &str) -> Result<(&'a str, &'a Detector), Usage> {
    let called = |(name, detector): &(&String, &Detector)| {
        name.as_str() == wanted || detector.aliases.iter().any(|alias| alias == wanted)
    };
    if let Some((name, detector)) = fleet.detectors.iter().find(called) {
        return Ok((name, detector));
    }
    let known: Vec<&str> = fleet
        .detectors
        .iter()
        .flat_map(|(name, detector)| {
            std::iter::once(name.as_str()).chain(detector.aliases.iter().map(String::as_str))
        })
        .collect();
    match live_config::read::nearest(wanted, known.iter().copied()) {
        Some(near) => Err(Usage(format!(
            "no detector `{wanted}`; did you mean `{near}`?"
        ))),
        None => Err(Usage(format!(
            "no detector `{wanted}`; known: {}",
            known.join(", ")
        ))),
    }
}
