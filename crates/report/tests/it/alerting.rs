//! Alerts from the thresholds of a run, replayed here and by promtool (N-10).
//!
//! The real promtool is used if it is on the path; `REQUIRE_PROMTOOL` makes that mandatory.

use std::path::{Path, PathBuf};
use std::process::Command;

use report::alerting::{Alert, KEY, alerts, burns, replay, rules, unit_tests};
use report::record::{
    Event, EventKind, Judgement, ResourceSample, Second, Standing, ThresholdSeries,
};
use report::verify::verify;
use report::{RunRecord, TestRecord, explain};
use serde_json::json;

use report::testing;

fn asked(kind: &str, id: &str, asked: &str, bound: f64) -> Judgement {
    let values = (0.0, [0.0, 0.0], bound);
    Judgement {
        kind: kind.to_owned(),
        phase: None,
        ..testing::judgement(id, asked, Standing::Held, values, "ms")
    }
}

/// A test whose p95 is 80 ms, and 900 ms within the given seconds.
fn slow_within(length: u32, slow: &[(u32, u32)]) -> TestRecord {
    let mut test = testing::test("load", f64::from(length));
    test.seconds = (0..length)
        .map(|at| {
            let is_slow = slow.iter().any(|(from, to)| (*from..*to).contains(&at));
            Second {
                at_s: f64::from(at),
                requests: 100,
                failures: 1,
                p95_ms: Some(if is_slow { 900.25 } else { 80.0 }),
                ..Second::default()
            }
        })
        .collect();
    test.judgements = vec![asked(
        "grade",
        "load.grade.p95_ms",
        "p95_ms < 500 ms in steady",
        500.0,
    )];
    test
}

fn fault(at_s: f64, kind: EventKind) -> Event {
    Event {
        at_s,
        kind,
        text: "The detector is slow.".to_owned(),
        detail: json!({ "fault": "slow" }),
    }
}

/// When the only alert fires and resolves.
fn fired(test: &TestRecord) -> Vec<(f64, Option<f64>)> {
    let replay = replay(test).expect("it has an alert");
    let fired = replay.alerts[0].fired.iter();
    fired.map(|one| (one.at_s, one.resolved_s)).collect()
}

/// Checks the rules and their unit tests with promtool, if there is one.
fn check_by_promtool(run: &RunRecord) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    write("alerts.rules.yml", &rules(run)).expect("it is writable");
    write("alerts.test.yml", &unit_tests(run)).expect("it is writable");
    let Some(program) = promtool() else { return };
    for words in [
        ["check", "rules", "alerts.rules.yml"],
        ["test", "rules", "alerts.test.yml"],
    ] {
        let said = promtool_says(&program, folder.path(), &words);
        assert!(said.0, "{words:?}: {}\n{}", said.1, rules(run));
    }
    // The tests can fail: alerts with a longer `for` fire later.
    if !replay(&run.tests[0]).is_some_and(|it| it.alerts.iter().any(|one| !one.fired.is_empty())) {
        return;
    }
    write(
        "alerts.rules.yml",
        &rules(run).replace("for: 5s", "for: 8s"),
    )
    .expect("it is writable");
    let said = promtool_says(
        &program,
        folder.path(),
        &["test", "rules", "alerts.test.yml"],
    );
    assert!(!said.0, "{}", said.1);
}

fn promtool_says(program: &Path, folder: &Path, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(program);
    let done = command
        .args(words)
        .current_dir(folder)
        .output()
        .expect("it can be executed");
    let said = [done.stdout, done.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    (done.status.success(), said.concat())
}

fn promtool() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&folders).map(|folder| folder.join("promtool"));
    let found = programs.find(|path| path.is_file());
    if found.is_none() {
        let how = "no `promtool` is on the path";
        assert!(std::env::var_os("REQUIRE_PROMTOOL").is_none(), "{how}");
        eprintln!("skipped: {how}");
    }
    found
}

