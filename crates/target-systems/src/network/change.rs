//! Builds a system, and changes it at run time.

use std::sync::Arc;
use std::time::Duration;

use super::event::{Class, Resource, What};
use super::loaded::Loaded;
use super::machine::Domain;
use super::sharing::{Law, Sharing};
use super::store::Store;
use super::unit::Unit;
use super::{Network, nanos};
use crate::plan::{Component, Plan};

/// The reason why a plan does not replace the running one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The problems found by [`Plan::problems`].
    Problems(Vec<String>),
    /// A running system cannot change its hosts, components, pools and stores, or their placement; these
    /// differ.
    Reshaped(Vec<String>),
}

impl Network {
    pub(super) fn build(&mut self) {
        let loaded = self.loaded.clone();
        let plan = &loaded.plan;
        for host in &plan.hosts {
            self.domains.push(Domain::new(host, plan.ageing, self.now));
        }
        for component in &plan.components {
            let machines = self.domains[component.host].machines.len();
            self.units.push(Unit::new(component, machines));
            self.buffers.push(super::bus::Buffer::default());
        }
        self.pools.resize_with(plan.pools.len(), Default::default);
        for store in &plan.stores {
            let rules = loaded.rules(store);
            self.stores.push(Store::new(rules, store.populate));
        }
        for store in 0..self.stores.len() {
            self.stored(store);
        }
        for host in 0..self.domains.len() {
            for machine in 0..self.domains[host].machines.len() {
                self.press(host, machine as u32);
            }
            self.plan_autoscale(host);
        }
        self.plan_changes(plan);
        self.settle();
    }

    /// Applies another plan from now on; requests in flight keep the flows and demands of the plan under
    /// which they arrived. Returns the new revision.
    ///
    /// # Errors
    /// The plan has problems, or another shape.
    pub fn change(&mut self, now: Duration, plan: Plan) -> Result<u64, Refusal> {
        let problems = plan.problems();
        if !problems.is_empty() {
            return Err(Refusal::Problems(problems));
        }
        let differences = self.differences(&plan);
        if !differences.is_empty() {
            let told = differences.iter();
            let told = told.map(|(path, message)| format!("{path}: {message}"));
            return Err(Refusal::Reshaped(told.collect()));
        }
        self.input_at(now);
        self.plan_changes(&plan);
        // The change of its timeline that is active at this moment takes precedence over the plan itself.
        let mut held = plan.timeline.iter().rev();
        let held = held.find(|planned| nanos(planned.at) <= self.now);
        let held = held.map(|planned| Plan::clone(&planned.plan));
        self.obey(held.unwrap_or(plan));
        self.settle();
        Ok(self.revision)
    }

    fn differences(&self, plan: &Plan) -> Vec<(&'static str, String)> {
        differences(&self.loaded.plan, self.loaded.edge, plan)
    }

    /// Sets the external revision of the plan in force; further changes are counted from it.
    pub fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    /// Schedules future changes only; those in the past are ignored.
    fn plan_changes(&mut self, plan: &Plan) {
        self.timeline.clear();
        for planned in &plan.timeline {
            let at = nanos(planned.at);
            if at > self.now || (at == 0 && self.now == 0) {
                self.timeline.push((at, planned.plan.clone()));
                let place = (self.timeline.len() - 1) as u32;
                self.schedule(at, Class::Change, What::Planned { place });
            }
        }
    }

    pub(super) fn planned(&mut self, place: usize) {
        // An event of an earlier timeline has no plan for this moment.
        let Some((_, plan)) = self.timeline.get(place).filter(|one| one.0 == self.now) else {
            return;
        };
        let plan = Plan::clone(plan);
        if self.differences(&plan).is_empty() {
            self.obey(plan);
        }
    }

    fn obey(&mut self, plan: Plan) {
        let loaded = Loaded::new(plan);
        self.revision += 1;
        let before = std::mem::replace(&mut self.loaded, Arc::new(loaded));
        for host in 0..self.domains.len() {
            self.obey_host(host, &before);
        }
        for component in 0..self.units.len() {
            self.obey_component(component);
        }
        for store in 0..self.stores.len() {
            let rules = self.loaded.rules(&self.loaded.plan.stores[store]);
            self.stores[store].rules = rules;
        }
        for pool in 0..self.pools.len() {
            self.hand_out(pool);
        }
    }

