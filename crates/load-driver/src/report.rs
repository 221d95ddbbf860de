//! The output after a run.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use load_engine::health::HealthReport;
use load_engine::log::{Level, Logger};
use load_engine::summary::{
    Mode, Summary, SummaryMetadata, Terminal, to_data, to_export, to_machine, to_text,
};
use load_engine::system_errors::{in_words, without_numbers};
use load_engine::{SummaryFile, SummaryFiles, SummaryOutput};
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::args::{Args, HealthMode, SummaryMode};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::logging;
use crate::summary_layout;
use crate::surroundings::Surroundings;

/// Logs why a run could not begin.
pub fn failure(args: &Args, around: &Surroundings, failure: &Failure) {
    let hint = failure.hint.as_deref();
    match logging::logger(args, around) {
        Ok(log) => log_failure(&log.logger, &failure.message, hint),
        // The log itself has failed.
        Err(_) => {
            let logger = logging::to_stderr(around.stderr.clone());
            log_failure(&logger, &failure.message, hint);
        }
    }
}

/// Logs why a command line cannot be used. No flag has set the destination yet.
pub fn refusal(message: &str, around: &Surroundings) {
    log_failure(&logging::to_stderr(around.stderr.clone()), message, None);
}

/// Logs an error with its hint.
pub fn log_failure(logger: &Logger, message: &str, hint: Option<&str>) {
    let hint = hint.map(|hint| ("hint", hint));
    logger.log(Level::Error, &without_numbers(message), hint.as_slice());
}

/// The data for `handleSummary` in the requested layout.
pub fn summary_data(args: &Args, around: &Surroundings, summary: &Summary) -> Value {
    if args.report.new_machine_readable_summary == Some(true) {
        return to_machine(summary, &metadata(args));
    }
    to_data(summary, terminal(args, around))
}

/// Whether no summary is needed: neither a printed one, nor `handleSummary`, nor the export.
pub fn is_silent(args: &Args) -> bool {
    let mode = args.report.summary_mode;
    args.report.no_summary == Some(true) || mode == Some(SummaryMode::Disabled)
}

/// Prints the summary, or writes what `handleSummary` returned; writes the export.
pub fn summary(
    invocation: Invocation<'_>,
    summary: &Summary,
    output: SummaryOutput,
    logger: &Logger,
) {
    let Invocation { args, around } = invocation;
    if is_silent(args) || matches!(output.files, SummaryFiles::Unusable) {
        return;
    }
    let unhandled = |error: &str| {
        let message = "failed to handle the end-of-test summary";
        logger.log(Level::Error, message, &[("error", error)]);
    };
    let export = match export(invocation, summary, output.data) {
        Ok(export) => export,
        Err(why) => {
            let error = format!("unexpected error while generating the summary: {why}");
            return unhandled(&error);
        }
    };
    let mut unwritten = Vec::new();
    match output.files {
        SummaryFiles::Unusable => return,
        SummaryFiles::Returned(files) => {
            let written = files.iter().map(|file| write_file(file, around));
            unwritten.extend(written.filter_map(Result::err));
        }
        SummaryFiles::Default => {
            let full = args.report.summary_mode == Some(SummaryMode::Full);
            let mode = if full { Mode::Full } else { Mode::Compact };
            around
                .stdout
                .print(to_text(summary, mode, &summary_layout::LAYOUT));
        }
    }
    if let (Some(path), Some(data)) = (&args.report.summary_export, export) {
        unwritten.extend(write(path, &indented(&data)).err());
    }
    if !unwritten.is_empty() {
        let lines = unwritten.iter().map(|why| format!("\n\t- {why}"));
        let error = lines.fold(
            "Could not save some summary information:".to_owned(),
            |text, line| text + &line,
        );
        unhandled(&error);
    }
}

/// The content for `--summary-export`, if it is given, from the data as `handleSummary` left it.
fn export(
    invocation: Invocation<'_>,
    summary: &Summary,
    left: Option<Value>,
) -> Result<Option<Value>, String> {
    let Invocation { args, around } = invocation;
    if args.report.summary_export.is_none() {
        return Ok(None);
    }
    let data = left.unwrap_or_else(|| summary_data(args, around, summary));
    match args.report.new_machine_readable_summary {
        Some(true) => Ok(Some(data)),
        _ => to_export(data).map(Some),
    }
}

/// Prints the health of the driver itself if it is requested or the driver was impaired.
pub fn health(invocation: Invocation<'_>, health: &HealthReport, dropped_samples: u64) {
    let Invocation { args, around } = invocation;
    let well = health.broken_schedule().is_none() && dropped_samples == 0;
    let silent = args.report.summary_mode == Some(SummaryMode::Disabled);
    match args.process.generator_health {
        _ if silent => {}
        Some(HealthMode::Never) => {}
        None | Some(HealthMode::Auto) if well => {}
        _ => around.stdout.print(health.to_text(dropped_samples)),
    }
}

/// The known properties of the terminal.
fn terminal(args: &Args, around: &Surroundings) -> Terminal {
    Terminal {
        stdout: around.stdout.is_terminal,
        stderr: around.stderr.is_terminal,
        no_color: args.process.no_color == Some(true) || around.raw("NO_COLOR").is_some(),
    }
}

fn metadata(args: &Args) -> SummaryMetadata {
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default();
    SummaryMetadata {
        version: crate::K6_VERSION.to_owned(),
        generated_at: now.to_string(),
        script: Some(args.script.clone()),
    }
}

fn write_file(file: &SummaryFile, around: &Surroundings) -> Result<(), String> {
    match file.destination.as_str() {
        "stdout" => around
            .stdout
            .print(&*String::from_utf8_lossy(&file.content)),
        "stderr" => around.stderr.print(&file.content),
        path => return write(Path::new(path), &file.content),
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    fs::write(path, content).map_err(|error| {
        let path = path.display();
        let why = in_words(&error);
        format!("could not open '{path}': open {path}: {why}")
    })
}

/// JSON indented by four spaces.
fn indented(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    serde::Serialize::serialize(value, &mut serializer).expect("JSON values can be written");
    out
}
