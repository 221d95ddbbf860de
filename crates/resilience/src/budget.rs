//! The budget of retries and hedges: a share of the first attempts plus a small floor.
//!
//! One budget per detector, in one atomic word, charged when the decision is made and not when
//! the call is sent. The law, for every interval of length *t*:
//! `extra calls ≤ ratio · first attempts in it + floor · (t + window)`,
//! and from the beginning `extra calls ≤ ratio · first attempts + floor · (t + 1 s)`.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::retry::Config;
use crate::sync::AtomicU64;

/// One extra call, in the units of the balance.
const CALL: u64 = 1_000;
/// The balance occupies the upper bits, the time of the last refill in milliseconds the lower ones.
const TIME_BITS: u32 = 40;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const MAX_BALANCE: u64 = (1 << (64 - TIME_BITS)) - 1;

/// Decides whether one more call may be made. Lock-free; share it behind an `Arc`.
#[derive(Debug)]
pub struct Budget {
    state: AtomicU64,
    started: Instant,
    /// Thousandths of a call that one first attempt pays.
    deposit: u64,
    /// Thousandths of a call per second that accrue by time.
    floor_per_s: u64,
    cap: u64,
}

impl Budget {
    pub fn new(config: &Config, now: Instant) -> Self {
        let floor_per_s = (config.budget_floor_per_s * CALL as f64).round() as u64;
        let kept = floor_per_s.saturating_mul(config.budget_window_ms) / 1_000;
        // Space for at least one whole call; otherwise a ratio without a floor could never pay for one.
        let cap = kept.clamp(CALL, MAX_BALANCE);
        let start = floor_per_s.min(cap);
        Self {
            state: AtomicU64::new(start << TIME_BITS),
            started: now,
            deposit: (config.budget_ratio * CALL as f64).round() as u64,
            floor_per_s,
            cap,
        }
    }

    /// Records a first attempt.
    pub fn deposit(&self, now: Instant) {
        let deposited = self.update(now, |balance| Some(balance + self.deposit));
        debug_assert!(deposited, "a deposit is never refused");
    }

    /// Pays for one retry or hedge; `false` when the budget is exhausted.
    #[must_use]
    pub fn withdraw(&self, now: Instant) -> bool {
        self.update(now, |balance| balance.checked_sub(CALL))
    }

    /// Number of calls that could be paid for now.
    pub fn available(&self, now: Instant) -> f64 {
        let (balance, _) = self.refilled(self.state.load(Ordering::Acquire), now);
        balance as f64 / CALL as f64
    }

    /// Refill and change in one exchange, so that no two callers spend the same token.
    fn update(&self, now: Instant, change: impl Fn(u64) -> Option<u64>) -> bool {
        let next = |state: u64| {
            let (balance, time) = self.refilled(state, now);
            let changed = change(balance)?.min(self.cap);
            Some(changed << TIME_BITS | time)
        };
        self.state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
            .is_ok()
    }

    /// The balance as of `now`. Time advances only by whole thousandths, so that frequent reads lose nothing; a
    /// `now` older than the last refill adds nothing.
    fn refilled(&self, state: u64, now: Instant) -> (u64, u64) {
        let (balance, last_ms) = (state >> TIME_BITS, state & TIME_MASK);
        let now_ms = now.saturating_duration_since(self.started).as_millis() as u64 & TIME_MASK;
        let passed_ms = now_ms.saturating_sub(last_ms);
        let gained = passed_ms.saturating_mul(self.floor_per_s) / 1_000;
        if gained == 0 {
            return (balance, last_ms);
        }
        let used_ms = gained.saturating_mul(1_000).div_ceil(self.floor_per_s);
        (
            (balance + gained).min(self.cap),
            last_ms + used_ms.min(passed_ms),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn config(ratio: f64, floor_per_s: f64) -> Config {
        Config {
            budget_ratio: ratio,
            budget_floor_per_s: floor_per_s,
            ..Config::default()
        }
    }

    proptest! {
        #[test]
        fn extra_calls_obey_the_law_in_every_interval(
            ratio in 0.0_f64..=1.0,
            floor in 0.0_f64..20.0,
            steps in proptest::collection::vec((0_u64..3_000, 0_u32..40, 0_u32..40), 1..60),
        ) {
            let config = config(ratio, floor);
            let start = Instant::now();
            let budget = Budget::new(&config, start);
            let mut now = start;
            let mut log: Vec<(Instant, u32, u32)> = Vec::new();
            for (wait_ms, firsts, tries) in steps {
                now += Duration::from_millis(wait_ms);
                let mut extra = 0;
                for turn in 0..firsts.max(tries) {
                    if turn < firsts { budget.deposit(now); }
                    if turn < tries && budget.withdraw(now) { extra += 1; }
                }
                log.push((now, firsts, extra));
            }
            for from in 0..log.len() {
                let (mut firsts, mut extra) = (0, 0);
                for (at, more_firsts, more_extra) in &log[from..] {
                    firsts += more_firsts;
                    extra += more_extra;
                    let t = (*at - log[from].0).as_secs_f64();
                    let kept = (floor * 10.0).max(1.0);
                    let law = (ratio + 0.0006) * f64::from(firsts) + floor * t + kept + 0.01;
                    prop_assert!(f64::from(extra) <= law, "{extra} extra calls, law {law}");
                    if from == 0 {
                        let t = (*at - start).as_secs_f64();
                        let law = (ratio + 0.0006) * f64::from(firsts) + floor * (t + 1.0) + 0.01;
                        prop_assert!(f64::from(extra) <= law, "from the start: {extra}, law {law}");
                    }
                }
            }
        }
    }

    #[test]
    fn sixty_four_threads_never_spend_a_token_twice() {
        let now = Instant::now();
        let roomy = Config {
            budget_window_ms: 60_000,
            ..config(0.2, 1.0)
        };
        let budget = Arc::new(Budget::new(&roomy, now));
        let granted = Arc::new(AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        budget.deposit(now);
                        if budget.withdraw(now) {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        // One call was available from the start; the clock stands still.
        let left = budget.available(now) as u32;
        assert_eq!(granted.load(Ordering::Relaxed) + left, 64 * 500 / 5 + 1);
    }

    #[test]
    fn a_clock_read_late_adds_nothing() {
        let start = Instant::now();
        let budget = Budget::new(&config(0.0, 1.0), start);
        let later = start + Duration::from_secs(5);
        while budget.withdraw(later) {}
        assert!(!budget.withdraw(start));
        assert!(!budget.withdraw(later + Duration::from_millis(999)));
        assert!(budget.withdraw(later + Duration::from_secs(1)));
    }
}
