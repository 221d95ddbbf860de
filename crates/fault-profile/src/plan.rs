//! A printable plan of future behaviour.

use std::time::Duration;

use serde::Serialize;

use crate::decide::{Key, Model, Request};
use crate::failure::Failure;

/// The course of a profile, and the decisions for the first requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub detector: String,
    /// Equal hashes mean equal behaviour at all times.
    pub hash: String,
    pub loop_every_ms: Option<u64>,
    /// The stages in order of time. The steps of a ramp are grouped into its stage.
    pub stages: Vec<PlannedStage>,
    pub requests: Vec<PlannedRequest>,
}

/// A time in which the same stages are active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStage {
    pub begin_ms: u64,
    /// The names of the active stages; empty if the profile applies unchanged.
    pub active: Vec<String>,
    /// The number of segments of constant behaviour in it; a ramp has more than one.
    pub segments: usize,
}

/// A request without an id, identified by its position in the stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedRequest {
    pub index: u64,
    pub fault: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Failure>,
    pub latency_us: u64,
    pub service_us: u64,
}

/// The first requests of a tenant, as if they all arrived at the same time.
#[derive(Debug, Clone, Copy)]
pub struct FirstRequests<'a> {
    pub tenant: &'a str,
    pub count: u64,
    /// Since the start of the schedule.
    pub at: Duration,
}

impl Plan {
    /// The plan for these requests.
    pub fn new(model: &Model, detector: &str, requests: FirstRequests<'_>) -> Self {
        let FirstRequests { tenant, count, at } = requests;
        let timeline = model.timeline();
        let mut stages: Vec<PlannedStage> = Vec::new();
        for segment in timeline.segments() {
            match stages.last_mut() {
                Some(last) if last.active == segment.stages => last.segments += 1,
                _ => stages.push(PlannedStage {
                    begin_ms: segment.begin.as_millis() as u64,
                    active: segment.stages.clone(),
                    segments: 1,
                }),
            }
        }
        let planned = (1..=count).map(|index| {
            let key = Key::Index(index);
            let request = Request {
                tenant,
                key,
                attempt: 1,
                index,
                chars: 0,
                items: 1,
                at,
            };
            let decision = model.decide(&request);
            PlannedRequest {
                index,
                fault: decision.failure.as_ref().map_or("none", Failure::name),
                kind: decision.failure,
                latency_us: decision.latency.as_micros() as u64,
                service_us: decision.service.as_micros() as u64,
            }
        });
        Self {
            detector: detector.to_owned(),
            hash: timeline.hash(),
            loop_every_ms: timeline
                .loop_every()
                .map(|period| period.as_millis() as u64),
            stages,
            requests: planned.collect(),
        }
    }
}
