//! A control group of version 2, by its files (Documentation/admin-guide/cgroup-v2.rst): the resources that
//! a container or a systemd unit uses, and their limits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use report::record::ResourceSample;

use super::{host, process};

/// Mount point of the hierarchy, unless the mount table differs.
const USUAL: &str = "/sys/fs/cgroup";
/// Maximum number of processes whose descriptors are counted; a group may have many more.
const MOST_PROCESSES: usize = 256;

/// Reads one group repeatedly; rates are between two readings.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    /// The mount point of procfs.
    proc: PathBuf,
    before: Option<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    cpu_s: f64,
    throttled_s: f64,
    read_bytes: u64,
    written_bytes: u64,
    operations: u64,
    /// Bytes received and sent by the network namespace of its processes.
    network: Option<(u64, u64)>,
}

/// Whether the group exists and its processor time can be read.
pub fn has_cgroup(name: &Path) -> bool {
    Cgroup::of(name).reading().is_some()
}

impl Cgroup {
    /// The group of that folder, or of that name below the mount point.
    pub fn of(name: &Path) -> Self {
        Self {
            folder: mounted().join(name),
            proc: "/proc".into(),
            before: None,
        }
    }

    /// The current resources; `None` if the group no longer exists or cannot be read. Memory that can be
    /// reclaimed at once is not counted: the current memory without inactive file pages, as `docker stats`
    /// shows it.
    pub fn sample(&mut self) -> Option<ResourceSample> {
        let now = self.reading()?;
        let before = self.before.replace(now);
        let seconds = before.map(|before| (now.at - before.at).as_secs_f64());
        let since = before.zip(seconds.filter(|seconds| *seconds > 0.0));
        let rate = |of: fn(&Reading) -> f64| {
            since.map(|(before, seconds)| ((of(&now) - of(&before)) / seconds).max(0.0))
        };
        let cpu_cores = rate(|reading| reading.cpu_s);
        let memory_bytes = self.memory();
        let tasks = self.number("pids.current");
        let mut other = BTreeMap::new();
        let peak = self.number("memory.peak").map(|bytes| bytes as f64);
        other.extend(peak.map(|bytes| ("memory_peak_bytes".to_owned(), bytes)));
        let throttled = rate(|reading| reading.throttled_s);
        other.extend(throttled.map(|share| ("throttled_s_per_s".to_owned(), share)));
        let most = self.number("pids.max");
        let used = tasks
            .zip(most)
            .map(|(tasks, most)| tasks as f64 / most as f64);
        other.extend(used.map(|ratio| ("pids_ratio".to_owned(), ratio)));
        let operations = rate(|reading| reading.operations as f64);
        other.extend(operations.map(|rate| ("disk_operations_per_s".to_owned(), rate)));
        let network = |of: fn((u64, u64)) -> u64| {
            let (before, seconds) = since?;
            let more = of(now.network?).saturating_sub(of(before.network?));
            Some(more as f64 / seconds)
        };
        Some(ResourceSample {
            cpu_cores,
            cpu_ratio: cpu_cores.map(|busy| busy / self.cores()),
            memory_bytes,
            memory_ratio: memory_bytes
                .zip(self.memory_limit())
                .map(|(used, limit)| used as f64 / limit.max(1) as f64),
            disk_read_bytes_per_s: rate(|reading| reading.read_bytes as f64),
            disk_written_bytes_per_s: rate(|reading| reading.written_bytes as f64),
            network_received_bytes_per_s: network(|(received, _)| received),
            network_sent_bytes_per_s: network(|(_, sent)| sent),
            descriptors: self
                .of_processes(|folder| Some(std::fs::read_dir(folder).ok()?.count() as u64)),
            sockets: self.of_processes(process::sockets),
            threads: tasks,
            pressure: host::pressure(|resource| self.read(&format!("{resource}.pressure"))),
            other,
            ..ResourceSample::default()
        })
    }

