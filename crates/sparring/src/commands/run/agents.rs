//! `sparring run --agents`: one run on several machines, started from this one.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use collector::{Collected, Ends, Order, RemoteAgent, RunState, Settings};
use service_runtime::{Shutdown, bind};
use suite::file::Span;

use crate::commands::{CommandResult, agent, collect};
use crate::process::surroundings;
use crate::signals;
use crate::terminal::{Usage, complain};

/// The agents of a run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Agents")]
pub struct Agents {
    /// Share the load among these machines, each with a `sparring agent` [default port: 6571]
    ///
    /// They need the same SPARRING_TOKEN. Each receives an archive of the script and its part of the load; this
    /// process collects the measurements and judges them as one run, with the exit codes of `sparring collect`.
    /// Variables for the script are passed with -e only.
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub agents: Vec<String>,
    /// With --agents: time after which a silent agent is lost
    #[arg(long, value_name = "TIME", default_value = "10s", requires = "agents")]
    lost_after: Span,
    /// With --agents: continue without a lost agent, and report it; otherwise the run ends and is invalid
    #[arg(long, requires = "agents")]
    degraded: bool,
    /// With --agents: write collected.json, merged.hlog and a log of each runner into this folder
    #[arg(long, value_name = "FOLDER", requires = "agents")]
    collected: Option<PathBuf>,
}

const PORT: u16 = 6571;
/// How long the collector waits until all runners have loaded the script.
const WAIT: Duration = Duration::from_secs(300);
/// The interval between polls of an agent.
const ASK: Duration = Duration::from_millis(500);
/// The time limit for runners to end once all measurements are collected.
const LAST_WORDS: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error + Send + Sync>;

/// Archives the script, starts its parts on the agents, collects the measurements and judges them.
pub fn execute(run: &load_driver::Args, agents: &Agents) -> CommandResult {
    let token = agent::token()?;
    let flags = flags(run)?;
    let remote = remote(&agents.agents, &token)?;
    let archive = match load_driver::archived(run, &surroundings()) {
        Ok(archive) => BASE64_STANDARD.encode(archive),
        Err(exit) => return Ok(ExitCode::from(exit.code())),
    };
    if let Some(folder) = &agents.collected {
        std::fs::create_dir_all(folder)?;
    }
    let ways = ways(&remote)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let listener = runtime.block_on(bind(listen(&ways), "the collector"))?;
    let port = listener.local_addr()?.port();
    let settings = Settings {
        runners: remote.len(),
        lost_after: agents.lost_after.get().max(Duration::from_millis(1)),
        wait: WAIT,
        degraded: agents.degraded,
        token: Some(token),
    };
    let ends = Ends::default();
    {
        let _entered = runtime.enter();
        let shutdown = Shutdown::new();
        signals::on_interrupt(shutdown.clone());
        collect::stop_with(shutdown, ends.asked.clone());
    }
    let collecting = collector::serve(listener, settings, ends.clone(), |line| complain!("{line}"));
    let collecting = runtime.spawn(collecting);
    let name = name()?;
    let shared = SharedOrder {
        name: &name,
        flags: &flags,
        archive: &archive,
        port,
    };
    let orders = orders(&remote, &ways, &shared);
    let over = AtomicBool::new(false);
    let collected = std::thread::scope(|scope| {
        for (remote, order) in remote.iter().zip(&orders) {
            let (ends, over) = (&ends, &over);
            scope.spawn(move || accompany(remote, order, ends, over));
        }
        let collected = runtime.block_on(collecting);
        over.store(true, Ordering::Relaxed);
        collected
    });
    let collected: Collected = collected??;
    if let Some(folder) = &agents.collected {
        collect::write(folder, &collected)?;
    }
    collect::print(&collected);
    Ok(collect::end(&collected, Some(run)))
}

/// The settings of runners in addition to the options, which are in the archive.
fn flags(run: &load_driver::Args) -> Result<Vec<String>, Failure> {
    let (load, report, process) = (&run.load, &run.report, &run.process);
    let alone = [
        ("--execution-segment", load.execution_segment.is_some()),
        (
            "--execution-segment-sequence",
            load.execution_segment_sequence.is_some(),
        ),
        ("--paused", load.paused.is_some()),
        ("--collector", run.together.collector.is_some()),
        ("--address", process.address.is_some()),
        ("--linger", process.linger == Some(true)),
        ("--console-output", process.console_output.is_some()),
        ("--summary-export", report.summary_export.is_some()),
        (
            "--secret-source",
            !run.script_flags.secret_source.is_empty(),
        ),
    ];
    if let Some((flag, _)) = alone.iter().find(|(_, given)| *given) {
        return Err(Usage(format!(
            "{flag} applies to a single runner and cannot be used with --agents"
        ))
        .into());
    }
    let mut flags = Vec::new();
    for output in &report.outputs {
        if !load_outputs::is_service(output) {
            let why = format!(
                "--out {output} would write to the disk of each agent; with --agents use prometheus or opentelemetry, \
                 or --collected FOLDER"
            );
            return Err(Usage(why).into());
        }
        flags.extend(["--out".to_owned(), output.clone()]);
    }
    let switches = [
        ("--no-thresholds", report.no_thresholds),
        ("--intended-duration", report.intended_duration),
        ("--share-builtins", process.share_builtins),
        ("--verbose", process.verbose.then_some(true)),
    ];
    let given = switches
        .iter()
        .filter_map(|(flag, value)| Some(format!("{flag}={}", (*value)?)));
    flags.extend(given);
    let numbers = [
        ("--threads", process.threads),
        ("--vu-memory-mb", process.vu_memory_mb.map(Into::into)),
    ];
    let given = numbers
        .iter()
        .filter_map(|(flag, value)| Some(format!("{flag}={}", (*value)?)));
    flags.extend(given);
    Ok(flags)
}

