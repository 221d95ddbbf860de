//! Facts about a target beside the measurements of a test: its own bounds, and the previous run.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use jiff::Timestamp;
use report::RunRecord;
use report::record::TestRecord;
use report::view::Baseline;
use serde_json::Value;

use super::folder::Folder;
use super::job::Job;
use crate::file::Against;
use crate::judge::Slo;
use crate::plan::PlannedTest;

/// The rows of a system's components that declare all values.
pub fn slo(document: &Value) -> IndexMap<String, Slo> {
    let components = document["components"].as_object().into_iter().flatten();
    components
        .filter_map(|(name, component)| {
            let row = serde_json::from_value(component["slo"].clone()).ok()?;
            Some((name.clone(), row))
        })
        .collect()
}

/// The same test of the reference of relative bounds, at the same time scale.
pub fn previous(job: &Job<'_>, test: &PlannedTest) -> Option<TestRecord> {
    if test.judge.relative.is_empty() {
        return None;
    }
    let runs = match test.judge.against {
        Against::Previous => runs_before(job),
        Against::Baseline => baseline(job).into_iter().collect(),
    };
    let mut tests = runs.into_iter().flat_map(|run| run.tests);
    tests.find(|it| it.name == test.name && it.part == test.part && it.cell == test.cell)
}

/// The baseline in force for this suite on this testbed. A scaled run is never a baseline.
fn baseline(job: &Job<'_>) -> Option<RunRecord> {
    let of_this_run = Folder {
        path: PathBuf::new(),
        name: String::new(),
    };
    let this_run = super::empty_record(job, &of_this_run, Timestamp::now());
    let baseline = job.settings.baselines.in_force(&this_run)?;
    ((baseline.time_scale - this_run.time_scale).abs() < 1e-12).then_some(baseline)
}

/// The summary of the baseline in force for a run, for the views.
pub fn summary_of_baseline(job: &Job<'_>, run: &RunRecord) -> Option<Baseline> {
    let baseline = job.settings.baselines.in_force(run)?;
    report::view::baseline(&baseline)
}

/// The earlier complete runs of the same target, newest first.
fn runs_before(job: &Job<'_>) -> Vec<RunRecord> {
    let is_same = |record: &RunRecord| {
        record.complete
            && record.suite == job.plan.suite
            && record.target.name == job.target.name()
            && (record.time_scale - job.plan.time_scale).abs() < 1e-12
    };
    let mut runs: Vec<RunRecord> = runs(&job.settings.results)
        .into_iter()
        .filter(is_same)
        .collect();
    runs.sort_by(|a, b| b.began.cmp(&a.began));
    runs
}

/// The runs in a folder; unreadable ones are skipped. The run in progress is not complete.
fn runs(results: &Path) -> Vec<RunRecord> {
    let folders = std::fs::read_dir(results).into_iter().flatten().flatten();
    folders
        .filter_map(|folder| {
            let text = std::fs::read_to_string(folder.path().join("report.json")).ok()?;
            report::record::read(&text).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_come_from_the_components_that_state_them() {
        let row = json!({ "p50_ms": 50.0, "p95_ms": 100.0, "p99_ms": 200.0, "success": 0.999 });
        let rows = slo(&json!({ "components": {
            "router": { "slo": row }, "half": { "slo": { "p50_ms": 1.0 } }, "none": {},
        }}));
        assert_eq!(rows.len(), 1);
        assert!((rows["router"].p99_ms - 200.0).abs() < 1e-9);
        assert!(slo(&Value::Null).is_empty());
    }
}
