//! `sparring target simulate`: a system under load in virtual time.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};
use target_systems::offline::{Load, Mix, Report, Simulation, simulate};
use target_systems::plan::Amount;
use target_systems::truth::requests;

use super::super::CommandResult;
use super::SystemArguments;
use super::truth::default_mix;
use crate::terminal::say;

/// Runs the same network that serves a system, without sockets and in virtual time: a million
/// arrivals take seconds. The same seed gives the same figures.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    system: SystemArguments,
    /// An endpoint of the file, with the file's example requests
    #[arg(long, conflicts_with = "mix")]
    endpoint: Option<String>,
    /// A mix of the file [default: the file's first mix]
    #[arg(long)]
    mix: Option<String>,
    /// Requests per second, as a Poisson process
    #[arg(long, required_unless_present = "users")]
    rate: Option<f64>,
    /// Send requests at equal intervals instead
    #[arg(long, requires = "rate")]
    paced: bool,
    /// Users, each alternating between think time and a request
    #[arg(long, conflicts_with = "rate")]
    users: Option<u32>,
    /// Think time of users, in milliseconds
    #[arg(long, default_value_t = 0.0)]
    think_ms: f64,
    /// Number of measured requests
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    /// Number of warm-up requests before them [default: a tenth of them]
    #[arg(long)]
    warm_up: Option<u64>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The maximum number of requests of a simulation: each measured one takes 8 bytes.
const MOST_REQUESTS: u64 = 100_000_000;

pub fn execute(arguments: &Arguments) -> CommandResult {
    let system = arguments.system.load()?;
    let named = arguments.endpoint.as_ref().or(arguments.mix.as_ref());
    let name = named.cloned().unwrap_or_else(|| default_mix(&system));
    if let Some(endpoint) = &arguments.endpoint
        && !system.document.endpoints.contains_key(endpoint)
    {
        let names: Vec<&str> = system
            .document
            .endpoints
            .keys()
            .map(String::as_str)
            .collect();
        return Err(format!("unknown endpoint `{endpoint}`; known: {}", names.join(", ")).into());
    }
    if arguments.requests == 0 || arguments.requests > MOST_REQUESTS {
        return Err(format!(
            "--requests {} is not between 1 and {MOST_REQUESTS}",
            arguments.requests
        )
        .into());
    }
    let samples = requests(&system, &name)?;
    let entries = samples
        .into_iter()
        .map(|sample| (sample.share, sample.endpoint, sample.input));
    let simulation = Simulation {
        load: load(arguments)?,
        mix: Mix::new(entries),
        requests: arguments.requests,
        warm_up: arguments.warm_up.unwrap_or(arguments.requests / 10),
    };
    let report =
        simulate((*system.plan).clone(), &simulation).map_err(|problems| problems.join("; "))?;
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&as_json(&report))?);
    } else {
        print(&name, &report);
    }
    Ok(ExitCode::SUCCESS)
}

fn load(arguments: &Arguments) -> Result<Load, String> {
    let think_ms = arguments.think_ms;
    if !(think_ms.is_finite() && think_ms >= 0.0) {
        return Err(format!("--think-ms {think_ms} must be 0 or more"));
    }
    match (arguments.rate, arguments.users) {
        (Some(rate_per_s), _) if rate_per_s.is_finite() && rate_per_s > 0.0 => {
            Ok(if arguments.paced {
                Load::Paced { rate_per_s }
            } else {
                Load::Open { rate_per_s }
            })
        }
        (Some(rate_per_s), _) => Err(format!("--rate {rate_per_s} must be above 0")),
        (None, Some(users)) if (1..=1_000_000).contains(&users) => Ok(Load::Closed {
            users,
            think_ms: Amount::constant(think_ms),
        }),
        (None, users) => Err(format!(
            "--users {} is not between 1 and 1000000",
            users.unwrap_or(0)
        )),
    }
}

/// The keys for tools.
fn as_json(report: &Report) -> Value {
    let mut utilisation = Map::new();
    for one in &report.utilisation {
        let host = utilisation
            .entry(one.host.to_string())
            .or_insert_with(|| json!({}));
        host[one.resource] = json!(one.share);
    }
    let errors: Map<String, Value> = report
        .errors
        .iter()
        .map(|(name, count)| (name.to_string(), json!(count)))
        .collect();
    json!({
        "simulated": true,
        "requests": report.requests,
        "ok": report.ok,
        "rejected": report.rejected,
        "errors": errors,
        "elapsed_s": report.elapsed.as_secs_f64(),
        "throughput_per_s": report.throughput_per_s,
        "mean_ms": report.mean_ms,
        "mean_error_ms": report.mean_error_ms,
        "p50_ms": report.p50_ms,
        "p95_ms": report.p95_ms,
        "p99_ms": report.p99_ms,
        "wait_share": report.wait_share,
        "utilisation": utilisation,
        "events": report.events,
    })
}

fn print(name: &str, report: &Report) {
    say!("{name}  (simulated, in virtual time)");
    say!(
        "  {} requests in {:.3} s: {} ok, {} rejected, {:.2}/s",
        report.requests,
        report.elapsed.as_secs_f64(),
        report.ok,
        report.rejected,
        report.throughput_per_s
    );
    say!(
        "  mean {:.3} ms (± {:.3}), p50 {:.3}, p95 {:.3}, p99 {:.3}; {:.2} % waited",
        report.mean_ms,
        report.mean_error_ms,
        report.p50_ms,
        report.p95_ms,
        report.p99_ms,
        report.wait_share * 100.0
    );
    for (error_type, count) in &report.errors {
        say!("  {error_type}: {count}");
    }
    for one in &report.utilisation {
        say!(
            "  {:<14} {:<8} {:>6.2} % used",
            one.host,
            one.resource,
            one.share * 100.0
        );
    }
}
