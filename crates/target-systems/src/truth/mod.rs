//! Truth: the results that a correct analysis of a system finds, computed from its file alone.
//!
//! Demands are means of the file's distributions along the flows of a mix's example requests. They
//! determine utilisation (U = X·D), capacity (the minimum of servers / demand), the bottleneck, the users
//! at the knee (capacity times think time and response time without load), and with users or a rate the
//! throughput and the response time. Each figure states whether it is exact.

mod answer;
mod cache;
mod closed;
mod context;
mod demand;
mod failure;
mod loaded;
mod mean;
mod memory;
mod moments;
mod open;
mod overflow;
mod sample;
mod station;
mod walk;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::document::Example;
use crate::plan::Value;
use crate::system::System;
use context::Context;
use demand::{Demands, Hits};
use walk::Walk;

pub use answer::{Bottleneck, CacheTruth, Class, LoadTruth, Resource, Response, Truth};
pub use failure::Failing;
pub use memory::Memory;

/// Number of draws for the percentiles of the response time without load.
const PERCENTILE_DRAWS: u64 = 20_000;
/// Iterations between hit ratios, which depend on the rate, and the rate.
const HIT_ROUNDS: usize = 8;

/// A figure, and whether it follows from a formula that holds for this system.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    pub value: f64,
    pub exact: bool,
}

impl Figure {
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, exact: true }
    }

    pub(crate) fn about(value: f64) -> Self {
        Self {
            value,
            exact: false,
        }
    }
}

/// A load: a mix of the document or a single endpoint, and its intensity.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    pub mix: String,
    pub load: Load,
}

/// The intensity of a mix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// Not given; only figures independent of the load are computed, and the knee if a think time is known.
    Unknown { think_ms: Option<f64> },
    /// Users that alternate between thinking and requests.
    Users { users: u32, think_ms: f64 },
    /// Poisson arrivals.
    Rate { per_s: f64 },
}

/// The reason why there is no truth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTruth {
    #[error("unknown mix or endpoint `{name}`; known here: {known}")]
    UnknownMix { name: String, known: String },
    #[error("several mixes need a number of users each")]
    SeveralRates,
    #[error("at least one mix is required")]
    NoMix,
    #[error("{0}")]
    Number(String),
    #[error(
        "the endpoint `{endpoint}` has no examples, and no request that satisfies its rules was found ({broken}); \
         give it `examples`"
    )]
    NoRequest { endpoint: String, broken: String },
}

/// Computes the results that a correct analysis finds.
///
/// # Errors
/// An unknown mix, or a meaningless load.
pub fn truth(system: &System, asking: &[Asking]) -> Result<Truth, NoTruth> {
    if asking.is_empty() {
        return Err(NoTruth::NoMix);
    }
    let loads = asking.iter().map(|one| one.load);
    if asking.len() > 1 && !loads.clone().all(|load| matches!(load, Load::Users { .. })) {
        return Err(NoTruth::SeveralRates);
    }
    for load in loads {
        check(load)?;
    }
    let classes = asking
        .iter()
        .map(|one| requests(system, &one.mix))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(answer::of(system, asking, &classes))
}

fn check(load: Load) -> Result<(), NoTruth> {
    let (name, value) = match load {
        Load::Unknown { think_ms: None } => return Ok(()),
        Load::Unknown {
            think_ms: Some(think_ms),
        } => ("think time", think_ms),
        Load::Users { think_ms, users } => {
            if users == 0 || users > 1_000_000 {
                return Err(NoTruth::Number(format!(
                    "{users} users are not between 1 and 1000000"
                )));
            }
            ("think time", think_ms)
        }
        Load::Rate { per_s } if per_s <= 0.0 => {
            return Err(NoTruth::Number(format!("a rate of {per_s} is not above 0")));
        }
        Load::Rate { per_s } => ("rate", per_s),
    };
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(NoTruth::Number(format!(
            "a {name} of {value} must be 0 or more"
        )))
    }
}

/// A request of a mix, with its share.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Index of the endpoint in the plan.
    pub endpoint: usize,
    /// Share of all requests of the mix.
    pub share: f64,
    /// The input of the flow.
    pub input: Value,
    /// The values that store entries keep.
    pub state: Value,
    /// Approximate size of the bodies of request and response in bytes.
    pub bytes: f64,
}

