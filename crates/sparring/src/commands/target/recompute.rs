//! `sparring target recompute`: recomputes a served run from its log.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use target_systems::serve::log::{Difference, End, Recorded, recompute};

use crate::commands::CommandResult;
use crate::terminal::say;

/// Runs a served system again from its log of inputs and compares the end of every request.
///
/// The log is the answer of `GET /__admin/log`. Exit code 0: all ends are equal, to the nanosecond;
/// 1: some differ, or the log is incomplete. Log and recomputation have to come from the same build.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The log, such as the output of `curl -s localhost:8000/__admin/log`
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The maximum number of differences that are printed in full.
const TOLD: usize = 10;

pub fn execute(arguments: &Arguments) -> CommandResult {
    let path = arguments.log.display();
    let text = live_config::read::file(&arguments.log)
        .map_err(|error| format!("{path} cannot be read: {error}"))?;
    let log: Recorded = serde_json::from_str(&text)
        .map_err(|error| format!("{path} is not a response of GET /__admin/log: {error}"))?;
    let (inputs, ends) = (log.inputs.len(), log.ends.len());
    let differences = recompute(log)?;
    if arguments.json {
        let report = serde_json::json!({
            "inputs": inputs, "ends": ends, "differences": differences,
        });
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        say!(
            "{inputs} inputs, {ends} ends, {} differences",
            differences.len()
        );
        for difference in differences.iter().take(TOLD) {
            say!("  {}", told(difference));
        }
        if differences.len() > TOLD {
            say!("  and {} more; --json lists all", differences.len() - TOLD);
        }
    }
    Ok(if differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A difference in one line, with the fields that differ.
fn told(difference: &Difference) -> String {
    let request = difference.request;
    let parts = match (&difference.recorded, &difference.recomputed) {
        (Some(recorded), Some(recomputed)) => both(recorded, recomputed),
        (Some(recorded), None) => vec![format!("{} in the log, none recomputed", end(recorded))],
        (None, Some(recomputed)) => {
            vec![format!("{} recomputed, none in the log", end(recomputed))]
        }
        (None, None) => Vec::new(),
    };
    format!("request {request}: {}", parts.join("; "))
}

fn both(recorded: &End, recomputed: &End) -> Vec<String> {
    let fields = [
        ("end", end_s(recorded), end_s(recomputed)),
        ("status", status(recorded), status(recomputed)),
        ("error", error_type(recorded), error_type(recomputed)),
        (
            "waiting time",
            seconds(recorded.queued_ns),
            seconds(recomputed.queued_ns),
        ),
        ("instances", instances(recorded), instances(recomputed)),
    ];
    let differing = fields.into_iter().filter(|(_, then, now)| then != now);
    let mut parts: Vec<String> = differing
        .map(|(name, then, now)| format!("{name} {then} in the log, {now} recomputed"))
        .collect();
    if recorded.ticket != recomputed.ticket {
        parts.push("another request ends at this place".to_owned());
    }
    parts
}

fn end(end: &End) -> String {
    format!("end {}, status {}", end_s(end), status(end))
}

fn end_s(end: &End) -> String {
    seconds(end.at_ns)
}

/// Down to nanoseconds, without trailing zeros.
fn seconds(ns: u64) -> String {
    let digits = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits} s")
}

fn status(end: &End) -> String {
    end.status.map_or_else(
        || "none (the client left)".to_owned(),
        |status| status.to_string(),
    )
}

fn error_type(end: &End) -> String {
    end.error_type.clone().unwrap_or_else(|| "none".to_owned())
}

fn instances(end: &End) -> String {
    let instances: Vec<String> = end.instances.iter().map(ToString::to_string).collect();
    match instances.is_empty() {
        true => "none".to_owned(),
        false => instances.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_the_fields_that_differ() {
        let recorded = End {
            ticket: 4,
            at_ns: 1_234_000_000,
            status: Some(200),
            error_type: None,
            queued_ns: 0,
            instances: vec![0, 1],
        };
        let check = |recomputed: Option<End>, expected: &str| {
            let difference = Difference {
                request: 17,
                recorded: Some(recorded.clone()),
                recomputed,
            };
            assert_eq!(told(&difference), expected);
        };
        let later = End {
            at_ns: 1_235_000_001,
            ..recorded.clone()
        };
        check(
            Some(later),
            "request 17: end 1.234 s in the log, 1.235000001 s recomputed",
        );
        let failed = End {
            status: Some(503),
            error_type: Some("queue_full".to_owned()),
            instances: Vec::new(),
            ..recorded.clone()
        };
        check(
            Some(failed),
            "request 17: status 200 in the log, 503 recomputed; error none in the log, queue_full recomputed; \
             instances 0, 1 in the log, none recomputed",
        );
        check(
            None,
            "request 17: end 1.234 s, status 200 in the log, none recomputed",
        );
    }
}
