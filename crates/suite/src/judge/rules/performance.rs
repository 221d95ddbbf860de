//! Slow answers, failures, low throughput: A360-18, A360-20, A360-21, ACIS-17..19, ACSO-52.

use report::record::Severity;
use serde_json::json;

use super::super::grades;
use super::super::verdict::number;
use super::{Facts, Found, above, evidence};
use crate::file::{Grade, GradeName};

/// ACIS-17 and ACIS-19.
pub(super) const SLOW_MS: f64 = 2000.0;
const FEW_PER_S: f64 = 20.0;
/// A part with this share of the response time is worth looking at first.
const DOMINATES: f64 = 0.3;
const BUSY_LINK: f64 = 0.7;

pub(super) fn find(facts: &Facts<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    found.extend(latency(facts));
    found.extend(cache(facts));
    found.extend(database(facts));
    found.extend(high_response(facts));
    found.extend(high_errors(facts));
    found.extend(low_throughput(facts));
    found.extend(parts_of_a_slow_answer(facts));
    found.extend(causes_of_low_throughput(facts));
    found
}

fn latency(facts: &Facts<'_>) -> Option<Found> {
    let p95 = above(facts.p95_ms, SLOW_MS)?;
    Some(Found {
        rule: "latency_bottleneck",
        severity: Severity::Warning,
        text: format!(
            "The 95th percentile of the response is {} s, above 2 s.",
            number(p95 / 1000.0)
        ),
        evidence: evidence("p95_ms", p95, SLOW_MS),
        window_s: facts.window_s(),
        action: "Optimize database queries.",
        falsified_by: "Component times in which the database has no share in the slow answers.",
    })
}

fn cache(facts: &Facts<'_>) -> Option<Found> {
    let ratio = facts
        .other("cache_hit_ratio")
        .filter(|ratio| *ratio < 0.8)?;
    Some(Found {
        rule: "cache_hit_rate",
        severity: Severity::Info,
        text: format!(
            "Only {} % of the lookups hit the cache.",
            number(ratio * 100.0)
        ),
        evidence: evidence("cache_hit_ratio", ratio, 0.8),
        window_s: facts.window_s(),
        action: "Review the cache configuration and warm the cache up.",
        falsified_by: "A run with a larger cache and the same hit ratio.",
    })
}

fn database(facts: &Facts<'_>) -> Option<Found> {
    let mean = above(facts.trend("database_query_ms", "avg"), 100.0)?;
    Some(Found {
        rule: "database_latency",
        severity: Severity::Warning,
        text: format!(
            "A database query takes {} ms on average, above 100 ms.",
            number(mean)
        ),
        evidence: evidence("database_query_ms", mean, 100.0),
        window_s: None,
        action: "Review the queries and their indexes.",
        falsified_by: "The same queries that are as slow on an idle database.",
    })
}

fn high_response(facts: &Facts<'_>) -> Option<Found> {
    let mean = above(facts.mean_ms, SLOW_MS)?;
    Some(Found {
        rule: "high_response",
        severity: Severity::Critical,
        text: format!(
            "Answers take {} ms on average, above 2000 ms.",
            number(mean)
        ),
        evidence: evidence("avg_ms", mean, SLOW_MS),
        window_s: facts.window_s(),
        action: "Log slow queries, add missing indexes, cache what is read often, and call other services asynchronously.",
        falsified_by: "Component times that show queueing for the processor instead.",
    })
}

fn high_errors(facts: &Facts<'_>) -> Option<Found> {
    let rate = above(facts.error_rate, 0.05)?;
    Some(Found {
        rule: "high_errors",
        severity: Severity::Critical,
        text: format!(
            "{} % of the requests fail, above 5 %.",
            number(rate * 100.0)
        ),
        evidence: evidence("error_rate", rate, 0.05),
        window_s: facts.window_s(),
        action: "Enlarge exhausted pools, queue what exceeds the limits, protect calls by circuit breakers, and fix leaks.",
        falsified_by: "Failures that the scripts provoke, or that come from one endpoint alone.",
    })
}

