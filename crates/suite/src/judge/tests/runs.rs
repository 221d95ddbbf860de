//! Whole runs, and properties of any record.

use proptest::prelude::*;
use report::record::{Outcome, Standing, TestRecord};
use serde_json::json;

use super::super::judge_run;
use super::super::sample::{Sample, phase};
use super::{graded, judgement};

fn run(tests: Vec<TestRecord>) -> report::record::RunRecord {
    report::record::RunRecord {
        schema: report::record::SCHEMA,
        run: "run".to_owned(),
        suite: "acis".to_owned(),
        began: String::new(),
        duration_s: 60.0,
        complete: true,
        incomplete_because: None,
        not_run: Vec::new(),
        outcome: Outcome::Passed,
        time_scale: 1.0,
        seed: None,
        plan_hash: String::new(),
        evidence: indexmap::IndexMap::new(),
        percentile_method: String::new(),
        target: report::record::Target {
            name: "acis".to_owned(),
            base_url: String::new(),
            simulated: true,
            revision: None,
        },
        generator: report::record::Generator {
            name: String::new(),
            version: String::new(),
            cpu_model: None,
            cores: None,
            memory_bytes: None,
            kernel: None,
        },
        environment: indexmap::IndexMap::new(),
        tests,
    }
}

#[test]
fn a_run_is_as_good_as_its_worst_test() {
    let of = |tests: Vec<TestRecord>| {
        let mut run = run(tests);
        judge_run(&mut run);
        run.outcome
    };
    let (good, slow) = (graded().judged(), graded().latency(9000.0).judged());
    assert_eq!(of(vec![good.clone()]), Outcome::Passed);
    assert_eq!(of(vec![good, slow]), Outcome::ThresholdsCrossed);
    assert_eq!(of(Vec::new()), Outcome::Untrusted);
}

#[test]
fn the_verdict_names_the_tests_that_did_not_run_and_the_outcome_of_the_run() {
    let mut interrupted = run(vec![graded().judged()]);
    let whole = crate::run::verdict_text(&interrupted);
    assert!(
        !whole.contains("NOT RUN") && !whole.contains("the whole run"),
        "{whole}"
    );
    interrupted.complete = false;
    interrupted.outcome = Outcome::Interrupted;
    interrupted.incomplete_because = Some("interrupted".to_owned());
    interrupted.not_run = vec!["soak".to_owned(), "spike/up".to_owned()];
    judge_run(&mut interrupted);
    let text = crate::run::verdict_text(&interrupted);
    for line in [
        "verdict: NOT RUN  soak\n",
        "verdict: NOT RUN  spike/up\n",
        "verdict: INTERRUPTED  the whole run\n",
        "incomplete: interrupted\n",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
}

/// ACSO-38: instances against throughput; ACSO-58: the headroom over `load`.
#[test]
fn scaling_and_headroom_span_tests() {
    let cell = |instances: u64, rate: f64| {
        let mut sample = Sample::of("acis", "scalability");
        sample.record.cell = [("model.instances".to_owned(), json!(instances))]
            .into_iter()
            .collect();
        let mut passing = phase("step", rate, rate, 50.0);
        (passing.users, passing.rate_per_s) = (None, Some(rate));
        let mut failing = phase("next", rate * 1.05, rate, 9000.0);
        (failing.users, failing.rate_per_s) = (None, Some(rate * 1.05));
        sample.record.phases = vec![passing, failing];
        sample.judged()
    };
    let mut all = run(vec![
        graded().judged(),
        cell(1, 200.0),
        cell(2, 390.0),
        cell(4, 700.0),
    ]);
    judge_run(&mut all);
    let last = &all.tests[3];
    let scaling = judgement(last, "named.scaling");
    assert_eq!(scaling.standing, Standing::Held, "{}", scaling.asked);
    assert_eq!(scaling.measured, Some(0.875));
    assert_eq!(last.analysis["scaling"]["at_least_0_8"], true);
    assert_eq!(all.outcome, Outcome::Passed, "{:?}", last.reasons);
    assert!(last.analysis.contains_key("kpis"));
    let again = all.clone();
    judge_run(&mut all);
    assert_eq!(again, all, "judging again changes nothing");
}

/// AIA-38, AIA-39: 0.8 n, on both sides.
#[test]
fn instances_of_the_platform_scale_by_four_fifths() {
    let of = |second: f64| {
        let cell = |instances: u64, rate: f64| {
            let mut sample = Sample::of("aiaas", "scalability");
            sample.record.cell = [("router.instances".to_owned(), json!(instances))]
                .into_iter()
                .collect();
            let mut passing = phase("step", rate, rate, 50.0);
            (passing.users, passing.rate_per_s) = (None, Some(rate));
            let mut failing = phase("next", rate * 1.05, rate, 9000.0);
            (failing.users, failing.rate_per_s) = (None, Some(rate * 1.05));
            sample.record.phases = vec![passing, failing];
            sample.judged()
        };
        let mut all = run(vec![cell(1, 1000.0), cell(2, second)]);
        all.suite = "aiaas".to_owned();
        judge_run(&mut all);
        let row = judgement(&all.tests[1], ".row.scaling").standing;
        (row, all.outcome)
    };
    assert_eq!(of(1600.0), (Standing::Held, Outcome::Passed));
    assert_eq!(of(1590.0), (Standing::Crossed, Outcome::ThresholdsCrossed));
}

fn worse(one: Outcome, other: Outcome) -> bool {
    one.worst(other) == other
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// More failures never make an outcome better.
    #[test]
    fn failures_never_improve_an_outcome(
        few in 0.0..0.5_f64, more in 0.0..0.5_f64, rate in 0.2..300.0_f64, ms in 1.0..20_000.0_f64,
    ) {
        let of = |share: f64| Sample::of("acis", "load").rate(rate).latency(ms).failing(share).judged().outcome;
        let (before, after) = (of(few), of((few + more).min(1.0)));
        prop_assert!(worse(before, after), "{before:?} became {after:?}");
    }

    /// Slower responses do not either.
    #[test]
    fn slowness_never_improves_an_outcome(ms in 1.0..20_000.0_f64, factor in 1.0..5.0_f64, rate in 0.2..300.0_f64) {
        let of = |ms: f64| Sample::of("aiaas", "load").rate(rate).latency(ms).judged().outcome;
        let (before, after) = (of(ms), of(ms * factor));
        prop_assert!(worse(before, after), "{before:?} became {after:?}");
    }
}
