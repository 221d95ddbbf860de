//! Demands of a request: its mean use of each resource.

use super::failure::Failures;

/// A resource that is held while others are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    /// The slots of a component.
    Slots(usize),
    /// A pool.
    Pool(usize),
}

/// Demands on a host per request; times include the slowdown by instances.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HostDemand {
    pub cpu_ms: f64,
    pub disk_ms: f64,
    pub network_ms: f64,
    pub disk_ops: f64,
    pub network_kb: f64,
    pub allocate_kb: f64,
    pub visits: f64,
    /// The parts of the times above that are inside a holder that is exhausted first.
    pub inside_cpu_ms: f64,
    pub inside_disk_ms: f64,
    pub inside_network_ms: f64,
    /// E[X²] of a visit's time at the disk and the link, summed over visits, and the number of visits.
    pub disk_second: f64,
    pub disk_visits: f64,
    pub network_second: f64,
    pub network_visits: f64,
}

/// Demands on a component or pool.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HolderDemand {
    pub visits: f64,
    /// Time for which a slot or connection is held, without waiting, per request.
    pub hold_ms: f64,
    /// The part of it during which no other resource is used.
    pub service_ms: f64,
    /// E[X²] of a hold, summed over visits.
    pub second: f64,
    /// The part inside a holder that is exhausted first.
    pub inside_ms: f64,
    /// Whether other resources are held or used meanwhile.
    pub nested: bool,
}

/// All demands of a request of a mix.
#[derive(Debug, Clone)]
pub(super) struct Demands {
    pub hosts: Vec<HostDemand>,
    pub components: Vec<HolderDemand>,
    pub pools: Vec<HolderDemand>,
    /// Lookups in each component's cache per request: by population and by other keys.
    pub lookups: Vec<f64>,
    /// Rows that a request writes to each store.
    pub writes: Vec<Writes>,
    /// Shares of requests that fail as the file states.
    pub failures: Failures,
    /// Response time without queueing.
    pub response_ms: f64,
    /// Whether the response time follows from formulas.
    pub exact: bool,
    pub(super) exact_demands: bool,
}

/// The writes of a request to a store.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Writes {
    /// Entries with new ids.
    pub created: f64,
    /// Rows under ids that may exist already.
    pub other: f64,
    /// Changes of entries, which extend their lifetime.
    pub touched: f64,
}

/// Hit ratios for each component, for keys of the population and for a single key; and for each store, the
/// share of entries that it rejects.
#[derive(Debug, Clone, Default)]
pub(super) struct Hits {
    pub population: Vec<f64>,
    pub single: Vec<f64>,
    pub full: Vec<f64>,
}

impl Demands {
    /// Whether the demands themselves follow from formulas. Parallel branches have no formula for their
    /// time, but their demands do.
    pub fn exact_demands(&self) -> bool {
        self.exact_demands
    }

    /// Whether the counted shares of failures follow from formulas.
    pub fn exact_failures(&self) -> bool {
        self.failures.total() == 0.0 || self.exact_demands
    }

    pub fn scaled(mut self, weight: f64) -> Self {
        self.response_ms *= weight;
        self.lookups.iter_mut().for_each(|one| *one *= weight);
        self.failures.scale(weight);
        for writes in &mut self.writes {
            writes.created *= weight;
            writes.other *= weight;
            writes.touched *= weight;
        }
        for host in &mut self.hosts {
            host.numbers().into_iter().for_each(|one| *one *= weight);
        }
        for holder in self.components.iter_mut().chain(&mut self.pools) {
            holder.numbers().into_iter().for_each(|one| *one *= weight);
        }
        self
    }

    pub fn plus(mut self, other: &Self) -> Self {
        self.response_ms += other.response_ms;
        self.exact &= other.exact;
        self.exact_demands &= other.exact_demands;
        self.failures.add_all(&other.failures, 1.0);
        for (one, more) in self.writes.iter_mut().zip(&other.writes) {
            one.created += more.created;
            one.other += more.other;
            one.touched += more.touched;
        }
        for (one, more) in self.lookups.iter_mut().zip(&other.lookups) {
            *one += more;
        }
        for (host, more) in self.hosts.iter_mut().zip(&other.hosts) {
            let mut more = *more;
            for (one, more) in host.numbers().into_iter().zip(more.numbers()) {
                *one += *more;
            }
        }
        let holders = self.components.iter_mut().chain(&mut self.pools);
        for (holder, more) in holders.zip(other.components.iter().chain(&other.pools)) {
            let mut more = *more;
            holder.nested |= more.nested;
            for (one, more) in holder.numbers().into_iter().zip(more.numbers()) {
                *one += *more;
            }
        }
        self
    }
}

impl HostDemand {
    fn numbers(&mut self) -> [&mut f64; 14] {
        [
            &mut self.cpu_ms,
            &mut self.disk_ms,
            &mut self.network_ms,
            &mut self.disk_ops,
            &mut self.network_kb,
            &mut self.allocate_kb,
            &mut self.visits,
            &mut self.inside_cpu_ms,
            &mut self.inside_disk_ms,
            &mut self.inside_network_ms,
            &mut self.disk_second,
            &mut self.disk_visits,
            &mut self.network_second,
            &mut self.network_visits,
        ]
    }
}

impl HolderDemand {
    fn numbers(&mut self) -> [&mut f64; 5] {
        [
            &mut self.visits,
            &mut self.hold_ms,
            &mut self.service_ms,
            &mut self.second,
            &mut self.inside_ms,
        ]
    }
}
