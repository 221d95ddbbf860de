//! `sparring record`: a profile from the journal of a running mock detector.

use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use hyper::Method;

use super::CommandResult;
use super::fault::detector_names;
use crate::admin_target;
use crate::cli::FleetArguments;
use crate::terminal::{complain, say};

/// Prints the profile that reproduces the requests in the detector's journal: its success rate,
/// its mix of failures, and its latencies as a percentile table. JSON is YAML: the output can
/// be used as `mock:` in a fleet file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Name or alias of the detector
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(detector_names))]
    name: String,
    /// Only requests of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only requests under this revision of the profile
    #[arg(long)]
    revision: Option<u64>,
    /// The address of the mock instead of its endpoint, as http://host:port
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    fleet: FleetArguments,
}

const EXAMPLES: &str = "\
Examples:
  sparring record mock-detector-variable
  sparring record mock-detector-variable --tenant acme > profile.json
  sparring record detector --url http://127.0.0.1:9003 --revision 2";

pub fn execute(arguments: &Arguments) -> CommandResult {
    arguments.fleet.init_logging("warn");
    let fleet = arguments.fleet.load()?;
    let url = arguments.url.as_deref();
    let (_, client) = admin_target::client(&fleet, &arguments.name, url)?;
    let mut query = Vec::new();
    query.extend(
        arguments
            .tenant
            .as_ref()
            .map(|tenant| format!("tenant={tenant}")),
    );
    query.extend(
        arguments
            .revision
            .map(|revision| format!("revision={revision}")),
    );
    let path = format!("/record?{}", query.join("&"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(client.send(Method::POST, &path, None))?;
    complain!("from {} requests", answer["requests"]);
    say!("{}", serde_json::to_string_pretty(&answer["profile"])?);
    Ok(ExitCode::SUCCESS)
}
