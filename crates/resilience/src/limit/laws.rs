//! Properties of the limit after any history.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Config, Limit, Sample};

const WINDOW: Duration = Duration::from_secs(1);

/// One window: the used share of the limit, the latency, and the share of lost calls.
#[derive(Debug, Clone, Copy)]
struct Weather {
    used: f64,
    latency_ms: u64,
    lost_share: f64,
}

fn weather() -> impl Strategy<Value = Weather> {
    let used = prop_oneof![2 => Just(1.0), 1 => 0.0..1.0_f64];
    let lost_share = prop_oneof![3 => Just(0.0), 1 => 0.0..1.0_f64];
    (used, 1_u64..2_000, lost_share).prop_map(|(used, latency_ms, lost_share)| Weather {
        used,
        latency_ms,
        lost_share,
    })
}

/// Simulates one window. Returns the most calls in flight.
fn play(limit: &mut Limit, begun: Instant, weather: Weather) -> u32 {
    let in_flight = ((f64::from(limit.limit()) * weather.used) as u32).max(1);
    // The number of calls of this length that end in a window, limited to what a test can afford.
    let count = (u64::from(in_flight) * 1_000 / weather.latency_ms).clamp(1, 200) as u32;
    let lost = (f64::from(count) * weather.lost_share) as u32;
    for n in 1..=count {
        let sample = if n <= lost {
            Sample::Lost
        } else {
            Sample::Answered(Duration::from_millis(weather.latency_ms))
        };
        limit.count(begun + WINDOW * n / count, begun, in_flight, sample);
    }
    in_flight
}

fn limit(now: Instant) -> Limit {
    let config = Config {
        initial: 20,
        min: 2,
        max: 200,
        minimum_samples: 1,
        ..Config::default()
    };
    Limit::new(config, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_stays_in_its_bounds_and_never_shrinks_by_more_than_half(
        all in prop::collection::vec(weather(), 1..60),
    ) {
        let begun = Instant::now();
        let mut limit = limit(begun);
        for (n, weather) in all.into_iter().enumerate() {
            let before = limit.limit();
            let in_flight = play(&mut limit, begun + WINDOW * n as u32, weather);
            let after = limit.limit();
            prop_assert!((2..=200).contains(&after), "{after}");
            prop_assert!(after >= before.min(in_flight) / 2, "{before} -> {after}");
        }
    }

    #[test]
    fn after_any_history_a_callee_without_a_queue_gets_all_calls(
        all in prop::collection::vec(weather(), 0..40),
    ) {
        let begun = Instant::now();
        let mut limit = limit(begun);
        let good = Weather { used: 1.0, latency_ms: 1_000, lost_share: 0.0 };
        let past = all.len();
        for (n, weather) in all.into_iter().chain([good; 150]).enumerate() {
            play(&mut limit, begun + WINDOW * n as u32, weather);
        }
        prop_assert!(limit.limit() >= 150, "{} after {past} windows", limit.limit());
    }
}
