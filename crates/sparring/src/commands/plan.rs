//! `sparring plan`: the future behaviour of the mock detectors, and the options of a suite's tests.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use fault_profile::Model;
use fault_profile::plan::{FirstRequests, Plan};

use super::CommandResult;
use super::fault::detector_names;
use crate::cli::FleetArguments;
use crate::fleet_names::find;
use crate::terminal::say;

/// Prints the timeline of each detector's schedule with its hash, and the outcomes of the first
/// requests. Equal hashes mean equal behaviour at all times; nothing needs to be running.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Names or aliases of detectors; all if none is named
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(detector_names))]
    names: Vec<String>,
    /// Number of requests to list; they have no id
    #[arg(short = 'n', long, default_value_t = 5)]
    requests: u64,
    /// Time of the requests after the start, in milliseconds
    #[arg(long, default_value_t = 0)]
    at_ms: u64,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Print the k6 options of a suite's tests instead: names are those of `sparring test`, which has this flag, too
    #[arg(long, conflicts_with_all = ["json", "requests", "at_ms"])]
    k6_options: bool,
    /// With --k6-options: multiplies the durations of phases and rests
    #[arg(long, value_name = "FACTOR", requires = "k6_options")]
    time_scale: Option<f64>,
    #[command(flatten)]
    fleet: FleetArguments,
}

const EXAMPLES: &str = "\
Examples:
  sparring plan                          every detector of the fleet
  sparring plan mock-detector-failing -n 20
                                         the first 20 outcomes of one
  sparring plan -c own.yaml --at-ms 60000 --json
                                         a minute after the start, as JSON
  sparring plan acis load --k6-options   what k6 needs to run a test of a suite:
      k6 run -e SPARRING_PLAN=\"$(sparring plan acis load --k6-options)\" tests/k6/acis.js";

pub fn execute(arguments: &Arguments) -> CommandResult {
    if arguments.k6_options {
        return super::test::k6_options(
            &arguments.names,
            arguments.time_scale,
            arguments.fleet.config(),
        );
    }
    arguments.fleet.init_logging("warn");
    let fleet = arguments.fleet.load()?;
    let names: Vec<&str> = match arguments.names.as_slice() {
        [] => fleet.detectors.keys().map(String::as_str).collect(),
        names => {
            let found = names
                .iter()
                .map(|name| find(&fleet, name).map(|(name, _)| name));
            found.collect::<Result<_, _>>()?
        }
    };
    let mut plans = Vec::new();
    for name in names {
        let model = Model::new(&fleet.detectors[name].mock, name)?;
        let first = FirstRequests {
            tenant: "",
            count: arguments.requests,
            at: Duration::from_millis(arguments.at_ms),
        };
        plans.push(Plan::new(&model, name, first));
    }
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&plans)?);
    } else {
        plans.iter().for_each(print);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(plan: &Plan) {
    say!("{}  {}", plan.detector, plan.hash);
    for stage in &plan.stages {
        let active = match stage.active.as_slice() {
            [] => "as written".to_owned(),
            active => active.join(", "),
        };
        say!("  from {:>8} ms  {active}", stage.begin_ms);
    }
    if let Some(period) = plan.loop_every_ms {
        say!("  from {period:>8} ms  again");
    }
    for request in &plan.requests {
        let service = match request.service_us {
            0 => String::new(),
            service => format!(" + {:.3} ms service", service as f64 / 1e3),
        };
        let ms = request.latency_us as f64 / 1e3;
        say!(
            "  request {:>5}  {:>10.3} ms{service}  {}",
            request.index,
            ms,
            request.fault
        );
    }
}
