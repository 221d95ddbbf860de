//! The folder of a run: plan, record, histograms and samples.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use interval_log::{IntervalLog, Key};
use jiff::Timestamp;
use report::RunRecord;
use report::view::Baseline;
use serde::Serialize;
use serde_json::Value;

use super::evidence;
use super::measure::{Store, histogram};
use crate::file::View;
use crate::plan::Plan;
use crate::report::{WriteError, prepare, write_whole};

/// Readers of `.hlog` files expect the maximum in milliseconds.
const MICROS_PER_MS: f64 = 1000.0;
/// Maximum number of endpoints of a test with a histogram log.
const MOST_LOGS: usize = 200;

/// The output folder of a run.
#[derive(Debug, Clone)]
pub struct Folder {
    pub path: PathBuf,
    /// The name of the folder, which is the name of the run.
    pub name: String,
}

/// The command line of a run, in its folder: `--resume` repeats it.
pub const COMMAND: &str = "command.json";
/// The record of a run.
const RECORD: &str = "report.json";

impl Folder {
    /// The existing folder of a run.
    pub fn open(path: &Path) -> Self {
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = whole.file_name().unwrap_or_default();
        Self {
            path: path.to_owned(),
            name: name.to_string_lossy().into_owned(),
        }
    }

    /// Creates `results/<UTC>-<suite>`; a number is added if the name is taken.
    ///
    /// # Errors
    /// It cannot be created or written to.
    pub fn make(results: &Path, suite: &str, now: Timestamp) -> Result<Self, WriteError> {
        let stem = format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), file_name(suite));
        let made = fs::create_dir_all(results).and_then(|()| {
            let names =
                std::iter::once(stem.clone()).chain((2..100).map(|n| format!("{stem}-{n}")));
            let mut taken = io::Error::other("a hundred run folders of this second exist");
            for name in names {
                match fs::create_dir(results.join(&name)) {
                    Ok(()) => return Ok(name),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
                    Err(error) => return Err(error),
                }
            }
            Err(taken)
        });
        let name = made.map_err(|source| WriteError {
            path: results.join(&stem),
            source,
        })?;
        Ok(Self {
            path: results.join(&name),
            name,
        })
    }

    /// Writes `plan.json`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_plan(&self, plan: &Plan) -> Result<(), WriteError> {
        self.write_json("plan.json", plan).map(drop)
    }

    /// Writes `command.json`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_command(&self, command: &impl Serialize) -> Result<(), WriteError> {
        self.write_json(COMMAND, command).map(drop)
    }

    /// Removes from `samples.csv` the lines of a test that runs again.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn forget_samples(&self, test: &str) -> Result<(), WriteError> {
        let path = self.path.join("samples.csv");
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(());
        };
        let begin = format!("{},", cell(test));
        let kept = text
            .split_inclusive('\n')
            .filter(|line| !line.starts_with(&begin));
        let kept: String = kept.collect();
        write_whole(&path, kept.as_bytes())
    }

    /// Writes `report.json` and the evidence of the run, which has its sum in the record: both, or neither.
    ///
    /// # Errors
    /// One of them cannot be written; those of an earlier state remain.
    pub fn write_record(&self, record: &RunRecord, evidence: &[u8]) -> Result<(), WriteError> {
        let record = self.json(RECORD, record)?;
        let fail = |name: &str, source| WriteError {
            path: self.path.join(name),
            source,
        };
        let files = [(evidence::RUN, evidence), (RECORD, record.as_slice())];
        let mut prepared = Vec::new();
        for (name, bytes) in files {
            let file = prepare(&self.path.join(name), bytes).map_err(|error| fail(name, error))?;
            prepared.push((name, file));
        }
        prepared
            .into_iter()
            .try_for_each(|(name, file)| file.put().map_err(|error| fail(name, error)))
    }

    /// Removes the reports that [`write_views`](Self::write_views) writes for this record.
    pub fn remove_views(&self, record: &RunRecord, views: &[View]) {
        let artefacts = views
            .iter()
            .flat_map(|view| view.format().artefacts_beside(record, None));
        for artefact in artefacts {
            drop(fs::remove_file(self.path.join(&artefact.name)));
        }
    }

    /// The files of the run, by their names.
    pub fn files(&self) -> Vec<String> {
        let in_folder = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
        let is_file = |entry: &fs::DirEntry| entry.path().is_file();
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let own = in_folder(self.path.clone()).filter(is_file).map(name);
        let evidence = in_folder(self.path.join("evidence")).filter(is_file);
        let evidence = evidence.map(|entry| format!("evidence/{}", name(entry)));
        let mut names: Vec<String> = own.chain(evidence).collect();
        names.sort();
        names
    }

    /// Writes the journal of a drill.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_journal(&self, drill: &str, journal: &Value) -> Result<(), WriteError> {
        self.write_json(&format!("{}.journal.json", file_name(drill)), journal)
            .map(drop)
    }

    /// Writes a record in the formats that a suite requests. The reference of a comparison is stored beside it, so that
    /// it can be written again.
    ///
    /// # Errors
    /// A view cannot be written.
    pub fn write_views(
        &self,
        record: &RunRecord,
        views: &[View],
        baseline: Option<&Baseline>,
    ) -> Result<(), WriteError> {
        if let Some(baseline) = baseline.filter(|_| views.contains(&View::Aiaas)) {
            self.write_json(Baseline::FILE, baseline)?;
        }
        let artefacts = views
            .iter()
            .flat_map(|view| view.format().artefacts_beside(record, baseline));
        for artefact in artefacts {
            self.write_bytes(&artefact.name, &artefact.bytes)?;
        }
        Ok(())
    }

    /// Writes a value as JSON, and logs that.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<Vec<u8>, WriteError> {
        let bytes = self.json(name, value)?;
        self.write_bytes(name, &bytes)?;
        Ok(bytes)
    }

    /// The text of a JSON file.
    ///
    /// # Errors
    /// The value has no JSON.
    pub fn json(&self, name: &str, value: &impl Serialize) -> Result<Vec<u8>, WriteError> {
        let text = serde_json::to_string_pretty(value).map_err(|error| WriteError {
            path: self.path.join(name),
            source: io::Error::other(error),
        })?;
        Ok(format!("{text}\n").into_bytes())
    }

    /// Writes a file, whose folder is created if it is missing.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        // A reader sees the old or the new content, never a part.
        write_whole(&self.path.join(name), bytes)
    }

    /// Adds a test's requests to `samples.csv`: one line for each second, endpoint, class and status.
    ///
    /// # Errors
    /// It cannot be written; the file is as before.
    pub fn append_samples(&self, test: &str, store: &Store) -> Result<(), WriteError> {
        let path = self.path.join("samples.csv");
        let before = fs::metadata(&path).ok().map(|it| it.len());
        let written = || -> io::Result<()> {
            let is_new = before.is_none();
            let file = File::options().create(true).append(true).open(&path)?;
            let mut out = BufWriter::new(file);
            if is_new {
                writeln!(
                    out,
                    "test,second,method,name,class,status,failed,requests,mean_ms,max_ms"
                )?;
            }
            for (second, series, micros) in store.cells() {
                let sum: f64 = micros.iter().map(|value| f64::from(*value)).sum();
                let max = micros.iter().max().copied().unwrap_or_default();
                let series = store.series(series);
                writeln!(
                    out,
                    "{},{second},{},{},{},{},{},{},{:.3},{:.3}",
                    cell(test),
                    cell(&series.method),
                    cell(&series.name),
                    cell(series.class.as_deref().unwrap_or_default()),
                    series.status,
                    series.failed,
                    micros.len(),
                    sum / micros.len().max(1) as f64 / MICROS_PER_MS,
                    f64::from(max) / MICROS_PER_MS,
                )?;
            }
            out.flush()
        };
        written().map_err(|source| {
            match before {
                None => drop(fs::remove_file(&path)),
                Some(length) => {
                    let file = File::options().write(true).open(&path);
                    drop(file.and_then(|file| file.set_len(length)));
                }
            }
            WriteError {
                path: path.clone(),
                source,
            }
        })
    }

    /// Writes a log of histograms, one each second, for each endpoint and class of a test: microseconds,
    /// HDR V2 deflate, as HdrHistogram's own tools read it.
    ///
    /// # Errors
    /// A log cannot be written.
    pub fn write_logs(&self, test: &str, store: &Store, began: f64) -> Result<(), WriteError> {
        for (place, (name, seconds)) in store.by_endpoint().into_iter().enumerate().take(MOST_LOGS)
        {
            let file = format!("{}.{place}.{}.hlog", file_name(test), file_name(&name));
            let bytes = log(&name, began, &seconds).map_err(|source| WriteError {
                path: self.path.join(&file),
                source,
            })?;
            self.write_bytes(&file, &bytes)?;
        }
        Ok(())
    }
}

