//! A simulated system against plain axum, and its cost when idle.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::mock::peer::Peer;
use super::mock::percentiles;
use super::peers::Peers;
use super::process::{cpu_time, median, resident};
use super::section::{Section, output as version, profile};

/// CPU of a response against plain axum, CPU of 5 000/s of the `AIaaS` mix, memory of 10 000 requests in
/// flight, time of an event, and cost when idle. Needs `wrk`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Length of each measurement, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Measurements of each peer, one after the other in turn; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests a second of the mix
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// Requests in flight
    #[arg(long, default_value_t = 10_000)]
    in_flight: u32,
    /// Requests of each system in virtual time
    #[arg(long, default_value_t = 200_000)]
    requests: u64,
    #[command(flatten)]
    peers: Peers,
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
    Answers,
    Mix,
    Memory,
    Events,
    Lateness,
    Idle,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// CPU of a response relative to plain axum.
const MAX_RATIO: f64 = 2.0;
/// Share of one core that 5 000/s of the mix may take.
const MAX_SHARE: f64 = 0.4;
const MAX_RSS_MB: f64 = 150.0;
const MAX_EVENT_NS: f64 = 500.0;
/// Lateness of responses by the client's clock at 2 000/s, in µs: median and 99th percentile.
const MAX_LATE_US: (i64, i64) = (150, 500);
/// Share of one core of an idle system: less than the resolution of the accounting.
const MAX_IDLE: f64 = 0.001;

pub fn run(arguments: &Arguments, root: &Path) -> bool {
    match measure(arguments, root) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("bench target: {error}");
            false
        }
    }
}

/// Returns whether every aim was met.
fn measure(arguments: &Arguments, root: &Path) -> Result<bool> {
    let peers = arguments.peers.find("target-systems", "target_peers")?;
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let mut section = Section::new("target");
    section.how(profile(&peers));
    section.how(version("wrk", &["-v"]).split(" [").next().unwrap_or("wrk"));
    section.how(format!(
        "{} s each, of answers the median of {} rounds",
        arguments.seconds, arguments.rounds
    ));
    section.table(&["what", "peer", "found"]);
    if wanted(Part::Events) {
        events(&mut section, &peers, arguments.requests)?;
    }
    if wanted(Part::Answers) {
        answers(&mut section, &peers, arguments)?;
    }
    if wanted(Part::Mix) {
        mix(&mut section, &peers, arguments)?;
    }
    if wanted(Part::Lateness) {
        lateness(&mut section, &peers, arguments)?;
    }
    if wanted(Part::Memory) {
        memory(&mut section, &peers, arguments)?;
    }
    if wanted(Part::Idle) {
        idle(&mut section, &peers, arguments)?;
    }
    Ok(section.end(arguments.write, root)?)
}

/// The lab with this service time of `md1`, without waits for a slot.
fn lab(peers: &Path, service_ms: u32) -> Result<Peer> {
    let peer = Peer::start(peers, "lab")?;
    let run = json!({ "service_ms": service_ms });
    let patch =
        json!({ "components": { "md1": { "slots": 100_000, "operations": { "run": run } } } });
    peer.call("PATCH", "/__admin/profile", &patch)?;
    Ok(peer)
}

/// CPU of a process per response, in µs, while `wrk` sends as fast as possible.
fn cost_us(peer: &Peer, seconds: u32) -> Result<f64> {
    peer.wrk_at("/md1", None, 1)?;
    let before = cpu_time(peer.pid())?;
    let rate = peer.wrk_at("/md1", None, seconds)?;
    let used = cpu_time(peer.pid())?.saturating_sub(before);
    Ok(used.as_secs_f64() * 1e6 / (rate * f64::from(seconds)))
}

