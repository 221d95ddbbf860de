//! `sparring analyze capacity`: several estimates side by side, each with its question.

use std::path::PathBuf;
use std::process::ExitCode;

use analysis::InputError;
use analysis::capacity::{self, Agreement, Estimate, Method};
use analysis::service_demand::{Attribution, Demand, Resource, attribute};
use analysis::slo_search::{End, Found};
use analysis::usl::{self, Reach};
use clap::Args;
use serde_json::{Value, json};

use super::{LOADS, THROUGHPUTS, confidence, digits, interval_json};
use crate::commands::CommandResult;
use crate::table::{Column, Table, TableError};
use crate::terminal::say;

/// Compare estimates of capacity
///
/// Each row of the file is one steady window. The columns decide which estimates are made; the result
/// states whether they agree.
///
/// With a load column: the peak of the scalability law and the knee. With resource columns (busy share,
/// 0 to 1): the service demand of each resource, the bottleneck, and the upper bound on throughput.
/// With a column `passed` (true or false): the interval between the largest rate that met its
/// objectives and the smallest that did not.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The measurements, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The column with the throughput [default: throughput, rps, requests_per_s, tps or x]
    #[arg(long, value_name = "COLUMN")]
    throughput: Option<String>,
    /// The column with the load [default: users, load, vus, concurrency, processors, threads or n]
    #[arg(long, value_name = "COLUMN")]
    load: Option<String>,
    /// A column with a resource's busy share, repeatable [default: cpu, disk, network and all that end
    /// with _utilisation, _utilization or _busy]
    #[arg(long, value_name = "COLUMN")]
    resource: Vec<String>,
    /// The column that states whether the objectives were met [default: passed or ok]
    #[arg(long, value_name = "COLUMN")]
    passed: Option<String>,
    /// Estimates agree when the largest exceeds the smallest by at most this share
    #[arg(long, default_value_t = 0.1)]
    tolerance: f64,
    /// The confidence of the intervals
    #[arg(long, default_value = "0.95", value_parser = confidence)]
    confidence: f64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sparring analyze capacity windows.csv
  sparring analyze capacity windows.csv --resource db_busy --json

A windows.csv:
  users,throughput,cpu,disk_busy,passed
  10,9.8,0.04,0.10,true
  50,47.1,0.19,0.47,true";

/// The estimates, and the reasons for missing ones.
struct Estimates {
    found: Vec<Estimate>,
    missing: Vec<(Method, String)>,
    attribution: Option<Attribution>,
    agreement: Agreement,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let table = Table::read(&arguments.file)?;
    let estimates = estimate(&table, arguments)?;
    if arguments.json {
        let found = as_json(&estimates);
        say!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print(&estimates);
    }
    Ok(ExitCode::SUCCESS)
}

fn estimate(
    table: &Table,
    arguments: &Arguments,
) -> Result<Estimates, Box<dyn std::error::Error + Send + Sync>> {
    let throughput = table.require(arguments.throughput.as_deref(), &THROUGHPUTS, 0)?;
    let load = table.find(arguments.load.as_deref(), &LOADS)?;
    let resources = resources(table, arguments)?;
    let mut columns = vec![&throughput];
    columns.extend(load.as_ref());
    columns.extend(&resources);
    let mut numbers = table.numbers(&columns)?;
    let throughputs = numbers.remove(0);
    let loads = load.map(|_| numbers.remove(0));
    let mut estimates = Estimates {
        found: Vec::new(),
        missing: Vec::new(),
        attribution: None,
        agreement: Agreement::TooFew,
    };
    let passed = table.find(arguments.passed.as_deref(), &["passed", "ok"])?;
    match passed {
        None => estimates.lacks(Method::SloSearch, "no column passed"),
        Some(column) => {
            let found = bracket(table, &column, &throughputs)?;
            estimates.add(Method::SloSearch, Ok(capacity::from_search(&found)));
        }
    }
    match &loads {
        None => {
            estimates.lacks(Method::UslPeak, "no column with the load");
            estimates.lacks(Method::Kneedle, "no column with the load");
        }
        Some(loads) => {
            let fit = usl::fit(loads, &throughputs, arguments.confidence);
            estimates.add(Method::UslPeak, fit.map(|fit| capacity::from_usl(&fit)));
            estimates.add(Method::Kneedle, capacity::from_knee(loads, &throughputs));
        }
    }
    if resources.is_empty() {
        estimates.lacks(Method::ServiceDemand, "no column with a busy share");
    } else {
        let of: Vec<Resource> = resources
            .iter()
            .zip(&numbers)
            .map(|(column, utilisations)| Resource {
                name: &column.name,
                utilisations,
            })
            .collect();
        let attribution = attribute(&throughputs, &of, arguments.confidence);
        estimates.add(
            Method::ServiceDemand,
            attribution
                .as_ref()
                .map(capacity::from_demand)
                .map_err(|e| *e),
        );
        estimates.attribution = attribution.ok();
    }
    estimates.agreement = capacity::agreement(&estimates.found, arguments.tolerance)?;
    Ok(estimates)
}

impl Estimates {
    fn add(&mut self, method: Method, estimate: Result<Option<Estimate>, InputError>) {
        match estimate {
            Ok(Some(estimate)) => self.found.push(estimate),
            Ok(None) => self.lacks(method, "the data show none"),
            Err(error) => self.missing.push((method, error.to_string())),
        }
    }

    fn lacks(&mut self, method: Method, why: &str) {
        self.missing.push((method, why.to_owned()));
    }
}

