//! The part of an answer that is the same for identical requests.

use std::time::Duration;

use bytes::Bytes;
use detector_api::orchestrate::{AttemptTimeline, DetectorTimeline, Verdict};

use crate::error::ApiError;
use crate::share::scope::About;

/// The times of the phases.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    pub routing: Duration,
    pub detectors: Duration,
    pub aggregation: Duration,
}

/// The outcome of one fan-out, for all waiting requests and for the cache.
pub struct Answered {
    pub about: About,
    /// Set when no counting detector answered.
    pub error: Option<ApiError>,
    pub partial: bool,
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    pub timeline: Vec<DetectorTimeline>,
    pub timing: Timing,
    /// The token to complete it; only for a partial answer.
    pub resume_token: Option<String>,
    pub complete: bool,
    /// A detector's answer is stale.
    pub fallback: bool,
    /// The shared part of the answer, as the inside of a JSON object.
    pub shared: Bytes,
}

impl Answered {
    /// No detector was asked.
    pub fn refused(error: ApiError) -> Self {
        Self {
            about: About::default(),
            error: Some(error),
            partial: false,
            verdict: Verdict::Block,
            reasons: Vec::new(),
            timeline: Vec::new(),
            timing: Timing::default(),
            resume_token: None,
            complete: false,
            fallback: false,
            shared: Bytes::new(),
        }
    }

    /// Its approximate memory in bytes.
    pub fn bytes(&self) -> usize {
        let reasons: usize = self
            .reasons
            .iter()
            .map(|it| size_of::<String>() + it.len())
            .sum();
        let timeline: usize = self.timeline.iter().map(timeline_bytes).sum();
        size_of::<Self>() + self.shared.len() + reasons + timeline
    }

    /// Whether every detector gave a valid answer.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

/// The approximate memory of a detector's timeline in bytes.
pub fn timeline_bytes(timeline: &DetectorTimeline) -> usize {
    size_of::<DetectorTimeline>() + timeline.attempts.len() * size_of::<AttemptTimeline>()
}
