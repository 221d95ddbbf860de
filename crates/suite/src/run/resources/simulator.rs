//! The processes of a simulated target: their punctuality, and their own use of resources.

use std::collections::BTreeMap;
use std::time::Instant;

use report::record::ResourceSample;
use serde_json::Value;

use crate::run::admin::Admin;

/// Reads the simulated servers repeatedly.
#[derive(Debug)]
pub struct Simulators {
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    /// The name in samples; `None` if there is only one.
    name: Option<String>,
    admin: Admin,
    before: Option<(Instant, f64)>,
    /// The counters of its lateness at the last reading.
    late_before: Option<Late>,
}

/// Responses since a server's start, and the numbers of those more than 10 and more than 100 ms late.
type Late = [u64; 3];
const LATE: [&str; 3] = ["answers", "late_answers", "very_late_answers"];

impl Simulators {
    /// The system, or servers by name and URL.
    pub fn new<'a>(
        system: Option<&Admin>,
        servers: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Self {
        let server = |name, admin| Server {
            name,
            admin,
            before: None,
            late_before: None,
        };
        let system = system.map(|admin| server(None, admin.clone()));
        let others = servers.map(|(name, url)| server(Some(name.clone()), Admin::new(url)));
        Self {
            servers: system.into_iter().chain(others).collect(),
        }
    }

    /// One sample for each server that responds.
    pub fn samples(&mut self) -> Vec<ResourceSample> {
        let servers = self.servers.iter_mut();
        servers.filter_map(Server::sample).collect()
    }
}

impl Server {
    fn sample(&mut self) -> Option<ResourceSample> {
        let state = self.admin.state().ok()?;
        let degraded = state["degraded"].as_bool()?;
        let mut other: BTreeMap<String, f64> =
            [("degraded".to_owned(), f64::from(u8::from(degraded)))].into();
        other.extend(self.lateness(&state["lateness"]));
        let sample = ResourceSample {
            host: self.name.clone(),
            other,
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

    /// Responses since the last reading, and the number of late ones. A restarted server counts from 0.
    fn lateness(&mut self, said: &Value) -> Vec<(String, f64)> {
        let [answers, late, very_late] =
            ["delays", "late", "very_late"].map(|it| said[it].as_u64());
        let (Some(answers), Some(late), Some(very_late)) = (answers, late, very_late) else {
            return Vec::new();
        };
        let now = [answers, late, very_late];
        let before = self.late_before.replace(now).unwrap_or(now);
        let named = LATE.iter().zip(now.iter().zip(before));
        named
            .map(|(name, (now, before))| ((*name).to_owned(), now.saturating_sub(before) as f64))
            .collect()
    }

    /// Busy cores since the last reading.
    fn cores(&mut self, process: &Value) -> Option<f64> {
        let (now, cpu_s) = (Instant::now(), process["cpu_s"].as_f64()?);
        let (then, cpu_then_s) = self.before.replace((now, cpu_s))?;
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        (seconds > 0.0 && cpu_s >= cpu_then_s).then(|| (cpu_s - cpu_then_s) / seconds)
    }
}
