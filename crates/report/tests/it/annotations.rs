//! A run as annotations of Grafana.

use report::annotations::{all, of_test};

use report::testing;

#[test]
fn faults_are_regions_between_injection_and_end_and_a_verdict_has_its_reasons() {
    let mut run = testing::run(vec![testing::load(), testing::drill()]);
    run.tests[1].begin_s = 600.0;
    // 2026-08-14T09:30:00Z.
    let began = 1_786_699_800_000;
    let of_drill = of_test(&run, &run.tests[1]);
    let fault = of_drill
        .iter()
        .find(|it| it.tags[1] == "fault")
        .expect("one");
    assert_eq!(
        (fault.time, fault.time_end),
        (began + 620_000, Some(began + 640_000))
    );
    assert_eq!(
        fault.text,
        "fault-tolerance/slow-database: fault database × 10"
    );
    assert_eq!(
        fault.tags,
        [
            "sparring",
            "fault",
            "suite:acis",
            "run:2026-08-14T09-30-00Z-acis",
            "test:fault-tolerance/slow-database"
        ]
    );
    let whole = all(&run);
    let verdict = whole
        .iter()
        .find(|it| it.tags[1] == "verdict")
        .expect("one");
    assert_eq!(verdict.time, began + 600_000);
    assert!(
        verdict.text.starts_with("load: FAILED\np99 of 319 ms"),
        "{}",
        verdict.text
    );
    let json = serde_json::to_value(verdict).expect("JSON");
    assert!(json.get("timeEnd").is_none() && json["time"].is_i64());
    let last = whole.last().expect("that of the run");
    assert_eq!((last.time, last.time_end), (began, Some(began + 690_000)));
}
