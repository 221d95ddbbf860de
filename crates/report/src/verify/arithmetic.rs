//! Checks the consistency of a test's figures.

use super::{Computed, Verified};
use crate::record::{Endpoint, Figures, Latency, PERCENTILES, Second, TestRecord};

/// Tolerance of rates, which are quotients of recorded numbers.
const SLACK: f64 = 1e-6;

pub fn test(test: &TestRecord, path: &str, verified: &mut Verified) {
    let whole = format!("{path}.figures");
    figures(&test.figures, &whole, verified);
    endpoints(&test.endpoints, &test.figures, path, verified);
    for (at, phase) in test.phases.iter().enumerate() {
        let path = format!("{path}.phases[{at}]");
        figures(&phase.figures, &format!("{path}.figures"), verified);
        endpoints(&phase.endpoints, &phase.figures, &path, verified);
        let ordered = phase.begin_s <= phase.end_s && phase.end_s <= test.duration_s + 1.0;
        verified.holds(&format!("{path}.end_s"), ordered, || {
            format!(
                "{} is not between the start of the phase and the end of the test",
                phase.end_s
            )
        });
    }
    if !test.phases.is_empty() {
        let in_phases: u64 = test.phases.iter().map(|phase| phase.figures.requests).sum();
        verified.holds(
            &format!("{whole}.requests"),
            test.figures.requests >= in_phases || overlap(test),
            || {
                format!(
                    "is {}, but the phases alone have {in_phases}",
                    test.figures.requests
                )
            },
        );
    }
    seconds(test, path, verified);
    for (at, check) in test.checks.iter().enumerate() {
        let asked = check.passes.checked_add(check.fails);
        verified.holds(&format!("{path}.checks[{at}]"), asked.is_some(), || {
            "counts overflow".to_owned()
        });
    }
}

/// Whether phases overlap, as those of drills may.
fn overlap(test: &TestRecord) -> bool {
    test.phases
        .windows(2)
        .any(|pair| pair[1].begin_s < pair[0].end_s - 1e-9)
}

fn figures(figures: &Figures, path: &str, verified: &mut Verified) {
    verified.holds(
        &format!("{path}.failures"),
        figures.failures <= figures.requests,
        || {
            format!(
                "is {}, more than the {} requests",
                figures.failures, figures.requests
            )
        },
    );
    if let Some(rate) = figures.requests_per_s.filter(|_| figures.seconds > 0.0) {
        let computed = Computed {
            value: figures.requests as f64 / figures.seconds,
            slack: SLACK,
            from: "requests and seconds",
        };
        verified.close(&format!("{path}.requests_per_s"), rate, &computed);
    }
    let has_latency = figures.latency.is_some();
    verified.holds(
        &format!("{path}.latency"),
        has_latency == (figures.requests > 0),
        || {
            format!(
                "{} requests with{} latency",
                figures.requests,
                if has_latency { "" } else { "out" }
            )
        },
    );
    for (name, latency) in [
        ("latency", &figures.latency),
        ("intended_latency", &figures.intended_latency),
    ] {
        if let Some(latency) = latency {
            self::latency(latency, &format!("{path}.{name}"), verified);
        }
    }
}

/// Checks that percentiles ascend between the smallest and the largest value, within their intervals.
fn latency(latency: &Latency, path: &str, verified: &mut Verified) {
    // A histogram of three digits may round the ends.
    let slack = 0.002 * latency.max.abs() + 1e-6;
    let (min, max) = (latency.min - slack, latency.max + slack);
    verified.holds(
        &format!("{path}.mean"),
        latency.mean >= min && latency.mean <= max,
        || {
            format!(
                "{} is not between {} and {}",
                latency.mean, latency.min, latency.max
            )
        },
    );
    let mut last: Option<(&str, f64)> = None;
    for (key, _) in PERCENTILES {
        let Some(value) = latency.percentiles.get(key).copied() else {
            continue;
        };
        let path = format!("{path}.percentiles.{key}");
        verified.holds(&path, value >= min && value <= max, || {
            format!("{value} is not between {} and {}", latency.min, latency.max)
        });
        if let Some((below, least)) = last {
            verified.holds(&path, value >= least, || {
                format!("{value} is below {below}, which is {least}")
            });
        }
        last = Some((key, value));
        if let Some([low, high]) = latency.intervals.get(key) {
            verified.holds(&path, value >= low - slack && value <= high + slack, || {
                format!("{value} is outside its interval, {low} to {high}")
            });
        }
    }
    if let Some(largest) = latency.percentiles.get("p100") {
        let computed = Computed {
            value: latency.max,
            slack: 0.002,
            from: "the largest latency",
        };
        verified.close(&format!("{path}.percentiles.p100"), *largest, &computed);
    }
}

