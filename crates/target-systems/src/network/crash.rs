//! Memory exhaustion, garbage collection, crashes of machines and their restart.

use std::time::Duration;

use super::event::{Class, Nanos, Resource, What};
use super::machine::State;
use super::memory::Pressure;
use super::outcome::{Cause, Failed};
use super::slab::Id;
use super::task::{Frame, Place, Visit};
use super::{Network, nanos};
use crate::plan::CrashAnswer;

/// An event at most this long before a bound is reached is scheduled for exactly that time.
const CLOSE: Nanos = 1_000_000;

/// When to check a level that reaches its bound at `at`: halfway there. Each leaking request brings the
/// bound nearer, and a scheduled event cannot be cancelled: events for the bound itself would be as many as
/// requests. An event scheduled halfway remains valid until the remaining time has halved.
fn look(now: Nanos, at: Nanos) -> Nanos {
    let left = at.saturating_sub(now);
    if left <= CLOSE { at } else { now + left / 2 }
}

impl Network {
    /// Crashes an instance on request. Returns false if there is no such instance, or it is not up.
    pub fn crash(&mut self, now: Duration, host: usize, instance: usize) -> bool {
        self.input_at(now);
        let machines = self.domains.get(host).map(|domain| &domain.machines);
        let machine = machines.and_then(|machines| machines.get(instance));
        if !machine.is_some_and(super::machine::Machine::is_up) {
            return false;
        }
        self.crash_machine(host, instance as u32);
        self.settle();
        true
    }

    /// Acts on the level of a machine's memory.
    pub(super) fn press(&mut self, host: usize, machine: u32) {
        let now = self.now;
        let one = &mut self.domains[host].machines[machine as usize];
        // A removed machine finishes its work; one that is down or starting has none yet.
        if one.memory.bounds.limit.is_none() || !one.is_up() {
            return;
        }
        let collections = one.memory.collections;
        let pressure = one.memory.settle(now, one.paused_until > now);
        let collected = one.memory.collections > collections;
        let life = one.life;
        if pressure == Pressure::Exceeded {
            self.exceeded.push((host, machine, life));
        } else if collected {
            self.stop_cpu(host, machine);
        }
        self.expect_memory(host, machine);
    }

    /// Schedules an event for the time at which a leak alone reaches the next bound.
    fn expect_memory(&mut self, host: usize, machine: u32) {
        let one = &mut self.domains[host].machines[machine as usize];
        let Some(at) = one.memory.next(self.now) else {
            return;
        };
        if one.memory.scheduled.is_some_and(|earlier| earlier <= at) {
            return;
        }
        let at = look(self.now, at);
        one.memory.scheduled = Some(at);
        let host = host as u32;
        self.schedule(at, Class::Departure, What::Memory { host, machine });
    }

    pub(super) fn memory_due(&mut self, host: usize, machine: u32, at: Nanos) {
        let one = &mut self.domains[host].machines[machine as usize];
        if one.memory.scheduled == Some(at) {
            one.memory.scheduled = None;
            self.press(host, machine);
        }
    }

    /// Stops the CPU during a garbage collection.
    fn stop_cpu(&mut self, host: usize, machine: u32) {
        let garbage = self.loaded.plan.hosts[host].garbage;
        let pause = garbage.map_or(0, |garbage| nanos(garbage.pause));
        if pause == 0 {
            return;
        }
        let now = self.now;
        let one = &mut self.domains[host].machines[machine as usize];
        one.paused += pause;
        one.paused_until = one.paused_until.max(now) + pause;
        one.cpu.set_paused(now, true);
        let at = one.paused_until;
        let host = host as u32;
        self.schedule(at, Class::Departure, What::Resume { host, machine });
    }

    pub(super) fn resume(&mut self, host: usize, machine: u32) {
        let one = &mut self.domains[host].machines[machine as usize];
        if one.paused_until <= self.now {
            one.cpu.set_paused(self.now, false);
            self.expect(host, machine, Resource::Cpu);
        }
    }

    /// Ends the work in flight on the machine, and removes its stored entries.
    pub(super) fn crash_machine(&mut self, host: usize, machine: u32) {
        let now = self.now;
        let rules = &self.loaded.plan.hosts[host];
        let one = &mut self.domains[host].machines[machine as usize];
        let removed = one.state == State::Off;
        one.crash(rules, now);
        let (life, up_at) = (one.life, one.up_at());
        if removed {
            one.state = State::Off;
        } else if let Some(at) = up_at {
            let host = host as u32;
            let what = What::Up {
                host,
                machine,
                life,
            };
            self.schedule(at, Class::Departure, what);
        }
        for component in 0..self.units.len() {
            if self.loaded.component(component).host == host {
                self.units[component].posts[machine as usize].clear(now);
            }
        }
        self.lose_stores(host, machine);
        self.lose_sockets(host, machine);
        self.doom(host);
        self.expect_memory(host, machine);
        self.domains[host].set_slowdown(&self.loaded.plan.hosts[host]);
    }

    /// Ends tasks with a visit on a crashed machine, or returns them to the frame that can repeat the
    /// visit.
    fn doom(&mut self, host: usize) {
        let failed = self.crash_answer(host);
        let tasks: Vec<Id> = self.tasks.ids().collect();
        for id in tasks {
            let Some(task) = self.tasks.get(id) else {
                continue;
            };
            let lost = |frame: &&Frame| matches!(frame, Frame::Visit(visit) if self.is_lost(visit));
            if !task.frames.iter().any(|frame| lost(&frame)) {
                continue;
            }
            // A stage on another machine is finished first, unless that machine has also crashed.
            let inside = task.frames.last().filter(lost).is_some();
            let place = task.place;
            if let Some(task) = self.tasks.get_mut(id) {
                task.failure.get_or_insert_with(|| failed.clone());
            }
            match place {
                Place::Children => {
                    self.abandon_children(id);
                    self.wake(id);
                }
                Place::Stage if !inside => {}
                Place::Slot | Place::Pool | Place::Hang | Place::Stage => self.wake(id),
                Place::Ready | Place::Running => {}
            }
        }
    }

    /// Whether the visit was on a machine that has crashed since.
    pub(super) fn is_lost(&self, visit: &Visit) -> bool {
        let machines = &self.domains[visit.host].machines;
        let machine = machines.get(visit.machine as usize);
        machine.is_some_and(|machine| machine.life != visit.life)
    }

    pub(super) fn crash_answer(&self, host: usize) -> Failed {
        let failed = Failed::new(Cause::Crashed);
        match self.loaded.plan.hosts[host].crash.in_flight {
            CrashAnswer::Status(status) => failed.with_status(status),
            CrashAnswer::Close => Failed {
                close: true,
                ..failed
            },
        }
    }

    /// Called when a machine begins to accept work.
    pub(super) fn up(&mut self, host: usize, machine: u32, life: u32) {
        let rules = &self.loaded.plan.hosts[host];
        let one = &mut self.domains[host].machines[machine as usize];
        if one.life != life || one.up_at().is_none_or(|at| at > self.now) {
            return;
        }
        one.state = State::Up;
        self.domains[host].set_slowdown(rules);
        self.press(host, machine);
        for component in 0..self.units.len() {
            if self.loaded.component(component).host == host {
                self.dispatch(component, machine);
            }
        }
    }
}
