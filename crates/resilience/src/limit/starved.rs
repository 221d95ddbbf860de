//! The limit where calls come at their own rate: a caller that is starved of the processor, whose callee has no
//! queue at all, and a callee that really has one. To a caller that sleeps and then does everything at once,
//! both look alike: answers take long and many calls are in flight.

use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{Config, Limit, Sample};

/// How long calls wait for a place, up to `QUEUE` of them.
const DEADLINE_MS: u64 = 2_000;
const QUEUE: usize = 64;

/// The simulation of the caller, millisecond by millisecond.
#[derive(Clone, Copy)]
struct World {
    /// Arriving calls.
    rate_per_s: f64,
    /// The longest sleep of the caller, which is then awake for a fifth of it.
    longest_sleep_ms: u64,
    /// Calls that the callee works on at once; others queue there.
    places: usize,
    /// The duration of each.
    work_ms: u64,
}

#[derive(Debug, Default)]
struct Seen {
    done: usize,
    shed: usize,
    /// From arrival to answer, in milliseconds.
    took_ms: Vec<u64>,
    limits: Vec<u32>,
}

impl Seen {
    fn shed_share(&self) -> f64 {
        self.shed as f64 / (self.shed + self.done).max(1) as f64
    }

    fn p99_ms(&mut self) -> u64 {
        self.took_ms.sort_unstable();
        self.took_ms
            .get(self.took_ms.len() * 99 / 100)
            .copied()
            .unwrap_or(0)
    }
}

#[derive(Debug, Clone, Copy)]
struct Call {
    came_ms: u64,
    started_ms: u64,
    in_flight: u32,
}

struct Caller {
    limit: Limit,
    begun: Instant,
    now_ms: u64,
    in_flight: u32,
    waiting: VecDeque<u64>,
    /// At the callee, by the time of their answers.
    under_way: Vec<(u64, Call)>,
    /// When each place of the callee is free again.
    places: BinaryHeap<std::cmp::Reverse<u64>>,
    rng: SmallRng,
    due: f64,
    /// Awake until then, then asleep until then.
    awake: (u64, u64),
}

impl Caller {
    fn new(config: Config) -> Self {
        let begun = Instant::now();
        Self {
            limit: Limit::new(config, begun),
            begun,
            now_ms: 0,
            in_flight: 0,
            waiting: VecDeque::new(),
            under_way: Vec::new(),
            places: BinaryHeap::new(),
            rng: SmallRng::seed_from_u64(1),
            due: 0.0,
            awake: (0, 0),
        }
    }

    fn seconds(&mut self, world: World, seconds: u64) -> Seen {
        let mut seen = Seen::default();
        let mut came = Vec::new();
        let end = self.now_ms + seconds * 1_000;
        while self.now_ms < end {
            self.now_ms += 1;
            self.due += world.rate_per_s / 1e3;
            while self.due >= 1.0 {
                self.due -= 1.0;
                came.push(self.now_ms);
            }
            if self.is_awake(world.longest_sleep_ms) {
                self.take_answers(&mut seen);
                self.hand_out(world, &mut seen);
                for call in came.drain(..) {
                    self.waiting.push_back(call);
                    self.hand_out(world, &mut seen);
                    if self.waiting.len() > QUEUE {
                        self.waiting.pop_front();
                        seen.shed += 1;
                    }
                }
            }
            if self.now_ms.is_multiple_of(1_000) {
                seen.limits.push(self.limit.limit());
            }
        }
        seen
    }

    fn is_awake(&mut self, longest_sleep_ms: u64) -> bool {
        if longest_sleep_ms == 0 {
            return true;
        }
        let (until, next) = self.awake;
        if self.now_ms >= next {
            let until = self.now_ms + self.rng.random_range(1..=longest_sleep_ms.div_ceil(5));
            let next = until + self.rng.random_range(0..=longest_sleep_ms);
            self.awake = (until, next);
            return true;
        }
        self.now_ms < until
    }

