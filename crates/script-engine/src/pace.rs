//! The turns of VUs on a thread: how often the engine checks for an interrupt, and when a turn is over.
//!
//! By default the engine checks after ten thousand jumps or calls, however long a jump takes. For minutes, a
//! loop whose every iteration searches a long array would then neither end with its VU nor let others run. So
//! each check sets the number of jumps until the next one, about a millisecond's worth, and a turn begins with
//! few. All of it happens on the engine's thread. Rejected: a thread that clears the engine's count from
//! outside, which is a data race; signals, which interrupt system calls and need room on the small stacks of
//! VUs.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rquickjs::qjs;

use super::patience;

/// How long a turn lasts before a busy VU lets others run.
const TURN: Duration = Duration::from_millis(20);
/// The intended time between two checks.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(1);
/// Jumps until the first check of a turn.
const FIRST_JUMPS: i32 = 200;
/// The maximum number of jumps until a later check: about sixty microseconds of plain code, of which the check
/// and a reading of the clock take a thousandth.
const MOST_JUMPS: i32 = 2_000;

/// The pace of one VU.
#[derive(Default)]
pub(crate) struct Pace {
    /// The time of the turn's first check.
    began: Cell<Option<Instant>>,
    /// The time of the last check, and the number of jumps until the next one.
    asked: Cell<Option<(Instant, i32)>>,
    /// Whether the turn is over regardless of its duration.
    is_over: Cell<bool>,
}

impl Pace {
    /// Begins a turn in this context.
    pub(crate) fn begin(&self, ctx: *mut qjs::JSContext) {
        self.began.set(None);
        self.asked.set(None);
        self.is_over.set(false);
        patience::ask_after(ctx, FIRST_JUMPS);
    }

    /// Ends the turn at the next check.
    pub(crate) fn end_soon(&self) {
        self.is_over.set(true);
    }

    /// Called at each check in this context. Returns whether the turn is over.
    pub(crate) fn is_over(&self, ctx: *mut qjs::JSContext, now: Instant) -> bool {
        let began = self.began.get().unwrap_or(now);
        self.began.set(Some(began));
        let jumps = match self.asked.get() {
            Some((before, jumps)) => jumps_until_next(now - before, jumps),
            None => FIRST_JUMPS,
        };
        self.asked.set(Some((now, jumps)));
        patience::ask_after(ctx, jumps);
        self.is_over.get() || now - began >= TURN
    }
}

/// The number of jumps that take about the intended time between checks, given that `jumps` of them took
/// `elapsed`. At most twice as many, since fast code may become slow.
fn jumps_until_next(elapsed: Duration, jumps: i32) -> i32 {
    let wanted =
        f64::from(jumps) * BETWEEN_QUESTIONS.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
    // A float that is too large becomes the largest number.
    (wanted as i32)
        .min(jumps.saturating_mul(2))
        .clamp(1, MOST_JUMPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn slow_jumps_are_followed_by_fewer_and_fast_ones_by_more() {
        let check = |elapsed: Duration, jumps: i32, expected: i32| {
            assert_eq!(
                jumps_until_next(elapsed, jumps),
                expected,
                "{elapsed:?} {jumps}"
            );
        };
        check(MS, 100, 100);
        check(100 * MS, 200, 2);
        check(Duration::from_secs(60), 200, 1);
        check(MS / 100, 200, 400);
        check(Duration::ZERO, 200, 400);
        check(Duration::ZERO, MOST_JUMPS, MOST_JUMPS);
        check(MS, i32::MAX, MOST_JUMPS);
    }

    #[test]
    fn a_turn_ends_after_its_time_or_on_request() {
        let mut context = [0_u8; 4096];
        let ctx = context.as_mut_ptr().cast();
        let (pace, begin) = (Pace::default(), Instant::now());
        pace.begin(ctx);
        assert!(!pace.is_over(ctx, begin));
        assert!(!pace.is_over(ctx, begin + TURN - MS));
        assert!(pace.is_over(ctx, begin + TURN));
        pace.begin(ctx);
        assert!(!pace.is_over(ctx, begin + 2 * TURN), "a new turn");
        pace.end_soon();
        assert!(pace.is_over(ctx, begin + 2 * TURN));
    }
}
