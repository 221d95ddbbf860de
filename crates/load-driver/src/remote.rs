//! `k6 stats`, `status`, `pause`, `resume` and `scale`: commands to a run over its REST API.

use clap::{Args as ClapArgs, Subcommand};
use load_engine::Exit;
use load_outputs::rest::client::{Client, ClientError};

use crate::args::{Args, ProcessFlags};
use crate::failure::Failure;
use crate::report;
use crate::surroundings::Surroundings;

/// A command to a run.
#[derive(Debug, Subcommand)]
pub enum Remote {
    /// Show the metrics of a run that serves its REST API
    Stats(ProcessFlags),
    /// Show the state of a run that serves its REST API
    Status(ProcessFlags),
    /// Pause a run
    Pause(ProcessFlags),
    /// Resume a paused run
    Resume(ProcessFlags),
    /// Change how many virtual users an externally controlled run has
    Scale(ScaleArgs),
}

/// The number of virtual users.
#[derive(Debug, ClapArgs)]
pub struct ScaleArgs {
    /// Active virtual users
    #[arg(short = 'u', long, value_name = "N")]
    vus: Option<i64>,
    /// The maximum number of virtual users
    #[arg(short = 'm', long, value_name = "N")]
    max: Option<i64>,
    #[command(flatten)]
    process: ProcessFlags,
}

/// The default address of the API in k6 v1, which both versions' clients use.
const USUAL_ADDRESS: &str = "localhost:6565";

impl Remote {
    /// Sends the command and prints the response as YAML. Returns the exit code.
    pub fn execute(&self, around: &Surroundings) -> Exit {
        match self.ask() {
            Ok(text) => {
                around.stdout.print(&text);
                Exit::Success
            }
            Err(failure) => {
                let args = Args {
                    process: self.process().clone(),
                    ..Args::default()
                };
                report::failure(&args, around, &failure);
                failure.exit
            }
        }
    }

    fn process(&self) -> &ProcessFlags {
        match self {
            Self::Stats(process)
            | Self::Status(process)
            | Self::Pause(process)
            | Self::Resume(process) => process,
            Self::Scale(scale) => &scale.process,
        }
    }

    fn ask(&self) -> Result<String, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::other(format!("no runtime for the request: {error}")))?;
        let address = self.process().address.as_deref();
        let client = Client::new(address.unwrap_or(USUAL_ADDRESS));
        let answer: Result<String, ClientError> = runtime.block_on(async {
            match self {
                Self::Stats(_) => client.stats().await,
                Self::Status(_) => client.status().await,
                Self::Pause(_) => client.set_paused(true).await,
                Self::Resume(_) => client.set_paused(false).await,
                Self::Scale(scale) => client.scale(scale.vus, scale.max).await,
            }
        });
        answer.map_err(|error| Failure::other(error.to_string()))
    }
}
