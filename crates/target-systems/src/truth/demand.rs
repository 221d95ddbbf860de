//! Demands of a request: what it takes of each resource on the average, from the plan alone.

use std::collections::BTreeSet;

use super::moments::Moments;
use super::sample;
use crate::plan::{
    Amount, Block, CacheKey, Call, Demand, Expression, Host, Operation, Order, Path, PathRoot,
    Plan, Publish, Step, Value, Visit,
};

/// Items and visits of a step that are counted at most, as in the network.
const MOST_TIMES: f64 = 10_000.0;

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
    /// Time of a request without any queueing.
    pub response_ms: f64,
    /// Whether the response's time comes from formulas.
    pub exact: bool,
    exact_demands: bool,
}

/// Ratios of hits, for each component; for keys of the population and for a single key.
#[derive(Debug, Clone, Default)]
pub(super) struct Hits {
    pub population: Vec<f64>,
    pub single: Vec<f64>,
}

/// Adds up the demands of requests.
pub(super) struct Walk<'a> {
    plan: &'a Plan,
    hits: &'a Hits,
    /// Holders whose inside is not told as stations of their own.
    binding: &'a BTreeSet<Holder>,
    pub demands: Demands,
    /// Inside how many binding holders the walk is.
    inside: usize,
    /// Not a part of the response's time.
    background: bool,
}

/// A request's data, and the item of the innermost `each`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub input: &'a Value,
    pub state: &'a Value,
    pub item: &'a Value,
}

impl<'a> Context<'a> {
    pub fn value(&self, path: &Path) -> &'a Value {
        match path.root {
            PathRoot::State => self.state.at(&path.names),
            PathRoot::Item => self.item.at(&path.names),
            root => self.input.get(root.name()).at(&path.names),
        }
    }

    /// The value of an expression; `rows` are those that are there from the start.
    pub fn number(&self, plan: &Plan, expression: &Expression) -> f64 {
        match expression {
            Expression::Number(number) => *number,
            Expression::Field(path) => self.value(path).number(),
            Expression::Len(path) => self.value(path).len() as f64,
            Expression::Kb(path) => self.value(path).bytes() as f64 / 1_000.0,
            Expression::Rows(store) => plan.stores[*store].populate as f64,
            Expression::Log2(inner) => self.number(plan, inner).max(1.0).log2(),
        }
    }

    fn times(&self, plan: &Plan, expression: &Expression) -> f64 {
        self.number(plan, expression).floor().clamp(0.0, MOST_TIMES)
    }

    /// Items of a list; a number stands for as many items.
    pub fn items(&self, path: &Path) -> Vec<&'a Value> {
        match self.value(path) {
            Value::List(items) => items.iter().take(MOST_TIMES as usize).collect(),
            Value::Map(fields) => fields.iter().map(|(_, value)| value).collect(),
            other => {
                let count = other.number().floor().clamp(0.0, MOST_TIMES) as usize;
                vec![other; count]
            }
        }
    }
}

/// Time of a block without queueing, and the share of requests that go on behind it.
#[derive(Debug, Clone, Copy)]
struct Passed {
    ms: f64,
    alive: f64,
}

impl<'a> Walk<'a> {
    pub fn new(plan: &'a Plan, hits: &'a Hits, binding: &'a BTreeSet<Holder>) -> Self {
        Self {
            plan,
            hits,
            binding,
            demands: Demands {
                hosts: vec![HostDemand::default(); plan.hosts.len()],
                components: vec![HolderDemand::default(); plan.components.len()],
                pools: vec![HolderDemand::default(); plan.pools.len()],
                lookups: vec![0.0; plan.components.len()],
                response_ms: 0.0,
                exact: true,
                exact_demands: true,
            },
            inside: 0,
            background: false,
        }
    }

    /// A request of an endpoint with this share of all requests.
    pub fn request(&mut self, endpoint: usize, context: Context<'_>, weight: f64, bytes: f64) {
        let edge = &self.plan.edge;
        let demand = Demand {
            cpu_ms: edge.cpu_ms.clone(),
            network_kb: Some(Amount::constant(
                bytes / 1_000.0
                    + edge
                        .network_kb
                        .as_ref()
                        .map_or(0.0, |kb| Moments::of(kb.law()).mean),
            )),
            ..Demand::default()
        };
        let mut ms = self.resources(edge.host, &Mean::of(&demand), weight).mean;
        let flow = self.plan.endpoints[endpoint].flow.clone();
        ms += self.block(&flow, context, weight).ms;
        self.demands.response_ms += weight * ms;
    }

