//! The Gilbert–Elliott chain as a function of its step.

use crate::correlation::GilbertElliott;
use crate::draw::{Purpose, Root};

/// The maximum number of steps to look back; the state is good then. At the smallest rates that validation
/// allows, the probability of reaching it is at most e^-10.
const MAX_STEPS: u64 = 10_000_000;

/// Whether the chain is in its bad state at `step`.
///
/// A stored state would depend on the order of calls. Coupling from the past (Propp, Wilson 1996)
/// needs no state: step i draws uᵢ; uᵢ below min(p, 1−r) leads to bad from either state, uᵢ at or above
/// max(p, 1−r) to good from either. Between them the outcome depends on the previous state, so the function
/// looks one step further back. The result has exactly the stationary distribution and takes
/// 1 / (1 − |1−p−r|) steps on average.
pub(crate) fn is_bad(states: &GilbertElliott, root: Root, step: u64) -> bool {
    let enter = states.good_to_bad;
    let stay = 1.0 - states.bad_to_good;
    let (low, high) = (enter.min(stay), enter.max(stay));
    // With p > 1−r the middle region swaps the state instead of keeping it.
    let swaps = enter > stay;
    let mut swapped = false;
    for back in 0..MAX_STEPS {
        // Steps before the first one are valid, since the chain has no beginning.
        let unit = root.word(step.wrapping_sub(back)).unit(Purpose::State);
        if unit < low {
            return !swapped;
        }
        if unit >= high {
            return swapped;
        }
        swapped ^= swaps;
    }
    false
}
