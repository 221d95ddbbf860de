//! The processes that play a simulated target: whether they kept their own times, and what they really used.

use std::time::Instant;

use report::record::ResourceSample;
use serde_json::Value;

use crate::run::admin::Admin;

/// Asks simulated servers again and again.
#[derive(Debug)]
pub struct Simulators {
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    /// As samples name it; `None` where there is only one.
    name: Option<String>,
    admin: Admin,
    before: Option<(Instant, f64)>,
}

impl Simulators {
    /// A system, and servers by name and URL.
    pub fn new<'a>(
        system: Option<&Admin>,
        servers: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Self {
        let server = |name, admin| Server {
            name,
            admin,
            before: None,
        };
        let system = system.map(|admin| server(None, admin.clone()));
        let others = servers.map(|(name, url)| server(Some(name.clone()), Admin::new(url)));
        Self {
            servers: system.into_iter().chain(others).collect(),
        }
    }

    /// One sample for each that answers.
    pub fn samples(&mut self) -> Vec<ResourceSample> {
        let servers = self.servers.iter_mut();
        servers.filter_map(Server::sample).collect()
    }
}

impl Server {
    fn sample(&mut self) -> Option<ResourceSample> {
        let state = self.admin.state().ok()?;
        let degraded = state["degraded"].as_bool()?;
        let other = [("degraded".to_owned(), f64::from(u8::from(degraded)))];
        let sample = ResourceSample {
            host: self.name.clone(),
            other: other.into(),
            ..ResourceSample::default()
        };
        let process = &state["process"];
        // A server in this process has the generator's figures.
        if process["pid"] == std::process::id() {
            return Some(sample);
        }
        Some(ResourceSample {
            cpu_cores: self.cores(process),
            memory_bytes: process["memory_bytes"].as_u64(),
            threads: process["threads"].as_u64(),
            ..sample
        })
    }

    /// Busy cores since the last answer.
    fn cores(&mut self, process: &Value) -> Option<f64> {
        let (now, cpu_s) = (Instant::now(), process["cpu_s"].as_f64()?);
        let (then, cpu_then_s) = self.before.replace((now, cpu_s))?;
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        (seconds > 0.0 && cpu_s >= cpu_then_s).then(|| (cpu_s - cpu_then_s) / seconds)
    }
}
