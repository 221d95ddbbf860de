//! The mock detector against plain axum, plain hyper and `WireMock`.

pub(super) mod peer;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use self::peer::Peer;
use super::process::{median, resident};

/// Requests per second without delay, the precision of delays, and the cost of 10 000 requests in
/// flight. Needs `wrk`; with Java 17 and npm, `WireMock` is also measured.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Length of each measurement of throughput, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Measurements of each peer, one after the other in turn; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Jar of `WireMock` [default: the one of its npm package]
    #[arg(long)]
    wiremock: Option<PathBuf>,
    /// Leave `WireMock` out
    #[arg(long)]
    no_wiremock: bool,
    /// Only these parts
    #[arg(long = "only", value_enum)]
    parts: Vec<Part>,
}

/// A separate part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Throughput,
    Delays,
    Memory,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Our requests per second relative to those of plain axum.
const MIN_RATIO: f64 = 0.85;
const MAX_RSS_MB: f64 = 150.0;
const MAX_ERROR_US: i64 = 300;
const IN_FLIGHT: u32 = 10_000;

pub fn run(arguments: &Arguments) -> bool {
    match measure(arguments) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("bench mock: {error}");
            false
        }
    }
}

/// Returns whether every promise was kept.
fn measure(arguments: &Arguments) -> Result<bool> {
    let peers = peer::build()?;
    let jar = wiremock(arguments);
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let mut kept = true;
    if wanted(Part::Throughput) {
        kept &= throughput(arguments, &peers, jar.as_deref())?;
    }
    if wanted(Part::Delays) {
        kept &= delays(&peers, 1_000, 1_000)?;
        if let Some(jar) = &jar {
            wiremock_delays(&peers, jar, 1_000, 1_000)?;
        }
        delays(&peers, 5_000, 150)?;
    }
    if wanted(Part::Memory) {
        kept &= memory(&peers)?;
    }
    Ok(kept)
}

/// The jar of `WireMock`, unless it is not wanted or not available, which is reported.
fn wiremock(arguments: &Arguments) -> Option<PathBuf> {
    if arguments.no_wiremock {
        return None;
    }
    match arguments
        .wiremock
        .clone()
        .map_or_else(peer::wiremock_jar, Ok)
    {
        Ok(jar) => Some(jar),
        Err(error) => {
            eprintln!("WireMock is left out: {error}");
            None
        }
    }
}

fn throughput(arguments: &Arguments, peers: &Path, jar: Option<&Path>) -> Result<bool> {
    let script = std::env::temp_dir().join(format!("bench-mock-{}.lua", std::process::id()));
    std::fs::write(
        &script,
        "wrk.method = 'POST'\nwrk.body = '{\"content\":\"hello there\"}'\n\
         wrk.headers['Content-Type'] = 'application/json'\n",
    )?;
    let mut rates: Vec<(&str, Vec<f64>)> =
        vec![("mock", vec![]), ("axum", vec![]), ("hyper", vec![])];
    // Not in turn with the others, since its virtual machine takes long to warm up.
    let others = [("WireMock", true), ("WireMock without journal", false)];
    for _ in 0..arguments.rounds {
        for (name, rates) in &mut rates {
            let peer = Peer::start(peers, name)?;
            peer.wrk(&script, 1)?;
            rates.push(peer.wrk(&script, arguments.seconds)?);
        }
    }
    for (name, journal) in others {
        let Some(jar) = jar else { break };
        let peer = Peer::start_wiremock(jar, 0, journal)?;
        peer.wrk(&script, 10)?;
        let rounds: Result<Vec<f64>> = (0..arguments.rounds)
            .map(|_| peer.wrk(&script, arguments.seconds))
            .collect();
        rates.push((name, rounds?));
    }
    drop(std::fs::remove_file(&script));
    let axum = median(&rates[1].1);
    println!("requests/s at zero delay, 32 connections, journal and metrics on");
    for (name, rates) in &rates {
        let rate = median(rates);
        println!("  {name:<24} {rate:>10.0}   {:.3} of axum", rate / axum);
    }
    let ratio = median(&rates[0].1) / axum;
    Ok(verdict("throughput", ratio >= MIN_RATIO))
}

