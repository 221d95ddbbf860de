//! Did the run hold its thresholds? Read from the summary data that k6 hands to `handleSummary`.

use std::fmt;

use serde_json::Value;

/// The judgement of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Every threshold, in the order of the summary.
    pub thresholds: Vec<Threshold>,
    /// Why the run cannot be trusted or did not come to its end, whatever the thresholds say.
    pub spoilt_by: Vec<String>,
}

/// One threshold and what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    pub metric: String,
    /// As written, such as `p(95)<2000`.
    pub expression: String,
    /// The aggregate that the expression names, in the metric's own unit, when it is known.
    pub measured: Option<f64>,
    pub held: bool,
}

impl Verdict {
    /// Reads `metrics.<name>.thresholds.<expression>.ok` of the summary data.
    pub fn from_summary(data: &Value, spoilt_by: Vec<String>) -> Self {
        let metrics = data.get("metrics").and_then(Value::as_object);
        let thresholds = metrics
            .into_iter()
            .flatten()
            .flat_map(|(name, metric)| thresholds_of(name, metric))
            .collect();
        Self {
            thresholds,
            spoilt_by,
        }
    }

    /// Whether every threshold held and nothing spoilt the run.
    pub fn passed(&self) -> bool {
        self.spoilt_by.is_empty() && self.thresholds.iter().all(|threshold| threshold.held)
    }
}

fn thresholds_of<'a>(name: &'a str, metric: &'a Value) -> impl Iterator<Item = Threshold> + 'a {
    let thresholds = metric.get("thresholds").and_then(Value::as_object);
    thresholds
        .into_iter()
        .flatten()
        .map(move |(expression, result)| Threshold {
            metric: name.to_owned(),
            expression: expression.clone(),
            measured: aggregate(expression)
                .and_then(|aggregate| metric.get("values")?.get(aggregate)?.as_f64()),
            held: result.get("ok").and_then(Value::as_bool).unwrap_or(false),
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
            let mark = if threshold.held { "held   " } else { "CROSSED" };
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
        for reason in &self.spoilt_by {
            writeln!(f, "  spoilt   {reason}")?;
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
            "http_reqs": {"type": "counter", "values": {"count": 3, "rate": 1.5}},
        }})
    }

    fn check(ok: bool, spoilt_by: &[&str], passed: bool, text: &str) {
        let spoilt_by = spoilt_by.iter().map(ToString::to_string).collect();
        let verdict = Verdict::from_summary(&summary(ok), spoilt_by);
        assert_eq!(verdict.passed(), passed);
        assert!(verdict.to_string().contains(text), "{verdict}");
    }

    #[test]
    fn held_thresholds_pass() {
        check(
            true,
            &[],
            true,
            "held     http_req_duration  p(95)<2000  (measured 812.25)",
        );
    }

    #[test]
    fn one_crossed_threshold_fails() {
        check(false, &[], false, "CROSSED  http_req_duration  p(95)<2000");
    }

    #[test]
    fn a_spoilt_run_fails_although_its_thresholds_held() {
        check(
            true,
            &["12 samples were dropped"],
            false,
            "spoilt   12 samples were dropped",
        );
    }

    #[test]
    fn a_threshold_without_a_result_counts_as_crossed() {
        let data = json!({"metrics": {"a": {"thresholds": {"count>0": {}}}}});
        assert!(!Verdict::from_summary(&data, Vec::new()).passed());
    }
}
