//! The compared metrics: the queries, and the run's own values.

use report::record::{ResourceSample, TestRecord};

use crate::file::Prometheus;

/// A metric that both measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparedMetric {
    CpuCores,
    MemoryBytes,
    RequestsPerS,
}

pub const FIGURES: [ComparedMetric; 3] = [
    ComparedMetric::CpuCores,
    ComparedMetric::MemoryBytes,
    ComparedMetric::RequestsPerS,
];

impl ComparedMetric {
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuCores => "cpu_cores",
            Self::MemoryBytes => "memory_bytes",
            Self::RequestsPerS => "requests_per_s",
        }
    }

    pub const fn unit(self) -> &'static str {
        match self {
            Self::CpuCores => "cores",
            Self::MemoryBytes => "bytes",
            Self::RequestsPerS => "per s",
        }
    }

    /// Means over the window of all selected series: the names of simulated systems, otherwise those of
    /// Prometheus' client libraries.
    const fn usual(self) -> &'static str {
        match self {
            Self::CpuCores => {
                "sum(rate(sparring_target_cpu_busy_seconds_total{$selector}[$window])) \
                 or sum(rate(process_cpu_seconds_total{$selector}[$window]))"
            }
            Self::MemoryBytes => {
                "sum(avg_over_time(sparring_target_memory_bytes{$selector}[$window])) \
                 or sum(avg_over_time(process_resident_memory_bytes{$selector}[$window]))"
            }
            Self::RequestsPerS => {
                "sum(rate(sparring_target_requests_total{$selector}[$window])) \
                 or sum(rate(orchestrate_requests_total{$selector}[$window])) \
                 or sum(rate(http_requests_total{$selector}[$window]))"
            }
        }
    }

    fn of(self, file: &Prometheus) -> Option<&str> {
        match self {
            Self::CpuCores => file.cpu_cores.as_deref(),
            Self::MemoryBytes => file.memory_bytes.as_deref(),
            Self::RequestsPerS => file.requests_per_s.as_deref(),
        }
    }
}

/// The queries, in the order of [`FIGURES`], over a window of this many seconds.
pub fn asked(file: Option<&Prometheus>, base_url: &str, seconds: f64) -> Vec<String> {
    let instance = || format!("instance=\"{}\"", authority(base_url));
    let selector = file.and_then(|file| file.selector.clone());
    let selector = selector.unwrap_or_else(instance);
    // A window in whole seconds that does not begin before the phase.
    let window = format!("{}s", (seconds.floor() as u64).max(1));
    let query = |figure: ComparedMetric| {
        let query = file.and_then(|file| figure.of(file));
        let query = query.unwrap_or_else(|| figure.usual());
        query
            .replace("$selector", &selector)
            .replace("$window", &window)
    };
    FIGURES.into_iter().map(query).collect()
}

/// Host and port, which is Prometheus' name of an instance.
fn authority(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (has_port, scheme) {
        (true, _) => authority.to_owned(),
        (false, "https") => format!("{authority}:443"),
        (false, _) => format!("{authority}:80"),
    }
}

/// This program's measurements of a window.
#[derive(Debug)]
pub struct Own {
    source: Option<String>,
    cpu_cores: Option<f64>,
    memory_bytes: Option<f64>,
    requests_per_s: Option<f64>,
}

impl Own {
    pub fn of(record: &TestRecord, [begin_s, end_s]: [f64; 2]) -> Self {
        let target = &record.observed.target;
        let within = |sample: &&ResourceSample| (begin_s..=end_s).contains(&sample.at_s);
        let samples: Vec<&ResourceSample> = target.iter().filter(within).collect();
        let phase = record
            .phases
            .iter()
            .find(|phase| phase.begin_s == begin_s && phase.end_s == end_s);
        let memory = |sample: &ResourceSample| sample.memory_bytes.map(|bytes| bytes as f64);
        Self {
            source: record.observed.target_source.clone(),
            cpu_cores: mean(&samples, |sample| sample.cpu_cores),
            memory_bytes: mean(&samples, memory),
            requests_per_s: phase.and_then(|phase| phase.figures.requests_per_s),
        }
    }

    /// The value and its source.
    pub fn value(&self, figure: ComparedMetric) -> (Option<f64>, Option<&str>) {
        match figure {
            ComparedMetric::CpuCores => (self.cpu_cores, self.source.as_deref()),
            ComparedMetric::MemoryBytes => (self.memory_bytes, self.source.as_deref()),
            ComparedMetric::RequestsPerS => (self.requests_per_s, Some("driver")),
        }
    }
}

/// The mean over time of the sum over hosts.
fn mean(samples: &[&ResourceSample], of: impl Fn(&ResourceSample) -> Option<f64>) -> Option<f64> {
    let moments = samples.chunk_by(|a, b| (a.at_s - b.at_s).abs() < 0.5);
    let sums: Vec<f64> = moments
        .filter_map(|moment| {
            let values = moment.iter().filter_map(|sample| of(sample));
            values.reduce(|sum, value| sum + value)
        })
        .collect();
    (!sums.is_empty()).then(|| sums.iter().sum::<f64>() / sums.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_name_the_target_and_the_window() {
        let usual = asked(None, "http://127.0.0.1:8100/", 59.9);
        let processor = "sum(rate(process_cpu_seconds_total{instance=\"127.0.0.1:8100\"}[59s]))";
        assert!(usual[0].ends_with(processor), "{}", usual[0]);
        assert!(usual.iter().all(|query| !query.contains('$')), "{usual:?}");
        let file = Prometheus {
            selector: Some("job=\"shop\"".to_owned()),
            requests_per_s: Some("sum(rate(orders_total{$selector}[$window]))".to_owned()),
            ..Prometheus::default()
        };
        let own = asked(Some(&file), "https://shop.example.com", 600.0);
        assert_eq!(own[2], "sum(rate(orders_total{job=\"shop\"}[600s]))");
        assert!(own[1].contains("{job=\"shop\"}[600s]"), "{}", own[1]);
        assert_eq!(
            authority("https://shop.example.com/x"),
            "shop.example.com:443"
        );
        assert_eq!(authority("http://[::1]:9"), "[::1]:9");
    }

    #[test]
    fn the_mean_is_over_moments_and_the_sum_over_hosts() {
        let sample = |at_s: f64, cores: f64| ResourceSample {
            at_s,
            cpu_cores: Some(cores),
            ..ResourceSample::default()
        };
        let samples = [
            sample(1.0, 0.5),
            sample(1.1, 1.5),
            sample(2.0, 3.0),
            sample(2.1, 1.0),
        ];
        let all: Vec<&ResourceSample> = samples.iter().collect();
        assert_eq!(mean(&all, |it| it.cpu_cores), Some(3.0));
        assert_eq!(mean(&all, |it| it.memory_bytes.map(|it| it as f64)), None);
    }
}
