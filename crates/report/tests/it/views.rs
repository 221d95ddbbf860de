//! The views of the documents, key by key.

use report::export::Format;
use report::testing;
use report::view;
use serde_json::Value;

use crate::exports::text;

fn keys(value: &Value) -> Vec<&str> {
    let fields = value
        .as_object()
        .unwrap_or_else(|| panic!("{value} is not an object"));
    fields.keys().map(String::as_str).collect()
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

/// Samples of the preparation, and of the wait for idle users at the end, say nothing about the load.
#[test]
fn the_resources_of_a_view_are_those_of_the_phases() {
    let mut run = testing::whole();
    let before = view::acso(&run)["resource_utilization"].clone();
    assert!(before["max_cpu_percent"].is_number(), "{before}");
    for test in &mut run.tests {
        let end_s = test.phases.iter().map(|phase| phase.end_s);
        let end_s = end_s.fold(0.0, f64::max);
        let outside = [-2.0, end_s + 3.0].map(|at_s| report::record::ResourceSample {
            at_s,
            host: Some("app-1".to_owned()),
            cpu_ratio: Some(2.0),
            cpu_cores: Some(64.0),
            memory_ratio: Some(2.0),
            memory_bytes: Some(1 << 50),
            ..Default::default()
        });
        if !test.observed.target.is_empty() && test.content != report::record::TestContent::Drills {
            test.observed.target.extend(outside);
        }
    }
    assert_eq!(view::acso(&run)["resource_utilization"], before);
}
