//! Requests: their arrival and their end.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::draw::Root;
use fault_profile::rate_limit::Scope;

use super::Network;
use super::event::{Class, Nanos, What};
use super::outcome::{Cause, Failed, Outcome};
use super::slab::Id;
use super::task::{
    Arrival, Entering, Finished, Frame, Key, Parent, Place, Request, Task, Ticket, Usage,
};
use crate::plan::{Block, Call};

/// Maximum number of tenants with a rate limit of their own; beyond it all limits are reset.
const MAX_TENANTS: usize = 10_000;

impl Network {
    /// Starts a request. It may have ended when this returns.
    pub fn arrive(&mut self, now: Duration, arrival: Arrival) -> Ticket {
        self.input_at(now);
        self.ledger.arrived += 1;
        self.ledger.level.change(self.now, 1);
        let id = self.accept(arrival);
        if let Err(failed) = self.admit(id) {
            self.answer(id, Outcome::Failed(failed));
            self.requests.remove(id);
        }
        self.settle();
        Ticket(id.word())
    }

    /// Called when the client of a request has disconnected. Returns false if it had received its response.
    pub fn leave(&mut self, now: Duration, ticket: Ticket) -> bool {
        self.input_at(now);
        let left = self.end_early(Id::from_word(ticket.0), Outcome::Left);
        self.settle();
        left
    }

    fn accept(&mut self, arrival: Arrival) -> Id {
        let loaded = self.loaded.clone();
        let root = request_root(loaded.root, &arrival);
        self.requests.insert(Request {
            loaded,
            revision: self.revision,
            arrival,
            arrived: self.now,
            root,
            main: None,
            others: Vec::new(),
            needed: 0,
            answered: false,
            waited: false,
            visits: Vec::new(),
            omitted: 0,
            work: 0,
            ids: Vec::new(),
            current: Vec::new(),
            entry: None,
        })
    }

    fn admit(&mut self, id: Id) -> Result<(), Failed> {
        let Some(request) = self.requests.get(id) else {
            return Ok(());
        };
        let (root, tenant) = (request.root, request.arrival.tenant.clone());
        let edge = &self.loaded.plan.edge;
        let (max_in_flight, deadline) = (edge.max_in_flight as u64, edge.deadline);
        let endpoints = &self.loaded.plan.endpoints;
        let flow = endpoints
            .get(request.arrival.endpoint)
            .map(|one| one.flow.clone());
        let hold = flow.ok_or_else(|| Failed::new(Cause::NotFound))?;
        self.check_work(id)?;
        self.limit(&tenant)?;
        if self.ledger.level.count() > max_in_flight {
            return Err(Failed::new(Cause::QueueFull));
        }
        if let Some(deadline) = deadline {
            let at = self.after(deadline);
            let what = What::Deadline { request: id };
            self.events.push_in_line(at, Class::Expiry, what);
        }
        // Space for the edge, the flow and a visit, which suffices for most requests.
        let mut frames = Vec::with_capacity(4);
        frames.push(self.at_the_edge(root, hold));
        let task = Task::new(id, frames);
        self.spawn(task);
        Ok(())
    }

    fn at_the_edge(&self, root: Root, hold: Block) -> Frame {
        Frame::Enter(Box::new(Entering {
            call: Call {
                component: self.loaded.edge,
                operation: 0,
            },
            root: root.word(0),
            hold,
            usage: Usage::Plain,
        }))
    }

    fn limit(&mut self, tenant: &Arc<str>) -> Result<(), Failed> {
        let Some(limit) = self.loaded.plan.edge.rate_limit else {
            return Ok(());
        };
        let bucket = match limit.scope {
            Scope::Detector => &mut self.bucket,
            Scope::Tenant => {
                if self.tenants.len() >= MAX_TENANTS && !self.tenants.contains_key(tenant) {
                    self.tenants.clear();
                }
                self.tenants.entry(tenant.clone()).or_default()
            }
        };
        bucket
            .admit(&limit, Duration::from_nanos(self.now))
            .map_err(|wait| Failed::new(Cause::RateLimited).retry_after(wait))
    }

    pub(super) fn deadline(&mut self, request: Id) {
        self.end_early(request, Outcome::Failed(Failed::new(Cause::Timeout)));
    }

    /// Responds before the flow has ended; the rest is cancelled at its next stage.
    fn end_early(&mut self, id: Id, outcome: Outcome) -> bool {
        let Some(request) = self.requests.get(id).filter(|one| !one.answered) else {
            return false;
        };
        let tasks: Vec<Id> = request
            .main
            .iter()
            .chain(&request.others)
            .copied()
            .collect();
        self.answer(id, outcome);
        for task in tasks {
            if self.tasks.get(task).is_some_and(|task| !task.background) {
                self.cancel(task);
            }
        }
        true
    }