    fn block(&mut self, block: &Block, context: Context<'_>, weight: f64) -> Passed {
        let mut passed = Passed {
            ms: 0.0,
            alive: 1.0,
        };
        for step in block.iter() {
            if passed.alive <= 0.0 {
                break;
            }
            let next = self.step(step, context, weight * passed.alive);
            passed.ms += passed.alive * next.ms;
            passed.alive *= next.alive;
        }
        passed
    }

    fn step(&mut self, step: &Step, context: Context<'_>, weight: f64) -> Passed {
        let goes_on = |ms| Passed { ms, alive: 1.0 };
        match step {
            Step::Visit(visit) => goes_on(self.visit(visit, context, weight)),
            Step::Parallel(branches) => {
                for branch in branches {
                    self.block(branch, context, weight);
                }
                self.demands.exact = false;
                goes_on(sample::mean_of_step(self.plan, self.hits, step, context))
            }
            Step::Cached(cached) => {
                let component = cached.call.component;
                self.demands.lookups[component] += weight;
                let ratio = match &cached.key {
                    CacheKey::Population => self.hits.population[component],
                    CacheKey::Number(_) => self.hits.single[component],
                    CacheKey::Field(_) => {
                        self.note(false);
                        0.0
                    }
                };
                let own = self.once(cached.call, context, weight, None);
                let missed = 1.0 - ratio;
                let miss = self.block(&cached.miss, context, weight * missed);
                Passed {
                    ms: own + missed * miss.ms,
                    alive: ratio + missed * miss.alive,
                }
            }
            Step::Using(using) => {
                let holder = Holder::Pool(using.pool);
                self.enter(holder);
                let passed = self.block(&using.block, context, weight);
                self.leave(holder);
                let inside = self.inside > 0;
                let pool = &mut self.demands.pools[using.pool];
                pool.visits += weight;
                pool.hold_ms += weight * passed.ms;
                pool.second += weight * 2.0 * passed.ms * passed.ms;
                pool.nested = true;
                if inside {
                    pool.inside_ms += weight * passed.ms;
                }
                passed
            }
            Step::Publish(publish) => goes_on(self.publish(publish, context, weight)),
            Step::Either(shares) => {
                let mut passed = Passed {
                    ms: 0.0,
                    alive: 1.0,
                };
                for share in shares {
                    let next = self.block(&share.block, context, weight * share.share);
                    passed.ms += share.share * next.ms;
                    passed.alive -= share.share * (1.0 - next.alive);
                }
                passed
            }
            Step::When(case) => {
                let value = context.value(&case.value);
                let block = value
                    .text()
                    .and_then(|text| case.is.get(text.as_ref()))
                    .unwrap_or(&case.otherwise);
                self.block(block, context, weight)
            }
            Step::Each(each) => {
                let mut passed = Passed {
                    ms: 0.0,
                    alive: 1.0,
                };
                for item in context.items(&each.list) {
                    let context = Context { item, ..context };
                    let next = self.block(&each.block, context, weight * passed.alive);
                    passed.ms += passed.alive * next.ms;
                    passed.alive *= next.alive;
                }
                if !matches!(each.order, Order::Sequence) {
                    self.demands.exact = false;
                    passed.ms = sample::mean_of_step(self.plan, self.hits, step, context);
                }
                passed
            }
            Step::Later(later) => {
                let waits = later
                    .wait
                    .as_ref()
                    .is_some_and(|path| context.value(path).is_set());
                let outer = self.background;
                self.background |= !waits;
                let passed = self.block(&later.block, context, weight);
                self.background = outer;
                goes_on(if waits { passed.ms } else { 0.0 })
            }
            Step::State(_) => goes_on(0.0),
            Step::Fail(_) => Passed {
                ms: 0.0,
                alive: 0.0,
            },
        }
    }

    fn visit(&mut self, visit: &Visit, context: Context<'_>, weight: f64) -> f64 {
        let times = context.times(self.plan, &visit.times);
        times * self.once(visit.call, context, weight * times, Some(&visit.hold))
    }

