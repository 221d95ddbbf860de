//! `performance_results.json` of ACSO. Rates are percentages, times seconds.

use serde_json::{Value, json};

use super::mean_and_largest;
use crate::content::ladder;
use crate::record::{PhaseKind, PhaseRecord, ResourceSample, RunRecord, TestContent, TestRecord};

/// The document's target throughput, in operations per second.
const TARGET_PER_S: f64 = 50.0;

/// All tests of the run together. The p95 is the maximum of the tests', because percentiles of several
/// tests cannot be combined.
pub fn acso(run: &RunRecord) -> Value {
    let ladder = run
        .tests
        .iter()
        .filter_map(ladder::analyse)
        .find_map(|ladder| ladder.figures);
    let score = ladder
        .as_ref()
        .map(|figures| figures.linear_scalability_score);
    let recommendations: Vec<String> = run
        .tests
        .iter()
        .flat_map(|test| &test.findings)
        .map(|finding| format!("{} {}", finding.text, finding.action))
        .collect();
    json!({
        "summary": summary(run),
        "resource_utilization": resources(run),
        "scalability_analysis": {
            "linear_scalability_score": score,
            "max_stable_users": ladder.as_ref().and_then(|figures| figures.max_stable_users),
            "saturation_point": ladder.as_ref().and_then(|figures| figures.saturation_point),
        },
        "recommendations": recommendations,
        "kpis": recorded_kpis(run).unwrap_or_else(|| kpis(run, score)),
    })
}

fn summary(run: &RunRecord) -> Value {
    let figures = || run.tests.iter().map(|test| &test.figures);
    let requests: u64 = figures().map(|figures| figures.requests).sum();
    let failures: u64 = figures().map(|figures| figures.failures).sum();
    let seconds: f64 = figures().map(|figures| figures.seconds).sum();
    let successes = requests.saturating_sub(failures) as f64;
    let latencies = figures()
        .filter_map(|figures| Some((figures.latency.as_ref()?.mean, figures.requests as f64)));
    let (sum, weight) = latencies.fold((0.0, 0.0), |(sum, weight), (mean, n)| {
        (sum + mean * n, weight + n)
    });
    let p95 = figures()
        .filter_map(|figures| figures.percentile("p95"))
        .reduce(f64::max);
    json!({
        "total_operations": requests,
        "success_rate": (requests > 0).then(|| 100.0 * successes / requests as f64),
        "avg_throughput": (seconds > 0.0).then(|| successes / seconds),
        "max_throughput": steady(run).filter_map(|phase| phase.figures.successes_per_s()).reduce(f64::max),
        "avg_response_time": (weight > 0.0).then(|| sum / weight / 1000.0),
        "p95_response_time": p95.map(|ms| ms / 1000.0),
    })
}

fn steady(run: &RunRecord) -> impl Iterator<Item = &PhaseRecord> {
    let phases = run.tests.iter().flat_map(|test| {
        // Steps after a ladder's end, and steps that were cut short, do not count.
        let is_ladder = test.content == TestContent::Ladder;
        let phases = test.phases.iter();
        phases.filter(move |phase| phase.judged || !is_ladder)
    });
    phases.filter(|phase| phase.kind == PhaseKind::Steady)
}

fn resources(run: &RunRecord) -> Value {
    let of = |figure: fn(&ResourceSample) -> Option<f64>| {
        mean_and_largest(
            run.tests.iter().flat_map(TestRecord::target_in_phases),
            figure,
        )
    };
    let (cpu, memory) = (
        of(|sample| sample.cpu_ratio),
        of(|sample| sample.memory_ratio),
    );
    json!({
        "avg_cpu_percent": cpu.map(|(mean, _)| 100.0 * mean),
        "max_cpu_percent": cpu.map(|(_, largest)| 100.0 * largest),
        "avg_memory_percent": memory.map(|(mean, _)| 100.0 * mean),
        "max_memory_percent": memory.map(|(_, largest)| 100.0 * largest),
    })
}

/// The indicators that were judged with the run.
fn recorded_kpis(run: &RunRecord) -> Option<Value> {
    run.tests
        .iter()
        .rev()
        .find_map(|test| test.analysis.get("kpis").cloned())
}

fn kpis(run: &RunRecord, score: Option<f64>) -> Value {
    let load = load_test(run);
    let throughput = load.and_then(|test| test.figures.successes_per_s());
    let cores = load.and_then(busy_cores);
    let largest = steady(run).max_by(|a, b| {
        let load = |phase: &PhaseRecord| phase.users.or(phase.rate_per_s).unwrap_or(0.0);
        load(a).total_cmp(&load(b))
    });
    json!({
        "throughput_efficiency": throughput.map(|throughput| throughput / TARGET_PER_S),
        "scalability_score": score,
        "resource_efficiency": throughput
            .zip(cores.filter(|cores| *cores > 0.0))
            .map(|(throughput, cores)| throughput / cores),
        "reliability_score": largest.and_then(|phase| phase.figures.success_rate()),
    })
}

/// The mixed load, otherwise the last part of `load`.
fn load_test(run: &RunRecord) -> Option<&TestRecord> {
    let load = || run.tests.iter().filter(|test| test.name == "load");
    let mixed = load().find(|test| test.part.as_deref() == Some("mixed"));
    mixed.or_else(|| load().next_back())
}

/// The mean number of busy cores, summed over all hosts.
fn busy_cores(test: &TestRecord) -> Option<f64> {
    let mut by_host: std::collections::BTreeMap<Option<&str>, (f64, u32)> =
        std::collections::BTreeMap::new();
    for sample in test.target_in_phases() {
        if let Some(cores) = sample.cpu_cores {
            let sum = by_host.entry(sample.host.as_deref()).or_default();
            sum.0 += cores;
            sum.1 += 1;
        }
    }
    let means = by_host.values().map(|(sum, count)| sum / f64::from(*count));
    means.reduce(|a, b| a + b)
}
