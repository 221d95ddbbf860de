//! Each kind of requirement of a suite file, on both sides of its bounds.

use analysis::threshold::Limit;
use report::record::{Event, EventKind, LoadModel, Second, Standing, ThresholdSeries};

use super::super::expression::Bound;
use super::super::figure::Figure;
use super::super::sample::{Sample, phase};
use super::super::{Known, window};
use super::{graded, judgement};
use crate::file::Judge;

/// DET-38: checks; AIA-35: all of them.
#[test]
fn checks_hold_by_their_share() {
    let check = |share, passes, fails, expected| {
        let asked = Judge {
            checks: Some(share),
            ..Judge::default()
        };
        let record = graded().asking(asked).checks(passes, fails).judged();
        assert_eq!(
            judgement(&record, "check.all").standing,
            expected,
            "{passes} {fails}"
        );
    };
    check(1.0, 100, 0, Standing::Held);
    check(1.0, 99, 1, Standing::Crossed);
    check(1.0, 0, 0, Standing::NoData);
    check(0.95, 1000, 0, Standing::Held);
    check(0.95, 20, 0, Standing::Inconclusive);
    check(0.95, 80, 20, Standing::Crossed);
}

/// AIA-14..22, ACIS-20: each row on both sides of its bound.
#[test]
fn rows_are_judged_on_both_sides() {
    let check = |name: &str, expression: &str, sample: Sample, expected| {
        let asked = Judge {
            rows: [(name.to_owned(), expression.to_owned())]
                .into_iter()
                .collect(),
            ..Judge::default()
        };
        let record = sample.asking(asked).judged();
        let found = judgement(&record, &format!("row.{name}@steady"));
        assert_eq!(found.standing, expected, "{name} {expression}: {found:?}");
    };
    let held = Standing::Held;
    let crossed = Standing::Crossed;
    check("cpu_ratio", "<0.6", graded().cpu(0.599), held);
    check("cpu_ratio", "<0.6", graded().cpu(0.6), crossed);
    check("memory_ratio", "<0.85", graded().memory(0.849), held);
    check("memory_ratio", "<0.85", graded().memory(0.85), crossed);
    check(
        "disk_iops",
        "<1000",
        graded().other("disk_iops", 999.0),
        held,
    );
    check(
        "disk_iops",
        "<1000",
        graded().other("disk_iops", 1000.0),
        crossed,
    );
    let messages = |per_s| graded().other("messages_processed_total", per_s);
    check("messages_per_s", ">=5000", messages(5000.0), held);
    check("messages_per_s", ">=5000", messages(4999.0), crossed);
    check("messages_per_s", ">=5000", graded(), Standing::NoData);
    check("rate_per_s", ">=50", graded().rate(51.0), held);
    check("rate_per_s", ">=50", graded().rate(48.0), crossed);
    check("error_rate", "<0.05", graded().failing(0.02), held);
    check("error_rate", "<0.05", graded().failing(0.09), crossed);
    check(
        "error_rate",
        "<0.05",
        graded().failing(0.05),
        Standing::Inconclusive,
    );
    let refusing = |status, count| graded().answered("200", 5000).answered(status, count);
    check("refusals", "==0", refusing("503", 1), held);
    check("refusals", "==0", refusing("507", 1), crossed);
    check("refusals", "==0", refusing("413", 1), crossed);
    check("refusals", "==0", graded().rate(0.0), Standing::NoData);
    check("cpu_ratio", "<0.6", graded(), Standing::NoData);
    check("no_such_row", "<0.6", graded(), Standing::NoData);
}

/// AIA-14: requests in flight at the edges of a window are neither lost nor late.
#[test]
fn an_open_rate_that_was_asked_for_is_held_but_for_its_edges() {
    let bound = Bound::Limit(Limit::at_least(1000.0));
    let mut sample = Sample::of("aiaas", "throughput").rate(999.95).level(1000.0);
    sample.record.model = LoadModel::Open;
    let standing = |figure: Figure, sample: &Sample| {
        let windows = window::judged(&sample.test, &sample.record);
        figure.decide(&windows[0], bound).standing
    };
    let fewer = sample.clone().rate(980.0).level(1000.0);
    for figure in [Figure::Requests, Figure::Successes] {
        assert_eq!(standing(figure, &sample), Standing::Held);
        assert_ne!(standing(figure, &fewer), Standing::Held);
    }
    // A number of users is not a rate.
    let mut closed = sample.clone();
    let phase = &mut closed.record.phases[0];
    (phase.users, phase.rate_per_s) = (phase.rate_per_s, None);
    assert_ne!(standing(Figure::Requests, &closed), Standing::Held);
    // Failures are not edges.
    let failing = sample.failing(0.01);
    assert_eq!(standing(Figure::Requests, &failing), Standing::Held);
    assert_ne!(standing(Figure::Successes, &failing), Standing::Held);
}

