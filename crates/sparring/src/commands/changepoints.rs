//! `sparring changepoints`: where a history of runs changed.

mod known;

use std::path::PathBuf;
use std::process::ExitCode;

use analysis::change_point::{ChangePoint, Merging, Options, change_points};
use analysis::outlier::{iqr_fences, mad_fences};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use known::Known;

use super::CommandResult;
use crate::table::{Column, Table};
use crate::terminal::say;

/// Find where a history of runs changed
///
/// The algorithm is Hunter's (E-divisive with Student's t test), as in Apache Otava. The file has a header
/// and one row per run, oldest first.
///
/// Exit codes: 0 no series became worse within the newest runs (or --within was not given), 3 at least
/// one did, 1 the file cannot be analysed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The history, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A series, repeatable [default: every column of numbers but the label]
    #[arg(long, value_name = "COLUMN")]
    series: Vec<String>,
    /// The column that names a run [default: commit, version, run, time or date]
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Runs per window; windows overlap by half
    #[arg(long, default_value_t = 50)]
    window: usize,
    /// The largest p value of a change point
    #[arg(long, default_value_t = 0.001)]
    max_p_value: f64,
    /// The smallest relative change; 0.05 is 5 %
    #[arg(long, default_value_t = 0.0)]
    min_magnitude: f64,
    /// Exit with 3 if a series became worse within this many newest runs
    #[arg(long, value_name = "RUNS")]
    within: Option<usize>,
    /// Which direction is worse
    #[arg(long, value_enum, default_value_t = Worse::Larger)]
    worse: Worse,
    /// Merge change points exactly as Otava does, which keeps some with a larger p value
    #[arg(long)]
    as_otava: bool,
    /// Keep earlier results in this file, which is updated: only appended rows are examined, and a known change
    /// point does not vanish when the next run is appended
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sparring changepoints history.csv
  sparring changepoints history.csv --series p95_ms --min-magnitude 0.05 --within 1
  sparring changepoints history.csv --known known.json --within 1
  sparring changepoints history.csv --series throughput --worse smaller --json

A history.csv:
  commit,p95_ms,throughput
  3f1c2aa,182.1,951
  9be01d4,181.4,957";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Worse {
    /// Response times, errors, memory
    Larger,
    /// Throughput, success rates
    Smaller,
}

/// The exit code for a regression.
const REGRESSION: u8 = 3;

/// Iglewicz and Hoaglin's factor of the median absolute deviation, and Tukey's of the quartiles' distance.
const MAD: f64 = 3.5;
const QUARTILES: f64 = 1.5;
/// Fewer rows between two change points have no outliers.
const FEWEST: usize = 8;

/// The change points of one series.
struct Changed {
    series: String,
    points: Vec<ChangePoint>,
    /// Outliers among the rows between the same change points, with their values.
    outliers: Vec<(usize, f64)>,
}

