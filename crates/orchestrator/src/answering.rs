//! The state for answering requests: the detectors, known answers, and the limits of concurrency.

use std::sync::Arc;

use job_store::redis::{Redis, SharedLimiter};
use tokio_util::task::TaskTracker;

use crate::ask::context::Caller;
use crate::ask::transport::Transport;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::overload::Overload;
use crate::request::planned::FlightKey;
use crate::shadow::Shadows;
use crate::share::answer_store::AnswerStore;
use crate::share::answered::Answered;
use crate::share::partials::Partials;
use crate::share::single_flight::SingleFlight;

/// The state that the pipeline works with.
pub struct Answering {
    pub config: Arc<Config>,
    pub catalog: Arc<Catalog>,
    pub limiter: Option<SharedLimiter>,
    pub overload: Overload,
    pub answers: Arc<AnswerStore>,
    pub partials: Partials,
    /// Answers in progress; `None` when the work broke off.
    pub flights: SingleFlight<FlightKey, Option<Arc<Answered>>>,
    pub shadows: Shadows,
    pub metrics: Arc<Metrics>,
    transport: Transport,
}

/// State that is shared with other replicas.
pub struct Parts {
    pub config: Arc<Config>,
    pub catalog: Arc<Catalog>,
    pub answers: Arc<AnswerStore>,
    pub metrics: Arc<Metrics>,
    pub transport: Transport,
    pub tasks: TaskTracker,
}

impl Answering {
    /// Rate limits; with Redis, all replicas count a tenant's requests together.
    pub fn new(parts: Parts, redis: Option<Redis>) -> Self {
        let config = &parts.config;
        Self {
            limiter: config
                .rate_limit
                .clone()
                .map(|limits| SharedLimiter::of(limits, redis)),
            overload: Overload::new(&config.overload, &config.sla),
            partials: Partials::default(),
            flights: SingleFlight::default(),
            shadows: Shadows::new(parts.metrics.clone(), parts.tasks),
            config: parts.config,
            catalog: parts.catalog,
            answers: parts.answers,
            metrics: parts.metrics,
            transport: parts.transport,
        }
    }

    /// The HTTP client for calls.
    pub fn caller(&self) -> Caller<'_> {
        Caller {
            transport: &self.transport,
            metrics: &self.metrics,
            answer_bytes: self.config.limits.answer_bytes,
        }
    }
}