fn answers(section: &mut Section, peers: &Path, arguments: &Arguments) -> Result<()> {
    let mut costs: [(&str, Vec<f64>); 3] =
        [("axum", vec![]), ("lab", vec![]), ("lab, 1 ms", vec![])];
    for _ in 0..arguments.rounds {
        for (name, costs) in &mut costs {
            let peer = match *name {
                "axum" => Peer::start(peers, "axum")?,
                "lab" => lab(peers, 0)?,
                _ => lab(peers, 1)?,
            };
            costs.push(cost_us(&peer, arguments.seconds)?);
        }
    }
    let axum = median(&costs[0].1);
    for (name, costs) in &costs {
        let cost = median(costs);
        section.line(format!(
            "| CPU of an answer, 32 connections | {name} | {cost:.1} µs, {:.2} of axum |",
            cost / axum
        ));
    }
    let ratio = median(&costs[1].1) / axum;
    section.aim(
        "CPU of an answer of `lab` without service time",
        &format!("{ratio:.2}"),
        &format!("at most {MAX_RATIO} of bare axum's"),
        ratio <= MAX_RATIO,
    );
    Ok(())
}

/// The `AIaaS` mix, and plain axum at the same rate over as many connections, which shows the cost of the
/// network alone.
fn mix(section: &mut Section, peers: &Path, arguments: &Arguments) -> Result<()> {
    let what = format!("{}/s over 2 000 connections", arguments.rate);
    let (bare, _) = at_a_rate(peers, arguments, "axum", "lab")?;
    section.line(format!(
        "| {what} | axum | {:.0} % of one core |",
        bare * 100.0
    ));
    let (share, report) = at_a_rate(peers, arguments, "aiaas", "aiaas")?;
    section.line(format!(
        "| {what} | `aiaas` | {:.0} % of one core, {:.2} of axum, answers {} |",
        share * 100.0,
        share / bare,
        percentiles(&report["statuses"])
    ));
    section.aim(
        &format!("{}/s of the AIaaS mix", arguments.rate),
        &format!("{:.0} %", share * 100.0),
        &format!("at most {:.0} % of one core", MAX_SHARE * 100.0),
        share <= MAX_SHARE && failed(&report) == 0,
    );
    Ok(())
}

/// The share of one core that a peer uses under requests of `system` at the rate, and the client's figures.
fn at_a_rate(
    peers: &Path,
    arguments: &Arguments,
    peer: &str,
    system: &'static str,
) -> Result<(f64, Value)> {
    let peer = Peer::start(peers, peer)?;
    let length = Duration::from_secs(arguments.seconds.into());
    // Connections are opened before and closed after the measured time.
    let (before_s, after_s) = (2, 1);
    let load = Load {
        system,
        connections: 2_000,
        rate: arguments.rate,
        seconds: arguments.seconds + before_s + after_s,
    };
    let (report, used) = std::thread::scope(|scope| {
        let (peers, peer, load) = (&peers, &peer, &load);
        let asking = scope.spawn(move || {
            let asked = ask(peers, peer, load);
            asked.map_err(|error| error.to_string())
        });
        std::thread::sleep(Duration::from_secs(before_s.into()));
        let begun = cpu_time(peer.pid());
        std::thread::sleep(length);
        let ended = cpu_time(peer.pid());
        let asked = asking.join().map_err(|_| "a thread panicked".to_owned());
        let report = asked.and_then(|asked| asked)?;
        Ok::<_, Box<dyn std::error::Error>>((report, ended?.saturating_sub(begun?)))
    })?;
    Ok((used.as_secs_f64() / length.as_secs_f64(), report))
}

/// Responses that are not 2xx.
fn failed(report: &Value) -> u64 {
    let statuses = report["statuses"].as_object().into_iter().flatten();
    let bad = statuses.filter(|(status, _)| !status.starts_with('2'));
    bad.filter_map(|(_, count)| count.as_u64()).sum()
}

