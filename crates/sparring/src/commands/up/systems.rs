//! Simulated systems that run with the stack.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use service_runtime::bind;
use target_systems::network::Reading;
use target_systems::serve::{Config, Target};
use target_systems::{Overrides, System};
use tokio::net::TcpListener;

use crate::commands::target;
use crate::stack::{Ports, Stack};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The shipped systems that stand for whole services, with their ports.
const SHIPPED: [(&str, u16); 4] = [
    ("acso", 8010),
    ("aiaas", 8020),
    ("acis", 8030),
    ("agent360", 8040),
];
/// The port of the first other system, and the distance to the next one.
const FIRST_OTHER: u16 = 8050;
const STEP: u16 = 10;

/// A system that will be served.
pub struct Planned {
    system: System,
    port: u16,
}

/// Systems by name or file; `all` means the four that stand for services.
///
/// # Errors
/// A name is unknown, or a file has errors.
pub fn planned(names: &[String]) -> Result<Vec<Planned>, Error> {
    let mut wanted: Vec<&str> = Vec::new();
    for name in names {
        let all = SHIPPED.iter().map(|(name, _)| *name);
        let named: Vec<&str> = if name == "all" {
            all.collect()
        } else {
            vec![name]
        };
        for name in named {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
    }
    let mut other = FIRST_OTHER;
    let mut systems = Vec::new();
    for name in wanted {
        let shipped = SHIPPED.iter().find(|(known, _)| *known == name);
        let port = shipped.map_or(other, |(_, port)| *port);
        if shipped.is_none() {
            other += STEP;
        }
        let system = target::read(name, &Overrides::default())?;
        systems.push(Planned { system, port });
    }
    Ok(systems)
}

/// Systems that are served in this process.
pub struct Systems {
    served: Vec<Served>,
}

struct Served {
    name: String,
    target: Arc<Target>,
    address: SocketAddr,
    before: Seen,
}

/// The previous reading for a status line.
struct Seen {
    reading: Reading,
    answered: u64,
    at: Instant,
}

impl Seen {
    fn of(target: &Target) -> Self {
        Self {
            reading: target.read(),
            answered: target.answered(),
            at: Instant::now(),
        }
    }
}

/// Binds the ports of the systems, so that a port in use is reported before anything runs.
///
/// # Errors
/// A port is in use.
pub async fn listen(planned: &[Planned], ports: Ports) -> Result<Vec<TcpListener>, Error> {
    let mut listeners = Vec::new();
    for one in planned {
        let port = match ports {
            Ports::Declared => one.port,
            Ports::Free => 0,
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        listeners.push(bind(address, &one.system.document.system).await?);
    }
    Ok(listeners)
}

impl Systems {
    /// Serves the systems until the stack ends; one that breaks breaks the stack.
    ///
    /// # Errors
    /// A system cannot run.
    pub fn start(
        planned: Vec<Planned>,
        listeners: Vec<TcpListener>,
        stack: &mut Stack,
    ) -> Result<Self, Error> {
        let mut served = Vec::new();
        for (one, listener) in planned.into_iter().zip(listeners) {
            let name = one.system.document.system.clone();
            let target = Target::new(Config::new(one.system))?;
            let address = listener.local_addr()?;
            let serving = target.clone();
            stack.serve(name.clone(), |stop| async move {
                serving
                    .serve(listener, stop)
                    .await
                    .map_err(std::io::Error::other)
            });
            served.push(Served {
                before: Seen::of(&target),
                name,
                target,
                address,
            });
        }
        Ok(Self { served })
    }

    /// The name and URL of each system.
    pub fn urls(&self) -> impl Iterator<Item = (&str, String)> {
        let url = |one: &Served| format!("http://{}", one.address);
        self.served
            .iter()
            .map(move |one| (one.name.as_str(), url(one)))
    }

    /// The activity of each system since the last call, as the end of a status line.
    pub fn line(&mut self) -> String {
        let parts = self.served.iter_mut().map(|one| {
            let now = Seen::of(&one.target);
            let seconds = now.at.duration_since(one.before.at).as_secs_f64().max(1e-3);
            let rate = now.answered.saturating_sub(one.before.answered) as f64 / seconds;
            let bottleneck =
                target::Use::between(&one.before.reading, &now.reading).bottleneck(" ");
            one.before = now;
            format!("; {} {rate:.0}/s{bottleneck}", one.name)
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(names: &[&str]) -> Vec<(String, u16)> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let planned = planned(&names).expect("known systems");
        planned
            .into_iter()
            .map(|one| (one.system.document.system, one.port))
            .collect()
    }

    #[test]
    fn each_system_has_its_port_and_is_served_once() {
        let expected = [
            ("acso", 8010),
            ("aiaas", 8020),
            ("acis", 8030),
            ("agent360", 8040),
        ];
        let expected = expected.map(|(name, port)| (name.to_owned(), port));
        assert_eq!(ports(&["all"]), expected);
        assert_eq!(ports(&["acis", "all"]).len(), 4);
        assert_eq!(ports(&["lab"]), [("lab".to_owned(), 8050)]);
    }

    #[test]
    fn an_unknown_system_is_told_with_what_is_near() {
        let error = planned(&["acos".to_owned()])
            .err()
            .expect("it is unknown")
            .to_string();
        assert!(error.contains("did you mean `acso`?"), "{error}");
    }
}
