//! A plan prepared for running: data that is derived once.

use fault_profile::draw::{Draws, Purpose, Root};
use rand_distr::{Distribution, Zipf};

use super::bound;
use super::event::Nanos;
use super::nanos;
use super::store::Rules;
use crate::plan::{
    Balance, Call, Component, Demand, Operation, Plan, Popularity, Population, Queue, Store,
};

/// A plan in force. The edge follows the plan's own components as an additional one.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) plan: Plan,
    /// Index of the edge among the components.
    pub(super) edge: usize,
    /// Hash of the seed and the system's name.
    pub(super) root: Root,
    /// Hash of each operation's names.
    salts: Vec<Vec<u64>>,
    populations: Vec<Option<Keys>>,
    /// Endpoints whose work depends on the request.
    repeats: Vec<bool>,
}

/// The distribution of a cache's keys.
#[derive(Debug)]
enum Keys {
    Uniform(u64),
    Zipf(Zipf<f64>),
}

impl Loaded {
    pub(super) fn new(mut plan: Plan) -> Self {
        let edge = plan.components.len();
        plan.components.push(edge_component(&plan));
        let salt = |component: &Component, operation: &Operation| {
            let root = Root::new(0).text(&component.name).text(&operation.name);
            root.draws(Purpose::Visit).next_word()
        };
        let salts = |component: &Component| {
            let operations = component.operations.iter();
            operations.map(|one| salt(component, one)).collect()
        };
        let population = |component: &Component| {
            let population = component.cache.as_ref()?.population?;
            Some(Keys::new(population))
        };
        Self {
            edge,
            root: Root::new(plan.seed).text(&plan.system),
            salts: plan.components.iter().map(salts).collect(),
            populations: plan.components.iter().map(population).collect(),
            repeats: plan
                .endpoints
                .iter()
                .map(|endpoint| bound::repeats(&plan, &endpoint.flow))
                .collect(),
            plan,
        }
    }

    /// Whether the work of an endpoint's flow depends on the request, or is repeated at all.
    pub(super) fn repeats(&self, endpoint: usize) -> bool {
        self.repeats.get(endpoint).is_some_and(|repeats| *repeats)
    }

    pub(super) fn component(&self, place: usize) -> &Component {
        &self.plan.components[place]
    }

    pub(super) fn operation(&self, call: Call) -> &Operation {
        &self.plan.components[call.component].operations[call.operation]
    }

    pub(super) fn salt(&self, call: Call) -> u64 {
        self.salts[call.component][call.operation]
    }

    /// A random key of a component's population.
    pub(super) fn draw_key(&self, component: usize, draws: &mut Draws) -> u64 {
        match &self.populations[component] {
            Some(Keys::Uniform(keys)) => (draws.unit() * *keys as f64) as u64,
            Some(Keys::Zipf(zipf)) => zipf.sample(draws) as u64,
            None => 0,
        }
    }

    /// Whether a visit to this component counts as in flight in its host's memory: on the edge's host,
    /// requests are counted, but not their visits there.
    pub(super) fn counts_in_flight(&self, component: usize) -> bool {
        component == self.edge || self.component(component).host != self.plan.edge.host
    }

    pub(super) fn rules(&self, store: &Store) -> Rules {
        let ageing = self.plan.ageing;
        let aged = |time: Option<std::time::Duration>| {
            time.map(|time| (nanos(time) as f64 / ageing).round() as Nanos)
        };
        Rules {
            capacity: store.capacity,
            per_key: store.per_key.unwrap_or(usize::MAX).max(1),
            ttl: aged(store.ttl),
            retain_after_end: aged(store.retain_after_end),
            last_state: store.states.len().saturating_sub(1),
            at_capacity: store.at_capacity,
        }
    }
}

/// The first visit of every request: it uses the edge's CPU and link, and its hold is the flow.
fn edge_component(plan: &Plan) -> Component {
    let demand = Demand {
        cpu_ms: plan.edge.cpu_ms.clone(),
        network_kb: plan.edge.network_kb.clone(),
        ..Demand::default()
    };
    Component {
        kind: "edge".into(),
        balance: Balance::RoundRobin,
        queue: Queue::default(),
        operations: vec![Operation::new("edge", demand)],
        ..Component::new("edge", plan.edge.host)
    }
}

impl Keys {
    fn new(population: Population) -> Self {
        let keys = population.keys.max(1);
        match population.popularity {
            Popularity::Zipf(s) => match Zipf::new(keys as f64, s) {
                Ok(zipf) => Self::Zipf(zipf),
                Err(_) => Self::Uniform(keys),
            },
            Popularity::Uniform => Self::Uniform(keys),
        }
    }
}
