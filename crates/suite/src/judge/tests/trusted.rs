//! Whether the measurement can be trusted.

use report::record::{Conclusion, Outcome, ResourceSample, TestRecord};

use super::super::sample::{SECONDS, Sample};
use super::graded;

/// N-05, G-12: a starved generator never passes.
#[test]
fn a_starved_generator_is_untrusted() {
    let check = |ratio, conclusion, outcome| {
        let mut sample = graded();
        sample.record.observed.generator = (0..SECONDS)
            .map(|at| ResourceSample {
                at_s: at as f64,
                cpu_ratio: Some(ratio),
                ..ResourceSample::default()
            })
            .collect();
        let record = sample.judged();
        let entry = record
            .ledger
            .iter()
            .find(|it| it.what == "generator_cpu")
            .expect("an entry");
        assert_eq!(
            (entry.conclusion, record.outcome),
            (conclusion, outcome),
            "{ratio}"
        );
    };
    check(0.5, Conclusion::Valid, Outcome::Passed);
    check(0.85, Conclusion::Suspect, Outcome::Passed);
    check(0.9, Conclusion::Suspect, Outcome::Passed);
    check(0.91, Conclusion::Invalid, Outcome::Untrusted);
}

#[test]
fn other_signs_of_a_bad_measurement_are_in_the_ledger() {
    let check = |what: &str, conclusion, change: &dyn Fn(&mut TestRecord)| {
        let mut sample = graded();
        change(&mut sample.record);
        let record = sample.judged();
        let entry = record
            .ledger
            .iter()
            .find(|it| it.what == what)
            .expect("an entry");
        assert_eq!(entry.conclusion, conclusion, "{what}: {}", entry.text);
        let untrusted = conclusion == Conclusion::Invalid;
        assert_eq!(record.outcome == Outcome::Untrusted, untrusted, "{what}");
    };
    let other = |name: &'static str, value: f64| {
        move |record: &mut TestRecord| {
            let sample = ResourceSample {
                other: [(name.to_owned(), value)].into(),
                ..ResourceSample::default()
            };
            record.observed.generator.push(sample);
        }
    };
    check("lateness", Conclusion::Valid, &other("lateness_ms", 2.0));
    check("lateness", Conclusion::Suspect, &other("lateness_ms", 50.0));
    check(
        "lateness",
        Conclusion::Invalid,
        &other("lateness_ms", 500.0),
    );
    check(
        "dropped_samples",
        Conclusion::Valid,
        &other("dropped_samples", 0.0),
    );
    check(
        "dropped_samples",
        Conclusion::Invalid,
        &other("dropped_samples", 1.0),
    );
    check("clock", Conclusion::Suspect, &other("clock_step_s", -3.0));
    check("ports", Conclusion::Invalid, &other("ports_ratio", 0.97));
    let degraded = |share: u64| {
        move |record: &mut TestRecord| {
            record.observed.simulator = (0..100)
                .map(|at| ResourceSample {
                    other: [("degraded".to_owned(), f64::from(u8::from(at < share)))].into(),
                    ..ResourceSample::default()
                })
                .collect();
        }
    };
    check("simulator", Conclusion::Valid, &degraded(0));
    check("simulator", Conclusion::Suspect, &degraded(1));
    check("simulator", Conclusion::Suspect, &degraded(100));
    // S-16: 100 samples of ten responses each.
    let late = |name: &'static str, answers: f64| {
        move |record: &mut TestRecord| {
            degraded(100)(record);
            for sample in &mut record.observed.simulator {
                sample.other.insert("answers".to_owned(), 10.0);
            }
            let first = &mut record.observed.simulator[0].other;
            first.insert(name.to_owned(), answers);
        }
    };
    let simulator = |conclusion, change: &dyn Fn(&mut TestRecord)| {
        check("simulator", conclusion, change);
    };
    simulator(Conclusion::Suspect, &late("very_late_answers", 10.0));
    simulator(Conclusion::Invalid, &late("very_late_answers", 11.0));
    simulator(Conclusion::Suspect, &late("late_answers", 900.0));
    simulator(Conclusion::Invalid, &|record| {
        late("late_answers", 900.0)(record);
        let latency = record.phases[0].figures.latency.as_mut();
        *latency.expect("a latency") = super::super::sample::latency(60_000.0);
    });
}

/// N-05, S-16: the 99th percentile of planned starts; without planned starts, how long the threads stalled.
#[test]
fn lateness_is_judged_by_how_many_were_late() {
    let check = |what: &str, counts: [f64; 3], conclusion| {
        let mut sample = graded();
        let names = [
            what.to_owned(),
            format!("late_{what}"),
            format!("very_late_{what}"),
        ];
        let mut other: std::collections::BTreeMap<String, f64> =
            names.into_iter().zip(counts).collect();
        other.insert("lateness_ms".to_owned(), 700.0);
        let half = ResourceSample {
            other,
            ..ResourceSample::default()
        };
        sample.record.observed.generator = vec![half.clone(), half];
        let record = sample.judged();
        let entry = record
            .ledger
            .iter()
            .find(|it| it.what == "lateness")
            .expect("an entry");
        assert_eq!(entry.conclusion, conclusion, "{}", entry.text);
        assert!(
            entry.text.contains("the latest by 700 ms"),
            "{}",
            entry.text
        );
        let untrusted = conclusion == Conclusion::Invalid;
        assert_eq!(record.outcome == Outcome::Untrusted, untrusted, "{what}");
    };
    check("starts", [1000.0, 1.0, 1.0], Conclusion::Valid);
    check("starts", [1000.0, 2.0, 2.0], Conclusion::Suspect);
    check("starts", [1000.0, 10.0, 10.0], Conclusion::Suspect);
    check("starts", [1000.0, 11.0, 0.0], Conclusion::Invalid);
    check("looks", [100.0, 10.0, 10.0], Conclusion::Valid);
    check("looks", [100.0, 11.0, 2.0], Conclusion::Suspect);
    check("looks", [100.0, 50.0, 11.0], Conclusion::Invalid);
}

#[test]
fn an_open_test_that_dropped_iterations_is_untrusted() {
    let check = |dropped: u64, conclusion| {
        let mut sample = Sample::of("acis", "benchmark");
        sample.record.seconds[0].dropped_iterations = dropped;
        let record = sample.judged();
        let entry = record
            .ledger
            .iter()
            .find(|it| it.what == "send_rate")
            .expect("an entry");
        assert_eq!(entry.conclusion, conclusion, "{}", entry.text);
    };
    check(0, Conclusion::Valid);
    check(20, Conclusion::Suspect);
    check(200, Conclusion::Invalid);
}

#[test]
fn a_run_without_a_completed_iteration_is_untrusted() {
    let mut sample = graded();
    sample.record.k6_summary["metrics"]["iterations"]["values"]["count"] = 0.into();
    let record = sample.judged();
    assert_eq!(record.outcome, Outcome::Untrusted);
    assert_eq!(record.reasons[0], "No iteration completed.");
}
