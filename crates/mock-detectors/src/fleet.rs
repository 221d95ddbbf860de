//! Several detectors in one process, for embedding in tests and in the stack.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use fault_profile::Profile;
use fault_profile::listener::Admin;
use live_config::{Change, Refused};
use serde_json::Value;
use service_runtime::Shutdown;
use simulated_server::Timer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::detector::Detector;
use crate::server::{Bound, Ready, serve_all};
use crate::site::Site;
use crate::start_error::StartError;

/// The reason why a profile was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error("no detector {0}")]
    Unknown(String),
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Running detectors. They stop on request, or when this is dropped.
#[derive(Debug)]
pub struct Fleet {
    detectors: Vec<(Arc<Detector>, SocketAddr)>,
    admin: Vec<Option<SocketAddr>>,
    authorities: Vec<Option<String>>,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
}

impl Fleet {
    /// Starts detectors on free ports of the loopback interface.
    ///
    /// # Errors
    /// A profile is invalid, or the system has no port or thread.
    pub async fn start(configs: impl IntoIterator<Item = Config>) -> Result<Self, StartError> {
        let mut bound = Vec::new();
        for config in configs {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            bound.push(Bound { config, listener });
        }
        Self::start_on(bound)
    }

    /// Starts detectors on listeners that the caller has bound. Needs a tokio runtime.
    ///
    /// # Errors
    /// A profile is invalid, or the system has no thread.
    pub fn start_on(bound: Vec<Bound>) -> Result<Self, StartError> {
        let timer = Timer::start()?;
        let mut sites = Vec::with_capacity(bound.len());
        let mut detectors = Vec::with_capacity(bound.len());
        let mut admin = Vec::with_capacity(bound.len());
        let mut authorities = Vec::with_capacity(bound.len());
        for Bound { config, listener } in bound {
            let address = listener.local_addr()?;
            let site = Arc::new(Site::new(config, timer.clone(), address)?);
            detectors.push((site.detector.clone(), address));
            authorities.push(site.authority_pem().map(str::to_owned));
            admin.push(match site.detector.listener.admin {
                Admin::SamePort => Some(address),
                Admin::Port(_) => site.admin_address(),
                Admin::Off => None,
            });
            sites.push(Ready { site, listener });
        }
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(serve_all(sites, shutdown.clone()));
        Ok(Self {
            detectors,
            admin,
            authorities,
            shutdown,
            serving,
        })
    }

    /// The URL of a detector.
    pub fn url(&self, name: &str) -> Option<String> {
        let (detector, address) = self.find(name)?;
        let scheme = if detector.listener.tls_host.is_some() {
            "https"
        } else {
            "http"
        };
        Some(format!("{scheme}://{address}{}", detector.dialect.path()))
    }

    /// The address of a detector.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.find(name).map(|(_, address)| *address)
    }

    /// The address of a detector's admin API, unless it is off.
    pub fn admin_address(&self, name: &str) -> Option<SocketAddr> {
        let place = self
            .detectors
            .iter()
            .position(|(detector, _)| detector.name == name)?;
        *self.admin.get(place)?
    }

    /// The authority to trust for a detector with TLS.
    pub fn authority_pem(&self, name: &str) -> Option<&str> {
        let place = self
            .detectors
            .iter()
            .position(|(detector, _)| detector.name == name)?;
        self.authorities.get(place)?.as_deref()
    }

    /// Names of the detectors, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.detectors
            .iter()
            .map(|(detector, _)| detector.name.as_str())
    }

    /// The profile in force.
    pub fn profile(&self, name: &str) -> Option<Profile> {
        self.find(name)
            .map(|(detector, _)| detector.control.live().config.clone())
    }

    /// Merges a patch into a detector's profile and returns the new revision.
    ///
    /// # Errors
    /// The detector is unknown, or the profile is invalid; nothing has changed then.
    pub fn patch(&self, name: &str, patch: &Value) -> Result<u64, ChangeError> {
        self.change(name, patch, &Change::default())
    }

    /// Like [`Fleet::patch`], under conditions.
    ///
    /// # Errors
    /// As [`Fleet::patch`], or another revision is in force.
    pub fn change(&self, name: &str, patch: &Value, change: &Change) -> Result<u64, ChangeError> {
        let (detector, _) = self
            .find(name)
            .ok_or_else(|| ChangeError::Unknown(name.to_owned()))?;
        Ok(detector.control.patch(patch, change)?.revision)
    }

    /// Restores the initial profiles of the detectors.
    pub fn reset(&self) {
        for (detector, _) in &self.detectors {
            if let Err(error) = detector.control.reset(&Change::default()) {
                tracing::error!(detector = detector.name, %error, "a profile was not reset");
            }
        }
    }

    /// Requests that a detector has recorded since its start.
    pub fn recorded(&self, name: &str) -> Option<u64> {
        self.find(name)
            .map(|(detector, _)| detector.journal.recorded())
    }

    /// Stops and waits until every connection has ended.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        if let Err(error) = (&mut self.serving).await {
            tracing::error!(%error, "a detector did not stop cleanly");
        }
    }

    pub(crate) fn detector(&self, name: &str) -> Option<&Detector> {
        self.find(name).map(|(detector, _)| &**detector)
    }

    fn find(&self, name: &str) -> Option<&(Arc<Detector>, SocketAddr)> {
        self.detectors
            .iter()
            .find(|(detector, _)| detector.name == name)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
