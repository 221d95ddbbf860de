//! `sparring report`, `compare`, `baseline`, `verify` and `explain`: folders in, files and exit codes out.

use std::path::{Path, PathBuf};

use report::RunRecord;
use report::record::{self, Second};
use serde_json::Value;

use crate::binary::{Ended, call};
use report::testing;

/// A folder for results with runs in it.
struct Results {
    folder: tempfile::TempDir,
}

impl Results {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn add(&self, name: &str, run: &RunRecord) -> PathBuf {
        let mut run = run.clone();
        run.run = name.to_owned();
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("report.json"), record::write(&run)).expect("a file");
        folder
    }

    /// Calls a command that knows this folder.
    fn call(&self, words: &str) -> Ended {
        let folder = self.folder.path().display().to_string();
        let words = words.split(' ').map(|word| word.replace("HERE", &folder));
        call(words.chain(["--results".to_owned(), folder.clone()]))
    }
}

fn assert_ends(ended: &Ended, code: i32, parts: &[&str]) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

/// A steady load whose seconds are `slower` times as long.
fn steady(seed: u64, slower: f64) -> RunRecord {
    let mut draws = testing::Draws::new(seed);
    let mut test = testing::test("load", 200.0);
    test.seconds = (0..200)
        .map(|at| {
            let mut near = |centre: f64| centre * (0.9 + 0.2 * draws.uniform());
            Second {
                at_s: f64::from(at),
                requests: near(100.0).round() as u64,
                p50_ms: Some(near(80.0 * slower)),
                p95_ms: Some(near(150.0 * slower)),
                p99_ms: Some(near(200.0 * slower)),
                ..Second::default()
            }
        })
        .collect();
    testing::settle(&mut test, (30.0 * slower, 60.0 * slower));
    test.phases = vec![testing::phase(
        "steady",
        report::record::PhaseKind::Steady,
        (0.0, 200.0),
        50.0,
    )];
    testing::settle_phases(&mut test, (30.0 * slower, 60.0 * slower));
    testing::run(vec![test])
}

#[test]
fn a_report_is_made_again_byte_by_byte_and_offline() {
    let results = Results::new();
    let folder = results.add("a", &testing::whole());
    assert_ends(
        &results.call("report a --format html,csv"),
        0,
        &["report.html", "figures.csv"],
    );
    let first = std::fs::read(folder.join("report.html")).expect("it was written");
    std::fs::remove_file(folder.join("report.html")).expect("it was there");
    assert_ends(
        &results.call("report HERE/a/report.json"),
        0,
        &["report.html"],
    );
    assert!(std::fs::read(folder.join("report.html")).expect("it was written") == first);
    let printed = results.call("report a --output -");
    assert_eq!(printed.stdout.as_bytes(), first);
    assert_ends(
        &results.call("report a --format markdown --output -"),
        0,
        &["# acis: FAILED"],
    );
    assert_ends(
        &results.call("report a --format all --output HERE/out"),
        0,
        &["performance_results.json"],
    );
    assert!(results.folder.path().join("out/junit.xml").is_file());
}

#[test]
fn what_cannot_be_reported_is_said_with_exit_code_1_or_2() {
    let results = Results::new();
    results.add("a", &testing::whole());
    assert_ends(
        &results.call("report a --format pdf"),
        2,
        &["`pdf` is not a format; use html"],
    );
    assert_ends(
        &results.call("report a --format html,junit --output -"),
        2,
        &["only one file"],
    );
    assert_ends(&results.call("report nothing"), 1, &["no run `nothing`"]);
    std::fs::write(results.folder.path().join("x.json"), "{\"schema\": 9}").expect("a file");
    assert_ends(
        &results.call("report HERE/x.json"),
        1,
        &["x.json cannot be used", "schema 9 is newer"],
    );
}

#[test]
fn several_runs_are_one_page() {
    let results = Results::new();
    results.add("a", &testing::whole());
    results.add("b", &steady(1, 1.0));
    assert_ends(
        &results.call("report a b --output HERE"),
        0,
        &["side-by-side.html"],
    );
    let html = std::fs::read_to_string(results.folder.path().join("side-by-side.html"))
        .expect("it was written");
    assert!(html.contains("2 runs side by side"), "{html}");
}

