//! Visits: a slot, then CPU, disk, link and service, then the steps of the hold.

use super::Network;
use super::drawn::Drawn;
use super::event::{Class, What};
use super::machine::State;
use super::outcome::{Cause, Failed};
use super::slab::Id;
use super::task::{Entering, Flow, Frame, Held, NOWHERE, Place, Stage, Task, Usage, Visit};
use super::wait_queue::Waiter;
use crate::plan::{Balance, Overflow};

/// The root of the random streams of a visit's hold.
const HOLD: u64 = u64::MAX;

impl Network {
    /// Chooses an instance and requests a slot.
    pub(super) fn enter(&mut self, id: Id, entering: Entering) -> Flow {
        let call = entering.call;
        let is_flow = call.component != self.loaded.edge;
        if is_flow
            && !matches!(entering.usage, Usage::Batch { .. })
            && let Err(failed) = self.charge(id, 1)
        {
            return Flow::Failed(failed);
        }
        let host = self.loaded.component(call.component).host;
        let salt = self.salt(id, call);
        let root = entering.root.word(salt);
        let tally = &mut self.units[call.component].tally;
        tally.begun += 1;
        tally.level.change(self.now, 1);
        let visit = Visit {
            call,
            host,
            machine: NOWHERE,
            life: 0,
            held: Held::Nothing,
            stage: Stage::Begin,
            root,
            entered: self.now,
            service_at: self.now,
            drawn: Drawn::NOTHING,
            disk: 0,
            link: 0,
            planned: 0,
            recorded: false,
            injected: None,
            hangs: false,
            hold: entering.hold,
            usage: entering.usage,
        };
        self.push_frame(id, Frame::Visit(Box::new(visit)));
        match self.choose(call.component, root) {
            Err(failed) => Flow::Failed(failed),
            Ok(_) if self.is_shared(call.component) => self.ask_any(id, call.component),
            Ok(machine) => {
                let down = self.domains[host].machines[machine as usize].state;
                self.units[call.component].posts[machine as usize].sent += 1;
                if matches!(down, State::Down { .. }) {
                    return Flow::Failed(self.crash_answer(host));
                }
                self.place(id, machine);
                self.ask(id, call.component, machine)
            }
        }
    }

    fn is_shared(&self, component: usize) -> bool {
        self.loaded.component(component).balance == Balance::SharedQueue
    }

