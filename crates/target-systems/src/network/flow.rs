//! Tasks: their progress through the steps of a flow.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::draw::{Purpose, Root};

use super::bound::MAX_TIMES;
use super::drawn::Facts;
use super::event::{Class, What};
use super::outcome::{Cause, Failed};
use super::slab::Id;
use super::task::{Attempts, Entering, Flow, Forked, Frame, Parent, Place, StepAt, Task, Usage};
use super::{Network, nanos};
use crate::plan::{
    Block, CacheKey, Cached, Call, Expression, OnError, Path, Share, Step, Value, Visit,
};

static NULL: Value = Value::Null;

impl Network {
    /// Runs a task until it waits or ends.
    pub(super) fn run(&mut self, id: Id) {
        loop {
            let Some(task) = self.tasks.get_mut(id) else {
                return;
            };
            task.place = Place::Running;
            let stopped = task.cancelled.then(|| Failed::new(Cause::Timeout));
            let flow = match task.failure.take().or(stopped) {
                Some(failed) => Flow::Failed(failed),
                None => self.go_on(id),
            };
            match flow {
                Flow::On => {}
                Flow::Wait => return,
                Flow::Failed(failed) => {
                    if !self.unwind(id, failed) {
                        return;
                    }
                }
            }
        }
    }

    /// Performs the next action of the innermost frame.
    fn go_on(&mut self, id: Id) -> Flow {
        let Some(task) = self.tasks.get_mut(id) else {
            return Flow::Wait;
        };
        match task.frames.last_mut() {
            None => {
                self.end(id, None);
                Flow::Wait
            }
            Some(Frame::Steps { block, next, root }) => {
                let at = *next;
                if at == block.len() {
                    task.frames.pop();
                    return Flow::On;
                }
                *next += 1;
                let (block, root) = (block.clone(), root.word(at as u64));
                self.step(id, &block, at, root)
            }
            Some(Frame::Visit(_)) => self.proceed(id),
            Some(Frame::Attempts(_)) => self.next_attempt(id),
            Some(Frame::Each(_)) => self.next_item(id),
            Some(Frame::Using(_)) => self.connected(id),
            Some(_) => self.go_on_taking(id),
        }
    }

    /// Continues the frames that are consumed by that.
    fn go_on_taking(&mut self, id: Id) -> Flow {
        let frame = self.tasks.get_mut(id).and_then(|task| task.frames.pop());
        match frame {
            Some(Frame::Enter(entering)) => return self.enter(id, *entering),
            Some(Frame::Connect {
                block,
                at,
                root,
                since,
            }) => {
                let connected = self.now - since;
                let task = self.tasks.get_mut(id);
                task.into_iter().for_each(|task| task.planned += connected);
                return self.post(id, StepAt { block: &block, at }, root);
            }
            Some(Frame::Fill {
                component,
                machine,
                life,
                key,
            }) => self.fill(component, machine, life, key),
            Some(Frame::Job { store, id, .. }) => self.job_ended(store, &id, true),
            _ => {}
        }
        Flow::On
    }

    fn step(&mut self, id: Id, block: &Block, at: usize, root: Root) -> Flow {
        match &block[at] {
            Step::Visit(visit) => self.start(id, StepAt { block, at }, visit, root),
            Step::Parallel(branches) => {
                let branches = branches.iter().enumerate();
                let blocks = branches.map(|(n, branch)| Forked {
                    block: branch.clone(),
                    root: root.word(n as u64),
                    item: None,
                });
                self.fork(id, blocks.collect())
            }
            Step::Cached(cached) => self.ask_cache(id, cached, root),
            Step::Using(using) => self.connect(id, using, root),
            Step::Publish(publish) => self.publish(id, StepAt { block, at }, publish, root),
            Step::Either(shares) => match chosen(shares, root.unit(Purpose::Choice)) {
                Some(place) => self.inside(id, &shares[place].block, root.word(place as u64)),
                None => Flow::On,
            },
            Step::When(case) => {
                let value = self
                    .value(id, &case.value)
                    .text()
                    .map(std::borrow::Cow::into_owned);
                let block = value.and_then(|value| case.is.get(&value));
                let block = block.unwrap_or(&case.otherwise).clone();
                self.inside(id, &block, root)
            }
            Step::Each(each) => self.begin_items(id, StepAt { block, at }, each, root),
            Step::State(state) => self.state(id, state, root),
            Step::Later(later) => self.later(id, later, root),
            Step::Fail(failure) => {
                let cause = Cause::Declared(failure.error_type.clone());
                Flow::Failed(Failed::new(cause).with_status(failure.status))
            }
        }
    }

