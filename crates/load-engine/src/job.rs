//! An active VU: one local task per VU, one job per scenario that it runs.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use load_metrics::{Recorder, builtin};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::activation::{Activation, Iteration, IterationEnd, ScenarioState};
use crate::arrivals::Arrival;
use crate::source::Source;
use crate::state::{RunState, TestEnd};
use crate::vu::Vu;

/// Work for a VU.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) activation: Activation,
    pub(crate) source: Source,
    /// Signals that the VU is free again.
    pub(crate) ended: oneshot::Sender<()>,
}

/// The state that the tasks of one worker share.
#[derive(Clone)]
pub(crate) struct WorkerContext {
    pub(crate) recorder: Recorder,
    pub(crate) run: Arc<RunState>,
    pub(crate) min_iteration: Duration,
}

/// Processes jobs until there are no more.
pub(crate) async fn work<V: Vu>(
    mut vu: V,
    mut jobs: mpsc::Receiver<Box<Job>>,
    worker: WorkerContext,
) {
    let mut iterations = 0;
    while let Some(job) = jobs.recv().await {
        run_job(&mut vu, *job, &worker, &mut iterations).await;
    }
}

async fn run_job<V: Vu>(vu: &mut V, mut job: Job, worker: &WorkerContext, iterations: &mut u64) {
    let activation = Rc::new(job.activation);
    let interrupt = activation.interrupt.clone();
    let scenario = Arc::clone(&activation.scenario);
    vu.activate(Rc::clone(&activation));
    vu.prepare().await;
    job.source.vu_is_ready();
    worker
        .run
        .instance
        .vus_active
        .fetch_add(1, Ordering::Relaxed);
    scenario.vus_active.fetch_add(1, Ordering::Relaxed);
    let mut in_vu_scenario = 0;
    while let Some(arrival) = job.source.next(&interrupt).await {
        let in_instance = scenario.begun.fetch_add(1, Ordering::Relaxed);
        let late = arrival.scheduled.map(|scheduled| scheduled.elapsed());
        if let Some(late) = late {
            worker.run.health.note_start(late);
        }
        let iteration = Iteration {
            in_vu: *iterations,
            in_vu_scenario,
            in_instance,
            in_test: number_in_test(&scenario, &arrival, in_instance),
            scheduled: arrival.scheduled,
            late: late.unwrap_or_default(),
        };
        *iterations += 1;
        in_vu_scenario += 1;
        let has_waited = iterate(vu, iteration, &activation, worker).await;
        job.source.iteration_ended();
        // A VU that never waits must let the others of its thread run. One that has waited continues at once:
        // its data is in the processor's caches now, and would not be after a thousand other VUs.
        if !has_waited {
            tokio::task::yield_now().await;
        }
    }
    scenario.note_undone(job.source.undone());
    scenario.vus_active.fetch_sub(1, Ordering::Relaxed);
    worker
        .run
        .instance
        .vus_active
        .fetch_sub(1, Ordering::Relaxed);
    // The executor may be gone when the run was stopped; the VU is free nevertheless.
    let _ = job.ended.send(());
}

fn number_in_test(scenario: &ScenarioState, arrival: &Arrival, in_instance: u64) -> u64 {
    arrival
        .in_test
        .or_else(|| scenario.stripe.nth(in_instance))
        .unwrap_or(in_instance)
}

/// Runs an iteration. Returns whether other tasks ran meanwhile.
async fn iterate<V: Vu>(
    vu: &mut V,
    iteration: Iteration,
    activation: &Activation,
    worker: &WorkerContext,
) -> bool {
    let (run, scenario) = (&worker.run, &activation.scenario);
    let begin = Instant::now();
    let mut has_waited = false;
    let end = {
        let mut running = pin!(vu.iterate(iteration));
        poll_fn(|cx| {
            let polled = running.as_mut().poll(cx);
            has_waited |= polled.is_pending();
            polled
        })
        .await
    };
    let took = begin.elapsed();
    let interrupted = activation.interrupt.is_cancelled() || end == IterationEnd::Interrupted;
    if !interrupted {
        let at = worker.recorder.sample_time();
        let (tags, metadata) = (vu.tags(), vu.metadata());
        let millis = took.as_secs_f64() * 1e3;
        let record = |metric, value| {
            worker
                .recorder
                .record_with(metric, &tags, metadata.as_ref(), at, value);
        };
        record(builtin::ITERATION_DURATION, millis);
        record(builtin::ITERATIONS, 1.0);
    }
    let complete = !interrupted && !matches!(end, IterationEnd::Aborted(_));
    let (of_run, of_scenario) = if complete {
        (&run.instance.iterations_completed, &scenario.completed)
    } else {
        (&run.instance.iterations_interrupted, &scenario.interrupted)
    };
    of_run.fetch_add(1, Ordering::Relaxed);
    if complete && end == IterationEnd::Failed {
        run.instance
            .iterations_failed
            .fetch_add(1, Ordering::Relaxed);
    }
    of_scenario.fetch_add(1, Ordering::Relaxed);
    if let IterationEnd::Aborted(message) = end {
        run.stop(TestEnd::ScriptAborted(message));
    }
    if complete && took < worker.min_iteration {
        let rest = worker.min_iteration - took;
        tokio::select! {
            () = activation.interrupt.cancelled() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
    has_waited
}
