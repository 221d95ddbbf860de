//! `k6 inspect`: the options of a script, without running it.

use std::sync::Arc;

use clap::Args as ClapArgs;
use load_engine::log::Logger;
use load_engine::options::{Options, derive, duration, json, validate};
use load_engine::segment::Segment;
use load_engine::thresholds::Thresholds;
use load_engine::{Exit, Program, scenario_statuses};
use load_metrics::Registry;
use serde_json::Value;
use tokio::task::LocalSet;

use crate::args::Args;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::surroundings::Surroundings;
use crate::{layers, logging, report, target};

/// Print the options of a script as JSON.
#[derive(Debug, ClapArgs)]
pub struct InspectArgs {
    /// Also print the scenarios and their requirements
    #[arg(long)]
    execution_requirements: bool,
    #[command(flatten)]
    run: Args,
}

/// Prints the options. Returns the exit code.
pub fn inspect(args: &InspectArgs, around: &Surroundings) -> Exit {
    match read(args, around) {
        Ok(text) => {
            around.stdout.print(&text);
            Exit::Success
        }
        Err(failure) => {
            report::failure(&args.run, around, &failure);
            failure.exit
        }
    }
}

/// Whether a script can be run: it is read, compiled, and its init code runs once.
///
/// # Errors
/// The script cannot be run; the error states the reason.
pub fn try_script(script: &str, around: &Surroundings) -> Result<(), String> {
    let run = Args {
        script: script.to_owned(),
        ..Args::default()
    };
    let args = InspectArgs {
        execution_requirements: true,
        run,
    };
    read(&args, around)
        .map(drop)
        .map_err(|failure| failure.message)
}

fn read(args: &InspectArgs, around: &Surroundings) -> Result<String, Failure> {
    let log = logging::logger(&args.run, around)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("no runtime for the script: {error}")))?;
    LocalSet::new().block_on(&runtime, describe(args, around, log.logger.clone()))
}

async fn describe(
    args: &InspectArgs,
    around: &Surroundings,
    logger: Logger,
) -> Result<String, Failure> {
    let registry = Arc::new(Registry::new());
    let invocation = Invocation {
        args: &args.run,
        around,
    };
    let loaded = target::load(invocation, Arc::clone(&registry), false, logger.clone()).await?;
    if !args.execution_requirements {
        let script = json::read(&loaded.options);
        let script = script.map_err(|error| layers::of_script(&args.run, &loaded, error))?;
        layers::warn_of_unknown(&script.unknown, &logger);
        return Ok(written(&script.options.to_json()));
    }
    let file = layers::config_file(&args.run, around)?;
    let options = layers::consolidate(invocation, file.options, &loaded, &logger)?;
    let thresholds = options.thresholds.clone().unwrap_or_default();
    let value = requirements(options, &loaded.program)?;
    // Thresholds are checked last, as in a run.
    Thresholds::new(&thresholds, &registry).map_err(|error| Failure::config(error.to_string()))?;
    Ok(written(&value))
}

fn requirements(mut options: Options, program: &impl Program) -> Result<Value, Failure> {
    let config = |error: &dyn std::error::Error| Failure::config(error.to_string());
    let segment = Segment::parse(
        options.execution_segment.as_deref(),
        options.execution_segment_sequence.as_deref(),
    )
    .map_err(|error| config(&error))?;
    // The shortcuts are shown beside the scenario that they make.
    let given = options.clone();
    derive::scenarios(&mut options).map_err(|error| config(&error))?;
    validate::scenarios(&options, |name| program.has_function(name))
        .map_err(|error| config(&error))?;
    let (vus, iterations) = (given.vus, given.iterations);
    (options.vus, options.iterations) = (vus, iterations);
    (options.duration, options.stages) = (given.duration, given.stages);
    options.summary_trend_stats = Some(options.summary_trend_stats());
    options.system_tags = Some(options.system_tags());
    let (needs, _) = scenario_statuses(&options, &segment);
    let mut value = options.to_json();
    if let Value::Object(map) = &mut value {
        map.insert(
            "totalDuration".to_owned(),
            duration::format(needs.duration).into(),
        );
        map.insert("maxVUs".to_owned(), needs.most_vus.into());
    }
    Ok(value)
}

/// Indented by two spaces, with `<`, `>` and `&` escaped, as Go writes JSON.
fn written(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("JSON values can be written");
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}
