//! The client of an agent. Its calls block.

use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::Response;

use super::wire::{Hello, Order, Status};

/// Timeout of one request; a request with an archive may take longer.
const PATIENCE: Duration = Duration::from_secs(5);
const TO_SEND: Duration = Duration::from_secs(120);

/// An agent, identified by its address.
#[derive(Debug, Clone)]
pub struct RemoteAgent {
    /// The address as given, with a port: `host1:6571`.
    pub name: String,
    token: String,
    agent: Agent,
}

/// The reason why a request to an agent failed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("the agent {name} cannot be reached: {why}")]
    Unreachable { name: String, why: String },
    #[error("the agent {name} refuses: {why}")]
    Refused { name: String, why: String },
}

impl RemoteAgent {
    pub fn new(name: &str, token: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Never through a proxy: it is a machine of this run.
            .proxy(None)
            .build();
        Self {
            name: name.to_owned(),
            token: token.to_owned(),
            agent: config.into(),
        }
    }

    /// The local address of the connection, at which the agent can reach this machine.
    ///
    /// # Errors
    /// There is no route.
    pub fn way(&self) -> Result<IpAddr, AgentError> {
        let unreachable = |error: std::io::Error| self.unreachable(&error);
        let mut why = std::io::Error::other("unknown host");
        for address in self.name.to_socket_addrs().map_err(unreachable)? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return Ok(stream.local_addr().map_err(unreachable)?.ip()),
                Err(error) => why = error,
            }
        }
        Err(self.unreachable(&why))
    }

    /// # Errors
    /// It does not respond, or rejects the token.
    pub fn hello(&self) -> Result<Hello, AgentError> {
        let request = self.agent.get(self.url("/v1/agent"));
        let request = request.header("Authorization", self.bearer());
        self.read(
            request
                .config()
                .timeout_global(Some(PATIENCE))
                .build()
                .call(),
        )
    }

    /// # Errors
    /// It does not respond, or rejects the order.
    pub fn start(&self, order: &Order) -> Result<(), AgentError> {
        let request = self.agent.post(self.url("/v1/run"));
        let request = request.header("Authorization", self.bearer());
        let request = request.config().timeout_global(Some(TO_SEND)).build();
        self.check(request.send_json(order)).map(|_| ())
    }

    /// # Errors
    /// It does not respond, or does not know the run.
    pub fn status(&self, run: &str, from: u64) -> Result<Status, AgentError> {
        let request = self
            .agent
            .get(self.url(&format!("/v1/run/{run}?from={from}")));
        let request = request.header("Authorization", self.bearer());
        self.read(
            request
                .config()
                .timeout_global(Some(PATIENCE))
                .build()
                .call(),
        )
    }

    /// Ends the run if it is in progress, and removes it.
    ///
    /// # Errors
    /// It does not respond, or does not know the run.
    pub fn end(&self, run: &str) -> Result<(), AgentError> {
        let request = self.agent.delete(self.url(&format!("/v1/run/{run}")));
        let request = request.header("Authorization", self.bearer());
        let request = request.config().timeout_global(Some(PATIENCE)).build();
        self.check(request.call()).map(|_| ())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.name)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, AgentError> {
        let mut answer = self.check(answer)?;
        let read = answer.body_mut().read_json();
        read.map_err(|error| self.unreachable(&error))
    }

    fn check(
        &self,
        answer: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Response<ureq::Body>, AgentError> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let said = answer.body_mut().read_to_string().unwrap_or_default();
        let said = if said.is_empty() {
            answer.status().to_string()
        } else {
            said
        };
        Err(AgentError::Refused {
            name: self.name.clone(),
            why: said,
        })
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> AgentError {
        AgentError::Unreachable {
            name: self.name.clone(),
            why: error.to_string(),
        }
    }
}
