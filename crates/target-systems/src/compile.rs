//! Compiles a document to the plan that a network runs.

mod flow;
mod part;

use std::sync::Arc;
use std::time::Duration;

use fault_profile::Latency;

use crate::document::{Document, Flow, Place, Source, Step, Switch};
use crate::plan::{Amount, Edge, Host, Path, PathRoot, Plan};

pub(crate) use flow::read_paths;

/// The plan of a document that has no errors, without its timeline.
pub(crate) fn plan(document: &Document) -> Plan {
    let names = Names::new(document);
    let mut hosts: Vec<Host> = document
        .hosts
        .iter()
        .map(|(name, host)| part::host(name, host))
        .collect();
    for (name, component) in &document.components {
        match &component.host {
            Some(crate::document::HostChoice::Named(_)) => {}
            Some(crate::document::HostChoice::Own(host)) => hosts.push(part::host(name, host)),
            None => hosts.push(Host::unlimited(name)),
        }
    }
    let edge_host = match &document.edge.host {
        Some(name) => names.host(name),
        None => {
            hosts.push(Host::unlimited("edge"));
            hosts.len() - 1
        }
    };
    Plan {
        system: document.system.as_str().into(),
        seed: document.seed,
        edge: edge(document, edge_host),
        components: document
            .components
            .iter()
            .map(|(name, component)| part::component(&names, name, component))
            .collect(),
        pools: document
            .pools
            .iter()
            .map(|(name, pool)| part::pool(name, pool))
            .collect(),
        stores: document
            .stores
            .iter()
            .map(|(name, store)| part::store(&names, name, store))
            .collect(),
        endpoints: document
            .endpoints
            .iter()
            .map(|(name, endpoint)| flow::endpoint(&names, name, endpoint))
            .collect(),
        ageing: document.ageing,
        timeline: Vec::new(),
        hosts,
    }
}

fn edge(document: &Document, host: usize) -> Edge {
    let edge = &document.edge;
    Edge {
        host,
        max_in_flight: edge.max_in_flight as usize,
        deadline: edge.deadline_ms.map(duration),
        cpu_ms: constant(edge.cpu_ms),
        network_kb: constant(edge.network_kb),
        rate_limit: edge.rate_limit,
    }
}

/// Indices of names in the plan's lists. All names of a checked document exist.
struct Names<'a> {
    document: &'a Document,
    /// Hosts in the plan's order.
    hosts: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn new(document: &'a Document) -> Self {
        let named = document.hosts.keys();
        let own = document.components.iter().filter(|(_, component)| {
            !matches!(component.host, Some(crate::document::HostChoice::Named(_)))
        });
        let hosts = named.chain(own.map(|(name, _)| name)).map(String::as_str);
        Self {
            document,
            hosts: hosts.collect(),
        }
    }

    fn host(&self, name: &str) -> usize {
        let place = self.hosts.iter().position(|host| *host == name);
        place.expect("a checked document names hosts that exist")
    }

    fn component(&self, name: &str) -> usize {
        let place = self.document.components.get_index_of(name);
        place.expect("a checked document names components that exist")
    }

    fn store(&self, name: &str) -> usize {
        let place = self.document.stores.get_index_of(name);
        place.expect("a checked document names stores that exist")
    }

    fn pool(&self, name: &str) -> usize {
        let place = self.document.pools.get_index_of(name);
        place.expect("a checked document names pools that exist")
    }

    fn is_on(&self, switch: &Switch) -> bool {
        is_on(self.document, switch)
    }
}

/// Whether a switch is on, considering the current state of its toggle.
pub(crate) fn is_on(document: &Document, switch: &Switch) -> bool {
    match switch {
        Switch::Fixed(on) => *on,
        Switch::Toggle { name, negated } => {
            document.toggles.get(name).is_some_and(|toggle| toggle.on) != *negated
        }
    }
}

/// The steps of a flow after the toggles, in place of those that depend on them.
fn chosen<'a>(document: &Document, flow: &'a Flow) -> Vec<&'a Step> {
    let mut steps = Vec::new();
    for step in flow {
        match step {
            Step::If(one) if is_on(document, &one.enabled) => {
                steps.extend(chosen(document, &one.steps));
            }
            Step::If(one) => steps.extend(chosen(document, &one.otherwise)),
            Step::Cached(cached) if !is_on(document, &cached.enabled) => {
                steps.extend(chosen(document, &cached.miss));
            }
            other => steps.push(other),
        }
    }
    steps
}

pub(crate) fn root(source: Source) -> PathRoot {
    match source {
        Source::Body => PathRoot::Body,
        Source::Path => PathRoot::Path,
        Source::Query => PathRoot::Query,
        Source::State => PathRoot::State,
        Source::Item => PathRoot::Item,
    }
}

pub(crate) fn path(place: &Place) -> Path {
    Path {
        root: root(place.source),
        names: place
            .names
            .iter()
            .map(|name| Arc::from(name.as_str()))
            .collect(),
    }
}

/// Milliseconds of a checked document, which are finite and not negative.
fn duration(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1_000.0)
}

fn seconds(s: f64) -> Duration {
    duration(s * 1_000.0)
}

/// A constant demand; none if it is 0.
fn constant(value: f64) -> Option<Amount> {
    (value > 0.0).then(|| Amount::new(Latency::Constant { ms: value }))
}
