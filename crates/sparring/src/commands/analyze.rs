//! `sparring analyze`: an analysis of measurements from any source.

mod capacity;
mod scaling;
mod soak;

use clap::{Args, Subcommand};

use super::CommandResult;

/// Analyse measurements in a CSV file: scalability, leaks, capacity
///
/// The file has a header and one row per measurement; comma, semicolon or tab separate the cells, lines
/// that begin with `#` are comments, and `-` reads standard input. Usual column names are recognised in
/// any case; options name others.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    analysis: Analysis,
}

#[derive(Debug, Subcommand)]
enum Analysis {
    Scaling(scaling::Arguments),
    Soak(soak::Arguments),
    Capacity(capacity::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  sparring analyze scaling ladder.csv
  sparring analyze soak resources.csv --warm-up 300
  sparring analyze capacity load.csv --throughput rps --load users";

pub fn execute(arguments: &Arguments) -> CommandResult {
    match &arguments.analysis {
        Analysis::Scaling(arguments) => scaling::execute(arguments),
        Analysis::Soak(arguments) => soak::execute(arguments),
        Analysis::Capacity(arguments) => capacity::execute(arguments),
    }
}

/// The names of columns with a load.
const LOADS: [&str; 7] = [
    "users",
    "load",
    "vus",
    "concurrency",
    "processors",
    "threads",
    "n",
];

/// The names of columns with a throughput.
const THROUGHPUTS: [&str; 7] = [
    "throughput",
    "throughput_per_s",
    "rps",
    "requests_per_s",
    "requests/s",
    "tps",
    "x",
];

/// A confidence strictly between 0 and 1, as the options take it.
fn confidence(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value < 1.0 => Ok(value),
        _ => Err("a number between 0 and 1, such as 0.95".to_owned()),
    }
}

/// A readable number: about four digits, without scientific notation where possible.
fn digits(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return if value > 0.0 { "∞" } else { "-∞" }.to_owned();
    }
    match size {
        0.0 => "0".to_owned(),
        s if !(1e-4..1e12).contains(&s) => format!("{value:.3e}"),
        s if s >= 1000.0 => format!("{value:.0}"),
        s => {
            let decimals = (3 - s.log10().floor() as i32).clamp(0, 8) as usize;
            let text = format!("{value:.decimals$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}

/// An interval for JSON; an end that the data do not bound is null.
fn interval_json(interval: &analysis::Interval) -> serde_json::Value {
    let end = |value: f64| value.is_finite().then_some(value);
    serde_json::json!({
        "lower": end(interval.lower),
        "upper": end(interval.upper),
        "confidence": interval.confidence,
    })
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn numbers_have_about_four_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (1884.2, "1884"),
            (96.519_56, "96.52"),
            (0.027_728, "0.02773"),
            (0.000_104_37, "0.0001044"),
            (2.0, "2"),
            (-0.5, "-0.5"),
            (1.0e-7, "1.000e-7"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(digits(value), expected);
        }
    }
}