/// Low only if more was requested: five users with think time cannot send twenty requests a second.
fn low_throughput(facts: &Facts<'_>) -> Option<Found> {
    let rate = facts.requests_per_s.filter(|rate| *rate < FEW_PER_S)?;
    let wanted = facts.wanted_per_s().filter(|wanted| *wanted > FEW_PER_S)?;
    Some(Found {
        rule: "low_throughput",
        severity: Severity::Critical,
        text: format!(
            "{} requests/s are answered, but {} are requested.",
            number(rate),
            number(wanted)
        ),
        evidence: json!({ "requests_per_s": rate, "wanted_per_s": wanted, "bound": FEW_PER_S }),
        window_s: facts.window_s(),
        action: "Scale out, add workers, replace blocking calls by asynchronous ones, and profile the processor's work.",
        falsified_by: "The same rate with half the users: then the load was the limit.",
    })
}

/// ACSO-52, high response: the part of the response time that dominates.
fn parts_of_a_slow_answer(facts: &Facts<'_>) -> Vec<Found> {
    let Some(mean) = above(facts.mean_ms, slow_for(facts)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let share = |metric: &str| facts.trend(metric, "avg").map(|part| (part, part / mean));
    for (rule, metric, what, action) in [
        (
            "slow_agents",
            "tool_execution_ms",
            "the agents' tools",
            "Profile the agents and the tools that they wait for.",
        ),
        (
            "slow_database",
            "database_query_ms",
            "the database",
            "Look at the plans of the slowest queries.",
        ),
        (
            "slow_queue",
            "queue_wait_ms",
            "waiting in queues",
            "Give the busiest part more slots or instances.",
        ),
    ] {
        if let Some((part, share)) = share(metric).filter(|(_, share)| *share >= DOMINATES) {
            found.push(Found {
                rule,
                severity: Severity::Warning,
                text: format!("{} ms of the mean response of {} ms go to {what}.", number(part), number(mean)),
                evidence: json!({ metric: part, "avg_ms": mean, "share": share, "bound": DOMINATES }),
                window_s: None,
                action,
                falsified_by: "A run in which this part is faster and the response is not.",
            });
        }
    }
    if let Some(network) = above(facts.network, BUSY_LINK) {
        found.push(Found {
            rule: "network_latency",
            severity: Severity::Warning,
            text: format!(
                "The network is busy for {} % while answers are slow.",
                number(network * 100.0)
            ),
            evidence: evidence("network_ratio", network, BUSY_LINK),
            window_s: facts.window_s(),
            action: "Compress what is sent, send less, or provide more bandwidth.",
            falsified_by: "The same load with twice the bandwidth and the same response.",
        });
    }
    found
}

/// Above the grade of acceptable, or ACIS' two seconds.
fn slow_for(facts: &Facts<'_>) -> f64 {
    let graded = facts
        .case
        .file
        .grades
        .get(&Grade::AvgMs)
        .and_then(|bounds| grades::required(Grade::AvgMs, bounds, GradeName::Acceptable));
    graded.map_or(SLOW_MS, |bound| bound.value().min(SLOW_MS))
}

/// ACSO-52, low throughput: below the target of the table although more was requested.
fn causes_of_low_throughput(facts: &Facts<'_>) -> Vec<Found> {
    let table = &facts.case.file.grades;
    let of = |grade: Grade| {
        let bounds = table.get(&grade)?;
        grades::required(grade, bounds, GradeName::Target)
    };
    let target = of(Grade::OpsPerS)
        .or(of(Grade::Rps))
        .map(super::super::expression::Bound::value);
    let (Some(target), Some(rate), Some(wanted)) =
        (target, facts.successes_per_s, facts.wanted_per_s())
    else {
        return Vec::new();
    };
    if rate >= target || wanted < target {
        return Vec::new();
    }
    let (rule, action) = match facts.bottleneck() {
        Some(("network", _)) | Some((_, Some("bus"))) => (
            "throughput_bus",
            "Batch and compress messages, and keep connections of the bus open.",
        ),
        Some(_) => (
            "throughput_agents",
            "Raise the efficiency or the number of the agents.",
        ),
        None => (
            "throughput_coordination",
            "Look for steps that wait for each other: locks, ordered queues, sequential workflows.",
        ),
    };
    vec![Found {
        rule,
        severity: Severity::Warning,
        text: format!(
            "{} operations/s succeed; the target is {}, and {} are requested.",
            number(rate),
            number(target),
            number(wanted)
        ),
        evidence: json!({ "ops_per_s": rate, "target": target, "wanted_per_s": wanted,
            "bottleneck": facts.sheet.found("bottleneck") }),
        window_s: facts.window_s(),
        action,
        falsified_by: "A run with this cause removed and the same throughput.",
    }]
}