/// C-23: client − (planned + queued) at 2 000/s with a service of 1 ms.
fn lateness(section: &mut Section, peers: &Path, arguments: &Arguments) -> Result<()> {
    let peer = lab(peers, 1)?;
    let load = Load {
        system: "lab",
        connections: 64,
        rate: 2_000,
        seconds: arguments.seconds,
    };
    let report = ask(peers, &peer, &load)?;
    for (by, whose) in [
        ("by_target_us", "its own"),
        ("by_client_us", "the client's"),
    ] {
        let found = percentiles(&report[by]);
        section.line(format!(
            "| lateness at 2 000/s, service of 1 ms, µs | `lab`, by {whose} clock | {found} |"
        ));
    }
    let late = |at: &str| report["by_client_us"][at].as_i64().unwrap_or(i64::MAX);
    let (p50, p99) = (late("p50"), late("p99"));
    section.aim(
        "lateness by the client's clock, p50 and p99",
        &format!("{p50} and {p99} µs"),
        &format!("at most {} and {} µs", MAX_LATE_US.0, MAX_LATE_US.1),
        p50 <= MAX_LATE_US.0 && p99 <= MAX_LATE_US.1,
    );
    Ok(())
}

fn memory(section: &mut Section, peers: &Path, arguments: &Arguments) -> Result<()> {
    let peer = lab(peers, 1_000)?;
    let count = arguments.in_flight;
    let before = resident(peer.pid())?.0;
    let (most, in_flight) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let load = Load {
                system: "lab",
                connections: count,
                rate: count,
                seconds: 4,
            };
            let asked = ask(peers, &peer, &load);
            asked.map_err(|error| error.to_string())
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
    let full = in_flight as f64 > 0.95 * f64::from(count);
    section.aim(
        &format!("memory of {count} requests in flight, service of 1 s"),
        &format!(
            "{most_mb:.0} MB with {in_flight} in flight, {:.0} MB before",
            before as f64 / 1e6
        ),
        &format!("at most {MAX_RSS_MB} MB"),
        most_mb < MAX_RSS_MB && full,
    );
    Ok(())
}

fn in_flight(peer: &Peer) -> Option<u64> {
    let answer = peer.call("GET", "/__admin", &Value::Null).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str::<Value>(body).ok()?["in_flight"].as_u64()
}

fn events(section: &mut Section, peers: &Path, requests: u64) -> Result<()> {
    let report = output(Command::new(peers).args(["events", &requests.to_string()]))?;
    let mut worst: f64 = 0.0;
    for (system, found) in report.as_object().into_iter().flatten() {
        let took = found["ns_per_event"].as_f64().ok_or("no time")?;
        let each = found["events_per_request"].as_f64().ok_or("no events")?;
        section.line(format!(
            "| an event of the network, in virtual time | `{system}` | {took:.0} ns; {each:.1} events a request |"
        ));
        worst = worst.max(took);
    }
    section.aim(
        "time of an event, the slowest system",
        &format!("{worst:.0} ns"),
        &format!("at most {MAX_EVENT_NS:.0} ns"),
        worst > 0.0 && worst <= MAX_EVENT_NS,
    );
    Ok(())
}

fn idle(section: &mut Section, peers: &Path, arguments: &Arguments) -> Result<()> {
    let peer = Peer::start(peers, "aiaas")?;
    std::thread::sleep(Duration::from_secs(1));
    let before = cpu_time(peer.pid())?;
    let length = Duration::from_secs(arguments.seconds.into());
    std::thread::sleep(length);
    let used = cpu_time(peer.pid())?.saturating_sub(before);
    let share = used.as_secs_f64() / length.as_secs_f64();
    section.aim(
        "CPU of an idle system",
        &format!("{:.2} %", share * 100.0),
        &format!("below {:.1} % of one core", MAX_IDLE * 100.0),
        share <= MAX_IDLE,
    );
    Ok(())
}

/// The requests of the client.
struct Load {
    system: &'static str,
    connections: u32,
    /// Requests per second.
    rate: u32,
    seconds: u32,
}

fn ask(peers: &Path, peer: &Peer, load: &Load) -> Result<Value> {
    let numbers = [load.connections, load.rate, load.seconds].map(|number| number.to_string());
    output(
        Command::new(peers)
            .args(["ask", &peer.address, load.system])
            .args(numbers),
    )
}

fn output(command: &mut Command) -> Result<Value> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