/// The lateness of answers that are due `delay_ms` after their requests, at `rate` per second.
/// The promise is for 1 000/s.
fn delays(peers: &Path, rate: u32, delay_ms: u32) -> Result<bool> {
    let peer = Peer::start(peers, "mock")?;
    let patch = json!({ "latency": { "constant": { "ms": delay_ms } } });
    peer.call("PATCH", "/__admin/profile", &patch)?;
    println!("lateness at {rate}/s with a delay of {delay_ms} ms, in µs");
    let report = ask(peers, &peer, rate, delay_ms)?;
    for by in ["by_mock_us", "by_client_us"] {
        println!("  {by:<13} {}", report[by]);
    }
    let p99 = report["by_mock_us"]["p99"].as_i64().ok_or("no answers")?;
    Ok(rate > 1_000 || verdict("delay precision", p99 <= MAX_ERROR_US))
}

fn wiremock_delays(peers: &Path, jar: &Path, rate: u32, delay_ms: u32) -> Result<()> {
    let peer = Peer::start_wiremock(jar, delay_ms, false)?;
    println!("  WireMock without journal, the same work");
    // Once to warm up.
    let warm = ask(peers, &peer, rate, delay_ms);
    match warm.and_then(|_| ask(peers, &peer, rate, delay_ms)) {
        Ok(report) => println!("  by_client_us  {}", report["by_client_us"]),
        Err(error) => println!("  not answered: {}", error.to_string().trim()),
    }
    Ok(())
}

fn memory(peers: &Path) -> Result<bool> {
    let peer = Peer::start(peers, "mock")?;
    let delay_ms = 1_000;
    let patch = json!({ "latency": { "constant": { "ms": delay_ms } } });
    peer.call("PATCH", "/__admin/profile", &patch)?;
    let before = resident(peer.pid())?.0;
    let (most, in_flight) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let numbers = [IN_FLIGHT, IN_FLIGHT, 4, delay_ms];
            ask_with(peers, &peer, numbers).map_err(|error| error.to_string())
        });
        let (mut most, mut in_flight) = (before, 0);
        while !asking.is_finished() {
            most = most.max(resident(peer.pid()).map_or(0, |(bytes, _)| bytes));
            in_flight = in_flight.max(self::in_flight(&peer).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(20));
        }
        let asked = asking.join().map_err(|_| "a thread panicked".to_owned());
        asked.and_then(|asked| asked).map(|_| (most, in_flight))
    })?;
    let most_mb = most as f64 / 1e6;
    println!("{IN_FLIGHT} connections, each with a request that is delayed by {delay_ms} ms");
    println!(
        "  {in_flight} in flight, {most_mb:.0} MB resident, {:.0} MB before",
        before as f64 / 1e6
    );
    let full = f64::from(in_flight) > 0.95 * f64::from(IN_FLIGHT);
    Ok(verdict("memory", most_mb < MAX_RSS_MB && full))
}

/// The requests in flight in the mock.
fn in_flight(peer: &Peer) -> Option<u32> {
    let text = peer.call("GET", "/metrics", &Value::Null).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("sparring_mock_in_flight{detector=\"mock\"} "))?;
    line.trim().parse().ok()
}

/// The length of a measurement.
const SECONDS: u32 = 8;

/// Sends requests at a rate, over as many connections as the delay needs.
fn ask(peers: &Path, peer: &Peer, rate: u32, delay_ms: u32) -> Result<Value> {
    let connections = (f64::from(rate) * f64::from(delay_ms) / 1e3 * 1.3) as u32;
    ask_with(peers, peer, [connections, rate, SECONDS, delay_ms])
}

fn ask_with(peers: &Path, peer: &Peer, numbers: [u32; 4]) -> Result<Value> {
    let output = Command::new(peers)
        .args(["delay", &peer.address])
        .args(numbers.map(|number| number.to_string()))
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
