//! `sparring up`: the whole stack until Ctrl-C.

mod screen;
mod systems;
mod view;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use service_runtime::Shutdown;

use self::systems::Systems;
use self::view::Counts;
use super::CommandResult;
use crate::cli::FleetArguments;
use crate::client;
use crate::data_dir::StateArguments;
use crate::signals;
use crate::stack::{Ports, Stack};
use crate::terminal::{self, complain, say};

/// Starts the orchestrator and all mock detectors in this process, prints the address of each, and
/// shows what happens until Ctrl-C: rates, percentiles, failed calls by class, breakers and faults on the full
/// screen of a terminal, where the space bar makes the chosen detector fail or answer again; a line whenever
/// something changed in a pipe. A second Ctrl-C ends at once.
///
/// While it runs, `sparring fault NAME --failure-rate 0.9` makes a detector fail, and
/// `sparring run tests/k6/orchestration_load.js` puts load on it. With `--system` or `--systems`,
/// simulated systems run beside it: acso on port 8010, aiaas 8020, acis 8030, agent360 8040, others
/// from 8050 on.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    fleet: FleetArguments,
    #[command(flatten)]
    state: StateArguments,
    /// Use any free ports instead of those of the fleet file
    #[arg(long)]
    free_ports: bool,
    /// A simulated system beside the stack: acso, aiaas, acis, agent360, lab, or a file; may be
    /// repeated
    #[arg(long, value_name = "SYSTEM")]
    system: Vec<String>,
    /// Several simulated systems, separated by commas; `all` is acso, aiaas, acis and agent360
    #[arg(long, value_name = "all|SYSTEM,..", value_delimiter = ',')]
    systems: Vec<String>,
    /// Show a status line on a terminal, instead of the full screen; implied by -v
    #[arg(long)]
    plain: bool,
    /// Show neither the screen nor a status line
    #[arg(long, short = 'q', conflicts_with = "plain")]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  sparring up                            the fleet of detectors.yaml, or the built-in one
  sparring up --free-ports -q            on any free ports, without a screen or a status line
  sparring up --plain                    one status line, also on a terminal
  sparring up --system acso --system own.yaml
                                         simulated systems beside it
  sparring up --systems all --data-dir /var/lib/sparring
                                         all four systems; jobs and data survive a restart";

pub fn execute(arguments: &Arguments) -> CommandResult {
    match arguments.wants_screen() {
        true => arguments.fleet.init_logging_beside_a_screen(),
        false => arguments.fleet.init_logging("warn"),
    }
    let names = [arguments.system.as_slice(), &arguments.systems].concat();
    let planned = systems::planned(&names)?;
    let fleet = arguments.fleet.load_with(&arguments.state.overrides())?;
    let runtime = arguments.fleet.runtime(&fleet)?;
    let ended = runtime.block_on(up(arguments, fleet, planned));
    ended.map_err(|failure| terminal::hinted(failure, "--free-ports takes any free ports"))
}

/// A server that ended with an error.
#[derive(Debug, thiserror::Error)]
#[error("{name} broke: {source}")]
struct Broken {
    name: String,
    source: std::io::Error,
}

async fn up(
    arguments: &Arguments,
    fleet: fleet::Fleet,
    planned: Vec<systems::Planned>,
) -> CommandResult {
    let ports = if arguments.free_ports {
        Ports::Free
    } else {
        Ports::Declared
    };
    let shutdown = Shutdown::new();
    signals::on_interrupt(shutdown.clone());
    let data_dir = arguments.state.data_dir.as_deref();
    let listeners = systems::listen(&planned, ports).await?;
    let mut stack = Stack::start(fleet, ports, data_dir, &shutdown).await?;
    let systems = Systems::start(planned, listeners, &mut stack)?;
    signals::on_hangup(stack.reload.clone());
    print_table(&stack, &systems);
    let addresses = Addresses {
        url: stack.base_url(),
        detectors: stack.detectors.clone(),
    };
    let broken = tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        () = show(arguments, &addresses, systems, &shutdown) => None,
        broken = stack.broken() => Some(broken),
    };
    if arguments.replaces_lines() {
        terminal::clear_line();
    }
    say!("stopping");
    stack.stop().await;
    match broken {
        None => Ok(ExitCode::SUCCESS),
        Some((name, Ok(()))) => Err(format!("{name} exited unexpectedly").into()),
        Some((name, Err(source))) => Err(Broken { name, source }.into()),
    }
}

impl Arguments {
    /// The full screen needs a terminal to draw on and to read keys from, and no log output.
    fn wants_screen(&self) -> bool {
        let is_terminal = terminal::can_move() && std::io::stdin().is_terminal();
        is_terminal && !self.quiet && !self.plain && !self.fleet.is_verbose()
    }

    /// Log lines would be appended to the status line.
    fn replaces_lines(&self) -> bool {
        let has_line = !self.quiet && !self.wants_screen();
        has_line && terminal::can_move() && !self.fleet.is_verbose()
    }
}

/// The addresses of the orchestrator and the detectors.
struct Addresses {
    url: String,
    detectors: Vec<(String, SocketAddr)>,
}

/// Shows what happens until `shutdown`.
async fn show(arguments: &Arguments, addresses: &Addresses, systems: Systems, shutdown: &Shutdown) {
    let Addresses { url, detectors } = addresses;
    if arguments.quiet {
        return std::future::pending().await;
    }
    if !arguments.wants_screen() {
        let names: Vec<String> = detectors.iter().map(|(name, _)| name.clone()).collect();
        return status_line(url, &names, systems, arguments.replaces_lines()).await;
    }
    if let Err(error) = screen::show(url, detectors, systems, shutdown).await {
        complain!("the screen cannot be drawn: {error}; use --plain for plain lines");
        shutdown.cancelled().await;
    }
}

fn print_table(stack: &Stack, systems: &Systems) {
    let mut rows = vec![("orchestrator", stack.base_url())];
    let detectors = stack.detectors.iter();
    rows.extend(detectors.map(|(name, address)| (name.as_str(), format!("http://{address}"))));
    rows.extend(systems.urls());
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, url) in rows {
        say!("{name:width$}  {url}");
    }
    say!("ready; Ctrl-C stops");
}

/// Prints once a second what the orchestrator and the systems are doing: one line that is overwritten if
/// `replaced`, otherwise a line whenever something has changed.
async fn status_line(url: &str, detectors: &[String], mut systems: Systems, replaced: bool) {
    let metrics = format!("{url}/metrics");
    let (mut before, mut since) = (Counts::default(), Instant::now());
    let mut last = String::new();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let Ok(text) = client::get_text(&metrics).await else {
            continue;
        };
        let now = Counts::read(&text);
        let line = now.since(&before, since.elapsed(), detectors).line() + &systems.line();
        (before, since) = (now, Instant::now());
        if replaced {
            terminal::replace_line(&line);
        } else if line != last {
            say!("{line}");
        }
        last = line;
    }
}