    /// Cancels a task: waits end at once; a stage that has begun is finished first.
    pub(super) fn cancel(&mut self, id: Id) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        task.cancelled = true;
        match task.place {
            Place::Slot | Place::Pool | Place::Children | Place::Hang => self.wake(id),
            Place::Ready | Place::Running | Place::Stage => {}
        }
    }

    /// Cancels all tasks for which this one waits, at any depth, and stops waiting for them.
    pub(super) fn abandon_children(&mut self, parent: Id) {
        let Some(task) = self.tasks.get_mut(parent) else {
            return;
        };
        task.child_planned = 0;
        task.joining = task.joining.wrapping_add(1);
        // Most tasks have none, and the search takes as long as there are tasks.
        if std::mem::take(&mut task.children) > 0 {
            self.cancel_children(parent);
        }
    }

    fn cancel_children(&mut self, parent: Id) {
        let request = self.request_of(parent);
        let Some(request) = self.requests.get(request) else {
            return;
        };
        let is_child = |id: &Id| {
            let task = self.tasks.get(*id).filter(|task| !task.cancelled);
            task.and_then(|task| task.parent)
                .is_some_and(|one| one.task == parent)
        };
        let children: Vec<Id> = request.others.iter().copied().filter(is_child).collect();
        for child in children {
            self.abandon_children(child);
            self.cancel(child);
        }
    }

    /// Sends the response of a request that has none yet.
    pub(super) fn answer(&mut self, id: Id, outcome: Outcome) {
        let Some(request) = self.requests.get_mut(id) else {
            return;
        };
        request.answered = true;
        let main = request.main.and_then(|main| self.tasks.get(main));
        let planned = main.map_or(0, |task| task.planned);
        let finished = Finished {
            ticket: Ticket(id.word()),
            endpoint: request.arrival.endpoint,
            revision: request.revision,
            arrived: Duration::from_nanos(request.arrived),
            at: Duration::from_nanos(self.now),
            planned: Duration::from_nanos(planned),
            waited: request.waited,
            visits: std::mem::take(&mut request.visits),
            visits_omitted: request.omitted,
            ids: std::mem::take(&mut request.ids),
            entry: request.entry.take(),
            outcome,
        };
        let residence = self.now - request.arrived;
        match &finished.outcome {
            Outcome::Succeeded { .. } => self.ledger.succeeded += 1,
            Outcome::Failed(failed) => self.ledger.failed.count(&failed.cause),
            Outcome::Left => self.ledger.left += 1,
        }
        self.ledger.residence += u128::from(residence);
        self.ledger.level.change(self.now, -1);
        self.finished.push(finished);
    }

    /// Ends a task.
    pub(super) fn end(&mut self, id: Id, failure: Option<Failed>) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let (request, parent, planned) = (task.request, task.parent, task.planned);
        let counted = task.counted;
        let is_main = self
            .requests
            .get(request)
            .is_some_and(|one| one.main == Some(id));
        if counted {
            self.background_ended(failure.as_ref());
        }
        if is_main {
            self.answer_main(request, failure);
        } else if let Some(parent) = parent {
            self.child_ended(parent, failure, planned);
        }
        self.tasks.remove(id);
        if let Some(request) = self.requests.get_mut(request) {
            let place = request.others.iter().position(|other| *other == id);
            place.map(|place| request.others.remove(place));
        }
        self.release_request(request);
    }

    fn answer_main(&mut self, id: Id, failure: Option<Failed>) {
        let Some(request) = self.requests.get(id).filter(|one| !one.answered) else {
            return;
        };
        let endpoint = request.loaded.plan.endpoints.get(request.arrival.endpoint);
        let status = endpoint.map_or(200, |endpoint| endpoint.status);
        let outcome = match failure {
            None => Outcome::Succeeded { status },
            Some(failed) => Outcome::Failed(failed),
        };
        self.answer(id, outcome);
    }

    pub(super) fn background_ended(&mut self, failure: Option<&Failed>) {
        self.ledger.background_ended += 1;
        if let Some(failed) = failure {
            self.ledger.background_failed.count(&failed.cause);
        }
    }

    /// Called when a branch or message for which a task waits is complete. The first failure cancels the
    /// others, which end at their next stage; the task still waits for them.
    pub(super) fn child_ended(&mut self, parent: Parent, failure: Option<Failed>, planned: Nanos) {
        let waits = |task: &&mut Task| task.joining == parent.joining && task.children > 0;
        let Some(task) = self.tasks.get_mut(parent.task).filter(waits) else {
            return;
        };
        task.children -= 1;
        task.child_planned = task.child_planned.max(planned);
        let left = task.children;
        let first = failure.is_some() && task.failure.is_none();
        task.failure = task.failure.take().or(failure);
        if left == 0 {
            self.wake_if_joined(parent.task);
        } else if first {
            self.cancel_children(parent.task);
        }
    }

    fn wake_if_joined(&mut self, id: Id) {
        let joined = |task: &&mut Task| task.place == Place::Children;
        if let Some(task) = self.tasks.get_mut(id).filter(joined) {
            task.planned += std::mem::take(&mut task.child_planned);
            self.wake(id);
        }
    }

    /// Called when a task or message that needs the request is complete.
    pub(super) fn release_request(&mut self, id: Id) {
        let Some(request) = self.requests.get_mut(id) else {
            return;
        };
        request.needed -= 1;
        if request.needed == 0 && request.answered {
            self.requests.remove(id);
        }
    }
}

fn request_root(root: Root, arrival: &Arrival) -> Root {
    let root = root.text(&arrival.tenant);
    let root = match &arrival.key {
        Key::Named(name) => root.word(1).text(name),
        Key::Index(index) => root.word(2).word(*index),
    };
    root.word(u64::from(arrival.attempt.max(1)))
}
