//! G-12, S-16: a starved generator detects that itself, and never passes; neither does a run whose simulated target
//! is starved.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::suite_ends::{Running, get, wait_for};
use crate::suite_runs::{Bench, assert_ends};

/// Load that a target handles easily, by rate and by users.
const SUITE: &str = "
suite: own
system: lab
default: [open]
all: [open, closed]
classes:
  Open: { script: lab.js, exec: open, wait_s: [0, 0] }
  Closed: { script: lab.js, exec: closed, wait_s: [0, 0] }
  Heavy: { script: heavy.js, exec: heavy, wait_s: [0, 0] }
tests:
  open: { about: By rate., model: open, users: [Open], phases: [{ ramp: { to: 20 } }, { steady: { for: 8s } }], judge: { checks: 1.0 } }
  closed: { about: By users., model: closed, users: [Closed], phases: [{ ramp: { to: 4 } }, { steady: { for: 8s } }], judge: { checks: 1.0 } }
  heavy: { about: A third of a core or more., model: closed, users: [Heavy], phases: [{ ramp: { to: 4 } }, { steady: { for: 14s } }], judge: { checks: 1.0 } }
";

/// Users with computation before each request.
const HEAVY: &str = "
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function heavy() {
  let sum = 0;
  for (let n = 0; n < 300000; n += 1) sum += n;
  check(http.get(`${__ENV.PERF_BASE_URL}/md1`), { answered: (r) => r.status === 200 && sum > 0 });
  sleep(0.2);
}
";

/// A means to starve a process of its processor, until it is dropped.
trait Starving {
    /// Continues the starvation. False if the process has ended.
    fn again(&mut self) -> bool;
}

/// The generator runs for a twentieth of a second in each half second: a tenth of a core.
struct Stopped(i32);

impl Starving for Stopped {
    fn again(&mut self) -> bool {
        // SAFETY: kill(2) takes any pid; the child was not waited for, so its pid is its own.
        let signal = |signal| unsafe { libc::kill(self.0, signal) == 0 };
        let stopped = signal(libc::SIGSTOP);
        std::thread::sleep(Duration::from_millis(450));
        let goes_on = signal(libc::SIGCONT);
        std::thread::sleep(Duration::from_millis(50));
        stopped && goes_on
    }
}

/// A control group with a quota of a tenth of a core. The process returns to its former group.
struct Group {
    folder: PathBuf,
    above: PathBuf,
    pid: u32,
}

impl Group {
    /// `None` if no group can be made, which requires permission and the controller of the processor.
    fn around(pid: u32) -> Option<Self> {
        let name = format!("sparring-test-{pid}");
        let made = |root: &str, limits: &[(&str, &str)]| {
            let above = PathBuf::from(root);
            let folder = above.join(&name);
            std::fs::create_dir(&folder).ok()?;
            let group = Self { folder, above, pid };
            // Without the files of a controller, the folder is not a group.
            let set = |file: &str, value: &str| {
                let path = group.folder.join(file);
                path.exists() && std::fs::write(path, value).is_ok()
            };
            let limited = limits.iter().all(|(file, value)| set(file, value));
            let taken = || set("cgroup.procs", &pid.to_string());
            (limited && taken()).then_some(group)
        };
        made("/sys/fs/cgroup", &[("cpu.max", "10000 100000")]).or_else(|| {
            let limits = [
                ("cpu.cfs_period_us", "100000"),
                ("cpu.cfs_quota_us", "10000"),
            ];
            made("/sys/fs/cgroup/cpu", &limits)
        })
    }
}

