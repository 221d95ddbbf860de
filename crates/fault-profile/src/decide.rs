//! The decision about one request.

use std::time::Duration;

use live_config::Invalid;

use crate::behaviour::Behaviour;
use crate::correlation::Step;
use crate::draw::{Purpose, Root};
use crate::failure::Failure;
use crate::profile::{Accuracy, Profile};
use crate::states::is_bad;
use crate::timeline::Timeline;

/// The key of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// The id that the caller gave it.
    Named(&'a str),
    /// Its position in the tenant's stream, from 1, if it has no id.
    Index(u64),
}

/// The inputs of a decision.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub tenant: &'a str,
    pub key: Key<'a>,
    /// Counted from 1. A retry draws anew, since it could never succeed otherwise.
    pub attempt: u32,
    /// The position in the tenant's stream, from 1; used by patterns and by bursts that count requests.
    pub index: u64,
    /// Characters of content.
    pub chars: u64,
    /// Items of a batch; 1 for a single request.
    pub items: u64,
    /// Time since the profile's time zero.
    pub at: Duration,
}

/// The fate of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// `None`: a correct answer.
    pub failure: Option<Failure>,
    /// From the complete request to the first byte, without queueing and service.
    pub latency: Duration,
    /// The time for which it occupies a worker; zero without a queue.
    pub service: Duration,
    pub verdicts: Verdicts,
    /// Seeds the draws during its execution: garbage, the order of lists.
    pub content_seed: u64,
}

/// The verdicts that are wrong on purpose, drawn separately for each content of the request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdicts {
    accuracy: Accuracy,
    root: Root,
}

impl Decision {
    /// A correct answer after this time.
    pub fn right(latency: Duration) -> Self {
        Self {
            failure: None,
            latency,
            service: Duration::ZERO,
            verdicts: Verdicts {
                accuracy: Accuracy::default(),
                root: Root::new(0),
            },
            content_seed: 0,
        }
    }
}

impl Verdicts {
    /// Whether the content at this index gets a false detection if it is clean.
    pub fn false_positive(&self, place: usize) -> bool {
        self.draw(self.accuracy.false_positive_rate, place)
    }

    /// Whether the detections of the content at this index are left out.
    pub fn false_negative(&self, place: usize) -> bool {
        self.draw(self.accuracy.false_negative_rate, place)
    }

    fn draw(&self, rate: f64, place: usize) -> bool {
        rate > 0.0 && self.root.word(place as u64).unit(Purpose::Accuracy) < rate
    }
}

/// The compiled profile of one detector.
#[derive(Debug, Clone)]
pub struct Model {
    root: Root,
    timeline: Timeline,
}

impl Model {
    /// # Errors
    /// All errors of the profile.
    pub fn new(profile: &Profile, detector: &str) -> Result<Self, Invalid> {
        let timeline = Timeline::compile(profile)?;
        Ok(Self {
            root: Root::new(profile.seed).text(detector),
            timeline,
        })
    }

    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The behaviour towards a request: the profile at its time, for its key.
    pub fn behaviour(&self, request: &Request<'_>) -> &Behaviour {
        self.timeline.at(request.at, || {
            self.key_root(request).unit(Purpose::StickyKey)
        })
    }

    /// The behaviour at a time that does not depend on a request.
    pub fn common_behaviour(&self, at: Duration) -> &Behaviour {
        self.timeline.at(at, || 1.0)
    }

    /// The decision. It is the same for the same request, regardless of other requests.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let behaviour = self.behaviour(request);
        let root = self
            .key_root(request)
            .word(u64::from(request.attempt.max(1)));
        let failure = self
            .fails(behaviour, request, root)
            .then(|| behaviour.mix.at(root.unit(Purpose::Kind)));
        let cost_us = behaviour.cost.per_char_us * request.chars as f64;
        let cost_ms = behaviour.cost.per_item_ms * request.items.saturating_sub(1) as f64;
        let cost = Duration::from_secs_f64((cost_us / 1e6 + cost_ms / 1e3).min(86_400.0));
        let drawn = behaviour.latency.draw(&mut root.draws(Purpose::Latency));
        let service = behaviour
            .service
            .as_ref()
            .map(|service| service.draw(&mut root.draws(Purpose::Service)));
        Decision {
            // With workers, the cost of a request is time for which it occupies one.
            latency: if service.is_some() {
                drawn
            } else {
                drawn + cost
            },
            service: service.map_or(Duration::ZERO, |service| service + cost),
            verdicts: Verdicts {
                accuracy: behaviour.accuracy,
                root,
            },
            content_seed: root.draws(Purpose::Content).next_word(),
            failure,
        }
    }

    /// Time from accepting the `index`th connection to reading from it.
    pub fn connection_latency(&self, index: u64, at: Duration) -> Duration {
        let mut draws = self.root.word(index).draws(Purpose::Connection);
        self.common_behaviour(at)
            .connection_latency
            .draw(&mut draws)
    }

    fn key_root(&self, request: &Request<'_>) -> Root {
        absorb(self.root.text(request.tenant), request.key)
    }

    fn fails(&self, behaviour: &Behaviour, request: &Request<'_>, root: Root) -> bool {
        if let Some(fails) = by_pattern(behaviour, request.index) {
            return fails;
        }
        let rate = match &behaviour.correlation.gilbert_elliott {
            Some(states) => {
                let (root, step) = match states.by {
                    Step::Request => (self.root.text(request.tenant), request.index),
                    Step::SlotMs(slot_ms) => (self.root, slot(request.at, slot_ms)),
                };
                if is_bad(states, root, step) {
                    states.failure_rate_bad
                } else {
                    states.failure_rate_good
                }
            }
            None => behaviour.failure_rate,
        };
        let Some(group) = &behaviour.correlation.group else {
            return root.unit(Purpose::Coin) < rate;
        };
        // Whether the group draws, and the result, are the same for all its members.
        let shared = Root::new(group.seed).text(&group.name);
        let shared = match group.by {
            Step::Request => absorb(shared.text(request.tenant), request.key)
                .word(u64::from(request.attempt.max(1))),
            Step::SlotMs(slot_ms) => shared.word(slot(request.at, slot_ms)),
        };
        if shared.unit(Purpose::GroupMember) < group.share {
            shared.unit(Purpose::GroupCoin) < rate
        } else {
            root.unit(Purpose::Coin) < rate
        }
    }
}

fn absorb(root: Root, key: Key<'_>) -> Root {
    match key {
        Key::Named(name) => root.word(1).text(name),
        Key::Index(index) => root.word(2).word(index),
    }
}

fn by_pattern(behaviour: &Behaviour, index: u64) -> Option<bool> {
    let pattern = &behaviour.pattern;
    if index <= pattern.first_succeed && pattern.first_succeed > 0 {
        return Some(false);
    }
    let index = index.saturating_sub(pattern.first_succeed);
    if index <= pattern.then_fail && pattern.then_fail > 0 {
        return Some(true);
    }
    let index = index.saturating_sub(pattern.then_fail);
    (pattern.every_nth_fails > 0).then(|| index.is_multiple_of(pattern.every_nth_fails))
}

fn slot(at: Duration, slot_ms: f64) -> u64 {
    (at.as_secs_f64() * 1_000.0 / slot_ms.max(1.0)) as u64
}
