//! The demands of future requests: each alone in a separate system.

use std::time::Duration;

use serde_json::{Value, json};

use super::entry::{Visited, micros};
use crate::network::{Arrival, Detail, Key, Network};
use crate::system::System;
use crate::truth;

/// The first `count` requests of a tenant to an endpoint, without ids.
///
/// # Errors
/// The system cannot run.
pub(super) fn demands(
    system: &System,
    endpoint: usize,
    tenant: &str,
    count: u64,
) -> Result<Vec<Value>, String> {
    let name = system
        .plan
        .endpoints
        .get(endpoint)
        .map_or("", |one| one.name.as_ref());
    let samples = truth::requests(system, name).map_err(|error| error.to_string())?;
    let input = samples
        .first()
        .map(|sample| sample.input.clone())
        .unwrap_or_default();
    (1..=count)
        .map(|index| {
            let mut network = Network::new(system.plan.as_ref().clone(), Detail::Visits)
                .map_err(|problems| problems.join("; "))?;
            network.arrive(
                Duration::ZERO,
                Arrival {
                    endpoint,
                    tenant: tenant.into(),
                    key: Key::Index(index),
                    attempt: 1,
                    index,
                    bytes: 0,
                    input: input.clone(),
                },
            );
            while let Some(next) = network.next_event()
                && next < FAR
            {
                network.advance(next + Duration::from_nanos(1));
                if let Some(finished) = network.finished().next() {
                    let visits: Vec<Visited> = finished
                        .visits
                        .iter()
                        .map(|visit| Visited::new(visit, &system.plan))
                        .collect();
                    return Ok(json!({
                        "index": index,
                        "planned_us": micros(finished.planned),
                        "status": finished.outcome.status(),
                        "error_type": finished.outcome.error_type(),
                        "visits": visits,
                    }));
                }
            }
            Ok(json!({ "index": index, "planned_us": null }))
        })
        .collect()
}

/// Maximum time of a request.
const FAR: Duration = Duration::from_secs(86_400);
