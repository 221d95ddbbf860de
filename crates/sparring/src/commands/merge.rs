//! `sparring merge`: histogram logs merged in any order.

use std::error::Error;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use interval_log::{IntervalLog, PERCENTILES, percentile, read, write};
use serde_json::{Map, Value, json};

use super::CommandResult;
use crate::columns::columns;
use crate::terminal::{self, say};

/// Merge histogram logs (.hlog) of several runners or endpoints
///
/// Counts are added, never percentiles: whatever the order and the grouping of the files, the merged log has
/// the same bytes, and its percentiles are those of all values together. Intervals that begin at the same time
/// and have the same tag become one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The logs: HDR V2, as HdrHistogram's tools write them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write the merged log here
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the percentiles as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sparring merge runner-1.hlog runner-2.hlog runner-3.hlog
  sparring merge results/20260814T093000Z-acis/load.*.hlog -o load.hlog --json";

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read", .path.display())]
struct Unreadable {
    path: PathBuf,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let mut merged = IntervalLog::default();
    for path in &arguments.files {
        let unreadable = |source| Unreadable {
            path: path.clone(),
            source,
        };
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.into()))?;
        let log = read(&bytes).map_err(|error| unreadable(error.into()))?;
        merged.merge(&log);
    }
    if let Some(path) = &arguments.output {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        write(&merged, "merged", &mut file)?;
        std::io::Write::flush(&mut file)?;
    }
    if arguments.json {
        say!("{:#}", to_json(&merged));
    } else {
        print(&merged);
    }
    Ok(terminal::printed(ExitCode::SUCCESS))
}

fn rows(log: &IntervalLog) -> Vec<(String, u64, Vec<f64>)> {
    let divisor = log.divisor() as f64;
    let mut rows = Vec::new();
    for (tag, histogram) in log.by_tag() {
        rows.push((tag.to_owned(), histogram));
    }
    if let Some(total) = log
        .total()
        .filter(|_| rows.len() != 1 || !rows[0].0.is_empty())
    {
        rows.push(("all".to_owned(), total));
    }
    let row = |(name, histogram): (String, hdrhistogram::Histogram<u64>)| {
        let name = if name.is_empty() {
            "(no tag)".to_owned()
        } else {
            name
        };
        let values = PERCENTILES.iter().map(|(_, quantile)| {
            percentile(&histogram, *quantile).map_or(0.0, |value| value as f64 / divisor)
        });
        (name, histogram.len(), values.collect())
    };
    rows.into_iter().map(row).collect()
}

fn print(log: &IntervalLog) {
    let names = PERCENTILES.iter().map(|(name, _)| (*name).to_owned());
    let heading = ["tag".to_owned(), "values".to_owned()].into_iter();
    let mut table: Vec<Vec<String>> = vec![heading.chain(names).collect()];
    for (name, count, values) in rows(log) {
        let values = values.iter().map(|value| format!("{value:.3}"));
        let heading = [name, count.to_string()].into_iter();
        table.push(heading.chain(values).collect());
    }
    say!("{}", columns(&table).trim_end());
}

fn to_json(log: &IntervalLog) -> Value {
    let row = |(name, count, values): (String, u64, Vec<f64>)| {
        let names = PERCENTILES.iter().map(|(name, _)| (*name).to_owned());
        let percentiles: Map<String, Value> =
            names.zip(values.into_iter().map(Value::from)).collect();
        json!({ "tag": name, "values": count, "percentiles": percentiles })
    };
    let rows: Vec<Value> = rows(log).into_iter().map(row).collect();
    json!({ "intervals": log.keys().len(), "rows": rows })
}
