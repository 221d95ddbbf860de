//! The network in real time: inputs get their time under one lock, and one task sleeps until the next
//! event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use simulated_server::Timer;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use live_config::{Control, Live};

use super::log::{Log, What};
use super::playing::Playing;
use crate::network::{Arrival, Detail, Failed, Finished, Network, Reading, Socket, Ticket};
use crate::plan::Plan;

/// A network that runs in real time.
#[derive(Debug)]
pub(super) struct Clock {
    /// The document in force and its revision.
    control: Arc<Control<Playing>>,
    state: Mutex<State>,
    /// The next event is now earlier than the driver's wake-up.
    earlier: Notify,
}

#[derive(Debug)]
struct State {
    /// Time zero of the network.
    origin: Instant,
    network: Network,
    waiting: HashMap<Ticket, oneshot::Sender<Finished>>,
    sockets: HashMap<Socket, CancellationToken>,
    log: Log,
    /// The driver's next wake-up.
    wakes: Option<Duration>,
    /// The revision of the document that the network applies.
    obeyed: u64,
    /// The revision up to which the control has counted the planned changes of the network.
    numbered: u64,
}

impl Clock {
    pub(super) fn new(mut network: Network, log: Log, control: Arc<Control<Playing>>) -> Self {
        let obeyed = control.revision();
        network.set_revision(obeyed);
        Self {
            control,
            state: Mutex::new(State {
                origin: Instant::now(),
                network,
                waiting: HashMap::new(),
                sockets: HashMap::new(),
                log,
                wakes: None,
                obeyed,
                numbered: obeyed,
            }),
            earlier: Notify::new(),
        }
    }

    /// Runs the network: wakes at its events, at most once per `resolution`.
    pub(super) async fn drive(self: Arc<Self>, timer: Timer, resolution: Duration) {
        let mut slept_until = Instant::now();
        loop {
            let next = self.step(|state, _| {
                state.wakes = state.network.next_event();
                state.wakes.map(|next| state.origin + next)
            });
            let Some(next) = next else {
                self.earlier.notified().await;
                continue;
            };
            let wake = next.max(slept_until + resolution);
            tokio::select! {
                () = self.earlier.notified() => {}
                () = timer.sleep_until(wake) => slept_until = wake,
            }
        }
    }

    /// Passes a request to the network. The receiver gets its end, whose times count from the instant.
    pub(super) fn arrive(
        &self,
        live: &Live<Playing>,
        mut arrival: Arrival,
    ) -> (Ticket, Instant, oneshot::Receiver<Finished>) {
        let (sender, receiver) = oneshot::channel();
        let (ticket, origin) = self.step(|state, now| {
            state.obey(now, live);
            if live.revision != state.obeyed {
                arrival.endpoint = state.place_of(&live.endpoints[arrival.endpoint].name);
            }
            state.log.input(now, || What::arrive(&arrival));
            let ticket = state.network.arrive(now, arrival);
            state.waiting.insert(ticket, sender);
            (ticket, state.origin)
        });
        (ticket, origin, receiver)
    }

    /// Called when the client of a request has disconnected.
    pub(super) fn leave(&self, ticket: Ticket) {
        self.step(|state, now| {
            if state.waiting.remove(&ticket).is_some() {
                state.log.input(now, || What::Leave {
                    ticket: ticket.word(),
                });
                state.network.leave(now, ticket);
            }
        });
    }

    /// Applies the document in force, if it is not applied already.
    pub(super) fn obey(&self, live: &Live<Playing>) {
        self.step(|state, now| state.obey(now, live));
    }

    /// Restarts the system in force at time zero. Requests in flight and open sockets end without a
    /// response.
    pub(super) fn begin_anew(&self, live: &Live<Playing>) {
        self.step(|state, _| state.begin(live));
    }

    pub(super) fn crash(&self, host: usize, instance: usize) -> bool {
        self.step(|state, now| {
            state.log.input(now, || What::Crash { host, instance });
            state.network.crash(now, host, instance)
        })
    }

    pub(super) fn populate(&self, store: usize, rows: usize) -> bool {
        self.step(|state, now| {
            state.log.input(now, || What::Populate { store, rows });
            state.network.populate(now, store, rows)
        })
    }

