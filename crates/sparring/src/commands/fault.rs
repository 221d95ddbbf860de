//! `sparring fault`: changes how a running mock detector behaves.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::CommandResult;
use crate::cli::FleetArguments;
use crate::client;
use crate::fleet_names::find;

/// Changes how a running mock detector behaves, from the next request on.
///
/// The detector is looked up in the fleet file by name or alias and asked at the host and port of
/// its endpoint, or at --url.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name or alias of the detector
    #[arg(value_name = "NAME")]
    name: String,
    /// Share of requests that fail, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    failure_rate: f64,
    /// Where the mock listens instead of its endpoint, as http://host:port
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    fleet: FleetArguments,
}

fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err("use a number from 0 to 1".to_owned())
    }
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let fleet = arguments.fleet.load()?;
    let (name, detector) = find(&fleet, &arguments.name)?;
    let base = match (&arguments.url, detector.authority()) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some((host, port))) => format!("http://{host}:{port}"),
        (None, None) => return Err(format!("{name} has no endpoint").into()),
    };
    // 1 - 0.9 is 0.09999999999999998; twelve digits are more than anybody means.
    let success_rate = ((1.0 - arguments.failure_rate) * 1e12).round() / 1e12;
    let patch = json!({"success_rate": success_rate});
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(client::patch_json(
        &format!("{base}/__admin/profile"),
        &patch,
    ))?;
    println!("{name}: failure rate {}", arguments.failure_rate);
    Ok(ExitCode::SUCCESS)
}
