//! Values for files of simulated systems, whose parts name each other.

use serde_json::{Value, json};

/// Values by type and field, as for other files; an empty field stands for the type as a whole.
pub const SAMPLES: &[(&str, &str, &str)] = &[
    ("Amount", "", "10"),
    ("CacheKey", "", "\"population\""),
    ("Expression", "", "3"),
    (
        "Factor",
        "",
        r#"{"by": "body.size", "large": 3, "otherwise": 1}"#,
    ),
    ("HostChoice", "", "\"machine\""),
    ("MixEntry", "", "3"),
    ("Place", "", "\"body.size\""),
    ("Switch", "", "true"),
    ("Visit", "", "\"api.get\""),
    ("Auth", "users", r#"{"jane": "a-test-password"}"#),
    ("Autoscale", "max", "8"),
    ("Batch", "max_items", "10"),
    ("Batch", "wait_ms", "5"),
    ("Bounds", "min", "1"),
    ("Bounds", "max", "100"),
    ("Cached", "component", "\"cache\""),
    ("Cached", "in", "\"cache\""),
    ("Cached", "miss", r#"[{"visit": "api.get"}]"#),
    ("Change", "at_ms", "60000"),
    ("Change", "for_ms", "30000"),
    (
        "Change",
        "set",
        r#"{"components": {"api": {"operations": {"get": {"service_ms": 40}}}}}"#,
    ),
    ("Choice", "do", r#"[{"visit": "api.get"}]"#),
    ("Choice", "share", "0.1"),
    ("Component", "slots", "4"),
    ("Component", "kind", "\"service\""),
    ("Component", "operations", r#"{"get": {"service_ms": 10}}"#),
    ("Compress", "ratio", "0.3"),
    ("Compress", "cpu_ms_per_kb", "0.01"),
    (
        "ComponentUsl",
        "concurrency",
        r#"{"sigma": 0.02, "kappa": 0.0001}"#,
    ),
    ("Document", "system", "\"shop\""),
    (
        "Document",
        "components",
        r#"{"api": {"kind": "service", "operations": {"get": {"service_ms": 10}}}}"#,
    ),
    (
        "Document",
        "endpoints",
        r#"{"order": {"route": "POST /orders", "flow": [{"visit": "api.get"}]}}"#,
    ),
    ("Drawn", "is", "\"accepted\""),
    ("Each", "in", "\"body.items\""),
    ("Each", "do", r#"[{"visit": "api.get"}]"#),
    ("Endpoint", "flow", r#"[{"visit": "api.get"}]"#),
    ("Endpoint", "route", "\"POST /orders\""),
    ("Example", "body", r#"{"size": "large"}"#),
    ("Fail", "status", "503"),
    ("Garbage", "pause_ms", "20"),
    ("Host", "cpu_cores", "2"),
    ("Host", "memory_mb", "512"),
    (
        "HostUsl",
        "instances",
        r#"{"sigma": 0.02, "kappa": 0.0001}"#,
    ),
    ("If", "enabled", "\"caching\""),
    ("If", "do", r#"[{"visit": "api.get"}]"#),
    ("Later", "store", "\"jobs\""),
    ("Later", "workers", "\"workers\""),
    ("Later", "do", r#"[{"visit": "workers.run"}]"#),
    ("Leak", "kb_per_request", "4"),
    ("LongMixEntry", "weight", "3"),
    (
        "LongMixEntry",
        "examples",
        r#"[{"body": {"size": "large"}}]"#,
    ),
    ("LongVisit", "at", "\"api.get\""),
    ("LongVisit", "retries", "1"),
    ("LongVisit", "timeout_ms", "500"),
    ("LongVisit", "times", "2"),
    ("Metric", "name", "\"shop_orders_total\""),
    ("Metric", "kind", "\"counter\""),
    ("Metric", "of", "\"request.count\""),
    ("Metric", "labels", "[\"endpoint\"]"),
    ("Operation", "service_ms", "10"),
    ("Operation", "cpu_ms", r#"{"exponential": {"mean_ms": 2}}"#),
    (
        "Parallel",
        "branches",
        r#"[[{"visit": "api.get"}], [{"visit": "api.get"}]]"#,
    ),
    ("Per", "of", "\"len(body.items)\""),
    ("Per", "service_ms", "1"),
    ("Pool", "size", "20"),
    ("Pool", "wait_ms", "1000"),
    ("Population", "keys", "5000"),
    ("Publish", "to", "\"bus\""),
    ("Publish", "consume", "\"api.get\""),
    ("Queue", "patience_ms", "2000"),
    ("RequestShape", "required", "[\"size\"]"),
    ("RequestShape", "types", r#"{"size": "string"}"#),
    ("RequestShape", "enum", r#"{"size": ["small", "large"]}"#),
    (
        "ResponseSpec",
        "body",
        r#"{"order": "$draw.id", "took_ms": "$elapsed_ms"}"#,
    ),
    ("Slo", "p95_ms", "100"),
    ("Slo", "success", "0.99"),
    ("State", "create", "\"jobs\""),
    ("State", "id", "\"order\""),
    ("Store", "capacity", "10000"),
    ("Store", "ttl_s", "3600"),
    (
        "Store",
        "states",
        "[\"queued\", \"running\", \"completed\"]",
    ),
    (
        "Toggle",
        "off",
        r#"{"components": {"api": {"operations": {"get": {"service_ms": 40}}}}}"#,
    ),
    ("Toggle", "expect", "\"answers take four times as long\""),
    ("Using", "pool", "\"db\""),
    ("Using", "do", r#"[{"visit": "api.get"}]"#),
    ("When", "value", "\"body.size\""),
    ("When", "is", r#"{"large": [{"visit": "api.get"}]}"#),
];

/// Names of entries, by map.
pub const ENTRIES: [(&str, &str); 12] = [
    ("components", "api"),
    ("endpoints", "order"),
    ("operations", "get"),
    ("hosts", "machine"),
    ("pools", "db"),
    ("stores", "jobs"),
    ("toggles", "caching"),
    ("mixes", "mixed"),
    ("mixes.", "order"),
    ("bounds", "count"),
    ("draws", "state"),
    ("is", "large"),
];

/// The fields that a field requires beside it: the type, the field, the others.
pub const BESIDE: [(&str, &str, &str); 7] = [
    ("Component", "batch", r#"{"kind": "bus"}"#),
    ("Component", "compress", r#"{"kind": "bus"}"#),
    (
        "Component",
        "population",
        r#"{"kind": "cache", "capacity": 1000}"#,
    ),
    ("Host", "garbage", r#"{"memory_mb": 512}"#),
    ("Host", "leak", r#"{"memory_mb": 512}"#),
    ("Metric", "of", r#"{"kind": "histogram"}"#),
    (
        "ResponseSpec",
        "draws",
        r#"{"body": {"state": "$draw.state"}}"#,
    ),
];

/// Parts that a file needs if it names them: the key and the name, and the parts.
const NAMED: [(&str, &str, &str); 9] = [
    (
        "host",
        "machine",
        r#"{"hosts": {"machine": {"cpu_cores": 2}}}"#,
    ),
    ("pool", "db", r#"{"pools": {"db": {"size": 20}}}"#),
    (
        "create",
        "jobs",
        r#"{"stores": {"jobs": {"capacity": 10000}}}"#,
    ),
    (
        "store",
        "jobs",
        r#"{"stores": {"jobs": {"capacity": 10000, "states": ["queued", "running", "completed"]}}}"#,
    ),
    (
        "in",
        "cache",
        r#"{"components": {"cache": {"kind": "cache", "capacity": 1000, "population": {"keys": 5000},
            "operations": {"get": {"service_ms": 1}}}}}"#,
    ),
    (
        "in",
        "body.items",
        r#"{"endpoints": {"order": {"request": {"max_items": {"items": 100}}}}}"#,
    ),
    (
        "to",
        "bus",
        r#"{"components": {"bus": {"kind": "bus", "operations": {"send": {"service_ms": 1}}}}}"#,
    ),
    (
        "workers",
        "workers",
        r#"{"components": {"workers": {"kind": "workers", "operations": {"run": {"service_ms": 500}}}}}"#,
    ),
    ("enabled", "caching", r#"{"toggles": {"caching": {}}}"#),
];

/// A file completed by the parts that it names; other kinds of files stay unchanged.
pub fn whole(mut file: Value) -> Value {
    if file.get("components").is_none() || file.get("system").is_none() {
        return file;
    }
    // A machine without a component would show nothing.
    if file.pointer("/hosts/machine").is_some() {
        let api = file
            .pointer_mut("/components/api")
            .and_then(Value::as_object_mut);
        if let Some(api) = api {
            api.entry("host").or_insert_with(|| json!("machine"));
        }
    }
    for (key, name, parts) in NAMED {
        if names(&file, key, name) {
            let parts = serde_json::from_str(parts).expect("parts are JSON");
            add(&mut file, parts);
        }
    }
    file
}

fn names(value: &Value, key: &str, name: &str) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(own, value)| (own == key && value == name) || names(value, key, name)),
        Value::Array(list) => list.iter().any(|value| names(value, key, name)),
        _ => false,
    }
}

/// Adds the missing parts.
fn add(to: &mut Value, parts: Value) {
    let (Value::Object(map), Value::Object(parts)) = (to, parts) else {
        return;
    };
    for (name, part) in parts {
        match map.get_mut(&name) {
            Some(there) => add(there, part),
            None => {
                map.insert(name, part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_the_parts_that_it_names() {
        let file = json!({
            "system": "shop",
            "components": {"api": {"host": "machine"}},
            "endpoints": {"order": {"flow": [{"using": {"pool": "db", "do": []}}]}},
        });
        let whole = whole(file);
        assert_eq!(whole["hosts"], json!({"machine": {"cpu_cores": 2}}));
        assert_eq!(whole["pools"], json!({"db": {"size": 20}}));
        assert_eq!(whole.get("stores"), None);
        let other = json!({"suite": "shop", "host": "machine"});
        assert_eq!(super::whole(other.clone()), other);
    }
}
