//! The choice among equal members: the cheaper of two drawn at random, by the peak-sensitive moving average of
//! its latency times its calls in flight ("power of two choices", "peak EWMA").

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

/// The decay of an old peak: after this time a share of 1/e is left.
const DECAY: Duration = Duration::from_secs(10);

/// The cost of an unknown busy member: more than any known one, so that a new member gets one call and not all.
const UNKNOWN_S: f64 = 1e6;

/// The load of one member.
#[derive(Debug, Clone)]
pub struct Load {
    average_s: Option<f64>,
    at: Instant,
    in_flight: u32,
}

impl Load {
    pub fn new(now: Instant) -> Self {
        Self {
            average_s: None,
            at: now,
            in_flight: 0,
        }
    }

    /// Records the start of a call.
    pub fn begin(&mut self) {
        self.in_flight += 1;
    }

    /// Records the end of a call. `took` is `None` when it says nothing about the member, such as for a
    /// cancelled call. A failed call should count as long as a caller would have waited for it; otherwise a
    /// member that fails fast would attract all calls.
    pub fn end(&mut self, now: Instant, took: Option<Duration>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(took) = took else { return };
        let took = took.as_secs_f64();
        let average = match self.average(now) {
            // A peak counts at once, a decrease only gradually.
            Some((average, _)) if took >= average => took,
            Some((average, weight)) => took + (average - took) * weight,
            None => took,
        };
        self.average_s = Some(average);
        self.at = now;
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The cost of one more call, for comparison only.
    pub fn cost(&self, now: Instant) -> f64 {
        let calls = f64::from(self.in_flight);
        match self.average(now) {
            // An idle member's past decays; otherwise a peak would exclude it for ever.
            Some((average, weight)) => average * weight * (calls + 1.0),
            None => UNKNOWN_S * calls,
        }
    }

    /// The last average, and its remaining weight.
    fn average(&self, now: Instant) -> Option<(f64, f64)> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        Some((self.average_s?, (-passed / DECAY.as_secs_f64()).exp()))
    }
}

/// The index of the cheaper of two random ones; `None` if there are none.
pub fn choose(costs: &[f64], rng: &mut impl Rng) -> Option<usize> {
    match costs.len() {
        0 => None,
        1 => Some(0),
        count => {
            let one = rng.random_range(0..count);
            let other = (one + rng.random_range(1..count)) % count;
            Some(if costs[other] < costs[one] {
                other
            } else {
                one
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    const MS: Duration = Duration::from_millis(1);

    fn after(start: Instant, calls: &[(u32, u32)]) -> Load {
        let mut load = Load::new(start);
        for (at, took) in calls {
            load.begin();
            load.end(start + *at * MS, Some(*took * MS));
        }
        load
    }

    #[test]
    fn a_peak_counts_at_once_and_a_decrease_gradually() {
        let start = Instant::now();
        let steady = after(start, &[(0, 10), (10, 10)]);
        let peaked = after(start, &[(0, 10), (10, 500)]);
        let relieved = after(start, &[(0, 10), (10, 500), (20, 10), (30, 10)]);
        let now = start + 30 * MS;
        assert!(peaked.cost(now) > 40.0 * steady.cost(now));
        assert!(relieved.cost(now) > 40.0 * steady.cost(now));
        let later = after(start, &[(0, 500), (60_000, 10)]);
        assert!(later.cost(start + 60_000 * MS) < 2.0 * steady.cost(start + 10 * MS));
    }

    #[test]
    fn calls_in_flight_multiply_the_cost() {
        let now = Instant::now();
        let mut load = after(now, &[(0, 10)]);
        let idle = load.cost(now);
        load.begin();
        load.begin();
        assert!((load.cost(now) / idle - 3.0).abs() < 1e-9);
        load.end(now, None);
        assert!((load.cost(now) / idle - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_new_member_gets_one_call_and_not_all() {
        let now = Instant::now();
        let known = after(now, &[(0, 10)]);
        let mut newcomer = Load::new(now);
        assert!(newcomer.cost(now) < known.cost(now));
        newcomer.begin();
        assert!(newcomer.cost(now) > known.cost(now));
    }

    #[test]
    fn an_idle_members_past_decays() {
        let now = Instant::now();
        let bad = after(now, &[(0, 5_000)]);
        let good = after(now, &[(0, 20)]);
        assert!(bad.cost(now) > good.cost(now));
        assert!(bad.cost(now + Duration::from_secs(60)) < good.cost(now));
    }

    #[test]
    fn two_are_drawn_and_the_cheaper_one_is_taken() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut taken = [0; 4];
        for _ in 0..6_000 {
            taken[choose(&[1.0, 2.0, 3.0, 4.0], &mut rng).expect("four")] += 1;
        }
        // Of the six pairs the first wins three, the second two, the third one.
        for (place, expected) in [3_000_i32, 2_000, 1_000, 0].into_iter().enumerate() {
            let off: i32 = taken[place] - expected;
            assert!(off.abs() < 200, "{taken:?}");
        }
        assert_eq!(choose(&[], &mut rng), None);
        assert_eq!(choose(&[9.0], &mut rng), Some(0));
    }
}
