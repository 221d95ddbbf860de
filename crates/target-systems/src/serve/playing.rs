//! A system in force, with the data that requests need.

use std::collections::HashMap;
use std::time::Duration;

use fault_profile::draw::Root;
use live_config::{Compiled, ConfigError, Invalid, Moment};
use serde_json::Value;

use super::route::Routes;
use crate::request::Expected;
use crate::running;
use crate::system::{CHOICES, System};

/// A document that is in force.
#[derive(Debug)]
pub struct Playing {
    pub(super) system: System,
    pub(super) routes: Routes,
    pub(super) endpoints: Vec<Endpoint>,
    /// The root of the random ids and choices of responses.
    pub(super) root: Root,
}

/// The data that requests need of an endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) expected: Expected,
    /// Approximate size of its response in bytes, which is transferred over the edge's link before the
    /// response is known.
    pub(super) answer_bytes: u64,
    /// The component of a WebSocket.
    pub(super) hub: Option<usize>,
}

impl Playing {
    pub(super) fn new(system: System) -> Self {
        let document = &system.document;
        let components: HashMap<String, usize> = document
            .components
            .keys()
            .enumerate()
            .map(|(place, name)| (name.clone(), place))
            .collect();
        let endpoint = |(name, endpoint): (&String, &crate::document::Endpoint)| Endpoint {
            name: name.clone(),
            expected: Expected::of(document, endpoint),
            answer_bytes: endpoint.answer.body.to_string().len() as u64 + HEAD_BYTES,
            hub: endpoint
                .socket
                .as_ref()
                .and_then(|hub| components.get(hub).copied()),
        };
        Self {
            routes: Routes::new(document),
            endpoints: document.endpoints.iter().map(endpoint).collect(),
            root: Root::new(document.seed).text(&document.system),
            system,
        }
    }

    /// The lifetime of a token.
    pub(super) fn token_lasts(&self) -> Duration {
        let document = &self.system.document;
        let seconds = document
            .edge
            .auth
            .as_ref()
            .map_or(0.0, |auth| auth.token_ttl_s);
        Duration::try_from_secs_f64(seconds / document.ageing).unwrap_or(Duration::MAX)
    }
}

/// Approximate size of the status line and headers of a response.
const HEAD_BYTES: u64 = 300;

impl Compiled for Playing {
    type Config = Value;
    const CHOICES: &'static [&'static str] = &CHOICES;

    fn validate(config: &Value) -> Result<(), Invalid> {
        System::new(config.clone()).map(drop)
    }

    fn conflicts(&self, next: &Self) -> Vec<ConfigError> {
        running::kept(self.system.compiled(), next.system.compiled())
    }

    fn compile(config: &Value, _name: &str, _since: Moment) -> Result<Self, Invalid> {
        System::new(config.clone()).map(Self::new)
    }
}
