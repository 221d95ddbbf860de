//! A runner's client of the collector. Its calls block.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::{Agent, RequestBuilder};

use super::server::unix_ms;
use super::wire::{
    Begin, Clock, Ended, Joined, Joining, Push, Reply, SetupData, Teardown, Turn, Who,
};

/// Timeout of one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Readings of the collector's clock; the one with the shortest round trip counts.
const CLOCK_READINGS: u32 = 8;

/// A connection to the collector, by a runner's name.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    name: String,
    token: Option<String>,
    agent: Agent,
    /// The collector's clock minus the local one, in milliseconds.
    offset_ms: f64,
    /// A runner that is silent for this time is lost.
    lost_after: Duration,
}

/// The reason why a request to the collector failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the collector {url} cannot be reached: {why}")]
    Unreachable { url: String, why: String },
    #[error("the collector refuses: {0}")]
    Refused(String),
}

impl Client {
    /// Reads the collector's clock and joins the run, with the token if the collector requires one.
    ///
    /// # Errors
    /// It cannot be reached, or rejects the runner.
    pub fn join(url: &str, token: Option<String>, joining: &Joining) -> Result<Self, ClientError> {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // Never through a proxy: it is a machine of this run.
            .proxy(None)
            .build();
        let mut client = Self {
            url: url.trim_end_matches('/').to_owned(),
            name: joining.name.clone(),
            token,
            agent: config.into(),
            offset_ms: 0.0,
            lost_after: Duration::ZERO,
        };
        client.offset_ms = client.read_clock()?;
        let joined: Joined = client.post("/v1/join", joining)?;
        client.lost_after = Duration::from_secs_f64(joined.lost_after_ms.clamp(0.0, 1e9) / 1e3);
        Ok(client)
    }

    /// Converts a local time to the collector's clock.
    pub fn as_collector(&self, unix_ms: f64) -> f64 {
        unix_ms + self.offset_ms
    }

    /// The wait until this time on the collector's clock.
    pub fn until(&self, at_unix_ms: f64) -> Duration {
        let left_ms = at_unix_ms - self.as_collector(unix_ms());
        Duration::from_secs_f64((left_ms / 1e3).clamp(0.0, 3600.0))
    }

    pub fn turn(&self) -> Result<Turn, ClientError> {
        self.post("/v1/setup/turn", &self.who())
    }

    pub fn set_up(&self, data: serde_json::Value) -> Result<Reply, ClientError> {
        self.post(
            "/v1/setup",
            &SetupData {
                name: self.name.clone(),
                data,
            },
        )
    }

    pub fn ready(&self) -> Result<Begin, ClientError> {
        self.post("/v1/ready", &self.who())
    }

    pub fn push(&self, push: &Push) -> Result<Reply, ClientError> {
        self.post("/v1/push", push)
    }

    pub fn teardown(&self) -> Result<Teardown, ClientError> {
        self.post("/v1/teardown", &self.who())
    }

    pub fn end(&self, ended: &Ended) -> Result<Reply, ClientError> {
        self.post("/v1/end", ended)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// How long this runner may be silent before the collector declares it lost.
    pub const fn lost_after(&self) -> Duration {
        self.lost_after
    }

    fn who(&self) -> Who {
        Who {
            name: self.name.clone(),
        }
    }

    /// The offset of the clocks, from the reading with the shortest round trip.
    fn read_clock(&self) -> Result<f64, ClientError> {
        let mut best: Option<(Duration, f64)> = None;
        for _ in 0..CLOCK_READINGS {
            let (sent, sent_ms) = (Instant::now(), unix_ms());
            let request = self.agent.get(format!("{}/v1/time", self.url));
            let answer = self.with_token(request).call();
            let clock: Clock = self.read(answer)?;
            let took = sent.elapsed();
            let offset_ms = clock.unix_ms - (sent_ms + took.as_secs_f64() * 500.0);
            if best.is_none_or(|(least, _)| took < least) {
                best = Some((took, offset_ms));
            }
        }
        Ok(best.map_or(0.0, |(_, offset_ms)| offset_ms))
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.agent.post(format!("{}{path}", self.url));
        self.read(self.with_token(request).send_json(body))
    }

    fn with_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, ClientError> {
        let unreachable = |why: String| ClientError::Unreachable {
            url: self.url.clone(),
            why,
        };
        let mut answer = answer.map_err(|error| unreachable(error.to_string()))?;
        if answer.status().is_success() {
            return answer
                .body_mut()
                .read_json()
                .map_err(|error| unreachable(error.to_string()));
        }
        let said = answer.body_mut().read_to_string().unwrap_or_default();
        Err(ClientError::Refused(if said.is_empty() {
            answer.status().to_string()
        } else {
            said
        }))
    }
}
