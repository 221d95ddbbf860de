//! The machine as a whole, by procfs: /proc/stat, /proc/meminfo, /proc/diskstats, /proc/net/dev, /proc/net/sockstat,
//! /proc/sys/fs/file-nr, /proc/loadavg and pressure stall information.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::PathBuf;
use std::time::Instant;

use report::record::ResourceSample;

/// Bytes of a sector in /proc/diskstats, whatever the device's sector size.
const SECTOR_BYTES: u64 = 512;

/// Reads the machine repeatedly; rates are between two readings.
#[derive(Debug)]
pub struct Host {
    /// The mount points of procfs and sysfs.
    proc: PathBuf,
    sys: PathBuf,
    before: Option<Reading>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
            before: None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    cpu: Cpu,
    received_bytes: u64,
    sent_bytes: u64,
    /// `None` if the machine does not report them.
    disks: Option<Disks>,
}

/// The work of all disks since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Disks {
    read_bytes: u64,
    written_bytes: u64,
    operations: u64,
    /// Of the busiest disk.
    busy_ms: u64,
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
        let (received_bytes, sent_bytes) = network(&self.read("net/dev").unwrap_or_default());
        let now = Reading {
            at: Instant::now(),
            cpu: cpu(&self.read("stat")?)?,
            received_bytes,
            sent_bytes,
            disks: self
                .read("diskstats")
                .map(|text| disks_of(&text, |name| self.sys.join("block").join(name).exists())),
        };
        let before = self.before.replace(now);
        let memory = self.read("meminfo").unwrap_or_default();
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
        let disk = |of: fn(&Disks) -> u64| {
            let before = before?;
            let seconds = (now.at - before.at).as_secs_f64();
            let more = of(&now.disks?).saturating_sub(of(&before.disks?));
            (seconds > 0.0).then(|| more as f64 / seconds)
        };
        let cpu_ratio = share(|cpu| cpu.busy);
        let files = self.read("sys/fs/file-nr").as_deref().and_then(open_files);
        let load = self.read("loadavg").unwrap_or_default();
        let mut other = BTreeMap::new();
        let mut note = |name: &str, value: Option<f64>| {
            other.extend(value.map(|value| (name.to_owned(), value)));
        };
        note(
            "descriptors_ratio",
            files.map(|(open, most)| open as f64 / most.max(1) as f64),
        );
        note("disk_operations_per_s", disk(|disks| disks.operations));
        note(
            "run_queue",
            running(&load).map(|(running, _)| running as f64),
        );
        Some(ResourceSample {
            cpu_ratio,
            cpu_cores: cpu_ratio.map(|ratio| ratio * cores()),
            steal_ratio: share(|cpu| cpu.steal),
            memory_bytes: used,
            memory_ratio: used
                .zip(total)
                .map(|(used, total)| used as f64 / total.max(1) as f64),
            disk_read_bytes_per_s: disk(|disks| disks.read_bytes),
            disk_written_bytes_per_s: disk(|disks| disks.written_bytes),
            disk_ratio: disk(|disks| disks.busy_ms).map(|ms| (ms / 1e3).min(1.0)),
            network_received_bytes_per_s: rate(|reading| reading.received_bytes),
            network_sent_bytes_per_s: rate(|reading| reading.sent_bytes),
            descriptors: files.map(|(open, _)| open),
            threads: running(&load).map(|(_, threads)| threads),
            sockets: self.read("net/sockstat").as_deref().and_then(sockets),
            pressure: pressure(|resource| self.read(&format!("pressure/{resource}"))),
            other,
            ..ResourceSample::default()
        })
    }

    fn read(&self, file: &str) -> Option<String> {
        read_to_string(self.proc.join(file)).ok()
    }
}

/// Reads, writes and busy time of /proc/diskstats. Whole disks are counted, without their partitions and disks in
/// memory.
fn disks_of(text: &str, is_disk: impl Fn(&str) -> bool) -> Disks {
    let mut all = Disks::default();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = fields.get(2) else { continue };
        let is_memory = ["loop", "ram", "zram"]
            .iter()
            .any(|kind| name.starts_with(kind));
        if is_memory || !is_disk(name) {
            continue;
        }
        let number = |place: usize| -> u64 {
            let field = fields.get(place);
            field.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        all.read_bytes += number(5) * SECTOR_BYTES;
        all.written_bytes += number(9) * SECTOR_BYTES;
        all.operations += number(3) + number(7);
        all.busy_ms = all.busy_ms.max(number(12));
    }
    all
}