    fn obey_host(&mut self, host: usize, before: &Loaded) {
        let loaded = self.loaded.clone();
        let rules = &loaded.plan.hosts[host];
        for place in 0..self.domains[host].machines.len() {
            let machine = place as u32;
            self.domains[host].machines[place].obey(rules, loaded.plan.ageing, self.now);
            for resource in [Resource::Cpu, Resource::Disk, Resource::Link] {
                self.expect(host, machine, resource);
            }
            self.press(host, machine);
        }
        if rules.instances != before.plan.hosts[host].instances {
            self.scale(host, rules.instances, rules.start);
        }
        self.domains[host].set_slowdown(rules);
        self.plan_autoscale(host);
    }

    fn obey_component(&mut self, component: usize) {
        let loaded = self.loaded.clone();
        let rules = loaded.component(component);
        for place in 0..self.units[component].posts.len() {
            self.obey_post(component, place, rules);
            self.dispatch(component, place as u32);
        }
    }

    fn obey_post(&mut self, component: usize, place: usize, rules: &Component) {
        let now = self.now;
        let post = &mut self.units[component].posts[place];
        match (&mut post.service, rules.usl_concurrency) {
            (Some(service), Some(usl)) => service.set_law(now, Law::Usl(usl)),
            // Visits in service time stay at the station, which serves each at full speed.
            (Some(service), None) => service.set_law(now, Law::Unlimited),
            (none, Some(usl)) => *none = Some(Sharing::new(Law::Usl(usl))),
            (None, None) => {}
        }
        let capacity = rules.cache.as_ref().map_or(0, |cache| cache.capacity);
        post.cache.shrink(capacity);
        self.recount_caches(rules.host, place as u32);
        self.expect_service(component, place as u32);
    }
}

/// The differences of a plan that a running system does not allow: a path, and the difference. Only the
/// first `components` of the running plan are its own.
pub(crate) fn differences(
    running: &Plan,
    components: usize,
    plan: &Plan,
) -> Vec<(&'static str, String)> {
    let own = &running.components[..components];
    let mut found = Vec::new();
    compare(
        "hosts",
        &running.hosts,
        &plan.hosts,
        |one| &one.name,
        &mut found,
    );
    compare(
        "components",
        own,
        &plan.components,
        |one| &one.name,
        &mut found,
    );
    compare(
        "pools",
        &running.pools,
        &plan.pools,
        |one| &one.name,
        &mut found,
    );
    compare(
        "stores",
        &running.stores,
        &plan.stores,
        |one| &one.name,
        &mut found,
    );
    if !found.is_empty() {
        return found;
    }
    for (one, next) in own.iter().zip(&plan.components) {
        if one.host != next.host {
            found.push((
                "components",
                format!("{} would run on another host", one.name),
            ));
        }
    }
    if running.edge.host != plan.edge.host {
        found.push(("edge", "would be on another host".to_owned()));
    }
    for (one, next) in running.stores.iter().zip(&plan.stores) {
        if one.host != next.host {
            found.push(("stores", format!("{} would be on another host", one.name)));
        }
    }
    found
}

fn compare<T>(
    path: &'static str,
    running: &[T],
    planned: &[T],
    name: impl Fn(&T) -> &Arc<str>,
    found: &mut Vec<(&'static str, String)>,
) {
    let is_in = |list: &[T], wanted: &T| list.iter().any(|one| name(one) == name(wanted));
    let before = found.len();
    let gone = running.iter().filter(|one| !is_in(planned, one));
    found.extend(gone.map(|one| (path, format!("{} would be gone", name(one)))));
    let new = planned.iter().filter(|one| !is_in(running, one));
    found.extend(new.map(|one| (path, format!("{} would be new", name(one)))));
    let same_order = running.iter().map(&name).eq(planned.iter().map(&name));
    if found.len() == before && !same_order {
        found.push((path, "would be in another order".to_owned()));
    }
}
