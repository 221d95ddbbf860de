//! The Gilbert–Elliott chain as a function of its step.

use crate::correlation::GilbertElliott;
use crate::draw::{Purpose, Root};

/// Steps to look back at most; the state is then good. With the smallest rates that validation
/// allows the chance to get there is that of a draw never having decided, at most e^-10.
const MAX_STEPS: u64 = 10_000_000;

/// Whether the chain is in its bad state at `step`.
///
/// A stored state would depend on who asked first. Coupling from the past (Propp, Wilson 1996)
/// needs none: step i draws uᵢ; uᵢ below min(p, 1−r) leads to bad from either state, uᵢ at or above
/// max(p, 1−r) to good from either; between them the outcome depends on the state before, so it
/// looks one step further back. The answer has exactly the stationary distribution and costs
/// 1 / (1 − |1−p−r|) steps in the mean.
pub(crate) fn is_bad(states: &GilbertElliott, root: Root, step: u64) -> bool {
    let enter = states.good_to_bad;
    let stay = 1.0 - states.bad_to_good;
    let (low, high) = (enter.min(stay), enter.max(stay));
    // With p > 1−r the middle region swaps the state instead of keeping it.
    let swaps = enter > stay;
    let mut swapped = false;
    for back in 0..MAX_STEPS {
        // Steps before the first are as good as any: the chain has always been running.
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
