//! The live status line of a running stack, taken from the orchestrator's metrics.

use std::time::Duration;

use crate::metrics_text::samples;

/// What one reading of `/metrics` says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Answers so far.
    pub answers: f64,
    /// Among them partial ones.
    pub partial: f64,
    /// Detectors whose breaker is not closed, as `name open`.
    pub breakers: Vec<String>,
}

impl Reading {
    /// Reads the metrics whose names the contract fixes.
    pub fn from_metrics(text: &str) -> Self {
        let mut reading = Self::default();
        for sample in samples(text) {
            match sample.name {
                "orchestrate_requests_total" => {
                    reading.answers += sample.value;
                    if sample.label("status") == Some("partial") {
                        reading.partial += sample.value;
                    }
                }
                "circuit_breaker_state" if sample.value > 0.5 => {
                    let (detector, state) = (sample.label("detector"), sample.label("state"));
                    if let (Some(detector), Some(state @ ("open" | "half_open"))) =
                        (detector, state)
                    {
                        reading.breakers.push(format!("{detector} {state}"));
                    }
                }
                _ => {}
            }
        }
        reading
    }

    /// One line about what happened since `before`, `elapsed` ago.
    pub fn line(&self, before: &Self, elapsed: Duration) -> String {
        let answers = (self.answers - before.answers).max(0.0);
        let partial = (self.partial - before.partial).max(0.0);
        let rate = answers / elapsed.as_secs_f64().max(1e-3);
        let share = if answers > 0.0 {
            partial / answers * 100.0
        } else {
            0.0
        };
        let breakers = match self.breakers.as_slice() {
            [] => "all closed".to_owned(),
            open => open.join(", "),
        };
        format!("{rate:.1} requests/s, {share:.0} % partial, breakers: {breakers}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_rate_partial_share_and_open_breakers() {
        let before = Reading::default();
        let now = Reading::from_metrics(
            "orchestrate_requests_total{tenant=\"t\",status=\"success\"} 30\n\
             orchestrate_requests_total{tenant=\"t\",status=\"partial\"} 10\n\
             circuit_breaker_state{detector=\"a\",state=\"open\"} 1\n\
             circuit_breaker_state{detector=\"a\",state=\"closed\"} 0\n\
             circuit_breaker_state{detector=\"b\",state=\"closed\"} 1\n",
        );
        assert_eq!(
            now.line(&before, Duration::from_secs(2)),
            "20.0 requests/s, 25 % partial, breakers: a open"
        );
        assert_eq!(
            Reading::default().line(&before, Duration::from_secs(1)),
            "0.0 requests/s, 0 % partial, breakers: all closed"
        );
    }
}
