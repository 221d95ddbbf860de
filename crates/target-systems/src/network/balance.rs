//! Chooses the instance of a visit.

use std::time::Duration;

use fault_profile::draw::{Purpose, Root};

use super::Network;
use super::machine::Machine;
use super::outcome::{Cause, Failed};
use crate::plan::Balance;

impl Network {
    /// The machine for a visit to a component.
    ///
    /// # Errors
    /// `unavailable` if no machine accepts work.
    pub(super) fn choose(&mut self, component: usize, root: Root) -> Result<u32, Failed> {
        let rules = self.loaded.component(component);
        let (host, balance) = (rules.host, rules.balance);
        let now = self.now;
        let machines = &self.domains[host].machines;
        let count = machines.len();
        let takes_work = |place: &usize| machines[*place].in_rotation(now);
        let unit = &mut self.units[component];
        // One round, beginning after the last chosen machine.
        let turn = unit.turn % count.max(1);
        let round = || (turn..count).chain(0..turn).filter(takes_work);
        let chosen = match balance {
            Balance::RoundRobin | Balance::SharedQueue => round().next(),
            Balance::LeastInFlight => round().min_by_key(|&place| unit.posts[place].present),
            Balance::Random => {
                let candidates = (0..count).filter(takes_work).count();
                let drawn = root.unit(Purpose::Balance) * candidates as f64;
                (0..count).filter(takes_work).nth(drawn as usize)
            }
        };
        let Some(chosen) = chosen else {
            return Err(self.unavailable(host));
        };
        unit.turn = chosen + 1;
        Ok(chosen as u32)
    }

    /// The machine with a free slot for a visit to a component with one queue.
    pub(super) fn free_machine(&self, component: usize) -> Option<u32> {
        let rules = self.loaded.component(component);
        let machines = &self.domains[rules.host].machines;
        let posts = &self.units[component].posts;
        let is_free = |place: &usize| machines[*place].is_up() && posts[*place].has_room(rules);
        (0..machines.len())
            .filter(is_free)
            .min_by_key(|&place| posts[place].busy)
            .map(|place| place as u32)
    }

    fn unavailable(&self, host: usize) -> Failed {
        let machines = self.domains[host].machines.iter();
        let failed = Failed::new(Cause::Unavailable);
        match machines.filter_map(Machine::up_at).min() {
            Some(at) => failed.retry_after(Duration::from_nanos(at.saturating_sub(self.now))),
            None => failed,
        }
    }
}
