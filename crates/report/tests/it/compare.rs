//! Two runs compared.

use report::compare::{Change, Options, Summary, compare, json, markdown, pull_request, summaries};
use report::record::{Conclusion, LedgerEntry, PhaseKind, Second};
use report::{Outcome, RunRecord, TestRecord};
use serde_json::json;

use report::testing::{self, Draws};

/// Pairs of runs with separate seeds, in the two calibrations.
const RUNS: u64 = 1000;

/// Standard normal, by twelve uniform draws.
fn normal(draws: &mut Draws) -> f64 {
    (0..12).map(|_| draws.uniform()).sum::<f64>() - 6.0
}

/// A steady test of this length whose latency is `slower` times 100 ms, with this coefficient of variation.
fn steady(seed: u64, seconds: u32, (slower, cv): (f64, f64)) -> TestRecord {
    let mut draws = Draws::new(seed);
    let mut test = testing::test("load", f64::from(seconds));
    test.seconds = (0..seconds)
        .map(|at| {
            let mut near = |centre: f64| centre * (1.0 + cv * normal(&mut draws)).max(0.05);
            Second {
                at_s: f64::from(at),
                users: Some(50.0),
                requests: near(200.0).round() as u64,
                p50_ms: Some(near(100.0 * slower)),
                p95_ms: Some(near(180.0 * slower)),
                p99_ms: Some(near(260.0 * slower)),
                ..Second::default()
            }
        })
        .collect();
    testing::settle(&mut test, (20.0 * slower, 80.0 * slower));
    test.phases = vec![testing::phase(
        "steady",
        PhaseKind::Steady,
        (0.0, f64::from(seconds)),
        50.0,
    )];
    test
}

fn run(test: TestRecord) -> RunRecord {
    testing::run(vec![test])
}

fn outcome(a: &RunRecord, b: &RunRecord) -> Outcome {
    compare(a, b, &Options::default())
        .expect("the same testbed")
        .outcome
}

/// ACSO-55: a regression against the baseline is detected.
#[test]
fn half_as_slow_again_is_a_regression_and_the_reverse_is_none() {
    let fast = run(steady(1, 300, (1.0, 0.1)));
    let slow = run(steady(2, 300, (1.5, 0.1)));
    assert_eq!(outcome(&fast, &slow), Outcome::Regression);
    assert_eq!(outcome(&slow, &fast), Outcome::Passed);
    assert_eq!(
        outcome(&fast, &run(steady(3, 300, (1.0, 0.1)))),
        Outcome::Passed
    );
}

#[test]
fn a_sure_change_below_the_rule_is_worse_and_not_a_regression() {
    let before = run(steady(1, 600, (1.0, 0.05)));
    let after = run(steady(2, 600, (1.1, 0.05)));
    let found = compare(&before, &after, &Options::default()).expect("the same testbed");
    let p50 = found.tests[0]
        .lines
        .iter()
        .find(|line| line.figure == "p50")
        .expect("it is compared");
    assert_eq!(p50.change, Change::Worse, "{p50:?}");
    assert_eq!(found.outcome, Outcome::Passed);
}

#[test]
fn identical_noisy_runs_that_are_too_short_never_say_no_regression() {
    let short = |seed| run(steady(seed, 5, (1.0, 0.3)));
    let found = compare(&short(1), &short(2), &Options::default()).expect("the same testbed");
    assert_eq!(found.outcome, Outcome::Inconclusive);
    let lines = &found.tests[0].lines;
    let p50 = lines
        .iter()
        .find(|line| line.figure == "p50")
        .expect("it is compared");
    assert_eq!(p50.change, Change::Inconclusive);
    assert!(
        p50.minimal_detectable.is_none_or(|mde| mde > 0.2),
        "{p50:?}"
    );

    let long = |seed| run(steady(seed, 100, (1.0, 0.3)));
    let found = compare(&long(1), &long(2), &Options::default()).expect("the same testbed");
    let lines = &found.tests[0].lines;
    let p50 = lines
        .iter()
        .find(|line| line.figure == "p50")
        .expect("it is compared");
    let mde = p50.minimal_detectable.expect("a hundred values bound it");
    assert!((0.08..0.2).contains(&mde), "{mde}");
}