/// The agents, if each of them answers, has this version and is idle.
fn remote(names: &[String], token: &str) -> Result<Vec<RemoteAgent>, Failure> {
    let (mut remote, mut seen) = (Vec::new(), BTreeSet::new());
    for name in names {
        let has_port = name.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        let name = if has_port {
            name.clone()
        } else {
            format!("{name}:{PORT}")
        };
        if !seen.insert(name.clone()) {
            return Err(Usage(format!("--agents: {name} is listed twice")).into());
        }
        let agent = RemoteAgent::new(&name, token);
        let hello = agent.hello()?;
        let version = env!("CARGO_PKG_VERSION");
        if hello.version != version {
            return Err(format!(
                "the agent {name} has version {} of sparring; this is {version}",
                hello.version
            )
            .into());
        }
        if hello.is_busy {
            return Err(format!("the agent {name} is busy with another run").into());
        }
        remote.push(agent);
    }
    Ok(remote)
}

/// The address at which each agent reaches this machine.
fn ways(remote: &[RemoteAgent]) -> Result<Vec<IpAddr>, Failure> {
    let ways = remote.iter().map(RemoteAgent::way);
    Ok(ways.collect::<Result<_, _>>()?)
}

/// The one address that all agents reach, or all addresses where there are several.
fn listen(ways: &[IpAddr]) -> SocketAddr {
    let all = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let first = ways.first().copied().unwrap_or(all);
    let is_one = ways.iter().all(|way| *way == first);
    SocketAddr::new(if is_one { first } else { all }, 0)
}

/// Unique, so that the responses of an agent refer to one run.
fn name() -> Result<String, Failure> {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(format!("{:x}-{}", time.as_nanos(), std::process::id()))
}

/// The parts of an order that are the same for all agents.
struct SharedOrder<'a> {
    name: &'a str,
    flags: &'a [String],
    archive: &'a str,
    /// The collector's token.
    port: u16,
}

fn orders(remote: &[RemoteAgent], ways: &[IpAddr], shared: &SharedOrder<'_>) -> Vec<Order> {
    let SharedOrder {
        name,
        flags,
        archive,
        port,
    } = *shared;
    let parts = remote.len();
    let at = |part: usize| match part {
        0 => "0".to_owned(),
        part if part == parts => "1".to_owned(),
        part => format!("{part}/{parts}"),
    };
    let sequence: Vec<String> = (0..=parts).map(at).collect();
    let order = |(part, (agent, way)): (usize, (&RemoteAgent, &IpAddr))| Order {
        run: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        collector: format!("http://{}", SocketAddr::new(*way, port)),
        runner: agent.name.clone(),
        segment: format!("{}:{}", at(part), at(part + 1)),
        sequence: sequence.join(","),
        flags: flags.to_vec(),
        archive: archive.to_owned(),
    };
    remote.iter().zip(ways).enumerate().map(order).collect()
}

/// Starts the part of an agent and passes on its runner's output, until all measurements are collected and the
/// runner has ended. An agent that cannot start its part ends the run before its start; later, the collector
/// reports lost agents.
fn accompany(agent: &RemoteAgent, order: &Order, ends: &Ends, over: &AtomicBool) {
    let run = order.run.as_str();
    if let Err(error) = agent.start(order) {
        ends.unable.say(error.to_string());
        return;
    }
    let (mut from, mut is_silent, mut since) = (0, false, None);
    loop {
        std::thread::sleep(ASK);
        let status = agent.status(run, from);
        match &status {
            Ok(status) => {
                from = status.next;
                is_silent = false;
                for line in &status.lines {
                    complain!("{} | {line}", agent.name);
                }
                if let RunState::Ended(code) = status.state {
                    let code = code.map_or("by a signal".to_owned(), |code| {
                        format!("with exit code {code}")
                    });
                    ends.unable.say(format!(
                        "the runner of {} ended {code} before the run began",
                        agent.name
                    ));
                    break;
                }
            }
            Err(error) if !is_silent => {
                is_silent = true;
                complain!("warning: {error}");
            }
            Err(_) => {}
        }
        if over.load(Ordering::Relaxed) {
            let since = since.get_or_insert_with(Instant::now);
            if status.is_err() || since.elapsed() > LAST_WORDS {
                break;
            }
        }
    }
    // The agent forgets the run, or was lost with it.
    drop(agent.end(run));
}
