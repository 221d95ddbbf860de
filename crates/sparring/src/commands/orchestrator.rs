//! `sparring orchestrator`: the system under test alone.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use clap::Args;
use service_runtime::{Shutdown, bind};

use super::CommandResult;
use crate::cli::FleetArguments;
use crate::signals;

/// Serves the orchestrator alone, in front of the detectors that the fleet file names, until
/// Ctrl-C or SIGTERM. Running requests end first; a second signal ends at once.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    fleet: FleetArguments,
    /// Address to listen on [default: service.host of the fleet file]
    #[arg(long)]
    host: Option<IpAddr>,
    /// Port to listen on [default: service.port of the fleet file]
    #[arg(long)]
    port: Option<u16>,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    arguments.fleet.init_logging("info");
    let mut fleet = arguments.fleet.load()?;
    fleet.service.host = arguments.host.unwrap_or(fleet.service.host);
    fleet.service.port = arguments.port.unwrap_or(fleet.service.port);
    let runtime = arguments.fleet.runtime(&fleet)?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        signals::on_interrupt(shutdown.clone());
        let address = SocketAddr::new(fleet.service.host, fleet.service.port);
        let listener = bind(address, "the orchestrator").await?;
        println!("orchestrator  http://{}", listener.local_addr()?);
        orchestrator::run(orchestrator::Config::try_from(&fleet)?, listener, shutdown).await?;
        Ok(ExitCode::SUCCESS)
    })
}
