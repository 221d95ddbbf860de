//! Checks of hosts, components, pools and stores.

use std::collections::BTreeSet;

use fault_profile::{Failure, Profile};

use super::super::{
    Amount, Autoscale, Component, Document, Host, HostChoice, Kind, Operation, Popularity, Usl,
};
use super::report::Report;

/// Maximum number of slots, pool connections and queue places: waiting requests have to fit into memory.
const MOST_SLOTS: u64 = 1_000_000;
/// Maximum number of entries of a cache or store.
const MOST_ENTRIES: u64 = 10_000_000;
/// Maximum number of keys of a population.
const MOST_KEYS: u64 = 1 << 40;

pub(super) fn check(document: &Document, report: &mut Report) {
    for (name, host) in &document.hosts {
        let path = format!("hosts.{name}");
        report.name(&path, name);
        check_host(&path, host, report);
    }
    for (name, component) in &document.components {
        let path = format!("components.{name}");
        report.name(&path, name);
        check_component(document, &path, component, report);
    }
    own_hosts(document, report);
    for (name, pool) in &document.pools {
        let path = format!("pools.{name}");
        report.name(&path, name);
        report.count(&format!("{path}.size"), pool.size.into(), 1..=MOST_SLOTS);
        if let Some(wait_ms) = pool.wait_ms {
            report.ms(&format!("{path}.wait_ms"), wait_ms);
        }
    }
    check_stores(document, report);
}

/// A component's own host has the component's name.
fn own_hosts(document: &Document, report: &mut Report) {
    for (name, component) in &document.components {
        let own = !matches!(component.host, Some(HostChoice::Named(_)));
        if own && document.hosts.contains_key(name) {
            report.add(
                &format!("components.{name}.host"),
                format!("a host `{name}` exists; use it here, or rename the component"),
            );
        }
    }
}

fn check_host(path: &str, host: &Host, report: &mut Report) {
    report.count(
        &format!("{path}.instances"),
        host.instances.into(),
        1..=1024,
    );
    if let Some(cores) = host.cpu_cores {
        report.between(&format!("{path}.cpu_cores"), cores, 0.05..=1024.0);
    }
    report.positive(&format!("{path}.memory_mb"), host.memory_mb);
    report.positive(&format!("{path}.disk_iops"), host.disk_iops);
    report.positive(&format!("{path}.disk_mb_per_s"), host.disk_mb_per_s);
    report.positive(&format!("{path}.disk_mb"), host.disk_mb);
    report.positive(
        &format!("{path}.network_mbit_per_s"),
        host.network_mbit_per_s,
    );
    report.not_negative(&format!("{path}.base_mb"), host.base_mb);
    report.not_negative(&format!("{path}.in_flight_mb"), host.in_flight_mb);
    if let Some(memory_mb) = host.memory_mb
        && host.base_mb > memory_mb
    {
        report.add(
            &format!("{path}.base_mb"),
            format!(
                "{} is above memory_mb {memory_mb}: it would crash at once",
                host.base_mb
            ),
        );
    }
    report.ms(&format!("{path}.start_ms"), host.start_ms);
    check_memory(path, host, report);
    if let Some(usl) = &host.usl {
        check_usl(&format!("{path}.usl.instances"), usl.instances, report);
    }
    if let Some(autoscale) = &host.autoscale {
        check_autoscale(path, autoscale, report);
    }
}

fn check_memory(path: &str, host: &Host, report: &mut Report) {
    if let Some(garbage) = &host.garbage {
        let path = format!("{path}.garbage");
        report.share(&format!("{path}.collect_at"), garbage.collect_at);
        report.ms(&format!("{path}.pause_ms"), garbage.pause_ms);
        match host.memory_mb {
            None => report.add(
                &path,
                "needs `memory_mb`: garbage is collected at a share of it",
            ),
            // Without a pause, collections have no cost, however many there are.
            Some(memory_mb)
                if garbage.pause_ms > 0.0 && host.base_mb >= garbage.collect_at * memory_mb => report.add(
                &format!("{path}.collect_at"),
                format!(
                    "{} of {memory_mb} MB is below base_mb {}: the garbage collector would run continuously",
                    garbage.collect_at, host.base_mb
                ),
            ),
            Some(_) => {}
        }
    }
    if let Some(leak) = &host.leak {
        let path = format!("{path}.leak");
        report.not_negative(&format!("{path}.kb_per_request"), leak.kb_per_request);
        report.not_negative(&format!("{path}.kb_per_s"), leak.kb_per_s);
    }
    let path = format!("{path}.crash");
    report.ms(&format!("{path}.restart_ms"), host.crash.restart_ms);
    report.ms(&format!("{path}.detect_ms"), host.crash.detect_ms);
    if let super::super::InFlight::Status(status) = host.crash.in_flight {
        report.failure_status(&format!("{path}.in_flight.status"), status);
    }
}

fn check_usl(path: &str, usl: Usl, report: &mut Report) {
    report.share(&format!("{path}.sigma"), usl.sigma);
    report.share(&format!("{path}.kappa"), usl.kappa);
}

