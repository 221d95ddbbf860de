//! Finds all errors of a well-formed document at once.

mod endpoint;
mod flow;
mod held;
mod metric;
mod part;
mod report;

use std::collections::BTreeSet;

use live_config::ConfigError;

use super::{Document, Flow, Step, Switch};
use report::Report;

/// Maximum number of parts of one kind; a document has to stay small.
const MOST_PARTS: usize = 1_000;

/// All errors, each with its path and a hint; empty for a valid document.
pub(crate) fn check(document: &Document) -> Vec<ConfigError> {
    let mut report = Report::default();
    system(document, &mut report);
    part::check(document, &mut report);
    endpoint::check(document, &mut report);
    flow::check(document, &mut report);
    held::check(document, &mut report);
    metric::check(document, &mut report);
    toggles(document, &mut report);
    report.into_errors()
}

fn system(document: &Document, report: &mut Report) {
    report.name("system", &document.system);
    report.above_up_to("ageing", document.ageing, 1e6);
    for (what, count, needed) in [
        ("components", document.components.len(), true),
        ("endpoints", document.endpoints.len(), true),
        ("hosts", document.hosts.len(), false),
        ("pools", document.pools.len(), false),
        ("stores", document.stores.len(), false),
        ("toggles", document.toggles.len(), false),
        ("mixes", document.mixes.len(), false),
        ("metrics", document.metrics.len(), false),
        ("timeline", document.timeline.len(), false),
    ] {
        if count > MOST_PARTS {
            report.add(what, format!("has more than {MOST_PARTS} entries"));
        }
        if needed && count == 0 {
            report.add(what, "needs at least one entry");
        }
    }
    for (index, change) in document.timeline.iter().enumerate() {
        let path = format!("timeline[{index}]");
        report.ms(&format!("{path}.at_ms"), change.at_ms);
        report.positive(&format!("{path}.for_ms"), change.for_ms);
        if !change.set.is_object() {
            report.add(
                &format!("{path}.set"),
                "is a patch of the document, such as { hosts: { api: { cpu_cores: 1 } } }",
            );
        }
    }
}

/// Checks that each toggle has an effect: by its patch, or by the steps that name it.
fn toggles(document: &Document, report: &mut Report) {
    let mut used = BTreeSet::new();
    for endpoint in document.endpoints.values() {
        switches(&endpoint.flow, &mut used);
    }
    for (name, toggle) in &document.toggles {
        let path = format!("toggles.{name}");
        report.name(&path, name);
        if toggle.off.is_none() && !used.contains(name.as_str()) {
            report.add(
                &path,
                "changes nothing: it has no `off`, and no step names it",
            );
        }
        if toggle.off.as_ref().is_some_and(|off| !off.is_object()) {
            report.add(
                &format!("{path}.off"),
                "is a patch of the document, such as { pools: { db: { size: 4 } } }",
            );
        }
    }
}

fn switches<'a>(flow: &'a Flow, used: &mut BTreeSet<&'a str>) {
    for step in flow {
        let switch = match step {
            Step::Parallel(parallel) => Some(&parallel.enabled),
            Step::Cached(cached) => Some(&cached.enabled),
            Step::Publish(publish) => Some(&publish.wait),
            Step::Each(each) => Some(&each.parallel),
            Step::If(one) => Some(&one.enabled),
            _ => None,
        };
        if let Some(Switch::Toggle { name, .. }) = switch {
            used.insert(name);
        }
        for inner in step.inner() {
            switches(inner, used);
        }
    }
}
