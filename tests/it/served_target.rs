//! A system that `sparring target` serves on a free port.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Stdio};

use crate::binary::sparring;

/// A served system, ended by pid when dropped.
pub struct Target {
    child: Child,
    url: String,
    _stdout: BufReader<ChildStdout>,
}

impl Target {
    /// Starts a system and waits until it prints its address.
    pub fn start(system: &str, arguments: &[&str]) -> Self {
        let mut child = sparring()
            .args(["target", system, "--port", "0", "--quiet"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("text");
        let url = line.split_whitespace().find(|word| word.contains("://"));
        let url = url.unwrap_or_else(|| panic!("no address in {line:?}"));
        Self {
            url: url.to_owned(),
            child,
            _stdout: stdout,
        }
    }

    /// The URL of the system, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same as a socket address.
    pub fn address(&self) -> SocketAddr {
        let text = self.url.trim_start_matches("http://");
        text.parse().expect("an address and a port")
    }

    /// The sum of a metric's samples; 0 if there are none.
    pub fn metric(&self, name: &str) -> f64 {
        let url = format!("{}/metrics", self.url);
        let mut answer = ureq::get(&url).call().expect("the system answers");
        let text = answer.body_mut().read_to_string().expect("text");
        let samples = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        samples
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// The memory of the process; 0 if the system does not report it.
    pub fn resident_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kb.unwrap_or(0) / 1024
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
