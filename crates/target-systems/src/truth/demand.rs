//! Demands of a request: what it takes of each resource on the average.

use super::failure::Failures;

/// Something that is held while other things are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    /// The slots of a component.
    Slots(usize),
    /// A pool.
    Pool(usize),
}

/// What requests take of a host, each per request; times include the slowdown by instances.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HostDemand {
    pub cpu_ms: f64,
    pub disk_ms: f64,
    pub network_ms: f64,
    pub disk_ops: f64,
    pub network_kb: f64,
    pub allocate_kb: f64,
    pub visits: f64,
    /// Parts of the times above that lie inside a holder that runs out first.
    pub inside_cpu_ms: f64,
    pub inside_disk_ms: f64,
    pub inside_network_ms: f64,
    /// E[X²] of a visit's time at the disk and the link, summed over visits, and the visits.
    pub disk_second: f64,
    pub disk_visits: f64,
    pub network_second: f64,
    pub network_visits: f64,
}

/// What requests take of a component or pool.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HolderDemand {
    pub visits: f64,
    /// Time for which a slot or connection is held, without waiting, per request.
    pub hold_ms: f64,
    /// Of that, time in which nothing else is taken.
    pub service_ms: f64,
    /// E[X²] of a hold, summed over visits.
    pub second: f64,
    /// The part that lies inside a holder that runs out first.
    pub inside_ms: f64,
    /// Whether other things are held or taken meanwhile.
    pub nested: bool,
}

/// Everything that a request of a mix takes.
#[derive(Debug, Clone)]
pub(super) struct Demands {
    pub hosts: Vec<HostDemand>,
    pub components: Vec<HolderDemand>,
    pub pools: Vec<HolderDemand>,
    /// Lookups of each component's cache per request: by population and by other keys.
    pub lookups: Vec<f64>,
    /// Rows that a request writes to each store.
    pub writes: Vec<Writes>,
    /// Shares of requests that fail by what the file itself states.
    pub failures: Failures,
    /// Time of a request without any queueing.
    pub response_ms: f64,
    /// Whether the response's time comes from formulas.
    pub exact: bool,
    pub(super) exact_demands: bool,
}

/// What a request writes to a store.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Writes {
    /// Entries under ids of their own.
    pub created: f64,
    /// Rows under ids that may be there already.
    pub other: f64,
    /// Changes of entries, which live longer by them.
    pub touched: f64,
}

/// Ratios of hits, for each component; for keys of the population and for a single key. Of each store,
/// the share of entries that it has no room for.
#[derive(Debug, Clone, Default)]
pub(super) struct Hits {
    pub population: Vec<f64>,
    pub single: Vec<f64>,
    pub full: Vec<f64>,
}

impl Demands {
    /// Whether the demands themselves come from formulas. Branches at once have no formula for
    /// their time, but their demands do.
    pub fn exact_demands(&self) -> bool {
        self.exact_demands
    }

    /// Whether the shares of failures come from formulas, as far as they are counted.
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
