//! The result of a run on several machines.

use std::time::Duration;

use interval_log::{IntervalLog, PERCENTILES, percentile};
use load_engine::summary::Summary;
use load_engine::{CheckResult, ThresholdResult};
use serde_json::{Value, json};

use super::judged;
use super::odd::{Measured, odd};
use super::state::State;

/// A run, merged and judged.
#[derive(Debug)]
pub struct Collected {
    pub script: String,
    pub verdict: Verdict,
    /// Reasons why the measurement is invalid or degraded.
    pub reasons: Vec<String>,
    pub runners: Vec<RunnerResult>,
    pub thresholds: Vec<ThresholdResult>,
    pub checks: Vec<CheckResult>,
    /// Metrics with their aggregates by name.
    pub metrics: Vec<(String, Vec<(String, f64)>)>,
    pub run_time: Duration,
    /// The data of `handleSummary`.
    pub summary: Summary,
    /// The latencies of all runners, by second and endpoint.
    pub log: IntervalLog,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    ThresholdsCrossed,
    /// A runner or samples are missing.
    Invalid,
}

/// The result of one runner.
#[derive(Debug)]
pub struct RunnerResult {
    pub name: String,
    pub share: f64,
    pub requests: u64,
    pub failures: u64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    /// Delay of its start after the common start.
    pub skew_ms: Option<f64>,
    /// `ended`, `lost`, or why it ended early.
    pub state: String,
    /// Why it is an outlier.
    pub odd: Vec<String>,
    pub log: IntervalLog,
}

impl Verdict {
    /// The process' exit code; 99 is k6's, 5 is that of untrusted runs.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::ThresholdsCrossed => 99,
            Self::Invalid => 5,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::ThresholdsCrossed => "FAILED",
            Self::Invalid => "INVALID",
        }
    }
}

impl Collected {
    /// The result of a finished run.
    pub fn of(state: &mut State, now_unix_ms: f64) -> Self {
        let run_time = run_time(state, now_unix_ms);
        let degraded = state.plan().degraded;
        let setup_data = state.setup_data().cloned();
        let (judge, runners) = state.judge_mut();
        let (mut thresholds, mut metrics) = (Vec::new(), Vec::new());
        let checks = judged::checks(runners.values());
        let mut summary = Summary::default();
        if let Some((judge, first)) = judge.zip(runners.values().next()) {
            let (judged, mut aggregate) = judge.judge(runners.values(), run_time, true);
            thresholds = judged.thresholds;
            metrics = judge.metrics(&mut aggregate, run_time);
            let ending = judged::Ending {
                run_time,
                options: &first.joining.summary,
                setup_data: setup_data.as_ref(),
            };
            summary = judge.summary(&mut aggregate, &checks, ending);
        }
        let results = results(state);
        let (mut invalid, mut reasons) = (false, Vec::new());
        for runner in state.runners.values() {
            let name = &runner.joining.name;
            if runner.lost.is_some() {
                invalid |= !degraded;
                let kind = if degraded { "degraded" } else { "invalid" };
                reasons.push(format!("{kind}: the runner {name} was lost; its {} of the load is missing from then on", percent(runner.joining.share)));
            }
            let Some(ended) = &runner.ended else { continue };
            if ended.lost_samples > 0 {
                invalid = true;
                reasons.push(format!(
                    "invalid: the runner {name} lost {} samples",
                    ended.lost_samples
                ));
            }
            if let Some(why) = ended
                .ended_early
                .as_ref()
                .filter(|_| state.stopped().is_none())
            {
                invalid |= !degraded;
                let kind = if degraded { "degraded" } else { "invalid" };
                reasons.push(format!("{kind}: the runner {name} was ended early, {why}"));
            }
        }
        let missing = state.plan().runners - state.runners.len();
        if missing > 0 {
            invalid = true;
            reasons.push(format!(
                "invalid: {missing} of {} runners never connected",
                state.plan().runners
            ));
        }
        reasons.extend(state.teardown_missing());
        reasons.extend(state.stopped().map(|why| format!("ended early: {why}")));
        for result in &results {
            reasons.extend(
                result
                    .odd
                    .iter()
                    .map(|why| format!("the runner {} is an outlier: {why}", result.name)),
            );
        }
        let crossed = thresholds.iter().any(|result| !result.passed);
        let mut log = IntervalLog::of_micros();
        results.iter().for_each(|result| log.merge(&result.log));
        Self {
            script: state
                .runners
                .values()
                .next()
                .map(|runner| runner.joining.script.clone())
                .unwrap_or_default(),
            verdict: match (invalid, crossed) {
                (true, _) => Verdict::Invalid,
                (false, true) => Verdict::ThresholdsCrossed,
                (false, false) => Verdict::Passed,
            },
            reasons,
            runners: results,
            thresholds,
            checks,
            metrics,
            run_time,
            summary,
            log,
        }
    }