#[test]
fn a_run_against_its_like_is_a_regression_in_at_most_five_of_a_hundred() {
    let regressions = (0..RUNS)
        .filter(|seed| {
            let (a, b) = (
                steady(2 * seed + 1, 120, (1.0, 0.3)),
                steady(2 * seed + 2, 120, (1.0, 0.3)),
            );
            outcome(&run(a), &run(b)) == Outcome::Regression
        })
        .count();
    eprintln!("A against A: {regressions} of {RUNS} are regressions");
    assert!(
        20 * regressions as u64 <= RUNS,
        "{regressions} of {RUNS}, seeds 1 to 2 x {RUNS}"
    );
}

#[test]
fn a_slow_down_by_a_fifth_is_found_in_95_of_100_where_it_could_be_seen() {
    let (mut could, mut found) = (0, 0);
    for seed in 0..RUNS {
        let (a, b) = (
            steady(2 * seed + 1, 120, (1.0, 0.1)),
            steady(2 * seed + 2, 120, (1.2, 0.1)),
        );
        let compared = compare(&run(a), &run(b), &Options::default()).expect("the same testbed");
        let lines = &compared.tests[0].lines;
        let p50 = lines
            .iter()
            .find(|line| line.figure == "p50")
            .expect("it is compared");
        if p50.minimal_detectable.is_some_and(|mde| mde <= 0.2) {
            could += 1;
            found += u32::from(p50.change == Change::Regression);
        }
    }
    eprintln!("20 % slower: found in {found} of {could} that could show it");
    assert!(10 * could >= 9 * RUNS, "{could} of {RUNS}");
    assert!(
        f64::from(found) >= 0.95 * could as f64,
        "{found} of {could}, seeds 1 to 2 x {RUNS}"
    );
}

/// Kayenta's judge on the same values: of four figures, the throughput of a slower system does not change.
#[test]
fn the_canary_score_is_the_share_of_figures_that_pass() {
    let check = |slower: f64, classes: [&str; 4], score: f64| {
        let (a, b) = (steady(1, 300, (1.0, 0.1)), steady(2, 300, (slower, 0.1)));
        let found = compare(&run(a), &run(b), &Options::default()).expect("the same testbed");
        let value = json(&found);
        let figures = value["tests"][0]["figures"].as_array().expect("figures");
        let found_classes: Vec<&str> = figures
            .iter()
            .filter_map(|it| it["canary"].as_str())
            .collect();
        assert_eq!(found_classes, classes);
        assert_eq!(value["canary_score"], score);
        assert!(markdown(&found).contains(&format!("Canary score: {score} of 100")));
    };
    check(1.0, ["pass"; 4], 100.0);
    check(1.5, ["pass", "high", "high", "high"], 25.0);
    // Faster is not a deterioration.
    check(0.7, ["pass"; 4], 100.0);
}

#[test]
fn one_slow_endpoint_among_many_is_named_and_chance_is_not() {
    let before = run(steady(1, 300, (1.0, 0.05)));
    let mut after = before.clone();
    let slow = &mut after.tests[0].endpoints[2];
    slow.figures.latency = Some(testing::latency(60.0, 250.0, slow.figures.requests));
    let found = compare(&before, &after, &Options::default()).expect("the same testbed");
    assert_eq!(found.outcome, Outcome::Regression);
    let changes: Vec<(&str, Change)> = found.tests[0]
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.name.as_str(), endpoint.line.change))
        .collect();
    assert_eq!(
        changes,
        [
            ("/api/clients", Change::NoRegression),
            ("/api/ml/predict", Change::NoRegression),
            ("/api/trading/execute", Change::Regression)
        ]
    );
}

#[test]
fn more_errors_are_a_regression_from_a_percentage_point_on() {
    let check = |failures: u64, expected: Outcome| {
        let before = run(steady(1, 300, (1.0, 0.05)));
        let mut after = before.clone();
        after.tests[0].figures.failures = failures;
        assert_eq!(
            outcome(&before, &after),
            expected,
            "{failures} of {}",
            after.tests[0].figures.requests
        );
    };
    check(0, Outcome::Passed);
    check(60, Outcome::Passed);
    check(3000, Outcome::Regression);
}

