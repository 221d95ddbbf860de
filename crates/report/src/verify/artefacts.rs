//! The files beside `report.json`: its sources, and the files derived from it.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Computed, Mismatch, Verified};
use crate::export::Format;
use crate::record::{Endpoint, RunRecord, TestRecord};
use crate::view::Baseline;

/// Maximum number of rows that are listed if a table differs; the rest is counted.
const NAMED: usize = 20;

/// The totals of one endpoint in the samples.
#[derive(Default)]
struct Sum {
    requests: u64,
    failures: u64,
    statuses: BTreeMap<String, u64>,
    max_ms: f64,
    mean_sum_ms: f64,
}

/// The columns of `samples.csv` that are used.
const COLUMNS: [&str; 9] = [
    "test", "method", "name", "class", "status", "failed", "requests", "mean_ms", "max_ms",
];

/// By test; within it by method, name, class.
type Sums = BTreeMap<String, BTreeMap<(String, String, String), Sum>>;

/// Compares counts, maximum and mean latencies of each endpoint with `samples.csv`.
pub fn samples(run: &RunRecord, file: &dyn Fn(&str) -> Option<Vec<u8>>, verified: &mut Verified) {
    let Some(bytes) = file("samples.csv") else {
        verified
            .remarks
            .push("There is no samples.csv: counts are checked within the record only.".to_owned());
        return;
    };
    let sums = match read(&bytes) {
        Ok(sums) => sums,
        Err(why) => {
            verified
                .remarks
                .push(format!("samples.csv is not read: {why}."));
            return;
        }
    };
    for (at, test) in run.tests.iter().enumerate() {
        match sums.get(&test.title()) {
            Some(of) => test_samples(test, of, &format!("tests[{at}]"), verified),
            None if test.figures.requests == 0 => {}
            None => {
                let title = test.title();
                verified
                    .remarks
                    .push(format!("samples.csv has nothing of {title}."));
            }
        }
    }
}

fn read(bytes: &[u8]) -> Result<Sums, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut at = [0; COLUMNS.len()];
    for (place, name) in at.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|column| column == name);
        *place = found.ok_or_else(|| format!("it has no column {name}"))?;
    }
    let mut sums = Sums::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let [
            test,
            method,
            name,
            class,
            status,
            failed,
            requests,
            mean,
            max,
        ] = at.map(|place| &row[place]);
        let key = (method.to_owned(), name.to_owned(), class.to_owned());
        let sum = sums
            .entry(test.to_owned())
            .or_default()
            .entry(key)
            .or_default();
        let requests: u64 = requests
            .parse()
            .map_err(|_| format!("`{requests}` is not a count"))?;
        let number = |text: &str| {
            text.parse::<f64>()
                .map_err(|_| format!("`{text}` is not a number"))
        };
        sum.requests += requests;
        if failed == "true" || failed == "1" {
            sum.failures += requests;
        }
        *sum.statuses.entry(status.to_owned()).or_default() += requests;
        sum.max_ms = sum.max_ms.max(number(max)?);
        sum.mean_sum_ms += number(mean)? * requests as f64;
    }
    Ok(sums)
}

fn test_samples(
    test: &TestRecord,
    sums: &BTreeMap<(String, String, String), Sum>,
    path: &str,
    verified: &mut Verified,
) {
    for (at, endpoint) in test.endpoints.iter().enumerate() {
        let path = format!("{path}.endpoints[{at}]");
        let class = endpoint.class.clone().unwrap_or_default();
        match sums.get(&(endpoint.method.clone(), endpoint.name.clone(), class)) {
            Some(sum) => endpoint_samples(endpoint, sum, &path, verified),
            None => verified.holds(&path, endpoint.figures.requests == 0, || {
                format!("{} {} has no samples", endpoint.method, endpoint.name)
            }),
        }
    }
    let sampled: u64 = sums.values().map(|sum| sum.requests).sum();
    let path = format!("{path}.figures.requests");
    verified.equal(&path, test.figures.requests, sampled, "its samples");
}

