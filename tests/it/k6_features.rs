//! `k6 features`, and what each feature changes, however it is turned on.

use std::path::Path;

use serde_json::Value;

use crate::binary::Ended;
use crate::k6_command::{folder_with, k6};

/// Logs whether `__ENV` can be changed, and makes samples.
const SCRIPT: &str = "
    import { Trend } from 'k6/metrics';
    const trend = new Trend('odd');
    export const options = { tags: { both: 'script', own: 'script' } };
    export default function () {
      [1000.123, 1234.5678, 2000].forEach((value) => trend.add(value));
      try { __ENV.CHANGED = 'yes'; } catch (error) { console.log(error.name); }
      console.log(`changed: ${__ENV.CHANGED}`);
    }
    export const handleSummary = (data) => ({ stdout: `med ${data.metrics.odd.values.med}\\n` });
";

struct Seen {
    ended: Ended,
    /// The tags of the first sample of `odd`.
    tags: Value,
}

fn run(flags: &[&str], variable: Option<&str>, file: &str) -> Seen {
    let folder = folder_with(&[("x.js", SCRIPT), ("config.json", file)]);
    let mut command = k6(folder.path());
    command.args([
        "run",
        "--quiet",
        "-c",
        "config.json",
        "-o",
        "json=samples.json",
    ]);
    command.args(flags).arg("x.js").env_remove("K6_FEATURES");
    command.envs(variable.map(|names| ("K6_FEATURES", names)));
    let output = command
        .output()
        .expect("the binary was built for this test");
    Seen {
        ended: Ended::from(output),
        tags: tags(&folder.path().join("samples.json")),
    }
}

fn tags(samples: &Path) -> Value {
    let text = std::fs::read_to_string(samples).expect("samples were written");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut points = lines.filter(|line| line["type"] == "Point" && line["metric"] == "odd");
    points.next().expect("there is a sample")["data"]["tags"].clone()
}

#[test]
fn features_are_listed() {
    let folder = folder_with(&[]);
    let listed = |flags: &[&str]| {
        let output = k6(folder.path()).arg("features").args(flags).output();
        let ended = Ended::from(output.expect("the binary was built for this test"));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        ended.stdout
    };
    let names = ["native-histograms", "merge-run-tags", "freeze-env"];
    let table = listed(&[]);
    let first_words: Vec<&str> = table
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(first_words, [&["FEATURE"], &names[..]].concat());
    let json: Value = serde_json::from_str(&listed(&["--json"])).expect("JSON");
    let all = json.as_array().expect("a list");
    let found: Vec<_> = all
        .iter()
        .map(|one| one["feature"].as_str().expect("text"))
        .collect();
    assert_eq!(found, names);
    assert!(
        all.iter()
            .all(|one| one["lifecycle"] == "Experimental" && one["description"].is_string())
    );
}

#[test]
fn without_features_a_run_is_as_before() {
    let seen = run(&["--tag", "both=flag"], None, "{}");
    assert_eq!(seen.ended.code, Some(0), "{}", seen.ended.stderr);
    assert!(
        seen.ended.stderr.contains("changed: yes"),
        "{}",
        seen.ended.stderr
    );
    assert_eq!(seen.ended.stdout, "med 1234.5678\n");
    assert_eq!(seen.tags["both"], "flag");
    let tags = seen.tags.as_object().expect("tags");
    assert!(
        !tags
            .keys()
            .any(|name| name == "own" || name.starts_with("k6_feature")),
        "{tags:?}"
    );
}

#[test]
fn features_change_a_run_and_mark_its_samples() {
    let histograms = run(&["--features", "native-histograms"], None, "{}");
    assert_ne!(histograms.ended.stdout, "med 1234.5678\n");
    let med: f64 = histograms
        .ended
        .stdout
        .trim_start_matches("med ")
        .trim()
        .parse()
        .expect("a number");
    assert!((med / 1234.5678 - 1.0).abs() < 0.001, "{med}");
    assert_eq!(histograms.tags["k6_feature_native_histograms"], "true");

    let merged = run(
        &["--features", "merge-run-tags", "--tag", "both=flag"],
        None,
        "{}",
    );
    assert_eq!(
        (&merged.tags["both"], &merged.tags["own"]),
        (&"flag".into(), &"script".into())
    );
    assert_eq!(merged.tags["k6_feature_merge_run_tags"], "true");

    let frozen = run(&["--features", "freeze-env"], None, "{}");
    let log = &frozen.ended.stderr;
    assert!(
        log.contains("TypeError") && log.contains("changed: undefined"),
        "{log}"
    );
    assert_eq!(frozen.tags["k6_feature_freeze_env"], "true");
}

#[test]
fn flags_win_over_the_variable_and_that_over_the_file() {
    let file = r#"{"features": ["freeze-env"]}"#;
    let on = |seen: &Seen| {
        let tags = seen.tags.as_object().expect("tags");
        let names = tags
            .keys()
            .filter_map(|name| name.strip_prefix("k6_feature_"));
        names.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(on(&run(&[], None, file)), "freeze_env");
    assert_eq!(
        on(&run(&[], Some("merge-run-tags"), file)),
        "merge_run_tags"
    );
    let flags = ["--features", "freeze-env, native-histograms"];
    assert_eq!(
        on(&run(&flags, Some("merge-run-tags"), file)),
        "freeze_env native_histograms"
    );
}

#[test]
fn an_unknown_feature_of_a_variable_or_a_file_is_told_and_left_out() {
    let by_variable = run(&[], Some("nope,freeze-env"), "{}");
    let by_file = run(&[], None, r#"{"features": ["nope", "freeze-env"]}"#);
    for seen in [by_variable, by_file] {
        assert_eq!(seen.ended.code, Some(0));
        let told = "level=error msg=\"unknown feature 'nope' is not applied; known: native-histograms, merge-run-tags, freeze-env\"";
        assert!(seen.ended.stderr.contains(told), "{}", seen.ended.stderr);
        assert_eq!(seen.tags["k6_feature_freeze_env"], "true");
    }
}

#[test]
fn an_unknown_feature_of_a_flag_is_refused() {
    let folder = folder_with(&[("x.js", SCRIPT)]);
    for name in ["run", "archive", "inspect"] {
        let mut command = k6(folder.path());
        command.args([name, "--features", "freeze-env,nope", "x.js"]);
        let output = command
            .output()
            .expect("the binary was built for this test");
        let ended = Ended::from(output);
        assert_eq!(ended.code, Some(104), "{name}: {}", ended.stderr);
        let told = "unknown feature 'nope' in --features; known: native-histograms, merge-run-tags, freeze-env";
        assert!(ended.stderr.contains(told), "{name}: {}", ended.stderr);
        assert!(!ended.stderr.contains("changed:"), "it has not run");
    }
}
