//! Other formats, header by header and key by key.

use report::export::{Artefact, Format, junit, locust, long, markdown};
use report::record::Standing;
use report::view;
use serde_json::Value;

use report::testing;

fn text(files: &[Artefact], name: &str) -> String {
    let file = files.iter().find(|file| file.name == name);
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let file = file.unwrap_or_else(|| panic!("no {name} in {names:?}"));
    String::from_utf8(file.bytes.clone()).expect("text")
}

fn keys(value: &Value) -> Vec<&str> {
    let fields = value
        .as_object()
        .unwrap_or_else(|| panic!("{value} is not an object"));
    fields.keys().map(String::as_str).collect()
}

#[test]
fn locusts_headers_are_byte_for_byte() {
    let run = testing::run(vec![testing::load()]);
    let files = locust(&run, &run.tests[0], "p");
    let first = |name: &str| {
        text(&files, name)
            .split("\r\n")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        first("p_stats.csv"),
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
         Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%"
    );
    assert_eq!(
        first("p_stats_history.csv"),
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,\
         Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,\
         Total Min Response Time,Total Max Response Time,Total Average Content Size"
    );
    assert_eq!(
        first("p_failures.csv"),
        "Method,Name,Error,Occurrences,First Seen,Last Seen"
    );
    assert_eq!(first("p_exceptions.csv"), "Count,Message,Traceback,Nodes");
}

#[test]
fn locusts_rows_have_as_many_fields_as_their_headers_and_the_records_values() {
    let run = testing::run(vec![testing::load()]);
    let test = &run.tests[0];
    for file in locust(&run, test, "p") {
        let mut reader = csv::ReaderBuilder::new().from_reader(file.bytes.as_slice());
        // The reader reports rows of a different length as errors.
        let rows: Vec<csv::StringRecord> = reader
            .records()
            .map(|row| row.unwrap_or_else(|error| panic!("{}: {error}", file.name)))
            .collect();
        match file.name.as_str() {
            "p_stats.csv" => {
                assert_eq!(rows.len(), test.endpoints.len() + 1);
                assert_eq!(&rows[0][1], "/api/clients");
                let last = &rows[rows.len() - 1];
                assert_eq!((&last[0], &last[1]), ("", "Aggregated"));
                assert_eq!((&rows[0][8], &last[8]), ("1700", "1700"));
                assert_eq!(last[2], test.figures.requests.to_string());
                assert_eq!(
                    last[16].parse(),
                    Ok(test.figures.percentile("p95").expect("measured"))
                );
            }
            "p_stats_history.csv" => {
                assert_eq!(rows.len(), test.seconds.len());
                assert_eq!(&rows[0][0], "1786699800");
                assert_eq!(&rows[0][7], "N/A", "66 % is not kept by second");
                let last = &rows[rows.len() - 1];
                assert_eq!(last[17], test.figures.requests.to_string());
                assert_eq!((&last[19], &last[23]), ("N/A", "1700"));
                let extremes = test.seconds.iter().flat_map(|it| [it.min_ms, it.max_ms]);
                let [min, max] =
                    [f64::min, f64::max].map(|of| extremes.clone().flatten().reduce(of));
                let parsed = [21, 22].map(|place: usize| last[place].parse().ok());
                assert_eq!(parsed, [min, max]);
            }
            "p_failures.csv" => assert!(rows[0][2].contains("\"queue full\""), "{:?}", rows[0]),
            _ => {
                let exception = &test.exceptions[0];
                let expected = ["3", &exception.message, &exception.traceback, "local"];
                assert_eq!(rows[0], csv::StringRecord::from(expected.to_vec()));
                assert_eq!(rows.len(), test.exceptions.len());
            }
        }
    }
}

#[test]
fn the_long_table_has_one_figure_a_row_and_none_that_was_not_measured() {
    let run = testing::whole();
    let table = long(&run);
    let header = table.lines().next().unwrap_or_default();
    assert_eq!(
        header,
        "run,test,scope,phase,at_s,class,method,name,figure,unit,value"
    );
    assert!(
        table.contains("percentile_method,,rank"),
        "the method is stated"
    );
    let p95 = run.tests[1].figures.percentile("p95").expect("measured");
    assert!(table.contains(&format!(
        "2026-08-14T09-30-00Z-acis,load,test,,,,,,p95,ms,{p95}\n"
    )));
    assert!(!table.contains("NaN"));
    let empty = long(&testing::run(vec![testing::test("nothing", 0.0)]));
    assert!(!empty.contains("p95"), "{empty}");
}

