//! The admin API of a simulated system, over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

const PATIENCE: Duration = Duration::from_secs(10);

/// Calls to one system's admin API.
#[derive(Debug, Clone)]
pub struct Admin {
    base_url: String,
    agent: Agent,
}

/// A call did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("{url} cannot be asked: {why}")]
    Silent { url: String, why: String },
    #[error("{url} answers {status}: {said}")]
    Refused {
        url: String,
        status: u16,
        said: String,
    },
    #[error("{url} answers what is not JSON: {why}")]
    Unreadable { url: String, why: String },
}

impl Admin {
    pub fn new(base_url: &str) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // Systems of ours are on this machine, or reached as they are.
            .proxy(None)
            .build();
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            agent: config.into(),
        }
    }

    /// The system's state; only a system of ours has one.
    ///
    /// # Errors
    /// As all calls: it cannot be asked, it refuses, or it answers what is not JSON.
    pub fn state(&self) -> Result<Value, AdminError> {
        self.get("/__admin")
    }

    /// The document in force.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn profile(&self) -> Result<Value, AdminError> {
        self.get("/__admin/profile")
    }

    /// Replaces the document.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn put_profile(&self, document: &Value) -> Result<(), AdminError> {
        self.send("PUT", "/__admin/profile", document).map(drop)
    }

    /// Document, stores, caches and journal as they were at the start; overlays go.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn reset(&self) -> Result<(), AdminError> {
        self.send("POST", "/__admin/reset", &Value::Null).map(drop)
    }

    /// Sets limits of hosts, components and pools. They go back by themselves after `ttl`.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn set_limits(&self, limits: &Value, ttl: Duration) -> Result<(), AdminError> {
        let path = format!("/__admin/limits?ttl_ms={}", ttl.as_millis());
        self.send("PATCH", &path, limits).map(drop)
    }

    /// Lays a patch over the document. It goes by itself after `ttl`, whatever becomes of us.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn lay(&self, name: &str, patch: &Value, ttl: Duration) -> Result<(), AdminError> {
        let path = format!("/__admin/overlays/{name}?ttl_ms={}", ttl.as_millis());
        self.send("PUT", &path, patch).map(drop)
    }

    /// Takes a patch away; one that is gone already is no error.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn lift(&self, name: &str) -> Result<(), AdminError> {
        let path = format!("/__admin/overlays/{name}");
        match self.send("DELETE", &path, &Value::Null) {
            Err(AdminError::Refused { status: 404, .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Fills a store up to so many rows.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn populate(&self, store: &str, rows: u64) -> Result<(), AdminError> {
        let body = json!({ "store": store, "rows": rows });
        self.send("POST", "/__admin/populate", &body).map(drop)
    }

    /// Ends an instance of a host.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn crash(&self, host: &str, instance: u32) -> Result<(), AdminError> {
        let body = json!({ "host": host, "instance": instance });
        self.send("POST", "/__admin/crash", &body).map(drop)
    }

    /// Counters and levels of the simulated resources.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn resources(&self) -> Result<Value, AdminError> {
        self.get("/__admin/resources")
    }

    /// The metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn metrics(&self) -> Result<String, AdminError> {
        let url = format!("{}/metrics", self.base_url);
        let answer = self.agent.get(&url).call();
        text_of(&url, answer)
    }

    /// The newest requests with their ids, at most so many.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn journal(&self, most: u64) -> Result<Value, AdminError> {
        self.get(&format!("/__admin/journal?limit={most}"))
    }

    /// What a right analysis has to find under this load; without one, of the system alone.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn truth(&self, query: &str) -> Result<Value, AdminError> {
        self.get(&format!("/__admin/truth{query}"))
    }

    fn get(&self, path: &str) -> Result<Value, AdminError> {
        let url = format!("{}{path}", self.base_url);
        let answer = self.agent.get(&url).call();
        read(url, answer)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, AdminError> {
        let url = format!("{}{path}", self.base_url);
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = http::Request::builder()
            .method(method)
            .uri(&url)
            .header("Content-Type", "application/json")
            .body(text);
        let answer = match request {
            Ok(request) => self.agent.run(request),
            Err(error) => Err(ureq::Error::Http(error)),
        };
        read(url, answer)
    }
}

fn read(
    url: String,
    answer: Result<http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value, AdminError> {
    let text = text_of(&url, answer)?;
    serde_json::from_str(&text).map_err(|error| AdminError::Unreadable {
        url,
        why: error.to_string(),
    })
}

fn text_of(
    url: &str,
    answer: Result<http::Response<ureq::Body>, ureq::Error>,
) -> Result<String, AdminError> {
    let silent = |why: ureq::Error| AdminError::Silent {
        url: url.to_owned(),
        why: why.to_string(),
    };
    let mut answer = answer.map_err(silent)?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().map_err(silent)?;
    if !(200..300).contains(&status) {
        let said: Option<Value> = serde_json::from_str(&text).ok();
        let said = said.and_then(|said| said["message"].as_str().map(str::to_owned));
        return Err(AdminError::Refused {
            url: url.to_owned(),
            status,
            said: said.unwrap_or(text),
        });
    }
    Ok(text)
}
