//! `sparring target simulate`: a system under load in virtual time.

use std::ops::RangeInclusive;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};
use target_systems::offline::{Load, Mix, Report, Simulation, simulate};
use target_systems::plan::Amount;

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
    // `requires` alone is not enough: clap does not demand an argument that conflicts with another one given.
    #[arg(long, requires = "rate", conflicts_with = "users")]
    paced: bool,
    /// Users, each alternating between think time and a request
    #[arg(long, conflicts_with = "rate")]
    users: Option<u32>,
    /// Think time of users, in milliseconds [default: 0]
    #[arg(long, requires = "users", conflicts_with = "rate")]
    think_ms: Option<f64>,
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

/// The maximum number of requests of a simulation, warm-up included: each measured one takes 8 bytes.
const MOST_REQUESTS: u64 = 100_000_000;
/// The limits of a rate. At higher rates, arrivals would be closer than a model's times are.
const RATES: RangeInclusive<f64> = 1e-6..=1e7;
/// The longest think time: a day.
const MOST_THINK_MS: f64 = 86_400_000.0;
/// The maximum number of users.
const MOST_USERS: u32 = 1_000_000;

pub fn execute(arguments: &Arguments) -> CommandResult {
    let system = arguments.system.load()?;
    let named = arguments.endpoint.as_ref().or(arguments.mix.as_ref());
    let name = named.cloned().unwrap_or_else(|| default_mix(&system));
    let endpoints = &system.document.endpoints;
    if let Some(endpoint) = &arguments.endpoint
        && !endpoints.contains_key(endpoint)
    {
        let names: Vec<&str> = endpoints.keys().map(String::as_str).collect();
        let hint = match live_config::read::nearest(endpoint, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", names.join(", ")),
        };
        return Err(format!("unknown endpoint `{endpoint}`; {hint}").into());
    }
    let (requests, warm_up) = counts(arguments)?;
    let load = load(arguments)?;
    let samples = target_systems::truth::requests(&system, &name)?;
    let entries = samples
        .into_iter()
        .map(|sample| (sample.share, sample.endpoint, sample.input));
    let simulation = Simulation {
        load,
        mix: Mix::new(entries),
        requests,
        warm_up,
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

/// The numbers of measured requests and of those of the warm-up.
fn counts(arguments: &Arguments) -> Result<(u64, u64), String> {
    let requests = arguments.requests;
    if !(1..=MOST_REQUESTS).contains(&requests) {
        return Err(format!(
            "--requests {requests} is not between 1 and {MOST_REQUESTS}"
        ));
    }
    let warm_up = arguments.warm_up.unwrap_or(requests / 10);
    if warm_up > MOST_REQUESTS {
        return Err(format!("--warm-up {warm_up} is above {MOST_REQUESTS}"));
    }
    Ok((requests, warm_up))
}

fn load(arguments: &Arguments) -> Result<Load, String> {
    if let Some(rate_per_s) = arguments.rate {
        if !RATES.contains(&rate_per_s) {
            let (least, most) = (RATES.start(), RATES.end());
            return Err(format!(
                "--rate {rate_per_s} is not between {least} and {most} requests per second"
            ));
        }
        return Ok(if arguments.paced {
            Load::Paced { rate_per_s }
        } else {
            Load::Open { rate_per_s }
        });
    }
    let think_ms = arguments.think_ms.unwrap_or(0.0);
    if !(0.0..=MOST_THINK_MS).contains(&think_ms) {
        return Err(format!(
            "--think-ms {think_ms} is not between 0 and {MOST_THINK_MS} (a day)"
        ));
    }
    let users = arguments.users.unwrap_or(0);
    if !(1..=MOST_USERS).contains(&users) {
        return Err(format!("--users {users} is not between 1 and {MOST_USERS}"));
    }
    Ok(Load::Closed {
        users,
        think_ms: Amount::constant(think_ms),
    })
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
    let failures: Vec<Value> = report
        .failures
        .iter()
        .map(|((endpoint, error_type, status), count)| {
            json!({ "endpoint": **endpoint, "error_type": **error_type, "status": status, "count": count })
        })
        .collect();
    json!({
        "simulated": true,
        "requests": report.requests,
        "ok": report.ok,
        "rejected": report.rejected,
        "errors": errors,
        "failures": failures,
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
        "  {} requests in {:.3} s: {} ok, {} failed ({:.2} %), {:.2}/s",
        report.requests,
        report.elapsed.as_secs_f64(),
        report.ok,
        report.rejected,
        percent(report.rejected, report.requests),
        report.throughput_per_s
    );
    for ((endpoint, error_type, status), count) in &report.failures {
        let share = percent(*count, report.requests);
        say!("    {count} of {endpoint}: {error_type} ({status}), {share:.2} %");
    }
    if report.errors.contains_key("not_found") {
        say!(
            "    not_found: the requests name entries of a store; `populate` makes the entries 1, 2, …"
        );
    }
    if report.ok == 0 {
        return say!("  no request succeeded, so that there are no response times");
    }
    say!(
        "  mean {:.3} ms (± {:.3}), p50 {:.3}, p95 {:.3}, p99 {:.3}; {:.2} % waited",
        report.mean_ms,
        report.mean_error_ms,
        report.p50_ms,
        report.p95_ms,
        report.p99_ms,
        report.wait_share * 100.0
    );
    for one in &report.utilisation {
        say!(
            "  {:<14} {:<8} {:>6.2} % used",
            one.host,
            one.resource,
            one.share * 100.0
        );
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}
