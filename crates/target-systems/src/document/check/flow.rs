//! Checks of flows: references, shares, and bounds of their cost.

use std::collections::BTreeSet;

use super::super::flow::call;
use super::super::{
    CacheKey, Cached, Choice, Document, Each, Endpoint, Expression, Flow, Kind, Later, Place,
    Publish, Source, State, Step, Switch, Visit, When,
};
use super::endpoint::{bound_of, parameters};
use super::report::Report;

/// Maximum nesting depth of steps.
const MAX_DEPTH: usize = 32;
/// Maximum number of visits, messages and items of a single step.
const MOST_TIMES: f64 = 10_000.0;
/// Maximum number of attempts of a visit, without the first.
const MOST_RETRIES: u64 = 100;
/// Tolerance of sums of shares.
const ROUNDING: f64 = 1e-9;

pub(super) fn check(document: &Document, report: &mut Report) {
    for (name, endpoint) in &document.endpoints {
        let parameters = parameters(&endpoint.route);
        let mut walk = Walk {
            document,
            endpoint,
            parameters,
            report,
            stores: BTreeSet::new(),
            in_each: false,
        };
        walk.flow(&format!("endpoints.{name}.flow"), &endpoint.flow, 0);
    }
}

/// An expression outside a flow: its store has to exist.
pub(super) fn expression(
    document: &Document,
    path: &str,
    expression: &Expression,
    report: &mut Report,
) {
    if let Expression::Number(number) = expression
        && (!number.is_finite() || *number < 0.0)
    {
        report.add(path, format!("{number} must be 0 or more"));
    }
    if let Some(store) = expression.store() {
        report.known(path, "store", store, document.stores.keys());
    }
}

/// The operation that `component.operation` denotes; for a component alone, its first one.
pub(super) fn visited(
    document: &Document,
    path: &str,
    at: &str,
    report: &mut Report,
) -> Option<Kind> {
    let Some((component, operation)) = call(at) else {
        report.add(
            path,
            format!("`{at}` is not component.operation, such as database.read"),
        );
        return None;
    };
    if !report.known(path, "component", component, document.components.keys()) {
        return None;
    }
    let component = &document.components[component];
    report.known(path, "operation", operation, component.operations.keys());
    Some(component.kind)
}

struct Walk<'a> {
    document: &'a Document,
    endpoint: &'a Endpoint,
    parameters: Vec<&'a str>,
    report: &'a mut Report,
    /// Stores that this flow has used so far.
    stores: BTreeSet<&'a str>,
    in_each: bool,
}

impl<'a> Walk<'a> {
    fn flow(&mut self, path: &str, flow: &'a Flow, depth: usize) {
        if depth > MAX_DEPTH {
            return self
                .report
                .add(path, format!("is nested more than {MAX_DEPTH} deep"));
        }
        for (index, step) in flow.iter().enumerate() {
            self.step(&format!("{path}[{index}]"), step, depth + 1);
        }
    }

    fn step(&mut self, path: &str, step: &'a Step, depth: usize) {
        match step {
            Step::Visit(visit) => self.visit(&format!("{path}.visit"), visit, depth),
            Step::Parallel(parallel) => {
                let path = format!("{path}.parallel");
                self.switch(&format!("{path}.enabled"), &parallel.enabled);
                self.not_empty(
                    &format!("{path}.branches"),
                    parallel.branches.len(),
                    "branch",
                );
                for (index, branch) in parallel.branches.iter().enumerate() {
                    self.flow(&format!("{path}.branches[{index}]"), branch, depth);
                }
            }
            Step::Cached(cached) => self.cached(&format!("{path}.cached"), cached, depth),
            Step::Using(using) => {
                let path = format!("{path}.using");
                self.report.known(
                    &format!("{path}.pool"),
                    "pool",
                    &using.pool,
                    self.document.pools.keys(),
                );
                self.not_empty(&format!("{path}.do"), using.steps.len(), "step");
                self.flow(&format!("{path}.do"), &using.steps, depth);
            }
            Step::Publish(publish) => self.publish(&format!("{path}.publish"), publish),
            Step::Either(choices) => self.either(path, choices, depth),
            Step::When(when) => self.when(&format!("{path}.when"), when, depth),
            Step::Each(each) => self.each(&format!("{path}.each"), each, depth),
            Step::If(one) => {
                let path = format!("{path}.if");
                self.switch(&format!("{path}.enabled"), &one.enabled);
                let steps = one.steps.len() + one.otherwise.len();
                self.not_empty(&path, steps, "step in `do` or `otherwise`");
                self.flow(&format!("{path}.do"), &one.steps, depth);
                self.flow(&format!("{path}.otherwise"), &one.otherwise, depth);
            }
            Step::State(state) => self.state(&format!("{path}.state"), state),
            Step::Later(later) => self.later(&format!("{path}.later"), later, depth),
            Step::Fail(fail) => {
                self.report
                    .failure_status(&format!("{path}.fail.status"), fail.status);
                self.report
                    .name(&format!("{path}.fail.error_type"), &fail.error_type);
            }
        }
    }

