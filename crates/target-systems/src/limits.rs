//! Limits by the names of the limited parts: `{"router": {"cpu_cores": 0.5}}`, a short form of a patch.

use live_config::{ConfigError, Invalid, join, merge, read};
use serde_json::{Map, Value, json};

use crate::document::{Component, Document, HostChoice};
use crate::plan::Plan;
use crate::system::CHOICES;

const OF_HOSTS: [&str; 7] = [
    "instances",
    "cpu_cores",
    "memory_mb",
    "disk_iops",
    "disk_mb_per_s",
    "disk_mb",
    "network_mbit_per_s",
];
const OF_COMPONENTS: [&str; 2] = ["slots", "queue"];
const OF_POOLS: [&str; 2] = ["size", "wait_ms"];

/// The patch of a document that sets limits of hosts, components and pools. A host limit given for a
/// component applies to the component's host.
///
/// # Errors
/// Unknown names and fields; invalid values are found when the patch is applied.
pub fn patch(document: &Document, limits: &Value) -> Result<Value, Invalid> {
    let Some(parts) = limits.as_object() else {
        return Err(Invalid::one(
            "",
            "limits are an object such as {\"router\": {\"cpu_cores\": 2}}",
        ));
    };
    let mut patch = json!({});
    let mut errors = Vec::new();
    for (name, fields) in parts {
        let Some(fields) = fields.as_object() else {
            errors.push(ConfigError::new(
                name,
                "is an object such as {\"cpu_cores\": 2}",
            ));
            continue;
        };
        for (field, value) in fields {
            match placed(document, name, field, value) {
                Ok(part) => merge(&mut patch, &part, &CHOICES),
                Err(message) => errors.push(ConfigError::new(join(name, field), message)),
            }
        }
    }
    Invalid::unless_empty(errors)?;
    Ok(patch)
}

/// The limits of a plan, by the names that a patch uses. A host, a component and a pool may share a name.
pub(crate) fn shown(plan: &Plan) -> Value {
    let hosts = plan.hosts.iter().map(|host| {
        let limits = json!({
            "instances": host.instances, "cpu_cores": host.cpu_cores, "memory_mb": host.memory_mb,
            "disk_iops": host.disk_iops, "disk_mb_per_s": host.disk_mb_per_s,
            "disk_mb": host.disk_mb, "network_mbit_per_s": host.network_mbit_per_s,
        });
        (&host.name, limits)
    });
    let slots = plan.components.iter().filter_map(|component| {
        let slots = component.slots?;
        Some((&component.name, json!({ "slots": slots })))
    });
    let pools = plan
        .pools
        .iter()
        .map(|pool| (&pool.name, json!({ "size": pool.size })));
    let mut limits = Map::new();
    for (name, fields) in hosts.chain(slots).chain(pools) {
        let known = limits.entry(name.as_ref()).or_insert_with(|| json!({}));
        if let (Value::Object(known), Value::Object(fields)) = (known, fields) {
            known.extend(fields);
        }
    }
    Value::Object(limits)
}

fn placed(document: &Document, name: &str, field: &str, value: &Value) -> Result<Value, String> {
    let set = |path: &[&str]| {
        path.iter().rev().fold(value.clone(), |inner, step| {
            Value::Object(Map::from_iter([((*step).to_owned(), inner)]))
        })
    };
    let component = document.components.get(name);
    let known = document.hosts.contains_key(name)
        || component.is_some()
        || document.pools.contains_key(name);
    if !known {
        return Err(unknown(document, name));
    }
    if OF_POOLS.contains(&field) && document.pools.contains_key(name) {
        return Ok(set(&["pools", name, field]));
    }
    if OF_COMPONENTS.contains(&field) && component.is_some() {
        return Ok(set(&["components", name, field]));
    }
    if OF_HOSTS.contains(&field) {
        match component {
            _ if document.hosts.contains_key(name) => return Ok(set(&["hosts", name, field])),
            Some(Component {
                host: Some(HostChoice::Named(host)),
                ..
            }) => return Ok(set(&["hosts", host, field])),
            Some(_) => return Ok(set(&["components", name, "host", field])),
            None => {}
        }
    }
    let all: Vec<&str> = [&OF_HOSTS[..], &OF_COMPONENTS, &OF_POOLS].concat();
    Err(match read::nearest(field, all.iter().copied()) {
        Some(near) if near != field => format!("unknown limit; did you mean `{near}`?"),
        Some(_) => format!("`{name}` has no such limit"),
        None => format!("unknown limit; known here: {}", all.join(", ")),
    })
}

fn unknown(document: &Document, name: &str) -> String {
    let hosts = document.hosts.keys();
    let names = hosts
        .chain(document.components.keys())
        .chain(document.pools.keys());
    let names: Vec<&str> = names.map(String::as_str).collect();
    match read::nearest(name, names.iter().copied()) {
        Some(near) => format!("unknown host, component or pool; did you mean `{near}`?"),
        None => format!(
            "unknown host, component or pool; known here: {}",
            names.join(", ")
        ),
    }
}