fn endpoint_samples(endpoint: &Endpoint, sum: &Sum, path: &str, verified: &mut Verified) {
    let figures = &endpoint.figures;
    verified.equal(
        &format!("{path}.figures.requests"),
        figures.requests,
        sum.requests,
        "its samples",
    );
    verified.equal(
        &format!("{path}.figures.failures"),
        figures.failures,
        sum.failures,
        "its samples",
    );
    for (status, times) in &endpoint.statuses {
        let sampled = sum.statuses.get(status).copied().unwrap_or(0);
        verified.equal(
            &format!("{path}.statuses.{status}"),
            *times,
            sampled,
            "its samples",
        );
    }
    if let Some(latency) = figures.latency.as_ref().filter(|_| sum.requests > 0) {
        // Three digits of a histogram, and three decimals of the file, in ms.
        let computed = |value: f64| Computed {
            value,
            slack: 0.003 + 0.001 / value.max(0.001),
            from: "its samples",
        };
        let mean = computed(sum.mean_sum_ms / sum.requests as f64);
        verified.close(&format!("{path}.figures.latency.mean"), latency.mean, &mean);
        let max = computed(sum.max_ms);
        verified.close(&format!("{path}.figures.latency.max"), latency.max, &max);
    }
}

/// Compares the plan's hash with `plan.json`.
pub fn plan(run: &RunRecord, file: &dyn Fn(&str) -> Option<Vec<u8>>, verified: &mut Verified) {
    let Some(bytes) = file("plan.json") else {
        verified
            .remarks
            .push("There is no plan.json: the plan's hash is not checked.".to_owned());
        return;
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Err(error) => verified
            .remarks
            .push(format!("plan.json is not JSON: {error}.")),
        Ok(plan) => {
            let digest = Sha256::digest(plan.to_string());
            let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            verified.equal(
                "plan_hash",
                run.plan_hash.as_str(),
                hash.as_str(),
                "plan.json",
            );
        }
    }
}

/// Derives files from the record again and compares them. For the long table, the differing figures are
/// listed.
pub fn rendered(run: &RunRecord, file: &dyn Fn(&str) -> Option<Vec<u8>>, verified: &mut Verified) {
    let baseline = file(Baseline::FILE).and_then(|bytes| Baseline::read(&bytes));
    for format in Format::ALL
        .into_iter()
        .filter(|format| *format != Format::Json)
    {
        for artefact in format.artefacts_beside(run, baseline.as_ref()) {
            let Some(found) = file(&artefact.name) else {
                continue;
            };
            verified.checked += 1;
            if found == artefact.bytes {
                continue;
            }
            if artefact.name == "figures.csv" {
                rows(&found, &artefact.bytes, verified);
            } else {
                verified.errors.push(Mismatch {
                    path: artefact.name,
                    text: "differs from the record: one of them was modified, or another version wrote it".to_owned(),
                });
            }
        }
    }
}

/// The rows of the long table that differ from the record's.
fn rows(found: &[u8], made: &[u8], verified: &mut Verified) {
    let (found, made) = (table(found), table(made));
    let mut differing = Vec::new();
    for (key, value) in &made {
        match found.get(key) {
            Some(other) if other == value => {}
            Some(other) => differing.push((
                key,
                format!("is {value} in the record, but was {other} when the table was written"),
            )),
            None => differing.push((
                key,
                format!("is {value} in the record, and not in the table"),
            )),
        }
    }
    for key in found.keys().filter(|key| !made.contains_key(*key)) {
        differing.push((key, "is in the table, and not in the record".to_owned()));
    }
    let rest = differing.len().saturating_sub(NAMED);
    for (key, text) in differing.into_iter().take(NAMED) {
        verified.errors.push(Mismatch {
            path: format!("figures.csv: {key}"),
            text,
        });
    }
    if rest > 0 {
        verified
            .remarks
            .push(format!("{rest} more rows of figures.csv differ."));
    }
}

/// The rows by all of their fields except the last. Equal keys are numbered.
fn table(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    for row in reader.records().flatten() {
        let fields: Vec<&str> = row.iter().collect();
        let Some((value, key)) = fields.split_last() else {
            continue;
        };
        let key: Vec<&str> = key
            .iter()
            .copied()
            .filter(|field| !field.is_empty())
            .collect();
        let mut key = key.join(" / ");
        while rows.contains_key(&key) {
            key.push('\'');
        }
        rows.insert(key, (*value).to_owned());
    }
    rows
}