    fn visit(&mut self, path: &str, visit: &'a Visit, depth: usize) {
        visited(self.document, path, &visit.at, self.report);
        self.times(&format!("{path}.times"), &visit.times);
        if let Some(timeout_ms) = visit.timeout_ms {
            self.report.ms(&format!("{path}.timeout_ms"), timeout_ms);
        }
        self.report.count(
            &format!("{path}.retries"),
            visit.retries.into(),
            0..=MOST_RETRIES,
        );
        self.flow(&format!("{path}.hold"), &visit.hold, depth);
    }

    fn cached(&mut self, path: &str, cached: &'a Cached, depth: usize) {
        let component = self.of_kind(&format!("{path}.in"), &cached.component, Kind::Cache);
        self.switch(&format!("{path}.enabled"), &cached.enabled);
        match &cached.key {
            CacheKey::Population => {
                if component.is_some_and(|component| component.population.is_none()) {
                    self.report.add(
                        &format!("{path}.key"),
                        format!(
                            "`{}` has no population to draw from; give it one, or an expression here",
                            cached.component
                        ),
                    );
                }
            }
            CacheKey::Value(value) => self.expression(&format!("{path}.key"), value),
        }
        self.flow(&format!("{path}.miss"), &cached.miss, depth);
    }

    fn publish(&mut self, path: &str, publish: &'a Publish) {
        self.of_kind(&format!("{path}.to"), &publish.to, Kind::Bus);
        self.times(&format!("{path}.messages"), &publish.messages);
        self.switch(&format!("{path}.wait"), &publish.wait);
        if let Some(consume) = &publish.consume {
            visited(
                self.document,
                &format!("{path}.consume"),
                consume,
                self.report,
            );
        }
    }

    fn either(&mut self, path: &str, choices: &'a [Choice], depth: usize) {
        self.not_empty(&format!("{path}.either"), choices.len(), "choice");
        let mut sum = 0.0;
        for (index, choice) in choices.iter().enumerate() {
            self.report
                .share(&format!("{path}.either[{index}].share"), choice.share);
            sum += choice.share;
            self.flow(&format!("{path}.either[{index}].do"), &choice.steps, depth);
        }
        if sum > 1.0 + ROUNDING && choices.iter().all(|choice| choice.share <= 1.0) {
            self.report.add(
                &format!("{path}.either"),
                format!("the shares add up to {sum}, which is above 1"),
            );
        }
    }

    fn when(&mut self, path: &str, when: &'a When, depth: usize) {
        self.place(&format!("{path}.value"), &when.value);
        self.not_empty(&format!("{path}.is"), when.is.len(), "case");
        for (case, flow) in &when.is {
            self.flow(&format!("{path}.is.{case}"), flow, depth);
        }
        self.flow(&format!("{path}.otherwise"), &when.otherwise, depth);
    }

    fn each(&mut self, path: &str, each: &'a Each, depth: usize) {
        self.place(&format!("{path}.in"), &each.list);
        self.bounded(&format!("{path}.in"), &each.list);
        self.switch(&format!("{path}.parallel"), &each.parallel);
        if let Some(edges) = &each.edges {
            self.place(&format!("{path}.edges"), edges);
        }
        self.not_empty(&format!("{path}.do"), each.steps.len(), "step");
        let outer = std::mem::replace(&mut self.in_each, true);
        self.flow(&format!("{path}.do"), &each.steps, depth);
        self.in_each = outer;
    }

