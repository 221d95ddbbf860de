//! The arrivals of requests.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use fault_profile::draw::{Draws, Purpose, Root};

use crate::network::{Arrival, Key};
use crate::plan::{Amount, Value};

/// The arrival process.
#[derive(Debug, Clone)]
pub enum Load {
    /// A Poisson process, independent of the system.
    Open { rate_per_s: f64 },
    /// At equal intervals, independent of the system.
    Paced { rate_per_s: f64 },
    /// Users that alternate between think time, request and response. The first request of each user
    /// follows a think time.
    Closed { users: u32, think_ms: Amount },
}

/// The requests of a load: endpoints with their weights and inputs.
#[derive(Debug, Clone)]
pub struct Mix {
    entries: Vec<(f64, usize, Value)>,
    total: f64,
    tenant: Arc<str>,
}

impl Mix {
    /// A single endpoint.
    pub fn only(endpoint: usize, input: Value) -> Self {
        Self::new([(1.0, endpoint, input)])
    }

    /// (weight, endpoint, input); weights are relative to their sum. Entries with a weight of 0 or less are
    /// not used.
    pub fn new(entries: impl IntoIterator<Item = (f64, usize, Value)>) -> Self {
        let entries: Vec<_> = entries.into_iter().filter(|entry| entry.0 > 0.0).collect();
        let total = entries.iter().map(|entry| entry.0).sum();
        Self {
            entries,
            total,
            tenant: "".into(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn arrival(&self, number: u64, draws: &mut Draws) -> Arrival {
        let mut left = draws.unit() * self.total;
        let chosen = self.entries.iter().find(|entry| {
            left -= entry.0;
            left < 0.0
        });
        let chosen = chosen.or(self.entries.last());
        let (endpoint, input) = chosen.map_or((0, Value::Null), |(_, endpoint, input)| {
            (*endpoint, input.clone())
        });
        Arrival {
            endpoint,
            tenant: self.tenant.clone(),
            key: Key::Index(number),
            attempt: 1,
            index: number,
            bytes: 0,
            input,
        }
    }
}

/// Arrivals in the order of their times.
#[derive(Debug)]
pub(super) struct Source<'a> {
    load: &'a Load,
    mix: &'a Mix,
    gaps: Draws,
    choices: Draws,
    number: u64,
    next_at: f64,
    /// The times of the users' next requests.
    users: BinaryHeap<Reverse<(u64, u32)>>,
    thoughts: Draws,
}

impl<'a> Source<'a> {
    pub(super) fn new(load: &'a Load, mix: &'a Mix, seed: u64) -> Self {
        let root = Root::new(seed).text("offline load");
        let mut source = Self {
            load,
            mix,
            gaps: root.draws(Purpose::Visit),
            choices: root.draws(Purpose::Choice),
            number: 0,
            next_at: 0.0,
            users: BinaryHeap::new(),
            thoughts: root.draws(Purpose::Cpu),
        };
        source.next_at = source.gap_s();
        if let Load::Closed { users, .. } = load {
            (0..*users).for_each(|user| source.think(user, 0));
        }
        source
    }

    fn gap_s(&mut self) -> f64 {
        match self.load {
            Load::Open { rate_per_s } => -(1.0 - self.gaps.unit()).ln() / rate_per_s,
            Load::Paced { rate_per_s } => 1.0 / rate_per_s,
            Load::Closed { .. } => 0.0,
        }
    }

    /// A user's think time begins at `now`.
    pub(super) fn think(&mut self, user: u32, now: u64) {
        if let Load::Closed { think_ms, .. } = self.load {
            let think = think_ms.draw(&mut self.thoughts) * 1e6;
            let at = now.saturating_add(think.round() as u64);
            self.users.push(Reverse((at, user)));
        }
    }

    /// When the next request arrives, if there is one.
    pub(super) fn next_at(&self) -> Option<Duration> {
        match self.load {
            Load::Closed { .. } => {
                let Reverse((at, _)) = self.users.peek()?;
                Some(Duration::from_nanos(*at))
            }
            Load::Open { .. } | Load::Paced { .. } => {
                Some(Duration::from_nanos((self.next_at * 1e9).round() as u64))
            }
        }
    }

    /// The next request, and the user who sends it.
    pub(super) fn take(&mut self) -> (u32, Arrival) {
        self.number += 1;
        let user = match self.load {
            Load::Closed { .. } => self.users.pop().map_or(0, |Reverse((_, user))| user),
            Load::Open { .. } | Load::Paced { .. } => {
                self.next_at += self.gap_s();
                0
            }
        };
        (user, self.mix.arrival(self.number, &mut self.choices))
    }
}
