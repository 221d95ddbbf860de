//! The orchestrator against a plain fan-out over the same HTTP client, on the usual runtime and on threads like the
//! orchestrator's, and its cache against a plain echo.

mod peer;

use std::path::Path;
use std::str::FromStr;

use clap::Args;

use super::process::{median, resident};
use peer::{Cost, Peer, build};

/// The cost of a request apart from its detectors: five with a constant 20 ms. Takes two minutes;
/// needs `wrk`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Length of each measurement, in seconds
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Measurements of each peer, one after the other in turn; the median counts
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Only these parts: `rate=200`, `rate=1000` (any rate), `cached`; may be repeated
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Only build the peers
    #[arg(long)]
    build: bool,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Half of the highest rate, for which the overhead is promised.
const HALF: u32 = 1_000;
const ALL: [Part; 4] = [
    Part::Rate(200),
    Part::Rate(HALF),
    Part::Rate(2 * HALF),
    Part::Cached,
];
const MAX_OVERHEAD_US: f64 = 500.0;
const MAX_CPU_RATIO: f64 = 1.3;
const MIN_CACHED_RATIO: f64 = 0.7;
/// The generator does not keep its schedule if it sends one in a hundred requests later than this.
const MAX_LATE_US: f64 = 5_000.0;

/// A part of the benchmark that can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Requests per second.
    Rate(u32),
    Cached,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let rate = |it: &str| it.parse().ok().filter(|rate| *rate > 0);
        match text.strip_prefix("rate=") {
            Some(given) => rate(given).map(Self::Rate),
            None => (text == "cached").then_some(Self::Cached),
        }
        .ok_or_else(|| "use rate=N or cached".to_owned())
    }
}

pub fn run(arguments: &Arguments) -> bool {
    match measure(arguments) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("bench orchestrator: {error}");
            false
        }
    }
}

/// Returns whether every measured promise was kept.
fn measure(arguments: &Arguments) -> Result<bool> {
    let peers = build()?;
    if arguments.build {
        return Ok(true);
    }
    let parts = match &arguments.only[..] {
        [] => &ALL[..],
        some => some,
    };
    println!("load of the machine before: {}", load_average()?);
    let detectors = Peer::start(&peers, &["detectors"], 5)?;
    let urls: Vec<&str> = detectors.lines.iter().map(String::as_str).collect();
    let rates: Vec<u32> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Rate(rate) => Some(*rate),
            Part::Cached => None,
        })
        .collect();
    let mut kept = true;
    if !rates.is_empty() {
        kept &= fan_outs(arguments, &peers, &urls, &rates)?;
    }
    if parts.contains(&Part::Cached) {
        kept &= cached(arguments, &peers, &urls)?;
    }
    println!("load of the machine after: {}", load_average()?);
    Ok(kept)
}

/// The peers of the fan-out, with the judged one first.
const PEERS: [(&str, &[&str]); 3] = [
    ("orchestrator", &["orchestrator", "uncached"]),
    ("fan-out", &["fan-out"]),
    ("on threads", &["fan-out-threads"]),
];

fn fan_outs(arguments: &Arguments, peers: &Path, urls: &[&str], rates: &[u32]) -> Result<bool> {
    let start = |(_, mode): &(&str, &[&str])| Peer::start(peers, &[*mode, urls].concat(), 1);
    let mut running: Vec<Peer> = PEERS.iter().map(start).collect::<Result<_>>()?;
    // This opens connections, and touches code and memory.
    for peer in &mut running {
        peer.load(peers, HALF / 5, 1)?;
    }
    println!("5 detectors of 20 ms; latency and overhead over the slowest of them in ms;");
    println!("CPU, and waiting for a core that others had, in us per request; memory in MB");
    println!(
        "  rate/s  peer             p50     p99  over p50  over p99    CPU  waited   RSS  failed"
    );
    let mut kept = true;
    for rate in rates {
        let mut costs: [Vec<Cost>; PEERS.len()] = Default::default();
        for round in 1..=arguments.rounds {
            eprintln!("{rate}/s, round {round} of {}", arguments.rounds);
            for (peer, costs) in running.iter_mut().zip(&mut costs) {
                costs.push(peer.load(peers, *rate, arguments.seconds)?);
            }
        }
        for ((name, _), (peer, costs)) in PEERS.iter().zip(running.iter().zip(&costs)) {
            let (rss, _) = resident(peer.id())?;
            println!(
                "  {rate:>6}  {name:<12} {:>7.2} {:>7.2} {:>9.2} {:>9.2} {:>6.0} {:>7.0} {:>5.1} {:>7.0}",
                of(costs, |it| it.p50_us) / 1e3,
                of(costs, |it| it.p99_us) / 1e3,
                of(costs, |it| it.over_p50_us) / 1e3,
                of(costs, |it| it.over_p99_us) / 1e3,
                of(costs, |it| it.cpu_us),
                of(costs, |it| it.waited_us),
                rss as f64 / 1e6,
                costs.iter().map(|it| it.failed).sum::<f64>(),
            );
        }
        let [ours, bare, threads] = &costs;
        println!(
            "  {rate:>6}  CPU {:.2} of the bare fan-out's on threads like ours",
            of(ours, |it| it.cpu_us) / of(threads, |it| it.cpu_us)
        );
        kept &= judge(*rate, ours, bare);
    }
    Ok(kept)
}

