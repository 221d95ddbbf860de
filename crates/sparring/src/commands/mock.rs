//! `sparring mock`: mock detectors alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use fleet::Fleet;
use service_runtime::{Shutdown, bind};

use super::CommandResult;
use super::fault::detector_names;
use crate::cli::FleetArguments;
use crate::fleet_names::find;
use crate::signals;
use crate::terminal::{self, Usage, say};

/// Serves the named mock detectors of the fleet file, or all of them if none is named, until
/// Ctrl-C or SIGTERM. Each listens on the port of its endpoint. Changes of the file's profiles are
/// applied while they run; a file with errors is refused as a whole.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Names or aliases of detectors
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(detector_names))]
    names: Vec<String>,
    #[command(flatten)]
    fleet: FleetArguments,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on instead of the endpoint's; for a single detector
    #[arg(long)]
    port: Option<u16>,
}

const EXAMPLES: &str = "\
Examples:
  sparring mock                          all detectors of the fleet, each on its own port
  sparring mock mock-detector-failing --port 9003
                                         one of them, on another port
  sparring mock -c own.yaml --host 0.0.0.0
                                         those of a file, reachable from other machines";

/// The remedy for a port in use.
const HINT: &str = "name a single detector with --port, where 0 is a free one";

pub fn execute(arguments: &Arguments) -> CommandResult {
    arguments.fleet.init_logging("info");
    let fleet = arguments.fleet.load()?;
    let names = names(arguments, &fleet)?;
    if arguments.port.is_some() && names.len() != 1 {
        return Err("--port needs exactly one detector name".into());
    }
    let runtime = arguments.fleet.runtime(&fleet)?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        signals::on_interrupt(shutdown.clone());
        let mut servers = Vec::new();
        for name in names {
            let detector = &fleet.detectors[&name];
            let declared = detector.authority().map_or(0, |(_, port)| port);
            let address = SocketAddr::new(arguments.host, arguments.port.unwrap_or(declared));
            let listener = bind(address, &name).await;
            let listener = listener.map_err(|error| terminal::hinted(error.into(), HINT))?;
            say!("{name}  http://{}", listener.local_addr()?);
            servers.push(mock_detectors::Bound {
                config: mock_detectors::Config::of(&name, detector),
                listener,
            });
        }
        mock_detectors::run_following(servers, fleet.path.clone(), shutdown).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn names(arguments: &Arguments, fleet: &Fleet) -> Result<Vec<String>, Usage> {
    if arguments.names.is_empty() {
        return Ok(fleet.detectors.keys().cloned().collect());
    }
    arguments
        .names
        .iter()
        .map(|name| find(fleet, name).map(|(name, _)| name.to_owned()))
        .collect()
}
