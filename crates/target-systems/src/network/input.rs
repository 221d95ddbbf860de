//! What comes from outside, as a log keeps it.

use std::time::Duration;

use super::Network;
use super::change::Refusal;
use super::outcome::Failed;
use super::socket::Socket;
use super::task::{Arrival, Ticket};
use crate::plan::Plan;

/// Everything that can be done to a system. A network is a function of its first plan and these,
/// each with its time.
#[derive(Debug, Clone)]
pub enum Input {
    Arrive(Arrival),
    Leave(Ticket),
    Change(Box<Plan>),
    /// Places in the plan's hosts and in the host's instances.
    Crash {
        host: usize,
        instance: usize,
    },
    /// Place in the plan's components.
    Open {
        component: usize,
    },
    Close(Socket),
    /// Place in the plan's stores.
    Populate {
        store: usize,
        rows: usize,
    },
    /// Takes populated rows away again.
    Withdraw {
        store: usize,
        rows: usize,
    },
}

/// What an input did.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Arrived(Ticket),
    Changed(Result<u64, Refusal>),
    Opened(Result<Socket, Failed>),
    /// Whether there was anything to do it to.
    Done(bool),
}

impl Network {
    /// Does what an input says, as the method of its name does.
    pub fn apply(&mut self, now: Duration, input: Input) -> Effect {
        match input {
            Input::Arrive(arrival) => Effect::Arrived(self.arrive(now, arrival)),
            Input::Leave(ticket) => Effect::Done(self.leave(now, ticket)),
            Input::Change(plan) => Effect::Changed(self.change(now, *plan)),
            Input::Crash { host, instance } => Effect::Done(self.crash(now, host, instance)),
            Input::Open { component } => Effect::Opened(self.open(now, component)),
            Input::Close(socket) => Effect::Done(self.close_socket(now, socket)),
            Input::Populate { store, rows } => Effect::Done(self.populate(now, store, rows)),
            Input::Withdraw { store, rows } => Effect::Done(self.withdraw(now, store, rows)),
        }
    }
}
