//! A running `sparring up` on free ports, and calls to it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::sparring;

/// The time limit of all waits, longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The stack, ended by pid when dropped.
pub struct Up {
    child: Child,
    /// The address of each server, by name.
    urls: BTreeMap<String, String>,
    folder: tempfile::TempDir,
    /// Kept open, since a server that prints into a closed pipe would end.
    _stdout: BufReader<ChildStdout>,
}

impl Up {
    /// Starts `sparring up` with this fleet file and waits for its table.
    pub fn start(fleet: &str) -> Self {
        Self::start_with(fleet, &[])
    }

    /// As [`Self::start`], with more arguments.
    pub fn start_with(fleet: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("detectors.yaml");
        std::fs::write(&path, fleet).expect("the folder is writable");
        let mut child = sparring()
            .args(["up", "--free-ports", "--quiet", "--config"])
            .arg(&path)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut urls = BTreeMap::new();
        let mut line = String::new();
        loop {
            line.clear();
            let bytes = stdout.read_line(&mut line).expect("text");
            assert!(bytes > 0, "`sparring up` ended before it was ready");
            if line.starts_with("ready") {
                break;
            }
            if let Some((name, url)) = line.trim().split_once("  ") {
                urls.insert(name.to_owned(), url.trim().to_owned());
            }
        }
        Self {
            child,
            urls,
            folder,
            _stdout: stdout,
        }
    }

    /// The fleet file it was started with.
    pub fn fleet_file(&self) -> PathBuf {
        self.folder.path().join("detectors.yaml")
    }

    /// The URL of `server`, without a path.
    pub fn url(&self, server: &str) -> &str {
        &self.urls[server]
    }

    /// Posts `body` to the orchestrator. Returns status and JSON of the response.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, "application/json", &body.to_string())
    }

    /// Posts raw text to the orchestrator.
    pub fn post_text(&self, path: &str, content_type: &str, body: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.url("orchestrator"));
        let call = agent()
            .post(&url)
            .header("Content-Type", content_type)
            .send(body);
        answer(call.expect("the orchestrator answers"))
    }

    /// Changes a mock detector's profile.
    pub fn toggle(&self, detector: &str, patch: &Value) {
        let url = format!("{}/__admin/profile", self.url(detector));
        let call = agent()
            .patch(&url)
            .header("Content-Type", "application/merge-patch+json")
            .send(patch.to_string());
        let (status, body) = answer(call.expect("the mock answers"));
        assert_eq!(status, 200, "{body}");
    }

    /// The orchestrator's metrics.
    pub fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.url("orchestrator"));
        let mut response = agent().get(&url).call().expect("the orchestrator answers");
        response.body_mut().read_to_string().expect("text")
    }

    /// Repeats `act` until the metrics contain `line`.
    pub fn until_metrics_hold(&self, line: &str, mut act: impl FnMut()) {
        let begun = Instant::now();
        while !self.metrics().lines().any(|found| found == line) {
            assert!(
                begun.elapsed() < PATIENCE,
                "no `{line}` in\n{}",
                self.metrics()
            );
            act();
        }
    }

    /// Ends the stack as Ctrl-C does. Returns its exit status.
    pub fn interrupt(mut self) -> Option<i32> {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid");
        // SAFETY: `kill` only sends a signal, to a child that was not waited for yet.
        unsafe { libc::kill(pid, libc::SIGINT) };
        self.child.wait().expect("it can be waited for").code()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().expect("text");
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}