fn check_autoscale(path: &str, autoscale: &Autoscale, report: &mut Report) {
    report.count(
        &format!("{path}.autoscale.min"),
        autoscale.min.into(),
        1..=1024,
    );
    report.count(
        &format!("{path}.autoscale.max"),
        autoscale.max.into(),
        1..=1024,
    );
    if autoscale.max < autoscale.min {
        report.add(
            &format!("{path}.autoscale.max"),
            format!("{} is below min {}", autoscale.max, autoscale.min),
        );
    }
    report.share_above_0(
        &format!("{path}.autoscale.target_cpu"),
        autoscale.target_cpu,
    );
    report.ms_at_least(
        &format!("{path}.autoscale.every_ms"),
        autoscale.every_ms,
        100.0,
    );
    report.ms(&format!("{path}.autoscale.start_ms"), autoscale.start_ms);
}

fn check_component(document: &Document, path: &str, component: &Component, report: &mut Report) {
    match &component.host {
        Some(HostChoice::Named(host)) => {
            report.known(&format!("{path}.host"), "host", host, document.hosts.keys());
        }
        Some(HostChoice::Own(host)) => check_host(&format!("{path}.host"), host, report),
        None => {}
    }
    report.count(
        &format!("{path}.slots"),
        component.slots.into(),
        1..=MOST_SLOTS,
    );
    let queue = &component.queue;
    report.count(
        &format!("{path}.queue.capacity"),
        queue.capacity,
        0..=MOST_ENTRIES,
    );
    if let Some(patience_ms) = queue.patience_ms {
        report.ms(&format!("{path}.queue.patience_ms"), patience_ms);
    }
    if let super::super::Overflow::Reject { status } = queue.overflow {
        report.failure_status(&format!("{path}.queue.overflow.reject.status"), status);
    }
    if let Some(usl) = &component.usl {
        check_usl(&format!("{path}.usl.concurrency"), usl.concurrency, report);
    }
    if component.operations.is_empty() {
        report.add(
            &format!("{path}.operations"),
            "needs at least one operation, such as run: { service_ms: 10 }",
        );
    }
    for (name, operation) in &component.operations {
        let path = format!("{path}.operations.{name}");
        report.name(&path, name);
        check_operation(document, &path, operation, report);
    }
    if let Some(slo) = &component.slo {
        report.positive(&format!("{path}.slo.p50_ms"), slo.p50_ms);
        report.positive(&format!("{path}.slo.p95_ms"), slo.p95_ms);
        report.positive(&format!("{path}.slo.p99_ms"), slo.p99_ms);
        if let Some(success) = slo.success {
            report.share(&format!("{path}.slo.success"), success);
        }
    }
    if let Some(faults) = &component.faults {
        check_faults(&format!("{path}.faults"), faults, report);
    }
    check_kind(path, component, report);
}

fn check_operation(document: &Document, path: &str, operation: &Operation, report: &mut Report) {
    for (field, amount) in [
        ("service_ms", &operation.service_ms),
        ("cpu_ms", &operation.cpu_ms),
        ("disk_ops", &operation.disk_ops),
        ("disk_kb", &operation.disk_kb),
        ("network_kb", &operation.network_kb),
        ("allocate_kb", &operation.allocate_kb),
    ] {
        check_amount(&format!("{path}.{field}"), amount.as_ref(), report);
    }
    if let Some(per) = &operation.per {
        let path = format!("{path}.per");
        for (field, amount) in [
            ("service_ms", &per.service_ms),
            ("cpu_ms", &per.cpu_ms),
            ("disk_ops", &per.disk_ops),
            ("disk_kb", &per.disk_kb),
            ("network_kb", &per.network_kb),
            ("allocate_kb", &per.allocate_kb),
        ] {
            check_amount(&format!("{path}.{field}"), amount.as_ref(), report);
        }
        super::flow::expression(document, &format!("{path}.of"), &per.of, report);
    }
    if let Some(factor) = &operation.factor {
        let path = format!("{path}.factor");
        for (case, value) in &factor.cases {
            report.not_negative(&format!("{path}.{case}"), *value);
        }
        report.not_negative(&format!("{path}.otherwise"), factor.otherwise);
    }
}

fn check_amount(path: &str, amount: Option<&Amount>, report: &mut Report) {
    if let Some(amount) = amount {
        let mut part = Vec::new();
        amount.0.validate(&mut part);
        // A scalar is written without `constant.ms`.
        for error in &mut part {
            if error.path == "constant.ms" {
                error.path.clear();
            }
        }
        report.add_below(path, part);
    }
}

