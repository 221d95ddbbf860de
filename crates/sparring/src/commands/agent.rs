//! `sparring agent`: this machine as a runner of runs that are started elsewhere.

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

/// Make this machine available to runs that `sparring run --agents` starts elsewhere
///
/// An agent receives an archive of a script with its files, and runs its part of the load as a runner of
/// that run's collector. It runs one part at a time, and only for callers that know the token in SPARRING_TOKEN.
/// Scripts have all permissions of this process: run it in a private network, as a user of its own. A run that is
/// no longer polled is ended.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Address to listen on; every client that reaches it and knows the token can use the agent
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6571")]
    listen: SocketAddr,
    /// Time after which a run that is not polled is ended
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

/// The options of k6 and sparring for this machine. Outputs are configured on the machine itself.
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