    /// The percentiles of all requests together, in milliseconds.
    pub fn percentiles_ms(&self) -> Vec<(&'static str, f64)> {
        let Some(total) = self.log.total() else {
            return Vec::new();
        };
        let of = |(name, quantile): (&'static str, f64)| {
            Some((name, percentile(&total, quantile)? as f64 / 1e3))
        };
        PERCENTILES.into_iter().filter_map(of).collect()
    }

    pub fn to_json(&self) -> Value {
        let pairs = |values: &[(String, f64)]| -> Value {
            values
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let metrics: serde_json::Map<String, Value> = self
            .metrics
            .iter()
            .map(|(name, values)| (name.clone(), pairs(values)))
            .collect();
        let runner = |runner: &RunnerResult| {
            json!({
                "name": runner.name,
                "share": runner.share,
                "requests": runner.requests,
                "failures": runner.failures,
                "p50_ms": runner.p50_ms,
                "p95_ms": runner.p95_ms,
                "skew_ms": runner.skew_ms,
                "state": runner.state,
                "odd": runner.odd,
            })
        };
        let threshold = |result: &ThresholdResult| {
            json!({
                "metric": result.metric,
                "expression": result.expression,
                "passed": result.passed,
                "observed": result.observed,
            })
        };
        let check = |check: &CheckResult| json!({ "name": check.name, "passes": check.passes, "fails": check.fails });
        json!({
            "script": self.script,
            "verdict": self.verdict.word(),
            "reasons": self.reasons,
            "run_time_s": self.run_time.as_secs_f64(),
            "runners": self.runners.iter().map(runner).collect::<Vec<_>>(),
            "thresholds": self.thresholds.iter().map(threshold).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "latency_ms": self.percentiles_ms().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect::<serde_json::Map<_, _>>(),
            "metrics": metrics,
        })
    }
}

/// The longest duration of a runner; for one that has not ended, until now.
fn run_time(state: &State, now_unix_ms: f64) -> Duration {
    let ended = state
        .runners
        .values()
        .filter_map(|runner| runner.ended.as_ref());
    let longest_ms = ended.map(|ended| ended.run_time_ms).reduce(f64::max);
    let since = state.begin_unix_ms().map(|begin| now_unix_ms - begin);
    let ms = longest_ms.or(since).unwrap_or(0.0);
    Duration::try_from_secs_f64((ms / 1e3).max(0.0)).unwrap_or_default()
}

fn results(state: &State) -> Vec<RunnerResult> {
    let measured: Vec<Measured<'_>> = state
        .runners
        .values()
        .map(|runner| Measured {
            latencies: &runner.total,
            failures: runner.failures,
        })
        .collect();
    let mut reasons = odd(&measured).into_iter();
    let ms = |runner: &super::runner::Runner, quantile| {
        percentile(&runner.total, quantile).map(|micros| micros as f64 / 1e3)
    };
    state
        .runners
        .values()
        .map(|runner| RunnerResult {
            name: runner.joining.name.clone(),
            share: runner.joining.share,
            requests: runner.total.len(),
            failures: runner.failures,
            p50_ms: ms(runner, 0.5),
            p95_ms: ms(runner, 0.95),
            skew_ms: runner
                .began_unix_ms
                .zip(state.begin_unix_ms())
                .map(|(began, all)| began - all),
            state: match (&runner.ended, runner.lost) {
                (_, Some(_)) => "lost".to_owned(),
                (Some(ended), None) => ended
                    .ended_early
                    .clone()
                    .unwrap_or_else(|| "ended".to_owned()),
                (None, None) => "running".to_owned(),
            },
            odd: reasons.next().unwrap_or_default(),
            log: runner.log.clone(),
        })
        .collect()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
