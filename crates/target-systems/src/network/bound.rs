//! Bounds the work of one request: its repetitions are multiplied before it begins, and counted while it
//! runs.
//!
//! Nested lists of a body multiply in a flow, so that a small body could require more visits than fit into
//! memory. A request that requires too much is rejected with 422 and the responsible field. Repetitions
//! that only the state of the system determines are unknown beforehand, and are counted when they occur.

use std::fmt;

use super::Network;
use super::drawn::Facts;
use super::outcome::{Cause, Failed};
use super::slab::Id;
use crate::plan::{Block, Call, Case, Each, Expression, Path, PathRoot, Plan, Step, Value, Visit};

/// Maximum number of visits, messages and items of a request, with all repetitions multiplied.
pub const MAX_WORK: u32 = 20_000;
/// Maximum number of repetitions, messages and items of a single step.
pub const MAX_TIMES: f64 = 10_000.0;
/// Maximum amount that a request may contain.
pub const MAX_AMOUNT: f64 = 1e6;

impl Network {
    /// Rejects a request whose flow would exceed the maximum work.
    pub(super) fn check_work(&self, id: Id) -> Result<(), Failed> {
        let Some(request) = self.requests.get(id) else {
            return Ok(());
        };
        let endpoint = request.arrival.endpoint;
        if !self.loaded.repeats(endpoint) {
            return Ok(());
        }
        let asked = Workload {
            plan: &self.loaded.plan,
            facts: Facts {
                input: &request.arrival.input,
                kept: &Value::Null,
                item: &Value::Null,
                stores: &self.stores,
            },
        };
        asked
            .block(&self.loaded.plan.endpoints[endpoint].flow)
            .map(|_| ())
    }

    /// Counts more work of a task's request.
    pub(super) fn charge(&mut self, id: Id, more: usize) -> Result<(), Failed> {
        let request = self.request_of(id);
        let Some(request) = self.requests.get_mut(request) else {
            return Ok(());
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        request.work = request.work.saturating_add(more);
        if request.work > MAX_WORK {
            return Err(too_much(&"state"));
        }
        Ok(())
    }
}

/// The reason why a request with too much work for its endpoint is rejected; rows of stores are not
/// counted.
pub(crate) fn work_refused(plan: &Plan, endpoint: usize, input: &Value) -> Option<Failed> {
    let flow = &plan.endpoints.get(endpoint)?.flow;
    let asked = Workload {
        plan,
        facts: Facts {
            input,
            kept: &Value::Null,
            item: &Value::Null,
            stores: &[],
        },
    };
    asked.block(flow).err().filter(|_| repeats(plan, flow))
}

/// Whether a flow repeats anything, or takes an amount from its request.
pub(super) fn repeats(plan: &Plan, block: &Block) -> bool {
    let once = |times: &Expression| matches!(times, Expression::Number(times) if *times <= 1.0);
    let amounts = |call: &Call| {
        let operation = &plan.components[call.component].operations[call.operation];
        operation.per.iter().any(|per| per.of.path().is_some())
    };
    block.iter().any(|step| match step {
        Step::Visit(visit) => {
            !once(&visit.times) || amounts(&visit.call) || repeats(plan, &visit.hold)
        }
        Step::Parallel(branches) => branches.iter().any(|branch| repeats(plan, branch)),
        Step::Cached(cached) => amounts(&cached.call) || repeats(plan, &cached.miss),
        Step::Using(using) => repeats(plan, &using.block),
        Step::Publish(publish) => {
            !once(&publish.messages)
                || amounts(&publish.call)
                || publish.consume.as_ref().is_some_and(amounts)
        }
        Step::Either(shares) => shares.iter().any(|share| repeats(plan, &share.block)),
        Step::When(case) => {
            let mut blocks = case.is.values().chain([&case.otherwise]);
            blocks.any(|block| repeats(plan, block))
        }
        Step::Each(_) => true,
        Step::Later(later) => repeats(plan, &later.block),
        Step::State(_) | Step::Fail(_) => false,
    })
}

/// The work of a flow as its request determines it: the maximum over random choices, with each attempt
/// counted.
#[derive(Clone, Copy)]
struct Workload<'a> {
    plan: &'a Plan,
    facts: Facts<'a>,
}

impl<'a> Workload<'a> {
    fn block(&self, block: &Block) -> Result<u64, Failed> {
        let mut work = 0;
        for step in block.iter() {
            work += self.step(step)?;
            if work > u64::from(MAX_WORK) {
                return Err(match repeated(step) {
                    Some(path) => too_much(path),
                    None => too_much(&"request"),
                });
            }
        }
        Ok(work)
    }

    fn step(&self, step: &Step) -> Result<u64, Failed> {
        match step {
            Step::Visit(visit) => self.visit(visit),
            Step::Parallel(branches) => branches.iter().map(|branch| self.block(branch)).sum(),
            Step::Cached(cached) => {
                self.amounts(cached.call)?;
                Ok(1 + self.block(&cached.miss)?)
            }
            Step::Using(using) => self.block(&using.block),
            Step::Publish(publish) => {
                let messages = self.times(&publish.messages)?;
                self.amounts(publish.call)?;
                publish
                    .consume
                    .map_or(Ok(()), |consume| self.amounts(consume))?;
                Ok(messages * (1 + u64::from(publish.consume.is_some())))
            }
            Step::Either(shares) => self.most(shares.iter().map(|share| &share.block)),
            Step::When(case) => self.case(case),
            Step::Each(each) => self.each(each),
            Step::Later(later) => self.block(&later.block),
            Step::State(_) | Step::Fail(_) => Ok(0),
        }
    }

