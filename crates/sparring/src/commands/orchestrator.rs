//! `sparring orchestrator`: the system under test alone.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use fleet::Fleet;
use orchestrator::Reload;
use service_runtime::{Shutdown, bind};

use super::CommandResult;
use crate::cli::FleetArguments;
use crate::data_dir::{self, StateArguments};
use crate::signals;
use crate::terminal::say;

/// Serves the orchestrator alone, in front of the detectors that the fleet file names, until
/// Ctrl-C or SIGTERM. Requests in flight finish first; a second signal ends at once. Changes of
/// detectors and policies in the file are applied, also at SIGHUP; a file with errors is refused as a whole.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    fleet: FleetArguments,
    #[command(flatten)]
    state: StateArguments,
    /// Address to listen on [default: service.host of the fleet file]
    #[arg(long)]
    host: Option<IpAddr>,
    /// Port to listen on [default: service.port of the fleet file]
    #[arg(long)]
    port: Option<u16>,
}

const EXAMPLES: &str = "\
Examples:
  sparring orchestrator                  on the host and port of detectors.yaml
  sparring orchestrator -c own.yaml --port 9000
                                         in front of detectors of your own
  sparring orchestrator --host 0.0.0.0 --log-json -v
                                         as in a container";

pub fn execute(arguments: &Arguments) -> CommandResult {
    arguments.fleet.init_logging("info");
    let mut fleet = arguments.fleet.load_with(&arguments.state.overrides())?;
    fleet.service.host = arguments.host.unwrap_or(fleet.service.host);
    fleet.service.port = arguments.port.unwrap_or(fleet.service.port);
    let runtime = arguments.fleet.runtime(&fleet)?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        signals::on_interrupt(shutdown.clone());
        let address = SocketAddr::new(fleet.service.host, fleet.service.port);
        let listener = bind(address, "the orchestrator").await?;
        let data_dir = arguments.state.data_dir.as_deref();
        let port = fleet.service.port;
        let _temporary = data_dir::settle(&mut fleet, data_dir, port)?;
        say!("orchestrator  http://{}", listener.local_addr()?);
        let config = orchestrator::Config::try_from(&fleet)?;
        let source = source(arguments.clone(), &fleet);
        signals::on_hangup(source.asked.clone());
        orchestrator::run_following(config, Some(source), listener, shutdown).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The settings of a new start, except for those that cannot change while it runs.
fn source(arguments: Arguments, started: &Fleet) -> Reload {
    let job_store = started.orchestration.job_store.clone();
    let path = started.path.clone();
    Reload {
        file: started.path.clone(),
        asked: Arc::default(),
        read: Box::new(move || {
            let overrides = arguments.state.overrides();
            let mut fleet = match &path {
                Some(path) => fleet::load_again(path, &overrides)?,
                None => arguments.fleet.load_with(&overrides)?,
            };
            fleet.orchestration.job_store.clone_from(&job_store);
            Ok(orchestrator::Config::try_from(&fleet)?)
        }),
    }
}
