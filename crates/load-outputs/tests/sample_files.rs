//! The JSON and CSV outputs write the same as k6 for the same samples (`output/samples.js`).

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use load_engine::log::Logger;
use load_engine::options::{Options, Threshold};
use load_metrics::{Batch, Contains, Filter, Kind, Registry, Sample, Tags, UnixNanos};
use load_outputs::csv::{Config, Csv};
use load_outputs::json::Json;
use load_outputs::{Environment, Output, Outputs, RunEnd, Setup};
use serde_json::Value;

const K6_JSON: &str = include_str!("output/samples.json");
const K6_CSV: &str = include_str!("output/samples.csv");

#[test]
fn json_lines_are_those_of_k6() {
    let (setup, batch) = recorded();
    let file = write(&setup, batch, "out.json", |path| {
        Box::new(Json::in_zone(path, TimeZone::UTC))
    });
    same_lines(&String::from_utf8(file).unwrap(), K6_JSON);
}

#[test]
fn csv_lines_are_those_of_k6() {
    let (setup, batch) = recorded();
    let file = write(&setup, batch, "out.csv", |path| {
        csv(&format!("fileName={path}"))
    });
    same_lines(&String::from_utf8(file).unwrap(), K6_CSV);
}

#[test]
fn a_file_that_ends_in_gz_is_compressed() {
    let (setup, batch) = recorded();
    let file = write(&setup, batch, "out.csv.gz", csv);
    let mut text = String::new();
    flate2::read::GzDecoder::new(file.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    same_lines(&text, K6_CSV);
}

#[test]
fn without_a_file_lines_go_to_the_standard_output() {
    let stdout = Arc::new(Mutex::new(Vec::new()));
    let (mut setup, batch) = recorded();
    setup.stdout = Arc::clone(&stdout) as _;
    let output = Json::in_zone("", TimeZone::UTC);
    assert_eq!(output.description(), "json(stdout)");
    run(&setup, batch, Box::new(output));
    let text = String::from_utf8(stdout.lock().unwrap().clone()).unwrap();
    same_lines(&text, K6_JSON);
}

#[test]
fn csv_times_have_the_format_asked_for() {
    let formats = [
        ("unix", "1795223634"),
        ("unix_milli", "1795223634619"),
        ("unix_micro", "1795223634619955"),
        ("unix_nano", "1795223634619955127"),
        ("rfc3339", "2026-11-21T01:13:54Z"),
        ("rfc3339_nano", "2026-11-21T01:13:54.619955127Z"),
    ];
    for (format, time) in formats {
        let (setup, mut batch) = recorded();
        batch.truncate(1);
        batch[0].at = UnixNanos(1_795_223_634_619_955_127);
        let file = write(&setup, batch, "out.csv", |path| {
            csv(&format!("timeFormat={format},fileName={path}"))
        });
        let text = String::from_utf8(file).unwrap();
        assert_eq!(text.lines().nth(1).unwrap().split(',').nth(1), Some(time));
    }
}

#[test]
fn csv_settings_come_from_the_environment_and_over_it_from_the_argument() {
    let environment = [
        ("K6_CSV_FILENAME", "env.csv"),
        ("K6_CSV_SAVE_INTERVAL", "2s"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::from(environment);
    let config = Config::read("fileName=arg.csv", &environment).unwrap();
    assert_eq!(config.file_name, "arg.csv");
    assert_eq!(config.save_interval.as_secs(), 2);
    let config = Config::read("", &environment).unwrap();
    assert_eq!(config.file_name, "env.csv");
}

#[test]
fn wrong_csv_settings_are_refused_in_the_words_of_k6() {
    let faults = [
        ("timeFormat=bad", "bad does not belong to TimeFormat values"),
        ("bad=1", "unknown key \"bad\" as argument for csv output"),
        ("saveInterval=xx", "time: invalid duration \"xx\""),
        (
            "c.csv,timeFormat=unix",
            "couldn't parse \"c.csv,timeFormat=unix\" as argument for csv output",
        ),
    ];
    for (argument, why) in faults {
        let error = Config::read(argument, &Environment::new()).unwrap_err();
        let wanted = format!("could not create the 'csv' output: {why}");
        assert_eq!(error.to_string(), wanted);
    }
}

#[test]
fn a_file_that_cannot_be_opened_ends_the_run_before_it_begins() {
    let (setup, _) = recorded();
    let error = Json::new("/nowhere/a.json").start(&setup).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("open /nowhere/a.json: "), "{text}");
}

fn csv(argument: &str) -> Box<dyn Output> {
    let config = Config::read(argument, &Environment::new()).unwrap();
    Box::new(Csv::in_zone(config, TimeZone::UTC))
}

fn write(
    setup: &Setup,
    batch: Batch,
    name: &str,
    output: impl FnOnce(&str) -> Box<dyn Output>,
) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    run(setup, batch, output(path.to_str().unwrap()));
    std::fs::read(Path::new(&path)).unwrap()
}

fn run(setup: &Setup, batch: Batch, output: Box<dyn Output>) {
    let outputs = Outputs::start(vec![output], setup).unwrap();
    outputs.sink().offer(batch);
    let report = outputs.finish(RunEnd::default()).remove(0);
    assert!(report.error.is_none(), "{report:?}");
    assert_eq!(report.dropped_samples, 0);
}

fn same_lines(ours: &str, theirs: &str) {
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

/// The samples that k6 recorded, in this crate's types.
fn recorded() -> (Setup, Batch) {
    let registry = Registry::new();
    let mut thresholds = IndexMap::new();
    let mut batch = Vec::new();
    for line in K6_JSON.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["type"] == "Metric" {
            register(&registry, &mut thresholds, &line["data"]);
        } else {
            batch.push(sample(&registry, &line));
        }
    }
    let options = Options {
        thresholds: Some(thresholds),
        ..Options::default()
    };
    let setup = Setup {
        registry: Arc::new(registry),
        options: Arc::new(options),
        logger: Logger::silent(),
        standings: load_engine::Standings::default(),
        stdout: Arc::new(Mutex::new(Vec::new())),
    };
    (setup, batch)
}

fn register(
    registry: &Registry,
    thresholds: &mut IndexMap<String, Vec<Threshold>>,
    metric: &Value,
) {
    let name = metric["name"].as_str().unwrap();
    let kind = match metric["type"].as_str().unwrap() {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "rate" => Kind::Rate,
        _ => Kind::Trend,
    };
    let contains = match metric["contains"].as_str().unwrap() {
        "time" => Contains::Time,
        "data" => Contains::Data,
        _ => Contains::Default,
    };
    let parent = registry.register(name, kind, contains).unwrap();
    for sub in metric["submetrics"].as_array().into_iter().flatten() {
        let tags = sub["tags"].as_object().unwrap().iter();
        registry.register_filtered(Filter {
            parent,
            suffix: sub["suffix"].as_str().unwrap().to_owned(),
            tags: tags
                .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
        });
    }
    let all = metric["thresholds"].as_array().unwrap();
    thresholds.insert(name.to_owned(), all.iter().map(threshold).collect());
}

fn threshold(threshold: &Value) -> Threshold {
    let expression = threshold.as_str().or(threshold["threshold"].as_str());
    Threshold {
        expression: expression.unwrap().to_owned(),
        abort_on_fail: threshold["abortOnFail"].as_bool().unwrap_or_default(),
        delay_abort_eval: threshold["delayAbortEval"]
            .as_str()
            .map(|text| load_engine::options::duration::parse_extended(text).unwrap()),
    }
}

fn sample(registry: &Registry, point: &Value) -> Sample {
    let data = &point["data"];
    let at: jiff::Timestamp = data["time"].as_str().unwrap().parse().unwrap();
    Sample {
        metric: registry.find(point["metric"].as_str().unwrap()).unwrap().id,
        at: UnixNanos(i64::try_from(at.as_nanosecond()).unwrap()),
        value: data["value"].as_f64().unwrap(),
        tags: Arc::new(pairs(&data["tags"])),
        metadata: data.get("metadata").map(|all| Arc::new(pairs(all))),
    }
}

fn pairs(object: &Value) -> Tags {
    let pairs = object.as_object().unwrap().iter();
    pairs
        .map(|(key, value)| (key, value.as_str().unwrap()))
        .collect()
}
