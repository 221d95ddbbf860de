//! Tokens of logged-in users: bounded, with an expiry.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fault_profile::draw::{Purpose, Root};

/// Valid tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<IssuedTokens>);

#[derive(Debug, Default)]
struct IssuedTokens {
    ends: HashMap<String, Instant>,
    /// In order of creation; the oldest is evicted when the store is full.
    order: VecDeque<String>,
    given: u64,
}

impl Tokens {
    /// Issues a token. It is drawn from the request's random stream, so that equal runs have equal tokens;
    /// it protects only test data.
    pub(super) fn give(&self, root: Root, lasts: Duration, capacity: usize) -> String {
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issued.given += 1;
        let mut draws = root.word(issued.given).draws(Purpose::Identity);
        let token = format!("{:016x}{:016x}", draws.next_word(), draws.next_word());
        issued.ends.insert(token.clone(), Instant::now() + lasts);
        issued.order.push_back(token.clone());
        while issued.order.len() > capacity.max(1) {
            if let Some(oldest) = issued.order.pop_front() {
                issued.ends.remove(&oldest);
            }
        }
        token
    }

    /// Whether a token is valid.
    pub(super) fn holds(&self, token: &str) -> bool {
        let issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issued
            .ends
            .get(token)
            .is_some_and(|end| Instant::now() < *end)
    }

    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = IssuedTokens::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_until_its_time_or_its_place_is_over() {
        let tokens = Tokens::default();
        let hour = Duration::from_secs(3600);
        let first = tokens.give(Root::new(1), hour, 2);
        let expired = tokens.give(Root::new(1), Duration::ZERO, 2);
        assert_ne!(first, expired);
        assert!(tokens.holds(&first));
        assert!(!tokens.holds(&expired));
        assert!(!tokens.holds("invented"));
        let third = tokens.give(Root::new(1), hour, 2);
        assert!(!tokens.holds(&first), "two places were taken");
        assert!(tokens.holds(&third));
        tokens.clear();
        assert!(!tokens.holds(&third));
    }
}
