//! The cost of a process: CPU time on all cores, memory, wall-clock time.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// The resources of a finished process, by the accounting of the operating system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    pub wall: Duration,
    /// User and system time, including children that it waited for.
    pub cpu: Duration,
    /// The maximum resident memory.
    pub peak_rss_bytes: u64,
    pub status: ExitStatus,
}

/// Starts `command`, waits for its end and returns its resources.
///
/// # Errors
/// The process cannot be started or waited for.
pub fn measure(command: &mut Command) -> io::Result<Usage> {
    let begun = Instant::now();
    let child = command.spawn()?;
    wait(child, begun)
}

/// Waits for `child`, which was started at `begun`, and returns its resources.
///
/// # Errors
/// The process cannot be waited for.
pub fn wait(child: Child, begun: Instant) -> io::Result<Usage> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: all zeroes is a valid `rusage`, and `wait4` writes only to the two places it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        while libc::wait4(pid, &raw mut status, 0, &raw mut usage) < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        usage
    };
    let peak_kib = u64::try_from(usage.ru_maxrss).unwrap_or_default();
    Ok(Usage {
        wall: begun.elapsed(),
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        peak_rss_bytes: peak_kib * 1024,
        status: std::os::unix::process::ExitStatusExt::from_raw(status),
    })
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let micros = u64::try_from(time.tv_usec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

/// The resident memory of a running process, and its number of threads.
///
/// # Errors
/// The process does not exist.
pub fn resident(pid: u32) -> io::Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let (kib, threads) = field("VmRSS:")
        .zip(field("Threads:"))
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok((kib * 1024, threads))
}

/// The CPU time of a running process on all cores, in steps of the system's clock (10 ms).
///
/// # Errors
/// The process does not exist.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may contain blanks; user and system time are the 12th and 13th field after it.
    let behind = text.rsplit_once(')').map(|(_, behind)| behind);
    let fields: Vec<&str> = behind.unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let ticks = ticks(11).zip(ticks(12)).ok_or(io::ErrorKind::InvalidData)?;
    // SAFETY: `sysconf` only reads a setting of the system.
    let per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let per_s = u32::try_from(per_s).map_err(io::Error::other)?.max(1);
    Ok(Duration::from_secs(ticks.0 + ticks.1) / per_s)
}

/// The median of `values`; 0 without values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_process_says_what_it_used() {
        let usage = measure(Command::new("sh").args(["-c", "exit 3"])).expect("sh is there");
        assert_eq!(usage.status.code(), Some(3));
        assert!(usage.peak_rss_bytes > 0);
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let (bytes, threads) = resident(std::process::id()).expect("this process exists");
        assert!(bytes > 0 && threads > 0);
        let before = cpu_time(std::process::id()).expect("this process exists");
        while cpu_time(std::process::id()).expect("it still exists") == before {}
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(
            [median(&[3.0, 1.0, 2.0]), median(&[1.0, 4.0]), median(&[])],
            [2.0, 2.5, 0.0]
        );
    }
}
