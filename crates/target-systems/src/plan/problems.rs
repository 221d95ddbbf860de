//! Checks whether a plan's references are consistent.

use super::{Block, CacheKey, Call, Expression, Identity, Plan, StateAction, StateStep, Step};

impl Plan {
    /// Dangling references and meaningless numbers; empty for every plan that is compiled from a checked
    /// document. The network rejects other plans.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Problems {
            plan: self,
            found: Vec::new(),
            at: String::new(),
        };
        problems.system();
        problems.found
    }
}

struct Problems<'a> {
    plan: &'a Plan,
    found: Vec<String>,
    at: String,
}

impl Problems<'_> {
    fn say(&mut self, wrong: bool, text: impl FnOnce() -> String) {
        if wrong {
            self.found.push(format!("{}: {}", self.at, text()));
        }
    }

    fn system(&mut self) {
        let plan = self.plan;
        self.at = "edge".into();
        self.host(plan.edge.host);
        self.say(!(plan.ageing > 0.0 && plan.ageing.is_finite()), || {
            format!("ageing {} is not above 0", plan.ageing)
        });
        for host in &plan.hosts {
            self.at = format!("hosts.{}", host.name);
            self.say(host.instances == 0, || "needs an instance".into());
            for (name, limit) in [
                ("cpu_cores", host.cpu_cores),
                ("disk_iops", host.disk_iops),
                ("disk_mb_per_s", host.disk_mb_per_s),
                ("network_mbit_per_s", host.network_mbit_per_s),
            ] {
                let wrong = limit.is_some_and(|limit| !(limit > 0.0 && limit.is_finite()));
                self.say(wrong, || format!("{name} is not above 0"));
            }
            let wrong = host.autoscale.is_some_and(|scale| {
                scale.every.is_zero() || scale.min == 0 || scale.max < scale.min
            });
            self.say(wrong, || {
                "autoscale needs a period and 1 ≤ min ≤ max".into()
            });
        }
        for component in &plan.components {
            self.at = format!("components.{}", component.name);
            self.host(component.host);
            self.say(component.slots == Some(0), || "needs a slot".into());
            for per in component.operations.iter().flat_map(|one| &one.per) {
                self.expression(&per.of);
            }
        }
        for store in &plan.stores {
            self.at = format!("stores.{}", store.name);
            store.host.into_iter().for_each(|host| self.host(host));
        }
        for endpoint in &plan.endpoints {
            self.at = format!("endpoints.{}", endpoint.name);
            self.block(&endpoint.flow);
        }
        for planned in &plan.timeline {
            let found = planned.plan.problems();
            self.found
                .extend(found.into_iter().map(|text| format!("timeline: {text}")));
        }
    }

    fn host(&mut self, host: usize) {
        self.say(host >= self.plan.hosts.len(), || format!("no host {host}"));
    }

    fn call(&mut self, call: Call) {
        let operations = self
            .plan
            .components
            .get(call.component)
            .map_or(0, |component| component.operations.len());
        self.say(call.operation >= operations, || format!("no call {call:?}"));
    }

    fn store(&mut self, store: usize) {
        self.say(store >= self.plan.stores.len(), || {
            format!("no store {store}")
        });
    }

    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Rows(store) => self.store(*store),
            Expression::Log2(inner) => self.expression(inner),
            Expression::Number(number) => {
                self.say(!(*number >= 0.0 && number.is_finite()), || {
                    format!("{number} is not a count")
                });
            }
            Expression::Field(_) | Expression::Len(_) | Expression::Kb(_) => {}
        }
    }

    fn block(&mut self, block: &Block) {
        block.iter().for_each(|step| self.step(step));
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Visit(visit) => {
                self.call(visit.call);
                self.expression(&visit.times);
                self.block(&visit.hold);
            }
            Step::Parallel(branches) => branches.iter().for_each(|branch| self.block(branch)),
            Step::Cached(cached) => {
                self.call(cached.call);
                let component = self.plan.components.get(cached.call.component);
                let cache = component.and_then(|component| component.cache.as_ref());
                self.say(cache.is_none(), || "cached: no cache".into());
                if matches!(cached.key, CacheKey::Population) {
                    let drawn = cache.and_then(|cache| cache.population);
                    self.say(drawn.is_none_or(|one| one.keys == 0), || {
                        "cached: no population".into()
                    });
                }
                if let CacheKey::Number(number) = &cached.key {
                    self.expression(number);
                }
                self.block(&cached.miss);
            }
            Step::Using(using) => {
                self.say(using.pool >= self.plan.pools.len(), || {
                    format!("no pool {}", using.pool)
                });
                self.block(&using.block);
            }
            Step::Publish(publish) => {
                self.call(publish.call);
                publish.consume.into_iter().for_each(|call| self.call(call));
                self.expression(&publish.messages);
                let component = self.plan.components.get(publish.call.component);
                let bus = component.and_then(|component| component.bus);
                self.say(bus.is_none_or(|bus| bus.batch.max_items == 0), || {
                    "publish: no bus".into()
                });
            }
            Step::Either(shares) => shares.iter().for_each(|share| self.block(&share.block)),
            Step::When(case) => {
                case.is.values().for_each(|block| self.block(block));
                self.block(&case.otherwise);
            }
            Step::Each(each) => self.block(&each.block),
            Step::State(state) => self.state(state),
            Step::Later(later) => {
                self.store(later.store);
                self.say(later.workers >= self.plan.components.len(), || {
                    format!("no component {}", later.workers)
                });
                self.block(&later.block);
            }
            Step::Fail(_) => {}
        }
    }

    fn state(&mut self, step: &StateStep) {
        self.store(step.store);
        let states = self
            .plan
            .stores
            .get(step.store)
            .map_or(0, |s| s.states.len());
        let (StateAction::Create { state, .. } | StateAction::Advance { state }) = step.action
        else {
            let drawn = matches!(step.id, Identity::Drawn(_));
            return self.say(drawn, || {
                "a drawn id is valid only for created entries".into()
            });
        };
        self.say(state >= states.max(1), || format!("no state {state}"));
    }
}
