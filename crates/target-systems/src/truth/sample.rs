//! Random requests without queueing: for parallel branches, whose mean has no simple form, and for
//! percentiles.

use fault_profile::draw::{Draws, Purpose, Root};

use super::context::Context;
use super::demand::Hits;
use super::failure::Injected;
use super::mean::slowdown;
use crate::network::work_refused;
use crate::plan::{Block, CacheKey, Call, Demand, OnError, Order, Plan, Step, Visit};

/// Number of draws of a step to determine its mean.
const MEAN_DRAWS: u32 = 4_000;

/// The mean time of a step without queueing, in ms; the draws have a fixed seed.
pub(super) fn mean_of_step(plan: &Plan, hits: &Hits, step: &Step, context: Context<'_>) -> f64 {
    let mut request = Request::new(plan, hits, 0);
    let total: f64 = (0..MEAN_DRAWS)
        .map(|_| request.step(step, context).ms)
        .sum();
    total / f64::from(MEAN_DRAWS)
}

/// One random request of a flow without queueing.
pub(super) struct Request<'a> {
    plan: &'a Plan,
    hits: &'a Hits,
    draws: Draws,
}

/// The outcome of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    pub ms: f64,
    pub alive: bool,
}

impl Drawn {
    const ON: Self = Self {
        ms: 0.0,
        alive: true,
    };

    fn then(self, next: Self) -> Self {
        Self {
            ms: self.ms + next.ms,
            alive: self.alive && next.alive,
        }
    }
}

impl<'a> Request<'a> {
    pub fn new(plan: &'a Plan, hits: &'a Hits, number: u64) -> Self {
        let root = Root::new(plan.seed).text("truth").word(number);
        Self {
            plan,
            hits,
            draws: root.draws(Purpose::Service),
        }
    }

    pub fn endpoint(&mut self, endpoint: usize, context: Context<'_>) -> Drawn {
        if work_refused(self.plan, endpoint, context.input).is_some() {
            return Drawn {
                ms: 0.0,
                alive: false,
            };
        }
        let edge = &self.plan.edge;
        let demand = Demand {
            cpu_ms: edge.cpu_ms.clone(),
            network_kb: edge.network_kb.clone(),
            ..Demand::default()
        };
        let own = self.demand(edge.host, &demand);
        let flow = self.plan.endpoints[endpoint].flow.clone();
        let drawn = self.block(&flow, context);
        Drawn {
            ms: own + drawn.ms,
            alive: drawn.alive,
        }
    }

    fn block(&mut self, block: &Block, context: Context<'_>) -> Drawn {
        let mut ms = 0.0;
        for step in block.iter() {
            let drawn = self.step(step, context);
            ms += drawn.ms;
            if !drawn.alive {
                return Drawn { ms, alive: false };
            }
        }
        Drawn { ms, alive: true }
    }

    fn step(&mut self, step: &Step, context: Context<'_>) -> Drawn {
        let goes_on = |ms| Drawn { ms, alive: true };
        match step {
            Step::Visit(visit) => self.visits(visit, context),
            Step::Parallel(branches) => {
                let branches: Vec<Drawn> = branches
                    .iter()
                    .map(|branch| self.block(branch, context))
                    .collect();
                longest(&branches)
            }
            Step::Cached(cached) => {
                let component = cached.call.component;
                let ratio = match &cached.key {
                    CacheKey::Population => self.hits.population[component],
                    CacheKey::Number(_) => self.hits.single[component],
                    CacheKey::Field(_) => 0.0,
                };
                let own = self.visit(cached.call, context);
                if !own.alive || self.draws.unit() < ratio {
                    return own;
                }
                own.then(self.block(&cached.miss, context))
            }
            Step::Using(using) => self.block(&using.block, context),
            Step::Publish(publish) => {
                let component = &self.plan.components[publish.call.component];
                let Some(bus) = component.bus else {
                    return goes_on(0.0);
                };
                let connect_ms = bus.connect.as_secs_f64() * 1_000.0;
                if !publish.wait {
                    return goes_on(connect_ms);
                }
                let wait_ms = (bus.batch.wait + bus.batch.overhead).as_secs_f64() * 1_000.0;
                goes_on(connect_ms + wait_ms + self.work(publish.call, context))
            }
            Step::Either(shares) => {
                let mut left = self.draws.unit();
                for share in shares {
                    if left < share.share {
                        return self.block(&share.block, context);
                    }
                    left -= share.share;
                }
                goes_on(0.0)
            }
            Step::When(case) => {
                let text = context.value(&case.value).text();
                let block = text.and_then(|text| case.is.get(text.as_ref()));
                self.block(block.unwrap_or(&case.otherwise), context)
            }
            Step::Each(each) => {
                let mut drawn = Vec::new();
                for item in &context.items(&each.list) {
                    drawn.push(self.block(&each.block, Context { item, ..context }));
                }
                match &each.order {
                    Order::Sequence => Drawn {
                        ms: drawn.iter().map(|one| one.ms).sum(),
                        alive: drawn.iter().all(|one| one.alive),
                    },
                    Order::AtOnce => longest(&drawn),
                    Order::Graph(edges) => {
                        let items = context.items(&each.list);
                        let edges = context.items(edges);
                        Drawn {
                            ms: longest_way(&items, &edges, &drawn),
                            alive: drawn.iter().all(|one| one.alive),
                        }
                    }
                }
            }
            Step::Later(_) | Step::State(_) => goes_on(0.0),
            Step::Fail(_) => Drawn {
                ms: 0.0,
                alive: false,
            },
        }
    }

