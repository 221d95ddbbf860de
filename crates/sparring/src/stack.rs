//! The whole stack in one process: mock detectors and the orchestrator in front of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use fleet::Fleet;
use orchestrator::Reload;
use service_runtime::{Shutdown, bind};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::data_dir;

/// The ports of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// The ports of the fleet file; 0 means a free one.
    Declared,
    /// Any free ports, on loopback.
    Free,
}

/// The reason why the stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Bind(#[from] service_runtime::BindError),
    #[error(
        "detectors.{detector}.endpoint: `{host}` is not this machine; mocks run only on this machine"
    )]
    Elsewhere { detector: String, host: String },
    #[error("the address of a listener is unknown")]
    Address(#[source] io::Error),
    #[error(transparent)]
    DataDir(#[from] data_dir::DataDirError),
    #[error("the fleet is not valid for the orchestrator")]
    Orchestrator(#[from] orchestrator::ConfigError),
}

/// A running stack. Dropping it without [`Stack::stop`] leaves its tasks to the runtime's end.
pub struct Stack {
    pub orchestrator: SocketAddr,
    /// The name and address of each detector, in the order of the fleet.
    pub detectors: Vec<(String, SocketAddr)>,
    /// Asks the orchestrator to read its file again.
    pub reload: Arc<Notify>,
    servers: JoinSet<(String, io::Result<()>)>,
    /// A temporary folder for the files of the service, unless they have a permanent one.
    _temporary: Option<TempDir>,
    shutdown: Shutdown,
}

impl Stack {
    /// Binds all ports before it starts the servers, so that a port in use is reported first. The endpoints of `fleet`
    /// are set to the addresses of the mocks.
    ///
    /// # Errors
    /// A port is in use, or the endpoint of a detector is on another machine.
    pub async fn start(
        mut fleet: Fleet,
        ports: Ports,
        data_dir: Option<&Path>,
        shutdown: &Shutdown,
    ) -> Result<Self, StartError> {
        let front = match ports {
            Ports::Declared => SocketAddr::new(fleet.service.host, fleet.service.port),
            Ports::Free => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        let front = bind(front, "the orchestrator").await?;
        let path = fleet.path.clone();
        let (mut mocks, mut addresses) = (Vec::new(), Vec::new());
        for (name, detector) in &mut fleet.detectors {
            let (listener, address) = listen(name, detector, ports).await?;
            detector.endpoint = with_port(&detector.endpoint, address);
            mocks.push(mock_detectors::Bound {
                config: mock_detectors::Config::of(name, detector),
                listener,
            });
            addresses.push((name.clone(), address));
        }
        let orchestrator = front.local_addr().map_err(StartError::Address)?;
        let port = match ports {
            Ports::Declared => fleet.service.port,
            Ports::Free => 0,
        };
        let temporary = data_dir::settle(&mut fleet, data_dir, port)?;
        let config = orchestrator::Config::try_from(&fleet)?;
        let mut stack = Self {
            orchestrator,
            detectors: addresses,
            reload: Arc::default(),
            servers: JoinSet::new(),
            _temporary: temporary,
            shutdown: shutdown.child_token(),
        };
        let server = mock_detectors::run_following(mocks, path, stack.shutdown.clone());
        stack.servers.spawn(async move {
            (
                "the mock detectors".to_owned(),
                server.await.map_err(io::Error::other),
            )
        });
        let source = Some(source(&fleet, stack.reload.clone()));
        let stop = stack.shutdown.clone();
        let server = orchestrator::run_following(config, source, front, stop);
        stack
            .servers
            .spawn(async move { ("the orchestrator".to_owned(), server.await) });
        Ok(stack)
    }

    /// Runs one more server, which ends with the stack.
    pub fn serve<F>(&mut self, name: String, server: impl FnOnce(Shutdown) -> F)
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let server = server(self.shutdown.clone());
        self.servers.spawn(async move { (name, server.await) });
    }

    /// The base URL of the orchestrator.
    pub fn base_url(&self) -> String {
        let mut address = self.orchestrator;
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        format!("http://{address}")
    }

    /// Waits until a server ends unexpectedly, and returns its name and the reason.
    pub async fn broken(&mut self) -> (String, io::Result<()>) {
        match self.servers.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => ("a server".to_owned(), Err(io::Error::other(panic))),
            None => std::future::pending().await,
        }
    }

    /// Ends all servers and waits for them.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.servers.join_next().await {
            if let Ok((name, Err(error))) = ended {
                let error = load_driver::without_numbers(&error.to_string());
                tracing::warn!(%error, "{name} did not stop cleanly");
            }
        }
    }
}

