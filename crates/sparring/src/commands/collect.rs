//! `sparring collect`: one run on several machines, merged and judged.

use std::fs;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use collector::{Collected, Ends, RunnerResult, Settings, Stop, Verdict};
use interval_log::IntervalLog;
use service_runtime::{Shutdown, bind};
use suite::file::Span;

use super::CommandResult;
use crate::columns::columns;
use crate::environment;
use crate::process::surroundings;
use crate::signals;
use crate::terminal::{complain, say};

/// Collect the measurements of several runners, and judge them as one run
///
/// Each runner is a `sparring run SCRIPT --collector URL` with an execution segment of its own, as the stock
/// k6-operator starts them. Runners push histograms each second; thresholds are judged on the merged metrics. One
/// runner runs setup and teardown; all start at the same time. A runner whose measurements differ from the others'
/// is named. A lost runner ends the run and makes it invalid; with --degraded the run continues without it, and
/// the result states that. If SPARRING_TOKEN is set, runners need the same.
///
/// Exit codes: 0 all thresholds hold, 99 one is crossed, 5 the run is invalid, 1 there was nothing to collect.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Number of runners
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    runners: u16,
    /// Address of the collector; every client that reaches it can take part
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6570")]
    listen: SocketAddr,
    /// Time to wait for all runners
    #[arg(long, value_name = "TIME", default_value = "5m")]
    wait: Span,
    /// Time after which a silent runner is lost
    #[arg(long, value_name = "TIME", default_value = "10s")]
    lost_after: Span,
    /// Continue without a lost runner
    #[arg(long)]
    degraded: bool,
    /// Write collected.json, merged.hlog and a log of each runner into this folder
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Call handleSummary of this script once, with the merged metrics
    #[arg(long, value_name = "SCRIPT")]
    handle_summary: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  sparring collect --runners 3 --listen 0.0.0.0:6570 --output results/collected
  sparring run load.js --execution-segment 0:1/3 --execution-segment-sequence 0,1/3,2/3,1 --collector http://10.0.0.1:6570
  sparring collect --runners 2 --degraded --json";

pub fn execute(arguments: &Arguments) -> CommandResult {
    if let Some(folder) = &arguments.output {
        fs::create_dir_all(folder)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let settings = Settings {
        runners: usize::from(arguments.runners),
        lost_after: arguments.lost_after.get().max(Duration::from_millis(1)),
        wait: arguments.wait.get(),
        degraded: arguments.degraded,
        token: environment::nonempty_text(collector::TOKEN_VARIABLE),
    };
    let collected = runtime.block_on(async {
        let listener = bind(arguments.listen, "the collector").await?;
        let shutdown = Shutdown::new();
        signals::on_interrupt(shutdown.clone());
        let ends = Ends::default();
        stop_with(shutdown, ends.asked.clone());
        complain!(
            "collecting {} runners on http://{}",
            arguments.runners,
            listener.local_addr()?
        );
        let collected = collector::serve(listener, settings, ends, |line| complain!("{line}"));
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(collected.await?)
    })?;
    if let Some(folder) = &arguments.output {
        write(folder, &collected)?;
    }
    if arguments.json {
        say!("{:#}", collected.to_json());
    } else {
        print(&collected);
    }
    let script = arguments.handle_summary.as_ref();
    let script = script.map(|script| load_driver::Args {
        script: script.display().to_string(),
        ..load_driver::Args::default()
    });
    Ok(end(&collected, script.as_ref()))
}

/// The exit code, after the script's `handleSummary`.
pub fn end(collected: &Collected, script: Option<&load_driver::Args>) -> ExitCode {
    let handle = |args| load_driver::handle_merged(args, &surroundings(), &collected.summary).err();
    let unable = script.and_then(handle);
    match (collected.verdict, unable) {
        (Verdict::Passed, Some(exit)) => ExitCode::from(exit.code()),
        (verdict, _) => ExitCode::from(verdict.exit_code()),
    }
}

/// Ends a run with an interruption. The task lives as long as the runtime.
pub fn stop_with(shutdown: Shutdown, stop: Stop) {
    tokio::spawn(async move {
        shutdown.cancelled().await;
        stop.say("the collector was interrupted".to_owned());
    });
}

/// Writes the result, the merged log and a log of each runner.
pub fn write(folder: &Path, collected: &Collected) -> std::io::Result<()> {
    fs::write(
        folder.join("collected.json"),
        format!("{:#}\n", collected.to_json()),
    )?;
    log(&folder.join("merged.hlog"), &collected.log)?;
    for runner in &collected.runners {
        let letters = runner.name.chars().map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() || letter == '.' => letter,
            _ => '-',
        });
        let name: String = letters.take(80).collect();
        log(&folder.join(format!("runner-{name}.hlog")), &runner.log)?;
    }
    Ok(())
}

fn log(path: &Path, log: &IntervalLog) -> std::io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    interval_log::write(log, "merged", &mut file)?;
    file.flush()
}

/// Prints verdict, thresholds, checks and runners.
pub fn print(collected: &Collected) {
    say!(
        "verdict: {}  {}",
        collected.verdict.word(),
        collected.script
    );
    for reason in &collected.reasons {
        say!("  {reason}");
    }
    for result in &collected.thresholds {
        let mark = if result.passed { "held   " } else { "crossed" };
        let observed = result
            .observed
            .map_or("no data".to_owned(), |value| format!("{value:.3}"));
        say!(
            "  {mark}  {}: {}  ({observed})",
            result.metric,
            result.expression
        );
    }
    for check in &collected.checks {
        say!(
            "  check  {}: {} passed, {} failed",
            check.name,
            check.passes,
            check.fails
        );
    }
    let mut table = vec![HEADING.map(str::to_owned)];
    table.extend(collected.runners.iter().map(cells));
    say!("{}", columns(&table).trim_end());
    let percentiles = collected.percentiles_ms().into_iter();
    let percentiles: Vec<String> = percentiles
        .map(|(name, value)| format!("{name} {value:.3}"))
        .collect();
    say!("latency of all runners, ms: {}", percentiles.join("  "));
}

const HEADING: [&str; 8] = [
    "runner", "share", "requests", "failed", "p50 ms", "p95 ms", "skew ms", "state",
];

fn cells(runner: &RunnerResult) -> [String; 8] {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    let odd = if runner.odd.is_empty() { "" } else { ", odd" };
    [
        runner.name.clone(),
        format!("{:.1} %", 100.0 * runner.share),
        runner.requests.to_string(),
        runner.failures.to_string(),
        number(runner.p50_ms),
        number(runner.p95_ms),
        number(runner.skew_ms),
        format!("{}{odd}", runner.state),
    ]
}
