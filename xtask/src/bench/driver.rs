//! The load driver against real k6, wrk and oha: the same work against the same server, taking turns.
//!
//! The main figure is CPU time per iteration, which belongs to the tool and does not depend on other load. The server is
//! a separate process, so that its time does not count for any tool.

mod aims;
mod bare;
pub mod server;
mod target;
mod works;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use clap::Args;

use super::process::{self, Usage, median};
use super::section::{Section, output, profile};
use target::Target;
use works::{Pace, WORKS, Work};

/// Options of the benchmark.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The binary to be measured; build it with `cargo build --profile dist` first
    #[arg(long, default_value = "target/dist/sparring")]
    sparring: PathBuf,
    /// Real k6
    #[arg(long, default_value = "k6")]
    k6: PathBuf,
    /// wrk, as in Debian's package; omitted if it is not installed
    #[arg(long, default_value = "wrk")]
    wrk: PathBuf,
    /// oha, as built by `cargo install oha`; omitted if it is not installed
    #[arg(long, default_value = "oha")]
    oha: PathBuf,
    /// Number of runs of each script with each tool
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Length of each run, in seconds
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Only these workloads, by name or its first letters; `bare` compares with wrk and oha
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Write the results into docs/BENCHMARKS.md
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

/// The figures of one run.
struct Figures {
    per_s: f64,
    cpu_us: f64,
    rss_mb: f64,
    /// From the start of the process to the first request.
    ready_s: f64,
    dropped: f64,
    /// The 99th percentile of request times by the tool, in milliseconds.
    p99_ms: f64,
    /// The same figure by the server.
    server_p99_ms: f64,
    /// The lateness of requests, 99th percentile and maximum, in milliseconds.
    late_ms: (f64, f64),
}

/// Runs the benchmark and prints tables. Returns whether every run was completed; aims that are missed are shown.
pub fn run(arguments: &Arguments, root: &Path) -> bool {
    match compare(arguments, root) {
        Ok(()) => true,
        Err(error) => {
            println!("the benchmark failed: {error}");
            false
        }
    }
}