    fn reading(&self) -> Option<Reading> {
        let cpu = self.read("cpu.stat")?;
        let io = self.read("io.stat").unwrap_or_default();
        let seconds = |name| field(&cpu, name).map(|micros| micros as f64 / 1e6);
        Some(Reading {
            at: Instant::now(),
            cpu_s: seconds("usage_usec")?,
            throttled_s: seconds("throttled_usec").unwrap_or_default(),
            read_bytes: of_devices(&io, "rbytes"),
            written_bytes: of_devices(&io, "wbytes"),
            operations: of_devices(&io, "rios") + of_devices(&io, "wios"),
            network: self.network(),
        })
    }

    fn memory(&self) -> Option<u64> {
        let all = self.number("memory.current")?;
        let stat = self.read("memory.stat").unwrap_or_default();
        let idle = field(&stat, "inactive_file").unwrap_or_default();
        Some(all.saturating_sub(idle))
    }

    /// The smallest limit of the group and its ancestors, otherwise the machine's memory.
    fn memory_limit(&self) -> Option<u64> {
        let limits = self
            .around()
            .filter_map(|folder| number(&folder.join("memory.max")));
        limits.min().or_else(host::memory)
    }

    /// Cores that the group may use: the smallest quota of the group and its ancestors, and its set of
    /// cores.
    fn cores(&self) -> f64 {
        let quotas = self.around().filter_map(|folder| {
            let text = std::fs::read_to_string(folder.join("cpu.max")).ok()?;
            quota(&text)
        });
        let set = self.read("cpuset.cpus.effective");
        let set = set.as_deref().and_then(cores_of_set);
        quotas.chain(set).fold(host::cores(), f64::min)
    }

    /// The group's folder and its ancestors, up to the mount point: the limits of each apply.
    fn around(&self) -> impl Iterator<Item = &Path> {
        let is_group = |folder: &&Path| folder.join("cgroup.controllers").is_file();
        let own = std::iter::once(self.folder.as_path());
        own.chain(self.folder.ancestors().skip(1).take_while(is_group))
    }

    /// The sum of a count over its processes, as far as their descriptors are readable.
    fn of_processes(&self, count: impl Fn(&Path) -> Option<u64>) -> Option<u64> {
        let processes = self.read("cgroup.procs")?;
        let counts = processes
            .lines()
            .take(MOST_PROCESSES)
            .filter_map(|pid| count(&self.proc.join(pid).join("fd")));
        counts.reduce(|sum, count| sum + count)
    }

    /// The traffic of its first process' network namespace; `None` if the namespace is not a container's
    /// own.
    fn network(&self) -> Option<(u64, u64)> {
        let processes = self.read("cgroup.procs")?;
        process::network_apart(&self.proc.join(processes.lines().next()?))
    }

    fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(file)).ok()
    }

    fn number(&self, file: &str) -> Option<u64> {
        number(&self.folder.join(file))
    }
}

/// The mount point of version 2; beside version 1 it is not the usual one.
fn mounted() -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folder = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let folder = fields.next()?;
        (fields.next()? == "cgroup2").then_some(folder)
    });
    PathBuf::from(folder.unwrap_or(USUAL))
}

/// The only number of a file; `None` for `max`.
fn number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind `name` in a flat keyed file.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    rest.trim().parse().ok()
}

/// The sum of a key over all devices of `io.stat`: `259:0 rbytes=1 wbytes=2 …`.
fn of_devices(text: &str, key: &str) -> u64 {
    let pairs = text
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    let values = pairs.filter(|(name, _)| *name == key);
    values
        .filter_map(|(_, value)| value.parse::<u64>().ok())
        .sum()
}

/// Cores of `QUOTA PERIOD` in microseconds; `None` for `max`.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then(|| quota / period)
}

