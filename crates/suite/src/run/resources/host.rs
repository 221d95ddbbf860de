//! The machine as a whole, by /proc/stat, /proc/meminfo, /proc/net/dev and pressure stall information.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::time::Instant;

use report::record::ResourceSample;

/// Reads the machine again and again; rates are between two readings.
#[derive(Debug, Default)]
pub struct Host {
    before: Option<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    cpu: Cpu,
    received_bytes: u64,
    sent_bytes: u64,
}

/// Ticks since the start, of all cores together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cpu {
    busy: f64,
    steal: f64,
    all: f64,
}

impl Host {
    /// Its resources now; `None` without procfs.
    pub fn sample(&mut self) -> Option<ResourceSample> {
        let (received_bytes, sent_bytes) =
            network(&read_to_string("/proc/net/dev").unwrap_or_default());
        let now = Reading {
            at: Instant::now(),
            cpu: cpu(&read_to_string("/proc/stat").ok()?)?,
            received_bytes,
            sent_bytes,
        };
        let before = self.before.replace(now);
        let memory = read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo(&memory, "MemTotal");
        let free = meminfo(&memory, "MemAvailable");
        let used = total
            .zip(free)
            .map(|(total, free)| total.saturating_sub(free));
        let share = |of: fn(&Cpu) -> f64| {
            let before = before?.cpu;
            let ticks = now.cpu.all - before.all;
            (ticks > 0.0).then(|| (of(&now.cpu) - of(&before)) / ticks)
        };
        let rate = |of: fn(&Reading) -> u64| {
            let before = before?;
            let seconds = (now.at - before.at).as_secs_f64();
            (seconds > 0.0).then(|| of(&now).saturating_sub(of(&before)) as f64 / seconds)
        };
        let cpu_ratio = share(|cpu| cpu.busy);
        Some(ResourceSample {
            cpu_ratio,
            cpu_cores: cpu_ratio.map(|ratio| ratio * cores()),
            steal_ratio: share(|cpu| cpu.steal),
            memory_bytes: used,
            memory_ratio: used
                .zip(total)
                .map(|(used, total)| used as f64 / total.max(1) as f64),
            network_received_bytes_per_s: rate(|reading| reading.received_bytes),
            network_sent_bytes_per_s: rate(|reading| reading.sent_bytes),
            pressure: pressure(|resource| {
                read_to_string(format!("/proc/pressure/{resource}")).ok()
            }),
            ..ResourceSample::default()
        })
    }
}

/// Cores of the machine.
pub fn cores() -> f64 {
    let stat = read_to_string("/proc/stat").unwrap_or_default();
    let is_core = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    stat.lines().filter(is_core).count().max(1) as f64
}

/// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
fn cpu(stat: &str) -> Option<Cpu> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .map_while(|text| text.parse().ok())
        .collect();
    let [user, nice, system, idle, waiting, irq, soft_irq, steal, ..] = ticks[..] else {
        return None;
    };
    let busy = user + nice + system + irq + soft_irq;
    Some(Cpu {
        busy,
        steal,
        all: busy + idle + waiting + steal,
    })
}

fn meminfo(text: &str, name: &str) -> Option<u64> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kilobytes: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Bytes received and sent of all interfaces but the loopback.
fn network(text: &str) -> (u64, u64) {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(name, _)| name.trim() != "lo")
        .map(|(_, fields)| {
            let number = |place| {
                let field = fields.split_whitespace().nth(place);
                field.and_then(|text| text.parse().ok()).unwrap_or(0)
            };
            (number(0), number(8))
        })
        .fold((0, 0), |sum: (u64, u64), one| {
            (sum.0 + one.0, sum.1 + one.1)
        })
}

/// Memory of the machine.
pub fn memory() -> Option<u64> {
    meminfo(&read_to_string("/proc/meminfo").ok()?, "MemTotal")
}

/// The share of the last ten seconds in which something waited for a resource, by the texts of pressure
/// stall information that `read` gives.
pub fn pressure(read: impl Fn(&str) -> Option<String>) -> BTreeMap<String, f64> {
    let of = |resource: &str| {
        let text = read(resource)?;
        let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
        let percent = some
            .split_whitespace()
            .find_map(|pair| pair.strip_prefix("avg10="))?;
        Some((resource.to_owned(), percent.parse::<f64>().ok()? / 100.0))
    };
    ["cpu", "memory", "io"].into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_procfs_are_read_by_field() {
        let stat = "cpu  10 1 5 80 4 1 1 2 0 0\ncpu0 10 1 5 80 4 1 1 2 0 0\n";
        let expected = Cpu {
            busy: 18.0,
            steal: 2.0,
            all: 104.0,
        };
        assert_eq!(cpu(stat), Some(expected));
        assert_eq!(cpu("nonsense"), None);
        assert_eq!(
            meminfo("MemTotal:  2 kB\nMemAvailable: 1 kB\n", "MemAvailable"),
            Some(1024)
        );
        let device =
            "Inter-| x\n face |bytes\n    lo: 9 0 0 0 0 0 0 0 9 0\n  eth0: 7 1 0 0 0 0 0 0 5 1\n";
        assert_eq!(network(device), (7, 5));
    }

    #[test]
    fn a_machine_has_shares_from_the_second_reading_on() {
        let mut host = Host::default();
        assert_eq!(host.sample().expect("procfs").cpu_ratio, None);
        std::thread::sleep(std::time::Duration::from_millis(50));
        let sample = host.sample().expect("procfs");
        assert!(
            sample
                .memory_ratio
                .is_some_and(|ratio| (0.0..=1.0).contains(&ratio))
        );
    }
}
