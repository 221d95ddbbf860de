//! State steps, and background work.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::draw::{Purpose, Root};

use super::Network;
use super::event::{Class, Nanos, What};
use super::machine::State;
use super::outcome::{Cause, Failed};
use super::slab::Id;
use super::store::Refused;
use super::task::{Flow, Frame, Task, Touched};
use crate::plan::{Identity, Later, StateAction, StateStep, Value};

/// Maximum length in bytes of an id chosen by a client.
const MAX_ID: usize = 128;

impl Network {
    pub(super) fn state(&mut self, id: Id, step: &StateStep, root: Root) -> Flow {
        let entry = match self.identity(id, step, root) {
            Ok(entry) => entry,
            Err(failed) => return Flow::Failed(failed),
        };
        let done = self.act(id, step, &entry);
        self.stored(step.store);
        if let Err(refused) = done {
            return Flow::Failed(failed(refused));
        }
        if let Identity::Drawn(name) = &step.id {
            self.name_id(id, name, &entry);
        }
        self.touched(id, step.store, &entry);
        Flow::On
    }

    fn act(&mut self, id: Id, step: &StateStep, entry: &Arc<str>) -> Result<(), Refused> {
        let now = self.now;
        let place = step.store;
        match &step.action {
            StateAction::Create { state, keep } => {
                let fields = keep
                    .iter()
                    .map(|(name, path)| (name.clone(), self.value(id, path).clone()));
                let kept = Value::Map(fields.collect());
                self.create(place, entry, *state, kept)
            }
            StateAction::Append => {
                let machine = self.machine_for(place, entry)?;
                self.stores[place].append(now, entry, machine)
            }
            StateAction::Advance { state } => self.stores[place].advance(now, entry, *state),
            StateAction::Require if self.stores[place].has(entry) => Ok(()),
            StateAction::Require => Err(Refused::Missing),
            StateAction::Read => Ok(()),
            StateAction::Remove => {
                self.stores[place].remove(entry);
                Ok(())
            }
        }
    }

    fn create(
        &mut self,
        place: usize,
        entry: &Arc<str>,
        state: usize,
        kept: Value,
    ) -> Result<(), Refused> {
        let machine = self.machine_for(place, entry)?;
        let there = self.stores[place].get(entry).is_some();
        let made = self.stores[place].create(self.now, entry, state, machine)?;
        if !there {
            made.kept = kept;
        }
        Ok(())
    }

    fn identity(&self, id: Id, step: &StateStep, root: Root) -> Result<Arc<str>, Failed> {
        match &step.id {
            Identity::Drawn(_) => Ok(self.draw_id(step.store, root)),
            Identity::Given(path) => self
                .value(id, path)
                .text()
                .filter(|text| text.len() <= MAX_ID)
                .map(|text| text.as_ref().into())
                .ok_or_else(|| Failed::new(Cause::BadRequest)),
            Identity::Current => {
                let request = self.requests.get(self.request_of(id));
                let current = request.map(|request| request.current.iter());
                let mut current = current.into_iter().flatten();
                let found = current.find(|(store, _)| *store == step.store);
                found
                    .map(|(_, entry)| entry.clone())
                    .ok_or_else(|| Failed::new(Cause::NotFound))
            }
        }
    }

