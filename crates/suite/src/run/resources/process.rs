//! A process by procfs, proc(5): its own figures, and the network of its namespace.

use std::path::Path;
use std::time::Instant;

use report::record::ResourceSample;

use super::host;

/// With more descriptors than this, sockets are counted in fewer samples.
const FEW: u64 = 2_000;
const EVERY: u32 = 10;

/// Reads one process repeatedly; rates are between two readings.
#[derive(Debug)]
pub struct Process {
    folder: String,
    before: Option<Reading>,
    samples: u32,
    sockets: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    cpu_s: f64,
    read_bytes: Option<u64>,
    written_bytes: Option<u64>,
    /// Bytes received and sent by the network namespace of the process.
    network: Option<(u64, u64)>,
}

/// Whether the process exists and can be read.
pub fn has_process(pid: u32) -> bool {
    Process::of(pid).sample().is_some()
}

impl Process {
    /// This process.
    pub fn own() -> Self {
        Self::in_folder("/proc/self".to_owned())
    }

    pub fn of(pid: u32) -> Self {
        Self::in_folder(format!("/proc/{pid}"))
    }

    fn in_folder(folder: String) -> Self {
        Self {
            folder,
            before: None,
            samples: 0,
            sockets: None,
        }
    }

    /// The current resources; `None` if the process has ended or cannot be read.
    pub fn sample(&mut self) -> Option<ResourceSample> {
        let stat = self.read("stat")?;
        let io = self.read("io");
        let now = Reading {
            at: Instant::now(),
            cpu_s: cpu_seconds(&stat)?,
            read_bytes: io.as_deref().and_then(|io| field(io, "read_bytes")),
            written_bytes: io.as_deref().and_then(|io| field(io, "write_bytes")),
            network: network_apart(Path::new(&self.folder)),
        };
        let before = self.before.replace(now);
        let status = self.read("status").unwrap_or_default();
        let seconds = before.map(|before| (now.at - before.at).as_secs_f64());
        let seconds = seconds.filter(|seconds| *seconds > 0.0);
        let cpu_cores = before
            .zip(seconds)
            .map(|(before, seconds)| ((now.cpu_s - before.cpu_s) / seconds).max(0.0));
        let descriptors = self.count("fd");
        let limit = self.read("limits").as_deref().and_then(most_descriptors);
        let ratio = descriptors
            .zip(limit)
            .map(|(open, most)| open as f64 / most as f64);
        let ratio = ratio.map(|ratio| ("descriptors_ratio".to_owned(), ratio));
        let rate = |of: fn(&Reading) -> Option<u64>| {
            let (before, seconds) = before.zip(seconds)?;
            Some(of(&now)?.saturating_sub(of(&before)?) as f64 / seconds)
        };
        Some(ResourceSample {
            cpu_cores,
            cpu_ratio: cpu_cores.map(|cores| cores / cores_available()),
            memory_bytes: field(&status, "VmRSS").map(|kilobytes| kilobytes * 1024),
            threads: field(&status, "Threads"),
            disk_read_bytes_per_s: rate(|reading| reading.read_bytes),
            disk_written_bytes_per_s: rate(|reading| reading.written_bytes),
            network_received_bytes_per_s: rate(|reading| Some(reading.network?.0)),
            network_sent_bytes_per_s: rate(|reading| Some(reading.network?.1)),
            sockets: self.sockets(descriptors),
            descriptors,
            other: ratio.into_iter().collect(),
            ..ResourceSample::default()
        })
    }

    fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(format!("{}/{file}", self.folder)).ok()
    }

    /// Each descriptor has to be read: with many of them, that work would show in the figures.
    fn sockets(&mut self, descriptors: Option<u64>) -> Option<u64> {
        if descriptors <= Some(FEW) || self.samples.is_multiple_of(EVERY) {
            self.sockets = sockets(Path::new(&format!("{}/fd", self.folder)));
        }
        self.samples += 1;
        self.sockets
    }

    fn count(&self, folder: &str) -> Option<u64> {
        let entries = std::fs::read_dir(format!("{}/{folder}", self.folder)).ok()?;
        Some(entries.count() as u64)
    }
}

/// Sockets among the descriptors in a folder of procfs; `None` if it cannot be read.
pub fn sockets(descriptors: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(descriptors).ok()?.flatten();
    let is_socket = |entry: &std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path());
        target.is_ok_and(|target| {
            target
                .as_os_str()
                .as_encoded_bytes()
                .starts_with(b"socket:")
        })
    };
    Some(entries.filter(is_socket).count() as u64)
}

/// The traffic of the network namespace of the process in a folder of procfs, if it differs from this process'
/// namespace, as that of a container does. In the machine's own namespace, the traffic of all processes is added up and
/// says nothing about this one.
pub fn network_apart(folder: &Path) -> Option<(u64, u64)> {
    let namespace = |folder: &Path| std::fs::read_link(folder.join("ns/net")).ok();
    let own = namespace(folder)?;
    if namespace(Path::new("/proc/self")).as_ref() == Some(&own) {
        return None;
    }
    let devices = std::fs::read_to_string(folder.join("net/dev")).ok()?;
    Some(host::network(&devices))
}

