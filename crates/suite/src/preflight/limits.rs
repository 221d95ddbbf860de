//! Descriptors and local ports: a connection needs one of each, and a descriptor at its other end.

use std::ops::RangeInclusive;

use super::{Finding, Load};

/// A run that uses a larger share of its descriptors has too few left for files, logs and pauses.
const MOST_OF_DESCRIPTORS: f64 = 0.6;
/// Descriptors that a run opens whatever its load: runtime, logs, listening sockets.
const OWN_DESCRIPTORS: u64 = 64;
/// A closed connection occupies its port for a minute, so that a user may need two.
const PORTS_FOR_A_USER: u64 = 2;

const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Whether there are enough descriptors for a load.
pub fn descriptors(load: Load) -> Finding {
    match allowed_descriptors() {
        Some(limit) => judge_descriptors(load, limit),
        None => Finding::sound("descriptors", "their limit is unknown on this system"),
    }
}

/// Whether there are enough local ports for a load.
pub fn local_ports(load: Load) -> Finding {
    match ports() {
        Some(range) => judge_ports(load, range),
        None => Finding::sound("port range", "it is unknown on this system"),
    }
}

/// The number of local addresses that this number of users needs, so that each has its ports.
pub fn addresses(users: u64) -> u64 {
    ports().map_or(1, |range| addresses_of(users, &range))
}

fn addresses_of(users: u64, range: &RangeInclusive<u64>) -> u64 {
    let needed = users * PORTS_FOR_A_USER;
    needed.div_ceil(count(range).max(1)).max(1)
}

fn ports() -> Option<RangeInclusive<u64>> {
    range(&std::fs::read_to_string(RANGE).unwrap_or_default())
}

fn count(range: &RangeInclusive<u64>) -> u64 {
    (range.end() + 1).saturating_sub(*range.start())
}

/// The process may open too few files for permanent connections.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{label} keeps {users} connections open, which takes {needed} open files{with_target}, and {limit} are allowed; raise the limit for this process (`ulimit -n {advised}` as root, LimitNOFILE= of a service, --ulimit nofile={advised} of a container){elsewhere}"
)]
pub struct TooFewDescriptors {
    label: String,
    users: u64,
    needed: u64,
    limit: u64,
    advised: u64,
    with_target: &'static str,
    elsewhere: &'static str,
}

/// Checks that a load with permanent connections is possible.
///
/// # Errors
/// The process may not open that many files.
pub fn kept(label: &str, load: Load) -> Result<(), TooFewDescriptors> {
    allowed_descriptors().map_or(Ok(()), |limit| judge_kept(label, load, limit))
}

fn judge_kept(label: &str, load: Load, limit: u64) -> Result<(), TooFewDescriptors> {
    let needed = load.ends() + OWN_DESCRIPTORS;
    if needed <= limit {
        return Ok(());
    }
    let (with_target, elsewhere) = if load.is_served_here {
        let elsewhere = ", or start the system in a process of its own (`sparring target`) and name it with --base-url";
        (", as the system runs in the same process", elsewhere)
    } else {
        ("", "")
    };
    Err(TooFewDescriptors {
        label: label.to_owned(),
        users: load.users,
        needed,
        limit,
        advised: advised(load),
        with_target,
        elsewhere,
    })
}

/// A limit of which the load takes no more than its share.
fn advised(load: Load) -> u64 {
    ((load.ends() + OWN_DESCRIPTORS) as f64 / MOST_OF_DESCRIPTORS).ceil() as u64
}

fn judge_descriptors(load: Load, limit: u64) -> Finding {
    let needed = advised(load);
    if needed <= limit {
        let said = format!("{} open files are allowed", shown(limit));
        return Finding::sound("descriptors", said);
    }
    let users = load.users;
    let said = format!(
        "{limit} open files are allowed, {users} users may need {needed}: a run takes at most 60 % of them"
    );
    Finding::problem("descriptors", said).fixed_by(format!("`ulimit -n {}`", needed.max(65_535)))
}

fn judge_ports(load: Load, range: RangeInclusive<u64>) -> Finding {
    let count = count(&range);
    let users = load.users;
    let addresses = addresses_of(users, &range);
    let (first, last) = range.into_inner();
    let needed = users * PORTS_FOR_A_USER;
    if load.is_loopback && addresses > 1 {
        let said = format!(
            "{count} local ports, {first} to {last}, at each of {addresses} local addresses"
        );
        return Finding::sound("port range", said);
    }
    if needed <= count {
        let said = format!("{count} local ports, {first} to {last}");
        return Finding::sound("port range", said);
    }
    let said = format!(
        "{count} local ports ({first} to {last}), {users} users may need {needed}, as a closed \
         connection keeps its own for a minute"
    );
    Finding::problem("port range", said).fixed_by(
        "`sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`, or several addresses of this machine in K6_LOCAL_IPS",
    )
}

/// Two numbers, in the kernel's format.
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
            let found = judge_descriptors(Load::of(users), limit);
            assert_eq!(found.is_problem, is_problem, "{users} of {limit}");
            assert_eq!(found.fix.is_some(), is_problem);
        }
        let line = judge_descriptors(Load::of(100_000), 1_024).line();
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
            let found = judge_ports(Load::of(users), range.clone());
            assert_eq!(found.is_problem, is_problem, "{users} of {range:?}");
            let near = Load {
                is_loopback: true,
                ..Load::of(users)
            };
            assert!(!judge_ports(near, range.clone()).is_problem, "{users}");
        }
        for (users, addresses) in [(0, 1), (14_116, 1), (14_117, 2), (50_000, 4)] {
            assert_eq!(addresses_of(users, &(32_768..=60_999)), addresses);
        }
        assert_eq!(range("32768"), None);
    }

    #[test]
    fn connections_that_stay_open_have_two_ends_where_the_target_is_here() {
        let here = Load {
            is_served_here: true,
            ..Load::of(50_000)
        };
        assert_eq!(judge_kept("sockets", here, 100_064), Ok(()));
        let error = judge_kept("sockets", here, 100_063).expect_err("one too few");
        let said = error.to_string();
        for part in [
            "sockets keeps 50000",
            "100064 open files",
            "100063 are allowed",
            "--base-url",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(said.contains("`ulimit -n 166774`"), "{said}");
        let elsewhere = Load::of(50_000);
        assert_eq!(judge_kept("sockets", elsewhere, 50_064), Ok(()));
        let error = judge_kept("sockets", elsewhere, 20_000).expect_err("too few");
        assert!(!error.to_string().contains("--base-url"), "{error}");
        assert!(judge_descriptors(here, 166_773).is_problem);
        assert!(!judge_descriptors(here, 166_774).is_problem);
    }
}