#[test]
fn another_testbed_is_refused_with_the_reason_unless_forced() {
    let before = run(steady(1, 300, (1.0, 0.05)));
    let mut after = before.clone();
    after.generator.cores = Some(8);
    after.target.revision = Some("8".to_owned());
    let refused = compare(&before, &after, &Options::default()).expect_err("other cores");
    assert_eq!(
        refused.to_string(),
        "the runs cannot be compared: cores: 2 against 8; use --force to compare them anyway"
    );
    let forced = Options {
        force: true,
        ..Options::default()
    };
    let found = compare(&before, &after, &forced).expect("it is forced");
    assert_eq!(
        found.notes[0],
        "Compared despite a difference: cores: 2 against 8."
    );
    assert_eq!(found.notes[1], "Revision of the target: 7, then 8.");
}

#[test]
fn a_measurement_that_is_not_valid_does_not_show_that_nothing_is_worse() {
    let before = run(steady(1, 300, (1.0, 0.05)));
    let mut after = before.clone();
    after.tests[0].ledger = vec![LedgerEntry {
        what: "generator_cpu".to_owned(),
        conclusion: Conclusion::Invalid,
        text: "The generator had no processor left.".to_owned(),
    }];
    assert_eq!(outcome(&before, &after), Outcome::Inconclusive);
    after.tests[0].name = "other".to_owned();
    after.tests[0].ledger.clear();
    let found = compare(&before, &after, &Options::default()).expect("the same testbed");
    assert_eq!(found.outcome, Outcome::Inconclusive, "nothing in common");
    assert_eq!(
        found.notes,
        [
            "load ran in the baseline only.",
            "other ran in the candidate only."
        ]
    );
}

#[test]
fn texts_say_what_changed_and_are_safe() {
    let before = run(steady(1, 300, (1.0, 0.1)));
    let mut after = run(steady(2, 300, (1.5, 0.1)));
    after.run = "`<b>`run".to_owned();
    after.tests[0].endpoints[0].name = before.tests[0].endpoints[0].name.clone();
    let found = compare(&before, &after, &Options::default()).expect("the same testbed");
    let text = markdown(&found);
    assert!(
        text.starts_with("# ✕ Regression\n\n`'<b>'run` compared"),
        "{text}"
    );
    assert!(text.contains("| p50 | ✕ regression |"), "{text}");
    assert!(text.contains("Mann-Whitney"), "{text}");
    let comment = pull_request(&found);
    assert!(
        comment.starts_with("<!-- sparring compare -->\n### ✕ Regression"),
        "{comment}"
    );
    assert!(
        comment.contains("<details><summary>load</summary>"),
        "{comment}"
    );
    assert!(comment.contains("**✕ regression** load p50: "), "{comment}");
    let value = json(&found);
    assert_eq!(value["outcome"], "regression");
    assert_eq!(value["exit_code"], 3);
    assert_eq!(value["percentile_method"], "rank");
    assert!(
        text.contains("Percentiles of each second: rank (Hyndman-Fan type 1)"),
        "{text}"
    );
    assert_eq!(value["tests"][0]["figures"][1]["figure"], "p50");
    assert_eq!(value["tests"][0]["figures"][1]["change"], "regression");
}

/// ACSO-54: a summary that another tool has written is compared, too.
#[test]
fn summaries_have_the_rule_alone() {
    let acso = |seconds: f64, throughput: f64| {
        Summary::of_json(&json!({ "summary": {
            "avg_throughput": throughput, "avg_response_time": seconds, "p95_response_time": 2.0 * seconds,
            "success_rate": 99.0 } }))
        .expect("a summary of ACSO")
    };
    let check = |a: Summary, b: Summary, expected: Outcome| {
        let found = summaries(&a, &b, 0.2);
        assert_eq!(found.outcome, expected, "{found:?}");
    };
    check(acso(1.0, 50.0), acso(1.19, 41.0), Outcome::Passed);
    check(acso(1.0, 50.0), acso(1.21, 50.0), Outcome::Regression);
    check(acso(1.0, 50.0), acso(1.0, 39.0), Outcome::Regression);
    check(acso(1.0, 50.0), Summary::default(), Outcome::Inconclusive);
    assert_eq!(Summary::of_json(&json!({ "other": 1 })), None);
    let run = run(steady(1, 30, (1.0, 0.1)));
    let baseline = serde_json::to_value(report::view::baseline(&run)).expect("a baseline is JSON");
    assert_eq!(Summary::of_json(&baseline), Some(Summary::of_run(&run)));
}