    /// One visit: its own demands, then what it holds its slot for.
    fn once(&mut self, call: Call, context: Context<'_>, weight: f64, hold: Option<&Block>) -> f64 {
        let component = &self.plan.components[call.component];
        let host = &self.plan.hosts[component.host];
        let mean = Mean::of_operation(self.plan, &component.operations[call.operation], context);
        if component.faults.is_some() {
            self.note(false);
        }
        let slow = slowdown(host);
        let service = mean.service_ms.times(slow);
        let holder = Holder::Slots(call.component);
        self.enter(holder);
        let taken = self.resources(component.host, &mean, weight);
        let held = hold.map_or(0.0, |hold| self.block(hold, context, weight).ms);
        self.leave(holder);
        let own = service.plus(taken);
        let inside = self.inside > 0;
        let demand = &mut self.demands.components[call.component];
        demand.visits += weight;
        demand.service_ms += weight * service.mean;
        demand.hold_ms += weight * (own.mean + held);
        demand.second += weight * (own.second + 2.0 * own.mean * held + held * held);
        demand.nested |= taken.mean > 0.0 || held > 0.0;
        if inside {
            demand.inside_ms += weight * (own.mean + held);
        }
        self.note(mean.service_ms.exact);
        // Inside or outside of a holder that runs out, the time passes all the same.
        own.mean + held
    }

    /// CPU, disk and link of a host; their times without queueing.
    fn resources(&mut self, place: usize, mean: &Mean, weight: f64) -> Moments {
        let host = &self.plan.hosts[place];
        let cpu = mean.cpu_ms.times(slowdown(host));
        // A lone job uses one core at most, and a fraction of a core slows it down.
        let alone = cpu.times(host.cpu_cores.map_or(1.0, |cores| (1.0 / cores).max(1.0)));
        let disk = disk_ms(host, mean);
        let network = host
            .network_mbit_per_s
            .map_or(Moments::ZERO, |rate| mean.network_kb.times(8.0 / rate));
        let inside = self.inside > 0;
        let demand = &mut self.demands.hosts[place];
        demand.cpu_ms += weight * cpu.mean;
        demand.disk_ms += weight * disk.mean;
        demand.network_ms += weight * network.mean;
        demand.disk_ops += weight * mean.disk_ops.mean;
        demand.network_kb += weight * mean.network_kb.mean;
        demand.allocate_kb += weight * mean.allocate_kb.mean;
        demand.visits += weight;
        if inside || self.background {
            demand.inside_cpu_ms += weight * cpu.mean;
            demand.inside_disk_ms += weight * disk.mean;
            demand.inside_network_ms += weight * network.mean;
        }
        if disk.mean > 0.0 {
            demand.disk_second += weight * disk.second;
            demand.disk_visits += weight;
        }
        if network.mean > 0.0 {
            demand.network_second += weight * network.second;
            demand.network_visits += weight;
        }
        self.note(mean.cpu_ms.exact && mean.disk_ops.exact && mean.network_kb.exact);
        alone.plus(disk).plus(network)
    }

    fn publish(&mut self, publish: &Publish, context: Context<'_>, weight: f64) -> f64 {
        let call = publish.call;
        let component = &self.plan.components[call.component];
        let host = &self.plan.hosts[component.host];
        let Some(bus) = component.bus else {
            return 0.0;
        };
        let messages = context.times(self.plan, &publish.messages);
        let mut mean =
            Mean::of_operation(self.plan, &component.operations[call.operation], context);
        if let Some(compress) = bus.compress {
            let kb = mean.network_kb.mean;
            mean.network_kb = mean.network_kb.times(compress.ratio);
            mean.cpu_ms.mean += kb * compress.cpu_ms_per_kb;
        }
        let outer = self.background;
        self.background |= !publish.wait;
        let taken = self
            .resources(component.host, &mean, weight * messages)
            .mean;
        let service = mean.service_ms.mean * slowdown(host);
        // A full batch shares one overhead; that is what the bus can do at most.
        let overhead_ms = bus.batch.overhead.as_secs_f64() * 1_000.0;
        let shared = overhead_ms / bus.batch.max_items as f64;
        let demand = &mut self.demands.components[call.component];
        demand.visits += weight * messages;
        demand.service_ms += weight * messages * service;
        demand.hold_ms += weight * messages * (service + shared + taken);
        demand.nested |= taken > 0.0;
        if self.background || self.inside > 0 {
            demand.inside_ms += weight * messages * (service + shared + taken);
        }
        let consumed = publish.consume.map_or(0.0, |call| {
            self.once(call, context, weight * messages, None)
        });
        self.background = outer;
        let connect_ms = bus.connect.as_secs_f64() * 1_000.0;
        if !publish.wait || messages == 0.0 {
            return connect_ms;
        }
        self.demands.exact &= messages <= 1.0 && bus.batch.max_items == 1;
        let wait_ms = if bus.batch.max_items as f64 > messages {
            bus.batch.wait.as_secs_f64() * 1_000.0
        } else {
            0.0
        };
        let in_batch = messages.min(bus.batch.max_items as f64);
        connect_ms + wait_ms + overhead_ms + in_batch * service + taken + consumed
    }