/// Checks a profile of faults of visits; faults of connections belong to mock detectors.
fn check_faults(path: &str, profile: &Profile, report: &mut Report) {
    let mut part = Vec::new();
    profile.validate(&mut part);
    report.add_below(path, part);
    let plain = Profile::default();
    let hint = "is not for components; success_rate, failures (status, timeout, hang), latency, \
                pattern, correlation and schedule are";
    for (field, set) in [
        ("cost", profile.cost != plain.cost),
        ("accuracy", profile.accuracy != plain.accuracy),
        ("connection", profile.connection != plain.connection),
        ("queue", profile.queue.is_some()),
        ("rate_limit", profile.rate_limit.is_some()),
    ] {
        if set {
            report.add(&format!("{path}.{field}"), hint);
        }
    }
    for (index, failure) in profile.failures.iter().enumerate() {
        let allowed = matches!(
            failure.kind,
            Failure::Status { .. } | Failure::Timeout { .. } | Failure::Hang { .. }
        );
        if !allowed {
            report.add(
                &format!("{path}.failures[{index}].kind"),
                "is a network fault; a component supports status, timeout and hang",
            );
        }
    }
}

/// Checks fields that only one kind of component has.
fn check_kind(path: &str, component: &Component, report: &mut Report) {
    let kind = component.kind;
    for (field, owner, set) in [
        ("batch", Kind::Bus, component.batch.is_some()),
        ("compress", Kind::Bus, component.compress.is_some()),
        ("connect_ms", Kind::Bus, component.connect_ms != 0.0),
        ("population", Kind::Cache, component.population.is_some()),
        ("capacity", Kind::Cache, component.capacity.is_some()),
        ("ttl_s", Kind::Cache, component.ttl_s.is_some()),
        ("entry_kb", Kind::Cache, component.entry_kb != 0.0),
        (
            "max_connections",
            Kind::Hub,
            component.max_connections.is_some(),
        ),
        (
            "per_connection_kb",
            Kind::Hub,
            component.per_connection_kb != 0.0,
        ),
        ("fan_out", Kind::Hub, component.fan_out.is_some()),
    ] {
        if set && kind != owner {
            report.add(
                &format!("{path}.{field}"),
                format!(
                    "is for components of kind {}, not {}",
                    owner.name(),
                    kind.name()
                ),
            );
        }
    }
    if let Some(batch) = &component.batch {
        report.count(
            &format!("{path}.batch.max_items"),
            batch.max_items.into(),
            1..=10_000,
        );
        report.ms(&format!("{path}.batch.wait_ms"), batch.wait_ms);
        report.ms(&format!("{path}.batch.overhead_ms"), batch.overhead_ms);
    }
    if let Some(compress) = &component.compress {
        report.share(&format!("{path}.compress.ratio"), compress.ratio);
        report.not_negative(
            &format!("{path}.compress.cpu_ms_per_kb"),
            compress.cpu_ms_per_kb,
        );
    }
    report.ms(&format!("{path}.connect_ms"), component.connect_ms);
    report.not_negative(&format!("{path}.entry_kb"), component.entry_kb);
    report.not_negative(
        &format!("{path}.per_connection_kb"),
        component.per_connection_kb,
    );
    report.positive(&format!("{path}.ttl_s"), component.ttl_s);
    if let Some(capacity) = component.capacity {
        report.count(&format!("{path}.capacity"), capacity, 1..=MOST_ENTRIES);
    } else if kind == Kind::Cache {
        report.add(
            &format!("{path}.capacity"),
            "is required for a cache: its maximum number of entries",
        );
    }
    if let Some(most) = component.max_connections {
        report.count(&format!("{path}.max_connections"), most, 1..=MOST_SLOTS);
    }
    if let Some(population) = &component.population {
        report.count(
            &format!("{path}.population.keys"),
            population.keys,
            1..=MOST_KEYS,
        );
        if let Popularity::Zipf(s) = population.popularity {
            report.above_up_to(&format!("{path}.population.popularity.zipf"), s, 10.0);
        }
    }
}

fn check_stores(document: &Document, report: &mut Report) {
    for (name, store) in &document.stores {
        let path = format!("stores.{name}");
        report.name(&path, name);
        report.count(
            &format!("{path}.capacity"),
            store.capacity,
            1..=MOST_ENTRIES,
        );
        report.positive(&format!("{path}.ttl_s"), store.ttl_s);
        if let Some(retain_s) = store.retain_after_end_s {
            report.not_negative(&format!("{path}.retain_after_end_s"), retain_s);
            if store.states.is_empty() {
                report.add(
                    &format!("{path}.retain_after_end_s"),
                    "needs `states`: it starts with the last of them",
                );
            }
        }
        if let Some(per_key) = store.per_key {
            report.count(&format!("{path}.per_key"), per_key.into(), 1..=1_000_000);
        }
        report.not_negative(&format!("{path}.per_entry_kb"), store.per_entry_kb);
        if let Some(host) = &store.host {
            report.known(&format!("{path}.host"), "host", host, document.hosts.keys());
        }
        if store.populate > store.capacity {
            report.add(
                &format!("{path}.populate"),
                format!("{} is above capacity {}", store.populate, store.capacity),
            );
        }
        let mut seen = BTreeSet::new();
        for (index, state) in store.states.iter().enumerate() {
            report.name(&format!("{path}.states[{index}]"), state);
            if !seen.insert(state) {
                report.add(&format!("{path}.states[{index}]"), "is duplicated");
            }
        }
    }
}
