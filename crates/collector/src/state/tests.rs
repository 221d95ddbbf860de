use load_metrics::Registry;
use serde_json::json;

use super::*;
use crate::result::{Collected, Verdict};
use crate::wire::{Counted, Interval, MetricName, SinkOf, SummaryOptions};

const SECOND: Duration = Duration::from_secs(1);

fn state(runners: usize, degraded: bool) -> State {
    State::new(Plan {
        runners,
        lost_after: Duration::from_secs(3),
        degraded,
    })
}

fn joining_with(name: &str, share: f64, thresholds: Value) -> Joining {
    Joining {
        name: name.to_owned(),
        share,
        script: "x.js".to_owned(),
        thresholds,
        metrics: MetricName::all_of(&Registry::new()),
        has_teardown: false,
        summary: SummaryOptions::default(),
    }
}

fn joining(name: &str) -> Joining {
    let thresholds =
        json!({ "http_req_duration": ["p(95)<100"], "http_reqs{name:/a}": ["count>0"] });
    Joining {
        has_teardown: true,
        ..joining_with(name, 0.5, thresholds)
    }
}

fn push(name: &str, sequence: u64, millis: &[u64]) -> Push {
    let mut histogram = interval_log::histogram();
    let mut trend = load_metrics::Sink::new(load_metrics::Kind::Trend);
    for value in millis {
        histogram.record(value * 1000).expect("within the bounds");
        trend.add(*value as f64);
    }
    let count = Counted::Counter {
        sum: millis.len() as f64,
        samples: millis.len() as u64,
    };
    let of = |metric: &str, sink| SinkOf {
        metric: metric.to_owned(),
        sink,
    };
    Push {
        name: name.to_owned(),
        sequence,
        began_unix_ms: Some(2_000.0),
        sinks: vec![
            of("http_req_duration", sinks::to_wire(trend)),
            of("http_reqs", count.clone()),
            of("http_reqs{name:/a}", count),
        ],
        intervals: vec![Interval {
            begin_ms: 5_000,
            endpoint: "GET /a".to_owned(),
            histogram: interval_log::encode(&histogram),
            failures: 0,
        }],
    }
}

fn ended(name: &str, ended_early: Option<&str>) -> Ended {
    Ended {
        name: name.to_owned(),
        run_time_ms: 10_000.0,
        ended_early: ended_early.map(str::to_owned),
        lost_samples: 0,
        checks: Vec::new(),
    }
}

/// Two runners that have begun; `b` ran `setup`.
fn begun(degraded: bool) -> State {
    let mut state = state(2, degraded);
    for name in ["a", "b"] {
        state.join(joining(name), SECOND).expect("it is taken");
    }
    assert_eq!(state.turn("b", SECOND).expect("known"), Turn::Run);
    let setup = SetupData {
        name: "b".to_owned(),
        data: Value::Null,
    };
    state.set_up(setup, SECOND).expect("known");
    assert_eq!(
        state.ready("a", SECOND, 1_000.0).expect("known").at_unix_ms,
        None
    );
    let begin = state.ready("b", SECOND, 1_300.0).expect("known").at_unix_ms;
    assert_eq!(begin, Some(2_000.0));
    assert_eq!(
        state.ready("a", SECOND, 1_400.0).expect("known").at_unix_ms,
        begin
    );
    state
}

fn verdict(state: &mut State) -> (Verdict, String) {
    let collected = Collected::of(state, 12_000.0);
    (collected.verdict, collected.reasons.join("; "))
}

#[test]
fn a_push_that_comes_twice_counts_once_and_all_runners_count() {
    let mut state = begun(false);
    for name in ["b", "a"] {
        for _ in 0..2 {
            state
                .push(push(name, 1, &[10, 20]), SECOND)
                .expect("it is taken");
        }
        state.end(ended(name, None), SECOND).expect("known");
    }
    assert!(state.is_over());
    let collected = Collected::of(&mut state, 12_000.0);
    assert_eq!(collected.verdict, Verdict::Passed);
    assert_eq!(collected.log.total().map(|total| total.len()), Some(4));
    let requests = collected
        .metrics
        .iter()
        .find(|(name, _)| name == "http_reqs");
    assert_eq!(
        requests.expect("it was measured").1[0],
        ("count".to_owned(), 4.0)
    );
    assert_eq!(collected.runners[0].skew_ms, Some(0.0));
}

