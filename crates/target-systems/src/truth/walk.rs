//! The walk through the flows of a plan, which adds up the demands of requests and their failures.

use std::collections::BTreeSet;

use super::context::Context;
use super::demand::{Demands, Hits, Holder, HolderDemand, HostDemand, Writes};
use super::failure::{Failures, Injected};
use super::mean::{Mean, disk_ms, slowdown};
use super::moments::Moments;
use super::sample;
use crate::network::{Cause, work_refused};
use crate::plan::{
    Amount, Block, CacheKey, Cached, Call, Demand, Identity, OnError, Order, Plan, Publish,
    StateAction, Step, Using, Visit,
};

/// Adds up the demands of requests.
pub(super) struct Walk<'a> {
    plan: &'a Plan,
    hits: &'a Hits,
    /// Holders whose inside is not modelled as separate stations.
    binding: &'a BTreeSet<Holder>,
    pub demands: Demands,
    /// Number of binding holders around the current step.
    inside: usize,
    /// Whether the current step is not part of the response time.
    background: bool,
}

/// Time of a block without queueing, and the share of requests that continue after it.
#[derive(Debug, Clone, Copy)]
struct Passed {
    ms: f64,
    alive: f64,
}

impl Passed {
    const ON: Self = Self {
        ms: 0.0,
        alive: 1.0,
    };

    /// Scales the result to the share of requests that reach the block.
    fn behind(self, share: f64) -> Self {
        Self {
            ms: share * self.ms,
            alive: share * self.alive,
        }
    }
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
                writes: vec![Writes::default(); plan.stores.len()],
                failures: Failures::default(),
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
        if let Some(failed) = work_refused(self.plan, endpoint, context.input) {
            return self.fail(failed.cause.name(), failed.status, weight);
        }
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
        let mut passed = Passed::ON;
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
        match step {
            Step::Visit(visit) => self.visit(visit, context, weight),
            Step::Parallel(branches) => {
                let mut alive = 1.0;
                for branch in branches {
                    let before = alive;
                    alive *= self
                        .attributed(|walk| walk.block(branch, context, weight).alive, |_| before);
                }
                self.demands.exact = false;
                let ms = sample::mean_of_step(self.plan, self.hits, step, context);
                Passed { ms, alive }
            }
            Step::Cached(cached) => self.cached(cached, context, weight),
            Step::Using(using) => self.using(using, context, weight),
            Step::Publish(publish) => self.publish(publish, context, weight),
            Step::Either(shares) => {
                let mut passed = Passed::ON;
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
            Step::Each(_) => self.each(step, context, weight),
            Step::Later(later) => {
                let waits = later
                    .wait
                    .as_ref()
                    .is_some_and(|path| context.value(path).is_set());
                let made = self.create(later.store, weight);
                self.demands.writes[later.store].touched += weight;
                let outer = self.background;
                self.background |= !waits;
                let passed = self.block(&later.block, context, weight * made);
                self.background = outer;
                if waits {
                    passed.behind(made)
                } else {
                    Passed {
                        ms: 0.0,
                        alive: made,
                    }
                }
            }
            Step::State(state) => {
                let writes = &mut self.demands.writes[state.store];
                let alive = match &state.action {
                    StateAction::Create { .. } if matches!(state.id, Identity::Drawn(_)) => {
                        self.create(state.store, weight)
                    }
                    StateAction::Create { .. } | StateAction::Append => {
                        writes.other += weight;
                        1.0
                    }
                    StateAction::Advance { .. } => {
                        writes.touched += weight;
                        1.0
                    }
                    StateAction::Require | StateAction::Read | StateAction::Remove => 1.0,
                };
                Passed { ms: 0.0, alive }
            }
            Step::Fail(failure) => {
                self.fail(&failure.error_type, failure.status, weight);
                Passed {
                    ms: 0.0,
                    alive: 0.0,
                }
            }
        }
    }

    /// Creates an entry; returns the share of requests for which there is space.
    fn create(&mut self, store: usize, weight: f64) -> f64 {
        self.demands.writes[store].created += weight;
        let full = self.hits.full[store];
        self.fail(
            Cause::DiskFull.name(),
            Cause::DiskFull.status(),
            weight * full,
        );
        1.0 - full
    }

    fn cached(&mut self, cached: &Cached, context: Context<'_>, weight: f64) -> Passed {
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
        let missed = (1.0 - ratio) * own.alive;
        let miss = self.block(&cached.miss, context, weight * missed);
        Passed {
            ms: own.ms + missed * miss.ms,
            alive: own.alive - missed * (1.0 - miss.alive),
        }
    }

