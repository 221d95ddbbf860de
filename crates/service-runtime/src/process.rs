//! The resources that the process itself uses, with the metric names of Prometheus' own clients.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge};

/// Processor time, memory and descriptors, read on each scrape.
#[derive(Debug)]
pub struct Process {
    cpu: Counter,
    memory: Gauge,
    descriptors: Gauge,
}

impl Process {
    /// # Errors
    /// Never panics: the names are valid.
    pub fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            cpu: Counter::new(
                "process_cpu_seconds_total",
                "CPU time of all threads of the process.",
            )?,
            memory: Gauge::new(
                "process_resident_memory_bytes",
                "Resident memory of the process.",
            )?,
            descriptors: Gauge::new("process_open_fds", "Open file descriptors of the process.")?,
        })
    }

    fn parts(&self) -> [&dyn Collector; 3] {
        [&self.cpu, &self.memory, &self.descriptors]
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.parts()
            .into_iter()
            .flat_map(|part| part.desc())
            .collect()
    }

    /// Figures that cannot be read keep their last value.
    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(seconds) = cpu_seconds() {
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes);
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            self.descriptors.set(open.count() as f64);
        }
        self.parts()
            .into_iter()
            .flat_map(Collector::collect)
            .collect()
    }
}

fn cpu_seconds() -> Option<f64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a live value of the right type; zeroes are a value of it.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) != 0 {
            return None;
        }
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Some(seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

/// The second field of statm, in pages.
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = text.split_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: the call takes a number and returns one.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * page as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_time_memory_and_descriptors() {
        let process = Process::new().expect("sound names");
        let mut sum = 0_u64;
        while cpu_seconds().expect("it is known") <= 0.0 {
            sum = sum.wrapping_add(1);
        }
        let families = process.collect();
        assert_eq!(families.len(), 3);
        assert!(process.cpu.get() > 0.0, "{sum}");
        assert!(process.memory.get() > 100_000.0);
        assert!(process.descriptors.get() >= 3.0);
        let before = process.cpu.get();
        process.collect();
        assert!(process.cpu.get() >= before, "it falls");
    }
}
