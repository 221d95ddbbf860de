//! The mock detector against plain axum, plain hyper and `WireMock`.

pub(super) mod peer;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use self::peer::Peer;
use super::peers::Peers;
use super::process::{median, resident};
use super::section::{Section, output, profile};

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
    #[command(flatten)]
    peers: Peers,
    /// Jar of `WireMock` [default: the one of its npm package]
    #[arg(long)]
    wiremock: Option<PathBuf>,
    /// Omit `WireMock`
    #[arg(long)]
    no_wiremock: bool,
    /// Only these parts
    #[arg(long = "only", value_enum)]
    parts: Vec<Part>,
    /// Write the results into docs/BENCHMARKS.md
    #[arg(long, conflicts_with = "parts")]
    write: bool,
}

/// A separate part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Throughput,
    Delays,
    Memory,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The mock's requests per second relative to those of plain axum.
const MIN_RATIO: f64 = 0.85;
const MAX_RSS_MB: f64 = 150.0;
const MAX_ERROR_US: i64 = 300;
const IN_FLIGHT: u32 = 10_000;

pub fn run(arguments: &Arguments, root: &Path) -> bool {
    match measure(arguments, root) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("bench mock: {error}");
            false
        }
    }
}

/// Returns whether every aim was met.
fn measure(arguments: &Arguments, root: &Path) -> Result<bool> {
    let peers = arguments.peers.find("mock-detectors", "mock_peers")?;
    let jar = wiremock(arguments);
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let mut section = Section::new("mock");
    section.how(profile(&peers));
    section.how(output("wrk", &["-v"]).split(" [").next().unwrap_or("wrk"));
    section.how(format!(
        "median of {} rounds of {} s",
        arguments.rounds, arguments.seconds
    ));
    if wanted(Part::Throughput) {
        throughput(&mut section, arguments, &peers, jar.as_deref())?;
    }
    if wanted(Part::Delays) {
        section.table(&["lateness of answers", "by whose clock", "µs"]);
        delays(&mut section, &peers, 1_000, 1_000)?;
        if let Some(jar) = &jar {
            wiremock_delays(&mut section, &peers, jar, 1_000, 1_000)?;
        }
        delays(&mut section, &peers, 5_000, 150)?;
    }
    if wanted(Part::Memory) {
        memory(&mut section, &peers)?;
    }
    Ok(section.end(arguments.write, root)?)
}

/// The jar of `WireMock`, unless it is omitted or not available, which is reported.
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
            eprintln!("WireMock is skipped: {error}");
            None
        }
    }
}

fn throughput(
    section: &mut Section,
    arguments: &Arguments,
    peers: &Path,
    jar: Option<&Path>,
) -> Result<()> {
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
    section.table(&["no delay, 32 connections", "requests/s", "of axum"]);
    for (name, rates) in &rates {
        let rate = median(rates);
        section.line(format!("| {name} | {rate:.0} | {:.2} |", rate / axum));
    }
    let ratio = median(&rates[0].1) / axum;
    section.aim(
        "requests/s without delay, journal and metrics on",
        &format!("{ratio:.2}"),
        &format!("at least {MIN_RATIO} of bare axum's"),
        ratio >= MIN_RATIO,
    );
    Ok(())
}

/// The lateness of responses that are due `delay_ms` after their requests, at `rate` per second.
/// The promise is for 1 000/s.
fn delays(section: &mut Section, peers: &Path, rate: u32, delay_ms: u32) -> Result<()> {
    let peer = Peer::start(peers, "mock")?;
    let patch = json!({ "latency": { "constant": { "ms": delay_ms } } });
    peer.call("PATCH", "/__admin/profile", &patch)?;
    let report = ask(peers, &peer, rate, delay_ms)?;
    for (by, whose) in [
        ("by_mock_us", "the mock's"),
        ("by_client_us", "the client's"),
    ] {
        let found = percentiles(&report[by]);
        section.line(format!(
            "| mock, {rate}/s, delay of {delay_ms} ms | {whose} | {found} |"
        ));
    }
    let p99 = report["by_mock_us"]["p99"].as_i64().ok_or("no answers")?;
    if rate <= 1_000 {
        section.aim(
            "lateness of a delay, p99",
            &format!("{p99} µs"),
            &format!("at most {MAX_ERROR_US} µs"),
            p99 <= MAX_ERROR_US,
        );
    }
    Ok(())
}

/// "p50 80, p99 180" of an object of numbers.
pub(super) fn percentiles(found: &Value) -> String {
    let each = found.as_object().into_iter().flatten();
    let each: Vec<String> = each.map(|(name, us)| format!("{name} {us}")).collect();
    each.join(", ")
}

fn wiremock_delays(
    section: &mut Section,
    peers: &Path,
    jar: &Path,
    rate: u32,
    delay_ms: u32,
) -> Result<()> {
    let peer = Peer::start_wiremock(jar, delay_ms, false)?;
    // A warm-up run.
    let warm = ask(peers, &peer, rate, delay_ms);
    let found = match warm.and_then(|_| ask(peers, &peer, rate, delay_ms)) {
        Ok(report) => percentiles(&report["by_client_us"]),
        Err(error) => format!("not answered: {}", error.to_string().trim()),
    };
    section.line(format!(
        "| WireMock without journal, the same | the client's | {found} |"
    ));
    Ok(())
}

fn memory(section: &mut Section, peers: &Path) -> Result<()> {
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
    let full = f64::from(in_flight) > 0.95 * f64::from(IN_FLIGHT);
    section.aim(
        &format!("memory of {IN_FLIGHT} requests in flight, delay of {delay_ms} ms"),
        &format!(
            "{most_mb:.0} MB with {in_flight} in flight, {:.0} MB before",
            before as f64 / 1e6
        ),
        &format!("at most {MAX_RSS_MB} MB"),
        most_mb < MAX_RSS_MB && full,
    );
    Ok(())
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