/// The seconds of the router's decisions.
fn decisions(p50_ms: f64) -> ThresholdSeries {
    let of = |value: f64| vec![Some(value); 60];
    ThresholdSeries {
        metric: "router_decision_ms".to_owned(),
        seconds: [("p(50)", p50_ms), ("p(95)", 70.0), ("p(99)", 90.0)]
            .map(|(name, value)| (name.to_owned(), of(value)))
            .into(),
        ..ThresholdSeries::default()
    }
}

/// AIA-07, AIA-10, AIA-44: an API within its own row raises no alert; the bounds of the alerts are those of
/// the router.
#[test]
fn alerts_of_latency_watch_the_router() {
    let mut sample = Sample::of("aiaas", "load").latency(90.0);
    let latency = ["latency_p50_high", "latency_p95_high", "latency_p99_high"];
    for (p50_ms, expected) in [
        (Some(12.0), [Standing::Held; 3]),
        (
            Some(61.2),
            [Standing::Crossed, Standing::Held, Standing::Held],
        ),
        (None, [Standing::NoData; 3]),
    ] {
        sample.record.asked = p50_ms.map(decisions).into_iter().collect();
        let record = sample.judged();
        let found = latency.map(|kind| judgement(&record, &format!("alert.{kind}")).standing);
        assert_eq!(found, expected, "{p50_ms:?}");
        assert_eq!(
            judgement(&record, "slo.api.p50@steady").standing,
            Standing::Held
        );
    }
}

/// AIA-44, AIA-45: raised, resolved, judged.
#[test]
fn alerts_are_events_and_cross() {
    let mut sample = Sample::of("aiaas", "load");
    sample.record.asked = vec![decisions(61.2)];
    let record = sample.judged();
    let alert = judgement(&record, "alert.latency_p50_high");
    assert_eq!(
        (alert.standing, alert.measured),
        (Standing::Crossed, Some(61.2))
    );
    assert_eq!(
        judgement(&record, "alert.latency_p95_high").standing,
        Standing::Held
    );
    assert_eq!(
        judgement(&record, "alert.cpu_usage_high").standing,
        Standing::NoData
    );
    let events: Vec<&Event> = record
        .observed
        .events
        .iter()
        .filter(|it| it.kind == EventKind::Alert)
        .collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text, "p50 latency 61.20ms exceeds 50ms threshold");
    assert_eq!(record.analysis["alerts"][0]["severity"], "warning");
}

/// AIA-10: the service-level row of the API, on both sides.
#[test]
fn service_levels_are_judged() {
    let of = |ms| {
        let record = Sample::of("aiaas", "load").latency(ms).judged();
        let standing = |ending| judgement(&record, ending).standing;
        [
            standing("slo.api.p50@steady"),
            standing("slo.api.p95@steady"),
            standing("slo.api.p99@steady"),
        ]
    };
    use Standing::{Crossed, Held};
    assert_eq!(of(99.0), [Held, Held, Held]);
    assert_eq!(of(100.0), [Crossed, Held, Held]);
    assert_eq!(of(500.0), [Crossed, Crossed, Held]);
    assert_eq!(of(1000.0), [Crossed, Crossed, Crossed]);
}

/// AIA-07..09, AIA-11..13: each component's row, both sides of each bound.
#[test]
fn components_are_judged_by_their_trends() {
    let rows = [
        ("router", "router_decision_ms", [50.0, 100.0, 200.0]),
        ("tool", "tool_execution_ms", [500.0, 1000.0, 2000.0]),
        (
            "workflow",
            "workflow_execution_ms",
            [2000.0, 5000.0, 10_000.0],
        ),
        ("hub", "websocket_message_ms", [10.0, 50.0, 100.0]),
        ("database", "database_query_ms", [10.0, 50.0, 100.0]),
        ("cache", "cache_access_ms", [1.0, 5.0, 10.0]),
    ];
    for (component, metric, bounds) in rows {
        for (place, bound) in bounds.into_iter().enumerate() {
            for (value, expected) in [
                (bound * 0.999, Standing::Held),
                (bound, Standing::Crossed),
                (bound * 1.001, Standing::Crossed),
            ] {
                let asked = Judge {
                    slo: vec![component.to_owned()],
                    ..Judge::default()
                };
                let record = Sample::of("aiaas", "smoke")
                    .asking(asked)
                    .trend(metric, value)
                    .judged();
                let name = format!("slo.{component}.{}", ["p50", "p95", "p99"][place]);
                assert_eq!(
                    judgement(&record, &name).standing,
                    expected,
                    "{name} {value}"
                );
            }
        }
    }
}

