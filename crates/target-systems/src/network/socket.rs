//! Open connections of a hub: bounded, and memory for each.

use std::time::Duration;

use super::Network;
use super::outcome::{Cause, Failed};
use super::slab::Id;

/// The id of an open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Socket(u64);

impl Socket {
    /// The form used in logs.
    pub fn word(self) -> u64 {
        self.0
    }

    /// The connection recorded in a log.
    pub fn from_word(word: u64) -> Self {
        Self(word)
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    component: usize,
    machine: u32,
    number: u64,
}

impl Network {
    /// Opens a connection to a component with a hub.
    ///
    /// # Errors
    /// `unavailable` if the maximum is reached, or no instance is up; `not_found` for a component without a
    /// hub.
    pub fn open(&mut self, now: Duration, component: usize) -> Result<Socket, Failed> {
        self.input_at(now);
        let rules = self.loaded.plan.components.get(component);
        let Some((host, hub)) = rules.and_then(|rules| Some((rules.host, rules.hub?))) else {
            return Err(Failed::new(Cause::NotFound));
        };
        let posts = &self.units[component].posts;
        let open: usize = posts.iter().map(|post| post.connections).sum();
        if open >= hub.max_connections {
            return Err(Failed::new(Cause::Unavailable));
        }
        let number = self.units[component].tally.connected;
        let machine = self.choose(component, self.loaded.root.word(number))?;
        if !self.domains[host].machines[machine as usize].is_up() {
            return Err(self.crash_answer(host));
        }
        self.units[component].tally.connected += 1;
        self.units[component].posts[machine as usize].connections += 1;
        let id = self.sockets.insert(Connection {
            component,
            machine,
            number,
        });
        self.recount_sockets(host, machine);
        self.press(host, machine);
        self.settle();
        Ok(Socket(id.word()))
    }

    /// Closes a connection. Returns false if it was not open.
    pub fn close_socket(&mut self, now: Duration, socket: Socket) -> bool {
        self.input_at(now);
        let Some(connection) = self.sockets.remove(Id::from_word(socket.0)) else {
            return false;
        };
        let (component, machine) = (connection.component, connection.machine);
        self.units[component].posts[machine as usize].connections -= 1;
        let host = self.loaded.component(component).host;
        self.recount_sockets(host, machine);
        true
    }

    fn recount_sockets(&mut self, host: usize, machine: u32) {
        let components = self.loaded.plan.components.iter().zip(&self.units);
        let kb = components
            .filter(|(rules, _)| rules.host == host)
            .filter_map(|(rules, unit)| Some((rules.hub?, unit)))
            .map(|(hub, unit)| {
                hub.per_connection_kb * unit.posts[machine as usize].connections as f64
            })
            .sum();
        self.domains[host].machines[machine as usize].memory.sockets = kb;
    }

    /// Connections to a machine that crashed are closed, in the order in which they were opened.
    pub(super) fn lose_sockets(&mut self, host: usize, machine: u32) {
        let ids: Vec<Id> = self.sockets.ids().collect();
        let on_it = |id: &Id| {
            let connection = self.sockets.get(*id)?;
            let its_host = self.loaded.component(connection.component).host;
            (its_host == host && connection.machine == machine).then_some((
                connection.component,
                connection.number,
                *id,
            ))
        };
        let mut lost: Vec<_> = ids.iter().filter_map(on_it).collect();
        lost.sort_unstable_by_key(|(component, number, _)| (*component, *number));
        for (_, _, id) in lost {
            self.sockets.remove(id);
            self.closed.push(Socket(id.word()));
        }
    }
}
