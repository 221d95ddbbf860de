//! `sparring target truth`: the results that a correct analysis has to find.

use std::process::ExitCode;

use clap::Args;
use target_systems::System;
use target_systems::truth::{Asking, Figure, Load, Truth, truth};

use super::super::CommandResult;
use super::SystemArguments;
use crate::terminal::say;

/// Prints demands, capacity, bottleneck, knee, hit ratios and memory, from the file alone; with
/// users or a rate also the resulting figures. Figures with a `~` are approximations, the others are exact.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    system: SystemArguments,
    /// A mix of the file or an endpoint alone; several make classes of users, each with its
    /// --users and --think-ms in the same order [default: the file's first mix]
    #[arg(long, value_name = "MIX")]
    mix: Vec<String>,
    /// Users, each alternating between think time and a request
    #[arg(long, conflicts_with = "rate")]
    users: Vec<u32>,
    /// Think time of users, in milliseconds
    #[arg(long, conflicts_with = "rate")]
    think_ms: Vec<f64>,
    /// Requests per second, as a Poisson process
    #[arg(long)]
    rate: Option<f64>,
    /// As JSON, each figure with `exact`
    #[arg(long)]
    json: bool,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let system = arguments.system.load()?;
    let asking = asking(arguments, &system)?;
    let truth = truth(&system, &asking)?;
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&truth)?);
    } else {
        print(&truth);
    }
    Ok(ExitCode::SUCCESS)
}

/// The default mix: the first one of the file, or its first endpoint.
pub(super) fn default_mix(system: &System) -> String {
    let document = &system.document;
    let mut names = document.mixes.keys().chain(document.endpoints.keys());
    names.next().cloned().unwrap_or_default()
}

fn asking(arguments: &Arguments, system: &System) -> Result<Vec<Asking>, String> {
    let mixes = match arguments.mix.as_slice() {
        [] => vec![default_mix(system)],
        mixes => mixes.to_vec(),
    };
    if arguments.users.is_empty() && mixes.len() == 1 {
        let load = match arguments.rate {
            Some(per_s) => Load::Rate { per_s },
            None => Load::Unknown {
                think_ms: arguments.think_ms.first().copied(),
            },
        };
        let mix = mixes.into_iter().next().unwrap_or_default();
        return Ok(vec![Asking { mix, load }]);
    }
    if arguments.users.len() != mixes.len() {
        return Err(format!(
            "{} mixes need as many --users, not {}",
            mixes.len(),
            arguments.users.len()
        ));
    }
    let think_ms = match arguments.think_ms.as_slice() {
        [] => vec![0.0; mixes.len()],
        [one] => vec![*one; mixes.len()],
        many if many.len() == mixes.len() => many.to_vec(),
        many => {
            return Err(format!(
                "{} mixes need one --think-ms or as many, not {}",
                mixes.len(),
                many.len()
            ));
        }
    };
    let loads = arguments.users.iter().zip(think_ms);
    Ok(mixes
        .into_iter()
        .zip(loads)
        .map(|(mix, (users, think_ms))| Asking {
            mix,
            load: Load::Users {
                users: *users,
                think_ms,
            },
        })
        .collect())
}

fn print(truth: &Truth) {
    say!("{}  (simulated; ~ marks approximations)", truth.system);
    for class in &truth.classes {
        let response = &class.response;
        say!(
            "  {}: without load {} ms (p50 {}, p95 {}, p99 {})",
            class.mix,
            of(response.mean_ms),
            of(response.p50_ms),
            of(response.p95_ms),
            of(response.p99_ms)
        );
        for failing in &class.failures {
            say!(
                "  {}: {} % fail with {} {}",
                class.mix,
                of(percent(failing.share)),
                failing.status,
                failing.error_type
            );
        }
        if let Some(knee) = class.knee_users {
            say!("  {}: knee at {} users", class.mix, of(knee));
        }
    }
    if let (Some(capacity), Some(bottleneck)) = (truth.capacity_per_s, &truth.bottleneck) {
        say!(
            "  capacity {}/s; first to run out: {} of {} ({})",
            of(capacity),
            bottleneck.resource,
            bottleneck.of,
            bottleneck.class
        );
    }
    if let Some(load) = &truth.load {
        let response = load
            .response_ms
            .map_or("without end".to_owned(), |ms| format!("{} ms", of(ms)));
        say!(
            "  at this load {}/s, response {response}, refused {} %, successes {} %",
            of(load.throughput_per_s),
            of(percent(load.refused_share)),
            of(percent(load.success_share))
        );
    }
    say!(
        "  {:<14} {:<8} {:>12} {:>10} {:>14} {:>8}",
        "of",
        "resource",
        "demand ms",
        "servers",
        "capacity /s",
        "used %"
    );
    for one in &truth.resources {
        say!(
            "  {:<14} {:<8} {:>12} {:>10} {:>14} {:>8}",
            one.of,
            one.resource,
            of(one.demand_ms),
            one.servers,
            of(one.capacity_per_s),
            one.utilisation
                .map_or_else(|| "-".to_owned(), |used| of(percent(used)))
        );
    }
    for cache in &truth.caches {
        say!(
            "  cache {}: hits {} %",
            cache.component,
            of(percent(cache.hit_ratio))
        );
    }
    for memory in &truth.memory {
        let mut line = format!("  memory of {}: {} MB", memory.host, of(memory.live_mb));
        if let Some(limit) = memory.limit_mb {
            line.push_str(&format!(" of {limit}"));
        }
        if let Some(leak) = memory.leak_mb_per_s {
            line.push_str(&format!(", leaks {} MB/s", of(leak)));
        }
        if let Some(time) = memory.time_to_limit_s {
            line.push_str(&format!(", full in {} s", of(time)));
        }
        say!("{line}");
    }
    for sentence in &truth.not_counted {
        say!("  {sentence}");
    }
}

fn percent(figure: Figure) -> Figure {
    Figure {
        value: figure.value * 100.0,
        ..figure
    }
}

/// A figure with the necessary decimals, and `~` if it is an approximation.
fn of(figure: Figure) -> String {
    let sign = if figure.exact { "" } else { "~" };
    let value = figure.value;
    match value.abs() {
        size if size >= 100.0 => format!("{sign}{value:.0}"),
        size if size >= 10.0 => format!("{sign}{value:.1}"),
        _ => format!("{sign}{value:.3}"),
    }
}
