//! `sparring up`: the whole stack until Ctrl-C.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use service_runtime::Shutdown;

use super::CommandResult;
use crate::cli::FleetArguments;
use crate::client;
use crate::data_dir::StateArguments;
use crate::signals;
use crate::stack::{Ports, Stack};
use crate::status::Reading;

/// Starts the orchestrator and all mock detectors in this process, says where each listens, and
/// shows a live status line until Ctrl-C. A second Ctrl-C ends at once.
///
/// While it runs, `sparring fault NAME --failure-rate 0.9` makes a detector fail, and
/// `sparring run tests/k6/orchestration_load.js` puts load on it.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    fleet: FleetArguments,
    #[command(flatten)]
    state: StateArguments,
    /// Take any free ports instead of those of the fleet file
    #[arg(long)]
    free_ports: bool,
    /// No status line
    #[arg(long, short = 'q')]
    quiet: bool,
}

pub fn execute(arguments: Arguments) -> CommandResult {
    arguments.fleet.init_logging("warn");
    let fleet = arguments.fleet.load_with(&arguments.state.overrides())?;
    let runtime = arguments.fleet.runtime(&fleet)?;
    runtime.block_on(up(&arguments, fleet))
}

async fn up(arguments: &Arguments, fleet: fleet::Fleet) -> CommandResult {
    let ports = if arguments.free_ports {
        Ports::Free
    } else {
        Ports::Declared
    };
    let shutdown = Shutdown::new();
    signals::on_interrupt(shutdown.clone());
    let data_dir = arguments.state.data_dir.as_deref();
    let mut stack = Stack::start(fleet, ports, data_dir, &shutdown).await?;
    signals::on_hangup(stack.reload.clone());
    print_table(&stack);
    let url = stack.base_url();
    let broken = tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        () = status_line(&url, arguments.quiet) => None,
        broken = stack.broken() => Some(broken),
    };
    if std::io::stdout().is_terminal() {
        println!();
    }
    println!("stopping");
    stack.stop().await;
    match broken {
        None => Ok(ExitCode::SUCCESS),
        Some((name, Ok(()))) => Err(format!("{name} ended by itself").into()),
        Some((name, Err(error))) => Err(format!("{name} broke: {error}").into()),
    }
}

fn print_table(stack: &Stack) {
    let width = stack
        .detectors
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0)
        .max(12);
    println!("{:width$}  {}", "orchestrator", stack.base_url());
    for (name, address) in &stack.detectors {
        println!("{name:width$}  http://{address}");
    }
    println!("ready; Ctrl-C stops");
}

/// Once a second what the orchestrator is doing: on a terminal one line that is written over, in a
/// pipe a line whenever something changed.
async fn status_line(url: &str, quiet: bool) {
    if quiet {
        return std::future::pending().await;
    }
    let live = std::io::stdout().is_terminal();
    let metrics = format!("{url}/metrics");
    let (mut before, mut since) = (Reading::default(), Instant::now());
    let mut last = String::new();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let Ok(text) = client::get_text(&metrics).await else {
            continue;
        };
        let now = Reading::from_metrics(&text);
        let line = now.line(&before, since.elapsed());
        (before, since) = (now, Instant::now());
        if live {
            print!("\r\x1b[2K{line}");
        } else if line != last {
            println!("{line}");
        }
        drop(std::io::stdout().flush());
        last = line;
    }
}