    /// Runs a block, then returns to the current frame.
    pub(super) fn inside(&mut self, id: Id, block: &Block, root: Root) -> Flow {
        if !block.is_empty() {
            self.push_frame(
                id,
                Frame::Steps {
                    block: block.clone(),
                    next: 0,
                    root,
                },
            );
        }
        Flow::On
    }

    /// Runs blocks in parallel, each with its own item, and waits for all.
    pub(super) fn fork(&mut self, id: Id, blocks: Vec<Forked>) -> Flow {
        let frames = blocks.into_iter().map(|forked| {
            let steps = Frame::Steps {
                block: forked.block,
                next: 0,
                root: forked.root,
            };
            (vec![steps], forked.item)
        });
        let frames: Vec<_> = frames.collect();
        for (frames, item) in frames {
            self.spawn_child(id, frames, item);
        }
        self.join(id)
    }

    /// Spawns a task for which this one waits.
    pub(super) fn spawn_child(
        &mut self,
        id: Id,
        frames: Vec<Frame>,
        item: Option<Value>,
    ) -> Option<Id> {
        let parent = self.tasks.get_mut(id)?;
        parent.children += 1;
        let mut child = Task::new(parent.request, frames);
        child.parent = Some(Parent {
            task: id,
            joining: parent.joining,
        });
        child.background = parent.background;
        child.items = parent.items.clone();
        child.items.extend(item);
        Some(self.spawn(child))
    }

    /// Waits for children, if there are any.
    pub(super) fn join(&mut self, id: Id) -> Flow {
        if self.tasks.get(id).is_none_or(|task| task.children == 0) {
            return Flow::On;
        }
        self.rest(id, Place::Children);
        Flow::Wait
    }

    fn start(&mut self, id: Id, step: StepAt<'_>, visit: &Visit, root: Root) -> Flow {
        let once = matches!(visit.times, Expression::Number(1.0));
        let plain = visit.timeout.is_none() && visit.retries == 0;
        if once && plain && visit.on_error == OnError::Fail {
            return self.enter(id, entering(visit, root));
        }
        let times = self.count(id, &visit.times);
        let attempts = Attempts {
            block: step.block.clone(),
            at: step.at,
            root,
            times,
            done: 0,
            attempt: 0,
            running: false,
        };
        self.push_frame(id, Frame::Attempts(Box::new(attempts)));
        Flow::On
    }

    /// The next of several visits, after the previous one succeeded.
    fn next_attempt(&mut self, id: Id) -> Flow {
        let Some(task) = self.tasks.get_mut(id) else {
            return Flow::Wait;
        };
        let Some(Frame::Attempts(attempts)) = task.frames.last_mut() else {
            return Flow::On;
        };
        if attempts.running {
            attempts.running = false;
            attempts.done += 1;
            attempts.attempt = 0;
        }
        if attempts.done >= attempts.times {
            task.frames.pop();
            return Flow::On;
        }
        attempts.running = true;
        let words = (u64::from(attempts.done), u64::from(attempts.attempt));
        let root = attempts.root.word(words.0).word(words.1);
        let (block, at) = (attempts.block.clone(), attempts.at);
        let Step::Visit(visit) = &block[at] else {
            return Flow::On;
        };
        let entering = entering(visit, root);
        match visit.timeout {
            None => self.enter(id, entering),
            Some(timeout) => self.enter_within(id, entering, timeout),
        }
    }

    /// Runs a visit in its own task, so that its caller can stop waiting.
    fn enter_within(&mut self, id: Id, entering: Entering, timeout: Duration) -> Flow {
        self.spawn_child(id, vec![Frame::Enter(Box::new(entering))], None);
        let wait = self.rest(id, Place::Children);
        let at = self.now.saturating_add(nanos(timeout));
        self.schedule(at, Class::Expiry, What::Timeout { task: id, wait });
        Flow::Wait
    }

    pub(super) fn timed_out(&mut self, id: Id, wait: u32) {
        let waits = |task: &&mut Task| task.place == Place::Children && task.wait == wait;
        if let Some(task) = self.tasks.get_mut(id).filter(waits) {
            task.failure = Some(Failed::new(Cause::Timeout));
            task.child_planned = 0;
            self.abandon_children(id);
            self.wake(id);
        }
    }

    /// Leaves frames because of a failure. Returns true if a frame continues nevertheless.
    fn unwind(&mut self, id: Id, failed: Failed) -> bool {
        self.abandon_children(id);
        while let Some(frame) = self.tasks.get_mut(id).and_then(|task| task.frames.pop()) {
            if self.drop_frame(id, frame, &failed) {
                return true;
            }
        }
        self.end(id, Some(failed));
        false
    }

