//! `sparring health`: asks a service how it is; the health check of containers.

use std::process::ExitCode;

use clap::Args;

use super::CommandResult;
use crate::client;

/// Asks a service for its health: exit code 0 when it answers with success, 1 when it does not or
/// cannot be reached within 5 s. Images need no curl for their health check.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to ask, such as http://127.0.0.1:8001/health
    #[arg(
        value_name = "URL",
        env = "HEALTH_URL",
        default_value = "http://127.0.0.1:8000/health"
    )]
    url: String,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let body = runtime.block_on(client::get_text(&arguments.url))?;
    println!("{}", body.trim());
    Ok(ExitCode::SUCCESS)
}