fn endpoints(endpoints: &[Endpoint], whole: &Figures, path: &str, verified: &mut Verified) {
    for (at, endpoint) in endpoints.iter().enumerate() {
        let path = format!("{path}.endpoints[{at}]");
        figures(&endpoint.figures, &format!("{path}.figures"), verified);
        if !endpoint.statuses.is_empty() {
            let statuses: u64 = endpoint.statuses.values().sum();
            let requests = endpoint.figures.requests;
            verified.equal(
                &format!("{path}.figures.requests"),
                requests,
                statuses,
                "its statuses",
            );
        }
        let errors: u64 = endpoint.errors.iter().map(|(_, times)| times).sum();
        verified.holds(
            &format!("{path}.errors"),
            errors <= endpoint.figures.failures,
            || {
                format!(
                    "are {errors}, more than the {} failures",
                    endpoint.figures.failures
                )
            },
        );
    }
    if endpoints.is_empty() {
        return;
    }
    let sum = |of: fn(&Figures) -> u64| {
        endpoints
            .iter()
            .map(|endpoint| of(&endpoint.figures))
            .sum::<u64>()
    };
    let mut equal = |name: &str, of: fn(&Figures) -> u64| {
        verified.equal(
            &format!("{path}.figures.{name}"),
            of(whole),
            sum(of),
            "its endpoints",
        );
    };
    equal("requests", |figures| figures.requests);
    equal("failures", |figures| figures.failures);
    // Bytes may have been counted for the whole only.
    if sum(|figures| figures.received_bytes) > 0 {
        equal("received_bytes", |figures| figures.received_bytes);
    }
    if sum(|figures| figures.sent_bytes) > 0 {
        equal("sent_bytes", |figures| figures.sent_bytes);
    }
    equal("content_bytes", |figures| {
        figures.content_bytes.unwrap_or(0)
    });
}

fn seconds(test: &TestRecord, path: &str, verified: &mut Verified) {
    if test.seconds.is_empty() {
        return;
    }
    let sum = |of: fn(&Second) -> u64| test.seconds.iter().map(of).sum::<u64>();
    let requests = format!("{path}.figures.requests");
    verified.equal(
        &requests,
        test.figures.requests,
        sum(|s| s.requests),
        "its seconds",
    );
    let failures = format!("{path}.figures.failures");
    verified.equal(
        &failures,
        test.figures.failures,
        sum(|s| s.failures),
        "its seconds",
    );
    // Seconds of older records have no sizes.
    if test.seconds.iter().any(|s| s.content_bytes.is_some()) {
        let content = format!("{path}.figures.content_bytes");
        verified.equal(
            &content,
            test.figures.content_bytes.unwrap_or(0),
            sum(|s| s.content_bytes.unwrap_or(0)),
            "its seconds",
        );
    }
    for (at, second) in test.seconds.iter().enumerate() {
        let path = format!("{path}.seconds[{at}]");
        verified.holds(
            &format!("{path}.failures"),
            second.failures <= second.requests,
            || {
                format!(
                    "is {}, more than the {} requests",
                    second.failures, second.requests
                )
            },
        );
        let latencies = [
            second.min_ms,
            second.p50_ms,
            second.p95_ms,
            second.p99_ms,
            second.max_ms,
        ];
        let latencies: Vec<f64> = latencies.into_iter().flatten().collect();
        let ascends = latencies.windows(2).all(|pair| pair[0] <= pair[1]);
        verified.holds(&path, ascends, || {
            format!("its percentiles do not ascend: {latencies:?}")
        });
    }
}
