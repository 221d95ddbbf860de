//! The verdict on a run, from the summary data that k6 passes to `handleSummary`.

use std::fmt;

use serde_json::Value;

/// The measurements of a run.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// The data passed to `handleSummary`.
    pub data: &'a Value,
    /// Metrics of the data that have no sample.
    pub without_samples: &'a [String],
}

/// The judgement of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Every threshold, in the order of the summary.
    pub thresholds: Vec<Threshold>,
    /// Reasons why the run is untrusted or incomplete, independent of the thresholds.
    pub invalid_because: Vec<String>,
}

/// A threshold and its measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    pub metric: String,
    /// As written, such as `p(95)<2000`.
    pub expression: String,
    /// The aggregate named by the expression, in the metric's own unit, if it is known.
    pub measured: Option<f64>,
    /// Whether there were samples. Without any, the driver compares zero with the bound.
    pub has_data: bool,
    pub held: bool,
}

impl Verdict {
    /// Reads `metrics.<name>.thresholds.<expression>.ok` of the summary data. Missing measurements prove
    /// nothing: a run without an iteration, without a threshold, or with a threshold that had no samples is
    /// untrusted, whatever the result of the comparison with zero. Counters are an exception: if iterations
    /// ended, a counter without samples is 0.
    pub fn new(measured: &Measured<'_>, mut invalid_because: Vec<String>) -> Self {
        let metrics = measured.data.get("metrics").and_then(Value::as_object);
        let iterations = metrics
            .and_then(|metrics| {
                metrics
                    .get("iterations")?
                    .get("values")?
                    .get("count")?
                    .as_f64()
            })
            .unwrap_or_default();
        let has_data = |name: &str, metric: &Value| {
            !measured.without_samples.iter().any(|other| other == name)
                || metric.get("type").and_then(Value::as_str) == Some("counter") && iterations > 0.0
        };
        let thresholds: Vec<Threshold> = metrics
            .into_iter()
            .flatten()
            .flat_map(|(name, metric)| thresholds_of(name, metric, has_data(name, metric)))
            .collect();
        if iterations == 0.0 {
            invalid_because.push("no iteration completed".to_owned());
        }
        if thresholds.is_empty() {
            invalid_because.push("no thresholds are defined".to_owned());
        }
        let untried = thresholds.iter().filter(|threshold| !threshold.has_data);
        invalid_because
            .extend(untried.map(|t| format!("no data for {} {}", t.metric, t.expression)));
        Self {
            thresholds,
            invalid_because,
        }
    }

    /// Whether every threshold held and the measurement is valid.
    pub fn passed(&self) -> bool {
        self.invalid_because.is_empty() && self.thresholds.iter().all(|threshold| threshold.held)
    }
}

fn thresholds_of<'a>(
    name: &'a str,
    metric: &'a Value,
    has_data: bool,
) -> impl Iterator<Item = Threshold> + 'a {
    let thresholds = metric.get("thresholds").and_then(Value::as_object);
    thresholds
        .into_iter()
        .flatten()
        .map(move |(expression, result)| Threshold {
            metric: name.to_owned(),
            expression: expression.clone(),
            measured: aggregate(expression)
                .and_then(|aggregate| metric.get("values")?.get(aggregate)?.as_f64())
                .filter(|_| has_data),
            has_data,
            held: has_data && result.get("ok").and_then(Value::as_bool).unwrap_or(false),
        })
}

/// The aggregate that an expression compares: everything before the operator.
fn aggregate(expression: &str) -> Option<&str> {
    let end = expression.find(['<', '>', '=', '!'])?;
    Some(expression[..end].trim())
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = if self.passed() { "PASSED" } else { "FAILED" };
        writeln!(f, "verdict: {passed}")?;
        let width = self
            .thresholds
            .iter()
            .map(|t| t.metric.len())
            .max()
            .unwrap_or_default();
        for threshold in &self.thresholds {
            let mark = match (threshold.has_data, threshold.held) {
                (false, _) => "NO DATA",
                (true, true) => "held   ",
                (true, false) => "CROSSED",
            };
            write!(
                f,
                "  {mark}  {:width$}  {}",
                threshold.metric, threshold.expression
            )?;
            match threshold.measured {
                Some(measured) => writeln!(f, "  (measured {})", (measured * 1e4).round() / 1e4)?,
                None => writeln!(f)?,
            }
        }
        for reason in &self.invalid_because {
            writeln!(f, "  invalid  {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary(ok: bool) -> Value {
        json!({"metrics": {
            "http_req_duration": {
                "type": "trend", "contains": "time", "values": {"avg": 1.0, "p(95)": 812.25},
                "thresholds": {"p(95)<2000": {"ok": ok}},
            },
            "iterations": {"type": "counter", "values": {"count": 3, "rate": 1.5}},
        }})
    }

    fn judge(data: &Value, without_samples: &[&str], invalid_because: &[&str]) -> Verdict {
        let owned =
            |texts: &[&str]| -> Vec<String> { texts.iter().map(ToString::to_string).collect() };
        let without_samples = owned(without_samples);
        let measured = Measured {
            data,
            without_samples: &without_samples,
        };
        Verdict::new(&measured, owned(invalid_because))
    }

    fn check(verdict: &Verdict, passed: bool, text: &str) {
        assert_eq!(verdict.passed(), passed, "{verdict}");
        assert!(verdict.to_string().contains(text), "{verdict}");
    }

    #[test]
    fn held_thresholds_pass() {
        let text = "held     http_req_duration  p(95)<2000  (measured 812.25)";
        check(&judge(&summary(true), &[], &[]), true, text);
    }

    #[test]
    fn one_crossed_threshold_fails() {
        let text = "CROSSED  http_req_duration  p(95)<2000";
        check(&judge(&summary(false), &[], &[]), false, text);
    }

    #[test]
    fn an_invalid_run_fails_although_its_thresholds_held() {
        let verdict = judge(&summary(true), &[], &["12 samples were dropped"]);
        check(&verdict, false, "invalid  12 samples were dropped");
    }

    #[test]
    fn a_threshold_without_a_result_counts_as_crossed() {
        let mut data = summary(true);
        data["metrics"]["iterations"]["thresholds"] = json!({"count>0": {}});
        check(&judge(&data, &[], &[]), false, "CROSSED  iterations");
    }

    #[test]
    fn a_threshold_without_samples_has_not_held() {
        for ok in [true, false] {
            let verdict = judge(&summary(ok), &["http_req_duration"], &[]);
            let text = "NO DATA  http_req_duration  p(95)<2000\n";
            check(&verdict, false, text);
            check(&verdict, false, "invalid  no data for http_req_duration");
        }
    }

    #[test]
    fn a_counter_that_never_counted_is_zero_only_where_iterations_ended() {
        let mut data = summary(true);
        data["metrics"]["errors"] = json!({
            "type": "counter", "values": {"count": 0},
            "thresholds": {"count<5": {"ok": true}},
        });
        check(&judge(&data, &["errors"], &[]), true, "held     errors");
        data["metrics"]["iterations"]["values"]["count"] = json!(0);
        check(&judge(&data, &["errors"], &[]), false, "NO DATA  errors");
    }

    #[test]
    fn a_run_without_iterations_or_without_thresholds_proves_nothing() {
        let mut data = summary(true);
        let text = "no iteration completed";
        data["metrics"]["iterations"] = json!({});
        check(&judge(&data, &[], &[]), false, text);
        let data = json!({"metrics": {"iterations": {"values": {"count": 1}}}});
        check(&judge(&data, &[], &[]), false, "no thresholds are defined");
    }
}
