//! One run, from the flags to the exit code.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load_engine::log::{Level, Logger};
use load_engine::options::{Options, derive, validate};
use load_engine::output::{self, Outputs, RunEnd, Setup};
use load_engine::plan::Needs;
use load_engine::rest;
use load_engine::segment::Segment;
use load_engine::thresholds::Thresholds;
use load_engine::{
    Board, Exit, Gatherer, Outcome, Program, Run, RunState, TestEnd, Workers, boards,
};
use load_metrics::{Aggregate, Registry};
use tokio::task::LocalSet;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use super::args::{Args, HealthMode, SummaryMode, TrendSinkMode};
use super::failure::Failure;
use super::progress::Shown;
use super::{Driven, banner, layers, logging, report, target};

const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Runs the script that the flags name.
pub fn run(args: &Args) -> Result<Driven, Failure> {
    refuse_unsupported(args)?;
    let log = logging::logger(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("no runtime for the driver: {error}")))?;
    let driven = LocalSet::new().block_on(&runtime, drive(args, log.logger.clone()));
    // After a second signal tasks may still run; they are not waited for.
    runtime.shutdown_background();
    driven
}

async fn drive(args: &Args, logger: Logger) -> Result<Driven, Failure> {
    let file = layers::config_file(args)?;
    let registry = Arc::new(Registry::new());
    let loaded = target::load(args, true, Arc::clone(&registry), logger.clone()).await?;
    let mut options = layers::consolidate(args, file.options, &loaded, &logger)?;
    let program = loaded.program;
    let config = |error: &dyn std::error::Error| Failure::config(error.to_string());
    let segment = Segment::parse(
        options.execution_segment.as_deref(),
        options.execution_segment_sequence.as_deref(),
    )
    .map_err(|error| config(&error))?;
    for warning in derive::scenarios(&mut options).map_err(|error| config(&error))? {
        logger.warn(&warning);
    }
    validate::scenarios(&options, |name| program.has_function(name))
        .map_err(|error| config(&error))?;
    load_script::ScriptProgram::check(&options).map_err(Failure::config)?;
    // Outputs tell of thresholds that are not looked at.
    let shown_options = Arc::new(options.clone());
    if args.report.no_thresholds == Some(true) {
        options.thresholds = None;
    }
    let thresholds = options.thresholds.clone().unwrap_or_default();
    let thresholds = Thresholds::new(&thresholds, &registry).map_err(|error| config(&error))?;
    let options = Arc::new(options);
    let named: Vec<String> = args
        .report
        .outputs
        .iter()
        .chain(&file.outputs)
        .cloned()
        .collect();
    let (outputs, described) = start_outputs(&named, &registry, &shown_options, &logger)?;
    let (needs, boards) = boards(&options, &segment);
    if !args.process.quiet {
        report::print(&banner::describe(
            &args.script,
            &described,
            &options,
            &segment,
            &needs,
        ));
    }
    let intended = args.report.intended_duration == Some(true);
    let state = RunState::new(Arc::clone(&options)).measuring_intended(intended);
    let state = Arc::new(state);
    let prepared = Prepared {
        program,
        registry,
        segment,
        thresholds,
        state,
        boards,
        needs,
    };
    conduct(args, prepared, outputs, logger).await
}

/// A run that can begin.
struct Prepared<P> {
    program: P,
    registry: Arc<Registry>,
    segment: Segment,
    thresholds: Thresholds,
    state: Arc<RunState>,
    boards: Vec<Arc<Board>>,
    needs: Needs,
}