/// The number of cores that this process may use.
pub fn cores_available() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

/// Time in user and kernel mode of a line of /proc/PID/stat: its 14th and 15th field, in ticks. The second
/// field is a name in parentheses that may contain anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let kernel: f64 = fields.next()?.parse().ok()?;
    Some((user + kernel) / ticks_per_s())
}

/// The soft limit of /proc/PID/limits.
fn most_descriptors(limits: &str) -> Option<u64> {
    let rest = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn ticks_per_s() -> f64 {
    // SAFETY: sysconf(3) accepts any number and accesses no memory of this process.
    match unsafe { libc::sysconf(libc::_SC_CLK_TCK) } {
        ticks @ 1.. => ticks as f64,
        _ => 100.0,
    }
}

/// The number behind `name:`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_name_with_blanks_and_parentheses() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        let seconds = cpu_seconds(stat).expect("a line of stat");
        assert!((seconds * ticks_per_s() - 300.0).abs() < 1e-9);
        assert_eq!(field("VmRSS:\t  12 kB\nThreads:\t3\n", "Threads"), Some(3));
        assert_eq!(field("VmRSS:\t  12 kB\n", "Vm"), None);
        assert_eq!(cpu_seconds("nonsense"), None);
        let limits =
            "Limit  Soft  Hard  Units\nMax open files            1024     4096     files\n";
        assert_eq!(most_descriptors(limits), Some(1024));
    }

    #[test]
    fn this_process_is_seen_and_one_that_does_not_exist_is_not() {
        let mut own = Process::own();
        assert_eq!(
            own.sample().expect("it runs").cpu_cores,
            None,
            "no reading before"
        );
        let second = own.sample().expect("it runs");
        assert!(second.cpu_cores.is_some() && second.memory_bytes > Some(0));
        assert!(second.descriptors > Some(0) && second.threads > Some(0));
        assert!(Process::of(u32::MAX).sample().is_none());
    }

    /// descriptors of every kind are counted while the test holds them.
    #[test]
    fn sockets_of_this_process_are_counted_among_its_descriptors() {
        let held: Vec<std::net::UdpSocket> = (0..40)
            .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let sample = Process::own().sample().expect("it runs");
        assert!(sample.sockets >= Some(40), "{:?}", sample.sockets);
        assert!(sample.descriptors >= sample.sockets);
        assert_eq!(
            sample.network_sent_bytes_per_s, None,
            "the machine's network is not the process'"
        );
        drop(held);
    }

    /// A process as files in a temporary folder, with its own network.
    #[test]
    fn every_resource_of_a_process_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        let link = |name: &str, target: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::os::unix::fs::symlink(target, path).expect("made");
        };
        write(
            "stat",
            "7 (a) S 1 7 7 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 1 1 1",
        );
        write("status", "VmRSS:\t 12 kB\nThreads:\t3\n");
        write("io", "read_bytes: 0\nwrite_bytes: 0\n");
        write(
            "limits",
            "Max open files            10     4096     files\n",
        );
        write(
            "net/dev",
            "    lo: 9 0 0 0 0 0 0 0 9 0\n  eth0: 0 0 0 0 0 0 0 0 0 0\n",
        );
        link("ns/net", "net:[1]");
        link("fd/0", "/dev/null");
        link("fd/1", "socket:[17]");
        link("fd/2", "socket:[18]");
        let mut process = Process::in_folder(folder.path().display().to_string());
        let first = process.sample().expect("a process");
        assert_eq!(
            (first.threads, first.descriptors, first.sockets),
            (Some(3), Some(3), Some(2))
        );
        assert_eq!(first.memory_bytes, Some(12 * 1024));
        assert_eq!(first.other["descriptors_ratio"], 0.3);
        std::thread::sleep(std::time::Duration::from_millis(20));
        write(
            "stat",
            "7 (a) S 1 7 7 0 -1 4194304 100 0 0 0 100 0 0 0 20 0 1 0 1 1 1",
        );
        write("io", "read_bytes: 4000\nwrite_bytes: 2000\n");
        write(
            "net/dev",
            "    lo: 9 0 0 0 0 0 0 0 9 0\n  eth0: 3000 0 0 0 0 0 0 0 1000 0\n",
        );
        let second = process.sample().expect("a process");
        let sent = second.network_sent_bytes_per_s.expect("a rate");
        let near = |value: Option<f64>, expected: f64| {
            let value = value.expect("a rate") / sent * 1000.0;
            assert!((value - expected).abs() < 1e-6, "{value} {expected}");
        };
        near(second.network_received_bytes_per_s, 3000.0);
        near(second.disk_read_bytes_per_s, 4000.0);
        near(second.disk_written_bytes_per_s, 2000.0);
        near(second.cpu_cores.map(|cores| cores * ticks_per_s()), 100.0);
    }
}
