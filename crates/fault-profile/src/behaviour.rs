//! A profile at one moment, in compiled form.

use crate::connection::Connection;
use crate::failure::{Failure, WeightedFailure};
use crate::profile::{Accuracy, Cost, Pattern, Profile};
use crate::queue::QueueConfig;
use crate::rate_limit::RateLimit;
use crate::sampler::Sampler;

/// The behaviour of a detector at one moment, for one set of keys. It makes no draws itself.
#[derive(Debug, Clone)]
pub struct Behaviour {
    pub(crate) failure_rate: f64,
    pub(crate) mix: Mix,
    pub(crate) latency: Sampler,
    pub(crate) service: Option<Sampler>,
    pub(crate) connection_latency: Sampler,
    pub(crate) cost: Cost,
    pub(crate) pattern: Pattern,
    pub(crate) accuracy: Accuracy,
    pub(crate) correlation: crate::correlation::Correlation,
    pub connection: Connection,
    pub queue: Option<QueueConfig>,
    pub rate_limit: Option<RateLimit>,
}

/// The kinds of failure, with the upper ends of their intervals in [0, 1).
#[derive(Debug, Clone)]
pub(crate) struct Mix(Vec<(f64, Failure)>);

impl Behaviour {
    pub(crate) fn new(profile: &Profile) -> Self {
        Self {
            failure_rate: 1.0 - profile.success_rate,
            mix: Mix::new(&profile.failure_mix()),
            latency: Sampler::new(&profile.latency),
            service: profile
                .queue
                .as_ref()
                .map(|queue| Sampler::new(&queue.service)),
            connection_latency: Sampler::new(&profile.connection.latency),
            cost: profile.cost,
            pattern: profile.pattern,
            accuracy: profile.accuracy,
            correlation: profile.correlation.clone(),
            connection: profile.connection.clone(),
            queue: profile.queue.clone(),
            rate_limit: profile.rate_limit,
        }
    }
}

impl Mix {
    fn new(mix: &[WeightedFailure]) -> Self {
        let total: f64 = mix.iter().map(|entry| entry.weight).sum();
        let mut up_to = 0.0;
        let kinds = mix.iter().map(|entry| {
            up_to += entry.weight / total;
            (up_to, entry.kind.clone())
        });
        Self(kinds.collect())
    }

    pub(crate) fn at(&self, unit: f64) -> Failure {
        self.0
            .iter()
            .find(|(up_to, _)| unit < *up_to)
            .or(self.0.last())
            .map_or_else(Failure::default, |(_, kind)| kind.clone())
    }
}
