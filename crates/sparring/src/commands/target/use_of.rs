//! The utilisation of a simulated system, from two readings: the hosts, and the slots and connections for which
//! requests wait.

use target_systems::network::{
    ComponentReading, HostReading, MachineReading, PoolReading, Reading,
};

/// A resource of a host at this utilisation is the bottleneck, even if requests that wait for it hold all slots or
/// connections of its callers.
const BUSY: f64 = 0.9;
/// Below this utilisation, no resource is called a bottleneck.
const IDLE: f64 = 0.01;

/// A resource and its utilisation, 0 to 1.
type Share = (String, &'static str, f64);

/// The utilisation of a system over a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// The busiest resource of each host.
    hosts: Vec<Share>,
    /// Slots of components and connections of pools.
    places: Vec<Share>,
}

impl Use {
    pub fn between(before: &Reading, now: &Reading) -> Self {
        let seconds = now.at.saturating_sub(before.at).as_secs_f64().max(1e-3);
        let hosts = now.hosts.iter().filter_map(|host| {
            let mut earlier = before.hosts.iter();
            let earlier = earlier.find(|earlier| earlier.name == host.name)?;
            let (resource, share) = busiest(earlier, host, seconds)?;
            Some((host.name.to_string(), resource, share))
        });
        let slots = now.components.iter().filter_map(|component| {
            let mut earlier = before.components.iter();
            let earlier = earlier.find(|earlier| earlier.name == component.name)?;
            let share = slots_held(earlier, component)?;
            Some((component.name.to_string(), "slots", share))
        });
        let pools = now.pools.iter().filter_map(|pool| {
            let mut earlier = before.pools.iter();
            let earlier = earlier.find(|earlier| earlier.name == pool.name)?;
            let share = connections_held(earlier, pool, seconds);
            Some((pool.name.to_string(), "pool", share))
        });
        Self {
            hosts: hosts.collect(),
            places: slots.chain(pools).collect(),
        }
    }

    /// One line of at most 120 characters.
    pub fn line(&self, rate: f64, in_flight: u64) -> String {
        let mut line = format!("{rate:.0} requests/s, {in_flight} in flight");
        for (name, resource, share) in &self.hosts {
            let next = format!(", {name} {resource} {:.0} %", share * 100.0);
            if line.len() + next.len() > 90 {
                break;
            }
            line.push_str(&next);
        }
        line + &self.bottleneck("; bottleneck ")
    }

    /// The most utilised resource with its share, after the text `before`; empty if none is used.
    pub fn bottleneck(&self, before: &str) -> String {
        self.busiest()
            .map_or_else(String::new, |(name, resource, share)| {
                format!("{before}{name} {resource} {:.0} %", share * 100.0)
            })
    }

    fn busiest(&self) -> Option<&Share> {
        let host = most(self.hosts.iter());
        let busy = host.filter(|(.., share)| *share >= BUSY);
        let found = busy.or_else(|| most(self.hosts.iter().chain(&self.places)));
        found.filter(|(.., share)| *share > IDLE)
    }
}

fn most<'a>(shares: impl Iterator<Item = &'a Share>) -> Option<&'a Share> {
    shares.max_by(|a, b| a.2.total_cmp(&b.2))
}

/// Slots that were held at both ends, on average.
fn slots_held(before: &ComponentReading, now: &ComponentReading) -> Option<f64> {
    let slots = now.slots.filter(|slots| *slots > 0)?;
    let held = (before.busy + now.busy) as f64 / 2.0;
    Some((held / slots as f64).min(1.0))
}

/// Connections in use, on average.
fn connections_held(before: &PoolReading, now: &PoolReading, seconds: f64) -> f64 {
    let taken = now.in_use_integral.saturating_sub(before.in_use_integral);
    (taken as f64 * 1e-9 / seconds / now.size.max(1) as f64).min(1.0)
}

/// The most utilised resource of a host; `None` if none is limited.
fn busiest(before: &HostReading, now: &HostReading, seconds: f64) -> Option<(&'static str, f64)> {
    let sum = |host: &HostReading, of: fn(&MachineReading) -> f64| {
        host.machines.iter().map(of).sum::<f64>()
    };
    let per_s = |of: fn(&MachineReading) -> f64| {
        (sum(now, of) - sum(before, of)).max(0.0) / seconds / now.instances.max(1) as f64
    };
    let cpu = now
        .cpu_cores
        .map(|cores| ("CPU", per_s(|one| one.cpu_busy_s) / cores));
    let disk = now.has_disk.then(|| ("disk", per_s(|one| one.disk_busy_s)));
    let link = now
        .has_network
        .then(|| ("link", per_s(|one| one.network_busy_s)));
    let memory = now.memory_limit_kb.map(|limit| {
        let used = now.machines.iter().map(|one| one.memory_used_kb);
        ("memory", used.fold(0.0, f64::max) / limit)
    });
    // Memory in constant use is not a bottleneck until it is nearly exhausted.
    let memory = memory.filter(|(_, share)| *share > BUSY);
    [cpu, disk, link, memory]
        .into_iter()
        .flatten()
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(all: &[(&str, &'static str, f64)]) -> Vec<Share> {
        let owned = |(name, resource, share): &(&str, &'static str, f64)| {
            ((*name).to_owned(), *resource, *share)
        };
        all.iter().map(owned).collect()
    }

    #[test]
    fn the_bottleneck_is_what_is_used_most_and_a_busy_host_before_those_that_wait_for_it() {
        let slots = ("model", "slots", 0.99);
        for (cpu, places, bottleneck) in [
            (0.23, vec![slots, ("db", "pool", 0.34)], " model slots 99 %"),
            (0.97, vec![("app", "slots", 1.0)], " api CPU 97 %"),
            (0.50, vec![("app", "slots", 0.2)], " api CPU 50 %"),
            (0.0, vec![("app", "slots", 0.005)], ""),
        ] {
            let used = Use {
                hosts: shares(&[("api", "CPU", cpu), ("db", "disk", 0.0)]),
                places: shares(&places),
            };
            assert_eq!(used.bottleneck(" "), bottleneck);
        }
        let used = Use {
            hosts: shares(&[("api", "CPU", 0.2)]),
            places: shares(&[slots]),
        };
        assert_eq!(
            used.line(224.0, 60),
            "224 requests/s, 60 in flight, api CPU 20 %; bottleneck model slots 99 %"
        );
    }
}
