//! Several detectors in one process, for embedding in tests and in the stack.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use fault_profile::listener::Admin;
use fault_profile::{Invalid, Profile};
use serde_json::Value;
use service_runtime::Shutdown;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::control::{Change, Refused};
use crate::detector::Detector;
use crate::server::{Site, serve_all};
use crate::timer::Timer;
use crate::tls::TlsError;

/// Why detectors could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the profile of {detector} is not valid")]
    Profile { detector: String, source: Invalid },
    #[error("the system refused a port or a thread")]
    System(#[from] std::io::Error),
    #[error("the metrics of a detector could not be set up")]
    Metrics(#[from] prometheus::Error),
    #[error("the certificates of a listener could not be made")]
    Tls(#[from] TlsError),
}

/// Running detectors. They stop when told to, or when this is dropped.
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
    /// A profile is not valid, or there is no port or thread.
    pub async fn start(configs: impl IntoIterator<Item = Config>) -> Result<Self, StartError> {
        let mut bound = Vec::new();
        for config in configs {
            bound.push((config, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?));
        }
        Self::start_on(bound)
    }

    /// Starts detectors on listeners that the caller has bound. Needs a tokio runtime.
    ///
    /// # Errors
    /// A profile is not valid, or there is no thread.
    pub fn start_on(bound: Vec<(Config, TcpListener)>) -> Result<Self, StartError> {
        let timer = Timer::start()?;
        let mut sites = Vec::with_capacity(bound.len());
        let mut detectors = Vec::with_capacity(bound.len());
        let mut admin = Vec::with_capacity(bound.len());
        let mut authorities = Vec::with_capacity(bound.len());
        for (config, listener) in bound {
            let address = listener.local_addr()?;
            let site = Arc::new(Site::new(config, timer.clone(), address)?);
            detectors.push((site.detector.clone(), address));
            authorities.push(site.authority_pem().map(str::to_owned));
            admin.push(match site.detector.listener.admin {
                Admin::SamePort => Some(address),
                Admin::Port(_) => site.admin_address(),
                Admin::Off => None,
            });
            sites.push((site, listener));
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

    /// The URL that a detector is called at.
    pub fn url(&self, name: &str) -> Option<String> {
        let (detector, address) = self.find(name)?;
        let scheme = if detector.listener.tls_host.is_some() {
            "https"
        } else {
            "http"
        };
        Some(format!("{scheme}://{address}{}", detector.dialect.path()))
    }

    /// Where a detector listens.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.find(name).map(|(_, address)| *address)
    }

    /// Where a detector's admin API listens, unless it is off.
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
            .map(|(detector, _)| detector.control.live().profile.clone())
    }

    /// Merges a patch into a detector's profile and returns the new revision.
    ///
    /// # Errors
    /// No such detector, or a profile that is not valid; nothing has changed then.
    pub fn patch(&self, name: &str, patch: &Value) -> Result<u64, Refused> {
        self.change(name, patch, &Change::default())
    }

    /// Like [`Fleet::patch`], under conditions.
    ///
    /// # Errors
    /// As [`Fleet::patch`], and when another revision is in force.
    pub fn change(&self, name: &str, patch: &Value, change: &Change) -> Result<u64, Refused> {
        let (detector, _) = self
            .find(name)
            .ok_or_else(|| Refused::Unknown(name.to_owned()))?;
        Ok(detector.control.patch(patch, change)?.revision)
    }

    /// Back to the profiles that the detectors were started with.
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
            tracing::error!(%error, "a detector did not stop in order");
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