    fn take_answers(&mut self, seen: &mut Seen) {
        let now_ms = self.now_ms;
        let mut answered = Vec::new();
        self.under_way.retain(|(at, call)| {
            let ready = *at <= now_ms;
            if ready {
                answered.push(*call);
            }
            !ready
        });
        for call in answered {
            self.in_flight -= 1;
            let took = Duration::from_millis(now_ms - call.started_ms);
            let at = |ms| self.begun + Duration::from_millis(ms);
            let (now, started) = (at(now_ms), at(call.started_ms));
            self.limit
                .count(now, started, call.in_flight, Sample::Answered(took));
            seen.done += 1;
            seen.took_ms.push(now_ms - call.came_ms);
        }
    }

    fn hand_out(&mut self, world: World, seen: &mut Seen) {
        while self.in_flight < self.limit.limit() {
            let Some(came_ms) = self.waiting.pop_front() else {
                return;
            };
            if self.now_ms - came_ms > DEADLINE_MS {
                seen.shed += 1;
                continue;
            }
            self.in_flight += 1;
            let call = Call {
                came_ms,
                started_ms: self.now_ms,
                in_flight: self.in_flight,
            };
            self.places.push(std::cmp::Reverse(0));
            while self.places.len() > world.places {
                self.places.pop();
            }
            let std::cmp::Reverse(free) = self.places.pop().expect("one was pushed");
            let answer = free.max(self.now_ms) + world.work_ms;
            self.places.push(std::cmp::Reverse(answer));
            self.under_way.push((answer, call));
        }
    }
}

/// A callee without a queue.
const CALM: World = World {
    rate_per_s: 2_000.0,
    longest_sleep_ms: 0,
    places: 100_000,
    work_ms: 20,
};

/// Without a limit none of these calls would fail.
#[test]
fn a_starved_caller_rejects_hardly_any_calls() {
    for (longest_sleep_ms, most) in [(20, 0.001), (50, 0.005), (100, 0.02), (200, 0.1)] {
        for calm_seconds in [0, 20] {
            let starved = World {
                longest_sleep_ms,
                ..CALM
            };
            let mut caller = Caller::new(Config::default());
            caller.seconds(CALM, calm_seconds);
            let first = caller.seconds(starved, 20);
            let mut later = caller.seconds(starved, 40);
            let (at_first, later_share) = (first.shed_share(), later.shed_share());
            println!(
                "sleeps up to {longest_sleep_ms} ms after {calm_seconds} calm s: {at_first:.4}, \
                 then {later_share:.4} turned away, p99 {} ms",
                later.p99_ms()
            );
            assert!(
                at_first <= 3.0 * most,
                "at first {at_first}: {:?}",
                first.limits
            );
            assert!(
                later_share <= most,
                "later {later_share}: {:?}",
                later.limits
            );
        }
    }
}

#[test]
fn the_limit_recovers_when_the_caller_is_awake_again() {
    let mut caller = Caller::new(Config::default());
    let starved = World {
        longest_sleep_ms: 200,
        ..CALM
    };
    caller.seconds(starved, 30);
    let seen = caller.seconds(CALM, 30);
    assert_eq!(seen.shed, 0);
    let last = seen.limits.last().expect("30 seconds");
    assert!(*last <= 200, "{:?}", seen.limits);
}

/// The promise for overload, with and without starvation.
#[test]
fn with_a_real_queue_goodput_and_the_deadline_hold() {
    for (places, longest_sleep_ms) in [(3, 0), (10, 0), (100, 0), (10, 50), (100, 50)] {
        for share in [0.9, 1.1, 3.0] {
            let capacity_per_s = places as f64 * 50.0;
            let world = World {
                rate_per_s: share * capacity_per_s,
                longest_sleep_ms,
                places,
                work_ms: 20,
            };
            let mut seen = Caller::new(Config::default()).seconds(world, 60);
            let goodput = seen.done as f64 / 60.0 / capacity_per_s;
            let p99_ms = seen.p99_ms();
            println!(
                "{places} places, sleeps up to {longest_sleep_ms} ms, {share} of capacity: \
                 goodput {goodput:.3}, p99 {p99_ms} ms"
            );
            // Bursts after a sleep find less to do for the callee in between.
            let least = if longest_sleep_ms == 0 { 0.97 } else { 0.93 };
            assert!(
                goodput >= least * f64::min(share, 1.0),
                "{goodput}: {:?}",
                seen.limits
            );
            assert!(p99_ms <= 1_000, "{p99_ms} ms: {:?}", seen.limits);
        }
    }
}