    /// Leaves a frame because of a failure. Returns true if it continues nevertheless.
    fn drop_frame(&mut self, id: Id, frame: Frame, failed: &Failed) -> bool {
        match frame {
            Frame::Visit(visit) => self.close(id, *visit, Some(failed)),
            Frame::Using(borrowing) => self.disconnect(&borrowing),
            Frame::Each(items) if items.inside => {
                let task = self.tasks.get_mut(id);
                task.map(|task| task.items.pop());
            }
            Frame::Job { store, id, .. } => self.job_ended(store, &id, false),
            Frame::Attempts(attempts) => return self.repeat(id, *attempts),
            _ => {}
        }
        false
    }

    /// There are no retries for a client that has disconnected, or on a machine that is down.
    fn may_repeat(&self, id: Id) -> bool {
        let Some(task) = self.tasks.get(id) else {
            return false;
        };
        let lost = |frame: &Frame| matches!(frame, Frame::Visit(visit) if self.is_lost(visit));
        !task.cancelled && !task.frames.iter().any(lost)
    }

    fn repeat(&mut self, id: Id, mut attempts: Attempts) -> bool {
        if !self.may_repeat(id) {
            return false;
        }
        let Step::Visit(visit) = &attempts.block[attempts.at] else {
            return false;
        };
        if attempts.attempt < visit.retries {
            attempts.attempt += 1;
            attempts.running = false;
        } else if visit.on_error == OnError::Fail {
            return false;
        }
        self.push_frame(id, Frame::Attempts(Box::new(attempts)));
        true
    }

    fn ask_cache(&mut self, id: Id, cached: &Cached, root: Root) -> Flow {
        let key = match &cached.key {
            CacheKey::Population => {
                let mut draws = root.draws(Purpose::Key);
                let loaded = self
                    .requests
                    .get(self.request_of(id))
                    .map(|one| &one.loaded);
                let loaded = loaded.unwrap_or(&self.loaded);
                loaded.draw_key(cached.call.component, &mut draws)
            }
            CacheKey::Field(path) => hash(self.value(id, path)),
            CacheKey::Number(number) => self.number(id, number) as u64,
        };
        let entering = Entering {
            call: cached.call,
            root,
            hold: Arc::new([]),
            usage: Usage::Cached {
                key,
                miss: cached.miss.clone(),
            },
        };
        self.enter(id, entering)
    }

    /// The hash of an operation's names in the plan under which the request arrived.
    pub(super) fn salt(&self, id: Id, call: Call) -> u64 {
        let request = self.requests.get(self.request_of(id));
        let loaded = request.map_or(&self.loaded, |request| &request.loaded);
        loaded.salt(call)
    }

    /// The request of a task; for a task that has ended, an id that is not in use.
    pub(super) fn request_of(&self, id: Id) -> Id {
        self.tasks.get(id).map_or(id, |task| task.request)
    }

    /// The values that the expressions of a task read.
    pub(super) fn facts(&self, id: Id) -> Facts<'_> {
        let task = self.tasks.get(id);
        let request = task.and_then(|task| self.requests.get(task.request));
        Facts {
            input: request.map_or(&NULL, |request| &request.arrival.input),
            kept: request
                .and_then(|request| request.entry.as_ref())
                .map_or(&NULL, |entry| &entry.kept),
            item: task.and_then(|task| task.items.last()).unwrap_or(&NULL),
            stores: &self.stores,
        }
    }

    pub(super) fn value(&self, id: Id, path: &Path) -> &Value {
        self.facts(id).value(path)
    }

    pub(super) fn number(&self, id: Id, expression: &Expression) -> f64 {
        self.facts(id).number(expression)
    }

    /// The value of an expression as a number of repetitions.
    pub(super) fn count(&self, id: Id, expression: &Expression) -> u32 {
        self.number(id, expression).min(MAX_TIMES) as u32
    }
}

fn entering(visit: &Visit, root: Root) -> Entering {
    Entering {
        call: visit.call,
        root,
        hold: visit.hold.clone(),
        usage: Usage::Plain,
    }
}

fn chosen(shares: &[Share], unit: f64) -> Option<usize> {
    let mut up_to = 0.0;
    shares.iter().position(|share| {
        up_to += share.share;
        unit < up_to
    })
}

fn hash(value: &Value) -> u64 {
    let text = value.text().unwrap_or_default();
    Root::new(0).text(&text).draws(Purpose::Key).next_word()
}