fn log(name: &str, began: f64, seconds: &[(u32, Vec<u32>)]) -> io::Result<Vec<u8>> {
    let began_ms = (began.max(0.0) * 1e3).round() as u64;
    let mut log = IntervalLog::of_micros();
    for (second, micros) in seconds {
        let key = Key {
            begin_ms: began_ms + 1000 * u64::from(*second),
            length_ms: 1000,
            tag: String::new(),
        };
        log.add(key, &histogram(micros.iter().copied()));
    }
    let mut out = Vec::new();
    let title = format!("latency of {name} in microseconds");
    interval_log::write(&log, &title, &mut out)?;
    Ok(out)
}

/// Letters, digits, dots and hyphens, at most 80.
pub fn file_name(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() || letter == '.' => letter,
        _ => '-',
    });
    letters.take(80).collect()
}

/// A field of a CSV line, RFC 4180.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_one_second_have_two_folders() {
        let results = tempfile::tempdir().expect("a temporary folder");
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let names: Vec<String> = (0..3)
            .map(|_| {
                Folder::make(results.path(), "acis", now)
                    .expect("made")
                    .name
            })
            .collect();
        assert_eq!(
            names,
            [
                "20260102T030405Z-acis",
                "20260102T030405Z-acis-2",
                "20260102T030405Z-acis-3"
            ]
        );
        let error = Folder::make(Path::new("/dev/null/x"), "acis", now).expect_err("no folder");
        assert!(error.to_string().contains("/dev/null/x"), "{error}");
    }

    #[test]
    fn a_log_can_be_read_again() {
        use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

        let seconds = [(0, vec![1000, 2000]), (3, vec![5000])];
        let text = log("GET /a", 1.7e9, &seconds).expect("written");
        let entries = IntervalLogIterator::new(&text).map(|entry| entry.expect("an entry"));
        let intervals: Vec<f64> = entries
            .filter_map(|entry| match entry {
                LogEntry::Interval(interval) => Some(interval.start_timestamp().as_secs_f64()),
                _ => None,
            })
            .collect();
        assert_eq!(intervals, [0.0, 3.0]);
    }

    #[test]
    fn a_test_that_runs_again_leaves_no_samples_behind() {
        let results = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(results.path());
        folder.forget_samples("soak").expect("there is no file yet");
        let path = results.path().join("samples.csv");
        let rows = "test,second\nload,0\nsoak,0\nsoak/on,0\n\"a,b\",1\nsoak,1\n";
        fs::write(&path, rows).expect("written");
        folder.forget_samples("soak").expect("written");
        folder.forget_samples("a,b").expect("written");
        let left = fs::read_to_string(&path).expect("readable");
        assert_eq!(left, "test,second\nload,0\nsoak/on,0\n");
    }

    #[test]
    fn fields_with_commas_and_quotes_are_quoted() {
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(file_name("GET /api/{id}"), "GET--api--id-");
    }
}
