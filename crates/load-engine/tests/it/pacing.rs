//! Start times and VU counts against the closed form of each schedule.

use std::time::Duration;

use crate::closure::{Finished, run_in_real_time, run_looked_at};

/// A busy machine may delay a start; a test must not limit by how much.
const PATIENCE: Duration = Duration::from_secs(5);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Compares every start with its planned time, in order: none is early, none is missing, and the recorded
/// lateness is the difference. The plan begins when all VUs are ready for it.
fn check_starts(done: &Finished, planned: &[Duration]) {
    assert_eq!(done.count("dropped_iterations"), 0.0);
    let mut seen = done.seen.clone();
    seen.sort_by_key(|seen| seen.iteration.scheduled);
    assert_eq!(seen.len(), planned.len());
    let first = seen[0].iteration.scheduled.expect("it has a plan");
    let begin = first - planned[0];
    assert!(begin >= done.begin && begin - done.begin < PATIENCE);
    for (index, (seen, planned)) in seen.iter().zip(planned).enumerate() {
        let scheduled = seen.iteration.scheduled.expect("it has a plan");
        let off = (scheduled - begin).abs_diff(*planned);
        assert!(
            off <= Duration::from_micros(1),
            "start {index} is planned {off:?} beside the closed form"
        );
        assert!(seen.at >= scheduled, "start {index} is early");
        let after_note = (seen.at - scheduled).checked_sub(seen.iteration.late);
        let after_note = after_note.expect("the note is taken before the iteration begins");
        assert!(after_note < PATIENCE, "start {index}: {after_note:?}");
    }
    let health = done.state.health.report();
    assert_eq!(health.starts.all, planned.len() as u64);
    let latest = seen.iter().map(|seen| seen.iteration.late).max();
    assert_eq!(Some(health.starts.latest), latest);
}

#[test]
fn a_constant_rate_of_2000_a_second_follows_its_grid() {
    let done = run_in_real_time(
        r#"{"scenarios":{"a":{"executor":"constant-arrival-rate","rate":2000,"duration":"1s",
            "preAllocatedVUs":1500,"gracefulStop":"10s"}}}"#,
        1,
    );
    let planned: Vec<Duration> = (0..2000).map(|n| Duration::from_micros(n * 500)).collect();
    check_starts(&done, &planned);
}

#[test]
fn a_ramping_rate_follows_the_area_under_it() {
    let done = run_in_real_time(
        r#"{"scenarios":{"a":{"executor":"ramping-arrival-rate","startRate":0,
            "preAllocatedVUs":1200,"gracefulStop":"10s","stages":[
            {"duration":"1s","target":2000},{"duration":"200ms","target":2000}]}}}"#,
        1,
    );
    // Up to 1 s the area is 1000 t², then it grows by 2000 per second.
    let planned: Vec<Duration> = (1..=1400)
        .map(|n| {
            let n = f64::from(n);
            seconds(if n <= 1000.0 {
                (n / 1000.0).sqrt()
            } else {
                1.0 + (n - 1000.0) / 2000.0
            })
        })
        .collect();
    check_starts(&done, &planned);
}

/// The number of VUs for a line through these points at a moment: going up, one more when the line has reached
/// the next whole number; going down, one less.
fn on_the_line(start: u32, stages: &[(f64, u32)], at: f64) -> u64 {
    let (mut begin, mut from) = (0.0, f64::from(start));
    for &(length, target) in stages {
        let target = f64::from(target);
        if at < begin + length {
            let moved = ((target - from).abs() * (at - begin) / length).floor();
            return (if target > from {
                from + moved
            } else {
                from - moved
            }) as u64;
        }
        (begin, from) = (begin + length, target);
    }
    0
}

fn check_ramp(start: u32, stages: &[(f64, u32)]) {
    let listed: Vec<String> = stages
        .iter()
        .map(|(length, target)| {
            let millis = (length * 1000.0).round();
            format!(r#"{{"duration":"{millis}ms","target":{target}}}"#)
        })
        .collect();
    let options = format!(
        r#"{{"scenarios":{{"a":{{"executor":"ramping-vus","startVUs":{start},
            "gracefulRampDown":"0s","gracefulStop":"0s","stages":[{}]}}}}}}"#,
        listed.join(",")
    );
    // Off the whole moments, at which a step and a sample would coincide.
    let every = 0.2503;
    let done = run_looked_at(&options, 7, seconds(every));
    let length: f64 = stages.iter().map(|(length, _)| length).sum();
    let looks: Vec<(f64, u64)> = done
        .active
        .iter()
        .map(|(at, active)| (at.as_secs_f64(), *active))
        .filter(|(at, _)| *at < length)
        .collect();
    assert!(looks.len() as f64 > length * 3.0, "{} looks", looks.len());
    for (at, active) in looks {
        // The runtime's paused clock rounds steps up to whole milliseconds; iterations take 7 ms.
        let near = [-0.01, 0.0].map(|by| on_the_line(start, stages, (at + by).max(0.0)));
        assert!(
            near.contains(&active),
            "{active} VUs at {at} s, not {near:?}"
        );
    }
}

#[test]
fn ramping_vus_are_on_the_line_all_the_time() {
    check_ramp(0, &[(10.0, 20)]);
    check_ramp(5, &[(4.0, 50), (6.0, 3), (2.0, 3), (8.0, 90), (5.0, 0)]);
    check_ramp(100, &[(7.0, 0), (3.0, 0), (7.0, 100)]);
    check_ramp(3, &[(0.0, 30), (3.0, 30), (0.0, 1), (5.0, 2)]);
    check_ramp(1, &[(30.0, 1)]);
}

#[test]
fn a_vu_that_ramps_down_has_exactly_its_grace() {
    // Iterations longer than the grace: from 4 s on, one VU starts to leave each second and is gone 1.5 s
    // later.
    let done = run_looked_at(
        r#"{"scenarios":{"a":{"executor":"ramping-vus","startVUs":4,"gracefulRampDown":"1500ms",
            "gracefulStop":"0s","stages":[{"duration":"4s","target":4},{"duration":"4s","target":0},
            {"duration":"4s","target":0}]}}}"#,
        3_600_000,
        seconds(1.0),
    );
    let active: Vec<u64> = done
        .active
        .iter()
        .map(|(_, active)| *active)
        .take(9)
        .collect();
    assert_eq!(active, [4, 4, 4, 4, 4, 4, 3, 2, 1]);
    assert_eq!(done.outcome.summary.run_time.as_millis(), 9500);
}
