//! Detects deadlocks of slots and connections.
//!
//! A visit holds its slot during `hold`, a `using` its connection during `do`. If something taken there
//! can, over some chain, be something already held, enough concurrent requests wait for each other for
//! ever. The graph of "held while taking" must not have cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::super::flow::call;
use super::super::{Document, Flow, Step, Switch};
use super::report::Report;

/// Something that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held<'a> {
    Slot(&'a str),
    Pool(&'a str),
}

impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(component) => write!(f, "a slot of `{component}`"),
            Self::Pool(pool) => write!(f, "a connection of `{pool}`"),
        }
    }
}

pub(super) fn check(document: &Document, report: &mut Report) {
    let mut graph = Graph::default();
    for (name, endpoint) in &document.endpoints {
        graph.flow(
            &format!("endpoints.{name}.flow"),
            &endpoint.flow,
            &mut Vec::new(),
        );
    }
    graph.report(report);
}

#[derive(Debug, Default)]
struct Graph<'a> {
    /// The resources taken while the key is held, with the first place of each.
    taken: BTreeMap<Held<'a>, BTreeMap<Held<'a>, String>>,
}

impl<'a> Graph<'a> {
    fn flow(&mut self, path: &str, flow: &'a Flow, held: &mut Vec<Held<'a>>) {
        for (index, step) in flow.iter().enumerate() {
            self.step(&format!("{path}[{index}]"), step, held);
        }
    }

    fn step(&mut self, path: &str, step: &'a Step, held: &mut Vec<Held<'a>>) {
        match step {
            Step::Visit(visit) => {
                let Some((component, _)) = call(&visit.at) else {
                    return;
                };
                let slot = Held::Slot(component);
                self.take(path, slot, held);
                held.push(slot);
                self.flow(&format!("{path}.visit.hold"), &visit.hold, held);
                held.pop();
            }
            Step::Using(using) => {
                let pool = Held::Pool(&using.pool);
                self.take(path, pool, held);
                held.push(pool);
                self.flow(&format!("{path}.using.do"), &using.steps, held);
                held.pop();
            }
            Step::Cached(cached) => {
                self.take(path, Held::Slot(&cached.component), held);
                self.flow(&format!("{path}.cached.miss"), &cached.miss, held);
            }
            Step::Publish(publish) if publish.wait != Switch::Fixed(false) => {
                self.take(path, Held::Slot(&publish.to), held);
                if let Some((component, _)) = publish.consume.as_deref().and_then(call) {
                    self.take(path, Held::Slot(component), held);
                }
            }
            // Runs after the response, when everything was released.
            Step::Later(later) => {
                self.flow(&format!("{path}.later.do"), &later.steps, &mut Vec::new());
            }
            Step::Parallel(parallel) => {
                for (index, branch) in parallel.branches.iter().enumerate() {
                    self.flow(&format!("{path}.parallel.branches[{index}]"), branch, held);
                }
            }
            Step::Either(choices) => {
                for (index, choice) in choices.iter().enumerate() {
                    self.flow(&format!("{path}.either[{index}].do"), &choice.steps, held);
                }
            }
            Step::When(when) => {
                for (case, flow) in &when.is {
                    self.flow(&format!("{path}.when.is.{case}"), flow, held);
                }
                self.flow(&format!("{path}.when.otherwise"), &when.otherwise, held);
            }
            Step::Each(each) => self.flow(&format!("{path}.each.do"), &each.steps, held),
            Step::If(one) => {
                self.flow(&format!("{path}.if.do"), &one.steps, held);
                self.flow(&format!("{path}.if.otherwise"), &one.otherwise, held);
            }
            Step::Publish(_) | Step::State(_) | Step::Fail(_) => {}
        }
    }

    fn take(&mut self, path: &str, taken: Held<'a>, held: &[Held<'a>]) {
        for one in held {
            self.taken
                .entry(*one)
                .or_default()
                .entry(taken)
                .or_insert_with(|| path.to_owned());
        }
    }

    /// Reports each cycle once, at the place that closes it.
    fn report(&self, report: &mut Report) {
        let mut told = BTreeSet::new();
        for (held, taken) in &self.taken {
            for (next, path) in taken {
                if held == next {
                    report.add(
                        path,
                        format!("takes {held} while it holds one: requests would deadlock"),
                    );
                    continue;
                }
                let Some(way) = self.way(*next, *held) else {
                    continue;
                };
                let mut cycle: Vec<Held<'_>> = way.clone();
                cycle.sort_unstable();
                if told.insert(cycle) {
                    let chain: Vec<String> = way.iter().map(ToString::to_string).collect();
                    report.add(
                        path,
                        format!(
                            "takes {next} while it holds {held}, and elsewhere in the reverse order ({}): requests would deadlock",
                            chain.join(", then ")
                        ),
                    );
                }
            }
        }
    }

    /// A chain of "held while taking" from one resource to another, inclusive.
    fn way(&self, from: Held<'a>, to: Held<'a>) -> Option<Vec<Held<'a>>> {
        let mut before: BTreeMap<Held<'a>, Held<'a>> = BTreeMap::new();
        let mut open = vec![from];
        while let Some(here) = open.pop() {
            for next in self.taken.get(&here).into_iter().flat_map(BTreeMap::keys) {
                if *next == from || before.contains_key(next) {
                    continue;
                }
                before.insert(*next, here);
                if *next == to {
                    let mut way = vec![to];
                    let mut at = to;
                    while at != from {
                        at = before[&at];
                        way.push(at);
                    }
                    way.reverse();
                    return Some(way);
                }
                open.push(*next);
            }
        }
        None
    }
}
