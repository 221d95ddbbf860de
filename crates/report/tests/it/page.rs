//! The page of a run.

use report::page::{LARGEST, page, several};
use report::record;
use report::record::{PhaseKind, TestContent};
use serde_json::json;

use report::testing;

/// All drawings and sentences of a whole run.
#[test]
fn every_section_is_there() {
    let html = page(&testing::whole());
    for text in [
        "<p class=\"word\">FAILED</p>",
        "p99 of 319 ms is above 300 ms in steady",
        "Requirements",
        "? inconclusive: needs 368 more requests",
        "<figcaption>Throughput <span>",
        "<figcaption>Latency <span>",
        "<figcaption>Failed requests <span>",
        "<figcaption>Users <span>",
        "<figcaption>Percentile spectrum <span>",
        "from the schedule",
        "Figures by endpoint",
        "Ladder and capacity",
        "Universal Scalability Law: contention α",
        "Estimates of the capacity",
        "<figcaption>Efficiency <span>",
        "Processor of the target",
        "Processor of the generator",
        "Faults and reactions",
        "database × 10",
        "Recommendations",
        "Estimates and truth",
        "Validity of the measurement",
        "How it was measured",
        "SHA-256 9f2c7d61",
    ] {
        assert!(html.contains(text), "no {text:?}");
    }
}

/// A ladder ends before its last steps: they have no measurements.
#[test]
fn a_step_that_did_not_run_has_no_figures() {
    let mut run = testing::whole();
    let is_ladder = |test: &&mut record::TestRecord| test.content == TestContent::Ladder;
    let test = run.tests.iter_mut().find(is_ladder).expect("a ladder");
    let mut step = test.phases.last().expect("a step").clone();
    step.name = "1600".to_owned();
    step.kind = PhaseKind::Steady;
    step.users = Some(1600.0);
    step.judged = false;
    step.figures = record::Figures::default();
    test.phases.push(step);
    let text = report::export::markdown(&run);
    let row = text.lines().find(|line| line.starts_with("| 1600 |"));
    let row = row.unwrap_or_else(|| panic!("no row in {text}"));
    assert!(row.contains("| steady, not run |"), "{row}");
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    assert!(!cells.contains(&"0"), "{row}");
}

/// A360-14: Prometheus' values are shown beside the run's own.
#[test]
fn prometheus_values_are_shown_beside_the_runs_own() {
    let mut run = testing::whole();
    assert!(!page(&run).contains("Beside Prometheus"), "none was asked");
    let figure = json!({ "figure": "requests_per_s", "unit": "per s", "prometheus": 95.0, "own": 100.0,
        "own_source": "driver", "apart": -0.05, "query": "sum(rate(http_requests_total[60s]))", "error": null });
    let silent = json!({ "figure": "memory_bytes", "unit": "bytes", "prometheus": null, "own": 1e6,
        "own_source": "pid", "apart": null, "query": "up", "error": "it cannot be queried" });
    let asked =
        json!({ "url": "http://127.0.0.1:9090", "window_s": [0, 60], "figures": [figure, silent] });
    run.tests[0].analysis.insert("prometheus".to_owned(), asked);
    let html = page(&run);
    for text in [
        "Beside Prometheus",
        "requests per s",
        "http_requests_total[60s]",
        "it cannot be queried",
    ] {
        assert!(html.contains(text), "no {text:?}");
    }
}

#[test]
fn a_page_needs_no_network_and_no_script() {
    let html = page(&testing::whole());
    for text in [
        "<script",
        "src=",
        "@import",
        "url(",
        "href=\"http",
        "onload",
        "<iframe",
    ] {
        assert!(!html.contains(text), "{text}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.len() < LARGEST, "{}", html.len());
}

#[test]
fn the_same_record_gives_the_same_bytes_also_when_read_again() {
    let run = testing::whole();
    let again = record::read(&record::write(&run)).expect("what was written can be read");
    assert!(again == run, "a record survives its text");
    assert_eq!(page(&run), page(&again));
}

#[test]
fn three_seconds_have_charts_and_a_test_without_anything_has_dashes() {
    let html = page(&testing::run(vec![testing::short()]));
    assert!(
        html.matches("<figure").count() >= 5,
        "{}",
        html.matches("<figure").count()
    );
    let html = page(&testing::run(vec![testing::test("nothing", 0.0)]));
    assert!(html.contains("<dt>p95</dt><dd>–</dd>"), "{html}");
    assert!(html.contains("<dt>failed</dt><dd>–</dd>"), "{html}");
    assert!(!html.contains("NaN") && !html.contains(">inf"), "{html}");
    let html = page(&testing::run(Vec::new()));
    assert!(html.contains("No test ran"), "{html}");
}

#[test]
fn ten_thousand_endpoints_are_folded_into_a_count() {
    let html = page(&testing::large(10_000));
    assert!(html.len() < LARGEST, "{}", html.len());
    assert!(html.contains("9,800 more endpoints are not shown here"));
}

#[test]
fn five_hundred_tests_with_long_names_still_fit() {
    let mut test = testing::load();
    test.reasons = vec!["why ".repeat(500); 30];
    test.seconds.truncate(60);
    test.observed.target.truncate(60);
    test.observed.generator.truncate(60);
    test.name = "n".repeat(2_000);
    for endpoint in &mut test.endpoints {
        endpoint.name = "e".repeat(2_000);
    }
    let html = page(&testing::run(vec![test; 500]));
    assert!(html.len() < LARGEST, "{}", html.len());
    assert!(html.contains("more tests are not shown here"));
}

#[test]
fn ids_are_unique() {
    let html = page(&testing::whole());
    let mut ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn runs_are_shown_side_by_side() {
    let mut other = testing::run(vec![testing::load()]);
    other.run = "2026-08-15T09-30-00Z-acis".to_owned();
    let html = several(&[testing::whole(), other]);
    assert!(html.contains("2 runs side by side"), "{html}");
    assert!(html.contains("2026-08-15T09-30-00Z-acis"), "{html}");
    assert!(html.contains("95th percentile of latency"), "{html}");
}

/// `PAGES=FOLDER cargo test -p report pages_to_look_at`: for tests/look_at_report.mjs and for people.
#[test]
fn pages_to_look_at() {
    let Some(folder) = std::env::var_os("PAGES") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let whole = testing::whole();
    let mut other = testing::run(vec![testing::load()]);
    other.run = "2026-08-15T09-30-00Z-acis".to_owned();
    for (name, html) in [
        ("whole", page(&whole)),
        ("short", page(&testing::run(vec![testing::short()]))),
        ("several", several(&[whole, other])),
    ] {
        std::fs::write(folder.join(format!("{name}.html")), html)
            .expect("the folder can be written");
    }
}

/// `RECORD=FOLDER cargo test -p report a_large_record_to_measure`, then
/// `/usr/bin/time -v sparring report FOLDER`: 10⁷ requests to ten thousand endpoints in an hour.
#[test]
fn a_large_record_to_measure() {
    let Some(folder) = std::env::var_os("RECORD") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let record = report::record::write(&testing::large(10_000));
    std::fs::write(folder.join("report.json"), record).expect("the folder can be written");
}

#[test]
fn the_begin_is_shown_to_the_second() {
    let mut run = testing::whole();
    run.began = "2026-08-14T09:30:00.123456789Z".to_owned();
    let html = report::page::page(&run);
    assert!(html.contains("Load test · 2026-08-14T09:30:00Z<"));
    assert!(!html.contains("09:30:00.123"));
}
