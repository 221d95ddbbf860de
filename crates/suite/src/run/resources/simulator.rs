//! The processes that play a simulated target: whether they kept their own times, and what they really used.

use std::collections::BTreeMap;
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
    /// What it said of its lateness at the last look.
    late_before: Option<Late>,
}

/// Answers since a server's start, and how many of them came more than 10 and more than 100 ms late.
type Late = [u64; 3];
const LATE: [&str; 3] = ["answers", "late_answers", "very_late_answers"];

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
            late_before: None,
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

    /// Answers since the last look, and those of them that were late. A server that began anew has none before.
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

    /// Busy cores since the last answer.
    fn cores(&mut self, process: &Value) -> Option<f64> {
        let (now, cpu_s) = (Instant::now(), process["cpu_s"].as_f64()?);
        let (then, cpu_then_s) = self.before.replace((now, cpu_s))?;
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        (seconds > 0.0 && cpu_s >= cpu_then_s).then(|| (cpu_s - cpu_then_s) / seconds)
    }
}
