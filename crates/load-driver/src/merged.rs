//! `handleSummary` of a script, for the merged measurements of several machines.

use std::sync::{Arc, Mutex};

use load_engine::log::Logger;
use load_engine::options::derive;
use load_engine::segment::Segment;
use load_engine::summary::Summary;
use load_engine::thresholds::Thresholds;
use load_engine::{Exit, Gatherer, Program, Run, RunState, SummaryFiles, SummaryOutput, Workers};
use load_metrics::{Aggregate, Registry};
use tokio::task::LocalSet;

use crate::args::Args;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::surroundings::Surroundings;
use crate::{layers, logging, report, target};

/// Calls the script's `handleSummary` with the merged data and writes what it returns. A script without such a
/// function is left alone. Blocks the calling thread, which must not be one of an asynchronous runtime.
///
/// # Errors
/// The exit code; the reason has been logged.
pub fn handle_merged(args: &Args, around: &Surroundings, summary: &Summary) -> Result<(), Exit> {
    if report::is_silent(args) {
        return Ok(());
    }
    let invocation = Invocation { args, around };
    handle(invocation, summary).map_err(|failure| {
        report::failure(args, around, &failure);
        failure.exit
    })
}

fn handle(invocation: Invocation<'_>, summary: &Summary) -> Result<(), Failure> {
    let log = logging::logger(invocation.args, invocation.around)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("no runtime for the script: {error}")))?;
    let output = returned(invocation, summary, log.logger.clone());
    let output = LocalSet::new().block_on(&runtime, output)?;
    // The caller that merged the data shows the default summary.
    if !matches!(output.files, SummaryFiles::Default) {
        report::summary(invocation, summary, output, &log.logger);
    }
    Ok(())
}

/// The result of the function.
async fn returned(
    invocation: Invocation<'_>,
    summary: &Summary,
    logger: Logger,
) -> Result<SummaryOutput, Failure> {
    let Invocation { args, around } = invocation;
    let file = layers::config_file(args, around)?;
    let registry = Arc::new(Registry::new());
    // As on the measuring machines, variables are passed with -e only.
    let loaded = target::load(invocation, Arc::clone(&registry), false, logger.clone()).await?;
    if !loaded.program.has_function("handleSummary") {
        return Ok(SummaryOutput::default());
    }
    let mut options = layers::consolidate(invocation, file.options, &loaded, &logger)?;
    derive::scenarios(&mut options).map_err(|error| Failure::config(error.to_string()))?;
    let segment = Segment::parse(None, None).map_err(|error| Failure::config(error.to_string()))?;
    let for_data = (args.clone(), around.clone());
    let run = Run {
        program: Arc::new(loaded.program),
        state: Arc::new(RunState::new(Arc::new(options))),
        registry,
        segment,
        thresholds: Thresholds::default(),
        logger,
        workers: Workers::Threads(1),
        by_part: false,
        outputs: None,
        aggregate: Arc::new(Mutex::new(Aggregate::default())),
        scenario_statuses: Vec::new(),
        summary_data: Some(Box::new(move |summary: &_| {
            report::summary_data(&for_data.0, &for_data.1, summary)
        })),
        reads_summary_back: args.report.summary_export.is_some(),
        gatherer: Gatherer::default(),
        linger: None,
        together: None,
    };
    Ok(run.hand_summary(summary).await)
}
