//! Random systems and inputs: all features of a plan, in every combination.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::draw::{Draws, Purpose, Root};
use fault_profile::rate_limit::{RateLimit, Scope};
use fault_profile::{Failure, Latency, Model, Profile, WeightedFailure};
use target_systems::network::{Arrival, Input, Key};
use target_systems::plan::*;

pub struct Chance(Draws);

const COMPONENTS: usize = 4;
const STORES: usize = 2;
const POOLS: usize = 2;
const ENDPOINTS: usize = 3;

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Root::new(seed).text("chance").draws(Purpose::Choice))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_word() % bound.max(1)
    }

    fn place(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn maybe<T>(&mut self, n: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(n).then(|| make(self))
    }

    fn number(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.0.unit()
    }

    fn time(&mut self, most_ms: u64) -> Duration {
        Duration::from_micros(self.below(most_ms * 1_000))
    }

    fn amount(&mut self, most: f64) -> Amount {
        let mean_ms = self.number(0.0, most);
        match self.below(4) {
            0 => Amount::constant(mean_ms),
            1 => Amount::constant(0.0),
            2 => Amount::new(Latency::Exponential { mean_ms }),
            _ => Amount::new(Latency::Uniform {
                min_ms: 0.0,
                max_ms: mean_ms,
            }),
        }
    }

    fn demand(&mut self) -> Demand {
        Demand {
            service_ms: self.maybe(2, |one| one.amount(20.0)),
            cpu_ms: self.maybe(2, |one| one.amount(5.0)),
            disk_ops: self.maybe(4, |one| one.amount(2.0)),
            disk_kb: self.maybe(6, |one| one.amount(50.0)),
            network_kb: self.maybe(4, |one| one.amount(50.0)),
            allocate_kb: self.maybe(3, |one| one.amount(2_000.0)),
        }
    }

    fn path(&mut self) -> Path {
        let root = match self.below(5) {
            0 => PathRoot::Query,
            1 => PathRoot::State,
            2 => PathRoot::Item,
            _ => PathRoot::Body,
        };
        let names = ["list", "n", "id", "word", "edges"];
        Path {
            root,
            names: vec![names[self.place(names.len())].into()],
        }
    }

    fn expression(&mut self, most: f64) -> Expression {
        match self.below(8) {
            0 => Expression::Field(self.path()),
            1 => Expression::Len(self.path()),
            2 => Expression::Kb(self.path()),
            3 => Expression::Log2(Box::new(Expression::Rows(self.place(STORES)))),
            _ => Expression::Number(self.number(0.0, most)),
        }
    }

    fn host(&mut self, name: &str) -> Host {
        Host {
            instances: 1 + self.place(3),
            cpu_cores: self.maybe(2, |one| one.number(0.05, 4.0)),
            disk_iops: self.maybe(2, |one| one.number(50.0, 5_000.0)),
            disk_mb_per_s: self.maybe(3, |one| one.number(1.0, 100.0)),
            disk_mb: self.maybe(4, |one| one.number(0.1, 10.0)),
            network_mbit_per_s: self.maybe(2, |one| one.number(1.0, 500.0)),
            memory_mb: self.maybe(2, |one| one.number(50.0, 500.0)),
            base_mb: self.number(0.0, 60.0),
            in_flight_mb: self.number(0.0, 3.0),
            garbage: self.maybe(2, |one| Garbage {
                collect_at: one.number(0.2, 1.0),
                pause: one.time(30),
            }),
            leak: self.maybe(3, |one| Leak {
                kb_per_request: one.number(0.0, 500.0),
                kb_per_s: one.number(0.0, 500.0),
            }),
            crash: Crash {
                restart: self.time(3_000),
                detect: self.time(500),
                in_flight: if self.one_in(2) {
                    CrashAnswer::Status(502)
                } else {
                    CrashAnswer::Close
                },
            },
            autoscale: self.maybe(4, |one| Autoscale {
                min: 1,
                max: 1 + one.place(4),
                target_cpu: one.number(0.2, 1.0),
                every: one.time(500) + Duration::from_millis(50),
                start: one.time(300),
            }),
            usl_instances: self.maybe(3, Self::usl),
            start: self.time(200),
            ..Host::unlimited(name)
        }
    }

    fn usl(&mut self) -> Usl {
        Usl {
            sigma: self.number(0.0, 0.3),
            kappa: self.number(0.0, 0.01),
        }
    }

    fn component(&mut self, place: usize) -> Component {
        let name = format!("component-{place}");
        let operations = (0..2).map(|_| Operation {
            per: self
                .maybe(3, |one| {
                    vec![Per {
                        of: one.expression(5.0),
                        demand: one.demand(),
                    }]
                })
                .unwrap_or_default(),
            factor: self.maybe(4, |one| Factor {
                by: one.path(),
                cases: [("high".to_owned(), 2.0)].into(),
                otherwise: 0.5,
            }),
            ..Operation::new("run", self.demand())
        });
        let operations = operations.collect();
        Component {
            slots: self.maybe(2, |one| 1 + one.place(8)),
            queue: Queue {
                capacity: self.place(30),
                discipline: if self.one_in(3) {
                    Discipline::Lifo
                } else {
                    Discipline::Fifo
                },
                patience: self.maybe(2, |one| one.time(100)),
                overflow: Overflow::Reject(503),
            },
            balance: match self.below(4) {
                0 => Balance::RoundRobin,
                1 => Balance::Random,
                2 => Balance::LeastInFlight,
                _ => Balance::SharedQueue,
            },
            usl_concurrency: self.maybe(3, Self::usl),
            operations,
            faults: self.maybe(4, |one| one.faults(&name)),
            // The first is a cache, the second a bus, the third a hub.
            cache: (place == 0).then(|| Cache {
                population: Some(Population {
                    keys: 1 + self.below(200),
                    popularity: if self.one_in(2) {
                        Popularity::Uniform
                    } else {
                        Popularity::Zipf(self.number(0.0, 2.0))
                    },
                }),
                capacity: self.place(150),
                ttl: self.maybe(2, |one| one.time(2_000)),
                entry_kb: self.number(0.0, 500.0),
            }),
            bus: (place == 1).then(|| Bus {
                batch: Batch {
                    max_items: 1 + self.place(8),
                    wait: self.time(20),
                    overhead: self.time(3),
                },
                compress: self.maybe(2, |one| Compression {
                    ratio: one.number(0.1, 1.0),
                    cpu_ms_per_kb: one.number(0.0, 0.1),
                }),
                connect: self.time(3),
            }),
            hub: (place == 2).then(|| Hub {
                max_connections: self.place(20),
                per_connection_kb: self.number(0.0, 100.0),
            }),
            ..Component::new(&name, self.place(3))
        }
    }

    fn faults(&mut self, name: &str) -> Arc<Model> {
        let failures = vec![
            WeightedFailure {
                weight: 3.0,
                kind: Failure::Status {
                    code: 503,
                    retry_after_s: Some(1),
                    message: None,
                    body_code: None,
                },
            },
            WeightedFailure {
                weight: 1.0,
                kind: Failure::Timeout { after_ms: 80.0 },
            },
        ];
        let profile = Profile {
            success_rate: self.number(0.5, 1.0),
            latency: Latency::Constant {
                ms: self.number(0.0, 3.0),
            },
            failures,
            ..Profile::default()
        };
        Arc::new(Model::new(&profile, name).expect("a valid profile"))
    }

    fn store(&mut self, place: usize) -> Store {
        Store {
            name: format!("store-{place}").into(),
            host: self.maybe(2, |one| one.place(3)),
            capacity: self.place(60),
            ttl: self.maybe(2, |one| one.time(2_000)),
            retain_after_end: self.maybe(2, |one| one.time(300)),
            per_key: self.maybe(2, |one| 1 + one.place(3)),
            per_entry_kb: self.number(0.0, 200.0),
            states: ["queued", "running", "completed"].map(Arc::from).into(),
            populate: self.place(20),
            at_capacity: if self.one_in(2) {
                AtCapacity::Refuse
            } else {
                AtCapacity::Evict
            },
        }
    }

    pub fn plan(&mut self, seed: u64) -> Plan {
        let mut plan = Plan::new("chance", seed);
        plan.hosts = (0..3).map(|n| self.host(&format!("host-{n}"))).collect();
        plan.components = (0..COMPONENTS).map(|n| self.component(n)).collect();
        plan.pools = (0..POOLS)
            .map(|n| Pool {
                name: format!("pool-{n}").into(),
                size: 1 + self.place(6),
                wait: self.maybe(2, |one| one.time(50)),
            })
            .collect();
        plan.stores = (0..STORES).map(|n| self.store(n)).collect();
        plan.edge = Edge {
            host: 0,
            max_in_flight: 1 + self.place(80),
            deadline: self.maybe(2, |one| one.time(400)),
            cpu_ms: self.maybe(2, |one| one.amount(2.0)),
            network_kb: self.maybe(2, |one| one.amount(10.0)),
            rate_limit: self.maybe(4, |one| RateLimit {
                rate_per_s: one.number(10.0, 1_000.0),
                burst: 1 + one.place(20) as u32,
                scope: if one.one_in(2) {
                    Scope::Detector
                } else {
                    Scope::Tenant
                },
            }),
        };
        plan.endpoints = (0..ENDPOINTS)
            .map(|n| Endpoint {
                name: format!("endpoint-{n}").into(),
                status: 200,
                flow: self.block(3),
            })
            .collect();
        plan.ageing = self.number(0.5, 20.0);
        plan
    }

    fn block(&mut self, depth: u64) -> Block {
        let steps = self.below(3) + u64::from(depth == 3);
        (0..steps).map(|_| self.step(depth)).collect()
    }

    fn inner(&mut self, depth: u64) -> Block {
        if depth == 0 {
            Arc::new([])
        } else {
            self.block(depth - 1)
        }
    }

    fn call(&mut self) -> Call {
        Call {
            component: self.place(COMPONENTS),
            operation: self.place(2),
        }
    }

    fn step(&mut self, depth: u64) -> Step {
        match self.below(14) {
            0 => Step::Parallel((0..self.place(4)).map(|_| self.inner(depth)).collect()),
            1 => Step::Cached(Cached {
                call: Call {
                    component: 0,
                    operation: 0,
                },
                key: match self.below(3) {
                    0 => CacheKey::Field(self.path()),
                    1 => CacheKey::Number(self.expression(9.0)),
                    _ => CacheKey::Population,
                },
                miss: self.inner(depth),
            }),
            // No step acquires a connection of a pool inside that pool: the outer one of a nest has 0.
            2 => Step::Using(Using {
                pool: usize::from(depth < 3),
                block: self.visits_from(0, depth),
            }),
            3 => Step::Publish(Publish {
                call: Call {
                    component: 1,
                    operation: 0,
                },
                messages: self.expression(6.0),
                consume: self.maybe(2, Self::call),
                wait: self.one_in(2),
            }),
            4 => Step::Either(
                (0..2)
                    .map(|_| Share {
                        share: self.number(0.0, 0.5),
                        block: self.inner(depth),
                    })
                    .collect(),
            ),
            5 => Step::When(Case {
                value: self.path(),
                is: [("high".to_owned(), self.inner(depth))].into(),
                otherwise: self.inner(depth),
            }),
            6 => Step::Each(Each {
                list: self.path(),
                order: match self.below(3) {
                    0 => Order::Sequence,
                    1 => Order::AtOnce,
                    _ => Order::Graph(self.path()),
                },
                block: self.inner(depth),
            }),
            7 | 8 => self.state(),
            9 => Step::Later(Later {
                store: self.place(STORES),
                id: "job".into(),
                workers: self.place(COMPONENTS),
                block: self.inner(depth),
                wait: self.maybe(2, Self::path),
            }),
            10 if self.one_in(4) => Step::Fail(Failure_ {
                status: 418,
                error_type: "teapot".into(),
            }),
            _ => self.visit(depth),
        }
    }

    /// Visits that may be inside a hold of a slot of a component before `first`, or of a connection. Each
    /// holds its slot only for later components: slots never wait for each other in a cycle, as the check
    /// of documents requires.
    fn visits_from(&mut self, first: usize, depth: u64) -> Block {
        if first >= COMPONENTS {
            return Arc::new([]);
        }
        (0..self.below(3))
            .map(|_| {
                let component = first + self.place(COMPONENTS - first);
                let mut visit = Visit::once(component, self.place(2));
                if depth > 0 && self.one_in(3) {
                    visit.hold = self.visits_from(component + 1, depth - 1);
                }
                Step::Visit(visit)
            })
            .collect()
    }

    fn visit(&mut self, depth: u64) -> Step {
        let call = self.call();
        Step::Visit(Visit {
            call,
            times: self.expression(4.0),
            hold: if self.one_in(3) {
                self.visits_from(call.component + 1, depth)
            } else {
                Arc::new([])
            },
            timeout: self.maybe(3, |one| one.time(60)),
            retries: self.below(3) as u32,
            on_error: if self.one_in(2) {
                OnError::Fail
            } else {
                OnError::Continue
            },
        })
    }

    fn state(&mut self) -> Step {
        let action = match self.below(6) {
            0 | 1 => StateAction::Create {
                state: self.place(3),
                keep: vec![("n".into(), self.path())],
            },
            2 => StateAction::Append,
            3 => StateAction::Advance {
                state: self.place(3),
            },
            4 => StateAction::Read,
            _ => StateAction::Remove,
        };
        let id = match (&action, self.below(3)) {
            (StateAction::Create { .. }, 0) => Identity::Drawn("id".into()),
            (_, 1) => Identity::Current,
            _ => Identity::Given(self.path()),
        };
        Step::State(StateStep {
            store: self.place(STORES),
            id,
            action,
        })
    }

    pub fn arrival(&mut self, number: u64) -> Arrival {
        let tenants = ["", "a", "b"];
        let key = match self.below(3) {
            0 => Key::Named(format!("request-{}", self.below(50)).into()),
            _ => Key::Index(number),
        };
        let node = |id: u64| Value::map([("id", Value::from(id as f64)), ("n", Value::from(2.0))]);
        let list: Vec<Value> = (0..self.below(5)).map(node).collect();
        let edge = |from: u64, to: u64| {
            let (from, to) = (Value::from(from as f64), Value::from(to as f64));
            Value::map([("from", from), ("to", to)])
        };
        let edges: Vec<Value> = (0..self.below(4))
            .map(|_| edge(self.below(5), self.below(5)))
            .collect();
        let words = ["high", "low", ""];
        let body = Value::map([
            ("list", Value::from(list)),
            ("edges", Value::from(edges)),
            ("n", Value::from(self.number(-1.0, 4.0))),
            ("id", Value::from(self.below(12) as f64)),
            ("word", Value::from(words[self.place(3)])),
        ]);
        Arrival {
            endpoint: self.place(ENDPOINTS + 1).min(ENDPOINTS),
            tenant: tenants[self.place(3)].into(),
            key,
            attempt: 1 + self.below(2) as u32,
            index: number,
            bytes: self.below(5_000),
            input: Value::map([("body", body)]),
        }
    }

    /// An external input, and the time since the previous one.
    pub fn input(&mut self, number: u64, seed: u64) -> (Duration, Input) {
        let gap = match self.below(50) {
            0 => self.time(1_000),
            1..=5 => Duration::ZERO,
            _ => self.time(4),
        };
        let input = match self.below(400) {
            0 => Input::Crash {
                host: self.place(4),
                instance: self.place(4),
            },
            1 => Input::Change(Box::new(self.reshaped(seed))),
            2 | 3 => Input::Populate {
                store: self.place(3),
                rows: self.place(30),
            },
            4..=20 => Input::Open {
                component: self.place(COMPONENTS),
            },
            _ => Input::Arrive(self.arrival(number)),
        };
        (gap, input)
    }

    /// Another plan with the same structure as that of this seed.
    fn reshaped(&mut self, seed: u64) -> Plan {
        let shape = Chance::new(seed).plan(seed);
        let mut plan = self.plan(seed);
        for (component, old) in plan.components.iter_mut().zip(&shape.components) {
            component.host = old.host;
        }
        for (store, old) in plan.stores.iter_mut().zip(&shape.stores) {
            store.host = old.host;
        }
        plan
    }
}

use target_systems::plan::Failure as Failure_;
