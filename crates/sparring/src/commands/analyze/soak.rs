//! `sparring analyze soak`: a search for leaks.

use std::path::PathBuf;
use std::process::ExitCode;

use analysis::soak::{Basis, Plan, Soak, Verdict, soak};
use clap::Args;
use serde_json::{Value, json};

use super::{confidence, digits, interval_json};
use crate::commands::CommandResult;
use crate::table::{Column, Table, TableError};
use crate::terminal::say;

/// Search the series of a long run for leaks
///
/// Each series gets a robust slope and a test (Theil-Sen and Mann-Kendall, corrected for
/// autocorrelation) that distinguishes growth from noise. A sawtooth, as under a garbage collector, is reduced
/// to its floors. Cut off the warm-up with --warm-up.
///
/// Exit codes: 0 no leak, 99 at least one leak, 4 a series cannot be judged, 1 the file cannot be analysed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The series, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The column with the time [default: time_s, elapsed_s, t, time or timestamp]
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// A series to judge, repeatable [default: every other column of numbers]
    #[arg(long, value_name = "COLUMN")]
    series: Vec<String>,
    /// Ignore this much time from the start, in the unit of the time column
    #[arg(long, value_name = "TIME", default_value_t = 0.0)]
    warm_up: f64,
    /// Report when a series reaches a limit, repeatable
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = limit)]
    limit: Vec<(String, f64)>,
    /// The confidence of the intervals
    #[arg(long, default_value = "0.95", value_parser = confidence)]
    confidence: f64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sparring analyze soak resources.csv --warm-up 600
  sparring analyze soak resources.csv --series rss_mb --limit rss_mb=4096

A resources.csv:
  time_s,rss_mb,fds
  0,512.3,84
  10,512.9,84";

/// The exit code for series that cannot be judged.
const INCONCLUSIVE: u8 = 4;
/// The exit code for leaks, k6's for thresholds that failed.
const LEAKS: u8 = 99;

/// A series and its result.
struct Judged {
    name: String,
    found: Soak,
    limit: Option<f64>,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let table = Table::read(&arguments.file)?;
    let time = table.require(
        arguments.time.as_deref(),
        &["time_s", "elapsed_s", "t", "time", "timestamp"],
        0,
    )?;
    let series = series(&table, &time, arguments)?;
    let mut columns = vec![&time];
    columns.extend(&series);
    let numbers = table.numbers(&columns)?;
    let (times, values) = numbers.split_first().ok_or("no column was read")?;
    let begin = times[0] + arguments.warm_up;
    let kept = times.iter().position(|time| *time >= begin);
    let kept = kept.ok_or("the warm-up is longer than the run")?;
    let plan = Plan {
        confidence: arguments.confidence,
        ..Plan::default()
    };
    let mut judged = Vec::new();
    for (column, values) in series.iter().zip(values) {
        let found = soak(&times[kept..], &values[kept..], &plan)
            .map_err(|error| format!("{}: {error}", column.name))?;
        let limit = arguments
            .limit
            .iter()
            .find(|(name, _)| column.name.eq_ignore_ascii_case(name));
        judged.push(Judged {
            name: column.name.clone(),
            found,
            limit: limit.map(|(_, value)| *value),
        });
    }
    if arguments.json {
        let found: Vec<Value> = judged.iter().map(as_json).collect();
        say!(
            "{}",
            serde_json::to_string_pretty(&json!({ "series": found }))?
        );
    } else {
        judged.iter().for_each(print);
    }
    Ok(exit_code(&judged))
}

fn series(table: &Table, time: &Column, arguments: &Arguments) -> Result<Vec<Column>, TableError> {
    // A limit for a missing column is an error.
    for (name, _) in &arguments.limit {
        table.find(Some(name), &[])?;
    }
    if arguments.series.is_empty() {
        let others = table.columns().filter(|column| column != time);
        return Ok(others.filter(|column| table.is_numeric(column)).collect());
    }
    arguments
        .series
        .iter()
        .map(|name| table.require(Some(name), &[], 0))
        .collect()
}

fn limit(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text
        .rsplit_once('=')
        .ok_or("COLUMN=VALUE is expected, such as rss_mb=4096")?;
    match value.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((name.to_owned(), value)),
        _ => Err(format!("`{value}` is not a finite number")),
    }
}

fn print(judged: &Judged) {
    let Judged { name, found, limit } = judged;
    let trend = &found.trend;
    let verdict = match found.verdict {
        Verdict::Leak => "LEAK",
        Verdict::Settling => "settling: it grew at a decreasing rate",
        Verdict::NoLeak => "no leak",
        Verdict::TooFewTeeth => "no verdict: it rises and falls too rarely",
    };
    say!("{name}: {verdict}");
    say!(
        "  slope {} per unit of time, {:.0} % interval {} to {} (p {})",
        digits(trend.slope),
        100.0 * trend.interval.confidence,
        digits(trend.interval.lower),
        digits(trend.interval.upper),
        digits(trend.p_value)
    );
    if let Basis::Floors(count) = found.basis {
        say!("  judged by the floors of {count} teeth");
    }
    if found.verdict == Verdict::NoLeak {
        say!(
            "  a leak above {} per unit of time would have been detected",
            digits(found.detectable_slope)
        );
    }
    let Some((limit, time)) = limit.and_then(|limit| Some(limit).zip(found.time_to_limit(limit)))
    else {
        return;
    };
    if matches!(found.verdict, Verdict::Leak | Verdict::Settling) {
        say!(
            "  reaches {} in {} (between {} and {}) after the end of the run",
            digits(limit),
            digits(time.expected),
            digits(time.earliest),
            time.latest.map_or("never".to_owned(), digits)
        );
    }
}

fn as_json(judged: &Judged) -> Value {
    let Judged { name, found, limit } = judged;
    let time = limit.and_then(|limit| found.time_to_limit(limit));
    json!({
        "series": name,
        "verdict": match found.verdict {
            Verdict::Leak => "leak",
            Verdict::Settling => "settling",
            Verdict::NoLeak => "no_leak",
            Verdict::TooFewTeeth => "too_few_teeth",
        },
        "slope": found.trend.slope,
        "slope_interval": interval_json(&found.trend.interval),
        "p_value": found.trend.p_value,
        "floors": match found.basis {
            Basis::Values => None,
            Basis::Floors(count) => Some(count),
        },
        "level": found.level,
        "detectable_slope": found.detectable_slope.is_finite().then_some(found.detectable_slope),
        "limit": limit,
        "time_to_limit": time.map(|time| json!({
            "expected": time.expected,
            "earliest": time.earliest,
            "latest": time.latest,
        })),
    })
}

fn exit_code(judged: &[Judged]) -> ExitCode {
    let has = |verdict| judged.iter().any(|judged| judged.found.verdict == verdict);
    if has(Verdict::Leak) {
        ExitCode::from(LEAKS)
    } else if has(Verdict::TooFewTeeth) {
        ExitCode::from(INCONCLUSIVE)
    } else {
        ExitCode::SUCCESS
    }
}
