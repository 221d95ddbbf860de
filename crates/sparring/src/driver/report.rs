//! What is said after a run.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::SystemTime;

use load_engine::health::HealthReport;
use load_engine::log::{Level, Logger};
use load_engine::summary::{
    Mode, Origin, Summary, Terminal, to_data, to_export, to_machine, to_text,
};
use load_engine::{SummaryFile, SummaryFiles};
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::args::{Args, HealthMode, SummaryMode};
use super::failure::Failure;
use super::logging;

/// Logs why a run could not begin.
pub fn failure(args: &Args, failure: &Failure) {
    let hint = failure.hint.as_deref();
    match logging::logger(args) {
        Ok(log) => log_failure(&log.logger, &failure.message, hint),
        // The log itself is the trouble.
        Err(_) => log_failure(&logging::to_stderr(), &failure.message, hint),
    }
}

/// Logs an error with its hint.
pub fn log_failure(logger: &Logger, message: &str, hint: Option<&str>) {
    let hint = hint.map(|hint| ("hint", hint));
    logger.log(Level::Error, message, hint.as_slice());
}

/// The data for `handleSummary` in the layout that was asked for.
pub fn summary_data(args: &Args, summary: &Summary) -> Value {
    if args.report.new_machine_readable_summary == Some(true) {
        return to_machine(summary, &origin(args));
    }
    to_data(summary, terminal(args))
}

/// Prints the summary, or writes what `handleSummary` returned; writes the export.
pub fn summary(args: &Args, summary: &Summary, files: SummaryFiles, logger: &Logger) {
    let silent = args.report.no_summary == Some(true)
        || args.report.summary_mode == Some(SummaryMode::Disabled);
    match files {
        _ if silent => {}
        SummaryFiles::Unusable => return,
        SummaryFiles::Returned(files) => files.iter().for_each(|file| write_file(file, logger)),
        SummaryFiles::Default => {
            let full = args.report.summary_mode == Some(SummaryMode::Full);
            let mode = if full { Mode::Full } else { Mode::Compact };
            print(&to_text(summary, mode));
        }
    }
    if let Some(path) = &args.report.summary_export {
        let data = match args.report.new_machine_readable_summary {
            Some(true) => to_machine(summary, &origin(args)),
            _ => to_export(summary),
        };
        write_or_log(path, &indented(&data), logger);
    }
}

/// Prints how the driver itself fared, when that is wanted or it was not well.
pub fn health(args: &Args, health: &HealthReport, dropped_samples: u64) {
    let well = health.broken_schedule().is_none() && dropped_samples == 0;
    let silent = args.report.summary_mode == Some(SummaryMode::Disabled);
    match args.process.generator_health {
        _ if silent => {}
        Some(HealthMode::Never) => {}
        None | Some(HealthMode::Auto) if well => {}
        _ => print(&health.to_text(dropped_samples)),
    }
}

/// Prints to the standard output; a closed pipe is no reason to fail.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// What is known of the terminal.
pub fn terminal(args: &Args) -> Terminal {
    Terminal {
        stdout: std::io::stdout().is_terminal(),
        stderr: std::io::stderr().is_terminal(),
        no_color: args.process.no_color == Some(true) || std::env::var_os("NO_COLOR").is_some(),
    }
}

fn origin(args: &Args) -> Origin {
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default();
    Origin {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        generated_at: now.to_string(),
        script: Some(args.script.clone()),
    }
}

fn write_file(file: &SummaryFile, logger: &Logger) {
    match file.destination.as_str() {
        "stdout" => print(&String::from_utf8_lossy(&file.content)),
        "stderr" => {
            // Standard error that is closed cannot be told about anything.
            let _ = std::io::stderr().write_all(&file.content);
        }
        path => write_or_log(Path::new(path), &file.content, logger),
    }
}

fn write_or_log(path: &Path, content: &[u8], logger: &Logger) {
    if let Err(error) = fs::write(path, content) {
        let message = format!(
            "the summary file {} cannot be written: {error}",
            path.display()
        );
        logger.error(&message);
    }
}

/// JSON indented by four spaces.
fn indented(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    serde::Serialize::serialize(value, &mut serializer).expect("JSON values can be written");
    out
}
