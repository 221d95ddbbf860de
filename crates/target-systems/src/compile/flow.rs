//! Flows of a plan: toggles applied, names resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::part::expression;
use super::{Names, chosen, duration, path};
use crate::document as doc;
use crate::plan::{
    Block, CacheKey, Cached, Call, Case, Each, Endpoint, Failure, Identity, Later, OnError, Order,
    Path, PathRoot, Publish, Share, StateAction, StateStep, Step, Using, Visit,
};

/// The default name of an id in responses.
const ID: &str = "id";

pub(super) fn endpoint(names: &Names<'_>, name: &str, endpoint: &doc::Endpoint) -> Endpoint {
    Endpoint {
        name: name.into(),
        status: endpoint.answer.status,
        flow: block(names, &endpoint.flow),
    }
}

fn block(names: &Names<'_>, flow: &doc::Flow) -> Block {
    let mut steps = Vec::new();
    for step in chosen(names.document, flow) {
        self::step(names, step, &mut steps);
    }
    steps.into()
}

fn step(names: &Names<'_>, step: &doc::Step, steps: &mut Vec<Step>) {
    steps.push(match step {
        doc::Step::Visit(visit) => Step::Visit(Visit {
            call: call(names, &visit.at),
            times: expression(names, &visit.times),
            hold: block(names, &visit.hold),
            timeout: visit.timeout_ms.map(duration),
            retries: visit.retries,
            on_error: match visit.on_error {
                doc::OnError::Fail => OnError::Fail,
                doc::OnError::Continue => OnError::Continue,
            },
        }),
        doc::Step::Parallel(parallel) => {
            let branches = parallel.branches.iter().map(|branch| block(names, branch));
            if names.is_on(&parallel.enabled) {
                Step::Parallel(branches.collect())
            } else {
                let in_turn: Vec<Block> = branches.collect();
                return steps.extend(in_turn.iter().flat_map(|branch| branch.iter().cloned()));
            }
        }
        doc::Step::Cached(cached) => Step::Cached(Cached {
            call: first_call(names, &cached.component),
            key: match &cached.key {
                doc::CacheKey::Population => CacheKey::Population,
                doc::CacheKey::Value(doc::Expression::Value(place)) => CacheKey::Field(path(place)),
                doc::CacheKey::Value(other) => CacheKey::Number(expression(names, other)),
            },
            miss: block(names, &cached.miss),
        }),
        doc::Step::Using(using) => Step::Using(Using {
            pool: names.pool(&using.pool),
            block: block(names, &using.steps),
        }),
        doc::Step::Publish(publish) => Step::Publish(Publish {
            call: first_call(names, &publish.to),
            messages: expression(names, &publish.messages),
            consume: publish.consume.as_deref().map(|at| call(names, at)),
            wait: names.is_on(&publish.wait),
        }),
        doc::Step::Either(choices) => Step::Either(
            choices
                .iter()
                .map(|choice| Share {
                    share: choice.share,
                    block: block(names, &choice.steps),
                })
                .collect(),
        ),
        doc::Step::When(when) => Step::When(Case {
            value: path(&when.value),
            is: when
                .is
                .iter()
                .map(|(case, flow)| (case.clone(), block(names, flow)))
                .collect::<BTreeMap<_, _>>(),
            otherwise: block(names, &when.otherwise),
        }),
        doc::Step::Each(each) => Step::Each(Each {
            list: path(&each.list),
            order: order(names, each),
            block: block(names, &each.steps),
        }),
        doc::Step::State(state) => match state_step(names, state) {
            Some(step) => Step::State(step),
            None => return,
        },
        doc::Step::Later(later) => Step::Later(Later {
            store: names.store(&later.store),
            id: ID.into(),
            workers: names.component(&later.workers),
            block: block(names, &later.steps),
            wait: later.wait.as_ref().map(path),
        }),
        doc::Step::Fail(fail) => Step::Fail(Failure {
            status: fail.status,
            error_type: fail.error_type.as_str().into(),
        }),
        // `chosen` has replaced them by their steps.
        doc::Step::If(_) => return,
    });
}

fn order(names: &Names<'_>, each: &doc::Each) -> Order {
    if !names.is_on(&each.parallel) {
        return Order::Sequence;
    }
    match &each.edges {
        Some(edges) => Order::Graph(path(edges)),
        None => Order::AtOnce,
    }
}

fn call(names: &Names<'_>, at: &str) -> Call {
    let (component, operation) =
        doc::call(at).expect("a checked document visits component.operation");
    let component = names.component(component);
    let operations = &names.document.components[component].operations;
    Call {
        component,
        operation: operations
            .get_index_of(operation)
            .expect("a checked document names operations that exist"),
    }
}

/// Caches and buses have one operation, which steps use without naming it: the first.
fn first_call(names: &Names<'_>, component: &str) -> Call {
    Call {
        component: names.component(component),
        operation: 0,
    }
}