/// Values beyond both fences, by the median absolute deviation and by the quartiles; either criterion alone finds some
/// in any long series. They are reported, and change nothing.
fn outliers(numbers: &[f64], points: &[ChangePoint]) -> Vec<(usize, f64)> {
    let mut edges: Vec<usize> = points.iter().map(|point| point.index).collect();
    edges.extend([0, numbers.len()]);
    edges.sort_unstable();
    let mut found = Vec::new();
    for edge in edges.windows(2) {
        let values = &numbers[edge[0]..edge[1]];
        if values.len() < FEWEST {
            continue;
        }
        let (Ok(by_mad), Ok(by_quartiles)) =
            (mad_fences(values, MAD), iqr_fences(values, QUARTILES))
        else {
            continue;
        };
        // If most values are equal, every other value would be an outlier.
        if by_mad.lower == by_mad.upper {
            continue;
        }
        let apart = by_quartiles.outliers(values);
        let both = by_mad.outliers(values).into_iter();
        let both = both.filter(|place| apart.contains(place));
        found.extend(both.map(|place| (edge[0] + place, values[place])));
    }
    found
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let table = Table::read(&arguments.file)?;
    let usual = ["commit", "version", "run", "time", "date", "timestamp"];
    let label = table.find(arguments.label.as_deref(), &usual)?;
    let series = series(&table, label.as_ref(), arguments)?;
    let columns: Vec<&Column> = series.iter().collect();
    let numbers = table.numbers(&columns)?;
    let options = Options {
        window: arguments.window,
        max_p_value: arguments.max_p_value,
        min_magnitude: arguments.min_magnitude,
        merging: if arguments.as_otava {
            Merging::AsOtava
        } else {
            Merging::BothSides
        },
    };
    let mut known = arguments.known.as_deref().map(Known::read).transpose()?;
    let mut changed = Vec::new();
    for (column, numbers) in series.iter().zip(&numbers) {
        let points = match &mut known {
            Some(known) => known.change_points(&column.name, numbers, options)?,
            None => change_points(numbers, &options)?,
        };
        changed.push(Changed {
            series: column.name.clone(),
            outliers: outliers(numbers, &points),
            points,
        });
    }
    if let Some((known, path)) = known.zip(arguments.known.as_deref()) {
        known.write(path)?;
    }
    let labels = label.map(|label| table.texts(&label));
    let label = |index: usize| labels.as_ref().map(|labels| labels[index].to_owned());
    if arguments.json {
        let found: Vec<Value> = changed
            .iter()
            .map(|changed| as_json(changed, &table, &label))
            .collect();
        say!(
            "{}",
            serde_json::to_string_pretty(&json!({ "series": found }))?
        );
    } else {
        changed
            .iter()
            .for_each(|changed| print(changed, &table, &label));
    }
    let is_worse = |point: &ChangePoint| match arguments.worse {
        Worse::Larger => point.mean_after > point.mean_before,
        Worse::Smaller => point.mean_after < point.mean_before,
    };
    let oldest = table.rows() - arguments.within.unwrap_or(0).min(table.rows());
    let mut points = changed.iter().flat_map(|changed| &changed.points);
    let regressed = points.any(|point| point.index >= oldest && is_worse(point));
    Ok(if regressed {
        ExitCode::from(REGRESSION)
    } else {
        ExitCode::SUCCESS
    })
}

fn series(
    table: &Table,
    label: Option<&Column>,
    arguments: &Arguments,
) -> Result<Vec<Column>, Box<dyn std::error::Error + Send + Sync>> {
    if !arguments.series.is_empty() {
        let named = arguments
            .series
            .iter()
            .map(|name| table.require(Some(name), &[], 0));
        return Ok(named.collect::<Result<_, _>>()?);
    }
    let series: Vec<Column> = table
        .columns()
        .filter(|column| Some(column) != label && table.is_numeric(column))
        .collect();
    if series.is_empty() {
        return Err(format!("{} has no column of numbers", table.name()).into());
    }
    Ok(series)
}

fn print(changed: &Changed, table: &Table, label: &dyn Fn(usize) -> Option<String>) {
    let count = changed.points.len();
    let noun = if count == 1 { "point" } else { "points" };
    say!("{}: {count} change {noun}", changed.series);
    for point in &changed.points {
        let label = label(point.index).unwrap_or_default();
        say!(
            "  line {:>5}  {label}  {:+.1} %: {:.6} -> {:.6} (p {:.2e})",
            table.line(point.index),
            100.0 * point.relative_change(),
            point.mean_before,
            point.mean_after,
            point.p_value
        );
    }
    for (index, value) in &changed.outliers {
        let label = label(*index).unwrap_or_default();
        let line = table.line(*index);
        say!("  line {line:>5}  {label}  {value:.6} is an outlier");
    }
}

fn as_json(changed: &Changed, table: &Table, label: &dyn Fn(usize) -> Option<String>) -> Value {
    let points: Vec<Value> = changed
        .points
        .iter()
        .map(|point| {
            json!({
                "index": point.index,
                "line": table.line(point.index),
                "label": label(point.index),
                "relative_change": point.relative_change(),
                "magnitude": point.magnitude(),
                "mean_before": point.mean_before,
                "mean_after": point.mean_after,
                "deviation_before": point.deviation_before,
                "deviation_after": point.deviation_after,
                "p_value": point.p_value,
            })
        })
        .collect();
    let outliers: Vec<Value> = changed
        .outliers
        .iter()
        .map(|(index, value)| {
            json!({ "index": index, "line": table.line(*index), "label": label(*index), "value": value })
        })
        .collect();
    json!({ "series": changed.series, "change_points": points, "outliers": outliers })
}