#[test]
fn a_comparison_ends_with_0_3_or_4() {
    let results = Results::new();
    results.add("a", &steady(1, 1.0));
    results.add("same", &steady(2, 1.0));
    results.add("slow", &steady(3, 1.5));
    let mut short = steady(4, 1.0);
    short.tests[0].seconds.truncate(3);
    results.add("short", &short);
    let mut elsewhere = steady(5, 1.0);
    elsewhere.generator.cores = Some(64);
    results.add("elsewhere", &elsewhere);
    assert_ends(&results.call("compare a same"), 0, &["# ✓ No regression"]);
    assert_ends(
        &results.call("compare a slow"),
        3,
        &["# ✕ Regression", "| p50 | ✕ regression |"],
    );
    assert_ends(&results.call("compare a short"), 4, &["# ? Inconclusive"]);
    assert_ends(
        &results.call("compare a elsewhere"),
        2,
        &["cores: 2 against 64", "--force"],
    );
    assert_ends(
        &results.call("compare a elsewhere --force"),
        0,
        &["Compared despite a difference"],
    );
    assert_ends(
        &results.call("compare a slow --pr-comment"),
        3,
        &["<details>"],
    );
    let json = results.call("compare a slow --json");
    let value: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        (json.code, &value["outcome"]),
        (Some(3), &Value::from("regression"))
    );
}

#[test]
fn baselines_are_kept_put_in_force_and_never_changed() {
    let results = Results::new();
    results.add("a", &steady(1, 1.0));
    let mut later = steady(2, 1.15);
    later.began = "2026-09-01T00:00:00Z".to_owned();
    results.add("b", &later);
    let mut last = steady(3, 1.3);
    last.began = "2026-10-01T00:00:00Z".to_owned();
    results.add("c", &last);
    assert_ends(&results.call("baseline list"), 0, &["no baselines"]);
    assert_ends(
        &results.call("compare baseline a"),
        1,
        &["no baseline of acis on this testbed"],
    );
    assert_ends(&results.call("baseline save a --name first"), 0, &["first"]);
    assert_ends(
        &results.call("baseline save b --name first"),
        1,
        &["baselines are never changed"],
    );
    assert_ends(
        &results.call("baseline save b --name ../x"),
        1,
        &["is not a valid baseline name"],
    );
    assert_ends(&results.call("baseline save b"), 0, &["baselines"]);
    assert_ends(
        &results.call("baseline list"),
        0,
        &["* acis", "first", "  acis"],
    );
    assert_ends(&results.call("compare baseline c"), 3, &["baseline `a`"]);
    assert_ends(
        &results.call("baseline promote b"),
        0,
        &["b is the current baseline of acis"],
    );
    // Less than a fifth worse than the last one, more than a fifth worse than the oldest.
    let ended = results.call("compare baseline c");
    assert_ends(
        &ended,
        0,
        &[
            "baseline `b`",
            "Drift from the oldest baseline a: a regression",
        ],
    );
    let shown = results.call("baseline show first");
    assert_ends(
        &shown,
        0,
        &["processor AMD EPYC", "\"throughput\"", "\"p50\""],
    );
    let mut broken = steady(4, 1.0);
    broken.time_scale = 0.01;
    results.add("scaled", &broken);
    assert_ends(
        &results.call("baseline save scaled"),
        1,
        &["time scale of 0.01"],
    );
}

#[test]
fn an_edited_report_is_found_out() {
    let results = Results::new();
    let folder = results.add("a", &testing::whole());
    assert_ends(&results.call("report a --format html,csv"), 0, &[]);
    assert_ends(
        &results.call("verify a"),
        0,
        &["all fit", "There is no samples.csv"],
    );
    let path = folder.join("report.json");
    let text = std::fs::read_to_string(&path).expect("it is there");
    let mut run = record::read(&text).expect("a record");
    run.tests[1].seconds[300].p95_ms = Some(100.0);
    std::fs::write(&path, record::write(&run)).expect("a file");
    let ended = results.call("verify a");
    assert_ends(
        &ended,
        5,
        &["figures.csv: a / load / second / 300 / p95 / ms: is 100 in the record"],
    );
}

#[test]
fn ids_are_listed_and_explained() {
    let results = Results::new();
    results.add("a", &testing::whole());
    assert_ends(
        &results.call("explain a"),
        0,
        &["outcome\n", "load.p99_ms\n", "load.f1\n"],
    );
    assert_ends(
        &results.call("explain a load.p99_ms"),
        0,
        &["rule", "window", "computation", "wrong if"],
    );
    assert_ends(&results.call("explain a R-17"), 2, &["has no id `R-17`"]);
}

