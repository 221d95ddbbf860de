//! The effects of faults on a target, and their detection.

use report::record::{Endpoint, EndpointSecond, Event, EventKind, Standing};
use serde_json::json;

use super::super::sample::Sample;
use super::judgement;

/// N-07: when clients noticed a fault, and when they had recovered.
#[test]
fn faults_are_detected_and_recovered_from() {
    let mut sample = Sample::of("acis", "fault-tolerance");
    let event = |at_s, kind| Event {
        at_s,
        kind,
        text: "slow_database".to_owned(),
        detail: json!({ "fault": "slow_database" }),
    };
    sample.record.observed.events = vec![
        event(20.0, EventKind::FaultInjected),
        event(30.0, EventKind::FaultReverted),
    ];
    for second in &mut sample.record.seconds {
        second.failures = if (22.0..32.0).contains(&second.at_s) {
            50
        } else {
            0
        };
    }
    let mut within = |seconds| {
        let mut faults = sample.test.faults.iter_mut();
        let fault = faults.find(|fault| fault.name == "slow_database");
        fault.expect("a fault of the suite").detect_within_s = Some(seconds);
        sample.judged()
    };
    let late = within(2.0);
    let standing = judgement(&late, "detection.slow_database").standing;
    assert_eq!(standing, Standing::Crossed);
    let record = within(3.0);
    let standing = judgement(&record, "detection.slow_database").standing;
    assert_eq!(standing, Standing::Held);
    let fault = &record.analysis["faults"][0];
    assert_eq!(
        (&fault["detected_after_s"], &fault["recovered_after_s"]),
        (&json!(3.0), &json!(12.0))
    );
    assert_eq!(
        judgement(&record, "recovery.slow_database").standing,
        Standing::Held
    );
    assert_eq!(
        judgement(&record, "named.detection").standing,
        Standing::Held
    );
}