async fn conduct<P: Program>(
    args: &Args,
    prepared: Prepared<P>,
    outputs: Outputs,
    logger: Logger,
) -> Result<Driven, Failure> {
    let Prepared {
        state,
        boards,
        needs,
        ..
    } = prepared;
    let outputs = Arc::new(outputs);
    let sink = Arc::clone(&outputs);
    let for_data = args.clone();
    let threads = args
        .process
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let aggregate = match args.report.trend_sink {
        Some(TrendSinkMode::Hdr) => Aggregate::bounded(),
        _ => Aggregate::default(),
    };
    let aggregate = Arc::new(Mutex::new(aggregate));
    let live = rest::Live::new(
        Arc::clone(&state),
        Arc::clone(&prepared.registry),
        Arc::clone(&aggregate),
        logger.clone(),
    )
    .map_err(|error| Failure::config(error.to_string()))?;
    let api = serve_api(args, live, &logger).await?;
    let signalled = CancellationToken::new();
    let run = Run {
        program: Arc::new(prepared.program),
        state: Arc::clone(&state),
        registry: prepared.registry,
        segment: prepared.segment,
        thresholds: prepared.thresholds,
        logger: logger.clone(),
        workers: Workers::Threads(threads.unwrap_or(1)),
        by_part: args.report.summary_mode == Some(SummaryMode::Full),
        outputs: (!outputs.is_empty()).then(|| Box::new(move || sink.sink()) as _),
        aggregate,
        boards: boards.clone(),
        summary_data: Box::new(move |summary| report::summary_data(&for_data, summary)),
        gatherer: Gatherer::default(),
        linger: (args.process.linger == Some(true)).then(|| signalled.clone()),
    };
    let shown = Shown {
        state: Arc::clone(&state),
        boards,
        planned_vus: needs.planned_vus,
        most_vus: needs.most_vus,
        longest: needs.duration,
    };
    let progress = tokio::task::spawn_local(show_progress(shown.clone(), args.process.quiet));
    let outcome = tokio::select! {
        outcome = run.execute() => Some(outcome),
        () = obey_signals(&state, &signalled, &logger) => None,
    };
    progress.abort();
    let Some(outcome) = outcome else {
        let spoilt_by = vec!["the run was broken off by a second signal".to_owned()];
        return Ok(Driven {
            exit: Exit::Interrupted,
            summary_data: serde_json::Value::Null,
            spoilt_by,
        });
    };
    let driven = finish(args, outcome, outputs, &shown, &logger);
    if let Some(api) = api {
        api.abort();
    }
    Ok(driven)
}

/// Serves the REST API when an address is given; from before the first VU until the process ends.
async fn serve_api(
    args: &Args,
    live: rest::Live,
    logger: &Logger,
) -> Result<Option<tokio::task::JoinHandle<()>>, Failure> {
    let Some(address) = &args.process.address else {
        return Ok(None);
    };
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .map_err(|error| {
            let why = format!("the REST API cannot listen on {address}: {error}");
            Failure::new(Exit::ApiFailed, why)
        })?;
    let logger = logger.clone();
    Ok(Some(tokio::task::spawn_local(async move {
        let served = rest::serve(listener, Arc::new(live), CancellationToken::new()).await;
        if let Err(error) = served {
            logger.error(&format!("the REST API has ended: {error}"));
        }
    })))
}

fn finish(
    args: &Args,
    outcome: Outcome,
    outputs: Arc<Outputs>,
    shown: &Shown,
    logger: &Logger,
) -> Driven {
    let summary_data = report::summary_data(args, &outcome.summary);
    let dropped_samples = outputs.dropped_samples();
    let mut spoilt_by = spoilt_by(outputs, args, &outcome, shown);
    report::summary(args, &outcome.summary, outcome.files, logger);
    spoilt_by.extend(
        shown
            .state
            .left_behind()
            .iter()
            .map(|whose| format!("{whose} did not stop, and samples of its thread are lost")),
    );
    let health = shown.state.health.report();
    report::health(args, &health, dropped_samples);
    if args.process.generator_health != Some(HealthMode::Never) {
        spoilt_by.extend(health.broken_schedule());
    }
    if !args.process.quiet {
        report::print(&format!("\n{}", shown.lines()));
    }
    for reason in &spoilt_by {
        logger.log(
            Level::Warn,
            &format!("the numbers of this run are not clean: {reason}"),
            &[],
        );
    }
    if let Some(failure) = &outcome.failure {
        report::log_failure(logger, &failure.message, failure.hint.as_deref());
    }
    if let Some(end) = shown
        .state
        .end()
        .filter(|end| *end != TestEnd::ThresholdsCrossed)
    {
        spoilt_by.push(format!("the run was ended early: {end:?}"));
    }
    Driven {
        exit: outcome.exit,
        summary_data,
        spoilt_by,
    }
}

