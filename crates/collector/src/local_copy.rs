//! The local copy of a runner's measurements, for the case that the collector is lost.
//!
//! Everything sent to the collector is also written to an unnamed temporary file, to save memory. If the
//! collector does not accept everything, the copy becomes a folder with a log and the aggregates.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::iter::once;
use std::path::PathBuf;
use std::time::Duration;

use interval_log::{IntervalLog, Key};
use load_metrics::Sink;
use serde_json::json;

use super::judged::Judge;
use super::runner::Runner;
use super::sinks;
use super::wire::{Ended, Interval, Joining, Push};

/// The measurements of this runner alone.
#[derive(Debug)]
pub struct OwnResults {
    joining: Joining,
    folder: PathBuf,
    /// Intervals, one per line; `None` without a temporary file, or if it is full.
    spool: Option<BufWriter<File>>,
    totals: BTreeMap<String, Sink>,
}

/// The reason why a runner's results were not saved.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("no space for a temporary file")]
    NoSpool,
    #[error("{}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

impl OwnResults {
    /// The folder for the copy, created on demand.
    pub fn new(joining: Joining, folder: PathBuf) -> Self {
        Self {
            joining,
            folder,
            spool: tempfile::tempfile().ok().map(BufWriter::new),
            totals: BTreeMap::new(),
        }
    }

    /// Records a push that is sent for the first time.
    pub(crate) fn take(&mut self, push: &Push) {
        for of in &push.sinks {
            let mut sink = sinks::from_wire(of.sink.clone());
            sink.compact();
            match self.totals.get_mut(&of.metric) {
                Some(known) => known.merge(sink),
                None => drop(self.totals.insert(of.metric.clone(), sink)),
            }
        }
        let Some(spool) = &mut self.spool else { return };
        let written = push.intervals.iter().try_for_each(|interval| {
            serde_json::to_writer(&mut *spool, interval)?;
            spool.write_all(b"\n")
        });
        if written.is_err() {
            self.spool = None;
        }
    }

    /// Writes `runner.json` and `runner.hlog`; returns their folder.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn write(&mut self, ended: &Ended, lost: &str) -> Result<PathBuf, KeepError> {
        let folder = self.folder.clone();
        let failed = |error: io::Error| KeepError::Write(folder.clone(), error);
        let log = self.log()?;
        fs::create_dir_all(&folder).map_err(failed)?;
        let text = format!("{:#}\n", self.result(ended, lost));
        fs::write(folder.join("runner.json"), text).map_err(failed)?;
        if !log.is_empty() {
            let file = File::create(folder.join("runner.hlog")).map_err(failed)?;
            let mut out = BufWriter::new(file);
            let title = format!(
                "latency of the runner {} in microseconds",
                self.joining.name
            );
            interval_log::write(&log, &title, &mut out).map_err(failed)?;
            out.flush().map_err(failed)?;
        }
        Ok(folder)
    }

    fn log(&mut self) -> Result<IntervalLog, KeepError> {
        let mut log = IntervalLog::of_micros();
        let spool = self.spool.as_mut().ok_or(KeepError::NoSpool)?;
        let failed = |error: io::Error| KeepError::Write("the temporary file".into(), error);
        spool.flush().map_err(failed)?;
        let file = spool.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        for line in BufReader::new(&*file).lines() {
            let read: Result<Interval, _> = serde_json::from_str(&line.map_err(failed)?);
            let interval = read.map_err(|error| failed(error.into()))?;
            let histogram = interval_log::decode(&interval.histogram)
                .map_err(|error| failed(io::Error::other(error)))?;
            let key = Key {
                begin_ms: interval.begin_ms,
                length_ms: 1000,
                tag: interval.endpoint,
            };
            log.add(key, &histogram);
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(log)
    }

    fn result(&self, ended: &Ended, lost: &str) -> serde_json::Value {
        let mut runner = Runner::new(self.joining.clone(), Duration::ZERO);
        runner.sinks.clone_from(&self.totals);
        let run_time = Duration::from_secs_f64((ended.run_time_ms / 1e3).max(0.0));
        // The runner joined with these thresholds, so they are valid.
        let metrics = Judge::new(&self.joining).map(|mut judge| {
            let (_, mut aggregate) = judge.judge(once(&runner), run_time, true);
            judge.metrics(&mut aggregate, run_time)
        });
        let metrics: serde_json::Map<String, serde_json::Value> = metrics
            .unwrap_or_default()
            .into_iter()
            .map(|(name, values)| (name, values.into_iter().collect::<BTreeMap<_, _>>()))
            .map(|(name, values)| (name, json!(values)))
            .collect();
        json!({
            "script": self.joining.script,
            "runner": self.joining.name,
            "share": self.joining.share,
            "collector_lost": lost,
            "ended_early": ended.ended_early,
            "run_time_s": run_time.as_secs_f64(),
            "lost_samples": ended.lost_samples,
            "checks": ended.checks,
            "metrics": metrics,
            "thresholds": "not judged: this is one part of the run",
        })
    }
}
