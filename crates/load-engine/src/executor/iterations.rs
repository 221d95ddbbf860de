//! `shared-iterations` and `per-vu-iterations`: a number of iterations within a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::ExecutorContext;
use crate::options::scenario::Iterations;
use crate::plan::scale;
use crate::source::{SharedIterations, Source};

pub(super) async fn run_shared(context: &ExecutorContext, config: &Iterations) {
    let vus = scale(&context.stripe(), config.vus.unwrap_or(1));
    let total = context.state().planned_iterations;
    let shared = Arc::new(SharedIterations {
        total,
        taken: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let mut running = Vec::new();
    for _ in 0..vus {
        let source = Source::Shared(Arc::clone(&shared));
        running.push(context.start(source, context.interrupt.child_token()).await);
    }
    context
        .finish(running, || shared.stop.store(true, Ordering::Relaxed))
        .await;
    if vus > 0 {
        context
            .count_dropped(total - shared.taken.load(Ordering::Relaxed))
            .await;
    }
}

pub(super) async fn run_per_vu(context: &ExecutorContext, config: &Iterations) {
    let vus = scale(&context.stripe(), config.vus.unwrap_or(1));
    let left = u64::try_from(config.iterations.unwrap_or(1)).unwrap_or(0);
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = Vec::new();
    for _ in 0..vus {
        let source = Source::Own {
            left,
            stop: Arc::clone(&stop),
        };
        running.push(context.start(source, context.interrupt.child_token()).await);
    }
    context
        .finish(running, || stop.store(true, Ordering::Relaxed))
        .await;
    // One sample for each VU that did not complete its iterations, as in k6.
    for undone in context.state().take_undone() {
        context.count_dropped(undone).await;
    }
}
