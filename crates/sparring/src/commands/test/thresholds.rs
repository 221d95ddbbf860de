//! The fleet file's `performance_targets` in the orchestrator's suite.

use std::error::Error;
use std::time::Duration;

use fleet::PerformanceTargets;
use suite::file::{Judge, Phase, Span, SuiteFile};

use crate::environment;

/// A bound in the suite file that stands for one of the fleet file.
struct Placeholder {
    metric: &'static str,
    expression: &'static str,
}

const P95: Placeholder = Placeholder {
    metric: "orchestrate_duration",
    expression: "p(95)<2000",
};
const SUCCESS: Placeholder = Placeholder {
    metric: "orchestrate_success",
    expression: "rate>0.95",
};
/// The test at the target rate, and its count of responses.
const BENCHMARK: &str = "benchmark";
const ANSWERED: &str = "answered_requests";

/// Sets the targets in the tests of a suite. Variables named `PERF_...` take precedence over the fleet file.
///
/// # Errors
/// A variable is not a number, or the benchmark is requested (`asked`) without a rate.
pub fn apply(
    file: &mut SuiteFile,
    targets: &PerformanceTargets,
    asked: bool,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let p95_ms =
        variable("PERF_P95_RESPONSE_TIME_MS")?.unwrap_or(targets.p95_response_time_ms as f64);
    let success = variable("PERF_SUCCESS_RATE")?.unwrap_or(targets.success_rate);
    let rate = variable("PERF_THROUGHPUT_RPS")?.unwrap_or(targets.throughput_rps);
    let (p95, rate_above) = (format!("p(95)<{p95_ms}"), format!("rate>{success}"));
    for test in file.tests.values_mut() {
        let parts = test
            .parts
            .values_mut()
            .filter_map(|part| part.judge.as_mut());
        for judge in parts.chain(std::iter::once(&mut test.judge)) {
            P95.replace(judge, &p95);
            SUCCESS.replace(judge, &rate_above);
        }
    }
    if rate <= 0.0 {
        if asked {
            return Err(
                "performance_targets.throughput_rps is 0; a test needs a rate above 0".into(),
            );
        }
        file.tests.shift_remove(BENCHMARK);
        return Ok(());
    }
    if let Some(test) = file.tests.get_mut(BENCHMARK) {
        let mut seconds = 0.0;
        for phase in test.phases.iter_mut().flatten() {
            match phase {
                Phase::Ramp(ramp) => ramp.to = rate,
                Phase::Steady(steady) => {
                    if let Some(time) = duration("K6_THROUGHPUT_DURATION")? {
                        steady.lasts = time.into();
                    }
                    seconds = steady.lasts.get().as_secs_f64();
                }
                _ => {}
            }
        }
        let least = (rate * seconds * success).floor();
        // The ratio of responses to planned arrivals is a criterion without edge effects.
        test.judge.rows.shift_remove("rate_per_s");
        test.judge
            .thresholds
            .insert(ANSWERED.to_owned(), vec![format!("count>={least}")]);
    }
    Ok(())
}

impl Placeholder {
    fn replace(&self, judge: &mut Judge, by: &str) {
        let expressions = judge.thresholds.get_mut(self.metric);
        for expression in expressions
            .into_iter()
            .flatten()
            .filter(|known| *known == self.expression)
        {
            by.clone_into(expression);
        }
    }
}

fn variable(name: &str) -> Result<Option<f64>, String> {
    let Some(text) = environment::nonempty_text(name) else {
        return Ok(None);
    };
    let number: Option<f64> = text.trim().parse().ok();
    let number = number.filter(|number| number.is_finite() && *number >= 0.0);
    number
        .map(Some)
        .ok_or_else(|| format!("{name} is `{text}`; a number is expected"))
}

fn duration(name: &str) -> Result<Option<Duration>, String> {
    let Some(text) = environment::nonempty_text(name) else {
        return Ok(None);
    };
    let span = text
        .parse::<Span>()
        .map_err(|error| format!("{name}: {error}"))?;
    Ok(Some(span.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_replace_the_bounds_that_stand_for_them() {
        let mut file = suite::builtin::built_in("orchestrator")
            .expect("built in")
            .expect("sound");
        let targets = PerformanceTargets {
            p95_response_time_ms: 100,
            success_rate: 0.5,
            throughput_rps: 8.0,
        };
        apply(&mut file, &targets, true).expect("targets");
        assert_eq!(
            file.tests["smoke"].judge.thresholds["orchestrate_duration"],
            ["p(95)<100"]
        );
        assert_eq!(
            file.tests["smoke"].judge.thresholds["orchestrate_success"],
            ["rate>0.5"]
        );
        // A bound that differs from the placeholder remains.
        assert_eq!(
            file.tests["volume"].judge.thresholds["orchestrate_duration"],
            ["p(95)<10000"]
        );
        let benchmark = &file.tests["benchmark"];
        assert_eq!(benchmark.judge.thresholds[ANSWERED], ["count>=480"]);
        let none = PerformanceTargets {
            throughput_rps: 0.0,
            ..targets
        };
        assert!(apply(&mut file, &none, true).is_err());
        apply(&mut file, &none, false).expect("it is not asked for");
        assert!(!file.tests.contains_key("benchmark"));
    }
}