    /// A random id of a store in the form of a UUID.
    fn draw_id(&self, store: usize, root: Root) -> Arc<str> {
        let name = &self.loaded.plan.stores[store].name;
        let mut draws = root.text(name).draws(Purpose::Identity);
        let (high, low) = (draws.next_word(), draws.next_word());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff,
        )
        .into()
    }

    /// The machine of an existing or new entry.
    fn machine_for(&mut self, store: usize, id: &str) -> Result<u32, Refused> {
        let rules = &self.loaded.plan.stores[store];
        if let Some(entry) = self.stores[store].get(id) {
            return Ok(entry.machine);
        }
        let Some(host) = rules.host else {
            return Ok(0);
        };
        let machines = &self.domains[host].machines;
        let up: Vec<usize> = (0..machines.len())
            .filter(|&place| machines[place].state == State::Up)
            .collect();
        let drawn = Root::new(0).text(id).draws(Purpose::Balance).next_word();
        let place = match up.len() {
            0 => 0,
            count => up[drawn as usize % count],
        };
        let limit_mb = self.loaded.plan.hosts[host].disk_mb;
        let used_kb = machines[place].memory.stores + rules.per_entry_kb;
        if limit_mb.is_some_and(|limit_mb| used_kb > limit_mb * 1024.0) {
            self.stores[store].refused += 1;
            return Err(Refused::Full);
        }
        Ok(place as u32)
    }

    /// Records that the request uses the entry, which becomes its current one in the store.
    fn touched(&mut self, id: Id, store: usize, entry: &Arc<str>) {
        let seen = self.stores[store].get(entry).map(|one| Touched {
            store,
            id: entry.clone(),
            state: one.state,
            rows: one.rows,
            steps: one.steps,
            created: Duration::from_nanos(one.created),
            kept: one.kept.clone(),
            failed: one.failed,
        });
        let request = self.request_of(id);
        let Some(request) = self.requests.get_mut(request) else {
            return;
        };
        request.current.retain(|(other, _)| *other != store);
        request.current.push((store, entry.clone()));
        request.entry = seen;
    }

    fn name_id(&mut self, id: Id, name: &Arc<str>, entry: &Arc<str>) {
        let request = self.request_of(id);
        if let Some(request) = self.requests.get_mut(request) {
            request.ids.push((name.clone(), entry.clone()));
        }
    }

    /// Updates memory and expiry after a change of a store.
    pub(super) fn stored(&mut self, place: usize) {
        let host = self.loaded.plan.stores[place].host;
        let changed = std::mem::take(&mut self.stores[place].changed);
        for machine in changed {
            if let Some(host) = host {
                self.recount_stores(host, machine);
                self.press(host, machine);
            }
        }
        let store = &mut self.stores[place];
        let scheduled = store.scheduled;
        let next = store.next_expiry();
        if let Some(at) = next.filter(|at| scheduled.is_none_or(|earlier| *at < earlier)) {
            store.scheduled = Some(at);
            let store = place as u32;
            self.schedule(at, Class::Expiry, What::Store { store });
        }
    }

    fn recount_stores(&mut self, host: usize, machine: u32) {
        let stores = self.loaded.plan.stores.iter().zip(&self.stores);
        let kb = stores
            .filter(|(rules, _)| rules.host == Some(host))
            .map(|(rules, store)| rules.per_entry_kb * store.on(machine) as f64)
            .sum();
        if let Some(machine) = self.domains[host].machines.get_mut(machine as usize) {
            machine.memory.stores = kb;
        }
    }

    pub(super) fn store_due(&mut self, place: usize, at: Nanos) {
        let store = &mut self.stores[place];
        if store.scheduled == Some(at) {
            store.scheduled = None;
        }
        store.expire(at);
        self.stored(place);
    }

    pub(super) fn lose_stores(&mut self, host: usize, machine: u32) {
        for place in 0..self.stores.len() {
            if self.loaded.plan.stores[place].host == Some(host) {
                self.stores[place].lose(machine);
                self.stored(place);
            }
        }
    }

    /// Adds rows without ids to a store, as far as there is space.
    pub fn populate(&mut self, now: Duration, store: usize, rows: usize) -> bool {
        self.input_at(now);
        if store >= self.stores.len() {
            return false;
        }
        self.stores[store].populate(rows);
        self.stored(store);
        self.settle();
        true
    }

    /// Removes rows without ids, the last first, as far as there are any.
    pub fn withdraw(&mut self, now: Duration, store: usize, rows: usize) -> bool {
        self.input_at(now);
        if store >= self.stores.len() {
            return false;
        }
        self.stores[store].withdraw(rows);
        self.stored(store);
        self.settle();
        true
    }

    /// Continues in the background, as a job whose entry shows its progress.
    pub(super) fn later(&mut self, id: Id, later: &Later, root: Root) -> Flow {
        let job = self.draw_id(later.store, root);
        let made = self.create(later.store, &job, 0, Value::Null);
        self.stored(later.store);
        if let Err(refused) = made {
            return Flow::Failed(failed(refused));
        }
        self.name_id(id, &later.id, &job);
        self.touched(id, later.store, &job);
        let frames = vec![
            Frame::Job {
                store: later.store,
                id: job,
                workers: later.workers,
            },
            Frame::Steps {
                block: later.block.clone(),
                next: 0,
                root,
            },
        ];
        let waits = later.wait.as_ref();
        if waits.is_some_and(|path| self.value(id, path).is_set()) {
            frames
                .into_iter()
                .for_each(|frame| self.push_frame(id, frame));
            return Flow::On;
        }
        let Some(parent) = self.tasks.get(id) else {
            return Flow::Wait;
        };
        let mut task = Task::new(parent.request, frames);
        task.items = parent.items.clone();
        task.background = true;
        task.counted = true;
        self.ledger.background_begun += 1;
        self.spawn(task);
        Flow::On
    }

    /// Called when a visit to the workers of a job has begun.
    pub(super) fn job_runs(&mut self, id: Id, component: usize) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let is_its =
            |frame: &&Frame| matches!(frame, Frame::Job { workers, .. } if *workers == component);
        if let Some(Frame::Job { store, id, .. }) = task.frames.iter().rfind(is_its) {
            let (store, id) = (*store, id.clone());
            if self.stores[store]
                .get(&id)
                .is_some_and(|entry| entry.state == 0)
            {
                // A job whose entry has expired continues without it.
                let _ = self.stores[store].advance(self.now, &id, 1);
                self.stored(store);
            }
        }
    }

    pub(super) fn job_ended(&mut self, store: usize, id: &Arc<str>, succeeded: bool) {
        let last = self.stores[store].rules.last_state;
        if succeeded {
            // A job whose entry has expired ends without it.
            let _ = self.stores[store].advance(self.now, id, last);
        } else if let Some(entry) = self.stores[store].get_mut(id) {
            entry.failed = true;
        }
        self.stored(store);
    }
}

fn failed(refused: Refused) -> Failed {
    Failed::new(match refused {
        Refused::Full => Cause::DiskFull,
        Refused::Missing => Cause::NotFound,
        Refused::Conflict => Cause::Conflict,
    })
}