/// N-07: the endpoints affected by a fault. A second in which the next fault begins does not count for the
/// previous one.
#[test]
fn a_fault_names_the_endpoints_that_it_affects() {
    let mut sample = Sample::of("acis", "fault-tolerance");
    let event = |at_s, kind, detail| Event {
        at_s,
        kind,
        text: "crashed_instance".to_owned(),
        detail,
    };
    let crash = json!({ "fault": "crashed_instance", "patch": { "crash": "api" } });
    sample.record.observed.events = vec![
        event(20.0, EventKind::FaultInjected, crash.clone()),
        event(30.0, EventKind::FaultReverted, crash),
    ];
    let affected = sample.record.endpoints[0].clone();
    let timed = |name: &str, failures| Endpoint {
        name: name.to_owned(),
        seconds: (0..60)
            .map(|at_s| EndpointSecond {
                at_s,
                requests: 50,
                failures: if at_s == 20 { failures } else { 0 },
                p50_ms: 50.0,
                p95_ms: 50.0,
                p99_ms: 50.0,
            })
            .collect(),
        ..affected.clone()
    };
    // In ten seconds of 50 requests, 5 % and 10 %: no more than one whole second.
    sample.record.endpoints = vec![timed("/sound", 25), timed("/broken", 100)];
    sample.record.seconds[20].failures = 52;
    sample.record.seconds[40].failures = 52;
    let next = json!({ "fault": "small_pool" });
    let events = &mut sample.record.observed.events;
    events.push(event(40.5, EventKind::FaultInjected, next.clone()));
    events.push(event(50.0, EventKind::FaultReverted, next));
    let record = sample.judged();
    let fault = &record.analysis["faults"][0];
    assert_eq!(fault["endpoints"], "GET /broken");
    assert_eq!(fault["failures"], 52);
    assert_eq!(fault["recovered_after_s"], 1.0);
    let next = &record.analysis["faults"][1];
    assert_eq!(next["endpoints"], "");
    assert_eq!(next["detected_after_s"], 0.5);
    assert_eq!(
        [&fault["blast_radius"], &next["blast_radius"]],
        [&json!(0.5), &json!(0.0)]
    );
    // The other endpoint is the control group; to the second fault both are.
    let controls = record.analysis["fault_controls"]
        .as_array()
        .expect("a list");
    let of = |key: &str| [&controls[0][key], &controls[1][key]];
    assert_eq!(of("endpoints"), [&json!(1), &json!(2)]);
    assert_eq!(of("bad_during"), [&json!(0.05), &json!(0.0)]);
    assert_eq!(of("id")[0], "fault-tolerance.radius.crashed_instance");
    // 50 of 500 requests, 25 of which the control group's 5 % explain.
    let beyond = of("requests_beyond_control")[0].as_f64();
    assert!(
        beyond.is_some_and(|it| (it - 25.0).abs() < 1e-6),
        "{beyond:?}"
    );
    let reached = record.analysis["blast_radius"].as_array().expect("a list");
    let [only] = reached.as_slice() else {
        panic!("one endpoint was affected: {reached:?}");
    };
    assert_eq!(only["endpoint"], "GET /broken");
    assert_eq!(
        (&only["bad_before"], &only["bad_during"]),
        (&json!(0.0), &json!(0.1))
    );
    let [from, to] = ["difference_from", "difference_to"].map(|key| only[key].as_f64());
    assert!(from > Some(0.05) && to < Some(0.15), "{only}");
    let [from, to] = ["beyond_control_from", "beyond_control_to"].map(|key| only[key].as_f64());
    assert!(from > Some(0.01) && to < Some(0.1), "{only}");
    // An endpoint that got hardly worse than the other one at the same time was not affected by the fault.
    sample.record.endpoints[0] = timed("/sound", 45);
    let record = sample.judged();
    assert_eq!(record.analysis["faults"][0]["endpoints"], "");
    assert_eq!(
        record.analysis["fault_controls"][0]["spared"],
        "GET /broken"
    );
    assert!(record.analysis.get("blast_radius").is_none());
    // Where every endpoint gets worse, none is left to be the control group.
    sample.record.endpoints[0] = timed("/sound", 50);
    let record = sample.judged();
    let control = &record.analysis["fault_controls"][0];
    assert_eq!(record.analysis["faults"][0]["blast_radius"], 1.0);
    assert_eq!(
        (&control["endpoints"], &control["requests"]),
        (&json!(0), &json!(null))
    );
}

/// One or two failures among a few requests may be chance.
#[test]
fn an_endpoint_with_few_requests_is_affected_only_beyond_chance() {
    let endpoints = |failures| {
        let mut sample = Sample::of("acis", "fault-tolerance");
        let event = |at_s, kind| Event {
            at_s,
            kind,
            text: "slow_database".to_owned(),
            detail: json!({ "fault": "slow_database" }),
        };
        sample.record.observed.events = vec![
            event(20.0, EventKind::FaultInjected),
            event(30.0, EventKind::FaultReverted),
        ];
        // Two requests before the fault, one of which fails, and ten while it lasts.
        sample.record.endpoints[0].seconds = [18, 20]
            .map(|at_s| EndpointSecond {
                at_s,
                requests: if at_s == 18 { 2 } else { 10 },
                failures: if at_s == 18 { 1 } else { failures },
                p50_ms: 50.0,
                p95_ms: 50.0,
                p99_ms: 50.0,
            })
            .into();
        sample.judged().analysis["faults"][0]["endpoints"].clone()
    };
    assert_eq!(endpoints(6), "", "six of ten after one of two");
    assert_eq!(endpoints(10), "GET /");
}