fn compare(arguments: &Arguments, root: &Path) -> io::Result<()> {
    let folder = std::env::temp_dir().join(format!("sparring-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut section = Section::new("driver");
    let k6 = output(&arguments.k6.to_string_lossy(), &["version"]);
    section.how(profile(&arguments.sparring));
    section.how(k6.split(" (").next().unwrap_or_default());
    section.how(format!(
        "median of {} rounds of {} s",
        arguments.rounds, arguments.seconds
    ));
    if arguments.only.is_empty() || arguments.only.iter().any(|one| one == "bare") {
        bare::compare(&mut section, arguments, &folder)?;
    }
    let is_wanted = |work: &&Work| {
        let letter = &work.letter;
        arguments.only.is_empty()
            || arguments
                .only
                .iter()
                .any(|one| one == letter || one.len() == 1 && letter.starts_with(one.as_str()))
    };
    let is_rate = |work: &Work| matches!(work.pace, Pace::Rate(_));
    let (rates, plain): (Vec<&Work>, Vec<&Work>) = WORKS
        .iter()
        .filter(is_wanted)
        .partition(|work| is_rate(work));
    if !plain.is_empty() {
        section.table(&[
            "work (sparring / k6)",
            "iterations/s",
            "CPU µs per iteration",
            "ratio",
            "peak memory, MB",
            "ratio",
            "ready, s",
        ]);
    }
    for work in plain {
        let (ours, theirs) = both(arguments, work, &folder)?;
        section.line(row(work, &ours, &theirs));
        aims::judge(&mut section, work, &ours, &theirs);
    }
    if !rates.is_empty() {
        section.table(&[
            "rate (sparring / k6)",
            "achieved/s",
            "dropped",
            "p99, ms",
            "the server's own p99, ms",
            "late p99, ms",
            "latest, ms",
            "CPU ratio",
        ]);
    }
    for work in rates {
        let (ours, theirs) = both(arguments, work, &folder)?;
        section.line(rate_row(work, &ours, &theirs));
        aims::judge(&mut section, work, &ours, &theirs);
    }
    std::fs::remove_dir_all(&folder)?;
    section.end(arguments.write, root).map(|_| ())
}

fn row(work: &Work, ours: &Figures, theirs: &Figures) -> String {
    format!(
        "| {}: {} | {:.0} / {:.0} | {:.1} / {:.1} | 1/{:.2} | {:.0} / {:.0} | 1/{:.2} | {} |",
        work.letter,
        work.what,
        ours.per_s,
        theirs.per_s,
        ours.cpu_us,
        theirs.cpu_us,
        theirs.cpu_us / ours.cpu_us,
        ours.rss_mb,
        theirs.rss_mb,
        theirs.rss_mb / ours.rss_mb,
        ready(ours, theirs),
    )
}

/// Empty if no request reaches the server, since readiness is the time of the first one.
fn ready(ours: &Figures, theirs: &Figures) -> String {
    match ours.ready_s.is_nan() {
        true => String::new(),
        false => format!("{:.2} / {:.2}", ours.ready_s, theirs.ready_s),
    }
}

fn rate_row(work: &Work, ours: &Figures, theirs: &Figures) -> String {
    format!(
        "| {}: {} | {:.0} / {:.0} | {:.0} / {:.0} | {:.2} / {:.2} | {:.2} / {:.2} | {:.2} / {:.2} | {:.1} / {:.1} | 1/{:.2} |",
        work.letter,
        work.what,
        ours.per_s,
        theirs.per_s,
        ours.dropped,
        theirs.dropped,
        ours.p99_ms,
        theirs.p99_ms,
        ours.server_p99_ms,
        theirs.server_p99_ms,
        ours.late_ms.0,
        theirs.late_ms.0,
        ours.late_ms.1,
        theirs.late_ms.1,
        theirs.cpu_us / ours.cpu_us,
    )
}

/// The medians of the figures of all rounds, for both tools.
fn both(arguments: &Arguments, work: &Work, folder: &Path) -> io::Result<(Figures, Figures)> {
    let script = folder.join(format!("{}.js", work.letter));
    std::fs::write(&script, work.script(arguments.seconds))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        ours.push(measure(&arguments.sparring, &script, work)?);
        theirs.push(measure(&arguments.k6, &script, work)?);
    }
    Ok((middle(&ours), middle(&theirs)))
}

fn measure(tool: &Path, script: &Path, work: &Work) -> io::Result<Figures> {
    let rate = match work.pace {
        Pace::Rate(rate) => Some(rate),
        Pace::Vus(_) => None,
    };
    let target = Target::start(rate)?;
    let export = script.with_extension("json");
    let mut command = Command::new(tool);
    command
        .args(["run", "--quiet", "--summary-trend-stats", "p(99)"])
        .arg("--summary-export")
        .arg(&export)
        .arg(script);
    command
        .env("TARGET", &target.url)
        .env("K6_NO_USAGE_REPORT", "true");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let begun = SystemTime::now();
    let usage: Usage = process::measure(&mut command)?;
    let view = target.end()?;
    if !usage.status.success() {
        return Err(io::Error::other(format!(
            "{} ended with {}",
            tool.display(),
            usage.status
        )));
    }
    let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(&export)?)?;
    let of = |metric: &str, key: &str| summary["metrics"][metric][key].as_f64();
    let iterations = of("iterations", "count").unwrap_or(f64::NAN);
    let begun_unix_s = begun
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(io::Error::other)?
        .as_secs_f64();
    Ok(Figures {
        per_s: of("iterations", "rate").unwrap_or(f64::NAN),
        cpu_us: usage.cpu.as_secs_f64() * 1e6 / iterations,
        rss_mb: usage.peak_rss_bytes as f64 / 1e6,
        ready_s: view
            .first_unix_s
            .map_or(f64::NAN, |first| first - begun_unix_s),
        dropped: of("dropped_iterations", "count").unwrap_or(0.0),
        p99_ms: of("http_req_duration", "p(99)").unwrap_or(f64::NAN),
        server_p99_ms: view.p99_ms.unwrap_or(f64::NAN),
        late_ms: view.late_ms.unwrap_or_default(),
    })
}

fn middle(runs: &[Figures]) -> Figures {
    let of = |pick: fn(&Figures) -> f64| median(&runs.iter().map(pick).collect::<Vec<_>>());
    Figures {
        per_s: of(|run| run.per_s),
        cpu_us: of(|run| run.cpu_us),
        rss_mb: of(|run| run.rss_mb),
        ready_s: of(|run| run.ready_s),
        dropped: of(|run| run.dropped),
        p99_ms: of(|run| run.p99_ms),
        server_p99_ms: of(|run| run.server_p99_ms),
        late_ms: (of(|run| run.late_ms.0), of(|run| run.late_ms.1)),
    }
}