#[test]
fn a_known_fault_fires_within_an_evaluation_of_its_time_and_promtool_agrees() {
    let mut test = slow_within(800, &[(400, 600), (700, 703)]);
    test.observed.events = vec![
        fault(399.4, EventKind::FaultInjected),
        fault(599.2, EventKind::FaultReverted),
    ];
    // The second 400 is known at 401; then it takes 5 s. Three slow seconds cause no alert.
    assert_eq!(fired(&test), [(406.0, Some(601.0))]);
    let one = &replay(&test).expect("an alert").alerts[0];
    assert_eq!(one.alert, "LoadP95High");
    assert_eq!(one.condition, "p95 >= 500 ms");
    assert_eq!(one.fired[0].fault.as_deref(), Some("slow"));
    assert_eq!(
        one.fired[0].sentence(),
        "at t = 406 s, 6.6 s after the fault slow was injected; resolved at 601 s"
    );
    check_by_promtool(&testing::run(vec![test]));
}

#[test]
fn without_a_fault_the_onset_is_the_first_second_beyond_the_bound() {
    let test = slow_within(60, &[(20, 60)]);
    let one = &replay(&test).expect("an alert").alerts[0].fired[0];
    assert_eq!((one.at_s, one.onset_s, one.resolved_s), (26.0, 20.0, None));
    check_by_promtool(&testing::run(vec![test]));
}

#[test]
fn a_gap_resolves_as_a_good_second_does() {
    let mut test = slow_within(60, &[(10, 40)]);
    for at in 20..25 {
        test.seconds[at].p95_ms = None;
    }
    assert_eq!(fired(&test), [(16.0, Some(21.0)), (31.0, Some(41.0))]);
    check_by_promtool(&testing::run(vec![test]));
}

#[test]
fn a_long_test_is_scraped_every_quarter_of_a_minute() {
    let test = slow_within(7300, &[(3000, 3100)]);
    // The scrapes at 3015, …, 3090 see a slow second, that at 3105 does not.
    assert_eq!(fired(&test), [(3020.0, Some(3105.0))]);
    check_by_promtool(&testing::run(vec![test]));
}

/// Every kind of requirement that gives an alert, and some that give none.
#[test]
fn questions_about_seconds_make_alerts_and_no_others() {
    let mut test = testing::test("all \"kinds\"", 30.0);
    test.cell.insert("level".to_owned(), json!(10));
    test.seconds = testing::seconds(30, 5.0, 60.0, Some((10, 20)));
    test.observed.target = (0..30)
        .flat_map(|at| [(at, 0.2), (at, 0.95)])
        .map(|(at, cpu)| ResourceSample {
            at_s: f64::from(at) + 0.1,
            cpu_ratio: Some(cpu),
            ..ResourceSample::default()
        })
        .collect();
    test.judgements = vec![
        asked("grade", "g.avg", "avg_ms < 100 ms in steady", 100.0),
        asked("row", "r.p99", "p99_ms <= 250 ms in the whole test", 250.0),
        asked("grade", "g.success", "success_rate >= 0.99 in steady", 0.99),
        asked("threshold", "t.p95", "http_req_duration p(95)<300", 300.0),
        asked(
            "threshold",
            "t.failed",
            "http_req_failed rate<0.01 in steady",
            0.01,
        ),
        asked("slo", "s.p95", "api p95 < 300 ms in steady", 300.0),
        asked("slo", "s.p50", "api p50 < 90 ms in steady", 90.0),
        asked("alert", "a.cpu", "cpu_usage_high stays silent", 0.8),
        asked(
            "threshold",
            "t.tagged",
            "http_req_duration{name:/a} p(95)<300",
            300.0,
        ),
        asked("grade", "g.rps", "rps >= 50 per second in steady", 50.0),
        asked("slo", "s.router", "router p95 < 100 ms", 100.0),
        asked("named", "n.knee", "knee: 40 users", 0.0),
    ];
    let (made, without) = alerts(&test);
    let conditions: Vec<String> = made.iter().map(Alert::condition).collect();
    assert_eq!(
        conditions,
        [
            "mean latency >= 100 ms",
            "p99 > 250 ms",
            "share of successful requests < 0.99",
            "p95 >= 300 ms",
            "share of failed requests >= 0.01",
            "p50 >= 90 ms",
            "use of the target's processor > 0.8",
        ]
    );
    assert_eq!(made[3].judgements, ["t.p95", "s.p95"]);
    assert_eq!(without, ["t.tagged", "g.rps", "s.router", "n.knee"]);
    assert_eq!(made[0].name, "AllKindsLevel10MeanHigh");
    let cpu = replay(&test)
        .expect("alerts")
        .alerts
        .pop()
        .expect("of the processor");
    assert_eq!(cpu.fired[0].at_s, 6.0, "the busiest host counts: {cpu:?}");
    check_by_promtool(&testing::run(vec![test]));
}

