//! Each executor behaves as in k6 with the same options.

use std::sync::atomic::Ordering;
use std::time::Duration;

use load_engine::Exit;

use crate::closure::{Finished, run, run_changed};

fn starts(finished: &Finished) -> Vec<u64> {
    finished.seen.iter().map(|seen| seen.at_ms).collect()
}

fn interrupted(finished: &Finished) -> u64 {
    finished
        .state
        .instance
        .iterations_interrupted
        .load(Ordering::Relaxed)
}

#[test]
fn shared_iterations_are_dropped_when_the_time_is_over() {
    let done = run(
        r#"{"scenarios":{"a":{"executor":"shared-iterations","vus":1,"iterations":9,
            "maxDuration":"1s","gracefulStop":"0s"}}}"#,
        400,
    );
    assert_eq!(starts(&done), [0, 400, 800]);
    assert_eq!((done.count("iterations"), interrupted(&done)), (2.0, 1));
    assert_eq!(done.count("dropped_iterations"), 6.0);
}

#[test]
fn per_vu_iterations_that_no_vu_completes_are_dropped() {
    let done = run(
        r#"{"scenarios":{"a":{"executor":"per-vu-iterations","vus":2,"iterations":9,
            "maxDuration":"1s","gracefulStop":"2s"}}}"#,
        400,
    );
    assert_eq!((done.count("iterations"), interrupted(&done)), (6.0, 0));
    assert_eq!(done.count("dropped_iterations"), 12.0);
}

#[test]
fn constant_vus_iterate_until_the_end_and_have_a_grace() {
    let done = run(
        r#"{"scenarios":{"a":{"executor":"constant-vus","vus":3,"duration":"1s",
            "gracefulStop":"100ms"}}}"#,
        600,
    );
    assert_eq!(starts(&done), [0, 0, 0, 600, 600, 600]);
    assert_eq!((done.count("iterations"), interrupted(&done)), (3.0, 3));
    assert_eq!(done.outcome.summary.run_time.as_millis(), 1100);
}

/// Active users in the middle of each second.
fn users_by_second(finished: &Finished) -> Vec<u64> {
    let active = finished.active.iter().step_by(2);
    active.map(|(_, users)| *users).collect()
}

#[test]
fn users_that_are_set_by_hand_replace_the_ramp_until_its_end() {
    let finished = run_changed(
        r#"{"scenarios":{"a":{"executor":"ramping-vus","startVUs":2,"gracefulRampDown":"0s",
            "gracefulStop":"0s","stages":[{"duration":"10s","target":2}]}}}"#,
        (100, Duration::from_millis(500)),
        |state| async move {
            let set = |users: u64| state.set_users([("a".to_owned(), users)].into());
            tokio::time::sleep(Duration::from_millis(2200)).await;
            // The users of another scenario do not affect this one.
            state.set_users([("b".to_owned(), 9)].into());
            tokio::time::sleep(Duration::from_millis(1000)).await;
            set(5);
            tokio::time::sleep(Duration::from_millis(3000)).await;
            set(1);
            tokio::time::sleep(Duration::from_millis(2000)).await;
            set(0);
        },
    );
    let users = users_by_second(&finished);
    assert_eq!(users[..9], [2, 2, 2, 5, 5, 5, 1, 1, 0], "{users:?}");
    assert_eq!(finished.state.run_time(), Duration::from_secs(10));
}

#[test]
fn ramping_vus_are_added_and_removed_when_the_line_reaches_them() {
    let done = run(
        r#"{"scenarios":{"a":{"executor":"ramping-vus","startVUs":0,"gracefulRampDown":"0s",
            "stages":[{"duration":"1s","target":2},{"duration":"1s","target":0}]}}}"#,
        10_000,
    );
    assert_eq!(starts(&done), [500, 1000]);
    assert_eq!(interrupted(&done), 2);
    assert_eq!(done.outcome.summary.run_time.as_millis(), 2000);
}

#[test]
fn a_leaving_vu_that_is_needed_again_stays() {
    let done = run(
        r#"{"scenarios":{"a":{"executor":"ramping-vus","startVUs":1,"gracefulRampDown":"10s",
            "stages":[{"duration":"100ms","target":0},{"duration":"100ms","target":1},
                      {"duration":"800ms","target":1}]}}}"#,
        400,
    );
    assert_eq!(starts(&done), [0, 400, 800]);
    assert_eq!(interrupted(&done), 0);
    assert!(done.seen.iter().all(|seen| seen.vu == 1));
}

#[test]
fn scenarios_that_do_not_overlap_use_the_same_vus() {
    let done = run(
        r#"{"scenarios":{
            "a":{"executor":"constant-vus","vus":2,"duration":"1s","gracefulStop":"0s"},
            "b":{"executor":"per-vu-iterations","vus":2,"startTime":"1s","maxDuration":"1s"}}}"#,
        300,
    );
    assert_eq!(
        done.state.instance.vus_initialized.load(Ordering::Relaxed),
        2
    );
    let last: Vec<_> = done.seen.iter().rev().take(2).collect();
    assert!(
        last.iter()
            .all(|seen| seen.at_ms >= 1000 && seen.iteration.in_vu_scenario == 0)
    );
    assert!(last.iter().all(|seen| seen.iteration.in_vu == 4));
}

#[test]
fn a_minimum_duration_pads_iterations_but_not_their_measure() {
    let done = run(
        r#"{"vus":1,"iterations":3,"minIterationDuration":"1s"}"#,
        100,
    );
    assert_eq!(starts(&done), [0, 1000, 2000]);
    let duration = done
        .outcome
        .summary
        .metric("iteration_duration")
        .expect("measured");
    assert_eq!(duration.value("max"), 100.0);
}

