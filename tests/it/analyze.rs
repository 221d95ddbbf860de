//! `sparring analyze` and `sparring changepoints`: files in, findings and exit codes out.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::binary::{Ended, call, sparring};

/// Calls the binary on a file with this content; FILE in the arguments is its path.
fn analyze(arguments: &[&str], content: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("data.csv");
    std::fs::write(&path, content).expect("the folder is writable");
    call(with_file(arguments, &path))
}

fn with_file(arguments: &[&str], path: &Path) -> Vec<String> {
    arguments
        .iter()
        .map(|argument| match *argument {
            "FILE" => path.display().to_string(),
            other => other.to_owned(),
        })
        .collect()
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", ended.stdout, ended.stderr))
}

fn assert_shows(ended: &Ended, expected: &[&str]) {
    for text in expected {
        assert!(
            ended.stdout.contains(text),
            "no {text:?} in {}{}",
            ended.stdout,
            ended.stderr
        );
    }
}

/// SPEC SDM91 of R's package usl.
const SPECSDM91: &str = "\
load,throughput
1,64.9
18,995.9
36,1652.4
72,1853.2
108,1828.9
144,1775.0
216,1702.2
";

#[test]
fn a_scalability_law_is_fitted_as_r_does_and_its_marks_are_within_the_data() {
    let ended = analyze(&["analyze", "scaling", "FILE"], SPECSDM91);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_shows(
        &ended,
        &[
            "alpha    0.02773",
            "peak     1884 at load 96.52\n",
            "ceiling  3246",
            "optimal  1542 at load 36.06",
            "knee     load 36",
        ],
    );
    let found = json(&analyze(
        &["analyze", "scaling", "FILE", "--json"],
        SPECSDM91,
    ));
    let beta = found["usl"]["beta"]["estimate"].as_f64().expect("a number");
    assert!((beta - 1.043_658e-4).abs() < 1e-9, "{found}");
    assert_eq!(found["usl"]["peak"]["extrapolated"], false);
    assert_eq!(found["points"].as_array().map(Vec::len), Some(7));
    assert_eq!(found["ladder"], Value::Null);
}

#[test]
fn a_peak_beyond_the_data_is_called_extrapolated() {
    let six = "processors;ops\n1;20\n4;78\n8;130\n12;170\n16;190\n20;200\n";
    let ended = analyze(&["analyze", "scaling", "FILE", "--throughput", "ops"], six);
    assert_shows(
        &ended,
        &["at load 24.49, extrapolated beyond the largest load of 20"],
    );
}

#[test]
fn a_ladder_with_success_rates_has_its_figures() {
    let ladder = "users,throughput,success_rate,mean_response\n\
                  10,10,1,100\n20,20,1,100\n40,32,1,120\n80,36,0.9,400\n";
    let found = json(&analyze(&["analyze", "scaling", "FILE", "--json"], ladder));
    assert_eq!(found["ladder"]["max_stable_users"], 40.0);
    assert_eq!(found["ladder"]["retention"], 0.8);
    let point = found["ladder"]["saturation_point"].as_f64();
    assert!(
        point.is_some_and(|point| (point - 30.0).abs() < 1e-9),
        "{found}"
    );
}