    fn most<'b>(&self, blocks: impl Iterator<Item = &'b Block>) -> Result<u64, Failed> {
        blocks
            .map(|block| self.block(block))
            .try_fold(0, |most, work| Ok(most.max(work?)))
    }

    fn visit(&self, visit: &Visit) -> Result<u64, Failed> {
        let times = self.times(&visit.times)?;
        if times == 0 {
            return Ok(0);
        }
        self.amounts(visit.call)?;
        let once = 1 + self.block(&visit.hold)?;
        Ok(times * once * (1 + u64::from(visit.retries)))
    }

    fn case(&self, case: &Case) -> Result<u64, Failed> {
        if case.value.root == PathRoot::State {
            return self.most(case.is.values().chain([&case.otherwise]));
        }
        let value = self.facts.value(&case.value).text();
        let block = value.and_then(|value| case.is.get(value.as_ref()));
        self.block(block.unwrap_or(&case.otherwise))
    }

    fn each(&self, each: &Each) -> Result<u64, Failed> {
        let items = items(self.facts.value(&each.list), &each.list)?;
        let mut work = 0;
        for place in 0..items.len() {
            let item = items.get(place);
            let facts = Facts {
                item: &item,
                ..self.facts
            };
            let inside = Workload {
                plan: self.plan,
                facts,
            };
            work += 1 + inside.block(&each.block)?;
            if work > u64::from(MAX_WORK) {
                return Err(too_much(&each.list));
            }
        }
        Ok(work)
    }

    fn times(&self, times: &Expression) -> Result<u64, Failed> {
        Ok(self.amount(times, MAX_TIMES)?.min(MAX_TIMES) as u64)
    }

    /// The amounts of an operation.
    fn amounts(&self, call: Call) -> Result<(), Failed> {
        let operation = &self.plan.components[call.component].operations[call.operation];
        let mut amounts = operation.per.iter().map(|per| &per.of);
        amounts.try_for_each(|of| self.amount(of, MAX_AMOUNT).map(drop))
    }

    /// The value of an expression, as far as the request determines it, from 0 to `most`.
    fn amount(&self, of: &Expression, most: f64) -> Result<f64, Failed> {
        match of {
            Expression::Field(path) => within(self.facts.value(path), path, most),
            Expression::Len(path) | Expression::Kb(path) => {
                let amount = self.facts.number(of);
                if amount > most {
                    return Err(out_of_range(path, most));
                }
                Ok(amount)
            }
            Expression::Log2(inner) => Ok(self.amount(inner, MAX_AMOUNT)?.max(1.0).log2()),
            Expression::Number(_) | Expression::Rows(_) => Ok(self.facts.number(of)),
        }
    }
}

/// The items of an `each` step. A number stands for that many items, numbered consecutively.
#[derive(Clone, Copy)]
pub(crate) enum ItemList<'a> {
    Values(&'a [Value]),
    Numbers(usize),
}

impl ItemList<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Values(items) => items.len(),
            Self::Numbers(count) => *count,
        }
    }

    pub(crate) fn to_vec(self) -> Vec<Value> {
        (0..self.len()).map(|place| self.get(place)).collect()
    }

    pub(crate) fn get(&self, place: usize) -> Value {
        match self {
            Self::Values(items) => items[place].clone(),
            Self::Numbers(_) => Value::Number(place as f64),
        }
    }
}

/// The items that a value represents.
///
/// # Errors
/// There are more than a step may have.
pub(crate) fn items<'a>(value: &'a Value, path: &Path) -> Result<ItemList<'a>, Failed> {
    let items = match value {
        Value::List(items) => ItemList::Values(items),
        other => ItemList::Numbers(within(other, path, MAX_TIMES)? as usize),
    };
    if items.len() > MAX_TIMES as usize {
        return Err(refused(&format!("{path}: has more than {MAX_TIMES} items")));
    }
    Ok(items)
}

/// A value as a number; anything else counts as 0.
fn within(value: &Value, path: &Path, most: f64) -> Result<f64, Failed> {
    let number = match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if !(0.0..=most).contains(&number) => Err(out_of_range(path, most)),
        _ => Ok(value.number()),
    }
}

/// The field that determines how often a step is repeated.
fn repeated(step: &Step) -> Option<&Path> {
    match step {
        Step::Visit(visit) => visit.times.path(),
        Step::Publish(publish) => publish.messages.path(),
        Step::Each(each) => Some(&each.list),
        _ => None,
    }
}

fn too_much(path: &dyn fmt::Display) -> Failed {
    refused(&format!(
        "{path}: the request would need more than {MAX_WORK} visits, messages and items"
    ))
}

fn out_of_range(path: &Path, most: f64) -> Failed {
    refused(&format!("{path}: must be from 0 to {most}"))
}

fn refused(detail: &str) -> Failed {
    Failed::new(Cause::BadRequest)
        .with_status(422)
        .saying(detail)
}