impl Starving for Group {
    fn again(&mut self) -> bool {
        std::thread::sleep(Duration::from_millis(100));
        Path::new(&format!("/proc/{}", self.pid)).exists()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let above = self.above.join("cgroup.procs");
        if above.exists() {
            drop(std::fs::write(above, self.pid.to_string()));
        }
        // A group can be removed when its last process has left it.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The starved process.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Generator,
    Target,
}

/// Runs a test against a target in another process, and starves one of them for a while from the first responses on.
fn run<S: Starving>(
    test: &str,
    (who, lasts): (Who, Duration),
    starve: impl FnOnce(u32) -> Option<S>,
) -> Option<(Ended, Value)> {
    let mut target = Running::start(sparring().args(["target", "lab", "--port", "0", "--quiet"]));
    let url = target.url();
    let bench = Bench::new();
    bench.write("own.yaml", SUITE);
    bench.write("heavy.js", HEAVY);
    let mut command = bench.test(&["own.yaml", test, "--base-url", &url]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the binary was built for this test");
    wait_for(
        || get(&format!("{url}/__admin/resources"))["succeeded"].as_u64() > Some(3),
        "load",
    );
    let starving = starve(match who {
        Who::Generator => child.id(),
        Who::Target => target.id(),
    });
    let is_starved = starving.is_some();
    if let Some(mut starving) = starving {
        let end = Instant::now() + lasts;
        while Instant::now() < end && starving.again() {}
    }
    let ended = Ended::from(child.wait_with_output().expect("it was started"));
    is_starved.then(|| (ended, bench.report()["tests"][0].clone()))
}

fn stopped(pid: u32) -> Option<Stopped> {
    i32::try_from(pid).ok().map(Stopped)
}

fn conclusion<'a>(test: &'a Value, what: &str) -> (&'a str, &'a str) {
    let ledger = test["ledger"].as_array().expect("a ledger");
    let entry = ledger.iter().find(|entry| entry["what"] == what);
    let entry = entry.unwrap_or_else(|| panic!("no {what} in {ledger:?}"));
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    (text("conclusion"), text("text"))
}

fn assert_untrusted(ended: &Ended, test: &Value, by: &str) {
    let (found, text) = conclusion(test, by);
    assert_eq!(found, "invalid", "{text}");
    assert_eq!(ended.code, Some(5), "{}{}", ended.stdout, ended.stderr);
    assert!(!ended.stdout.contains("PASSED"), "{}", ended.stdout);
    assert!(ended.stdout.contains("untrusted"), "{}", ended.stdout);
    assert_eq!(test["outcome"], "untrusted");
}

/// N-05, G-12.
#[test]
fn a_generator_that_is_kept_from_its_schedule_is_not_to_be_trusted() {
    let lasts = (Who::Generator, Duration::from_secs(5));
    let (ended, test) = run("open", lasts, stopped).expect("a child can be stopped");
    assert_untrusted(&ended, &test, "lateness");
}

/// N-05, G-12: users have no schedule; the threads that time their responses stall.
#[test]
fn a_generator_whose_threads_stand_still_is_not_to_be_trusted() {
    let lasts = (Who::Generator, Duration::from_secs(5));
    let (ended, test) = run("closed", lasts, stopped).expect("a child can be stopped");
    assert_untrusted(&ended, &test, "lateness");
}

/// N-05, G-12: a quota of a tenth of a core, which is used up.
#[test]
fn a_generator_with_a_tenth_of_a_core_is_not_to_be_trusted() {
    let lasts = (Who::Generator, Duration::from_secs(11));
    let Some((ended, test)) = run("heavy", lasts, Group::around) else {
        eprintln!("skipped: no control group can be made here");
        return;
    };
    assert_untrusted(&ended, &test, "generator_cpu");
}

/// S-16: a simulated target that cannot respond in time reports it, and none of its figures are trusted.
#[test]
fn a_simulated_target_that_is_late_by_its_own_account_is_not_to_be_trusted() {
    let lasts = (Who::Target, Duration::from_secs(6));
    let (ended, test) = run("open", lasts, stopped).expect("a child can be stopped");
    assert_untrusted(&ended, &test, "simulator");
}

/// The same tests on a generator with enough resources.
#[test]
fn a_generator_that_is_not_starved_passes() {
    let bench = Bench::new();
    bench.write("own.yaml", SUITE);
    bench.write("heavy.js", HEAVY);
    let ended = bench.run(&["own.yaml", "open"]);
    let test = &bench.report()["tests"][0];
    assert_ends(&ended, test, 0);
    for what in [
        "lateness",
        "generator_cpu",
        "dropped_samples",
        "clock",
        "ports",
        "descriptors",
        "simulator",
    ] {
        conclusion(test, what);
    }
    assert_eq!(conclusion(test, "dropped_samples").0, "valid");
    assert_eq!(conclusion(test, "ports").0, "valid");
}