#[test]
fn all_errors_of_a_file_come_at_once_with_their_lines() {
    let ended = analyze(
        &["analyze", "scaling", "FILE"],
        "# ladder\nusers,rps\n1,20\nfour,78\n8,\n",
    );
    assert_eq!(ended.code, Some(1));
    for expected in [
        "has 2 errors",
        "line 4: users: `four` is not a finite number",
        "line 5: rps: the cell is empty; a number is expected",
    ] {
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    let ended = analyze(&["analyze", "scaling", "FILE"], "a,b\n1,2\n");
    assert!(ended.stderr.contains("it has a, b"), "{}", ended.stderr);
    let ended = analyze(&["analyze", "scaling", "FILE"], "users,rps\n1,2\n2,3\n");
    assert!(
        ended.stderr.contains("at least 4 are needed"),
        "{}",
        ended.stderr
    );
    let ended = call(["analyze", "scaling", "no/such/file.csv"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("cannot read no/such/file.csv"));
}

#[test]
fn standard_input_is_read() {
    let mut child = sparring()
        .args(["analyze", "scaling", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin
        .write_all(SPECSDM91.as_bytes())
        .expect("the process reads");
    drop(stdin);
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert_shows(&ended, &["-: 7 points", "load 96.52"]);
}

/// Three hours in minutes: memory that leaks one megabyte a minute, constant descriptors, heap as a
/// sawtooth.
fn resources() -> String {
    let mut file = "time_s,rss_mb,fds,heap_mb,host\n".to_owned();
    for minute in 0..180u32 {
        let noise = f64::from(minute.wrapping_mul(2_654_435_769) >> 20) / 1024.0;
        let row = (
            minute * 60,
            500.0 + f64::from(minute) + noise,
            80 + minute % 3,
            300 + 10 * (minute % 15),
        );
        writeln!(file, "{},{},{},{},a", row.0, row.1, row.2, row.3).expect("a string grows");
    }
    file
}

#[test]
fn a_leak_is_measured_and_ends_with_99() {
    let ended = analyze(
        &["analyze", "soak", "FILE", "--limit", "rss_mb=4096"],
        &resources(),
    );
    assert_eq!(ended.code, Some(99), "{}", ended.stderr);
    assert_shows(
        &ended,
        &[
            "rss_mb: LEAK",
            "fds: no leak",
            "heap_mb: no leak",
            "reaches 4096 in",
        ],
    );
    let found = json(&analyze(
        &[
            "analyze",
            "soak",
            "FILE",
            "--json",
            "--limit",
            "rss_mb=4096",
        ],
        &resources(),
    ));
    let rss = &found["series"][0];
    let slope = rss["slope"].as_f64().expect("a number");
    assert!((60.0 * slope - 1.0).abs() < 0.1, "{rss}");
    let left = rss["time_to_limit"]["expected"].as_f64().expect("a number");
    assert!((left / 60.0 - 3416.0).abs() < 341.0, "{rss}");
    assert_eq!(found["series"][2]["floors"], 11);
}

#[test]
fn a_series_without_a_leak_ends_with_0_and_unclear_ones_with_4() {
    let ended = analyze(
        &["analyze", "soak", "FILE", "--series", "fds"],
        &resources(),
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_shows(&ended, &["would have been detected"]);
    let mut two_teeth = "t,heap\n".to_owned();
    for i in 0..90 {
        writeln!(two_teeth, "{i},{}", 10 * (i % 40)).expect("a string grows");
    }
    let ended = analyze(&["analyze", "soak", "FILE"], &two_teeth);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
}

#[test]
fn a_warm_up_is_cut_off_and_odd_options_are_refused() {
    let mut file = "time_s,rss\n".to_owned();
    for i in 0..200 {
        let value = if i < 60 { i * 10 } else { 600 + i % 3 };
        writeln!(file, "{i},{value}").expect("a string grows");
    }
    let ended = analyze(&["analyze", "soak", "FILE", "--warm-up", "60"], &file);
    assert_shows(&ended, &["rss: no leak"]);
    let ended = analyze(&["analyze", "soak", "FILE", "--warm-up", "900"], &file);
    assert!(
        ended.stderr.contains("longer than the run"),
        "{}",
        ended.stderr
    );
    let ended = analyze(&["analyze", "soak", "FILE", "--limit", "rss"], &file);
    assert_eq!(ended.code, Some(2));
    let ended = analyze(&["analyze", "soak", "FILE", "--limit", "fds=3"], &file);
    assert!(ended.stderr.contains("no column fds"), "{}", ended.stderr);
}

#[test]
fn capacity_names_the_bottleneck_long_before_it_is_busy() {
    let mut file = "users,throughput,cpu,disk_busy,passed\n".to_owned();
    for (users, wobble) in [
        (5, 1.02),
        (10, 0.98),
        (20, 1.01),
        (30, 0.99),
        (40, 1.0),
        (50, 1.01),
    ] {
        let x = f64::from(users);
        let (cpu, disk) = (x * 0.004 * wobble, x * 0.010 * wobble);
        writeln!(file, "{users},{x},{cpu},{disk},{}", users < 40).expect("a string grows");
    }
    let ended = analyze(&["analyze", "capacity", "FILE"], &file);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_shows(
        &ended,
        &[
            "The bottleneck is disk_busy",
            "slo             30 (30 to 40)",
            "extrapolated beyond 50",
        ],
    );
    let found = json(&analyze(&["analyze", "capacity", "FILE", "--json"], &file));
    assert_eq!(found["bottleneck"], "disk_busy");
    let estimates = found["estimates"].as_array().expect("a list");
    let demand = estimates
        .iter()
        .find(|estimate| estimate["method"] == "service_demand")
        .expect("the disk follows the load");
    let limit = demand["throughput"].as_f64().expect("a number");
    assert!((95.0..105.0).contains(&limit), "{demand}");
    assert_eq!(demand["extrapolated"], true);
}

#[test]
fn capacity_says_why_an_estimate_is_missing() {
    let ended = analyze(&["analyze", "capacity", "FILE"], SPECSDM91);
    assert_shows(
        &ended,
        &[
            "slo             none: no column passed",
            "service_demand  none: no column with a busy share",
            "usl_peak        1884 at load 96.52",
            "knee            1652 at load 36",
            "differ by a factor of 1.14",
        ],
    );
    let odd = "throughput,passed\n1,true\n2,maybe\n";
    let ended = analyze(&["analyze", "capacity", "FILE"], odd);
    assert!(
        ended
            .stderr
            .contains("line 3: passed: `maybe` is neither true nor false"),
        "{}",
        ended.stderr
    );
}

/// Two metrics of Apache Otava's tests: the first halves at run 6, the second falls at run 4.
const HISTORY: &str = "\
commit,p95_ms,throughput
c0,1.02,2.02
c1,0.95,2.03
c2,0.99,2.01
c3,1.00,2.04
c4,1.12,1.82
c5,0.90,1.85
c6,0.50,1.79
c7,0.51,1.81
c8,0.48,1.80
c9,0.48,1.76
c10,0.55,1.78
";

#[test]
fn a_history_changes_where_otava_says() {
    let found = json(&analyze(&["changepoints", "FILE", "--json"], HISTORY));
    let points = |series: usize| &found["series"][series]["change_points"];
    assert_eq!(points(0)[0]["index"], 6);
    assert_eq!(points(0)[0]["label"], "c6");
    assert_eq!(points(0)[0]["line"], 8);
    assert_eq!(points(1)[0]["label"], "c4");
    assert_eq!(points(1).as_array().map(Vec::len), Some(1));
    let ended = analyze(&["changepoints", "FILE"], HISTORY);
    assert_eq!(ended.code, Some(0));
    assert_shows(&ended, &["p95_ms: 1 change point\n", "c6  -49.4 %"]);
}

/// An outlier changes nothing; it is detected within its own segment, whatever the levels of the others.
#[test]
fn outliers_of_a_history_are_named_and_change_nothing() {
    let value = |run: u32| match run {
        7 => 260,
        ..20 => 100 + run * 7 % 5,
        _ => 150 + run * 7 % 5,
    };
    let rows: String = (0..40)
        .map(|run| format!("r{run},{}\n", value(run)))
        .collect();
    let history = format!("run,p95_ms\n{rows}");
    let found = json(&analyze(&["changepoints", "FILE", "--json"], &history));
    let series = &found["series"][0];
    let labels = |key: &str| -> Vec<Value> {
        let all = series[key].as_array().expect("a list");
        all.iter().map(|one| one["label"].clone()).collect()
    };
    assert_eq!(labels("change_points"), ["r20"]);
    assert_eq!(labels("outliers"), ["r7"]);
    let ended = analyze(&["changepoints", "FILE"], &history);
    assert_shows(&ended, &["r7  260.000000 is an outlier\n"]);
}

#[test]
fn a_regression_within_the_newest_runs_ends_with_3() {
    let code = |arguments: &[&str]| {
        let mut all = vec!["changepoints", "FILE"];
        all.extend(arguments);
        analyze(&all, HISTORY).code
    };
    assert_eq!(code(&["--within", "7", "--worse", "smaller"]), Some(3));
    assert_eq!(code(&["--within", "4", "--worse", "smaller"]), Some(0));
    // Both series fall, so none became larger.
    assert_eq!(code(&["--within", "11"]), Some(0));
    assert_eq!(code(&["--series", "p95_ms", "--window", "1"]), Some(1));
}

/// Known change points remain when runs are appended, and are not mixed with another history.
#[test]
fn known_change_points_stay_when_runs_are_appended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, known) = (
        folder.path().join("h.csv"),
        folder.path().join("known.json"),
    );
    let known_text = known.display().to_string();
    let look = |rows: usize, more: &[&str]| {
        let lines: Vec<&str> = HISTORY.trim().lines().take(1 + rows).collect();
        std::fs::write(&path, lines.join("\n")).expect("writable");
        let mut all = vec!["changepoints", "FILE", "--json", "--known", &known_text];
        all.extend(more);
        call(with_file(&all, &path))
    };
    let rows = HISTORY.trim().lines().count() - 1;
    let mut found = Vec::new();
    for upto in rows - 2..=rows {
        found = json(&look(upto, &[]))["series"][0]["change_points"]
            .as_array()
            .cloned()
            .expect("a list");
    }
    assert_eq!((found.len(), &found[0]["label"]), (1, &"c6".into()));
    let other = look(rows, &["--window", "20"]);
    assert_eq!(other.code, Some(1), "{}", other.stdout);
    assert!(
        other.stderr.contains("are known for --window 50"),
        "{}",
        other.stderr
    );
    let shorter = look(3, &[]);
    assert_eq!(shorter.code, Some(1), "{}", shorter.stdout);
    assert!(
        shorter.stderr.contains("differ from those with known"),
        "{}",
        shorter.stderr
    );
}

#[test]
fn the_help_of_every_analysis_has_examples() {
    for command in [
        &["analyze", "scaling"][..],
        &["analyze", "soak"],
        &["analyze", "capacity"],
        &["changepoints"],
    ] {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let ended = call(&arguments);
        assert_eq!(ended.code, Some(0));
        assert_shows(
            &ended,
            &["Examples:", &format!("sparring {}", command.join(" "))],
        );
    }
    // The exit codes are part of the help.
    assert_shows(
        &call(["analyze", "soak", "--help"]),
        &["99 at least one leak"],
    );
    assert_shows(
        &call(["changepoints", "--help"]),
        &["Exit codes: 0 no series became worse"],
    );
    assert_shows(
        &call(["--help"]),
        &["Analyse measurements in a CSV file", "Find where a history"],
    );
}