    /// Assigns the visit to a machine.
    fn place(&mut self, id: Id, machine: u32) {
        let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) else {
            return;
        };
        let (host, component) = (visit.host, visit.call.component);
        let domain = &mut self.domains[host].machines[machine as usize];
        visit.machine = machine;
        visit.life = domain.life;
        self.units[component].posts[machine as usize].present += 1;
        if self.loaded.counts_in_flight(component) {
            domain.memory.enter();
            self.press(host, machine);
        }
    }

    fn ask(&mut self, id: Id, component: usize, machine: u32) -> Flow {
        let rules = self.loaded.component(component);
        let post = &mut self.units[component].posts[machine as usize];
        if post.line.waiting() == 0 && post.has_room(rules) {
            return self.take_slot(id);
        }
        if post.line.waiting() >= rules.queue.capacity {
            return self.overflow(id, component);
        }
        let wait = self.wait_for_slot(id, component);
        let line = &mut self.units[component].posts[machine as usize].line;
        line.push(Waiter { task: id, wait });
        Flow::Wait
    }

    fn ask_any(&mut self, id: Id, component: usize) -> Flow {
        let waiting = self.units[component].shared.waiting();
        if waiting == 0
            && let Some(machine) = self.free_machine(component)
        {
            self.units[component].posts[machine as usize].sent += 1;
            self.place(id, machine);
            return self.take_slot(id);
        }
        if waiting >= self.loaded.component(component).queue.capacity {
            return self.overflow(id, component);
        }
        let wait = self.wait_for_slot(id, component);
        self.units[component].shared.push(Waiter { task: id, wait });
        Flow::Wait
    }

    fn overflow(&mut self, id: Id, component: usize) -> Flow {
        match self.loaded.component(component).queue.overflow {
            Overflow::Reject(status) => {
                Flow::Failed(Failed::new(Cause::QueueFull).with_status(status))
            }
            Overflow::Hang => {
                self.rest(id, Place::Hang);
                Flow::Wait
            }
        }
    }

    fn wait_for_slot(&mut self, id: Id, component: usize) -> u32 {
        self.units[component].tally.waited += 1;
        let request = self.request_of(id);
        if let Some(request) = self.requests.get_mut(request) {
            request.waited = true;
        }
        if let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) {
            visit.held = Held::Waiting;
        }
        let wait = self.rest(id, Place::Slot);
        if let Some(patience) = self.loaded.component(component).queue.patience {
            let at = self.after(patience);
            self.schedule(at, Class::Expiry, What::Patience { task: id, wait });
        }
        wait
    }

    fn take_slot(&mut self, id: Id) -> Flow {
        if let Some(visit) = self.tasks.get_mut(id).and_then(Task::visit) {
            visit.held = Held::Slot;
            let (component, machine) = (visit.call.component, visit.machine);
            let unit = &mut self.units[component];
            unit.posts[machine as usize].busy += 1;
            unit.tally.wait += u128::from(self.now - visit.entered);
        }
        Flow::On
    }

    /// Assigns free slots of a machine to waiting requests.
    pub(super) fn dispatch(&mut self, component: usize, machine: u32) {
        loop {
            let rules = self.loaded.component(component);
            let (host, shared) = (rules.host, self.is_shared(component));
            let unit = &mut self.units[component];
            let post = &mut unit.posts[machine as usize];
            let up = self.domains[host].machines[machine as usize].is_up();
            let tasks = &self.tasks;
            let still = |waiter: Waiter| {
                let task = tasks.get(waiter.task);
                task.is_some_and(|task| task.wait == waiter.wait)
            };
            if !post.has_room(rules) {
                return;
            }
            // The other queue may have entries from before a change of the balancing.
            let mut next = post.line.pop(rules.queue.discipline, still);
            if next.is_none() && up {
                next = unit.shared.pop(rules.queue.discipline, still);
                if next.is_some() && shared {
                    post.sent += 1;
                }
            }
            let Some(id) = next else {
                return;
            };
            let nowhere = |visit: &&mut Visit| visit.machine == NOWHERE;
            let visit = self.tasks.get_mut(id).and_then(Task::visit);
            if visit.filter(nowhere).is_some() {
                self.place(id, machine);
            }
            self.take_slot(id);
            self.wake(id);
        }
    }

    pub(super) fn out_of_patience(&mut self, id: Id, wait: u32) {
        let waits =
            |task: &&mut Task| task.wait == wait && matches!(task.place, Place::Slot | Place::Pool);
        let Some(task) = self.tasks.get_mut(id).filter(waits) else {
            return;
        };
        let cause = match task.place {
            Place::Pool => Cause::PoolExhausted,
            _ => Cause::QueueTimeout,
        };
        task.failure = Some(Failed::new(cause));
        self.wake(id);
    }

    /// Called when the visit's own demands are complete.
    pub(super) fn complete(&mut self, id: Id) -> Flow {
        let Some(task) = self.tasks.get_mut(id) else {
            return Flow::Wait;
        };
        let Some(Frame::Visit(visit)) = task.frames.last_mut() else {
            return Flow::On;
        };
        task.planned += visit.planned;
        let injected = visit.injected.take();
        let (hold, root) = (visit.hold.clone(), visit.root.word(HOLD));
        self.record(id, injected.as_ref());
        match injected {
            Some(failed) => Flow::Failed(failed),
            None if hold.is_empty() => {
                self.leave_visit(id);
                Flow::On
            }
            None => self.inside(id, &hold, root),
        }
    }

    /// Releases the slot, and continues with the purpose of the visit.
    pub(super) fn leave_visit(&mut self, id: Id) {
        let Some(Frame::Visit(mut visit)) = self.tasks.get_mut(id).and_then(|one| one.frames.pop())
        else {
            return;
        };
        let usage = std::mem::replace(&mut visit.usage, Usage::Plain);
        let (component, machine, life) = (visit.call.component, visit.machine, visit.life);
        let root = visit.root.word(HOLD);
        self.close(id, *visit, None);
        match usage {
            Usage::Plain => {}
            Usage::Batch { messages, .. } => self.delivered(messages),
            Usage::Cached { key, miss } => {
                let cache = &mut self.units[component].posts[machine as usize].cache;
                if !cache.look_up(key, self.now) {
                    self.push_frame(
                        id,
                        Frame::Fill {
                            component,
                            machine,
                            life,
                            key,
                        },
                    );
                    self.inside(id, &miss, root);
                }
            }
        }
    }

    /// Ends a visit.
    pub(super) fn close(&mut self, id: Id, visit: Visit, failure: Option<&Failed>) {
        let component = visit.call.component;
        if let Some(failed) = failure.filter(|_| !visit.recorded) {
            self.push_record(id, &visit, Some(failed));
        }
        let now = self.now;
        let tally = &mut self.units[component].tally;
        tally.level.change(now, -1);
        tally.residence += u128::from(now - visit.entered);
        match failure {
            None => tally.completed += 1,
            Some(_) => tally.failed += 1,
        }
        if visit.held == Held::Waiting {
            tally.wait += u128::from(now - visit.entered);
        }
        self.take_off(&visit);
        if let (Usage::Batch { messages, .. }, Some(failed)) = (visit.usage, failure) {
            self.undelivered(messages, failed);
        }
    }

    /// Removes a visit from its machine and its slot.
    fn take_off(&mut self, visit: &Visit) {
        let (component, machine) = (visit.call.component, visit.machine);
        let tasks = &self.tasks;
        let still = |waiter: Waiter| {
            let task = tasks.get(waiter.task);
            task.is_some_and(|task| task.wait == waiter.wait)
        };
        let unit = &mut self.units[component];
        if machine == NOWHERE {
            if visit.held == Held::Waiting {
                unit.shared.left(still);
            }
            return;
        }
        let one = &mut self.domains[visit.host].machines[machine as usize];
        if one.life != visit.life {
            return;
        }
        let post = &mut unit.posts[machine as usize];
        post.present -= 1;
        if self.loaded.counts_in_flight(component) {
            one.memory.exit();
        }
        match visit.held {
            Held::Nothing => {}
            Held::Waiting => post.line.left(still),
            Held::Slot => {
                post.busy -= 1;
                self.dispatch(component, machine);
            }
        }
    }
}
