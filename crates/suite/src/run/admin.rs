//! A blocking client of the admin API of a simulated system.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use simulated_server::{AdminClient, AdminError};
use tokio::runtime::{Builder, Runtime};

/// Blocking calls to the admin API of one system. Not for tasks of an asynchronous runtime.
#[derive(Debug, Clone)]
pub struct Admin(Arc<Waiting>);

#[derive(Debug)]
struct Waiting {
    client: AdminClient,
    runtime: Runtime,
}

impl Admin {
    /// # Panics
    /// The system gives no descriptors for a runtime.
    pub fn new(base_url: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        Self(Arc::new(Waiting {
            client: AdminClient::new(base_url),
            runtime: runtime.expect("descriptors for a runtime"),
        }))
    }

    /// The state of a simulated system.
    ///
    /// # Errors
    /// As for all calls: there is no response, or it is an error.
    pub fn state(&self) -> Result<Value, AdminError> {
        self.get("")
    }

    /// The document in force.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn profile(&self) -> Result<Value, AdminError> {
        self.get("/profile")
    }

    /// Replaces the document.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn put_profile(&self, document: &Value) -> Result<(), AdminError> {
        self.send(Method::PUT, "/profile", Some(document)).map(drop)
    }

    /// Restores document, stores, caches and journal to their initial state, and removes overlays.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn reset(&self) -> Result<(), AdminError> {
        self.send(Method::POST, "/reset", None).map(drop)
    }

    /// Sets limits of hosts, components and pools. They revert by themselves after `ttl`.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn set_limits(&self, limits: &Value, ttl: Duration) -> Result<(), AdminError> {
        let path = format!("/limits?ttl_ms={}", ttl.as_millis());
        self.send(Method::PATCH, &path, Some(limits)).map(drop)
    }

    /// Lays a patch over the document. It expires after `ttl`, even if this process ends.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn lay(&self, name: &str, patch: &Value, ttl: Duration) -> Result<(), AdminError> {
        let laying = self.0.client.lay(name, patch, ttl);
        self.0.runtime.block_on(laying).map(drop)
    }

    /// Reverts a patch; it is not an error if it has already expired.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn lift(&self, name: &str) -> Result<(), AdminError> {
        self.0.runtime.block_on(self.0.client.lift(name)).map(drop)
    }

    /// Fills a store up to this number of rows.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn populate(&self, store: &str, rows: u64) -> Result<(), AdminError> {
        let body = json!({ "store": store, "rows": rows });
        self.send(Method::POST, "/populate", Some(&body)).map(drop)
    }

    /// Removes rows that were added to a store.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn withdraw(&self, store: &str, rows: u64) -> Result<(), AdminError> {
        let body = json!({ "store": store, "rows": rows });
        let sent = self.send(Method::DELETE, "/populate", Some(&body));
        sent.map(drop)
    }

    /// The rows of a store; 0 if it is unknown.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn rows(&self, store: &str) -> Result<u64, AdminError> {
        let resources = self.resources()?;
        Ok(resources["stores"][store]["rows"].as_u64().unwrap_or(0))
    }

    /// Crashes an instance of a host.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn crash(&self, host: &str, instance: u32) -> Result<(), AdminError> {
        let body = json!({ "host": host, "instance": instance });
        self.send(Method::POST, "/crash", Some(&body)).map(drop)
    }

    /// Counters and levels of the simulated resources.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn resources(&self) -> Result<Value, AdminError> {
        self.get("/resources")
    }

    /// The metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn metrics(&self) -> Result<String, AdminError> {
        self.0.runtime.block_on(self.0.client.metrics())
    }

    /// Entries of the journal since the start.
    ///
    /// # Errors
    /// The number of journal entries since the start.
    pub fn recorded(&self) -> Result<u64, AdminError> {
        let journal = self.get("/journal?limit=0")?;
        Ok(journal["recorded"].as_u64().unwrap_or_default())
    }

    /// The journal entries after this one.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn journal_after(&self, sequence: u64) -> Result<Value, AdminError> {
        self.get(&format!("/journal?after={sequence}"))
    }

    /// The journal entries after this one, without the work of each request; only for simulated systems.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn brief_journal_after(&self, sequence: u64) -> Result<Value, AdminError> {
        self.get(&format!("/journal?after={sequence}&brief=true"))
    }

    /// The expected results of the analysis under this load; without a load, those of the system alone.
    ///
    /// # Errors
    /// As [`Admin::state`].
    pub fn truth(&self, query: &str) -> Result<Value, AdminError> {
        self.get(&format!("/truth{query}"))
    }

    fn get(&self, path: &str) -> Result<Value, AdminError> {
        self.send(Method::GET, path, None)
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, AdminError> {
        self.0
            .runtime
            .block_on(self.0.client.send(method, path, body))
    }
}