/// N-07: Litmus' score, with the weights of Harness' example.
#[test]
fn the_resilience_score_weighs_the_probes_of_each_fault() {
    let mut sample = Sample::of("acis", "fault-tolerance");
    let weights = [2.0, 4.0, 8.0];
    let failed = [4, 0, 1];
    assert!(sample.test.faults.len() >= 3, "the suite has three faults");
    sample.test.faults.truncate(3);
    let mut probed = json!({});
    for (place, fault) in sample.test.faults.iter_mut().enumerate() {
        fault.weight = Some(weights[place]);
        let at_s = 10.0 + 15.0 * place as f64;
        let event = |at_s, kind| Event {
            at_s,
            kind,
            text: fault.name.clone(),
            detail: json!({ "fault": fault.name }),
        };
        let events = &mut sample.record.observed.events;
        events.push(event(at_s, EventKind::FaultInjected));
        events.push(event(at_s + 5.0, EventKind::FaultReverted));
        probed[&fault.name] = json!({ "during": { "probes": 4, "failed": failed[place] } });
    }
    let analysis = &mut sample.record.analysis;
    analysis.insert("fault_probes".to_owned(), probed);
    let resilience = &sample.judged().analysis["resilience"];
    let score = resilience["score_percent"].as_f64().expect("a score");
    assert!((score - 1000.0 / 14.0).abs() < 1e-9, "{resilience}");
    assert_eq!(resilience["faults"][0]["probe_success_percent"], 0.0);
}

/// The requirement that a system reports a fault is met if its health or a metric shows it in time.
#[test]
fn the_system_has_to_report_a_fault_in_time() {
    let standing = |reported: Option<f64>| {
        let mut sample = Sample::of("acis", "fault-tolerance");
        let event = |at_s, kind, detail| Event {
            at_s,
            kind,
            text: "crashed_instance".to_owned(),
            detail,
        };
        let fault = json!({ "fault": "crashed_instance" });
        let of = |name: &str, at| json!({ "fault": "crashed_instance", name: at });
        sample.record.observed.events = vec![
            event(20.0, EventKind::FaultInjected, fault.clone()),
            event(30.0, EventKind::Reaction, of("reported_after_s", reported)),
            event(30.0, EventKind::FaultReverted, fault),
            event(
                31.0,
                EventKind::Reaction,
                of("recovered_after_s", Some(1.0)),
            ),
        ];
        let record = sample.judged();
        let shown = record.analysis["faults"][0]["reported_after_s"].as_f64();
        assert_eq!(shown, reported);
        judgement(&record, "monitoring.crashed_instance").standing
    };
    assert_eq!(standing(Some(1.2)), Standing::Held);
    assert_eq!(standing(Some(6.0)), Standing::Crossed);
    assert_eq!(standing(None), Standing::Crossed);
}

/// A crash of one of two instances may cost half of the requests until it is noticed, and those in flight.
#[test]
fn a_crash_has_an_expected_cost() {
    let standing = |instances: u32, failures: u64| {
        let mut sample = Sample::of("acis", "fault-tolerance");
        let crash = json!({
            "crashed": 1, "instances": instances, "in_flight": 4, "visits_per_request": 1.0, "detect_s": 1.0, "restart_s": 8.0,
        });
        let event = |at_s, kind| Event {
            at_s,
            kind,
            text: "crashed_instance".to_owned(),
            detail: json!({ "fault": "crashed_instance", "crash": crash.clone() }),
        };
        sample.record.observed.events = vec![
            event(20.0, EventKind::FaultInjected),
            event(30.0, EventKind::FaultReverted),
        ];
        for second in &mut sample.record.seconds {
            second.requests = 100;
            second.failures = if second.at_s == 20.0 { failures } else { 0 };
        }
        let record = sample.judged();
        judgement(&record, "expected.crashed_instance").standing
    };
    // 200 requests in the two affected seconds, half of them, 4 in flight, and 3 times the root of 54.
    assert_eq!(standing(2, 100 + 4 + 23), Standing::Held);
    assert_eq!(standing(2, 100 + 4 + 24), Standing::Crossed);
    // A quarter of four instances: 50 + 4 + 3 times the root of 41.5.
    assert_eq!(standing(4, 50 + 4 + 20), Standing::Held);
    assert_eq!(standing(4, 50 + 4 + 21), Standing::Crossed);
    // The only instance, until it is up again: 900 and 4, and 3 times the root of 4.
    assert_eq!(standing(1, 910), Standing::Held);
    assert_eq!(standing(1, 911), Standing::Crossed);
}