/// The requests of a mix, or of a single endpoint; their shares add up to 1.
///
/// # Errors
/// The name is neither a mix nor an endpoint, or an endpoint has no example and none could be derived.
pub fn requests(system: &System, name: &str) -> Result<Vec<Sample>, NoTruth> {
    let document = &system.document;
    let mut samples = Vec::new();
    if let Some(mix) = document.mixes.get(name) {
        let total: f64 = mix.values().map(|entry| entry.weight).sum();
        for (endpoint, entry) in mix {
            endpoint_requests(
                system,
                endpoint,
                &entry.examples,
                entry.weight / total,
                &mut samples,
            )?;
        }
    } else if document.endpoints.contains_key(name) {
        endpoint_requests(system, name, &[], 1.0, &mut samples)?;
    } else {
        let known = document.mixes.keys().chain(document.endpoints.keys());
        return Err(NoTruth::UnknownMix {
            name: name.to_owned(),
            known: known.cloned().collect::<Vec<_>>().join(", "),
        });
    }
    Ok(samples)
}

fn endpoint_requests(
    system: &System,
    name: &str,
    examples: &[Example],
    share: f64,
    samples: &mut Vec<Sample>,
) -> Result<(), NoTruth> {
    let document = &system.document;
    let Some((place, _, endpoint)) = document.endpoints.get_full(name) else {
        return Ok(());
    };
    let Some(expected) = system.expected(name) else {
        return Ok(());
    };
    let mut written = [examples, &endpoint.examples].into_iter();
    let written = written.find(|examples| !examples.is_empty());
    let made;
    let examples: &[Example] = match written {
        Some(examples) => examples,
        None => {
            let found = crate::describe::example(document, endpoint);
            made = [found.map_err(|broken| NoTruth::NoRequest {
                endpoint: name.to_owned(),
                broken,
            })?];
            &made
        }
    };
    let total: f64 = examples.iter().map(|example| example.share).sum();
    let answer = bytes(&endpoint.answer.body);
    for example in examples {
        samples.push(Sample {
            endpoint: place,
            share: share * example.share / total,
            input: expected.example(example),
            state: crate::request::value(&example.state),
            bytes: answer + bytes(&example.body),
        });
    }
    Ok(())
}

/// Size of a body in bytes; lists that a response repeats are multiplied.
fn bytes(body: &serde_json::Value) -> f64 {
    use serde_json::Value as Json;
    match body {
        Json::Null => 0.0,
        Json::Object(fields) => match (
            fields.get("$repeat").and_then(Json::as_f64),
            fields.get("item"),
        ) {
            (Some(times), Some(item)) => times * (bytes(item) + 1.0) + 2.0,
            _ => {
                fields
                    .iter()
                    .map(|(name, value)| name.len() as f64 + 4.0 + bytes(value))
                    .sum::<f64>()
                    + 1.0
            }
        },
        Json::Array(items) => items.iter().map(|item| bytes(item) + 1.0).sum::<f64>() + 1.0,
        other => other.to_string().len() as f64,
    }
}

/// Demands of a mix's requests; some holders are modelled as stations in place of the resources inside
/// them.
fn demands(
    system: &System,
    samples: &[Sample],
    hits: &Hits,
    binding: &BTreeSet<demand::Holder>,
) -> Demands {
    let mut walk = Walk::new(&system.plan, hits, binding);
    for sample in samples {
        let context = Context {
            input: &sample.input,
            state: &sample.state,
            item: &Value::Null,
        };
        walk.request(sample.endpoint, context, sample.share, sample.bytes);
    }
    walk.demands
}

/// Percentiles of the response time without queueing, in ms, from draws with a fixed seed.
fn percentiles(system: &System, samples: &[Sample], hits: &Hits) -> [f64; 3] {
    let mut times = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        let context = Context {
            input: &sample.input,
            state: &sample.state,
            item: &Value::Null,
        };
        let count = (sample.share * PERCENTILE_DRAWS as f64).round() as u64;
        for number in 0..count {
            let number = number * samples.len() as u64 + index as u64;
            let mut request = sample::Request::new(&system.plan, hits, number);
            times.push(request.endpoint(sample.endpoint, context).ms);
        }
    }
    times.sort_by(f64::total_cmp);
    [0.50, 0.95, 0.99].map(|share| {
        let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or(0.0)
    })
}
