//! The result file: `performance_test_results_<UTC time>.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::verdict::Verdict;

/// The content of the file. Success rates are ratios from 0 to 1, times are seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub test_suite: &'static str,
    /// When the report was made, RFC 3339.
    pub timestamp: String,
    pub summary: Summary,
    /// Each test by name, with its status and the measurements of each driver.
    pub results: Map<String, Value>,
}

/// Totals over all tests.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub total_tests: usize,
    pub passed: usize,
    pub failed: usize,
    pub success_rate: f64,
    pub duration_seconds: f64,
}

/// The measurements of each driver in a test.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// The summary data behind the verdict.
    pub k6: Value,
    /// Locust's own figures, with `--with-locust`.
    pub locust: Option<Value>,
}

/// A report or a journal cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {}", path.display())]
pub struct WriteError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

/// Writes a file whole or not at all: under a temporary name beside it, which then replaces the file. What is not a
/// regular file, such as a pipe, is written directly.
///
/// # Errors
/// It cannot be written; an earlier file of that name is unchanged.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let is_special = path.symlink_metadata().is_ok_and(|it| !it.is_file());
    let written = if is_special {
        fs::write(path, bytes)
    } else {
        prepare(path, bytes).and_then(Prepared::put)
    };
    written.map_err(|source| WriteError {
        path: path.to_owned(),
        source,
    })
}

/// A file under its temporary name, which is removed with the value.
#[derive(Debug)]
pub(crate) struct Prepared {
    temporary: PathBuf,
    path: PathBuf,
}

/// Writes the bytes under a temporary name; the folder is created if it is missing.
///
/// # Errors
/// They cannot be written; nothing is left.
pub(crate) fn prepare(path: &Path, bytes: &[u8]) -> io::Result<Prepared> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let last = path.file_name().unwrap_or_default().to_string_lossy();
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder)?;
    }
    // From here on, a part of the file is removed: it would occupy the rest of a full disk.
    let prepared = Prepared {
        temporary: folder.join(format!(".{last}")),
        path: path.to_owned(),
    };
    fs::write(&prepared.temporary, bytes)?;
    Ok(prepared)
}

impl Prepared {
    /// Gives the file its name.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub(crate) fn put(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.temporary));
    }
}

impl Report {
    /// An empty report, made now.
    pub fn new(now: Timestamp) -> Self {
        Self {
            test_suite: "detector_orchestration_performance",
            timestamp: now.to_string(),
            summary: Summary {
                total_tests: 0,
                passed: 0,
                failed: 0,
                success_rate: 0.0,
                duration_seconds: 0.0,
            },
            results: Map::new(),
        }
    }

    /// Adds a test that the load driver ran: its verdict and its measurements.
    pub fn add(&mut self, name: &str, verdict: &Verdict, measured: Results, took: Duration) {
        let thresholds: Vec<Value> = verdict
            .thresholds
            .iter()
            .map(|threshold| {
                json!({
                    "metric": threshold.metric,
                    "threshold": threshold.expression,
                    "measured": threshold.measured,
                    "ok": threshold.held,
                    "has_data": threshold.has_data,
                })
            })
            .collect();
        let passed = verdict.passed();
        let result = json!({
            "status": if passed { "success" } else { "failed" },
            "duration_seconds": took.as_secs_f64(),
            "thresholds": thresholds,
            "invalid_because": verdict.invalid_because,
            "k6_result": measured.k6,
            "locust_result": measured.locust,
        });
        self.results.insert(name.to_owned(), result);
        let summary = &mut self.summary;
        summary.total_tests += 1;
        summary.passed += usize::from(passed);
        summary.failed += usize::from(!passed);
        summary.success_rate = summary.passed as f64 / summary.total_tests as f64;
        summary.duration_seconds += took.as_secs_f64();
    }

    /// Writes the report into `folder`, which is created if it is missing, and returns the path.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn write(&self, folder: &Path, now: Timestamp) -> Result<PathBuf, WriteError> {
        let name = now.strftime("performance_test_results_%Y%m%dT%H%M%SZ.json");
        let path = folder.join(name.to_string());
        let fail = |source| WriteError {
            path: path.clone(),
            source,
        };
        let mut text =
            serde_json::to_string_pretty(self).map_err(|error| fail(io::Error::other(error)))?;
        text.push('\n');
        write_whole(&path, text.as_bytes())?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().expect("a valid time")
    }

    #[test]
    fn the_file_is_named_by_utc_time_and_counts_its_tests() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut report = Report::new(moment());
        let good = Verdict {
            thresholds: Vec::new(),
            invalid_because: Vec::new(),
        };
        let bad = Verdict {
            thresholds: Vec::new(),
            invalid_because: vec!["stopped".to_owned()],
        };
        report.add(
            "smoke",
            &good,
            Results {
                k6: json!({"metrics": {}}),
                locust: Some(json!({"status": "success"})),
            },
            Duration::from_secs(2),
        );
        report.add("load", &bad, Results::default(), Duration::from_secs(3));

        let path = report
            .write(&folder.path().join("new"), moment())
            .expect("writable");

        assert!(path.ends_with("new/performance_test_results_20260102T030405Z.json"));
        let text = std::fs::read_to_string(path).expect("readable");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            value["summary"],
            json!({
                "total_tests": 2, "passed": 1, "failed": 1, "success_rate": 0.5,
                "duration_seconds": 5.0,
            })
        );
        assert_eq!(value["timestamp"], "2026-01-02T03:04:05Z");
        assert_eq!(value["results"]["smoke"]["status"], "success");
        assert_eq!(
            value["results"]["smoke"]["locust_result"]["status"],
            "success"
        );
        assert_eq!(value["results"]["load"]["locust_result"], Value::Null);
        assert_eq!(value["results"]["load"]["invalid_because"][0], "stopped");
    }

    #[test]
    fn a_file_that_cannot_be_written_whole_leaves_the_earlier_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.json");
        write_whole(&path, b"one").expect("writable");
        // The temporary name is taken by a folder.
        fs::create_dir(folder.path().join(".a.json")).expect("writable");
        write_whole(&path, b"two").expect_err("it cannot be written");
        assert_eq!(fs::read(&path).expect("readable"), b"one");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = Report::new(moment())
            .write(Path::new("/dev/null/results"), moment())
            .expect_err("not a folder");
        assert!(error.to_string().contains("/dev/null/results"));
    }
}
