//! `sparring orchestrator` as a process that can be killed at any moment, and calls to it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::sparring;
use crate::stack::Up;

/// The time limit of all waits, longer than any of them takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The key with which replicas encrypt their jobs in Redis.
const STORE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// An orchestrator, ended by pid when dropped.
pub struct Orchestrator {
    child: Child,
    pub url: String,
    /// Kept open, since a server that prints into a closed pipe would end.
    _stdout: BufReader<ChildStdout>,
}

/// The settings of an orchestrator.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// Its fleet file; see [`fleet_of`].
    pub fleet: &'a Path,
    pub data_dir: &'a Path,
    pub redis_url: Option<&'a str>,
    /// The port; 0 means any free one.
    pub port: u16,
}

impl Orchestrator {
    /// Starts one and waits until it listens.
    pub fn start(start: &Start) -> Self {
        let mut command = sparring();
        command
            .args([
                "orchestrator",
                "--port",
                &start.port.to_string(),
                "--config",
            ])
            .arg(start.fleet)
            .arg("--data-dir")
            .arg(start.data_dir)
            .env("LOG_LEVEL", "warn")
            .stdout(Stdio::piped());
        if let Some(url) = start.redis_url {
            command.env("SPARRING_ORCHESTRATION__REDIS_URL", url);
            command.env("SPARRING_ORCHESTRATION__STORE_KEY", STORE_KEY);
        }
        let mut child = command.spawn().expect("the binary was built for this test");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("text");
        let url = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        assert!(url.starts_with("http://"), "it did not start: {line:?}");
        Self {
            child,
            url,
            _stdout: stdout,
        }
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits for its end. `None`: a signal ended it.
    pub fn exit_code(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn get(&self, path: &str) -> Option<(u16, Value)> {
        get(&format!("{}{path}", self.url))
    }
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Writes a fleet file whose detectors are those of `up`, with `more` settings of the
/// orchestration.
pub fn fleet_of(up: &Up, names: &[&str], more: &Value, path: &Path) {
    let detector = |name: &&str| {
        let endpoint = format!("{}/detect", up.url(name));
        ((*name).to_owned(), json!({ "endpoint": endpoint }))
    };
    let detectors: serde_json::Map<_, _> = names.iter().map(detector).collect();
    // JSON is YAML.
    let fleet = json!({ "orchestration": more, "detectors": detectors });
    std::fs::write(path, fleet.to_string()).expect("the folder is writable");
}

/// Submits a job to the orchestrator at `url`.
pub fn submit(url: &str, content: &str) -> Option<String> {
    let body = json!({
        "content": content, "content_type": "text", "tenant_id": "t", "processing_mode": "async",
    });
    let (status, body) = post(&format!("{url}/orchestrate"), &body)?;
    (status == 202).then(|| body["job_id"].as_str().expect("a job's id").to_owned())
}

/// `None` if there is no response.
pub fn post(url: &str, body: &Value) -> Option<(u16, Value)> {
    let call = agent()
        .post(url)
        .header("Content-Type", "application/json")
        .send(body.to_string());
    read(call)
}

/// `None` if there is no response.
pub fn get(url: &str) -> Option<(u16, Value)> {
    read(agent().get(url).call())
}

fn read(call: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<(u16, Value)> {
    let mut response = call.ok()?;
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().ok()?;
    Some((
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    ))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

/// Polls until the job has ended. Returns its description.
pub fn ended(orchestrator: &Orchestrator, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let answer = orchestrator.get(&format!("/orchestrate/status/{id}"));
        let (status, job) = answer.expect("it serves");
        assert_eq!(status, 200, "job {id} is lost: {job}");
        let state = job["status"].as_str().unwrap_or_default();
        if ["completed", "failed", "cancelled"].contains(&state) {
            return job;
        }
        assert!(begun.elapsed() < PATIENCE, "job {id} never ended: {job}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
