//! The process of the simulation: real resource usage, to check whether the machine was overloaded.

use serde_json::{Value, json};

/// Processor time in seconds, resident memory and threads; figures that the system does not report are `null`.
pub fn figures() -> Value {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    json!({
        "pid": std::process::id(),
        "cpu_s": cpu_s(&stat),
        "memory_bytes": number(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024),
        "threads": number(&status, "Threads:"),
    })
}

/// Ticks of /proc in a second: `USER_HZ`, which is 100 on all Linux systems.
const TICKS_PER_S: f64 = 100.0;

/// Time in user and kernel mode: the 14th and 15th field of a line of stat(5). The second field is a name in
/// parentheses that may hold anything.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let kernel: f64 = fields.next()?.parse().ok()?;
    Some((user + kernel) / TICKS_PER_S)
}

fn number(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_name_with_blanks_and_parentheses() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(cpu_s(stat), Some(3.0));
        assert_eq!(cpu_s("nonsense"), None);
        assert_eq!(
            number("VmRSS:\t  12 kB\nThreads:\t3\n", "Threads:"),
            Some(3)
        );
    }

    #[test]
    fn this_process_has_figures() {
        let figures = figures();
        assert_eq!(figures["pid"], std::process::id());
        assert!(figures["cpu_s"].is_f64(), "{figures}");
        assert!(figures["memory_bytes"].as_u64() > Some(0), "{figures}");
        assert!(figures["threads"].as_u64() > Some(0), "{figures}");
    }
}