/// A metric of a threshold, with the values of its seconds.
fn metric(name: &str, kind: &str, aggregate: &str, values: &[f64]) -> ThresholdSeries {
    let (base, inside) = name.split_once('{').unwrap_or((name, ""));
    let tags = inside.trim_end_matches('}').split(',');
    let tags = tags.filter_map(|tag| tag.split_once(':'));
    let values = values.iter().map(|value| Some(*value)).collect();
    ThresholdSeries {
        metric: name.to_owned(),
        base: base.to_owned(),
        tags: tags
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        kind: kind.to_owned(),
        contains: if kind == "trend" { "time" } else { "default" }.to_owned(),
        component: None,
        seconds: [(aggregate.to_owned(), values)].into_iter().collect(),
    }
}

/// A test of 40 s in which metrics, sub-metrics, checks and a component are bad from the tenth second on.
fn asking_about_metrics() -> TestRecord {
    let mut test = testing::test("load", 40.0);
    let steps = |good: f64, bad: f64| -> Vec<f64> {
        let first = std::iter::repeat_n(good, 10);
        first.chain(std::iter::repeat_n(bad, 30)).collect()
    };
    test.asked = vec![
        metric(
            "http_req_duration{name:GET /a,status:200}",
            "trend",
            "p(95)",
            &steps(80.0, 900.0),
        ),
        metric("orchestrate_success", "rate", "rate", &steps(1.0, 0.5)),
        metric("lost", "counter", "count", &steps(0.0, 3.0)),
        metric("orders", "counter", "rate", &steps(9.0, 1.0)),
        metric("checks", "rate", "rate", &steps(1.0, 0.25)),
        metric("odd{a-b:c}", "rate", "rate", &steps(1.0, 0.5)),
        ThresholdSeries {
            component: Some("router".to_owned()),
            ..metric("router_decision_ms", "trend", "p(99.9)", &steps(5.0, 50.0))
        },
    ];
    test.judgements = vec![
        asked(
            "threshold",
            "t.a",
            "http_req_duration{name:GET /a,status:200} p(95)<300",
            300.0,
        ),
        asked("threshold", "t.good", "orchestrate_success rate>0.95", 0.95),
        asked("threshold", "t.lost", "lost count==0", 0.0),
        asked("threshold", "t.orders", "orders rate>5", 5.0),
        asked("threshold", "t.odd", "odd{a-b:c} rate>0.9", 0.9),
        asked("threshold", "t.other", "orders count<100", 100.0),
        asked("check", "c.all", "checks >= 0.99", 0.99),
        asked("slo", "s.router", "router p99.9 < 20 ms", 20.0),
        asked("slo", "s.tool", "tool p99.9 < 20 ms", 20.0),
    ];
    test
}

#[test]
fn thresholds_of_metrics_and_of_single_endpoints_make_alerts() {
    let test = asking_about_metrics();
    let (made, without) = alerts(&test);
    let found: Vec<(&str, String)> = made
        .iter()
        .map(|alert| (alert.name.as_str(), alert.condition()))
        .collect();
    let expected = [
        (
            "LoadHttpReqDurationNameGETAStatus200P95High",
            "p(95) of http_req_duration{name:GET /a,status:200} >= 300 ms",
        ),
        (
            "LoadOrchestrateSuccessRateLow",
            "rate of orchestrate_success <= 0.95",
        ),
        ("LoadLostCountHigh", "count of lost > 0"),
        ("LoadChecksRateLow", "rate of checks < 0.99"),
        (
            "LoadRouterDecisionMsP999High",
            "p(99.9) of router_decision_ms >= 20 ms",
        ),
    ];
    assert_eq!(found, expected.map(|(name, text)| (name, text.to_owned())));
    // A minimum rate follows from the offered load; a label cannot have such a name; the others have no
    // measurements.
    assert_eq!(without, ["t.orders", "t.odd", "t.other", "s.tool"]);
    for alert in replay(&test).expect("alerts").alerts {
        let times: Vec<f64> = alert.fired.iter().map(|fired| fired.at_s).collect();
        assert_eq!(times, [16.0], "{alert:?}");
    }
    check_by_promtool(&testing::run(vec![test]));
}

