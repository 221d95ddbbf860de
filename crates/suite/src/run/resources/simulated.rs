//! Resources of a simulated system, from counters of its admin API.

use std::collections::BTreeMap;

use report::record::ResourceSample;
use serde_json::{Map, Value};

/// Reads `/__admin/resources` repeatedly; rates are between two readings, in the system's time.
#[derive(Debug, Default)]
pub struct Simulated {
    before: Option<Value>,
}

impl Simulated {
    /// One sample for each host, one named `pools` when there are pools, and one of the whole `system`.
    pub fn samples(&mut self, now: Value) -> Vec<ResourceSample> {
        let before = self.before.as_ref();
        let then = |path: &str| before.map_or(Value::Null, |before| before[path].clone());
        let seconds =
            before.and_then(|before| Some(now["at_s"].as_f64()? - before["at_s"].as_f64()?));
        let hosts_then = then("hosts");
        let mut samples: Vec<ResourceSample> = objects(&now["hosts"])
            .map(|(name, host)| of_host(name, host, &hosts_then[name], seconds))
            .collect();
        let pools: BTreeMap<String, f64> = objects(&now["pools"])
            .filter_map(|(name, now)| pool(name, now))
            .collect();
        if !pools.is_empty() {
            samples.push(ResourceSample {
                host: Some("pools".to_owned()),
                other: pools,
                ..ResourceSample::default()
            });
        }
        if let Some(in_flight) = now["in_flight"].as_f64() {
            samples.push(ResourceSample {
                host: Some("system".to_owned()),
                other: [("in_flight".to_owned(), in_flight)].into(),
                ..ResourceSample::default()
            });
        }
        self.before = Some(now);
        samples
    }
}

fn objects(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let empty: Option<&Map<String, Value>> = value.as_object();
    empty
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn pool(name: &str, pool: &Value) -> Option<(String, f64)> {
    let (size, in_use) = (pool["size"].as_f64()?, pool["in_use"].as_f64()?);
    (size > 0.0).then(|| (format!("pool_{name}_ratio"), in_use / size))
}

/// Busy time of all instances / time, and shares of what all instances that are up may use.
fn of_host(name: &str, now: &Value, before: &Value, seconds: Option<f64>) -> ResourceSample {
    let instances = |host: &Value| host["instances"].as_array().cloned().unwrap_or_default();
    let (all, earlier) = (instances(now), instances(before));
    let up = all.iter().filter(|one| one["up"] == true).count().max(1) as f64;
    let sum = |of: &[Value], field: &str| -> f64 {
        of.iter().filter_map(|one| one[field].as_f64()).sum()
    };
    // A crash resets counters: a negative rate is left out.
    let rate = |field: &str| {
        let seconds = seconds.filter(|seconds| *seconds > 0.0)?;
        let rate = (sum(&all, field) - sum(&earlier, field)) / seconds;
        (!earlier.is_empty() && rate >= 0.0).then_some(rate)
    };
    let used: f64 = all
        .iter()
        .filter_map(|one| one["memory_bytes"]["used"].as_f64())
        .sum();
    let cpu_cores = rate("cpu_busy_s");
    let limit = |field: &str| now[field].as_f64().filter(|limit| *limit > 0.0);
    let has = |field: &str| now[field] == true;
    let mut other = BTreeMap::new();
    for (key, field) in [
        ("disk_iops", "disk_operations"),
        ("collections_per_s", "collections"),
    ] {
        other.extend(rate(field).map(|rate| (key.to_owned(), rate)));
    }
    for (key, field) in [
        ("in_flight", "in_flight"),
        ("restarts", "restarts"),
        ("cpu_jobs", "cpu_jobs"),
    ] {
        other.insert(key.to_owned(), sum(&all, field));
    }
    other.insert(
        "instances_up".to_owned(),
        all.iter().filter(|one| one["up"] == true).count() as f64,
    );
    let leaked: f64 = all
        .iter()
        .filter_map(|one| one["memory_bytes"]["leaked"].as_f64())
        .sum();
    other.insert("leaked_bytes".to_owned(), leaked);
    ResourceSample {
        host: Some(name.to_owned()),
        cpu_cores,
        cpu_ratio: cpu_cores
            .zip(limit("cpu_cores"))
            .map(|(busy, cores)| busy / (cores * up)),
        memory_bytes: (!all.is_empty()).then_some(used as u64),
        memory_ratio: limit("memory_limit_bytes").map(|limit| used / (limit * up)),
        disk_ratio: rate("disk_busy_s")
            .filter(|_| has("has_disk"))
            .map(|busy| busy / up),
        network_ratio: rate("network_busy_s")
            .filter(|_| has("has_network"))
            .map(|busy| busy / up),
        network_sent_bytes_per_s: rate("network_bytes").filter(|_| has("has_network")),
        other,
        ..ResourceSample::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reading(at_s: f64, busy: f64) -> Value {
        json!({
            "at_s": at_s,
            "hosts": { "api": {
                "cpu_cores": 2.0, "memory_limit_bytes": 1000.0, "has_disk": false, "has_network": false,
                "instances": [
                    { "up": true, "cpu_busy_s": busy, "memory_bytes": { "used": 250.0 } },
                    { "up": true, "cpu_busy_s": busy, "memory_bytes": { "used": 250.0 } },
                ],
            } },
            "pools": { "db": { "size": 10, "in_use": 5 } },
            "in_flight": 7,
        })
    }

    #[test]
    fn shares_are_of_all_instances_and_between_two_readings() {
        let mut simulated = Simulated::default();
        let first = simulated.samples(reading(1.0, 0.0));
        assert_eq!(first[0].cpu_ratio, None);
        assert_eq!(first[0].memory_ratio, Some(0.25));
        let second = simulated.samples(reading(2.0, 1.0));
        assert_eq!(second[0].cpu_cores, Some(2.0));
        assert_eq!(second[0].cpu_ratio, Some(0.5));
        assert_eq!(second[0].disk_ratio, None, "there is none");
        assert_eq!(second[1].other["pool_db_ratio"], 0.5);
        assert_eq!(second[2].other["in_flight"], 7.0);
        let crashed = simulated.samples(reading(3.0, 0.0));
        assert_eq!(crashed[0].cpu_ratio, None, "counters began anew");
    }
}
