//! External inputs, in the form of a log.

use std::time::Duration;

use super::Network;
use super::change::Refusal;
use super::outcome::Failed;
use super::socket::Socket;
use super::task::{Arrival, Ticket};
use crate::plan::Plan;

/// All external inputs of a system. A network is a function of its first plan and of its inputs, each with
/// its time.
#[derive(Debug, Clone)]
pub enum Input {
    Arrive(Arrival),
    Leave(Ticket),
    Change(Box<Plan>),
    /// Index of the host in the plan, and of the instance in the host.
    Crash {
        host: usize,
        instance: usize,
    },
    /// Index in the plan's components.
    Open {
        component: usize,
    },
    Close(Socket),
    /// Index in the plan's stores.
    Populate {
        store: usize,
        rows: usize,
    },
    /// Removes populated rows.
    Withdraw {
        store: usize,
        rows: usize,
    },
}

/// The effect of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Arrived(Ticket),
    Changed(Result<u64, Refusal>),
    Opened(Result<Socket, Failed>),
    /// Whether the input had an effect.
    Done(bool),
}

impl Network {
    /// Applies an input by calling the corresponding method.
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