#[test]
fn the_sum_of_the_runners_decides_not_one_of_them() {
    let mut state = begun(false);
    // Of `b` alone more than 5 % are slow; of both together less.
    let mut slow = vec![10; 18];
    slow.extend([500, 500]);
    state
        .push(push("a", 1, &[10; 80]), SECOND)
        .expect("it is taken");
    state
        .push(push("b", 1, &slow), SECOND)
        .expect("it is taken");
    for name in ["a", "b"] {
        state.end(ended(name, None), SECOND).expect("known");
    }
    let mut other = begun(false);
    other
        .push(push("b", 1, &slow), SECOND)
        .expect("it is taken");
    assert_eq!(Collected::of(&mut state, 12_000.0).verdict, Verdict::Passed);
    assert_eq!(
        Collected::of(&mut other, 12_000.0).verdict,
        Verdict::ThresholdsCrossed
    );
}

#[test]
fn a_lost_runner_ends_the_run_or_degrades_it_and_is_never_missing_silently() {
    for degraded in [false, true] {
        let mut state = begun(degraded);
        state
            .push(push("a", 1, &[10]), 4 * SECOND)
            .expect("it is taken");
        assert!(state.lose(3 * SECOND).is_empty());
        assert_eq!(state.lose(5 * SECOND), ["b"]);
        assert!(state.lose(5 * SECOND).is_empty());
        let answer = state
            .push(push("a", 2, &[10]), 5 * SECOND)
            .expect("it is taken");
        assert_eq!(answer.stop.is_some(), !degraded);
        let late = state
            .push(push("b", 1, &[10]), 6 * SECOND)
            .expect_err("it was declared lost");
        assert!(late.to_string().contains("declared lost"), "{late}");
        assert!(!state.is_over());
        state.end(ended("a", None), 6 * SECOND).expect("known");
        assert!(state.is_over());
        let (verdict, reasons) = verdict(&mut state);
        let expected = if degraded {
            Verdict::Passed
        } else {
            Verdict::Invalid
        };
        assert_eq!(verdict, expected, "{reasons}");
        assert!(
            reasons.contains("the runner b was lost; its 50.0 % of the load"),
            "{reasons}"
        );
    }
}

#[test]
fn a_part_that_ended_early_makes_the_run_invalid() {
    let mut state = begun(false);
    state
        .end(ended("a", Some("by a signal (interrupt)")), SECOND)
        .expect("known");
    state.end(ended("b", None), SECOND).expect("known");
    let (verdict, reasons) = verdict(&mut state);
    assert_eq!(verdict, Verdict::Invalid);
    assert!(
        reasons.contains("runner a was ended early, by a signal"),
        "{reasons}"
    );
}

#[test]
fn one_runner_sets_up_and_another_one_does_where_that_one_is_lost() {
    let mut state = state(2, true);
    for name in ["a", "b"] {
        state.join(joining(name), SECOND).expect("it is taken");
    }
    assert_eq!(state.turn("a", SECOND).expect("known"), Turn::Run);
    assert_eq!(state.turn("b", 3 * SECOND).expect("known"), Turn::Wait);
    assert_eq!(state.lose(5 * SECOND), ["a"]);
    assert_eq!(state.turn("b", 5 * SECOND).expect("known"), Turn::Run);
    let setup = SetupData {
        name: "b".to_owned(),
        data: json!({ "x": 1 }),
    };
    state.set_up(setup, 5 * SECOND).expect("known");
    assert_eq!(
        state.turn("b", 5 * SECOND).expect("known"),
        Turn::Take(json!({ "x": 1 }))
    );
    assert_eq!(
        state.teardown("b", 5 * SECOND).expect("known"),
        Teardown::Run
    );
}

#[test]
fn the_leader_tears_down_when_the_parts_of_all_are_over() {
    let mut state = begun(false);
    assert_eq!(state.teardown("b", SECOND).expect("known"), Teardown::Wait);
    assert_eq!(state.teardown("a", SECOND).expect("known"), Teardown::Wait);
    assert_eq!(state.teardown("b", SECOND).expect("known"), Teardown::Run);
    // Its answer may not have arrived.
    assert_eq!(state.teardown("b", SECOND).expect("known"), Teardown::Run);
    assert_eq!(state.teardown("a", SECOND).expect("known"), Teardown::No);
    assert_eq!(state.teardown_missing(), None);
}