/// AIA-07..09, AIA-11..13: the share of each component's visits that has to succeed.
#[test]
fn components_are_judged_by_the_share_of_their_visits_that_succeed() {
    let rows = [
        ("router", 0.999),
        ("tool", 0.995),
        ("workflow", 0.99),
        ("hub", 0.999),
        ("database", 0.999),
        ("cache", 0.999),
    ];
    for (component, success) in rows {
        let standing = |failed: u64, all: u64| {
            let visits = [(component.to_owned(), [all - failed, failed])];
            let visits = visits.into_iter().collect();
            let asked = Judge {
                slo: vec![component.to_owned()],
                ..Judge::default()
            };
            let known = Known {
                visits: Some(&visits),
                ..Known::default()
            };
            let record = Sample::of("aiaas", "smoke")
                .asking(asked)
                .judged_with(known);
            judgement(&record, &format!("slo.{component}.success")).standing
        };
        let most = (1.0 - success) * 1e6;
        assert_eq!(
            standing((most * 0.9) as u64, 1_000_000),
            Standing::Held,
            "{component}"
        );
        assert_eq!(
            standing((most * 1.1) as u64, 1_000_000),
            Standing::Crossed,
            "{component}"
        );
        assert_eq!(standing(0, 20), Standing::Inconclusive, "{component}");
    }
}

/// Keptn's relative bounds.
#[test]
fn relative_bounds_need_a_run_before() {
    let asked = Judge {
        relative: [("p95_ms".to_owned(), "<=+10%".to_owned())]
            .into_iter()
            .collect(),
        ..Judge::default()
    };
    let before = graded().latency(100.0).record;
    let standing = |ms, previous| {
        let sample = graded().latency(ms).asking(asked.clone());
        let known = Known {
            previous,
            ..Known::default()
        };
        judgement(&sample.judged_with(known), "relative.p95_ms@steady").standing
    };
    assert_eq!(standing(110.0, Some(&before)), Standing::Held);
    assert_eq!(standing(110.1, Some(&before)), Standing::Crossed);
    assert_eq!(standing(110.0, None), Standing::Reported);
}

/// ACIS-24, ACSO-31: a spike, and how long its effect lasts after the load has ended.
#[test]
fn recovery_is_timed_from_the_end_of_the_highest_load() {
    let of = |slow_until: u64| {
        let mut sample = Sample::of("acis", "spike");
        let named = |name: &str, begin: f64, end: f64, users| {
            let mut phase = phase(name, users, 100.0, 50.0);
            (phase.begin_s, phase.end_s) = (begin, end);
            phase
        };
        let phases = [
            ("before", 0.0, 100.0, 50.0),
            ("peak", 100.0, 200.0, 500.0),
            ("recovered", 200.0, 300.0, 50.0),
        ];
        sample.record.phases = phases
            .map(|(name, begin, end, users)| named(name, begin, end, users))
            .into();
        sample.record.seconds = (0..300)
            .map(|at| {
                let ms = if (100..200 + slow_until).contains(&at) {
                    9000.0
                } else {
                    50.0
                };
                Second {
                    at_s: at as f64,
                    requests: 100,
                    mean_ms: Some(ms),
                    p95_ms: Some(ms),
                    ..Second::default()
                }
            })
            .collect();
        let record = sample.judged();
        let found = judgement(&record, "recovery.within").clone();
        (found.standing, found.measured)
    };
    assert_eq!(of(0), (Standing::Held, Some(0.0)));
    assert_eq!(of(60), (Standing::Held, Some(60.0)));
    assert_eq!(of(61), (Standing::Crossed, Some(61.0)));
    assert_eq!(of(100), (Standing::Crossed, None));
}

/// A360-02, ACSO-31: if only a rest follows the highest load, its probes show the recovery.
#[test]
fn recovery_in_a_rest_is_that_of_its_probes() {
    let of = |slow_for: Option<u64>, rest_s: u64| {
        let mut sample = Sample::of("agent360", "stress");
        let mut peak = phase("steady 2", 50.0, 100.0, 5000.0);
        (peak.begin_s, peak.end_s) = (0.0, 100.5);
        let mut rest = phase("rest 3", 0.0, 0.0, 0.0);
        (rest.begin_s, rest.end_s, rest.judged) = (100.5, 100.5 + rest_s as f64, false);
        sample.record.phases = vec![peak, rest];
        let second = |at: u64, requests, ms| Second {
            at_s: at as f64,
            requests,
            mean_ms: Some(ms),
            p95_ms: Some(ms),
            ..Second::default()
        };
        sample.record.seconds = (0..161)
            .map(|at| second(at, if at > 100 { 0 } else { 100 }, 5000.0))
            .collect();
        let probes = slow_for.into_iter().flat_map(|slow_for| {
            (100..101 + rest_s).map(move |at| {
                let is_slow = at - 100 < slow_for;
                second(at, 3, if is_slow { 5000.0 } else { 40.0 })
            })
        });
        sample.record.probes = probes.collect();
        let record = sample.judged();
        let found = judgement(&record, "named.recovery").clone();
        (found.standing, found.measured)
    };
    assert_eq!(of(Some(0), 60), (Standing::Held, Some(0.0)));
    assert_eq!(of(Some(20), 60), (Standing::Held, Some(19.5)));
    assert_eq!(of(Some(100), 60), (Standing::Crossed, None));
    assert_eq!(of(None, 60), (Standing::NoData, None));
    // A rest that a time scale has shortened to three seconds is over before a healthy system has restarted.
    assert_eq!(of(Some(100), 3), (Standing::Inconclusive, None));
    assert_eq!(of(Some(0), 3), (Standing::Held, Some(0.0)));
}