/// The number of cores in a list such as `0-3,8`.
fn cores_of_set(text: &str) -> Option<f64> {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        Some(last.checked_sub(first)? + 1)
    };
    let counts: Option<Vec<u32>> = text.trim().split(',').map(count).collect();
    let sum: u32 = counts?.into_iter().sum();
    (sum > 0).then(|| f64::from(sum))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::time::Duration;

    use super::*;

    /// A group as files in a temporary folder, inside one with a smaller memory limit.
    fn fixture() -> tempfile::TempDir {
        let outer = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = outer.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("cgroup.controllers", "cpu io memory pids\n");
        write("memory.max", "1000000\n");
        write("cpu.max", "max 100000\n");
        write("own/cgroup.controllers", "cpu io memory pids\n");
        write("own/cgroup.procs", "");
        write("own/cpu.max", "50000 100000\n");
        write("own/memory.max", "2000000\n");
        write("own/memory.current", "600000\n");
        write("own/memory.peak", "900000\n");
        write(
            "own/memory.stat",
            "anon 1\ninactive_file 100000\nactive_file 2\n",
        );
        write("own/pids.current", "7\n");
        write("own/pids.max", "70\n");
        write(
            "own/cpu.pressure",
            "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\n",
        );
        write(
            "own/io.pressure",
            "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.50\n",
        );
        outer
    }

    fn counters(folder: &Path, cpu_us: u64, throttled_us: u64, disk: u64) {
        let text = format!("usage_usec {cpu_us}\nuser_usec 0\nthrottled_usec {throttled_us}\n");
        std::fs::write(folder.join("own/cpu.stat"), text).expect("written");
        let text = format!("8:0 rbytes={disk} wbytes=10 rios=1\n8:16 rbytes={disk} wbytes=0\n");
        std::fs::write(folder.join("own/io.stat"), text).expect("written");
    }

    #[test]
    fn levels_and_limits_come_from_the_files() {
        let outer = fixture();
        counters(outer.path(), 0, 0, 0);
        let sample = Cgroup::of(&outer.path().join("own"))
            .sample()
            .expect("a group");
        assert_eq!(sample.cpu_cores, None, "a rate needs two readings");
        assert_eq!(
            sample.memory_bytes,
            Some(500_000),
            "without idle file pages"
        );
        assert_eq!(sample.memory_ratio, Some(0.5), "the outer limit is smaller");
        assert_eq!(sample.threads, Some(7));
        assert_eq!(sample.other["pids_ratio"], 0.1);
        assert_eq!(sample.other["memory_peak_bytes"], 900_000.0);
        assert_eq!(sample.pressure["cpu"], 0.125);
        assert_eq!(sample.pressure["io"], 0.01);
        assert!(!sample.pressure.contains_key("memory"));
    }

    #[test]
    fn rates_are_between_two_readings_and_shares_of_the_quota() {
        let outer = fixture();
        counters(outer.path(), 1_000_000, 0, 100);
        let mut group = Cgroup::of(&outer.path().join("own"));
        group.sample().expect("a group");
        std::thread::sleep(Duration::from_millis(20));
        counters(outer.path(), 1_005_000, 2_000, 300);
        let sample = group.sample().expect("a group");
        let (busy, share) = (
            sample.cpu_cores.expect("a rate"),
            sample.cpu_ratio.expect("a share"),
        );
        assert!(busy > 0.0);
        assert!(
            (share - busy / 0.5).abs() < 1e-12,
            "half a core is the quota"
        );
        let read = sample.disk_read_bytes_per_s.expect("a rate");
        // 400 bytes on two devices while 5 ms of processor time passed.
        assert!((read / busy - 400.0 / 0.005).abs() < 1e-6, "{read} {busy}");
        let throttled = sample.other["throttled_s_per_s"];
        assert!((throttled / busy - 0.4).abs() < 1e-9, "{throttled} {busy}");
    }

    /// descriptors, sockets and network of the processes in a group.
    #[test]
    fn descriptors_sockets_and_network_are_those_of_its_processes() {
        let outer = fixture();
        counters(outer.path(), 0, 0, 0);
        let proc = tempfile::tempdir().expect("a temporary folder");
        let link = |name: &str, target: &str| {
            let path = proc.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::os::unix::fs::symlink(target, path).expect("made");
        };
        let traffic = |bytes: u64| {
            std::fs::create_dir_all(proc.path().join("7/net")).expect("made");
            let text = format!("  eth0: {bytes} 0 0 0 0 0 0 0 {} 0\n", bytes * 2);
            std::fs::write(proc.path().join("7/net/dev"), text).expect("written");
        };
        for (name, target) in [
            ("7/fd/0", "/dev/null"),
            ("7/fd/1", "socket:[1]"),
            ("7/ns/net", "net:[1]"),
            ("8/fd/0", "socket:[2]"),
        ] {
            link(name, target);
        }
        std::fs::write(outer.path().join("own/cgroup.procs"), "7\n8\n9\n").expect("written");
        traffic(0);
        let mut group = Cgroup {
            proc: proc.path().to_owned(),
            ..Cgroup::of(&outer.path().join("own"))
        };
        let first = group.sample().expect("a group");
        assert_eq!((first.descriptors, first.sockets), (Some(3), Some(2)));
        assert_eq!(
            first.network_sent_bytes_per_s, None,
            "a rate needs two readings"
        );
        std::thread::sleep(Duration::from_millis(20));
        traffic(500);
        let second = group.sample().expect("a group");
        let received = second.network_received_bytes_per_s.expect("a rate");
        let sent = second.network_sent_bytes_per_s.expect("a rate");
        assert!(received > 0.0 && (sent / received - 2.0).abs() < 1e-9);
        assert_eq!(second.other["disk_operations_per_s"], 0.0);
    }

    #[test]
    fn lists_and_quotas_are_read_and_invalid_ones_rejected() {
        assert_eq!(cores_of_set("0-3,8\n"), Some(5.0));
        assert_eq!(cores_of_set("\n"), None);
        assert_eq!(quota("150000 100000\n"), Some(1.5));
        assert_eq!(quota("max 100000\n"), None);
        assert!(!has_cgroup(Path::new("/proc")));
        assert!(!has_cgroup(Path::new("there/is/none")));
    }

    /// A group created for this test, with a process that keeps a core busy; removed when dropped.
    struct Burning {
        folder: PathBuf,
        process: Child,
    }

    impl Burning {
        /// `None` if groups cannot be created.
        fn start() -> Option<Self> {
            let folder = mounted().join(format!("sparring-test-{}", std::process::id()));
            std::fs::create_dir(&folder).ok()?;
            let process = Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn();
            let burning = Self {
                process: process.expect("a shell"),
                folder,
            };
            let pid = burning.process.id().to_string();
            // In a folder that is not a group, this would create a file.
            let mut procs = std::fs::File::options()
                .write(true)
                .open(burning.folder.join("cgroup.procs"))
                .ok()?;
            std::io::Write::write_all(&mut procs, pid.as_bytes()).ok()?;
            Some(burning)
        }
    }

    impl Drop for Burning {
        fn drop(&mut self) {
            drop(self.process.kill());
            drop(self.process.wait());
            drop(std::fs::remove_dir(&self.folder));
        }
    }

    #[test]
    fn a_group_of_this_kernel_shows_what_its_process_burns() {
        let Some(burning) = Burning::start() else {
            eprintln!("skipped: no control groups of version 2 can be made here");
            return;
        };
        assert!(has_cgroup(&burning.folder));
        let mut group = Cgroup::of(&burning.folder);
        let busy = (0..1000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            let sample = group.sample().expect("the group is there");
            sample.cpu_cores.filter(|busy| *busy > 0.0)
        });
        assert!(busy.is_some(), "the loop burns");
    }
}