#[test]
fn junit_counts_what_it_has() {
    let mut run = testing::whole();
    run.tests[0].checks.push(report::record::Check {
        name: "a \u{0} <control> & \"quote\"".to_owned(),
        passes: 1,
        fails: 1,
    });
    let text = junit(&run);
    let mut reader = quick_xml::Reader::from_str(&text);
    let (mut cases, mut failures, mut skipped, mut stated) = (0, 0, 0, String::new());
    loop {
        use quick_xml::events::Event;
        match reader
            .read_event()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
        {
            Event::Start(element) | Event::Empty(element) => match element.name().as_ref() {
                b"testcase" => cases += 1,
                b"failure" => failures += 1,
                b"skipped" => skipped += 1,
                b"testsuites" => stated = String::from_utf8_lossy(&element).into_owned(),
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    let expected =
        format!("tests=\"{cases}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"");
    assert!(stated.contains(&expected), "{stated} but {expected}");
    assert!(failures >= 3 && skipped == 1, "{failures} {skipped}");
    assert!(text.contains("a \u{fffd} &lt;control&gt;"), "{text}");
}

/// Failures and errors in `testsuites`, and the text.
fn red(run: &report::RunRecord) -> (bool, String) {
    let text = junit(run);
    let head = text.lines().nth(1).unwrap_or_default();
    let is_red = !(head.contains("failures=\"0\"") && head.contains("errors=\"0\""));
    (is_red, text)
}

#[test]
fn junit_is_red_when_the_run_itself_came_to_its_outcome() {
    use report::Outcome;
    let whole = testing::run(vec![testing::short()]);
    assert!(!red(&whole).0, "{}", red(&whole).1);
    let outcomes = [
        Outcome::Interrupted,
        Outcome::Internal,
        Outcome::Usage,
        Outcome::Untrusted,
        Outcome::Regression,
        Outcome::ThresholdsCrossed,
    ];
    for outcome in outcomes {
        let mut run = whole.clone();
        run.outcome = outcome;
        let (is_red, text) = red(&run);
        assert!(
            is_red && text.contains(outcome.word()),
            "{outcome:?}: {text}"
        );
    }
    let mut run = whole.clone();
    run.complete = false;
    run.outcome = Outcome::Interrupted;
    run.incomplete_because = Some("interrupted".to_owned());
    run.not_run = vec!["load".to_owned(), "soak[n=2]".to_owned()];
    let (_, text) = red(&run);
    assert!(text.contains("errors=\"3\""), "{text}");
    for expected in [
        "<testsuite name=\"load\" tests=\"1\" failures=\"0\" errors=\"1\"",
        "<testsuite name=\"soak[n=2]\"",
        "<error message=\"did not run: interrupted\">",
        "<error message=\"INTERRUPTED: interrupted\">",
    ] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
    let text = markdown(&run);
    assert!(
        text.contains("1 of 3 planned tests passed, 2 did not run"),
        "{text}"
    );
    assert!(text.contains("Did not run: load, soak"), "{text}");
}

#[test]
fn a_failed_check_that_nothing_judges_is_no_failure() {
    let failed = report::record::Check {
        name: "predict: status 200".to_owned(),
        passes: 1967,
        fails: 1302,
    };
    let never = report::record::Check {
        name: "never".to_owned(),
        passes: 0,
        fails: 0,
    };
    let mut run = testing::run(vec![testing::short()]);
    run.tests[0].checks = vec![failed, never];
    let (is_red, text) = red(&run);
    assert!(!is_red, "{text}");
    let note =
        "<system-out>failed 1,302 of 3,269 times; no threshold covers this check</system-out>";
    assert!(text.contains(note), "{text}");
    assert!(
        text.contains("<skipped message=\"the check never ran\"/>"),
        "{text}"
    );
    let mut crossed = testing::load().judgements[1].clone();
    crossed.asked = "checks >= 0.95".to_owned();
    run.tests[0].judgements.push(crossed);
    let (_, text) = red(&run);
    assert!(
        text.contains("<failure message=\"failed 1,302 of 3,269 times\">"),
        "{text}"
    );
}

#[test]
fn markdown_has_the_verdict_first_and_tables_that_hold() {
    let text = markdown(&testing::whole());
    assert!(
        text.starts_with("# acis: FAILED\n\n2 of 4 tests passed"),
        "{text}"
    );
    assert!(text.contains("### Requirements"), "{text}");
    assert!(text.contains("\\<script\\>"), "{text}");
    let mut width = None;
    for line in text.lines() {
        let bars = line.replace("\\|", "").matches('|').count();
        if !line.starts_with('|') {
            width = None;
        } else if let Some(width) = width {
            assert_eq!(bars, width, "{line}");
        } else {
            width = Some(bars);
        }
    }
}

/// DET-28, DET-30: keys and file name.
#[test]
fn the_view_of_the_detectors_has_its_keys() {
    let mut run = testing::whole();
    run.tests.push(testing::drill());
    run.tests[4].part = Some("detector-dies".to_owned());
    let view = view::detectors(&run);
    assert_eq!(
        keys(&view),
        ["test_suite", "timestamp", "summary", "results"]
    );
    assert_eq!(view["test_suite"], "detector_orchestration_performance");
    let summary = &view["summary"];
    assert_eq!(
        keys(summary),
        [
            "total_tests",
            "passed",
            "failed",
            "success_rate",
            "duration_seconds"
        ]
    );
    assert_eq!(summary["total_tests"], 4, "parts are one test");
    assert_eq!(summary["success_rate"], 0.5);
    let smoke = &view["results"]["smoke"];
    assert_eq!(keys(smoke), ["status", "k6_result", "locust_result"]);
    assert_eq!(smoke["status"], "success");
    assert_eq!(view["results"]["load"]["status"], "failed");
    let files = Format::Detectors.artefacts(&run);
    assert_eq!(
        files[0].name,
        "performance_test_results_20260814T093000Z.json"
    );
}

/// ACSO-46, ACSO-47, ACSO-48, ACSO-49, ACSO-50: keys, with shares in percent and times in seconds.
#[test]
fn the_view_of_acso_has_its_keys_and_units() {
    let run = testing::whole();
    let view = view::acso(&run);
    assert_eq!(
        keys(&view),
        [
            "summary",
            "resource_utilization",
            "scalability_analysis",
            "recommendations",
            "kpis"
        ]
    );
    let summary = &view["summary"];
    assert_eq!(
        keys(summary),
        [
            "total_operations",
            "success_rate",
            "avg_throughput",
            "max_throughput",
            "avg_response_time",
            "p95_response_time"
        ]
    );
    let percent = summary["success_rate"].as_f64().expect("measured");
    assert!(percent > 90.0 && percent < 100.0, "{percent}");
    let p95_s = summary["p95_response_time"].as_f64().expect("measured");
    assert!(p95_s > 0.1 && p95_s < 1.0, "{p95_s} s");
    assert_eq!(
        keys(&view["resource_utilization"]),
        [
            "avg_cpu_percent",
            "max_cpu_percent",
            "avg_memory_percent",
            "max_memory_percent"
        ]
    );
    let scalability = &view["scalability_analysis"];
    assert_eq!(
        keys(scalability),
        [
            "linear_scalability_score",
            "max_stable_users",
            "saturation_point"
        ]
    );
    assert!(
        scalability["max_stable_users"].as_f64().is_some(),
        "{scalability}"
    );
    assert_eq!(
        keys(&view["kpis"]),
        [
            "throughput_efficiency",
            "scalability_score",
            "resource_efficiency",
            "reliability_score"
        ]
    );
    assert!(
        view["recommendations"][0]
            .as_str()
            .is_some_and(|text| text.contains("long tail"))
    );
    let nothing = view::acso(&testing::run(vec![testing::short()]));
    assert_eq!(
        nothing["scalability_analysis"]["max_stable_users"],
        Value::Null
    );
    assert_eq!(
        nothing["resource_utilization"]["avg_cpu_percent"],
        Value::Null
    );
}

/// AIA-43, AIA-45, AIA-46, AIA-47, AIA-48: keys, texts, and regressions against a baseline.
#[test]
fn the_view_of_aiaas_has_its_keys_alerts_and_messages() {
    let run = testing::run(vec![testing::load()]);
    let view = view::aiaas(&run, None);
    assert_eq!(
        keys(&view["summary"]),
        ["latency", "throughput", "error_rate"]
    );
    assert_eq!(
        keys(&view["summary"]["latency"]),
        ["p50", "p95", "p99", "avg"]
    );
    assert_eq!(keys(&view["summary"]["throughput"]), ["avg", "max", "min"]);
    assert_eq!(keys(&view["summary"]["error_rate"]), ["current", "avg"]);
    let kinds: Vec<&Value> = view["alerts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|alert| &alert["type"])
        .collect();
    assert_eq!(
        kinds,
        ["latency_p50_high", "latency_p95_high", "latency_p99_high"]
    );
    let p50 = run.tests[0].figures.percentile("p50").expect("measured");
    assert_eq!(
        view["alerts"][0]["message"],
        format!("p50 latency {p50:.2}ms exceeds 50ms threshold")
    );
    assert_eq!(view["alerts"][1]["severity"], "critical");
    assert_eq!(
        view["regression"]["message"],
        "No baseline metrics available"
    );
    // The rate of the last second decides, not that of the whole run.
    let mut failing = run.clone();
    let last = failing.tests[0]
        .seconds
        .iter_mut()
        .rfind(|it| it.requests > 0);
    let last = last.expect("a second with requests");
    (last.requests, last.failures) = (50, 3);
    let alerts = view::aiaas(&failing, None)["alerts"].clone();
    let messages: Vec<&str> = alerts
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["message"].as_str())
        .collect();
    assert!(
        messages.contains(&"Error rate 6.00% exceeds 5.00% threshold"),
        "{messages:?}"
    );
    let empty = view::aiaas(&testing::run(Vec::new()), None);
    assert_eq!(empty["summary"], serde_json::json!({}));
    // If the run judged alerts, the alerts are those that it raised, each kind once.
    let mut judged = run.clone();
    let raised = serde_json::json!({ "type": "latency_p50_high", "message": "p50 latency 61.20ms exceeds 50ms threshold",
        "severity": "warning", "raised_s": 4.0, "resolved_s": null });
    for (count, expected) in [(0, 0), (2, 1)] {
        let all = serde_json::json!(vec![raised.clone(); count]);
        judged.tests[0].analysis.insert("alerts".to_owned(), all);
        let shown = view::aiaas(&judged, None)["alerts"].clone();
        let shown = shown.as_array().expect("a list");
        assert_eq!(shown.len(), expected);
        for alert in shown {
            assert_eq!(keys(alert), ["type", "message", "severity"]);
        }
    }

    let same = view::baseline(&run).expect("it has requests");
    let view = view::aiaas(&run, Some(&same));
    assert_eq!(
        view["regression"]["message"],
        "No performance regressions detected"
    );
    let mut faster = same.clone();
    faster.latency.p50 = p50 / 1.3;
    faster.throughput.avg *= 1.5;
    let view = view::aiaas(&run, Some(&faster));
    assert_eq!(
        view["regression"]["message"],
        "Found 2 performance regressions"
    );
    let first = &view["regression"]["regressions"][0];
    assert_eq!(keys(first), ["metric", "baseline", "current", "regression"]);
    assert!(
        (first["regression"].as_f64().expect("a number") - 30.0).abs() < 1e-9,
        "{first}"
    );
}

/// ACIS-13, ACIS-14, ACIS-15, ACIS-16: the columns of three tables, and the sentences below each.
#[test]
fn the_view_of_acis_has_its_columns_and_analyses() {
    let mut run = testing::run(vec![testing::load()]);
    let endpoint = &mut run.tests[0].endpoints[2];
    endpoint.figures.latency = Some(testing::latency(900.0, 400.0, 4000));
    endpoint.figures.failures = endpoint.figures.requests / 10;
    let files = Format::Acis.artefacts(&run);
    let report = text(&files, "acis.txt");
    for columns in [
        "Name # reqs Avg Min Max Med 95% 99%",
        "Method Name # reqs # fails Req/s Failure %",
        "Name 50% 66% 75% 80% 90% 95% 98% 99% 100%",
    ] {
        let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            report.lines().any(|line| squeeze(line) == columns),
            "{columns}: {report}"
        );
    }
    assert_eq!(report.matches("\nAnalysis\n").count(), 3);
    assert!(report.contains("GET /api/clients is fast"), "{report}");
    assert!(
        report.contains("POST /api/trading/execute needs optimization"),
        "{report}"
    );
    assert!(
        report.contains("POST /api/trading/execute has issues (9.98 % failed)"),
        "{report}"
    );
    assert!(
        report.contains("GET /api/clients has a long tail"),
        "{report}"
    );
    assert!(text(&files, "acis.html").contains("<th scope=\"col\">Failure %</th>"));
    assert!(text(&files, "acis_stats.csv").starts_with("Type,Name,"));
}

/// A360-04, A360-14, A360-15, A360-16: headings, values and keys.
#[test]
fn the_view_of_agent360_has_its_headings_and_keys() {
    let run = testing::run(vec![testing::load()]);
    let files = Format::Agent360.artefacts(&run);
    let report = text(&files, "load_test_report.md");
    let figures = &run.tests[0].figures;
    let beginning = format!(
        "# Load Test Report\n\n## Summary\n- Test Duration: 600 seconds\n- Total Requests: {}\n- Error Rate: {:.2}%\n\n\
         ## Performance Metrics\n- Response Time (P95): {:.2}s\n",
        figures.requests,
        100.0 * figures.error_rate().expect("measured"),
        figures.percentile("p95").expect("measured") / 1000.0
    );
    assert!(report.starts_with(&beginning), "{report}");
    for heading in [
        "## Resource Usage\n- Average CPU: ",
        "\n- Peak Memory: 1.34GB\n",
        "\n## Recommendations\n- ",
    ] {
        assert!(report.contains(heading), "{heading}: {report}");
    }
    let results: Value =
        serde_json::from_str(&text(&files, "load_test_results.json")).expect("JSON");
    assert_eq!(
        keys(&results["metrics"]),
        [
            "response_time_p95",
            "response_time_p99",
            "requests_per_second",
            "error_rate",
            "cpu_usage",
            "memory_usage"
        ]
    );
    assert_eq!(keys(&results["response_times"]), ["median", "p95", "p99"]);
    assert_eq!(
        keys(&results["throughput"]),
        ["avg_rps", "peak_rps", "std_rps"]
    );
    let row = &results["results"][60];
    assert_eq!(
        keys(row),
        [
            "timestamp",
            "response_time",
            "throughput",
            "errors",
            "resources"
        ]
    );
    assert_eq!(row["timestamp"], "2026-08-14T09:31:00Z");
    assert!(
        row["resources"]["cpu"]
            .as_f64()
            .is_some_and(|cpu| cpu > 50.0),
        "{row}"
    );
}

#[test]
fn every_format_says_dash_or_null_for_what_was_not_measured() {
    let run = testing::run(vec![testing::test("nothing", 0.0)]);
    for format in Format::ALL {
        for file in format.artefacts(&run) {
            let text = String::from_utf8(file.bytes).expect("text");
            assert!(
                !text.contains("NaN") && !text.contains(",inf") && !text.contains(">inf<"),
                "{}: {text}",
                file.name
            );
        }
    }
    let report = text(&Format::Agent360.artefacts(&run), "load_test_report.md");
    assert!(report.contains("- Error Rate: –\n"), "{report}");
}

#[test]
fn file_names_of_several_tests_are_different() {
    let mut run = testing::run(vec![testing::load(), testing::load(), testing::drill()]);
    run.tests[1].part = Some("../../x".to_owned());
    run.tests.push(run.tests[1].clone());
    let mut names: Vec<String> = Format::Csv
        .artefacts(&run)
        .into_iter()
        .map(|file| file.name)
        .collect();
    let all = names.len();
    assert!(names.iter().all(|name| !name.contains('/')), "{names:?}");
    assert!(
        names.contains(&"fault-tolerance_slow-database_stats.csv".to_owned()),
        "{names:?}"
    );
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
    assert_eq!(
        "pdf"
            .parse::<Format>()
            .expect_err("no such format")
            .to_string()
            .split(';')
            .next(),
        Some("`pdf` is not a format")
    );
    assert!(Standing::Held.outcome() == report::Outcome::Passed);
}