/// The recorded series, from series in the format of `--out prometheus`.
#[test]
fn metrics_are_recorded_from_what_the_driver_writes() {
    let run = testing::run(vec![asking_about_metrics()]);
    let labels = "suite=\"acis\", test=\"load\", testid=\"t\"";
    let series = [
        (
            "k6_orchestrate_success_trues_total",
            "scenario=\"a\"",
            "0+3x60",
        ),
        (
            "k6_orchestrate_success_values_total",
            "scenario=\"a\"",
            "0+4x60",
        ),
        (
            "k6_orchestrate_success_trues_total",
            "scenario=\"b\"",
            "0+1x60",
        ),
        (
            "k6_orchestrate_success_values_total",
            "scenario=\"b\"",
            "0+4x60",
        ),
        ("k6_lost_total", "scenario=\"a\"", "0+2x60"),
        ("k6_lost_total", "scenario=\"b\"", "5x60"),
    ];
    let inputs: String = series
        .map(|(name, more, values)| {
            format!("      - series: '{name}{{{labels}, {more}}}'\n        values: '{values}'\n")
        })
        .concat();
    let recorded = [
        ("test:metric:rate", "orchestrate_success", 0.5),
        ("test:metric:count", "lost", 125.0),
    ];
    let expected: String = recorded
        .map(|(name, metric, value)| {
            let series = format!("{name}{{{labels}, metric=\"{metric}\"}}");
            format!(
                "      - expr: '{name}{{metric=\"{metric}\"}}'\n        eval_time: 60s\n        exp_samples:\n          - \
                 {{ labels: '{series}', value: {value} }}\n"
            )
        })
        .concat();
    let tests = format!(
        "rule_files: [alerts.rules.yml]\nevaluation_interval: 1s\ntests:\n  - interval: 1s\n    input_series:\n\
         {inputs}    promql_expr_test:\n{expected}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    write("alerts.rules.yml", &rules(&run)).expect("it is writable");
    write("recorded.test.yml", &tests).expect("it is writable");
    let Some(program) = promtool() else { return };
    let words = ["test", "rules", "recorded.test.yml"];
    let (held, said) = promtool_says(&program, folder.path(), &words);
    assert!(held, "{said}\n{tests}\n{}", rules(&run));
}

#[test]
fn problems_without_an_alert_are_named() {
    // Crossed over the whole phase, but never for five consecutive seconds.
    let mut test = slow_within(100, &[(10, 13), (20, 23), (30, 33)]);
    test.judgements[0].standing = Standing::Crossed;
    let missing = replay(&test).expect("an alert").missing;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].judgement.as_deref(), Some("load.grade.p95_ms"));
    assert!(missing[0].sentence().contains("would not have fired"));
    // One fault that clients noticed, and one that they did not.
    let mut test = slow_within(100, &[]);
    test.observed.events = vec![
        fault(20.0, EventKind::FaultInjected),
        fault(40.0, EventKind::FaultReverted),
    ];
    assert_eq!(replay(&test).expect("an alert").missing, []);
    let noticed = json!([{ "name": "slow", "injected_s": 20.0, "detected_after_s": 2.0 }]);
    test.analysis.insert("faults".to_owned(), noticed.clone());
    let missing = replay(&test).expect("an alert").missing;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].window_s, [20.0, 40.0]);
    // A fault with an alert in time is not listed.
    let mut told = slow_within(100, &[(20, 40)]);
    told.observed.events = test.observed.events.clone();
    told.analysis.insert("faults".to_owned(), noticed);
    assert_eq!(replay(&told).expect("an alert").missing, []);
}

