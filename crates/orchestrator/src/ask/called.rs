//! The outcome of the call to one detector.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::DetectorTimeline;
use tokio::time::Instant;

use crate::answer::attested::AttestedAnswer;
use crate::ask::failure::Failure;

/// The outcome of the call to one detector.
#[derive(Debug, Clone)]
pub struct Called {
    pub outcome: Result<AttestedAnswer, Failure>,
    pub timeline: DetectorTimeline,
    pub duration: Duration,
    pub attempts: u32,
    pub hedged: bool,
    /// The source of the answer.
    pub source: Source,
}

/// The source of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Source {
    /// This request's own call.
    #[default]
    OwnCall,
    /// A concurrent request's call.
    Shared,
    /// A cached answer that is fresh, with its age.
    Cached(Duration),
    /// A stale answer that is used while the breaker is open, with its age.
    Stale(Duration),
}

impl Called {
    /// The outcome of a detector that was not asked.
    pub fn unasked(name: &Arc<str>, failure: Failure) -> Self {
        Self::instant(name, Err(failure), 0.0)
    }

    /// An outcome that took no time.
    pub(crate) fn instant(
        name: &Arc<str>,
        outcome: Result<AttestedAnswer, Failure>,
        at_ms: f64,
    ) -> Self {
        Self {
            outcome,
            timeline: DetectorTimeline {
                detector: name.clone(),
                start_ms: at_ms,
                end_ms: at_ms,
                queued_ms: 0.0,
                backoff_ms: 0.0,
                attempts: Vec::new(),
                source: None,
            },
            duration: Duration::ZERO,
            attempts: 0,
            hedged: false,
            source: Source::OwnCall,
        }
    }

    /// A cached answer; `epoch` is the arrival of the request.
    pub fn cached(
        epoch: Instant,
        detector: &Arc<str>,
        answer: AttestedAnswer,
        source: Source,
    ) -> Self {
        let now = since(epoch, Instant::now());
        let called = Self::instant(detector, Ok(answer), now);
        called.from(source)
    }

    /// The outcome of another request's call for this request, which arrived at `epoch` and has waited for it
    /// since `started`.
    pub fn shared(self, epoch: Instant, started: Instant) -> Self {
        let now = Instant::now();
        let name = &self.timeline.detector;
        let mut called = Self::instant(name, self.outcome, since(epoch, now));
        called.timeline.start_ms = since(epoch, started);
        called.duration = now - started;
        called.hedged = self.hedged;
        called.from(Source::Shared)
    }

    /// The same outcome for a later request, with its age.
    pub fn again(self, age: Duration) -> Self {
        self.from(Source::Cached(age))
    }

    fn from(mut self, source: Source) -> Self {
        self.source = source;
        self.timeline.source = source.name().map(Cow::Borrowed);
        self
    }

    /// Whether this request made the call.
    pub fn is_first_hand(&self) -> bool {
        self.source == Source::OwnCall
    }

    /// The age of the answer.
    pub fn age(&self) -> Duration {
        match self.source {
            Source::OwnCall | Source::Shared => Duration::ZERO,
            Source::Cached(age) | Source::Stale(age) => age,
        }
    }

    /// The age of a stale answer.
    pub fn stale(&self) -> Option<Duration> {
        match self.source {
            Source::Stale(age) => Some(age),
            _ => None,
        }
    }
}

impl Source {
    /// Its name in timelines and metrics.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::OwnCall => None,
            Self::Shared => Some("shared"),
            Self::Cached(_) => Some("hit"),
            Self::Stale(_) => Some("stale"),
        }
    }
}

/// Milliseconds with microseconds' precision: more digits would only be noise.
pub fn since(epoch: Instant, instant: Instant) -> f64 {
    let passed = instant.saturating_duration_since(epoch) + Duration::from_nanos(500);
    passed.as_micros() as f64 / 1e3
}