fn of(costs: &[Cost], what: fn(&Cost) -> f64) -> f64 {
    median(&costs.iter().map(what).collect::<Vec<f64>>())
}

/// Prints the comparison of the peers at this rate, and whether it is reliable.
fn judge(rate: u32, mine: &[Cost], theirs: &[Cost]) -> bool {
    let ratio = of(mine, |it| it.cpu_us) / of(theirs, |it| it.cpu_us);
    let above = |what: fn(&Cost) -> f64| (of(mine, what) - of(theirs, what)) / 1e3;
    println!(
        "  {rate:>6}  CPU {ratio:.2} of the bare fan-out's, latency {:+.2} ms at p50, {:+.2} ms at p99",
        above(|it| it.p50_us),
        above(|it| it.p99_us),
    );
    let all = || mine.iter().chain(theirs);
    let late_us = all().map(|it| it.late_p99_us).fold(0.0, f64::max);
    let skipped: f64 = all().map(|it| it.skipped).sum();
    if skipped > 0.0 || late_us > MAX_LATE_US {
        println!(
            "  {rate:>6}  the generator did not keep its schedule: one in a hundred requests \
             {:.1} ms late or more, {skipped} never sent; the latencies say little",
            late_us / 1e3
        );
    }
    if rate != HALF {
        return true;
    }
    let overhead = of(mine, |it| it.over_p99_us);
    verdict("overhead p99 < 0.5 ms", overhead < MAX_OVERHEAD_US)
        & verdict("CPU <= 1.3 of the bare fan-out's", ratio <= MAX_CPU_RATIO)
}

fn cached(arguments: &Arguments, peers: &Path, urls: &[&str]) -> Result<bool> {
    let ours = Peer::start(peers, &[&["orchestrator", "cached"], urls].concat(), 1)?;
    let echo = Peer::start(peers, &["echo"], 1)?;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        eprintln!("cached, round {round} of {}", arguments.rounds);
        for (peer, rates) in [(&ours, &mut mine), (&echo, &mut theirs)] {
            peer.wrk(1)?;
            rates.push(peer.wrk(arguments.seconds)?);
        }
    }
    let (rates, cpus): (Vec<f64>, Vec<f64>) = mine.into_iter().unzip();
    let (echo_rates, echo_cpus): (Vec<f64>, Vec<f64>) = theirs.into_iter().unzip();
    let ratio = median(&rates) / median(&echo_rates);
    println!(
        "from the cache {:.0} requests/s, {:.0} us CPU each; a bare echo {:.0}, {:.0} us: {ratio:.2} of it",
        median(&rates),
        median(&cpus),
        median(&echo_rates),
        median(&echo_cpus),
    );
    Ok(verdict(
        "cached >= 0.7 of the echo",
        ratio >= MIN_CACHED_RATIO,
    ))
}

/// The load average of the last minute, with the number of cores.
fn load_average() -> Result<String> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let minute = text.split_whitespace().next().unwrap_or("?");
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{minute} on {cores} cores"))
}

fn verdict(what: &str, kept: bool) -> bool {
    println!("  {what}: {}", if kept { "kept" } else { "NOT KEPT" });
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_by_rate_or_cached() {
        assert_eq!("rate=1000".parse(), Ok(Part::Rate(1_000)));
        assert_eq!("cached".parse(), Ok(Part::Cached));
        for wrong in ["rate=", "rate=0", "rate=x", "echo", ""] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