    /// Whether a demand came from a formula.
    fn note(&mut self, exact: bool) {
        self.demands.exact &= exact;
        self.demands.exact_demands &= exact;
    }

    fn enter(&mut self, holder: Holder) {
        self.inside += usize::from(self.binding.contains(&holder));
    }

    fn leave(&mut self, holder: Holder) {
        self.inside -= usize::from(self.binding.contains(&holder));
    }
}

/// By how much a host's instances slow each other.
pub(super) fn slowdown(host: &Host) -> f64 {
    host.usl_instances
        .map_or(1.0, |usl| usl.slowdown(host.instances))
}

fn disk_ms(host: &Host, mean: &Mean) -> Moments {
    let operations = host
        .disk_iops
        .map_or(Moments::ZERO, |iops| mean.disk_ops.times(1_000.0 / iops));
    let bytes = host
        .disk_mb_per_s
        .map_or(Moments::ZERO, |rate| mean.disk_kb.times(1.0 / rate));
    operations.plus(bytes)
}

/// Means of a visit's demands.
#[derive(Debug, Clone, Copy)]
struct Mean {
    service_ms: Moments,
    cpu_ms: Moments,
    disk_ops: Moments,
    disk_kb: Moments,
    network_kb: Moments,
    allocate_kb: Moments,
}

impl Mean {
    fn of(demand: &Demand) -> Self {
        let of = |amount: &Option<Amount>| {
            amount
                .as_ref()
                .map_or(Moments::ZERO, |amount| Moments::of(amount.law()))
        };
        Self {
            service_ms: of(&demand.service_ms),
            cpu_ms: of(&demand.cpu_ms),
            disk_ops: whole(of(&demand.disk_ops)),
            disk_kb: of(&demand.disk_kb),
            network_kb: of(&demand.network_kb),
            allocate_kb: of(&demand.allocate_kb),
        }
    }

    fn of_operation(plan: &Plan, operation: &Operation, context: Context<'_>) -> Self {
        let mut mean = Self::of(&operation.demand);
        for per in &operation.per {
            let times = context.number(plan, &per.of);
            let more = Self::of(&per.demand);
            mean.service_ms = mean.service_ms.plus(more.service_ms.times(times));
            mean.cpu_ms = mean.cpu_ms.plus(more.cpu_ms.times(times));
            mean.disk_ops = mean.disk_ops.plus(more.disk_ops.times(times));
            mean.disk_kb = mean.disk_kb.plus(more.disk_kb.times(times));
            mean.network_kb = mean.network_kb.plus(more.network_kb.times(times));
            mean.allocate_kb = mean.allocate_kb.plus(more.allocate_kb.times(times));
        }
        if let Some(factor) = &operation.factor {
            let factor = factor.of(context.value(&factor.by));
            mean.service_ms = mean.service_ms.times(factor);
            mean.cpu_ms = mean.cpu_ms.times(factor);
        }
        mean
    }
}

/// Operations are whole: a constant 1.2 is 1 or 2.
fn whole(operations: Moments) -> Moments {
    let fraction = operations.mean.fract();
    if operations.variance() > 1e-12 {
        return operations;
    }
    Moments {
        second: operations.mean * operations.mean + fraction * (1.0 - fraction),
        ..operations
    }
}

impl Demands {
    /// Whether the demands themselves come from formulas. Branches at once have no formula for
    /// their time, but their demands do.
    pub fn exact_demands(&self) -> bool {
        self.exact_demands
    }

    pub fn scaled(mut self, weight: f64) -> Self {
        self.response_ms *= weight;
        self.lookups.iter_mut().for_each(|one| *one *= weight);
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