    fn using(&mut self, using: &Using, context: Context<'_>, weight: f64) -> Passed {
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

    fn each(&mut self, step: &Step, context: Context<'_>, weight: f64) -> Passed {
        let Step::Each(each) = step else {
            return Passed::ON;
        };
        let mut passed = Passed::ON;
        for item in &context.items(&each.list) {
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

    /// Sequential visits, each with its attempts. If an attempt succeeds with probability a, r retries give
    /// a success probability of 1 − (1 − a)^(r+1) and a mean of (1 − (1 − a)^(r+1))/a attempts.
    fn visit(&mut self, visit: &Visit, context: Context<'_>, weight: f64) -> Passed {
        let times = context.times(self.plan, &visit.times);
        if times == 0.0 {
            return Passed::ON;
        }
        let plain = visit.retries == 0 && visit.on_error == OnError::Fail;
        if plain && times == 1.0 {
            return self.once(visit.call, context, weight, Some(&visit.hold));
        }
        let mut alone = Walk::new(self.plan, self.hits, self.binding);
        let alive = alone
            .once(visit.call, context, 1.0, Some(&visit.hold))
            .alive;
        let fails = (1.0 - alive).powi(visit.retries as i32 + 1);
        let attempts = if alive > 0.0 {
            (1.0 - fails) / alive
        } else {
            f64::from(visit.retries) + 1.0
        };
        let goes_on = match visit.on_error {
            OnError::Fail => 1.0 - fails,
            OnError::Continue => 1.0,
        };
        let all = goes_on.powf(times);
        let begun = if goes_on < 1.0 {
            (1.0 - all) / (1.0 - goes_on)
        } else {
            times
        };
        let count = begun * attempts;
        let once = self.attributed(
            |walk| walk.once(visit.call, context, weight * count, Some(&visit.hold)),
            |once| (1.0 - all) / (count * (1.0 - once.alive)).max(f64::MIN_POSITIVE),
        );
        Passed {
            ms: count * once.ms,
            alive: all,
        }
    }

    /// One visit: its own demands, then its hold. An injected failure occurs at the end of its own demands.
    fn once(
        &mut self,
        call: Call,
        context: Context<'_>,
        weight: f64,
        hold: Option<&Block>,
    ) -> Passed {
        let component = &self.plan.components[call.component];
        let host = &self.plan.hosts[component.host];
        let mut mean =
            Mean::of_operation(self.plan, &component.operations[call.operation], context);
        let mut alive = 1.0;
        if let Some(injected) = Injected::of(component) {
            mean.service_ms = injected.service(mean.service_ms);
            alive -= injected.failing.total();
            self.note(injected.exact);
            if !self.background {
                self.demands.failures.add_all(&injected.failing, weight);
            }
        }
        let slow = slowdown(host);
        let service = mean.service_ms.times(slow);
        let holder = Holder::Slots(call.component);
        self.enter(holder);
        let taken = self.resources(component.host, &mean, weight);
        let held = hold.map_or(Passed::ON, |hold| self.block(hold, context, weight * alive));
        self.leave(holder);
        let held_ms = alive * held.ms;
        let own = service.plus(taken);
        let inside = self.inside > 0;
        let demand = &mut self.demands.components[call.component];
        demand.visits += weight;
        demand.service_ms += weight * service.mean;
        demand.hold_ms += weight * (own.mean + held_ms);
        demand.second += weight * (own.second + 2.0 * own.mean * held_ms + held_ms * held_ms);
        demand.nested |= taken.mean > 0.0 || held_ms > 0.0;
        if inside {
            demand.inside_ms += weight * (own.mean + held_ms);
        }
        self.note(mean.service_ms.exact);
        // The time passes whether it is inside or outside of a holder that is exhausted.
        Passed {
            ms: own.mean + held_ms,
            alive: alive * held.alive,
        }
    }

    /// Adds CPU, disk and link of a host; returns their times without queueing.
    fn resources(&mut self, place: usize, mean: &Mean, weight: f64) -> Moments {
        let host = &self.plan.hosts[place];
        let cpu = mean.cpu_ms.times(slowdown(host));
        // A single job uses at most one core, and a fraction of a core slows it down.
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

    fn publish(&mut self, publish: &Publish, context: Context<'_>, weight: f64) -> Passed {
        let on = |ms| Passed { ms, alive: 1.0 };
        let call = publish.call;
        let component = &self.plan.components[call.component];
        let host = &self.plan.hosts[component.host];
        let Some(bus) = component.bus else {
            return Passed::ON;
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
        // A full batch shares one overhead, which is the maximum capacity of the bus.
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
        let consumed = publish.consume.map_or(Passed::ON, |call| {
            self.attributed(
                |walk| walk.once(call, context, weight * messages, None),
                |once| {
                    let failing = (messages * (1.0 - once.alive)).max(f64::MIN_POSITIVE);
                    (1.0 - once.alive.powf(messages)) / failing
                },
            )
        });
        self.background = outer;
        let connect_ms = bus.connect.as_secs_f64() * 1_000.0;
        if !publish.wait || messages == 0.0 {
            return on(connect_ms);
        }
        self.demands.exact &= messages <= 1.0 && bus.batch.max_items == 1;
        let wait_ms = if bus.batch.max_items as f64 > messages {
            bus.batch.wait.as_secs_f64() * 1_000.0
        } else {
            0.0
        };
        let in_batch = messages.min(bus.batch.max_items as f64);
        Passed {
            ms: connect_ms + wait_ms + overhead_ms + in_batch * service + taken + consumed.ms,
            alive: consumed.alive.powf(messages),
        }
    }

    /// Adds requests that fail here; background failures are not visible to clients.
    fn fail(&mut self, error_type: &str, status: u16, share: f64) {
        if !self.background {
            self.demands.failures.add(error_type, status, share);
        }
    }

    /// Walks, and scales the failures: of several failures in parallel or in sequence, the first or the
    /// last one is the request's.
    fn attributed<T>(
        &mut self,
        walk: impl FnOnce(&mut Self) -> T,
        factor: impl FnOnce(&T) -> f64,
    ) -> T {
        let before = std::mem::take(&mut self.demands.failures);
        let passed = walk(self);
        let found = std::mem::replace(&mut self.demands.failures, before);
        self.demands.failures.add_all(&found, factor(&passed));
        passed
    }

    /// Records whether a demand followed from a formula.
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
