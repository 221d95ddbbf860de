//! The state of a system between requests: entries with rows and a state, bounded.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::event::Nanos;
use crate::plan::{AtCapacity, Value};

/// The data under one id.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Distinguishes it from an earlier entry with the same id.
    number: u64,
    pub(super) state: usize,
    pub(super) rows: usize,
    /// Moves to a state before the last.
    pub(super) steps: u32,
    pub(super) kept: Value,
    pub(super) created: Nanos,
    expires: Nanos,
    /// Whether the work for it failed.
    pub(super) failed: bool,
    /// The machine whose memory it uses.
    pub(super) machine: u32,
}

/// The rules of a store, times in model time (aged).
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) capacity: usize,
    pub(super) per_key: usize,
    pub(super) ttl: Option<Nanos>,
    pub(super) retain_after_end: Option<Nanos>,
    pub(super) last_state: usize,
    pub(super) at_capacity: AtCapacity,
}

/// The reason why a write failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Missing,
    /// A move backwards, or out of the last state.
    Conflict,
}

#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) rules: Rules,
    entries: HashMap<Arc<str>, Entry, FixedState>,
    /// Oldest first; removed entries stay until they reach the front.
    order: VecDeque<(u64, Arc<str>)>,
    expiries: BinaryHeap<Reverse<(Nanos, u64, Arc<str>)>>,
    rows: usize,
    /// The number of rows that were populated without a request; their ids are 1 and so on.
    populated: usize,
    /// How many of these were evicted. They count as the oldest of the store.
    driven_out: usize,
    numbers: u64,
    pub(super) evicted: u64,
    pub(super) expired: u64,
    pub(super) refused: u64,
    pub(super) lost: u64,
    /// The earliest scheduled event for this store.
    pub(super) scheduled: Option<Nanos>,
    /// Rows on each machine; those without ids are on the first.
    on_machine: Vec<usize>,
    /// Machines whose rows have changed since the last call.
    pub(super) changed: Vec<u32>,
}

impl Store {
    pub(super) fn new(rules: Rules, populate: usize) -> Self {
        let mut store = Self {
            rules,
            entries: HashMap::with_hasher(FixedState::default()),
            order: VecDeque::new(),
            expiries: BinaryHeap::new(),
            rows: 0,
            populated: 0,
            driven_out: 0,
            numbers: 0,
            evicted: 0,
            expired: 0,
            refused: 0,
            lost: 0,
            scheduled: None,
            on_machine: Vec::new(),
            changed: Vec::new(),
        };
        store.populate(populate);
        store
    }

    /// Adds rows, as far as there is space. Their ids are numbers from 1.
    pub(super) fn populate(&mut self, rows: usize) {
        let rows = rows.min(self.rules.capacity.saturating_sub(self.rows));
        self.populated += rows;
        self.count(0, rows as isize);
    }