#[test]
fn the_replay_of_a_record_is_shown_explained_and_verified() {
    let mut run = testing::run(vec![testing::load()]);
    let test = &mut run.tests[0];
    test.judgements[1].asked = "http_req_duration p(99)<300 in steady".to_owned();
    let replayed = replay(test).expect("an alert");
    let value = serde_json::to_value(&replayed).expect("JSON");
    test.analysis.insert(KEY.to_owned(), value);
    assert!(!replayed.alerts[0].fired.is_empty(), "{replayed:?}");
    let sound = verify(&run, &|_| None);
    assert_eq!(sound.errors, []);
    let page = report::page::page(&run);
    assert!(page.contains("Alerts, replayed") && page.contains("LoadP99High"));
    let told = explain::explain(&run, "load.replay.LoadP99High").expect("it has the id");
    let told = told.to_string();
    assert!(
        told.contains("after the first second beyond the bound began"),
        "{told}"
    );
    let at = &mut run.tests[0].analysis[KEY]["alerts"][0]["fired"][0]["at_s"];
    *at = json!(at.as_f64().expect("a number") + 1.0);
    let faults = verify(&run, &|_| None).errors;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].path, "tests[0].analysis.alert_replay");
}

#[test]
fn a_run_without_thresholds_has_rules_that_are_none() {
    let run = testing::run(vec![testing::short()]);
    assert_eq!(replay(&run.tests[0]), None);
    check_by_promtool(&run);
}

/// A test of an hour with a budget of 1 % failures, with this percentage of failures within the given seconds.
fn failing_within(spans: &[(u32, u32, u64)]) -> TestRecord {
    let mut test = slow_within(3_600, &[]);
    for second in &mut test.seconds {
        let failing = |span: &&(u32, u32, u64)| (span.0..span.1).contains(&(second.at_s as u32));
        second.failures = spans.iter().find(failing).map_or(0, |span| span.2);
    }
    test.judgements = vec![asked(
        "grade",
        "load.grade.error_rate",
        "error_rate < 0.01 in steady",
        0.01,
    )];
    test
}

/// a budget that is used up fast fires the fast alert, a slow leak the slow one, and a blip none.
#[test]
fn burn_rates_fire_by_both_windows_and_promtool_agrees() {
    let check = |spans: &[(u32, u32, u64)], fast: bool, slow: bool| {
        let test = failing_within(spans);
        let run = testing::run(vec![test]);
        let found = burns(&run.tests[0]);
        let names: Vec<&str> = found.iter().map(|burn| burn.name.as_str()).collect();
        assert_eq!(names, ["LoadErrorsHighBurnFast", "LoadErrorsHighBurnSlow"]);
        let text = unit_tests(&run);
        for (name, fires) in names.iter().zip([fast, slow]) {
            let firing = format!("alertname: {name}\n        exp_alerts:\n");
            assert_eq!(text.contains(&firing), fires, "{name} of {spans:?}: {text}");
        }
        check_by_promtool(&run);
    };
    check(&[], false, false);
    // 5 s of only failures: too short for either long window.
    check(&[(1_000, 1_005, 100)], false, false);
    // 30 % for 4 min: 24 % of the last 5 min.
    check(&[(1_000, 1_240, 30)], true, false);
    // 10 % for 25 min: 8.3 % of the last 30 min, which is never 14.4 % of 5 min.
    check(&[(600, 2_100, 10)], false, true);
    let rules = rules(&testing::run(vec![failing_within(&[])]));
    assert!(
        rules.contains("[299500ms]) > 0.144 and avg_over_time"),
        "{rules}"
    );
}

#[test]
fn a_budget_that_cannot_be_used_up_so_fast_has_no_such_alert() {
    let mut test = failing_within(&[]);
    let bound = |bound: f64| {
        let question = format!("success_rate > {bound} in steady");
        vec![asked("grade", "load.grade.success_rate", &question, bound)]
    };
    let factors = |test: &TestRecord| {
        burns(test)
            .iter()
            .map(|burn| burn.factor)
            .collect::<Vec<f64>>()
    };
    test.judgements = bound(0.9);
    assert_eq!(
        factors(&test),
        [6.0],
        "14.4 times a tenth are more than all"
    );
    test.judgements = bound(0.5);
    assert_eq!(factors(&test), [0.0; 0]);
    test.judgements = bound(0.99);
    for second in &mut test.seconds[1_000..1_240] {
        second.failures = 30;
    }
    check_by_promtool(&testing::run(vec![test]));
}
