//! Counters that a simulated system declares in its document, as rates: operations, completed workflows, messages,
//! operations of each agent (ACSO-28).

use std::collections::BTreeMap;

use report::record::ResourceSample;

use crate::metrics_text::samples;

/// The host name of these samples.
const HOST: &str = "throughput";
/// The prefix of the metrics of every simulated system; hosts, pools and stores are sampled elsewhere.
const SHARED: &str = "sparring_target_";
/// After this number of samples, one in [`EVERY`] is taken: a soak of a day has a curve of a few thousand
/// points.
const DENSE: u32 = 600;
const EVERY: u32 = 10;

/// Reads the metrics of a system repeatedly.
#[derive(Debug, Default)]
pub struct Declared {
    asked: u32,
    before: Option<(f64, BTreeMap<String, f64>)>,
}

impl Declared {
    /// Whether the metrics are to be read at this sample.
    pub fn is_due(&mut self) -> bool {
        self.asked += 1;
        self.asked <= DENSE || self.asked.is_multiple_of(EVERY)
    }

    /// Rates per second since the last reading at `at_s`; `None` for the first reading, and without
    /// counters.
    pub fn sample(&mut self, at_s: f64, metrics: &str) -> Option<ResourceSample> {
        let now = counters(metrics);
        let before = self.before.replace((at_s, now.clone()));
        let (then_s, then) = before.filter(|(then_s, _)| at_s > *then_s)?;
        let rates = now.into_iter().filter_map(|(name, value)| {
            // A counter that did not exist before has counted from 0.
            let more = value - then.get(&name).copied().unwrap_or(0.0);
            (more >= 0.0).then(|| (name, more / (at_s - then_s)))
        });
        let other: BTreeMap<String, f64> = rates.collect();
        (!other.is_empty()).then(|| ResourceSample {
            host: Some(HOST.to_owned()),
            other,
            ..ResourceSample::default()
        })
    }
}

/// Counters of Prometheus' text format by name and labels: `acso_agent_operations_total{agent="triage"}`.
fn counters(metrics: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let mut family = None;
    for line in metrics.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let is_counter =
                |(name, kind): &(&str, &str)| *kind == "counter" && !name.starts_with(SHARED);
            family = rest
                .split_once(' ')
                .filter(is_counter)
                .map(|(name, _)| name);
            continue;
        }
        let is_of = |family: &&str| line.starts_with(*family);
        if line.starts_with('#') || !family.as_ref().is_some_and(is_of) {
            continue;
        }
        let sample = samples(line).next();
        found.extend(sample.map(|it| (it.series.to_owned(), it.value)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "# HELP a_total A\n# TYPE a_total counter\na_total{x=\"1 2\"} 10\n\
        # TYPE b gauge\nb 7\n# TYPE sparring_target_c_total counter\nsparring_target_c_total 9\n";

    #[test]
    fn counters_of_the_document_become_rates() {
        let mut declared = Declared::default();
        assert_eq!(declared.sample(10.0, FIRST), None);
        let second = FIRST.replace("} 10", "} 16") + "# TYPE d_total counter\nd_total 4\n";
        let sample = declared.sample(12.0, &second).expect("two readings");
        let expected = [
            ("a_total{x=\"1 2\"}".to_owned(), 3.0),
            ("d_total".to_owned(), 2.0),
        ];
        assert_eq!(sample.other, expected.into());
        assert_eq!(sample.host.as_deref(), Some("throughput"));
        let restarted = declared.sample(13.0, FIRST).map(|it| it.other);
        assert_eq!(restarted, None, "counters that fell have no rate");
    }
}
