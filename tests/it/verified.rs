//! `sparring verify` on real runs: they are judged again from their evidence, and every edited number is named (N-12).

use std::collections::BTreeSet;
use std::path::Path;

use report::verify::{Verified, compare};
use serde_json::{Number, Value};

use crate::binary::{Ended, call};
use crate::suite_runs::{Bench, json};

fn verify(folder: &Path) -> Ended {
    call(["verify".to_owned(), folder.display().to_string()])
}

/// The run equals the result computed from its evidence, to the last digit.
pub fn assert_sound(folder: &Path) {
    let ended = verify(folder);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(0), "{said}");
    assert!(ended.stdout.contains("numbers recomputed"), "{said}");
    assert!(!ended.stdout.contains("no evidence"), "{said}");
}

/// Edits one number at a time, of each path that differs by more than its indexes, and expects its name.
pub fn assert_every_edit_is_named(folder: &Path) {
    let file = |name: &str| std::fs::read(folder.join(name)).ok();
    let again = suite::run::again(&file).expect("readable evidence");
    let again = report::record::write(&again.expect("evidence"));
    let again: Value = serde_json::from_str(&again).expect("JSON");
    let mut recorded = json(&folder.join("report.json"));
    let mut found = Vec::new();
    numbers(&recorded, String::new(), &mut found);
    let mut shapes = BTreeSet::new();
    found.retain(|pointer| shapes.insert(shape(pointer)));
    assert!(found.len() > 100, "{found:?}");
    let mut unnoticed = Vec::new();
    for pointer in found {
        let place = recorded.pointer_mut(&pointer).expect("it is there");
        let before = place.clone();
        *place = edited(&before);
        let mut verified = Verified::default();
        compare(&recorded, &again, &mut verified);
        let named: Vec<&str> = verified.errors.iter().map(|it| it.path.as_str()).collect();
        if named != [path(&recorded, &pointer)] {
            unnoticed.push((pointer.clone(), named.len()));
        }
        *recorded.pointer_mut(&pointer).expect("it is there") = before;
    }
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}

/// The smallest change that JSON can represent.
fn edited(number: &Value) -> Value {
    match (number.as_u64(), number.as_f64()) {
        (Some(count), _) => Value::from(count + 1),
        (None, Some(value)) => Number::from_f64(f64::from_bits(value.to_bits() + 4)).into(),
        (None, None) => panic!("{number} is not a number"),
    }
}

fn numbers(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(pointer),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                numbers(item, format!("{pointer}/{place}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                numbers(item, format!("{pointer}/{key}"), found);
            }
        }
        _ => {}
    }
}

/// The path without indexes.
fn shape(pointer: &str) -> String {
    let steps = pointer.split('/');
    let steps = steps.map(|step| match step.parse::<usize>() {
        Ok(_) => "0",
        Err(_) => step,
    });
    steps.collect::<Vec<&str>>().join("/")
}

/// A pointer as messages write it.
fn path(value: &Value, pointer: &str) -> String {
    let mut path = String::new();
    let mut value = value;
    for step in pointer.split('/').skip(1) {
        let key = step.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Array(items) => {
                path += &format!("[{key}]");
                value = &items[key.parse::<usize>().expect("an index")];
            }
            _ => {
                path += if path.is_empty() { "" } else { "." };
                path += &key;
                value = &value[&key];
            }
        }
    }
    path
}

/// Tests of each content: phases, a ladder, a search and samples.
fn lab() -> Bench {
    let bench = Bench::new();
    let words = ["smoke", "ladder", "search", "parts", "--time-scale", "0.02"];
    let ended = bench.run(&[&["lab.yaml"], &words[..]].concat());
    assert!(ended.stdout.contains("report: "), "{}", ended.stderr);
    bench
}

#[test]
fn every_number_of_a_run_of_a_shipped_system_is_computed_again() {
    let bench = Bench::new();
    bench.run(&["acis", "smoke", "--time-scale", "0.05"]);
    let folder = bench.run_folder();
    assert_sound(&folder);
    assert_every_edit_is_named(&folder);
}

#[test]
fn every_number_of_a_ladder_a_search_and_samples_is_computed_again() {
    let bench = lab();
    let folder = bench.run_folder();
    assert_sound(&folder);
    assert_every_edit_is_named(&folder);
    // Through the program: the exit code, and the path.
    let report = folder.join("report.json");
    let text = std::fs::read_to_string(&report).expect("readable");
    let whole = json(&report);
    for pointer in [
        "/duration_s",
        "/tests/0/figures/latency/standard_deviation",
        "/tests/0/figures/latency/intervals/p50/1",
        "/tests/0/phases/0/figures/seconds",
        "/tests/0/observed/generator/0/at_s",
        "/tests/0/endpoints/0/seconds/0/p95_ms",
        "/tests/1/phases/0/end_s",
        "/tests/2/analysis/search/passed",
        "/tests/0/k6_summary/metrics/iterations/values/count",
    ] {
        let mut edit = whole.clone();
        let place = edit
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("no {pointer}"));
        *place = edited(place);
        std::fs::write(&report, edit.to_string()).expect("writable");
        let ended = verify(&folder);
        assert_eq!(ended.code, Some(5), "{pointer}: {}", ended.stdout);
        let named = format!("{}: is ", path(&whole, pointer));
        assert!(ended.stdout.contains(&named), "{named} {}", ended.stdout);
    }
    // Measurements cannot be edited either.
    std::fs::write(&report, text).expect("writable");
    let evidence = whole["evidence"].as_object().expect("sums");
    assert_eq!(evidence.len(), 5, "{evidence:?}");
    for file in evidence.keys() {
        let path = folder.join(file);
        let bytes = std::fs::read(&path).expect("readable");
        std::fs::write(&path, [&bytes[..], b"\n"].concat()).expect("writable");
        let ended = verify(&folder);
        assert_eq!(ended.code, Some(5), "{file}: {}", ended.stdout);
        let said = format!("{file}: differs from the file that the run wrote");
        assert!(ended.stdout.contains(&said), "{}", ended.stdout);
        std::fs::remove_file(&path).expect("it is there");
        let ended = verify(&folder);
        assert_eq!(ended.code, Some(5), "{file}: {}", ended.stdout);
        std::fs::write(&path, bytes).expect("writable");
    }
    assert_sound(&folder);
}