    /// Sequential visits, each with its attempts.
    fn visits(&mut self, visit: &Visit, context: Context<'_>) -> Drawn {
        let times = context.times(self.plan, &visit.times) as u32;
        let mut all = Drawn::ON;
        for _ in 0..times {
            for attempt in 0..=visit.retries {
                let mut drawn = self.visit(visit.call, context);
                if drawn.alive {
                    drawn = drawn.then(self.block(&visit.hold, context));
                }
                all.ms += drawn.ms;
                if drawn.alive || visit.on_error == OnError::Continue && attempt == visit.retries {
                    break;
                }
                if attempt == visit.retries {
                    return Drawn {
                        alive: false,
                        ..all
                    };
                }
            }
        }
        all
    }

    /// One visit, with the faults of its component.
    fn visit(&mut self, call: Call, context: Context<'_>) -> Drawn {
        let ms = self.work(call, context);
        let component = &self.plan.components[call.component];
        let Some(injected) = Injected::of(component) else {
            return Drawn { ms, alive: true };
        };
        let slow = slowdown(&self.plan.hosts[component.host]);
        let (injected_ms, alive) = injected.draw(&mut self.draws, ms / slow);
        Drawn {
            ms: injected_ms * slow,
            alive,
        }
    }

    fn work(&mut self, call: Call, context: Context<'_>) -> f64 {
        let component = &self.plan.components[call.component];
        let operation = &component.operations[call.operation];
        let factor = operation
            .factor
            .as_ref()
            .map_or(1.0, |factor| factor.of(context.value(&factor.by)));
        let mut ms = self.scaled(component.host, &operation.demand, 1.0, factor);
        for per in &operation.per {
            let times = context.number(self.plan, &per.of);
            ms += self.scaled(component.host, &per.demand, times, factor);
        }
        ms
    }

    fn demand(&mut self, host: usize, demand: &Demand) -> f64 {
        self.scaled(host, demand, 1.0, 1.0)
    }

    fn scaled(&mut self, host: usize, demand: &Demand, times: f64, factor: f64) -> f64 {
        let host = &self.plan.hosts[host];
        let mut draw = |amount: &Option<crate::plan::Amount>| {
            amount
                .as_ref()
                .map_or(0.0, |amount| amount.draw(&mut self.draws))
        };
        let slow = slowdown(host) * factor;
        let alone = host.cpu_cores.map_or(1.0, |cores| (1.0 / cores).max(1.0));
        let service = draw(&demand.service_ms) * slow;
        let cpu = draw(&demand.cpu_ms) * slow * alone;
        let disk = draw(&demand.disk_ops) * host.disk_iops.map_or(0.0, |iops| 1_000.0 / iops)
            + draw(&demand.disk_kb) * host.disk_mb_per_s.map_or(0.0, |rate| 1.0 / rate);
        let network =
            draw(&demand.network_kb) * host.network_mbit_per_s.map_or(0.0, |rate| 8.0 / rate);
        times * (service + cpu + disk + network)
    }
}

fn longest(branches: &[Drawn]) -> Drawn {
    Drawn {
        ms: branches.iter().map(|one| one.ms).fold(0.0, f64::max),
        alive: branches.iter().all(|one| one.alive),
    }
}

/// Items connected by edges: an item begins in the wave after all of its predecessors, and a wave ends with
/// its longest item.
fn longest_way(items: &[crate::plan::Value], edges: &[crate::plan::Value], drawn: &[Drawn]) -> f64 {
    let id = |value: &crate::plan::Value| value.text().map(std::borrow::Cow::into_owned);
    let ids: Vec<Option<String>> = items.iter().map(|item| id(item.get("id"))).collect();
    let place = |name: Option<String>| {
        name.and_then(|name| ids.iter().position(|id| id.as_ref() == Some(&name)))
    };
    let edges: Vec<(usize, usize)> = edges
        .iter()
        .filter_map(|edge| Some((place(id(edge.get("from")))?, place(id(edge.get("to")))?)))
        .collect();
    let mut wave = vec![0usize; items.len()];
    for _ in 0..items.len() {
        for (from, to) in &edges {
            wave[*to] = wave[*to].max((wave[*from] + 1).min(items.len()));
        }
    }
    (0..=items.len())
        .map(|number| {
            let of_wave = drawn.iter().zip(&wave).filter(|(_, wave)| **wave == number);
            of_wave.map(|(one, _)| one.ms).fold(0.0, f64::max)
        })
        .sum()
}
