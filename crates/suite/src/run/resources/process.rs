//! A process by procfs, proc(5).

use std::time::Instant;

use report::record::ResourceSample;

/// Reads one process again and again; rates are between two readings.
#[derive(Debug)]
pub struct Process {
    folder: String,
    before: Option<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    cpu_s: f64,
    read_bytes: Option<u64>,
    written_bytes: Option<u64>,
}

/// Whether the process is there and can be looked at.
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
        }
    }

    /// Its resources now; `None` when it is gone or cannot be looked at.
    pub fn sample(&mut self) -> Option<ResourceSample> {
        let stat = self.read("stat")?;
        let io = self.read("io");
        let now = Reading {
            at: Instant::now(),
            cpu_s: cpu_seconds(&stat)?,
            read_bytes: io.as_deref().and_then(|io| field(io, "read_bytes")),
            written_bytes: io.as_deref().and_then(|io| field(io, "write_bytes")),
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
            descriptors,
            other: ratio.into_iter().collect(),
            ..ResourceSample::default()
        })
    }

    fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(format!("{}/{file}", self.folder)).ok()
    }

    fn count(&self, folder: &str) -> Option<u64> {
        let entries = std::fs::read_dir(format!("{}/{folder}", self.folder)).ok()?;
        Some(entries.count() as u64)
    }
}

/// Cores that this process may use.
pub fn cores_available() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

/// Time in user and kernel mode of a line of /proc/PID/stat: its 14th and 15th field, in ticks. The
/// second field is a name in parentheses that may hold anything.
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
}
