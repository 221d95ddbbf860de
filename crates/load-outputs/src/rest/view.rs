//! The run in the API's JSON.

use load_metrics::{Aggregate, Metric, Sink};
use serde_json::{Map, Value, json};

use super::{MetricView, Refusal, Status};
use load_engine::CheckResult;
use load_engine::summary::path_id;

impl MetricView {
    /// The view of a metric with its aggregates; without samples all numbers are 0.
    pub fn new(
        metric: &Metric,
        aggregate: &mut Aggregate,
        run_time: std::time::Duration,
        tainted: Option<bool>,
    ) -> Self {
        let empty = Sink::new(metric.kind);
        let sink = aggregate.sorted(metric.id).unwrap_or(&empty);
        let sample = match sink {
            Sink::Counter(sink) => {
                vec![("count", sink.sum), ("rate", sink.per_second(run_time))]
            }
            Sink::Gauge(sink) => vec![("value", sink.value)],
            Sink::Rate(sink) => vec![("rate", sink.rate())],
            Sink::Trend(sink) => vec![
                ("avg", sink.average()),
                ("max", sink.max()),
                ("med", sink.percentile(50.0)),
                ("min", sink.min()),
                ("p(90)", sink.percentile(90.0)),
                ("p(95)", sink.percentile(95.0)),
            ],
        };
        Self {
            name: metric.name.clone(),
            kind: metric.kind,
            contains: metric.contains,
            tainted,
            sample,
        }
    }
}

pub(super) fn status(status: &Status) -> Value {
    json!({"data": {"type": "status", "id": "default", "attributes": {
        "status": status.phase,
        "paused": status.paused,
        "vus": status.vus,
        "vus-max": status.vus_max,
        "stopped": status.stopped,
        "running": status.running,
        "tainted": status.tainted,
    }}})
}

pub(super) fn metric(metric: &MetricView) -> Value {
    let values = metric.sample.iter();
    let sample: Map<String, Value> = values
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({"type": "metrics", "id": metric.name, "attributes": {
        "type": metric.kind.to_string(),
        "contains": metric.contains.to_string(),
        "tainted": metric.tainted,
        "sample": sample,
    }})
}

pub(super) fn setup_data(data: Option<Value>) -> Value {
    let attributes = data.map_or_else(|| json!({}), |data| json!({"data": data}));
    json!({"data": {"type": "setupData", "id": "default", "attributes": attributes}})
}

pub(super) fn errors(refusal: &Refusal) -> Value {
    json!({"errors": [{
        "status": refusal.status.to_string(),
        "title": refusal.title,
        "detail": refusal.detail,
    }]})
}

/// All groups, including the root and all parents, in order of first use.
pub(super) fn groups(entered: &[String], checks: &[CheckResult]) -> Vec<Value> {
    let mut paths = vec![String::new()];
    let named = checks.iter().map(|check| &check.group).chain(entered);
    for path in named {
        add_with_parents(&mut paths, path);
    }
    let one = |path: &String| group(path, &paths, checks);
    paths.iter().map(one).collect()
}

fn add_with_parents(paths: &mut Vec<String>, path: &str) {
    if paths.iter().any(|known| known == path) {
        return;
    }
    if let Some((parent, _)) = path.rsplit_once("::") {
        add_with_parents(paths, parent);
    }
    paths.push(path.to_owned());
}

fn group(path: &str, paths: &[String], checks: &[CheckResult]) -> Value {
    let parent = path.rsplit_once("::");
    let own = checks.iter().filter(|check| check.group == path);
    let checks: Vec<Value> = own.map(check).collect();
    let is_child = |other: &&String| {
        other
            .rsplit_once("::")
            .is_some_and(|(parent, _)| parent == path)
    };
    let children = paths.iter().filter(is_child);
    let children: Vec<Value> = children.map(|child| reference(child)).collect();
    json!({"type": "groups", "id": path_id(path), "attributes": {
        "path": path,
        "name": parent.map_or("", |(_, name)| name),
        "checks": if checks.is_empty() { Value::Null } else { checks.into() },
    }, "relationships": {
        "groups": {"data": children},
        "parent": {"data": parent.map(|(parent, _)| reference(parent))},
    }})
}

fn check(check: &CheckResult) -> Value {
    let path = format!("{}::{}", check.group, check.name);
    json!({
        "id": path_id(&path),
        "path": path,
        "name": check.name,
        "passes": check.passes,
        "fails": check.fails,
    })
}

fn reference(path: &str) -> Value {
    json!({"type": "groups", "id": path_id(path)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_a_tree_with_ids_made_of_paths() {
        // The ids were observed in responses of k6.
        let check = |name: &str, group: &str| CheckResult {
            name: name.to_owned(),
            group: group.to_owned(),
            passes: 16,
            fails: 0,
        };
        let checks = [check("deep", "::g1::g2"), check("rootcheck", "")];
        let all = groups(&["::empty".to_owned()], &checks);
        let ids: Vec<_> = all
            .iter()
            .map(|group| group["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids[0], "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(ids[1], "9ccb03cc5acd728a2fe595bbd1f14da3");
        assert_eq!(ids[2], "4cfc8bfa83b81689e8444e0a60a1a74d");
        assert_eq!(all[3]["attributes"]["path"], "::empty");
        let deep = &all[2]["attributes"]["checks"][0];
        assert_eq!(deep["path"], "::g1::g2::deep");
        assert_eq!(deep["id"], "2a12af58efd8a9399c1f27c70d46a4b0");
        assert_eq!(all[0]["relationships"]["groups"]["data"][0]["id"], ids[1]);
        assert_eq!(all[2]["relationships"]["parent"]["data"]["id"], ids[1]);
        assert_eq!(all[3]["attributes"]["checks"], Value::Null);
    }
}