/// Ends the outputs; gives what they lost.
fn spoilt_by(outputs: Arc<Outputs>, args: &Args, outcome: &Outcome, shown: &Shown) -> Vec<String> {
    let mut spoilt = Vec::new();
    let end = RunEnd {
        script: args.script.clone(),
        duration: shown.state.run_time(),
        thresholds: outcome.summary.threshold_results(),
        checks: outcome.summary.check_results(),
    };
    match Arc::try_unwrap(outputs) {
        Ok(outputs) => {
            for lane in outputs.finish(end) {
                let (name, lost) = (lane.name, lane.dropped_samples);
                if lost > 0 {
                    spoilt.push(format!("output {name} lost {lost} samples"));
                } else if let Some(error) = lane.error {
                    // What it had taken may not have been written.
                    spoilt.push(format!("output {name} failed: {error}"));
                }
            }
        }
        Err(_) => {
            spoilt.push("a worker still holds the outputs: they may be incomplete".to_owned());
        }
    }
    spoilt
}

fn start_outputs(
    named: &[String],
    registry: &Arc<Registry>,
    options: &Arc<Options>,
    logger: &Logger,
) -> Result<(Outputs, String), Failure> {
    let other = |error: output::OutputError| Failure::other(error.to_string());
    let from_environment = std::env::var("K6_OUT").ok().filter(|out| !out.is_empty());
    let named = if named.is_empty() {
        from_environment.into_iter().collect()
    } else {
        named.to_vec()
    };
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let environment: output::Environment = std::env::vars_os().filter_map(text).collect();
    let mut outputs = Vec::new();
    for name in &named {
        outputs.push(output::create(name, &environment).map_err(other)?);
    }
    let described: Vec<String> = outputs.iter().map(|output| output.description()).collect();
    let described = if described.is_empty() {
        "-".to_owned()
    } else {
        described.join(", ")
    };
    let setup = Setup {
        registry: Arc::clone(registry),
        options: Arc::clone(options),
        logger: logger.clone(),
        stdout: Arc::new(Mutex::new(std::io::stdout())),
    };
    Ok((Outputs::start(outputs, &setup).map_err(other)?, described))
}

async fn show_progress(shown: Shown, quiet: bool) {
    if quiet {
        return;
    }
    let live = std::io::stdout().is_terminal();
    let mut ticks = interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    loop {
        ticks.tick().await;
        let lines = shown.lines();
        if live {
            // Drawn over itself: the next block begins where this one began.
            let up = lines.lines().count();
            report::print(&format!("\x1b[J{lines}\x1b[{up}A"));
        } else {
            report::print(&format!("\n{lines}"));
        }
    }
}

/// The first signal ends the run, the second gives up on it.
async fn obey_signals(state: &RunState, signalled: &CancellationToken, logger: &Logger) {
    let signal = next_signal().await;
    logger.log(
        Level::Debug,
        "stopping in response to a signal",
        &[("sig", signal)],
    );
    state.stop(TestEnd::Signal(signal.to_owned()));
    signalled.cancel();
    let signal = next_signal().await;
    logger.error(&format!(
        "aborting in response to a second signal ({signal})"
    ));
}

async fn next_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await; // without signals nothing is to be obeyed
    };
    tokio::select! {
        _ = interrupt.recv() => "interrupt",
        _ = terminate.recv() => "terminated",
    }
}

fn refuse_unsupported(args: &Args) -> Result<(), Failure> {
    if std::env::var("K6_WEB_DASHBOARD").is_ok_and(|value| value == "true") {
        return Err(Failure::other(
            "there is no web dashboard (K6_WEB_DASHBOARD); use -o experimental-prometheus-rw with \
             the dashboards in grafana/",
        ));
    }
    let traces = args.script_flags.traces_output.as_deref().unwrap_or("none");
    if traces != "none" {
        return Err(Failure::other(format!(
            "--traces-output={traces} is not supported; use none"
        )));
    }
    let mode = args
        .script_flags
        .compatibility_mode
        .as_deref()
        .unwrap_or("extended");
    if !["extended", "base", "experimental_enhanced"].contains(&mode) {
        let choices = "'extended', 'base', 'experimental_enhanced'";
        return Err(Failure::other(format!(
            "invalid compatibility mode '{mode}'. Use: {choices}"
        )));
    }
    Ok(())
}