fn resources(table: &Table, arguments: &Arguments) -> Result<Vec<Column>, TableError> {
    if arguments.resource.is_empty() {
        let is_resource = |column: &Column| {
            let name = column.name.to_lowercase();
            ["cpu", "disk", "network"].contains(&name.as_str())
                || ["_utilisation", "_utilization", "_busy"]
                    .iter()
                    .any(|end| name.ends_with(end))
        };
        return Ok(table.columns().filter(is_resource).collect());
    }
    arguments
        .resource
        .iter()
        .map(|name| table.require(Some(name), &[], 0))
        .collect()
}

/// The largest throughput below every failed one that passed, and the smallest that failed.
fn bracket(table: &Table, column: &Column, throughputs: &[f64]) -> Result<Found, String> {
    let mut outcomes = Vec::new();
    for (row, text) in table.texts(column).into_iter().enumerate() {
        let passed = match text.to_lowercase().as_str() {
            "true" | "yes" | "pass" | "passed" | "1" => true,
            "false" | "no" | "fail" | "failed" | "0" => false,
            _ => {
                return Err(format!(
                    "{}, line {}: {}: `{text}` is neither true nor false",
                    table.name(),
                    table.line(row),
                    column.name
                ));
            }
        };
        outcomes.push((throughputs[row], passed));
    }
    let of = |wanted: bool| {
        outcomes
            .iter()
            .filter(move |(_, passed)| *passed == wanted)
            .map(|(throughput, _)| *throughput)
    };
    let failed = of(false).reduce(f64::min);
    let passed = of(true)
        .filter(|throughput| failed.is_none_or(|failed| *throughput < failed))
        .reduce(f64::max);
    Ok(Found {
        passed,
        failed,
        probes: outcomes.len() as u32,
        end: match (passed, failed) {
            (Some(_), Some(_)) => End::Bracketed,
            (None, _) => End::NothingPasses,
            _ => End::NothingFails,
        },
    })
}

fn name(method: Method) -> &'static str {
    match method {
        Method::SloSearch => "slo",
        Method::UslPeak => "usl_peak",
        Method::Kneedle => "knee",
        Method::ServiceDemand => "service_demand",
    }
}

fn print(estimates: &Estimates) {
    for estimate in &estimates.found {
        let load = match estimate.load {
            Some(load) => format!(" at load {}", digits(load)),
            None => String::new(),
        };
        let interval = match &estimate.interval {
            Some(interval) => format!(
                " ({} to {})",
                digits(interval.lower),
                digits(interval.upper)
            ),
            None => String::new(),
        };
        let reach = match estimate.reach {
            Reach::Measured => String::new(),
            Reach::Extrapolated { beyond } => format!(", extrapolated beyond {}", digits(beyond)),
        };
        let name = name(estimate.method);
        say!(
            "{name:<15} {}{load}{interval}{reach}",
            digits(estimate.throughput)
        );
        say!("                {}", estimate.method.question());
    }
    for (method, why) in &estimates.missing {
        say!("{:<15} none: {why}", name(*method));
    }
    match estimates.agreement {
        Agreement::Agree => say!("The estimates within the measured range agree."),
        Agreement::Differ { factor } => say!(
            "The estimates within the measured range differ by a factor of {}; they answer different \
             questions.",
            digits(factor)
        ),
        Agreement::TooFew => {
            say!("Fewer than two estimates lie within the measured range; nothing confirms them.");
        }
    }
    if let Some(attribution) = &estimates.attribution {
        print_demands(attribution);
    }
}

fn print_demands(attribution: &Attribution) {
    say!("\nresource             demand_s          saturates at");
    for demand in &attribution.demands {
        say!(
            "{:<20} {:<17} {}",
            demand.resource,
            digits(demand.demand_s),
            demand.saturation.map_or("never".to_owned(), digits)
        );
    }
    if let Some((bottleneck, gain)) = attribution.bottleneck().zip(attribution.gain_if_doubled) {
        say!(
            "The bottleneck is {}; doubling it would {}.",
            bottleneck.resource,
            match digits(gain).as_str() {
                "2" => "double the limit".to_owned(),
                gain => format!("multiply the limit by {gain}"),
            }
        );
    }
}

fn as_json(estimates: &Estimates) -> Value {
    let found: Vec<Value> = estimates.found.iter().map(estimate_json).collect();
    let missing: Vec<Value> = estimates
        .missing
        .iter()
        .map(|(method, why)| json!({ "method": name(*method), "reason": why }))
        .collect();
    let (agreement, factor) = match estimates.agreement {
        Agreement::Agree => ("agree", None),
        Agreement::Differ { factor } => ("differ", Some(factor)),
        Agreement::TooFew => ("too_few", None),
    };
    let attribution = estimates.attribution.as_ref();
    json!({
        "estimates": found,
        "missing": missing,
        "agreement": agreement,
        "factor": factor,
        "bottleneck": attribution.and_then(|a| a.bottleneck()).map(|demand| &demand.resource),
        "gain_if_doubled": attribution.and_then(|a| a.gain_if_doubled),
        "demands": attribution.map(|a| a.demands.iter().map(demand_json).collect::<Vec<_>>()),
    })
}

fn estimate_json(estimate: &Estimate) -> Value {
    json!({
        "method": name(estimate.method),
        "question": estimate.method.question(),
        "throughput": estimate.throughput,
        "load": estimate.load,
        "interval": estimate.interval.as_ref().map(interval_json),
        "extrapolated": estimate.reach.is_extrapolated(),
    })
}

fn demand_json(demand: &Demand) -> Value {
    json!({
        "resource": demand.resource,
        "demand_s": demand.demand_s,
        "demand_interval": interval_json(&demand.demand_interval),
        "background": demand.background,
        "saturation": demand.saturation,
    })
}
