//! One run, from the flags to the exit code.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load_engine::log::{Level, Logger};
use load_engine::options::{derive, validate};
use load_engine::plan::Needs;
use load_engine::segment::Segment;
use load_engine::thresholds::Thresholds;
use load_engine::{
    Exit, Gatherer, Outcome, Program, Run, RunState, ScenarioStatus, Standings, TestEnd, Together,
    Workers, scenario_statuses,
};
use load_metrics::{Aggregate, Filter, Registry, SystemTag, builtin};
use load_outputs::{Output, Outputs, RunEnd, rest};
use tokio::task::LocalSet;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use crate::args::{Args, HealthMode, SummaryMode, TrendSinkMode};
use crate::failure::Failure;
use crate::features::{Feature, Features};
use crate::invocation::Invocation;
use crate::progress::Shown;
use crate::run_handle::RunHandle;
use crate::surroundings::{Interruption, Stream, Surroundings};
use crate::{Driven, Trend, banner, layers, logging, outputs, report, target, together};

const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Runs the script named by the flags.
pub fn run(
    args: &Args,
    around: &Surroundings,
    extra: Vec<Box<dyn Output>>,
    seen: &RunHandle,
) -> Result<Driven, Failure> {
    refuse_unsupported(args)?;
    let log = logging::logger(args, around)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("no runtime for the driver: {error}")))?;
    let run = drive(Invocation { args, around }, extra, log.logger.clone(), seen);
    let ended = LocalSet::new().block_on(&runtime, run);
    // After a second signal tasks may still run; they are not waited for.
    runtime.shutdown_background();
    let Ended {
        mut driven,
        abandoned,
    } = ended?;
    // The workers end now that nothing holds their queues, and hand over their samples.
    let wait = |outputs: Outputs| outputs.abandon(LAST_SAMPLES);
    if abandoned.is_some_and(|outputs| !Arc::into_inner(outputs).is_some_and(wait)) {
        let why = "the last samples may be missing: a thread did not end after the second signal";
        driven.invalid_because.push(why.to_owned());
    }
    Ok(driven)
}

/// How long the end of an abandoned run waits for samples that were already measured.
const LAST_SAMPLES: Duration = Duration::from_millis(500);

/// The end of a run.
struct Ended {
    driven: Driven,
    /// The outputs of a run that did not end by itself.
    abandoned: Option<Arc<Outputs>>,
}

async fn drive(
    invocation: Invocation<'_>,
    extra: Vec<Box<dyn Output>>,
    logger: Logger,
    seen: &RunHandle,
) -> Result<Ended, Failure> {
    let Invocation { args, around } = invocation;
    let file = layers::config_file(args, around)?;
    let registry = Arc::new(Registry::new());
    let loaded = target::load(invocation, Arc::clone(&registry), true, logger.clone()).await?;
    let mut options = layers::consolidate(invocation, file.options, &loaded, &logger)?;
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
    load_script::ScriptProgram::check(&options).map_err(|why| {
        match why.strip_prefix("tls: the option tlsAuth: ") {
            Some(why) if loaded.options.get("tlsAuth").is_some() => {
                Failure::config(target::of_script(&args.script, &loaded.url, why))
            }
            Some(why) => Failure::config(why),
            None => Failure::config(why),
        }
    })?;
    // Outputs also show thresholds that are not evaluated.
    let shown_options = Arc::new(options.clone());
    if args.report.no_thresholds == Some(true) {
        options.thresholds = None;
    }
    let part = together::Part {
        segment: &segment,
        registry: &registry,
        has_setup: program.has_function("setup"),
        has_teardown: program.has_function("teardown"),
    };
    let joined = together::join(invocation, &options, &part)?;
    // The collector judges the measurements of all machines.
    let is_judged_elsewhere = joined.is_some();
    let thresholds = options.thresholds.clone().unwrap_or_default();
    let mut thresholds = Thresholds::new(&thresholds, &registry).map_err(|error| config(&error))?;
    if is_judged_elsewhere {
        // Their sub-metrics are still counted.
        (options.thresholds, thresholds) = (None, Thresholds::default());
    }
    let options = Arc::new(options);
    let named: Vec<String> = args
        .report
        .outputs
        .iter()
        .chain(&file.outputs)
        .cloned()
        .collect();
    let (mut extra, mut together, mut ended_by_collector) = (extra, None, None);
    if let Some(joined) = joined {
        extra.push(Box::new(joined.output));
        together = Some(joined.together);
        ended_by_collector = Some(joined.stop);
    }
    let standings = Standings::default();
    let wanted = outputs::Wanted {
        script: &args.script,
        named: &named,
        extra,
        standings: &standings,
        around,
    };
    let (outputs, described) = outputs::start(wanted, &registry, &shown_options, &logger)?;
    let (needs, scenario_statuses) = scenario_statuses(&options, &segment);
    let intended = args.report.intended_duration == Some(true);
    let state = RunState::new(Arc::clone(&options))
        .measuring_intended(intended)
        .measuring_content(args.report.content_bytes)
        .telling(seen.exchanges())
        .showing(standings);
    let state = Arc::new(state);
    seen.show(&state, &scenario_statuses);
    if !args.process.quiet {
        around.stdout.print(banner::describe(
            &args.script,
            &described,
            &options,
            &segment,
            &needs,
        ));
    }
    let prepared = Prepared {
        program,
        registry,
        segment,
        thresholds,
        state,
        scenario_statuses,
        needs,
        together,
        ended_by_collector,
    };
    conduct(invocation, prepared, outputs, logger).await
}