#[test]
fn the_seeds_script_for_regressions_takes_results_first() {
    let results = Results::new();
    let summary = |throughput: f64| {
        format!(
            "{{\"summary\": {{\"total_operations\": 1, \"success_rate\": 99.0, \"avg_throughput\": {throughput}, \
             \"max_throughput\": 60, \"avg_response_time\": 2.1, \"p95_response_time\": 4.8}}}}"
        )
    };
    let write = |name: &str, text: String| {
        let path = results.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let baseline = write("baseline.json", summary(50.0));
    let worse = write("worse.json", summary(30.0));
    let same = write("same.json", summary(49.0));
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/performance/check-performance-regression.py");
    let ends = |results: &Path| {
        let status = std::process::Command::new("python3")
            .arg(&script)
            .args([results, &baseline])
            .env("SPARRING", env!("CARGO_BIN_EXE_sparring"))
            .stdout(std::process::Stdio::null())
            .status();
        status.expect("python3 is there").code()
    };
    assert_eq!(ends(&worse), Some(3));
    assert_eq!(ends(&same), Some(0));
}

/// The baseline of a comparison stays in the run's folder, so that the document's view is the same when it is written
/// again.
#[test]
fn the_view_of_aiaas_is_beside_the_baseline_that_the_run_keeps() {
    let results = Results::new();
    let slow = steady(1, 1.5);
    let folder = results.add("slow", &slow);
    let message = || {
        assert_ends(
            &results.call("report slow --format aiaas"),
            0,
            &["aiaas.json"],
        );
        let text = std::fs::read_to_string(folder.join("aiaas.json")).expect("it was written");
        let view: Value = serde_json::from_str(&text).expect("JSON");
        view["regression"]["message"]
            .as_str()
            .expect("a message")
            .to_owned()
    };
    assert_eq!(message(), "No baseline metrics available");
    let baseline = report::view::baseline(&steady(2, 1.0)).expect("it has requests");
    let baseline = serde_json::to_vec(&baseline).expect("JSON");
    std::fs::write(folder.join("performance_baseline.json"), baseline).expect("a file");
    assert_eq!(message(), "Found 1 performance regressions");
    assert_ends(&results.call("verify slow"), 0, &["all fit"]);
}

/// Waits for a process. Returns its exit code, and its maximum resident memory in bytes. The figure of getrusage(2)
/// includes the memory of the process that started it.
fn ended_with_peak(mut child: std::process::Child) -> (Option<i32>, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kb = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let seen: Option<u64> =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak_kb = peak_kb.max(seen.unwrap_or(0));
        if let Some(ended) = child.try_wait().expect("it can be waited for") {
            return (ended.code(), 1024 * peak_kb);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// 10 000 endpoints, an hour, 10⁷ requests: at most 300 MB, and a page below 2 MB. `LARGE_REPORT=1` runs it; its time
/// is printed.
#[test]
fn the_report_of_a_large_run_keeps_its_bounds_of_memory_and_size() {
    if std::env::var_os("LARGE_REPORT").is_none() {
        eprintln!("skipped: LARGE_REPORT=1 makes and reports a run of 10 000 endpoints");
        return;
    }
    let results = Results::new();
    let run = testing::large(10_000);
    let requests: u64 = run.tests.iter().map(|test| test.figures.requests).sum();
    assert!(requests >= 10_000_000, "{requests}");
    let folder = results.add("large", &run);
    drop(run);
    let begun = std::time::Instant::now();
    let mut command = crate::binary::sparring();
    command
        .arg("report")
        .arg(&folder)
        .args(["--format", "html"]);
    let (code, peak) =
        ended_with_peak(command.spawn().expect("the binary was built for this test"));
    let page = std::fs::metadata(folder.join("report.html"))
        .expect("a page")
        .len();
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let took = begun.elapsed().as_secs_f64();
    eprintln!(
        "{took:.1} s, {:.0} MB at most, a page of {:.2} MB",
        mb(peak),
        mb(page)
    );
    assert_eq!(code, Some(0));
    assert!(peak > 10_000_000, "it was not seen");
    assert!(peak <= 300_000_000, "{} MB", mb(peak));
    assert!(page < 2_000_000, "{} MB", mb(page));
}