    /// Removes populated rows, the last first.
    pub(super) fn withdraw(&mut self, rows: usize) {
        let rows = rows.min(self.populated());
        self.populated -= rows;
        self.count(0, -(rows as isize));
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Populated rows that are still there.
    pub(super) fn populated(&self) -> usize {
        self.populated.saturating_sub(self.driven_out)
    }

    pub(super) fn entries(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Whether there is an entry with this id, or a populated row with this number.
    pub(super) fn has(&self, id: &str) -> bool {
        let is_populated = |number: usize| number > self.driven_out && number <= self.populated;
        self.entries.contains_key(id) || id.parse().is_ok_and(is_populated)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    /// Creates an entry of one row, or touches the existing one.
    pub(super) fn create(
        &mut self,
        now: Nanos,
        id: &Arc<str>,
        state: usize,
        machine: u32,
    ) -> Result<&mut Entry, Refused> {
        if !self.entries.contains_key(id) {
            self.make_room()?;
            self.numbers += 1;
            let entry = Entry {
                number: self.numbers,
                state,
                rows: 1,
                steps: 0,
                kept: Value::Null,
                created: now,
                expires: Nanos::MAX,
                failed: false,
                machine,
            };
            self.order.push_back((self.numbers, id.clone()));
            self.entries.insert(id.clone(), entry);
            self.count(machine, 1);
            self.tidy();
        }
        self.touch(now, id);
        self.entries.get_mut(id).ok_or(Refused::Missing)
    }

    /// Adds a row under an id; the first one creates the entry.
    pub(super) fn append(
        &mut self,
        now: Nanos,
        id: &Arc<str>,
        machine: u32,
    ) -> Result<(), Refused> {
        let per_key = self.rules.per_key;
        match self.entries.get(id) {
            None => return self.create(now, id, 0, machine).map(|_| ()),
            Some(entry) if entry.rows >= per_key => self.evicted += 1,
            Some(_) => {
                self.make_room()?;
                // The eviction may have removed this very entry.
                let Some(entry) = self.entries.get_mut(id) else {
                    return self.create(now, id, 0, machine).map(|_| ());
                };
                entry.rows += 1;
                let machine = entry.machine;
                self.count(machine, 1);
            }
        }
        self.touch(now, id);
        Ok(())
    }

    /// Moves an entry forward, or leaves it in a state before the last.
    pub(super) fn advance(
        &mut self,
        now: Nanos,
        id: &Arc<str>,
        state: usize,
    ) -> Result<(), Refused> {
        let last = self.rules.last_state;
        let entry = self.entries.get_mut(id).ok_or(Refused::Missing)?;
        if state < entry.state || (entry.state == last && last > 0) {
            return Err(Refused::Conflict);
        }
        entry.state = state;
        entry.steps += u32::from(state < last);
        self.touch(now, id);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        let Some(entry) = self.entries.remove(id) else {
            return false;
        };
        self.count(entry.machine, -(entry.rows as isize));
        self.tidy();
        true
    }

    /// Removes the entries on a machine.
    pub(super) fn lose(&mut self, machine: u32) {
        self.entries.retain(|_, entry| entry.machine != machine);
        if machine == 0 {
            self.populated = 0;
            self.driven_out = 0;
        }
        let lost = self.on(machine);
        self.lost += lost as u64;
        self.count(machine, -(lost as isize));
        self.tidy();
    }

    /// The number of rows on a machine.
    pub(super) fn on(&self, machine: u32) -> usize {
        self.on_machine.get(machine as usize).copied().unwrap_or(0)
    }

    /// When the next entry may expire.
    pub(super) fn next_expiry(&self) -> Option<Nanos> {
        self.expiries.peek().map(|Reverse((at, ..))| *at)
    }

    /// Removes the entries that have expired by `now`.
    pub(super) fn expire(&mut self, now: Nanos) {
        while self.next_expiry().is_some_and(|at| at <= now)
            && let Some(Reverse((at, number, id))) = self.expiries.pop()
        {
            let is_it = |entry: &Entry| entry.number == number && entry.expires == at;
            if self.entries.get(&id).is_some_and(is_it) {
                self.expired += 1;
                self.remove(&id);
            }
        }
    }

    fn touch(&mut self, now: Nanos, id: &Arc<str>) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let at_end = entry.state == self.rules.last_state && self.rules.last_state > 0;
        let retained = self.rules.retain_after_end.filter(|_| at_end);
        let Some(ttl) = retained.or(self.rules.ttl) else {
            return;
        };
        let expires = now.saturating_add(ttl);
        if entry.expires != expires {
            entry.expires = expires;
            self.expiries
                .push(Reverse((expires, entry.number, id.clone())));
            self.tidy();
        }
    }

    fn make_room(&mut self) -> Result<(), Refused> {
        while self.rows >= self.rules.capacity {
            if self.rules.at_capacity == AtCapacity::Refuse || !self.drive_out_oldest() {
                self.refused += 1;
                return Err(Refused::Full);
            }
        }
        Ok(())
    }

    /// Evicts the oldest row without an id of a request, or the oldest entry with all of its rows. Returns false
    /// if there is none.
    fn drive_out_oldest(&mut self) -> bool {
        if self.driven_out < self.populated {
            self.driven_out += 1;
            self.evicted += 1;
            self.count(0, -1);
            return true;
        }
        while let Some((number, id)) = self.order.pop_front() {
            if self.entries.get(&id).is_some_and(|e| e.number == number) {
                self.evicted += 1;
                return self.remove(&id);
            }
        }
        false
    }

    fn count(&mut self, machine: u32, rows: isize) {
        if rows == 0 {
            return;
        }
        let place = machine as usize;
        if place >= self.on_machine.len() {
            self.on_machine.resize(place + 1, 0);
        }
        self.rows = self.rows.saturating_add_signed(rows);
        self.on_machine[place] = self.on_machine[place].saturating_add_signed(rows);
        if !self.changed.contains(&machine) {
            self.changed.push(machine);
        }
    }

    /// Bounds the number of removed entries in the order by that of the existing ones.
    fn tidy(&mut self) {
        let bound = 2 * self.entries.len() + 64;
        let entries = &self.entries;
        if self.order.len() > bound {
            let there = |number: u64, id: &str| entries.get(id).is_some_and(|e| e.number == number);
            self.order.retain(|(number, id)| there(*number, id));
        }
        if self.expiries.len() > bound {
            self.expiries.retain(|Reverse((at, number, id))| {
                let it = entries.get(id);
                it.is_some_and(|e| e.number == *number && e.expires == *at)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules() -> Rules {
        Rules {
            capacity: 100,
            per_key: usize::MAX,
            ttl: Some(1_000),
            retain_after_end: Some(10),
            last_state: 2,
            at_capacity: AtCapacity::Refuse,
        }
    }

    #[test]
    fn an_entry_moves_forward_and_leaves_the_last_state_never() {
        let mut store = Store::new(rules(), 0);
        let id: Arc<str> = "a".into();
        store.create(0, &id, 0, 0).expect("room");
        for _ in 0..3 {
            assert_eq!(store.advance(1, &id, 1), Ok(()));
        }
        assert_eq!(store.advance(1, &id, 0), Err(Refused::Conflict));
        assert_eq!(store.advance(2, &id, 2), Ok(()));
        assert_eq!(store.advance(3, &id, 2), Err(Refused::Conflict));
        assert_eq!(store.get("a").map(|entry| entry.steps), Some(3));
        assert_eq!(store.advance(3, &"b".into(), 2), Err(Refused::Missing));
        store.expire(11);
        assert_eq!(store.rows(), 1);
        store.expire(12);
        assert_eq!((store.rows(), store.expired), (0, 1));
    }

    #[test]
    fn a_row_too_many_under_one_id_drives_out_its_oldest() {
        let mut store = Store::new(
            Rules {
                per_key: 3,
                ..rules()
            },
            0,
        );
        for now in 0..10 {
            assert_eq!(store.append(now, &"a".into(), 0), Ok(()));
        }
        assert_eq!((store.rows(), store.evicted), (3, 7));
    }

    #[test]
    fn populated_rows_make_room_where_the_store_evicts_and_only_there() {
        let store = |at_capacity| {
            let rules = Rules {
                capacity: 3,
                at_capacity,
                ..rules()
            };
            Store::new(rules, 3)
        };
        let mut refusing = store(AtCapacity::Refuse);
        assert_eq!(refusing.append(0, &"a".into(), 0), Err(Refused::Full));
        assert_eq!((refusing.refused, refusing.has("1")), (1, true));
        let mut evicting = store(AtCapacity::Evict);
        for key in ["a", "b"] {
            assert_eq!(evicting.append(0, &key.into(), 0), Ok(()), "{key}");
        }
        let left = ["1", "2", "3", "a", "b"].map(|id| evicting.has(id));
        assert_eq!(left, [false, false, true, true, true]);
        for key in ["c", "d"] {
            assert_eq!(evicting.append(0, &key.into(), 0), Ok(()), "{key}");
        }
        let left = ["3", "a", "b", "c", "d"].map(|id| evicting.has(id));
        assert_eq!(left, [false, false, true, true, true]);
        assert_eq!((evicting.rows(), evicting.evicted), (3, 4));
        // Evicted rows cannot be removed again.
        evicting.withdraw(2);
        assert_eq!((evicting.rows(), evicting.has("d")), (3, true));
        // Rows lost with their machine are not evicted again.
        evicting.lose(0);
        evicting.populate(5);
        evicting.withdraw(1);
        let left = ["1", "2", "3"].map(|id| evicting.has(id));
        assert_eq!((evicting.rows(), left), (2, [true, true, false]));
    }

    proptest! {
        #[test]
        fn a_store_is_bounded_and_counts_every_row(
            evict in any::<bool>(),
            capacity in 0usize..6,
            steps in prop::collection::vec((0u8..7, 0u8..8, 0u64..400), 0..300),
        ) {
            let at_capacity = if evict { AtCapacity::Evict } else { AtCapacity::Refuse };
            let mut store = Store::new(Rules { capacity, at_capacity, per_key: 3, ..rules() }, 2);
            let mut now = 0;
            for (what, key, passed) in steps {
                now += passed;
                store.expire(now);
                let id: Arc<str> = key.to_string().into();
                match what {
                    0 => drop(store.create(now, &id, 0, 0).map(|_| ())),
                    1 => drop(store.append(now, &id, 0)),
                    2 => drop(store.advance(now, &id, usize::from(key) % 3)),
                    3 => drop(store.remove(&id)),
                    4 => store.populate(usize::from(key)),
                    5 => store.withdraw(usize::from(key)),
                    _ => store.lose(u32::from(key) % 2),
                }
                prop_assert!(store.rows() <= capacity);
                let on_machines: usize = store.on_machine.iter().sum();
                prop_assert_eq!(on_machines, store.rows());
                let bound = 2 * store.entries() + 65;
                prop_assert!(store.order.len() <= bound && store.expiries.len() <= bound);
            }
        }
    }
}
