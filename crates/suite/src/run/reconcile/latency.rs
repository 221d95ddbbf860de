//! The latency of the same requests on both sides: at the client, and in the target's journal (N-06).

use hdrhistogram::Histogram;
use report::record::PERCENTILES;
use serde::{Deserialize, Serialize};

/// Latencies of requests that both sides have recorded.
#[derive(Debug)]
pub struct Latencies {
    client: Histogram<u64>,
    server: Histogram<u64>,
    difference: Histogram<u64>,
}

/// A percentile on both sides, and of the difference of each request: the time added by network, connection
/// and driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyPair {
    pub percentile: String,
    pub client_ms: f64,
    pub server_ms: f64,
    pub difference_ms: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            client: interval_log::histogram(),
            server: interval_log::histogram(),
            difference: interval_log::histogram(),
        }
    }
}

impl Latencies {
    /// Adds a request; times are in microseconds.
    pub fn add(&mut self, client_us: u64, server_us: u64) {
        self.client.saturating_record(client_us);
        self.server.saturating_record(server_us);
        let difference = client_us.saturating_sub(server_us);
        self.difference.saturating_record(difference);
    }

    /// A row for each percentile; none without requests.
    pub fn table(&self) -> Vec<LatencyPair> {
        if self.client.is_empty() {
            return Vec::new();
        }
        let row = |(key, quantile): (&str, f64)| {
            let of =
                |histogram: &Histogram<u64>| histogram.value_at_quantile(quantile) as f64 / 1e3;
            LatencyPair {
                percentile: key.to_owned(),
                client_ms: of(&self.client),
                server_ms: of(&self.server),
                difference_ms: of(&self.difference),
            }
        };
        PERCENTILES.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_percentile_has_both_sides_and_the_difference_of_single_requests() {
        let mut latencies = Latencies::default();
        assert!(latencies.table().is_empty());
        for n in 1..=1000 {
            latencies.add(n * 1000 + 500, n * 1000);
        }
        let table = latencies.table();
        assert_eq!(table.len(), PERCENTILES.len());
        let p50 = table.iter().find(|row| row.percentile == "p50");
        let p50 = p50.expect("a median");
        assert!((p50.client_ms - 500.5).abs() < 1.0, "{p50:?}");
        assert!((p50.server_ms - 500.0).abs() < 1.0, "{p50:?}");
        assert!((p50.difference_ms - 0.5).abs() < 0.01, "{p50:?}");
    }
}