    pub(super) fn withdraw(&self, store: usize, rows: usize) -> bool {
        self.step(|state, now| {
            state.log.input(now, || What::Withdraw { store, rows });
            state.network.withdraw(now, store, rows)
        })
    }

    /// Opens a connection to a hub; the token is cancelled when the system closes it.
    pub(super) fn open(
        &self,
        live: &Live<Playing>,
        component: usize,
    ) -> Result<(Socket, CancellationToken), Failed> {
        self.step(|state, now| {
            state.obey(now, live);
            state.log.input(now, || What::Open { component });
            let socket = state.network.open(now, component)?;
            let closed = CancellationToken::new();
            state.sockets.insert(socket, closed.clone());
            Ok((socket, closed))
        })
    }

    pub(super) fn close(&self, socket: Socket) {
        self.step(|state, now| {
            if state.sockets.remove(&socket).is_some() {
                state.log.input(now, || What::Close {
                    socket: socket.word(),
                });
                state.network.close_socket(now, socket);
            }
        });
    }

    pub(super) fn read(&self) -> Reading {
        self.step(|state, now| state.network.read(now))
    }

    /// Reads the plan in force, with its revision.
    pub(super) fn in_force<T>(&self, look: impl FnOnce(&Plan) -> T) -> (u64, T) {
        let live = self.control.live();
        self.step(|state, now| {
            state.obey(now, &live);
            (state.network.revision(), look(state.network.plan()))
        })
    }

    pub(super) fn log(&self) -> serde_json::Value {
        self.step(|state, now| state.log.shown(now))
    }

    /// Performs an action on the network now, delivers the requests that ended by now, and makes sure that
    /// the driver wakes in time.
    fn step<T>(&self, act: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.lock();
        // The time is taken under the lock, so that inputs are in the order of their times.
        let now = state.origin.elapsed();
        state.network.advance(now);
        state.number(&self.control);
        let result = act(&mut state, now);
        state.deliver();
        let next = state.network.next_event();
        let is_earlier = match (next, state.wakes) {
            (Some(next), Some(wakes)) => next < wakes,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_earlier {
            state.wakes = next;
            drop(state);
            self.earlier.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn obey(&mut self, now: Duration, live: &Live<Playing>) {
        if live.revision <= self.obeyed {
            return;
        }
        self.obeyed = live.revision;
        match self.network.change(now, live.system.plan.as_ref().clone()) {
            Ok(_) => {
                self.network.set_revision(live.revision);
                self.numbered = live.revision;
                self.log.input(now, || What::Change {
                    document: live.config.clone(),
                });
            }
            // The control rejects such documents; otherwise the system continues unchanged.
            Err(refusal) => {
                tracing::error!(?refusal, "a document with another structure is in force");
            }
        }
    }

    /// Planned changes that took effect are counted as revisions of the document.
    fn number(&mut self, control: &Control<Playing>) {
        for _ in self.numbered..self.network.revision() {
            let revision = control.advance().revision;
            if revision == self.obeyed + 1 {
                self.obeyed = revision;
            }
            self.numbered = revision;
        }
        self.network.set_revision(self.numbered);
    }

    /// The index of an endpoint in the plan in force; after all others if it has none.
    fn place_of(&self, endpoint: &str) -> usize {
        let endpoints = &self.network.plan().endpoints;
        let place = endpoints.iter().position(|one| *one.name == *endpoint);
        place.unwrap_or(endpoints.len())
    }

    fn begin(&mut self, live: &Live<Playing>) {
        let plan = live.system.plan.as_ref().clone();
        // A compiled document has no problems; otherwise the old system continues.
        let Ok(mut network) = Network::new(plan, Detail::Visits) else {
            return;
        };
        network.set_revision(live.revision);
        self.origin = Instant::now();
        self.waiting.clear();
        self.sockets.drain().for_each(|(_, closed)| closed.cancel());
        self.network = network;
        self.log.begin(live.config.clone());
        self.wakes = None;
        self.obeyed = live.revision;
        self.numbered = live.revision;
    }

    fn deliver(&mut self) {
        for finished in self.network.finished() {
            self.log.end(&finished);
            if let Some(waiting) = self.waiting.remove(&finished.ticket) {
                // Without a receiver the client has just disconnected.
                drop(waiting.send(finished));
            }
        }
        for socket in self.network.closed() {
            if let Some(closed) = self.sockets.remove(&socket) {
                closed.cancel();
            }
        }
    }
}
