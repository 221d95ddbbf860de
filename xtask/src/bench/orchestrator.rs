//! The orchestrator against a plain fan-out over the same HTTP client, on the usual runtime and on threads like the
//! orchestrator's, and its cache against a plain echo.

mod peer;

use std::path::Path;
use std::str::FromStr;

use clap::Args;

use super::peers::Peers;
use super::process::{median, resident};
use super::section::{Section, output, profile};
use peer::{Cost, Peer};

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
    #[command(flatten)]
    peers: Peers,
    /// Write the results into docs/BENCHMARKS.md
    #[arg(long, conflicts_with = "only")]
    write: bool,
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

pub fn run(arguments: &Arguments, root: &Path) -> bool {
    match measure(arguments, root) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("bench orchestrator: {error}");
            false
        }
    }
}

/// Returns whether every aim was met.
fn measure(arguments: &Arguments, root: &Path) -> Result<bool> {
    let peers = arguments.peers.find("orchestrator", "orchestrator_peers")?;
    let parts = match &arguments.only[..] {
        [] => &ALL[..],
        some => some,
    };
    let mut section = Section::new("orchestrator");
    section.how(profile(&peers));
    section.how(output("wrk", &["-v"]).split(" [").next().unwrap_or("wrk"));
    section.how(format!(
        "median of {} rounds of {} s",
        arguments.rounds, arguments.seconds
    ));
    let detectors = Peer::start(&peers, &["detectors"], 5)?;
    let urls: Vec<&str> = detectors.lines.iter().map(String::as_str).collect();
    let rates: Vec<u32> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Rate(rate) => Some(*rate),
            Part::Cached => None,
        })
        .collect();
    if !rates.is_empty() {
        let loads = Loads {
            urls: &urls,
            rates: &rates,
        };
        fan_outs(&mut section, arguments, &peers, &loads)?;
    }
    if parts.contains(&Part::Cached) {
        cached(&mut section, arguments, &peers, &urls)?;
    }
    Ok(section.end(arguments.write, root)?)
}

/// The peers of the fan-out, with the judged one first.
const PEERS: [(&str, &[&str]); 3] = [
    ("orchestrator", &["orchestrator", "uncached"]),
    ("fan-out", &["fan-out"]),
    ("on threads", &["fan-out-threads"]),
];

/// The loads of a measurement: the detectors' addresses, and the rates per second.
struct Loads<'a> {
    urls: &'a [&'a str],
    rates: &'a [u32],
}

fn fan_outs(
    section: &mut Section,
    arguments: &Arguments,
    peers: &Path,
    loads: &Loads<'_>,
) -> Result<()> {
    let start = |(_, mode): &(&str, &[&str])| Peer::start(peers, &[*mode, loads.urls].concat(), 1);
    let mut running: Vec<Peer> = PEERS.iter().map(start).collect::<Result<_>>()?;
    // A warm-up, which opens connections and touches code and memory.
    for peer in &mut running {
        peer.load(peers, HALF / 5, 1)?;
    }
    section.table(&[
        "requests/s",
        "peer",
        "p50, ms",
        "p99, ms",
        "overhead p50, ms",
        "overhead p99, ms",
        "CPU µs per request",
        "waited for a core, µs",
        "memory, MB",
        "failed",
        "CPU of the peer / of the orchestrator",
    ]);
    for rate in loads.rates {
        let mut costs: [Vec<Cost>; PEERS.len()] = Default::default();
        for round in 1..=arguments.rounds {
            eprintln!("{rate}/s, round {round} of {}", arguments.rounds);
            for (peer, costs) in running.iter_mut().zip(&mut costs) {
                costs.push(peer.load(peers, *rate, arguments.seconds)?);
            }
        }
        let ours_us = of(&costs[0], |it| it.cpu_us);
        for ((name, _), (peer, costs)) in PEERS.iter().zip(running.iter().zip(&costs)) {
            let (rss, _) = resident(peer.id())?;
            let cpu_us = of(costs, |it| it.cpu_us);
            section.line(format!(
                "| {rate} | {name} | {:.2} | {:.2} | {:.2} | {:.2} | {cpu_us:.0} | {:.0} | {:.1} | {:.0} | {:.2} |",
                of(costs, |it| it.p50_us) / 1e3,
                of(costs, |it| it.p99_us) / 1e3,
                of(costs, |it| it.over_p50_us) / 1e3,
                of(costs, |it| it.over_p99_us) / 1e3,
                of(costs, |it| it.waited_us),
                rss as f64 / 1e6,
                costs.iter().map(|it| it.failed).sum::<f64>(),
                cpu_us / ours_us,
            ));
        }
        let [ours, bare, _] = &costs;
        judge(section, *rate, ours, bare);
    }
    Ok(())
}

fn of(costs: &[Cost], what: fn(&Cost) -> f64) -> f64 {
    median(&costs.iter().map(what).collect::<Vec<f64>>())
}

/// Judges the orchestrator at the rate with aims, and reports unreliable measurements.
fn judge(section: &mut Section, rate: u32, mine: &[Cost], theirs: &[Cost]) {
    let all = || mine.iter().chain(theirs);
    let late_us = all().map(|it| it.late_p99_us).fold(0.0, f64::max);
    let skipped: f64 = all().map(|it| it.skipped).sum();
    let is_punctual = skipped == 0.0 && late_us <= MAX_LATE_US;
    if rate == HALF || !is_punctual {
        section.aim(
            &format!("{rate}/s: the generator keeps its schedule"),
            &format!("{:.1} ms, {skipped} never sent", late_us / 1e3),
            &format!("p99 of lateness at most {:.0} ms", MAX_LATE_US / 1e3),
            is_punctual,
        );
    }
    if rate != HALF {
        return;
    }
    let overhead_us = of(mine, |it| it.over_p99_us);
    section.aim(
        &format!("{rate}/s: overhead p99"),
        &format!("{:.2} ms", overhead_us / 1e3),
        &format!("below {:.1} ms", MAX_OVERHEAD_US / 1e3),
        overhead_us < MAX_OVERHEAD_US,
    );
    let ratio = of(mine, |it| it.cpu_us) / of(theirs, |it| it.cpu_us);
    section.aim(
        &format!("{rate}/s: CPU of a request"),
        &format!("{ratio:.2}"),
        &format!("at most {MAX_CPU_RATIO} of the bare fan-out's"),
        ratio <= MAX_CPU_RATIO,
    );
}

fn cached(section: &mut Section, arguments: &Arguments, peers: &Path, urls: &[&str]) -> Result<()> {
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
    section.table(&[
        "answers without detectors",
        "requests/s",
        "CPU µs per request",
    ]);
    for (name, rates, cpus) in [
        ("orchestrator, from its cache", &rates, &cpus),
        ("bare echo", &echo_rates, &echo_cpus),
    ] {
        section.line(format!(
            "| {name} | {:.0} | {:.0} |",
            median(rates),
            median(cpus)
        ));
    }
    section.aim(
        "requests/s from the cache",
        &format!("{ratio:.2}"),
        &format!("at least {MIN_CACHED_RATIO} of a bare echo's"),
        ratio >= MIN_CACHED_RATIO,
    );
    Ok(())
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
