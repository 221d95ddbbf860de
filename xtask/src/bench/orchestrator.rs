//! The orchestrator beside a bare fan-out over the same HTTP client, and its cache beside a bare
//! echo.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use clap::Args;
use serde_json::Value;

use super::process::{median, resident};

/// What a request costs beside its detectors: five of a constant 20 ms. Needs `wrk`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Length of each measurement, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Measurements of each peer, one after the other in turn; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const RATES: [u32; 3] = [200, 1_000, 2_000];
/// Half of the highest rate: the promise about overhead is made for it.
const HALF: u32 = 1_000;
const MAX_OVERHEAD_US: f64 = 500.0;
const MAX_CPU_RATIO: f64 = 1.3;
const MIN_CACHED_RATIO: f64 = 0.7;

pub fn run(arguments: &Arguments) -> bool {
    match measure(arguments) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("bench orchestrator: {error}");
            false
        }
    }
}

/// True: every promise was kept.
fn measure(arguments: &Arguments) -> Result<bool> {
    let peers = build()?;
    let detectors = Peer::start(&peers, &["detectors"], 5)?;
    let urls: Vec<&str> = detectors.lines.iter().map(String::as_str).collect();
    let ours = Peer::start(
        &peers,
        &[&["orchestrator", "uncached"], &urls[..]].concat(),
        1,
    )?;
    let bare = Peer::start(&peers, &[&["fan-out"], &urls[..]].concat(), 1)?;
    println!("5 detectors of 20 ms each; latencies in ms, CPU in us per request");
    println!("  rate/s  peer          p50     p99  overhead p50   p99    CPU   RSS MB");
    let mut kept = true;
    for rate in RATES {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..arguments.rounds {
            mine.push(ours.load(&peers, rate, arguments.seconds)?);
            theirs.push(bare.load(&peers, rate, arguments.seconds)?);
        }
        let of = |all: &[Cost], what: fn(&Cost) -> f64| {
            median(&all.iter().map(what).collect::<Vec<f64>>())
        };
        for (name, peer, costs) in [("orchestrator", &ours, &mine), ("fan-out", &bare, &theirs)] {
            let (rss, _) = resident(peer.child.id())?;
            let over = |what: fn(&Cost) -> f64| match name {
                "fan-out" => "-".to_owned(),
                _ => format!("{:.2}", of(costs, what) / 1e3),
            };
            println!(
                "  {rate:>6}  {name:<12} {:>6.2}  {:>6.2}  {:>12} {:>6} {:>6.0} {:>7.1}",
                of(costs, |it| it.p50_us) / 1e3,
                of(costs, |it| it.p99_us) / 1e3,
                over(|it| it.over_p50_us),
                over(|it| it.over_p99_us),
                of(costs, |it| it.cpu_us),
                rss as f64 / 1e6
            );
        }
        let ratio = of(&mine, |it| it.cpu_us) / of(&theirs, |it| it.cpu_us);
        println!("  {rate:>6}  CPU {ratio:.2} of the bare fan-out's");
        if rate == HALF {
            let overhead = of(&mine, |it| it.over_p99_us);
            kept &= verdict("overhead p99", overhead < MAX_OVERHEAD_US);
            kept &= verdict("CPU", ratio <= MAX_CPU_RATIO);
        }
    }
    drop((ours, bare));
    Ok(kept & cached(arguments, &peers, &urls)?)
}

/// One measurement of one peer.
struct Cost {
    p50_us: f64,
    p99_us: f64,
    over_p50_us: f64,
    over_p99_us: f64,
    cpu_us: f64,
}

fn cached(arguments: &Arguments, peers: &Path, urls: &[&str]) -> Result<bool> {
    let script = std::env::temp_dir().join(format!("bench-cached-{}.lua", std::process::id()));
    std::fs::write(
        &script,
        "wrk.method = 'POST'\nwrk.path = '/orchestrate'\n\
         wrk.body = '{\"content\":\"hello\",\"content_type\":\"text\",\"tenant_id\":\"t\"}'\n\
         wrk.headers['Content-Type'] = 'application/json'\n",
    )?;
    let ours = Peer::start(peers, &[&["orchestrator", "cached"], urls].concat(), 1)?;
    let echo = Peer::start(peers, &["echo"], 1)?;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        for (peer, rates) in [(&ours, &mut mine), (&echo, &mut theirs)] {
            peer.wrk(&script, 1)?;
            rates.push(peer.wrk(&script, arguments.seconds)?);
        }
    }
    drop(std::fs::remove_file(&script));
    let (mine, theirs) = (median(&mine), median(&theirs));
    let ratio = mine / theirs;
    println!("from the cache {mine:.0} requests/s, a bare echo {theirs:.0}: {ratio:.2} of it");
    Ok(verdict("cached", ratio >= MIN_CACHED_RATIO))
}

fn build() -> Result<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "build",
        "--release",
        "-q",
        "-p",
        "orchestrator",
        "--example",
        "peers",
    ]);
    if !command.status()?.success() {
        return Err("the peers cannot be built".into());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(target.join("release/examples/peers"))
}

/// A server under measurement; ends when dropped.
struct Peer {
    child: Child,
    /// Held open, so that what it prints later goes somewhere.
    _output: BufReader<ChildStdout>,
    /// What it said about where it serves.
    lines: Vec<String>,
}

impl Peer {
    fn start(peers: &Path, arguments: &[&str], lines: usize) -> Result<Self> {
        let mut command = Command::new(peers);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut said = Vec::new();
        for _ in 0..lines {
            let mut line = String::new();
            output.read_line(&mut line)?;
            said.push(line.trim().to_owned());
        }
        Ok(Self {
            child,
            _output: output,
            lines: said,
        })
    }

    fn load(&self, peers: &Path, rate: u32, seconds: u32) -> Result<Cost> {
        let before = cpu_us(self.child.id())?;
        let output = Command::new(peers)
            .args([
                "load",
                &self.lines[0],
                &rate.to_string(),
                &seconds.to_string(),
            ])
            .output()?;
        let used = cpu_us(self.child.id())? - before;
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        if report["failed"] != 0 {
            return Err(format!("not all answers were right: {report}").into());
        }
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        Ok(Cost {
            p50_us: number(&report["latency_us"]["p50"]),
            p99_us: number(&report["latency_us"]["p99"]),
            over_p50_us: number(&report["overhead_us"]["p50"]),
            over_p99_us: number(&report["overhead_us"]["p99"]),
            cpu_us: used / number(&report["requests"]),
        })
    }

    fn wrk(&self, script: &Path, seconds: u32) -> Result<f64> {
        let output = Command::new("wrk")
            .args(["-t1", "-c32", &format!("-d{seconds}s"), "-s"])
            .arg(script)
            .arg(format!("http://{}/orchestrate", self.lines[0]))
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

/// Time of its own on all cores that a running process has used.
fn cpu_us(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("no such process")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|it| it.parse::<f64>().ok()).sum();
    // Linux counts in hundredths of a second on every platform that this runs on.
    Ok(ticks * 1e4)
}

fn verdict(what: &str, kept: bool) -> bool {
    println!("  {what}: {}", if kept { "kept" } else { "NOT KEPT" });
    kept
}
