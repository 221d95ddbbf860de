//! The servers that are measured, and calls to them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::peers::target;
use super::Result;

/// A measured server; it ends when dropped.
pub struct Peer {
    child: Child,
    /// Kept open, since the peer serves until it is closed.
    _input: Option<ChildStdin>,
    pub address: String,
}

impl Peer {
    pub fn start(peers: &Path, name: &str) -> Result<Self> {
        let mut child = Command::new(peers)
            .args(["serve", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut address)?;
        let input = child.stdin.take();
        Ok(Self {
            child,
            _input: input,
            address: address.trim().to_owned(),
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `WireMock` with a stub that responds like the plain peers, after a delay. Its journal costs more with
    /// every entry, so it is also measured without one.
    pub(super) fn start_wiremock(jar: &Path, delay_ms: u32, journal: bool) -> Result<Self> {
        // By default its journal is on and unbounded; here it holds as many entries as the mock's.
        let journal: &[&str] = if journal {
            &["--max-request-journal-entries", "10000"]
        } else {
            &["--no-request-journal"]
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let child = Command::new("java")
            .arg("-jar")
            .arg(jar)
            .args(["--port", &port.to_string(), "--disable-banner"])
            .args(journal)
            // Asynchronous delays; otherwise a thousand of them would need a thousand threads.
            .args(["--async-response-enabled", "true", "--async-response-threads", "10"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let peer = Self {
            child,
            _input: None,
            address: format!("127.0.0.1:{port}"),
        };
        let stub = json!({
            "request": { "method": "POST", "urlPath": "/detect" },
            "response": {
                "status": 200,
                "fixedDelayMilliseconds": delay_ms,
                "headers": { "content-type": "application/json" },
                "jsonBody": { "request_id": "req-1", "detector": "bare", "output": "clean",
                    "confidence": 0.97, "detections": [], "processing_time_ms": 0 }
            }
        });
        let begun = Instant::now();
        while peer.call("POST", "/__admin/mappings", &stub).is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("WireMock did not start within 30 s".into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(peer)
    }

    pub fn call(&self, method: &str, path: &str, body: &Value) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        let body = body.to_string();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 2") {
            Ok(answer)
        } else {
            Err(answer.into())
        }
    }

    /// The throughput that `wrk` measures, in requests per second.
    pub(super) fn wrk(&self, script: &Path, seconds: u32) -> Result<f64> {
        self.wrk_at("/detect", Some(script), seconds)
    }

    /// The throughput that `wrk` measures on a path, in requests per second.
    pub fn wrk_at(&self, path: &str, script: Option<&Path>, seconds: u32) -> Result<f64> {
        let mut command = Command::new("wrk");
        command.args(["-t1", "-c32", &format!("-d{seconds}s")]);
        if let Some(script) = script {
            command.arg("-s").arg(script);
        }
        let output = command
            .arg(format!("http://{}{path}", self.address))
            .output()
            .map_err(|error| format!("wrk cannot be run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains("Non-2xx") {
            return Err(format!("not all answers were right:\n{text}").into());
        }
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Requests/sec:"));
        Ok(line.ok_or("wrk printed no rate")?.trim().parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The jar of `WireMock` from its npm package, which is installed below the target folder.
pub(super) fn wiremock_jar() -> Result<PathBuf> {
    let java = Command::new("java").arg("-version").output();
    java.map_err(|error| format!("java cannot be run: {error}"))?;
    let folder = target().join("wiremock");
    let build = folder.join("node_modules/wiremock/build");
    if !build.is_dir() {
        let status = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(WIREMOCK)
            .status()
            .map_err(|error| format!("npm cannot be run: {error}"))?;
        if !status.success() {
            return Err(format!("npm could not install {WIREMOCK}").into());
        }
    }
    let entries = std::fs::read_dir(build)?.filter_map(std::result::Result::ok);
    let jar = entries
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "jar"));
    jar.ok_or_else(|| format!("{WIREMOCK} holds no jar").into())
}

const WIREMOCK: &str = "wiremock@3";
