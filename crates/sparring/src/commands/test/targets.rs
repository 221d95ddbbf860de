//! The target of a test: started in this process, or a service elsewhere.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fleet::Fleet;
use service_runtime::{Shutdown, bind};
use suite::drill;
use suite::run::{Admin, Target};
use target_systems::{Overrides, systems};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::environment;
use crate::reach;
use crate::stack::{Ports, Stack};
use crate::terminal::Usage;

type Failure = Box<dyn Error + Send + Sync>;

/// The number of inputs that the log of a simulated system keeps here, since load tests are not recomputed.
const LOGGED_INPUTS: usize = 1_000;
/// The time limit for connecting to a service.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running target.
pub struct Started {
    name: String,
    base_url: String,
    is_simulated: bool,
    admin: Option<Admin>,
    drilled: Option<drill::Target>,
    /// The reason why a server ended unexpectedly.
    broken: Arc<OnceLock<String>>,
    /// The task of the servers, with its shutdown; `None` for a service elsewhere.
    servers: Option<(JoinHandle<()>, Shutdown)>,
}

/// The orchestrator and its mock detectors, on free ports.
///
/// # Errors
/// They cannot be started.
pub fn embedded(runtime: &Runtime, fleet: &Fleet) -> Result<Started, Failure> {
    let stop = Shutdown::new();
    let start = Stack::start(fleet.clone(), Ports::Free, None, &stop);
    let mut stack = runtime.block_on(start)?;
    let base_url = stack.base_url();
    let detectors = stack.detectors.iter();
    let detectors = detectors.map(|(name, address)| (name.clone(), format!("http://{address}")));
    let drilled = drill::Target {
        orchestrator: base_url.clone(),
        headers: super::super::drill::headers(fleet),
        detectors: detectors.collect(),
    };
    let broken = Arc::<OnceLock<String>>::default();
    let (note, ending) = (broken.clone(), stop.clone());
    let servers = runtime.spawn(async move {
        tokio::select! {
            () = ending.cancelled() => {}
            (name, ended) = stack.broken() => {
                let why = ended.err().map_or("it exited unexpectedly".to_owned(), |error| error.to_string());
                drop(note.set(format!("{name}: {why}")));
            }
        }
        stack.stop().await;
    });
    Ok(Started {
        name: "orchestrator".to_owned(),
        base_url,
        is_simulated: true,
        admin: None,
        drilled: Some(drilled),
        broken,
        servers: Some((servers, stop)),
    })
}

/// A simulated system on a free port: a shipped one, or one from a file whose path is relative to `folder`.
///
/// # Errors
/// The system does not exist or cannot be served.
pub fn simulated(
    runtime: &Runtime,
    name: &str,
    folder: Option<&Path>,
    seed: Option<u64>,
) -> Result<Started, Failure> {
    let overrides = Overrides {
        seed,
        performance: variable("ACSO_PERFORMANCE_MODE", "true or false")?,
        timeout_multiplier: variable("PERFORMANCE_TIMEOUT_MULTIPLIER", "a number")?,
        ..Overrides::default()
    };
    let file = folder.map(|folder| folder.join(name));
    let file = file.filter(|path| systems::text(name).is_none() && path.exists());
    let source = file.map_or_else(|| name.to_owned(), |path| path.display().to_string());
    let system = super::super::target::read(&source, &overrides)?;
    let name = system.document.system.clone();
    let config = target_systems::serve::Config {
        log_entries: LOGGED_INPUTS,
        ..target_systems::serve::Config::new(system)
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = runtime.block_on(bind(address, &name))?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let stop = Shutdown::new();
    let broken = Arc::<OnceLock<String>>::default();
    let (note, ending) = (broken.clone(), stop.clone());
    let servers = runtime.spawn(async move {
        if let Err(error) = target_systems::serve::run(config, listener, ending).await {
            drop(note.set(error.to_string()));
        }
    });
    Ok(Started {
        name,
        admin: Some(Admin::new(&base_url)),
        base_url,
        is_simulated: true,
        drilled: None,
        broken,
        servers: Some((servers, stop)),
    })
}

/// The setting of a variable for the system, if it is set.
fn variable<T: std::str::FromStr>(name: &str, expected: &str) -> Result<Option<T>, Usage> {
    let text = environment::nonempty_text(name);
    let read = |text: String| {
        let value = text.trim().parse().ok();
        value.ok_or_else(|| Usage(format!("{name} is `{text}`; {expected} is expected")))
    };
    text.map(read).transpose()
}

/// A service elsewhere. A simulated system is recognised by its answer and prepared as such.
///
/// # Errors
/// The URL does not accept connections.
pub fn given(runtime: &Runtime, url: &str) -> Result<Started, Failure> {
    if !reach::goes_through_a_proxy() {
        runtime.block_on(reach::reach("service", url))?;
    }
    reach::health(url)?;
    let admin = Admin::new(url);
    let state = admin
        .state()
        .ok()
        .filter(|state| state["simulated"] == true);
    let name = state
        .as_ref()
        .and_then(|state| state["system"].as_str().map(str::to_owned));
    Ok(Started {
        name: name.unwrap_or_else(|| url.to_owned()),
        base_url: url.trim_end_matches('/').to_owned(),
        is_simulated: state.is_some(),
        admin: state.map(|_| admin),
        drilled: None,
        broken: Arc::default(),
        servers: None,
    })
}

impl Started {
    pub fn url(&self) -> String {
        self.base_url.clone()
    }

    /// Ends the target if it was started here.
    pub fn stop(self, runtime: &Runtime) {
        if let Some((servers, stop)) = self.servers {
            stop.cancel();
            drop(runtime.block_on(servers));
        }
    }
}

impl Target for Started {
    fn name(&self) -> &str {
        &self.name
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn is_simulated(&self) -> bool {
        self.is_simulated
    }

    fn admin(&self) -> Option<&Admin> {
        self.admin.as_ref()
    }

    fn drilled(&self) -> Option<&drill::Target> {
        self.drilled.as_ref()
    }

    fn broken(&self) -> Option<String> {
        if let Some(why) = self.broken.get() {
            return Some(why.clone());
        }
        if self.servers.is_some() || reach::goes_through_a_proxy() {
            return None;
        }
        let (host, port) = reach::authority(&self.base_url)?;
        use std::net::{TcpStream, ToSocketAddrs};
        let address = (host.as_str(), port).to_socket_addrs().ok()?.next()?;
        let connected = TcpStream::connect_timeout(&address, PATIENCE);
        connected
            .err()
            .map(|error| format!("{} does not answer: {error}", self.base_url))
    }
}
