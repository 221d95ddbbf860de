//! The state of a system as JSON.

use serde_json::{Map, Value, json};

use crate::network::{ComponentReading, HostReading, MachineReading, Reading};

/// `GET /__admin/resources`: counters that only increase, and levels. All values are simulated. `revision`
/// is that of the document; a network counts its own from its start.
pub(super) fn resources(reading: &Reading, revision: u64) -> Value {
    let hosts: Map<String, Value> = reading
        .hosts
        .iter()
        .map(|host| (host.name.to_string(), host_of(host)))
        .collect();
    json!({
        "simulated": true,
        "at_s": reading.at.as_secs_f64(),
        "revision": revision,
        "in_flight": reading.in_flight,
        "arrived": reading.arrived,
        "succeeded": reading.succeeded,
        "failed": reading.failed,
        "left": reading.left,
        "hosts": hosts,
        "components": components(reading),
        "pools": pools(reading),
        "stores": stores(reading),
    })
}

fn host_of(host: &HostReading) -> Value {
    let instances: Vec<Value> = host.machines.iter().map(machine_of).collect();
    json!({
        "instances_wanted": host.instances,
        "cpu_cores": host.cpu_cores,
        "memory_limit_bytes": host.memory_limit_kb.map(|kb| kb * 1024.0),
        "has_disk": host.has_disk,
        "has_network": host.has_network,
        "crash": {
            "detect_ms": host.crash_detect.as_secs_f64() * 1e3,
            "restart_ms": host.crash_restart.as_secs_f64() * 1e3,
        },
        "instances": instances,
    })
}

/// Visits of each component, with their outcomes.
fn components(reading: &Reading) -> Value {
    let component = |component: &ComponentReading| {
        let shown = json!({
            "host": &*component.host, "begun": component.begun,
            "completed": component.completed, "failed": component.failed,
        });
        (component.name.to_string(), shown)
    };
    Value::Object(reading.components.iter().map(component).collect())
}

fn machine_of(machine: &MachineReading) -> Value {
    let bytes = |kb: f64| (kb * 1024.0).round();
    json!({
        "up": machine.up,
        "restarts": machine.restarts,
        "in_flight": machine.in_flight,
        "cpu_busy_s": machine.cpu_busy_s,
        "cpu_jobs": machine.cpu_jobs,
        "gc_paused_s": machine.paused_s,
        "collections": machine.collections,
        "disk_operations": machine.disk_operations,
        "disk_busy_s": machine.disk_busy_s,
        "disk_waiting": machine.disk_waiting,
        "network_bytes": machine.network_bytes,
        "network_busy_s": machine.network_busy_s,
        "network_waiting": machine.network_waiting,
        "memory_bytes": {
            "base": bytes(machine.memory_base_kb),
            "in_flight": bytes(machine.memory_in_flight_kb),
            "stores": bytes(machine.memory_stores_kb),
            "caches": bytes(machine.memory_caches_kb),
            "sockets": bytes(machine.memory_sockets_kb),
            "leaked": bytes(machine.memory_leaked_kb),
            "garbage": bytes(machine.memory_garbage_kb),
            "used": bytes(machine.memory_used_kb),
        },
    })
}

/// Parts of an instance's memory with their sizes in bytes.
pub(super) fn memory_parts(machine: &MachineReading) -> [(&'static str, f64); 7] {
    [
        ("base", machine.memory_base_kb),
        ("in_flight", machine.memory_in_flight_kb),
        ("stores", machine.memory_stores_kb),
        ("caches", machine.memory_caches_kb),
        ("sockets", machine.memory_sockets_kb),
        ("leaked", machine.memory_leaked_kb),
        ("garbage", machine.memory_garbage_kb),
    ]
    .map(|(part, kb)| (part, kb * 1024.0))
}

pub(super) fn instances(reading: &Reading) -> Value {
    let up = |host: &HostReading| host.machines.iter().filter(|machine| machine.up).count();
    let hosts = reading.hosts.iter().map(|host| {
        (
            host.name.to_string(),
            json!({ "wanted": host.instances, "up": up(host) }),
        )
    });
    Value::Object(hosts.collect())
}

pub(super) fn stores(reading: &Reading) -> Value {
    let store = |store: &crate::network::StoreReading| {
        let shown = json!({
            "entries": store.entries, "rows": store.rows, "capacity": store.capacity,
            "evicted": store.evicted, "expired": store.expired, "refused": store.refused,
            "lost": store.lost,
        });
        (store.name.to_string(), shown)
    };
    Value::Object(reading.stores.iter().map(store).collect())
}

pub(super) fn pools(reading: &Reading) -> Value {
    let pool = |pool: &crate::network::PoolReading| {
        let shown = json!({
            "size": pool.size, "in_use": pool.in_use, "waiting": pool.waiting,
            "taken": pool.taken, "timeouts": pool.timeouts,
        });
        (pool.name.to_string(), shown)
    };
    Value::Object(reading.pools.iter().map(pool).collect())
}

/// `healthy`; `degraded` while an instance is down; `unhealthy` if a host has none.
pub(super) fn health(reading: &Reading) -> &'static str {
    let down = |host: &HostReading| host.machines.iter().filter(|one| !one.up).count();
    let serving = |host: &HostReading| host.machines.iter().any(|one| one.up);
    if !reading.hosts.iter().all(serving) {
        "unhealthy"
    } else if reading
        .hosts
        .iter()
        .any(|host| down(host) > 0 && host.machines.len() <= host.instances)
    {
        "degraded"
    } else {
        "healthy"
    }
}
