//! The last requests of a test, in addition to the figures of the whole (AIA-42, T-11): how a long test
//! ended.

use std::collections::VecDeque;

use report::record::{Figures, ResourceSample};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::latency::latency;

/// Number of requests.
const KEPT: usize = 1000;

/// The newest requests, in the order of their end.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Request>);

/// A completed request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    at_s: f64,
    micros: u32,
    failed: bool,
}

impl From<Vec<Request>> for Recent {
    fn from(requests: Vec<Request>) -> Self {
        Self(requests.into())
    }
}

impl Recent {
    pub(super) fn requests(&self) -> Vec<Request> {
        self.0.iter().copied().collect()
    }

    pub(super) fn add(&mut self, at_s: f64, micros: u32, failed: bool) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Request {
            at_s,
            micros,
            failed,
        });
    }

    /// Their figures, with the mean use of the target's resources in that time; `None` without requests.
    pub(super) fn shown(&self, target: &[ResourceSample]) -> Option<Value> {
        let ends = self.0.iter().map(|request| request.at_s);
        let from_s = ends.clone().reduce(f64::min)?;
        let to_s = ends.reduce(f64::max)?;
        let seconds = to_s - from_s;
        let micros: Vec<u32> = self.0.iter().map(|request| request.micros).collect();
        let requests = self.0.len() as u64;
        let figures = Figures {
            seconds,
            requests,
            failures: self.0.iter().filter(|request| request.failed).count() as u64,
            // Only the end of the first request is within the window.
            requests_per_s: (seconds > 0.0).then(|| (requests - 1) as f64 / seconds),
            latency: latency(&[&micros]),
            ..Figures::default()
        };
        let within = |sample: &&ResourceSample| (from_s..=to_s).contains(&sample.at_s);
        let mean = |of: fn(&ResourceSample) -> Option<f64>| {
            let values: Vec<f64> = target.iter().filter(within).filter_map(of).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Some(json!({
            "window": format!("the last {requests} requests"),
            "from_s": from_s,
            "to_s": to_s,
            "figures": figures,
            "cpu_usage": mean(|sample| sample.cpu_ratio),
            "memory_usage": mean(|sample| sample.memory_ratio),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AIA-42: latency, throughput, error rate and resources of the last thousand requests.
    #[test]
    fn only_the_last_thousand_requests_are_in_the_window() {
        let mut recent = Recent::default();
        assert!(recent.shown(&[]).is_none());
        for place in 0..1500_u32 {
            let is_late = place >= 500;
            let micros = if is_late { 20_000 } else { 900_000 };
            recent.add(f64::from(place) / 100.0, micros, place >= 1490);
        }
        let sample = |at_s, cpu| ResourceSample {
            at_s,
            cpu_ratio: Some(cpu),
            memory_ratio: Some(0.5),
            ..ResourceSample::default()
        };
        let shown = recent
            .shown(&[sample(1.0, 0.1), sample(6.0, 0.6), sample(14.0, 0.8)])
            .expect("requests");
        assert_eq!(shown["window"], "the last 1000 requests");
        assert_eq!(
            (&shown["from_s"], &shown["to_s"]),
            (&json!(5.0), &json!(14.99))
        );
        let figures = &shown["figures"];
        assert_eq!(
            (&figures["requests"], &figures["failures"]),
            (&json!(1000), &json!(10))
        );
        assert_eq!(figures["latency"]["percentiles"]["p99"], 20.0);
        let rate = figures["requests_per_s"].as_f64().expect("a rate");
        assert!((rate - 100.0).abs() < 1e-9, "{rate}");
        assert_eq!(
            (&shown["cpu_usage"], &shown["memory_usage"]),
            (&json!(0.7), &json!(0.5))
        );
    }
}