/// A run that is ready to begin.
struct Prepared<P> {
    program: P,
    registry: Arc<Registry>,
    segment: Segment,
    thresholds: Thresholds,
    state: Arc<RunState>,
    scenario_statuses: Vec<Arc<ScenarioStatus>>,
    needs: Needs,
    together: Option<Rc<dyn Together>>,
    ended_by_collector: Option<collector::Stop>,
}

async fn conduct<P: Program>(
    invocation: Invocation<'_>,
    prepared: Prepared<P>,
    outputs: Outputs,
    logger: Logger,
) -> Result<Ended, Failure> {
    let Invocation { args, around } = invocation;
    let Prepared {
        state,
        scenario_statuses,
        needs,
        ..
    } = prepared;
    let outputs = Arc::new(outputs);
    let sink = Arc::clone(&outputs);
    let for_data = (args.clone(), around.clone());
    let threads = args
        .process
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let has_histograms = Features::of(args, around).has(Feature::NativeHistograms);
    let aggregate = match args.report.trend_sink {
        Some(TrendSinkMode::Hdr) => Aggregate::bounded(),
        None if has_histograms => Aggregate::bounded(),
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
    if state.options().has_system_tag(SystemTag::ExpectedResponse) {
        prepared.registry.register_filtered(expected_responses());
    }
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
        scenario_statuses: scenario_statuses.clone(),
        summary_data: (!report::is_silent(args)).then(|| {
            Box::new(move |summary: &_| report::summary_data(&for_data.0, &for_data.1, summary))
                as _
        }),
        reads_summary_back: args.report.summary_export.is_some(),
        gatherer: Gatherer::default(),
        linger: (args.process.linger == Some(true)).then(|| signalled.clone()),
        together: prepared.together,
    };
    let shown = Shown {
        state: Arc::clone(&state),
        scenario_statuses,
        planned_vus: needs.planned_vus,
        most_vus: needs.most_vus,
        longest: needs.duration,
    };
    let progress = tokio::task::spawn_local(show_progress(
        shown.clone(),
        around.stdout.clone(),
        args.process.quiet,
        around.screen,
    ));
    let outcome = tokio::select! {
        outcome = run.execute() => Some(outcome),
        () = obey_collector(prepared.ended_by_collector, &state) => None,
        () = obey(&around.interruption, &state, &signalled, &logger) => None,
    };
    progress.abort();
    if around.screen.is_some() && !args.process.quiet {
        around.stdout.print(CLEAR_BELOW);
    }
    let Some(outcome) = outcome else {
        return Ok(abandoned(&state, outputs));
    };
    let driven = finish(invocation, outcome, outputs, &shown, &logger);
    if let Some(api) = api {
        api.abort();
    }
    Ok(Ended {
        driven,
        abandoned: None,
    })
}