/// Open files and their maximum, of /proc/sys/fs/file-nr.
fn open_files(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let (open, free) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((open.saturating_sub(free), numbers.next()?.ok()?))
}

/// Runnable threads, and all threads, of /proc/loadavg: `0.20 0.18 0.12 1/80 11206`.
fn running(text: &str) -> Option<(u64, u64)> {
    let (running, all) = text.split_whitespace().nth(3)?.split_once('/')?;
    Some((running.parse().ok()?, all.parse().ok()?))
}

/// Sockets in use, of /proc/net/sockstat: `sockets: used 290`.
fn sockets(text: &str) -> Option<u64> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix("sockets: used "))?;
    rest.trim().parse().ok()
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

/// Bytes received and sent by all interfaces except the loopback.
pub fn network(text: &str) -> (u64, u64) {
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

/// The share of the last ten seconds in which something waited for a resource, from the texts of pressure
/// stall information that `read` returns.
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

    /// A machine as files in a temporary folder.
    fn fixture() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("stat", "cpu  100 0 0 800 0 0 0 100 0 0\n");
        write("meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\n");
        write("sys/fs/file-nr", "1500\t500\t10000\n");
        write("loadavg", "0.20 0.18 0.12 3/80 11206\n");
        write(
            "net/sockstat",
            "sockets: used 290\nTCP: inuse 12 orphan 0\n",
        );
        write("net/dev", "eth0: 100 0 0 0 0 0 0 0 50 0\n");
        write(
            "diskstats",
            "8 0 sda 10 0 100 5 20 0 200 7 0 30 40\n8 1 sda1 10 0 100 5 20 0 200 7 0 30 40\n7 0 loop0 9 0 9 9 9 0 9 9 0 9 9\n",
        );
        write(
            "pressure/cpu",
            "some avg10=25.00 avg60=0.00 avg300=0.00 total=1\n",
        );
        write(
            "pressure/memory",
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n",
        );
        write(
            "pressure/io",
            "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
        );
        write("block/sda/size", "1\n");
        write("block/loop0/size", "1\n");
        folder
    }

    /// CPU, memory, disk, network, descriptors, threads, sockets, run queue, pressure, steal.
    #[test]
    fn every_resource_of_a_machine_is_read() {
        let folder = fixture();
        let mut host = Host {
            proc: folder.path().to_owned(),
            sys: folder.path().to_owned(),
            before: None,
        };
        let first = host.sample().expect("a machine");
        assert_eq!(first.memory_ratio, Some(0.75));
        assert_eq!(
            (first.descriptors, first.threads, first.sockets),
            (Some(1000), Some(80), Some(290))
        );
        assert_eq!(first.other["descriptors_ratio"], 0.1);
        assert_eq!(first.other["run_queue"], 3.0);
        assert_eq!(first.pressure["cpu"], 0.25);
        assert_eq!(first.pressure.len(), 3);
        assert_eq!(
            (first.cpu_ratio, first.disk_ratio),
            (None, None),
            "a rate needs two readings"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        write("stat", "cpu  130 0 0 850 0 0 0 120 0 0\n");
        write("net/dev", "eth0: 1100 0 0 0 0 0 0 0 550 0\n");
        write(
            "diskstats",
            "8 0 sda 15 0 300 5 25 0 300 7 0 31 40\n8 1 sda1 99 0 9999 5 99 0 9999 7 0 99 40\n",
        );
        let second = host.sample().expect("a machine");
        let near = |value: Option<f64>, expected: f64| {
            let value = value.expect("a rate");
            assert!((value - expected).abs() < 1e-9, "{value} {expected}");
        };
        near(second.cpu_ratio, 0.3);
        near(second.steal_ratio, 0.2);
        // The same time has passed for all rates.
        let sent = second.network_sent_bytes_per_s.expect("a rate");
        near(second.network_received_bytes_per_s.map(|it| it / sent), 2.0);
        near(
            second.disk_read_bytes_per_s.map(|it| it / sent),
            200.0 * 512.0 / 500.0,
        );
        near(
            second.disk_written_bytes_per_s.map(|it| it / sent),
            100.0 * 512.0 / 500.0,
        );
        near(
            second
                .other
                .get("disk_operations_per_s")
                .map(|it| it / sent),
            10.0 / 500.0,
        );
        near(second.disk_ratio.map(|it| it / sent), 0.001 / 500.0);
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
        assert!(sample.descriptors > Some(0) && sample.threads > Some(0));
        assert!(sample.sockets > Some(0));
    }
}
