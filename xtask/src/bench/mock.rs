//! The mock detector beside bare axum, bare hyper and, where its jar is given, `WireMock`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::process::{median, resident};

/// Requests per second at zero delay, how exactly delays are met, and what 10 000 requests in
/// flight cost. Needs `wrk`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Length of each measurement of throughput, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Measurements of each peer, one after the other in turn; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Jar of `WireMock` (npm package `wiremock`, build/wiremock-standalone.jar), to measure it, too
    #[arg(long)]
    wiremock: Option<PathBuf>,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Requests per second of ours over bare axum's.
const MIN_RATIO: f64 = 0.85;
const MAX_RSS_MB: f64 = 150.0;
const MAX_ERROR_US: i64 = 300;

pub fn run(arguments: &Arguments) -> bool {
    match measure(arguments) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("bench mock: {error}");
            false
        }
    }
}

/// True: every promise was kept.
fn measure(arguments: &Arguments) -> Result<bool> {
    let peers = build()?;
    let kept = [
        throughput(arguments, &peers)?,
        delays(&peers, 1_000, 1_000.0)?,
        delays(&peers, 5_000, 150.0)?,
        memory(&peers)?,
    ];
    Ok(kept.into_iter().all(|kept| kept))
}

fn build() -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "-q",
            "-p",
            "mock-detectors",
            "--example",
            "peers",
        ])
        .status()?;
    if !status.success() {
        return Err("the peers cannot be built".into());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(target.join("release/examples/peers"))
}

/// A server under measurement; ends when dropped.
struct Peer {
    child: Child,
    /// Held open: the peer serves until it ends.
    _input: Option<ChildStdin>,
    address: String,
}

impl Peer {
    fn start(peers: &Path, name: &str) -> Result<Self> {
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

    /// `WireMock` with a stub that answers what the bare peers answer.
    fn start_wiremock(jar: &Path) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let child = Command::new("java")
            .arg("-jar")
            .arg(jar)
            .args(["--port", &port.to_string(), "--disable-banner"])
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

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<String> {
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

    /// Requests per second that `wrk` gets through.
    fn wrk(&self, script: &Path, seconds: u32) -> Result<f64> {
        let output = Command::new("wrk")
            .args(["-t1", "-c32", &format!("-d{seconds}s"), "-s"])
            .arg(script)
            .arg(format!("http://{}/detect", self.address))
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

fn throughput(arguments: &Arguments, peers: &Path) -> Result<bool> {
    let script = std::env::temp_dir().join(format!("bench-mock-{}.lua", std::process::id()));
    std::fs::write(
        &script,
        "wrk.method = 'POST'\nwrk.body = '{\"content\":\"hello there\"}'\n\
         wrk.headers['Content-Type'] = 'application/json'\n",
    )?;
    let mut rates: Vec<(&str, Vec<f64>)> =
        vec![("mock", vec![]), ("axum", vec![]), ("hyper", vec![])];
    for _ in 0..arguments.rounds {
        for (name, rates) in &mut rates {
            let peer = Peer::start(peers, name)?;
            peer.wrk(&script, 1)?;
            rates.push(peer.wrk(&script, arguments.seconds)?);
        }
    }
    if let Some(jar) = &arguments.wiremock {
        let peer = Peer::start_wiremock(jar)?;
        // Its virtual machine needs longer to get warm.
        peer.wrk(&script, 10)?;
        let rounds: Result<Vec<f64>> = (0..arguments.rounds)
            .map(|_| peer.wrk(&script, arguments.seconds))
            .collect();
        rates.push(("wiremock", rounds?));
    }
    drop(std::fs::remove_file(&script));
    let axum = median(&rates[1].1);
    println!("requests/s at zero delay, 32 connections, journal and metrics on");
    for (name, rates) in &rates {
        println!(
            "  {name:<9} {:>10.0}   {:.2} of axum",
            median(rates),
            median(rates) / axum
        );
    }
    Ok(verdict(
        "throughput",
        median(&rates[0].1) / axum >= MIN_RATIO,
    ))
}

fn delays(peers: &Path, rate: u32, delay_ms: f64) -> Result<bool> {
    let peer = Peer::start(peers, "mock")?;
    let patch = json!({ "latency": { "constant": { "ms": delay_ms } } });
    peer.call("PATCH", "/__admin/profile", &patch)?;
    let connections = (f64::from(rate) * delay_ms / 1e3 * 1.3) as u32;
    let report = ask(peers, &peer, (connections, rate, 8))?;
    println!("delay errors at {rate}/s with a delay of {delay_ms} ms, in µs");
    for by in ["by_mock_us", "by_client_us"] {
        println!("  {by:<13} {}", report[by]);
    }
    let p99 = report["by_mock_us"]["p99"].as_i64().ok_or("no answers")?;
    // The promise is made for 1 000/s.
    Ok(rate > 1_000 || verdict("delay precision", p99 <= MAX_ERROR_US))
}

fn memory(peers: &Path) -> Result<bool> {
    let peer = Peer::start(peers, "mock")?;
    let patch = json!({ "latency": { "constant": { "ms": 1000 } } });
    peer.call("PATCH", "/__admin/profile", &patch)?;
    let pid = peer.child.id();
    let before = resident(pid)?.0;
    let most = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(peers, &peer, (10_000, 10_500, 1)).is_ok());
        let mut most = before;
        while !asking.is_finished() {
            most = most.max(resident(pid).map_or(0, |(bytes, _)| bytes));
            std::thread::sleep(Duration::from_millis(20));
        }
        asking.join().is_ok_and(|done| done).then_some(most)
    });
    let most_mb = most.ok_or("10 000 requests did not come through")? as f64 / 1e6;
    println!("10 000 requests in flight with a delay of 1 s");
    println!(
        "  {:.0} MB resident, {:.0} MB before",
        most_mb,
        before as f64 / 1e6
    );
    Ok(verdict("memory", most_mb < MAX_RSS_MB))
}

fn ask(peers: &Path, peer: &Peer, (connections, rate, seconds): (u32, u32, u32)) -> Result<Value> {
    let numbers = [connections, rate, seconds].map(|number| number.to_string());
    let output = Command::new(peers)
        .args(["delay", &peer.address])
        .args(&numbers)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn verdict(what: &str, kept: bool) -> bool {
    println!("  {what}: {}", if kept { "kept" } else { "NOT KEPT" });
    kept
}