#[test]
fn another_runner_tears_down_where_the_leader_is_lost_at_the_end() {
    let mut state = begun(true);
    assert_eq!(
        state.teardown("a", 4 * SECOND).expect("known"),
        Teardown::Wait
    );
    assert_eq!(state.lose(5 * SECOND), ["b"]);
    assert_eq!(
        state.teardown("a", 5 * SECOND).expect("known"),
        Teardown::Run
    );
    state.end(ended("a", None), 6 * SECOND).expect("known");
    assert_eq!(state.teardown_missing(), None);
}

#[test]
fn a_runner_that_leaves_without_teardown_leaves_it_to_the_others() {
    let mut state = begun(true);
    assert_eq!(state.teardown("a", SECOND).expect("known"), Teardown::Wait);
    state
        .end(ended("b", Some("by a signal (interrupt)")), SECOND)
        .expect("known");
    assert_eq!(state.teardown("a", SECOND).expect("known"), Teardown::Run);
}

#[test]
fn teardown_is_never_run_twice_and_a_missing_one_is_told() {
    let mut state = begun(true);
    for (name, answer) in [("a", Teardown::Wait), ("b", Teardown::Run)] {
        assert_eq!(state.teardown(name, SECOND).expect("known"), answer);
    }
    state
        .push(push("a", 1, &[10]), 4 * SECOND)
        .expect("it is taken");
    assert_eq!(state.lose(5 * SECOND), ["b"]);
    assert_eq!(
        state.teardown("a", 5 * SECOND).expect("known"),
        Teardown::No
    );
    state.end(ended("a", None), 6 * SECOND).expect("known");
    let (_, reasons) = verdict(&mut state);
    assert!(
        reasons.contains("the runner b was lost while it ran teardown"),
        "{reasons}"
    );
    let mut state = begun(true);
    assert_eq!(state.lose(9 * SECOND), ["a", "b"]);
    assert!(state.is_over());
    let (_, reasons) = verdict(&mut state);
    assert!(reasons.contains("teardown was not run"), "{reasons}");
}

#[test]
fn without_setup_there_is_no_teardown() {
    let mut state = state(2, false);
    state.join(joining("a"), SECOND).expect("it is taken");
    assert_eq!(state.turn("a", SECOND).expect("known"), Turn::Run);
    state.stop("only 1 of 2 runners connected within 300 s");
    assert_eq!(state.teardown("a", SECOND).expect("known"), Teardown::No);
    assert_eq!(state.teardown_missing(), None);
}

#[test]
fn a_runner_too_many_or_of_another_script_is_refused() {
    let mut state = state(2, false);
    state.join(joining("a"), SECOND).expect("it is taken");
    let again = state
        .join(joining("a"), SECOND)
        .expect_err("the name is taken");
    assert!(again.to_string().contains("a unique name"), "{again}");
    let mut other = joining("b");
    other.thresholds = json!({});
    let other = state
        .join(other, SECOND)
        .expect_err("it has other thresholds");
    assert_eq!(
        other.to_string(),
        "its thresholds differ from those of the other runners"
    );
    state.join(joining("b"), SECOND).expect("it is taken");
    let third = state
        .join(joining("c"), SECOND)
        .expect_err("there are enough");
    assert_eq!(third.to_string(), "all 2 runners are already connected");
    let unknown = state
        .push(push("z", 1, &[1]), SECOND)
        .expect_err("it never joined");
    assert_eq!(unknown.to_string(), "no runner z is part of the run");
    let mut wrong = push("a", 1, &[1]);
    wrong.sinks[0].sink = Counted::Rate { trues: 1, total: 1 };
    let wrong = state
        .push(wrong, SECOND)
        .expect_err("it is of another kind");
    assert!(wrong.to_string().contains("http_req_duration"), "{wrong}");
}

#[test]
fn a_threshold_that_aborts_ends_all_runners() {
    let mut state = state(1, false);
    let thresholds =
        json!({ "http_req_duration": [{ "threshold": "max<100", "abortOnFail": true }] });
    let joining = joining_with("a", 1.0, thresholds);
    state.join(joining, SECOND).expect("it is taken");
    state.ready("a", SECOND, 1_000.0).expect("known");
    state
        .push(push("a", 1, &[50]), SECOND)
        .expect("it is taken");
    state.watch(5_000.0);
    assert_eq!(state.stopped(), None);
    state
        .push(push("a", 2, &[150]), SECOND)
        .expect("it is taken");
    state.watch(6_000.0);
    assert_eq!(
        state.stopped(),
        Some("the threshold http_req_duration: max<100 is crossed")
    );
}
