//! One run of the driver: a leg of a test.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use live_page::{Feed, LiveRun};
use load_driver::args::{
    ClientFlags, HealthMode, ProcessFlags, ReportFlags, ScriptFlags, SummaryMode, TrendSinkMode,
};
use load_driver::{Args, Driven, Input, Interruption, RunHandle, Stream, Surroundings};
use load_engine::log::Logger;
use load_outputs::Output;
use serde_json::Value;

use super::measure::{Mark, Question, Recorder, Shared};
use super::web;
use crate::plan::PlannedPhase;

/// Variables of k6 that would override the plan.
const OVERRIDES: [&str; 8] = [
    "K6_VUS",
    "K6_DURATION",
    "K6_ITERATIONS",
    "K6_STAGES",
    "K6_RPS",
    "K6_EXECUTION_SEGMENT",
    "K6_EXECUTION_SEGMENT_SEQUENCE",
    "K6_OUT",
];

/// Trends of longer runs are stored in histograms, whose memory does not grow.
const EXACT_FOR_S: f64 = 900.0;

/// The input of the driver for all legs of a test.
#[derive(Debug, Clone)]
pub struct Drive {
    pub script: PathBuf,
    /// Variables of the script, in addition to its plan.
    pub env: Vec<(String, String)>,
    /// The process' variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The destination of k6's summary; `None`: discarded.
    pub summary_to: Option<Stream>,
    pub stderr: Stream,
    /// Outputs in addition to those of the suite, and the tags that samples have for them.
    pub outputs: Vec<String>,
    pub tags: Vec<String>,
    pub is_open: bool,
    pub longest_s: f64,
    /// Queries of the judges in addition to the thresholds.
    pub questions: Vec<Question>,
    /// The addresses to connect from; `None`: chosen by the operating system.
    pub local_ips: Option<String>,
    /// The page with the live measurements.
    pub board: Option<LiveRun>,
}

/// The input of one leg.
#[derive(Debug, Clone)]
pub struct Leg {
    /// k6 options; null: those of the script.
    pub options: Value,
    /// Its phases, in seconds from its start.
    pub phases: Vec<PlannedPhase>,
}

impl Leg {
    /// The phases' places in time.
    pub fn marks(&self) -> Vec<Mark> {
        let mark = |phase: &PlannedPhase| Mark {
            begin_s: phase.begin_s,
            end_s: phase.end_s,
        };
        self.phases.iter().map(mark).collect()
    }
}

impl Drive {
    /// Runs a leg to its end; blocks.
    pub fn run(
        &self,
        leg: &Leg,
        store: &Shared,
        seen: &RunHandle,
        interruption: Interruption,
    ) -> Driven {
        let recorder = Recorder::new(
            store.clone(),
            seen.clone(),
            leg.marks(),
            self.questions.clone(),
        );
        let around = self.surroundings(store, interruption);
        let mut outputs: Vec<Box<dyn Output>> = vec![Box::new(recorder)];
        if let Some(board) = &self.board {
            let phases = web::phases(&leg.phases);
            outputs.push(Box::new(Feed::of_leg(board.clone(), phases)));
        }
        load_driver::drive_seen(&self.args(leg), &around, outputs, seen)
    }

    fn args(&self, leg: &Leg) -> Args {
        let mut environment: Vec<String> = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !leg.options.is_null() {
            environment.push(format!("SPARRING_PLAN={}", leg.options));
        }
        let report = ReportFlags {
            intended_duration: self.is_open.then_some(true),
            trend_sink: (self.longest_s > EXACT_FOR_S).then_some(TrendSinkMode::Hdr),
            outputs: self.outputs.clone(),
            tags: self.tags.clone(),
            content_bytes: true,
            summary_mode: self.summary_to.is_none().then_some(SummaryMode::Disabled),
            ..ReportFlags::default()
        };
        Args {
            script: self.script.display().to_string(),
            script_flags: ScriptFlags {
                environment,
                ..ScriptFlags::default()
            },
            report,
            client: ClientFlags {
                local_ips: self.local_ips.clone(),
                ..ClientFlags::default()
            },
            process: ProcessFlags {
                quiet: true,
                // The ledger judges the generator's health, second by second.
                generator_health: Some(HealthMode::Never),
                ..ProcessFlags::default()
            },
            ..Args::default()
        }
    }

    fn surroundings(&self, store: &Shared, interruption: Interruption) -> Surroundings {
        let is_ours = |name: &OsString| OVERRIDES.iter().any(|other| name == other);
        let variables = self.variables.iter();
        let variables = variables.filter(|(name, _)| !is_ours(name)).cloned();
        let without_end = WithoutEnd {
            to: self.stderr.clone(),
            line: Vec::new(),
        };
        let silent = || Stream::new(std::io::sink());
        Surroundings {
            variables: variables.collect(),
            stdin: Input::new(std::io::empty()),
            stdout: self.summary_to.clone().unwrap_or_else(silent),
            stderr: Stream::new(without_end).on_terminal(self.stderr.is_terminal),
            screen: None,
            log: Some(self.listener(store)),
            interruption,
        }
    }

    /// Counts exceptions, and shows the log on the page.
    fn listener(&self, store: &Shared) -> Logger {
        let (store, board) = (store.clone(), self.board.clone());
        Logger::new(move |entry| {
            store.lock().hear(entry);
            if let Some(board) = board.as_ref().filter(|_| !entry.message.contains(ENDED)) {
                board.log(entry, &load_driver::log_line(entry));
            }
        })
    }
}

/// The driver's message on a run that it was told to end. The suite reports the reason itself.
const ENDED: &str = "test run was aborted because k6 received a";

/// The standard error without the driver's message on its end, line by line.
struct WithoutEnd {
    to: Stream,
    line: Vec<u8>,
}

impl Write for WithoutEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                if !String::from_utf8_lossy(&line).contains(ENDED) {
                    self.to.print(&line);
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WithoutEnd {
    fn drop(&mut self) {
        self.to.print(&self.line);
    }
}