/// The ports of a stack of this fleet that are in use now, without those of detectors elsewhere.
pub async fn taken(fleet: &Fleet) -> Vec<service_runtime::BindError> {
    let front = SocketAddr::new(fleet.service.host, fleet.service.port);
    let mut wanted = vec![("the orchestrator", front)];
    for (name, detector) in &fleet.detectors {
        let (host, port) = detector.authority().unwrap_or_default();
        let ip = local_ip(name, &host);
        wanted.extend(ip.ok().map(|ip| (name.as_str(), SocketAddr::new(ip, port))));
    }
    // The listeners are held until all are bound, so that two servers on one port are found.
    let (mut held, mut taken) = (Vec::new(), Vec::new());
    for (name, address) in wanted {
        match bind(address, name).await {
            Ok(listener) => held.push(listener),
            Err(error) => taken.push(error),
        }
    }
    taken
}

/// The current fleet file, with the actual ports of the mocks.
fn source(started: &Fleet, asked: Arc<Notify>) -> Reload {
    let started = started.clone();
    Reload {
        file: started.path.clone(),
        asked,
        read: Box::new(move || {
            let Some(path) = started.path.as_deref() else {
                return Ok(orchestrator::Config::try_from(&started)?);
            };
            let mut fleet = fleet::load_again(path, &[])?;
            for (name, detector) in &mut fleet.detectors {
                if let Some(running) = started.detectors.get(name) {
                    detector.endpoint.clone_from(&running.endpoint);
                }
            }
            let (new, old) = (&mut fleet.orchestration, &started.orchestration);
            new.job_store.clone_from(&old.job_store);
            new.redis_url.clone_from(&old.redis_url);
            Ok(orchestrator::Config::try_from(&fleet)?)
        }),
    }
}

async fn listen(
    name: &str,
    detector: &fleet::Detector,
    ports: Ports,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let (host, port) = detector.authority().unwrap_or_default();
    let wanted = match ports {
        Ports::Free => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        Ports::Declared => SocketAddr::new(local_ip(name, &host)?, port),
    };
    let listener = bind(wanted, name).await?;
    let address = listener.local_addr().map_err(StartError::Address)?;
    Ok((listener, address))
}

/// The address to listen on for an endpoint's host, if that is this machine.
fn local_ip(detector: &str, host: &str) -> Result<IpAddr, StartError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let ip = match bare.parse::<IpAddr>() {
        Ok(ip) => Some(ip),
        Err(_) if host == "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        Err(_) => None,
    };
    ip.filter(|ip| ip.is_loopback() || ip.is_unspecified())
        .ok_or_else(|| StartError::Elsewhere {
            detector: detector.to_owned(),
            host: host.to_owned(),
        })
}

/// `endpoint` with host and port of `address`; scheme and path stay.
fn with_port(endpoint: &str, address: SocketAddr) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    let path = rest.find('/').map_or("", |start| &rest[start..]);
    format!("{scheme}://{address}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_takes_the_port_that_was_bound() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        assert_eq!(
            with_port("http://localhost:0/detect", address),
            "http://127.0.0.1:9/detect"
        );
        assert_eq!(
            with_port("https://localhost", address),
            "https://127.0.0.1:9"
        );
    }

    #[test]
    fn a_mock_does_not_start_for_an_endpoint_on_another_machine() {
        assert!(local_ip("a", "localhost").is_ok_and(|ip| ip.is_loopback()));
        assert!(local_ip("a", "[::1]").is_ok_and(|ip| ip.is_loopback()));
        let error = local_ip("a", "detector.example.com").expect_err("elsewhere");
        assert!(error.to_string().contains("detectors.a.endpoint"));
    }
}
