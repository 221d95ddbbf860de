//! A cluster: each key belongs to a node, and nodes report moved keys.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use rand::seq::{IndexedRandom, SliceRandom};
use redis::Value;
use tokio::time::sleep;

use super::client::Maker;
use super::command::Command;
use super::failure::{Failure, Redirect};
use super::node::Node;
use super::options::{Reads, Routing};
use super::pool::Address;
use super::slots::{self, SlotMap};

/// A cluster.
pub(crate) struct Cluster {
    maker: Maker,
    /// The nodes from which the others are discovered.
    seeds: Vec<String>,
    routing: Routing,
    nodes: RefCell<HashMap<String, Rc<Node>>>,
    slots: RefCell<Option<SlotMap>>,
    /// A key has moved, so the slot map is requested again.
    is_stale: Cell<bool>,
}

impl Cluster {
    pub(crate) fn new(maker: Maker, seeds: Vec<String>, routing: Routing) -> Self {
        Self {
            maker,
            seeds,
            routing,
            nodes: RefCell::default(),
            slots: RefCell::default(),
            is_stale: Cell::new(false),
        }
    }

    /// Sends a command to the node of its key, and follows redirects.
    pub(crate) async fn send(&self, command: &Command) -> Result<Value, Failure> {
        let slot = command.key().map(slots::of_key);
        let backoff = self.maker.options().backoff;
        let mut chosen: Option<Rc<Node>> = None;
        let mut is_asking = false;
        let mut attempt = 0;
        loop {
            let node = match chosen.take() {
                Some(node) => node,
                None => self.choose(command, slot).await?,
            };
            let asking = Command::new("asking");
            let reply = match std::mem::take(&mut is_asking) {
                true => node.send_once(&[&asking, command]).await,
                false => node.send(command).await,
            };
            let Err(failure) = &reply else {
                return reply;
            };
            if attempt >= self.routing.max_redirects {
                return reply;
            }
            match failure.redirect() {
                Some(Redirect::Moved(address)) => {
                    self.is_stale.set(true);
                    if let (Some(slot), Some(map)) = (slot, self.slots.borrow_mut().as_mut()) {
                        map.move_slot(slot, &address);
                    }
                    chosen = Some(self.node(&address));
                }
                Some(Redirect::Ask(address)) => {
                    is_asking = true;
                    chosen = Some(self.node(&address));
                }
                None if failure.may_pass() => {
                    self.is_stale.set(true);
                    // First the same node again, then another one.
                    match attempt {
                        0 => chosen = Some(node),
                        _ => node.mark_failed(),
                    }
                }
                None => return reply,
            }
            attempt += 1;
            sleep(backoff.wait(attempt)).await;
        }
    }

    /// The node for a command.
    async fn choose(&self, command: &Command, slot: Option<u16>) -> Result<Rc<Node>, Failure> {
        self.refresh().await?;
        let candidates: Vec<Rc<Node>> = {
            let map = self.slots.borrow();
            let Some(map) = map.as_ref() else {
                return Err(Failure::NoNodes);
            };
            let addresses: Vec<&String> = match slot {
                Some(slot) => map.nodes(slot).iter().collect(),
                None => map.masters().collect(),
            };
            addresses
                .into_iter()
                .map(|address| self.node(address))
                .collect()
        };
        let reads = match (slot, command.only_reads()) {
            (None, _) => Reads::Random,
            (Some(_), true) => self.routing.reads,
            (Some(_), false) => Reads::Master,
        };
        let chosen = pick(&candidates, reads).await;
        let any = || {
            self.node(
                self.seeds
                    .choose(&mut rand::rng())
                    .expect("there is a seed"),
            )
        };
        Ok(chosen.unwrap_or_else(any))
    }

    /// Requests the slot map, if there is none or keys have moved.
    async fn refresh(&self) -> Result<(), Failure> {
        let has_map = self.slots.borrow().is_some();
        if has_map && !self.is_stale.get() {
            return Ok(());
        }
        // Meanwhile other commands use the old map.
        self.is_stale.set(false);
        let question = Command::new("cluster").arg("slots");
        let mut addresses = self.seeds.clone();
        let known: Vec<String> = self.nodes.borrow().keys().cloned().collect();
        addresses.extend(known);
        addresses.shuffle(&mut rand::rng());
        addresses.dedup();
        let mut first_failure = None;
        for address in addresses {
            let reply = self.node(&address).send(&question).await;
            let map = reply.map(|reply| SlotMap::read(&reply, &address));
            match map {
                Ok(Some(map)) => {
                    *self.slots.borrow_mut() = Some(map);
                    return Ok(());
                }
                Ok(None) => {
                    let why = "redis: the reply of CLUSTER SLOTS cannot be read".to_owned();
                    first_failure.get_or_insert(Failure::Reply(why));
                }
                Err(failure) => {
                    first_failure.get_or_insert(failure);
                }
            }
        }
        match first_failure {
            Some(failure) if !has_map => Err(failure),
            _ => Ok(()),
        }
    }

    fn node(&self, address: &str) -> Rc<Node> {
        if let Some(known) = self.nodes.borrow().get(address) {
            return Rc::clone(known);
        }
        let made = Rc::new(self.maker.node(Address::Fixed(address.into())));
        let mut nodes = self.nodes.borrow_mut();
        nodes.insert(address.to_owned(), Rc::clone(&made));
        made
    }
}

/// One of the nodes of a slot, the master first.
async fn pick(nodes: &[Rc<Node>], reads: Reads) -> Option<Rc<Node>> {
    let healthy: Vec<&Rc<Node>> = nodes.iter().filter(|node| !node.has_failed()).collect();
    let chosen = match reads {
        Reads::Master => nodes.first(),
        Reads::Random => healthy.choose(&mut rand::rng()).copied(),
        Reads::Replica => {
            let is_master = |node: &Rc<Node>| nodes.first().is_some_and(|m| Rc::ptr_eq(m, node));
            let replicas: Vec<&Rc<Node>> =
                healthy.iter().copied().filter(|n| !is_master(n)).collect();
            replicas.choose(&mut rand::rng()).copied()
        }
        Reads::Nearest => {
            let mut nearest = None;
            for node in healthy {
                let latency = node.latency().await;
                if nearest.is_none_or(|(shortest, _)| latency < shortest) {
                    nearest = Some((latency, node));
                }
            }
            nearest.map(|(_, node)| node)
        }
    };
    chosen.or(nodes.first()).cloned()
}
