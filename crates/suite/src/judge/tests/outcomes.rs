//! The outcome of a test.

use report::record::{Endpoint, Figures, Outcome, Standing, TestRecord};

use super::super::judge;
use super::super::sample::Sample;
use super::{graded, judgement};
use crate::file::{GradeName, Judge};

#[test]
fn a_good_run_passes_and_says_nothing_else() {
    let record = graded().judged();
    assert_eq!(record.outcome, Outcome::Passed, "{:?}", record.reasons);
    assert_eq!(record.reasons, Vec::<String>::new());
    let p95 = judgement(&record, "load.grade.p95_ms@steady");
    assert_eq!(
        (p95.standing, p95.grade.as_deref()),
        (Standing::Held, Some("target"))
    );
    assert_eq!(p95.asked, "p95_ms < 2000 ms in steady");
}

#[test]
fn a_slow_run_fails_and_says_by_what() {
    let record = graded().latency(2500.0).judged();
    assert_eq!(record.outcome, Outcome::ThresholdsCrossed);
    assert_eq!(
        judgement(&record, "avg_ms@steady").grade.as_deref(),
        Some("poor")
    );
    assert!(
        record.reasons[0].starts_with("Crossed: avg_ms < 1000 ms in steady; measured 2500 ms"),
        "{:?}",
        record.reasons
    );
}

/// Thirty requests prove no percentile.
#[test]
fn too_few_requests_are_inconclusive() {
    let record = graded().rate(0.5).judged();
    assert_eq!(
        judgement(&record, "p99_ms@steady").standing,
        Standing::Inconclusive
    );
    assert_eq!(
        judgement(&record, "p99_ms@steady").needs_more,
        Some(368 - 30)
    );
    // The rate of 0.5/s is far below the required 50/s.
    assert_eq!(record.outcome, Outcome::ThresholdsCrossed);
    let mut sample = graded().rate(0.5);
    sample.file.grades.shift_remove(&crate::file::Grade::Rps);
    assert_eq!(sample.judged().outcome, Outcome::Inconclusive);
}

#[test]
fn no_request_is_never_passed() {
    let mut sample = graded().rate(0.0);
    sample.record.figures.latency = None;
    sample.record.phases[0].figures.latency = None;
    let record = sample.judged();
    assert!(
        record
            .judgements
            .iter()
            .all(|it| it.standing == Standing::NoData)
    );
    assert_eq!(record.outcome, Outcome::Untrusted);
    assert_eq!(record.outcome.exit_code(), 5);
}

#[test]
fn a_test_without_judgements_says_so() {
    let record = graded().asking(Judge::default()).judged();
    assert_eq!(record.outcome, Outcome::Untrusted);
    assert!(record.reasons[0].starts_with("The test has no requirements"));
}

#[test]
fn a_phase_that_was_never_reached_is_not_passed() {
    let asked = Judge {
        grades: Some(GradeName::Acceptable),
        phases: vec!["recovered".to_owned()],
        ..Judge::default()
    };
    let record = graded().asking(asked).judged();
    assert_eq!(record.outcome, Outcome::Untrusted, "{:?}", record.reasons);
}

#[test]
fn judging_again_changes_nothing() {
    let sample = Sample::of("aiaas", "load").latency(300.0).cpu(0.9);
    let mut record = sample.judged();
    let once = record.clone();
    judge(&sample.test, &sample.file, &mut record);
    assert_eq!(once, record);
    let mut ids: Vec<&String> = record.judgements.iter().map(|it| &it.id).collect();
    ids.extend(record.findings.iter().map(|it| &it.id));
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "ids are unique");
}

#[test]
fn the_runners_outcome_is_preserved() {
    let mut sample = graded();
    sample.record.outcome = Outcome::Interrupted;
    sample.record.complete = false;
    assert_eq!(sample.judged().outcome, Outcome::Interrupted);
    sample.record.outcome = Outcome::Passed;
    assert_eq!(sample.judged().outcome, Outcome::Inconclusive);
}

/// A test whose users were set by hand, or whose target ended midway, may last longer than planned.
#[test]
fn only_a_test_that_is_shorter_than_planned_ended_early() {
    let mut sample = graded();
    sample.record.complete = false;
    let phases = sample.test.phases.iter();
    let planned_s = phases.map(|it| it.end_s).reduce(f64::max).expect("phases");
    let mut says = |duration_s: f64| {
        sample.record.duration_s = duration_s;
        let reasons = sample.judged().reasons;
        reasons.iter().any(|it| it.contains("planned end"))
    };
    assert!(says(planned_s / 2.0));
    assert!(!says(planned_s + 10.0));
}

#[test]
fn requests_without_a_response_are_stated_beside_the_latencies() {
    let mut sample = graded();
    let stated = |record: &TestRecord| {
        let mut entries = record.ledger.iter();
        entries.find(|it| it.what == "without_response").cloned()
    };
    assert_eq!(stated(&sample.judged()), None);
    let mut endpoint = Endpoint {
        method: "GET".to_owned(),
        name: "/silent".to_owned(),
        class: None,
        figures: Figures {
            requests: 40,
            failures: 40,
            ..Figures::default()
        },
        statuses: Default::default(),
        errors: Vec::new(),
        error_times: Default::default(),
        seconds: Vec::new(),
    };
    endpoint.statuses.insert("0".to_owned(), 40);
    sample.record.endpoints.push(endpoint);
    sample.record.figures.requests = 100;
    let entry = stated(&sample.judged()).expect("an entry");
    assert!(
        entry
            .text
            .starts_with("40 of 100 requests (40 %) got no response"),
        "{}",
        entry.text
    );
}