/// The end of a run after a second signal.
fn abandoned(state: &RunState, outputs: Arc<Outputs>) -> Ended {
    let driven = Driven {
        exit: Exit::Interrupted,
        summary_data: serde_json::Value::Null,
        invalid_because: vec!["the run was aborted by a second signal".to_owned()],
        completed_iterations: read(&state.instance.iterations_completed),
        failed_iterations: read(&state.instance.iterations_failed),
        cut_iterations: read(&state.instance.iterations_interrupted),
        without_samples: Vec::new(),
        trends: Vec::new(),
        health: state.health.report(),
        dropped_samples: outputs.dropped_samples(),
    };
    Ended {
        driven,
        abandoned: Some(outputs),
    }
}

/// Serves the REST API when an address is given; from before the first VU until the process ends.
async fn serve_api(
    args: &Args,
    live: rest::Live,
    logger: &Logger,
) -> Result<Option<tokio::task::JoinHandle<()>>, Failure> {
    let address = args.process.address.as_deref();
    let Some(address) = address.filter(|address| !address.is_empty()) else {
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
    invocation: Invocation<'_>,
    outcome: Outcome,
    outputs: Arc<Outputs>,
    shown: &Shown,
    logger: &Logger,
) -> Driven {
    let Invocation { args, around } = invocation;
    let summary_data = report::summary_data(args, around, &outcome.summary);
    let dropped_samples = outputs.dropped_samples();
    let mut invalid_because = invalid_because(outputs, args, &outcome, shown);
    report::summary(invocation, &outcome.summary, outcome.output, logger);
    invalid_because.extend(
        shown
            .state
            .left_behind()
            .iter()
            .map(|whose| format!("{whose} did not stop, so the samples of its thread are lost")),
    );
    let health = shown.state.health.report();
    report::health(invocation, &health, dropped_samples);
    if args.process.generator_health != Some(HealthMode::Never) {
        invalid_because.extend(health.broken_schedule());
    }
    invalid_because.extend(health.own_limits());
    if !args.process.quiet {
        around.stdout.print(format!("\n{}", shown.lines(None)));
    }
    for reason in &invalid_because {
        logger.log(
            Level::Warn,
            &format!("the results of this run are incomplete: {reason}"),
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
        invalid_because.push(format!("the run was ended early: {}", ended_by(&end)));
    }
    let metrics = outcome.summary.metrics;
    let without_samples = metrics.iter().filter(|metric| !metric.has_samples);
    let without_samples = without_samples.map(|metric| metric.name.clone()).collect();
    let instance = &shown.state.instance;
    Driven {
        exit: outcome.exit,
        summary_data,
        invalid_because,
        completed_iterations: read(&instance.iterations_completed),
        failed_iterations: read(&instance.iterations_failed),
        cut_iterations: read(&instance.iterations_interrupted),
        health,
        dropped_samples,
        without_samples,
        trends: metrics.into_iter().filter_map(Trend::of).collect(),
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// The reason for the end of a run, as text.
fn ended_by(end: &TestEnd) -> String {
    match end {
        TestEnd::ScriptAborted(said) => format!("by the script ({said})"),
        TestEnd::Signal(signal) => format!("by a signal ({signal})"),
        TestEnd::ThresholdsCrossed => "by a crossed threshold".to_owned(),
        TestEnd::RestApi => "over the REST API".to_owned(),
        TestEnd::Collector(why) => format!("by the collector ({why})"),
    }
}

/// Ends the outputs. Returns their losses.
fn invalid_because(
    outputs: Arc<Outputs>,
    args: &Args,
    outcome: &Outcome,
    shown: &Shown,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let end = RunEnd {
        script: args.script.clone(),
        duration: shown.state.run_time(),
        thresholds: outcome.summary.threshold_results(),
        checks: outcome.summary.check_results(),
        ended_early: shown.state.end().as_ref().map(ended_by),
        dropped_samples: outputs.dropped_samples(),
    };
    match Arc::try_unwrap(outputs) {
        Ok(outputs) => {
            for lane in outputs.finish(end) {
                let (name, lost) = (lane.name, lane.dropped_samples);
                if lost > 0 {
                    reasons.push(format!("output {name} lost {lost} samples"));
                } else if let Some(error) = lane.error {
                    // Samples that the output had accepted may not have been written.
                    reasons.push(format!("output {name} failed: {error}"));
                }
            }
        }
        Err(_) => {
            reasons.push("a worker still uses the outputs; they may be incomplete".to_owned());
        }
    }
    reasons
}

/// Clears a terminal from the cursor on.
const CLEAR_BELOW: &str = "\x1b[J";

async fn show_progress(shown: Shown, stdout: Stream, quiet: bool, screen: Option<fn() -> usize>) {
    if quiet {
        return;
    }
    let mut ticks = interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    loop {
        ticks.tick().await;
        let lines = shown.lines(screen.map(|columns| columns()));
        if screen.is_some() {
            // The block is overwritten: the next one begins where this one began.
            let up = lines.lines().count();
            stdout.print(format!("{CLEAR_BELOW}{lines}\x1b[{up}A"));
        } else {
            stdout.print(format!("\n{lines}"));
        }
    }
}

/// Ends the run when the collector requests it; never completes.
async fn obey_collector(stop: Option<collector::Stop>, state: &RunState) {
    if let Some(stop) = stop {
        state.stop(TestEnd::Collector(stop.wait().await));
    }
    std::future::pending::<()>().await;
}

/// Ends the run on request; completes when it must not be waited for.
async fn obey(
    interruption: &Interruption,
    state: &RunState,
    signalled: &CancellationToken,
    logger: &Logger,
) {
    match interruption {
        Interruption::Signals => obey_signals(state, signalled, logger).await,
        Interruption::Tokens { end, give_up } => {
            end.cancelled().await;
            state.stop(TestEnd::Signal("interrupt".to_owned()));
            signalled.cancel();
            give_up.cancelled().await;
        }
    }
}

/// The first signal ends the run, the second abandons it.
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
        return std::future::pending().await; // without signal handlers there is nothing to wait for
    };
    tokio::select! {
        _ = interrupt.recv() => "interrupt",
        _ = terminate.recv() => "terminated",
    }
}

/// The sub-metric that always exists.
fn expected_responses() -> Filter {
    Filter {
        parent: builtin::HTTP_REQ_DURATION,
        suffix: "expected_response:true".to_owned(),
        tags: vec![("expected_response".to_owned(), "true".to_owned())],
    }
}

fn refuse_unsupported(args: &Args) -> Result<(), Failure> {
    let traces = args.script_flags.traces_output.as_deref().unwrap_or("none");
    if traces != "none" {
        return Err(Failure::other(format!("invalid traces output {traces:?}")));
    }
    let mode = args
        .script_flags
        .compatibility_mode
        .as_deref()
        .unwrap_or("extended");
    if !["extended", "base", "experimental_enhanced"].contains(&mode) {
        let choices = r#""extended", "base", "experimental_enhanced""#;
        return Err(Failure::other(format!(
            "invalid compatibility mode {mode:?}. Use: {choices}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ended_a_run_is_told_in_words() {
        let names = [
            "ScriptAborted",
            "Signal",
            "ThresholdsCrossed",
            "RestApi",
            "\"",
        ];
        for (end, said) in [
            (
                TestEnd::ScriptAborted("enough".to_owned()),
                "by the script (enough)",
            ),
            (
                TestEnd::Signal("interrupt".to_owned()),
                "by a signal (interrupt)",
            ),
            (TestEnd::ThresholdsCrossed, "by a crossed threshold"),
            (TestEnd::RestApi, "over the REST API"),
        ] {
            let text = ended_by(&end);
            assert_eq!(text, said);
            assert!(names.iter().all(|name| !text.contains(name)), "{text}");
        }
    }
}
