//! `--cgroup`: the resources of a service's control group are those of the target.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::suite_runs::passed;

const PATIENCE: Duration = Duration::from_secs(60);

/// A service in a group of its own; dropping it removes both.
struct Grouped {
    group: PathBuf,
    service: Child,
    url: String,
}

impl Grouped {
    /// `None` if no group of version 2 can be made.
    fn start() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
        let mounted = mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            (fields.get(2) == Some(&"cgroup2")).then(|| fields[1].to_owned())
        })?;
        let group = Path::new(&mounted).join(format!("sparring-it-{}", std::process::id()));
        std::fs::create_dir(&group).ok()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let service = sparring()
            .args(["target", "lab", "--quiet", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary was built for this test");
        let grouped = Self {
            group,
            service,
            url: format!("http://127.0.0.1:{port}"),
        };
        let mut procs = File::options()
            .write(true)
            .open(grouped.group.join("cgroup.procs"))
            .ok()?;
        write!(procs, "{}", grouped.service.id()).ok()?;
        Some(grouped)
    }
}

impl Drop for Grouped {
    fn drop(&mut self) {
        drop(self.service.kill());
        drop(self.service.wait());
        drop(std::fs::remove_dir(&self.group));
    }
}

#[test]
fn a_control_group_is_watched_as_the_target() {
    let Some(grouped) = Grouped::start() else {
        eprintln!("skipped: no control group of version 2 can be made here");
        return;
    };
    let begun = Instant::now();
    while ureq::get(format!("{}/health", grouped.url)).call().is_err() {
        assert!(begun.elapsed() < PATIENCE, "the service did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("own.yaml"), SUITE).expect("writable");
    std::fs::write(folder.path().join("own.js"), SCRIPT).expect("writable");
    let output = sparring()
        .args(["test", "own.yaml", "--base-url", &grouped.url, "--cgroup"])
        .arg(&grouped.group)
        .current_dir(folder.path())
        .output();
    let ended = Ended::from(output.expect("the binary was built for this test"));
    let mut runs = std::fs::read_dir(folder.path().join("results"))
        .expect("made")
        .flatten();
    let run = runs.find(|entry| entry.path().is_dir()).expect("a run");
    let text = std::fs::read_to_string(run.path().join("report.json")).expect("written");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    passed(&ended, &report);
    let observed = &report["tests"][0]["observed"];
    assert_eq!(observed["target_source"], "cgroup");
    let samples = observed["target"].as_array().expect("samples");
    let busy = samples
        .iter()
        .filter_map(|sample| sample["cpu_cores"].as_f64());
    assert!(busy.sum::<f64>() > 0.0, "the service answered: {samples:?}");
}

const SUITE: &str = "
suite: own
default: [short]
all: [short]
classes:
  User: { script: own.js, exec: user, wait_s: [0.02, 0.02] }
tests:
  short:
    about: Long enough for some samples.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 4 } }, { steady: { for: 4s } }]
    judge: { checks: 1.0 }
";

const SCRIPT: &str = "
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function user() {
  check(http.get(`${__ENV.PERF_BASE_URL}/mm1`), { answered: (r) => r.status === 200 });
  sleep(0.02);
}
";
