//! The generator stalls while a scenario runs: the clock jumps, and nothing else happens meanwhile.

use std::time::Duration;

use tokio::time::{advance, sleep};

use crate::closure::{Finished, run_changed};

const OPTIONS: &str = r#"{"scenarios":{"a":{"executor":"constant-arrival-rate","rate":1000,"duration":"2s",
    "preAllocatedVUs":50,"gracefulStop":"10s"}}}"#;

/// Iterations that take `takes_ms`, and a stall of `stall_ms` after half a second.
fn run_with_stall(takes_ms: u64, stall_ms: u64) -> Finished {
    run_changed(
        OPTIONS,
        (takes_ms, Duration::from_secs(3600)),
        move |_| async move {
            sleep(Duration::from_millis(500)).await;
            advance(Duration::from_millis(stall_ms)).await;
        },
    )
}

#[test]
fn all_starts_of_a_stall_are_caught_up_with() {
    for (takes_ms, stall_ms) in [(1, 100), (10, 100), (1, 300), (1, 5)] {
        let done = run_with_stall(takes_ms, stall_ms);
        assert_eq!(done.count("dropped_iterations"), 0.0, "{stall_ms} ms");
        assert_eq!(done.count("iterations"), 2000.0);
        let starts = done.state.health.report().starts;
        let latest_ms = starts.latest.as_millis() as u64;
        assert!(
            (stall_ms - 1..stall_ms + 100).contains(&latest_ms),
            "{latest_ms}"
        );
        assert_eq!(starts.late > 0, stall_ms > 10, "late starts are counted");
    }
}

#[test]
fn what_fell_due_too_long_ago_is_not_begun() {
    let done = run_with_stall(1, 900);
    let dropped = done.count("dropped_iterations");
    // The arrivals of half a second, without those for which a virtual user was free.
    assert!((300.0..=400.0).contains(&dropped), "{dropped}");
    assert_eq!(done.count("iterations"), 2000.0 - dropped);
}

#[test]
fn a_service_that_is_too_slow_drops_iterations_with_and_without_a_stall() {
    // 50 virtual users with iterations of 100 ms: half of the rate.
    let count = |stall_ms| run_with_stall(100, stall_ms).count("dropped_iterations");
    assert!((900.0..=1000.0).contains(&count(0)), "{}", count(0));
    assert!((900.0..=1100.0).contains(&count(100)), "{}", count(100));
}
