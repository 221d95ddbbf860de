//! Descriptors and local ports: a connection needs one of each.

use std::ops::RangeInclusive;

use super::Finding;

/// A run that uses a larger share of its descriptors has none left for files, logs and pauses.
const MOST_OF_DESCRIPTORS: f64 = 0.6;
/// What a run opens whatever its load: its runtime, logs, sockets that listen.
const OWN_DESCRIPTORS: u64 = 64;
/// A closed connection keeps its port for a minute, so that a user may need two.
const PORTS_FOR_A_USER: u64 = 2;

const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Whether there are descriptors for so many users.
pub fn descriptors(users: u64) -> Finding {
    match allowed_descriptors() {
        Some(limit) => judge_descriptors(users, limit),
        None => Finding::sound("descriptors", "their limit is not known here"),
    }
}

/// Whether there are local ports for so many users.
pub fn local_ports(users: u64) -> Finding {
    let text = std::fs::read_to_string(RANGE).unwrap_or_default();
    match range(&text) {
        Some(range) => judge_ports(users, range),
        None => Finding::sound("port range", "it is not known here"),
    }
}

fn judge_descriptors(users: u64, limit: u64) -> Finding {
    let needed = ((users + OWN_DESCRIPTORS) as f64 / MOST_OF_DESCRIPTORS).ceil() as u64;
    if needed <= limit {
        let said = format!("{} open files are allowed", shown(limit));
        return Finding::sound("descriptors", said);
    }
    let said = format!("{limit} open files are allowed, {users} users may need {needed}");
    Finding::problem("descriptors", said).fixed_by(format!("`ulimit -n {}`", needed.max(65_535)))
}

fn judge_ports(users: u64, range: RangeInclusive<u64>) -> Finding {
    let (first, last) = range.into_inner();
    let count = (last + 1).saturating_sub(first);
    let needed = users * PORTS_FOR_A_USER;
    if needed <= count {
        let said = format!("{count} local ports, {first} to {last}");
        return Finding::sound("port range", said);
    }
    let said = format!(
        "{count} local ports ({first} to {last}), {users} users may need {needed}, as a closed \
         connection keeps its own for a minute"
    );
    Finding::problem("port range", said)
        .fixed_by("`sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`")
}

/// Two numbers, as the kernel shows them.
fn range(text: &str) -> Option<RangeInclusive<u64>> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

fn shown(limit: u64) -> String {
    match limit {
        u64::MAX => "any number of".to_owned(),
        limit => limit.to_string(),
    }
}

#[cfg(unix)]
fn allowed_descriptors() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live value of the right type, which is written and then read.
    let read = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 };
    read.then_some(limit.rlim_cur)
}

#[cfg(not(unix))]
fn allowed_descriptors() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_may_take_six_tenths_of_the_descriptors() {
        for (users, limit, is_problem) in [
            (536, 1_000, false),
            (537, 1_000, true),
            (10, 16, true),
            (0, 107, false),
            (1_000_000, u64::MAX, false),
        ] {
            let found = judge_descriptors(users, limit);
            assert_eq!(found.is_problem, is_problem, "{users} of {limit}");
            assert_eq!(found.fix.is_some(), is_problem);
        }
        let line = judge_descriptors(100_000, 1_024).line();
        assert!(line.ends_with("`ulimit -n 166774`"), "{line}");
    }

    #[test]
    fn users_need_two_local_ports_each() {
        let usual = range("32768\t60999\n").expect("two numbers");
        assert_eq!(usual, 32_768..=60_999);
        for (users, range, is_problem) in [
            (14_116, usual.clone(), false),
            (14_117, usual, true),
            (5, 40_000..=40_009, false),
            (6, 40_000..=40_009, true),
        ] {
            let found = judge_ports(users, range.clone());
            assert_eq!(found.is_problem, is_problem, "{users} of {range:?}");
        }
        assert_eq!(range("32768"), None);
    }
}