#[test]
fn a_crossed_threshold_decides_the_exit_code() {
    let options =
        r#"{"iterations":2,"thresholds":{"iterations":["count>5"],"checks":["rate>0.9"]}}"#;
    let done = run(options, 100);
    assert_eq!(done.outcome.exit, Exit::ThresholdsCrossed);
    let failure = done.outcome.failure.expect("has a reason");
    assert_eq!(
        failure.message,
        "thresholds on metrics 'iterations' have been crossed"
    );
}

#[test]
fn a_threshold_can_end_the_run() {
    let options = r#"{"vus":1,"duration":"1m","thresholds":{
        "iterations":[{"threshold":"count<3","abortOnFail":true,"delayAbortEval":"3s"}]}}"#;
    let done = run(options, 100);
    assert_eq!(done.outcome.exit, Exit::ThresholdsCrossed);
    let took = done.outcome.summary.run_time.as_millis();
    assert!((4000..4600).contains(&took), "ended after {took} ms");
}

#[test]
fn segments_share_vus_and_iterations() {
    let segment = |piece: &str| {
        let options = format!(
            r#"{{"vus":4,"iterations":10,"executionSegment":"{piece}",
                "executionSegmentSequence":"0,1/3,2/3,1"}}"#
        );
        let done = run(&options, 100);
        let mut numbers: Vec<u64> = done
            .seen
            .iter()
            .map(|seen| seen.iteration.in_test)
            .collect();
        numbers.sort_unstable();
        let mut vus: Vec<u64> = done.seen.iter().map(|seen| seen.vu).collect();
        vus.sort_unstable();
        vus.dedup();
        (vus, numbers)
    };
    assert_eq!(segment("0:1/3"), (vec![1, 4], vec![0, 2, 4, 6, 8]));
    assert_eq!(segment("1/3:2/3"), (vec![2], vec![1, 5, 9]));
    assert_eq!(segment("2/3:1"), (vec![3], vec![3, 7]));
}

#[test]
fn arrivals_begin_on_the_plan_and_are_dropped_when_no_vu_is_free() {
    let done = run(
        r#"{"scenarios":{"a":{"executor":"constant-arrival-rate","rate":5,"duration":"2s",
            "preAllocatedVUs":1,"maxVUs":2}}}"#,
        550,
    );
    assert_eq!(starts(&done), [0, 400, 600, 1000, 1200, 1600, 1800]);
    assert_eq!(done.count("dropped_iterations"), 3.0);
    assert_eq!(done.count("iterations"), 7.0);
}

#[test]
fn a_ramping_rate_begins_when_the_area_reaches_the_next_iteration() {
    let done = run(
        r#"{"scenarios":{"a":{"executor":"ramping-arrival-rate","preAllocatedVUs":2,
            "stages":[{"duration":"2s","target":4}]}}}"#,
        10,
    );
    // The runtime's paused clock rounds up to whole milliseconds.
    assert_eq!(starts(&done), [1000, 1415, 1733, 2000]);
}

#[test]
fn every_start_time_of_a_fast_plan_is_kept() {
    let done = run(
        r#"{"scenarios":{"a":{"executor":"constant-arrival-rate","rate":2000,"duration":"1s",
            "preAllocatedVUs":20}}}"#,
        5,
    );
    assert_eq!(done.count("iterations"), 2000.0);
    assert_eq!(done.count("dropped_iterations"), 0.0);
    for (index, at) in starts(&done).into_iter().enumerate() {
        let planned = index as u64 / 2;
        assert!(
            (planned..=planned + 1).contains(&at),
            "start {index} came at {at} ms"
        );
    }
}

/// For a scenario whose VUs need time to prepare: the delay of the first planned start, and the greatest
/// lateness, in milliseconds.
fn first_and_latest(prepare_ms: u64) -> (u128, u128) {
    let options = format!(
        r#"{{"scenarios":{{"a":{{"executor":"constant-arrival-rate","rate":10,"duration":"2s",
            "preAllocatedVUs":3,"env":{{"PREPARE_MS":"{prepare_ms}"}}}}}}}}"#
    );
    let done = run(&options, 10);
    assert_eq!(done.seen.len(), 20);
    let planned = done.seen.iter().filter_map(|seen| seen.iteration.scheduled);
    let first = planned.min().expect("there are starts");
    let latest = done.state.health.report().starts.latest;
    ((first - done.begin).as_millis(), latest.as_millis())
}

#[test]
fn starts_are_planned_from_when_the_vus_are_ready() {
    let (first, latest) = first_and_latest(70);
    assert!((70..75).contains(&first), "{first}");
    assert!(latest < 5, "{latest}");
}

#[test]
fn starts_do_not_wait_for_vus_for_ever_and_count_as_late() {
    let (first, latest) = first_and_latest(1070);
    assert!((1000..1005).contains(&first), "{first}");
    assert!((65..75).contains(&latest), "{latest}");
}

#[test]
fn a_vu_that_never_waits_lets_the_others_of_its_thread_run() {
    let options = r#"{"scenarios":{"a":{"executor":"shared-iterations","vus":2,"iterations":10}}}"#;
    let done = run(options, 0);
    let of_first = done.seen.iter().filter(|seen| seen.vu == 1).count();
    assert_eq!((done.seen.len(), of_first), (10, 5));
}
