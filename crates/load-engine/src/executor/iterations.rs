//! `shared-iterations` and `per-vu-iterations`: a number of iterations within a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Stand;
use crate::options::scenario::Iterations;
use crate::plan::scale;
use crate::source::{SharedIterations, Source};

pub(super) async fn run_shared(stand: &Stand, config: &Iterations) {
    let vus = scale(&stand.stripe(), config.vus.unwrap_or(1));
    let total = stand.state().planned_iterations;
    let shared = Arc::new(SharedIterations {
        total,
        taken: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let mut running = Vec::new();
    for _ in 0..vus {
        let source = Source::Shared(Arc::clone(&shared));
        running.push(stand.start(source, stand.interrupt.child_token()).await);
    }
    stand
        .finish(running, || shared.stop.store(true, Ordering::Relaxed))
        .await;
    if vus > 0 {
        stand
            .count_dropped(total - shared.taken.load(Ordering::Relaxed))
            .await;
    }
}

pub(super) async fn run_per_vu(stand: &Stand, config: &Iterations) {
    let vus = scale(&stand.stripe(), config.vus.unwrap_or(1));
    let left = u64::try_from(config.iterations.unwrap_or(1)).unwrap_or(0);
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = Vec::new();
    for _ in 0..vus {
        let source = Source::Own {
            left,
            stop: Arc::clone(&stop),
        };
        running.push(stand.start(source, stand.interrupt.child_token()).await);
    }
    stand
        .finish(running, || stop.store(true, Ordering::Relaxed))
        .await;
    // A sample for each VU that could not do all of its own, as k6 has it.
    for undone in stand.state().take_undone() {
        stand.count_dropped(undone).await;
    }
}
