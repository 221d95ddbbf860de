//! `sparring agent`: this machine as a runner of runs that are begun elsewhere.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use collector::AgentSettings;
use service_runtime::{Shutdown, bind};
use suite::file::Span;

use super::CommandResult;
use crate::environment;
use crate::signals;
use crate::terminal::{Usage, complain};

/// Lend this machine to runs that `sparring run --agents` begins elsewhere
///
/// An agent takes an archive of a script, with all that it reads, and runs its part of the load as a runner of
/// that run's collector. It runs one at a time, and only for those who know the token in SPARRING_TOKEN. Scripts
/// can do whatever this process may: it belongs into a network of one's own, under a user of its own. A run of
/// which nobody asks any more is ended.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Where it is reached; on another address than the loopback all who know the token can use it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6571")]
    listen: SocketAddr,
    /// End a run of which nobody has asked for so long
    #[arg(long, value_name = "TIME", default_value = "30s")]
    forgotten_after: Span,
}

const EXAMPLES: &str = "\
Examples:
  SPARRING_TOKEN=$(cat token) sparring agent
  sparring agent --listen 10.0.0.7:6571";

/// The token that all parts of a run share.
///
/// # Errors
/// There is none.
pub fn token() -> Result<String, Usage> {
    environment::nonempty_text(collector::TOKEN_VARIABLE).ok_or_else(|| {
        Usage(format!(
            "set {} to a secret that the agents and the run share, such as the output of `openssl rand -hex 32`",
            collector::TOKEN_VARIABLE
        ))
    })
}

/// Options of k6 and of ours that this machine has. Where outputs go is its own affair.
fn hidden() -> Vec<OsString> {
    let is_hidden = |name: &OsString| {
        let name = name.to_string_lossy();
        let is_output = name.starts_with("K6_PROMETHEUS_RW_") || name.starts_with("K6_OTEL_");
        name.starts_with("SPARRING_") || (name.starts_with("K6_") && !is_output)
    };
    environment::all()
        .map(|(name, _)| name)
        .filter(is_hidden)
        .collect()
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let settings = AgentSettings {
        token: token()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: vec![std::env::current_exe()?.into()],
        hidden: hidden(),
        forgotten_after: arguments.forgotten_after.get().max(Duration::from_secs(1)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = bind(arguments.listen, "the agent").await?;
        let shutdown = Shutdown::new();
        signals::on_interrupt(shutdown.clone());
        complain!("agent on http://{}", listener.local_addr()?);
        let served =
            collector::serve_agent(listener, settings, shutdown, |line| complain!("{line}"));
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(served.await?)
    })?;
    Ok(ExitCode::SUCCESS)
}