    fn state(&mut self, path: &str, state: &'a State) {
        let actions = [
            ("create", &state.create),
            ("require", &state.require),
            ("append", &state.append),
            ("advance", &state.advance),
            ("read", &state.read),
        ];
        let given: Vec<(&str, &'a String)> = actions
            .iter()
            .filter_map(|(name, store)| store.as_ref().map(|store| (*name, store)))
            .collect();
        let &[(action, store)] = given.as_slice() else {
            return self.report.add(
                path,
                "needs exactly one of create, require, append, advance and read",
            );
        };
        let known = self.report.known(
            &format!("{path}.{action}"),
            "store",
            store,
            self.document.stores.keys(),
        );
        self.identity(path, action, state, store);
        self.stores.insert(store);
        let only = |field: &str, owner: &str, set: bool, report: &mut Report| {
            if set && action != owner {
                report.add(
                    &format!("{path}.{field}"),
                    format!("is for {owner}, not for {action}"),
                );
            }
        };
        only("as", "create", state.initial.is_some(), self.report);
        only("to", "advance", state.to.is_some(), self.report);
        if action == "advance" && state.to.is_none() {
            self.report
                .add(&format!("{path}.to"), "is required: the state that follows");
        }
        if !known {
            return;
        }
        let states = &self.document.stores[store.as_str()].states;
        for (field, name) in [("as", &state.initial), ("to", &state.to)] {
            if let Some(name) = name {
                self.report
                    .known(&format!("{path}.{field}"), "state", name, states);
            }
        }
    }

    /// Checks which entry a step uses.
    fn identity(&mut self, path: &str, action: &str, state: &'a State, store: &str) {
        if state.id.is_some() && state.key.is_some() {
            self.report.add(
                &format!("{path}.key"),
                "cannot be combined with `id`; keep one of them",
            );
        }
        if let Some(key) = &state.key {
            self.place(&format!("{path}.key"), key);
        }
        match (&state.id, action) {
            (Some(id), "create") => self.report.name(&format!("{path}.id"), id),
            (Some(id), _) => match id.parse::<Place>() {
                Ok(place) => self.place(&format!("{path}.id"), &place),
                Err(_) => self.report.add(
                    &format!("{path}.id"),
                    format!("`{id}` is not a place in the request, such as path.id"),
                ),
            },
            (None, "create") => {}
            (None, _) => {
                if state.key.is_none() && !self.stores.contains(store) {
                    self.report.add(
                        path,
                        format!(
                            "needs `id` or `key`: this request has not created or required an entry of `{store}` before"
                        ),
                    );
                }
            }
        }
    }

    fn later(&mut self, path: &str, later: &'a Later, depth: usize) {
        let known = self.report.known(
            &format!("{path}.store"),
            "store",
            &later.store,
            self.document.stores.keys(),
        );
        if known && self.document.stores[&later.store].states.len() < 2 {
            self.report.add(
                &format!("{path}.store"),
                format!(
                    "the store `{}` needs the states of a job, such as [queued, running, completed]",
                    later.store
                ),
            );
        }
        self.of_kind(&format!("{path}.workers"), &later.workers, Kind::Workers);
        if let Some(wait) = &later.wait {
            self.place(&format!("{path}.wait"), wait);
        }
        self.flow(&format!("{path}.do"), &later.steps, depth);
    }

    /// Checks that a list has entries, because an empty one has no effect.
    fn not_empty(&mut self, path: &str, count: usize, what: &str) {
        if count == 0 {
            self.report.add(path, format!("needs at least one {what}"));
        }
    }

    fn of_kind(
        &mut self,
        path: &str,
        name: &str,
        kind: Kind,
    ) -> Option<&'a super::super::Component> {
        let components = &self.document.components;
        if !self
            .report
            .known(path, "component", name, components.keys())
        {
            return None;
        }
        let component = &components[name];
        if component.kind != kind {
            self.report.add(
                path,
                format!(
                    "`{name}` is of kind {}, not {}",
                    component.kind.name(),
                    kind.name()
                ),
            );
            return None;
        }
        Some(component)
    }

    fn switch(&mut self, path: &str, switch: &Switch) {
        if let Switch::Toggle { name, .. } = switch {
            self.report
                .known(path, "toggle", name, self.document.toggles.keys());
        }
    }

    /// Checks that a number of repetitions is bounded.
    fn times(&mut self, path: &str, times: &Expression) {
        self.expression(path, times);
        match times {
            Expression::Number(number) if *number > MOST_TIMES => {
                self.report
                    .add(path, format!("{number} is more than {MOST_TIMES}"));
            }
            Expression::Value(place) | Expression::Length(place) => self.bounded(path, place),
            _ => {}
        }
    }

    fn expression(&mut self, path: &str, expression: &Expression) {
        self::expression(self.document, path, expression, self.report);
        if let Some(place) = expression.place() {
            self.place(path, place);
        }
    }

    /// Checks that a value which a client chooses and which affects cost has a bound in the request.
    fn bounded(&mut self, path: &str, place: &Place) {
        let client = matches!(place.source, Source::Body | Source::Query);
        if client && bound_of(&self.endpoint.request, place).is_none() {
            let field = place.names.join(".");
            self.report.add(
                path,
                format!(
                    "`{place}` has no bound; give `request` max_items, max_chars or bounds for {field}"
                ),
            );
        }
    }

    fn place(&mut self, path: &str, place: &Place) {
        match place.source {
            Source::Path => {
                let name = place.names.first().map_or("", String::as_str);
                let known: Vec<String> = self
                    .parameters
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect();
                self.report
                    .known(path, "parameter of the route", name, &known);
            }
            Source::Item if !self.in_each => {
                self.report
                    .add(path, "`item` is for the steps of an `each`");
            }
            Source::State if self.stores.is_empty() => self.report.add(
                path,
                format!("`{place}` needs a step `state` before it, such as {{ require: .. }}"),
            ),
            _ => {}
        }
    }
}