fn state_step(names: &Names<'_>, state: &doc::State) -> Option<StateStep> {
    let (action, store) = if let Some(store) = &state.create {
        let keep = kept(names.document, store);
        let state = state_index(names, store, state.initial.as_deref());
        (StateAction::Create { state, keep }, store)
    } else if let Some(store) = &state.require {
        (StateAction::Require, store)
    } else if let Some(store) = &state.append {
        (StateAction::Append, store)
    } else if let Some(store) = &state.advance {
        let state = state_index(names, store, state.to.as_deref());
        (StateAction::Advance { state }, store)
    } else {
        (StateAction::Read, state.read.as_ref()?)
    };
    Some(StateStep {
        store: names.store(store),
        id: identity(state),
        action,
    })
}

fn state_index(names: &Names<'_>, store: &str, state: Option<&str>) -> usize {
    let states = &names.document.stores[store].states;
    state
        .and_then(|name| states.iter().position(|state| state == name))
        .unwrap_or(0)
}

fn identity(state: &doc::State) -> Identity {
    if let Some(key) = &state.key {
        return Identity::Given(path(key));
    }
    if state.create.is_some() {
        return Identity::Drawn(state.id.as_deref().unwrap_or(ID).into());
    }
    let given = state.id.as_deref().and_then(|id| id.parse().ok());
    given.map_or(Identity::Current, |place: doc::Place| {
        Identity::Given(path(&place))
    })
}

/// The fields of a request that an entry of a store keeps: the fields of its body that any flow reads as
/// `state.NAME`.
fn kept(document: &doc::Document, store: &str) -> Vec<(Arc<str>, Path)> {
    let mut names = BTreeSet::new();
    for endpoint in document.endpoints.values() {
        let mut stores = Vec::new();
        touched(&endpoint.flow, &mut stores);
        if !stores.contains(&store) {
            continue;
        }
        let mut paths = Vec::new();
        flow_paths(document, &endpoint.flow, &mut paths);
        let of_state = paths
            .into_iter()
            .filter(|path| path.root == PathRoot::State);
        names.extend(of_state.filter_map(|path| path.names.into_iter().next()));
    }
    names
        .into_iter()
        .map(|name| {
            let from = Path {
                root: PathRoot::Body,
                names: vec![name.clone()],
            };
            (name, from)
        })
        .collect()
}

fn touched<'a>(flow: &'a doc::Flow, stores: &mut Vec<&'a str>) {
    for step in flow {
        if let doc::Step::State(state) = step {
            let all = [
                &state.create,
                &state.require,
                &state.append,
                &state.advance,
                &state.read,
            ];
            stores.extend(all.into_iter().filter_map(|store| store.as_deref()));
        }
        for inner in step.inner() {
            touched(inner, stores);
        }
    }
}

/// The paths that a flow reads from its request, whatever its toggles are, including those of the visited
/// operations and those kept in the entries that it creates.
pub(crate) fn read_paths(document: &doc::Document, flow: &doc::Flow) -> Vec<Path> {
    let mut paths = Vec::new();
    flow_paths(document, flow, &mut paths);
    let mut stores = Vec::new();
    touched(flow, &mut stores);
    for store in stores {
        paths.extend(kept(document, store).into_iter().map(|(_, from)| from));
    }
    paths.sort();
    paths.dedup();
    paths
}

fn flow_paths(document: &doc::Document, flow: &doc::Flow, paths: &mut Vec<Path>) {
    for step in flow {
        match step {
            doc::Step::Visit(visit) => {
                paths.extend(visit.times.place().map(path));
                operation_paths(document, &visit.at, paths);
            }
            doc::Step::Cached(cached) => {
                if let doc::CacheKey::Value(value) = &cached.key {
                    paths.extend(value.place().map(path));
                }
                component_paths(document, &cached.component, paths);
            }
            doc::Step::Publish(publish) => {
                paths.extend(publish.messages.place().map(path));
                component_paths(document, &publish.to, paths);
                if let Some(consume) = &publish.consume {
                    operation_paths(document, consume, paths);
                }
            }
            doc::Step::When(when) => paths.push(path(&when.value)),
            doc::Step::Each(each) => {
                paths.push(path(&each.list));
                paths.extend(each.edges.as_ref().map(path));
            }
            doc::Step::State(state) => {
                paths.extend(state.key.as_ref().map(path));
                let id = state.id.as_deref().filter(|_| state.create.is_none());
                let id = id.and_then(|id| id.parse::<doc::Place>().ok());
                paths.extend(id.as_ref().map(path));
            }
            doc::Step::Later(later) => paths.extend(later.wait.as_ref().map(path)),
            _ => {}
        }
        for inner in step.inner() {
            flow_paths(document, inner, paths);
        }
    }
}

fn operation_paths(document: &doc::Document, at: &str, paths: &mut Vec<Path>) {
    let call = doc::call(at).and_then(|(component, operation)| {
        document
            .components
            .get(component)?
            .operations
            .get(operation)
    });
    paths.extend(call.into_iter().flat_map(paths_of));
}

fn component_paths(document: &doc::Document, component: &str, paths: &mut Vec<Path>) {
    let component = document.components.get(component);
    let operations = component
        .into_iter()
        .flat_map(|one| one.operations.values());
    paths.extend(operations.flat_map(paths_of));
}

fn paths_of(operation: &doc::Operation) -> impl Iterator<Item = Path> {
    let per = operation.per.as_ref().and_then(|per| per.of.place());
    let factor = operation.factor.as_ref().map(|factor| &factor.by);
    per.into_iter().chain(factor).map(path)
}
