//! Collects what workers have gathered.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use load_metrics::{Aggregate, Delta};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::worker::{Command, Worker};

/// Asks workers for what they have gathered. One that is busy answers later; nothing is lost.
#[derive(Default)]
pub struct Gatherer {
    /// What each worker was asked for and has not handed over, by its place.
    asked: Vec<Option<oneshot::Receiver<Delta>>>,
}

impl Gatherer {
    /// Asks all workers and takes what comes within `limit`. For each, whether it handed over all that it
    /// had; one that was left behind is not waited for.
    pub(crate) async fn gather(
        &mut self,
        workers: &[&Worker],
        aggregate: &Mutex<Aggregate>,
        limit: Duration,
    ) -> Vec<bool> {
        let deadline = Instant::now() + limit;
        let count = workers.len().max(self.asked.len());
        self.asked.resize_with(count, || None);
        // Who has not answered the last time is not asked again before he does: he has no room for ever more.
        let mut is_old = Vec::with_capacity(workers.len());
        for (asked, worker) in self.asked.iter_mut().zip(workers) {
            is_old.push(asked.is_some());
            if asked.is_none() {
                *asked = ask(worker, deadline).await;
            }
        }
        let mut all = Vec::with_capacity(workers.len());
        for ((asked, worker), is_old) in self.asked.iter_mut().zip(workers).zip(is_old) {
            let mut done = take(asked, worker, aggregate, deadline).await;
            if done && is_old {
                *asked = ask(worker, deadline).await;
                done = take(asked, worker, aggregate, deadline).await;
            }
            all.push(done);
        }
        all
    }
}

/// Asks a worker; `None` when it cannot be asked.
async fn ask(worker: &Worker, deadline: Instant) -> Option<oneshot::Receiver<Delta>> {
    let (reply, answer) = oneshot::channel();
    let told = timeout_at(deadline, worker.tell(Command::Flush(reply))).await;
    (told == Ok(true)).then_some(answer)
}

/// Takes what a worker was asked for; false when it does not come in time.
async fn take(
    asked: &mut Option<oneshot::Receiver<Delta>>,
    worker: &Worker,
    aggregate: &Mutex<Aggregate>,
    deadline: Instant,
) -> bool {
    let Some(answer) = asked else { return false };
    let delta = tokio::select! {
        biased;
        delta = timeout_at(deadline, answer) => delta,
        () = worker.left().cancelled() => return false,
    };
    let Ok(delta) = delta else { return false }; // it comes with the next time
    *asked = None;
    // Who ends without an answer has been reported by the panic hook.
    if let Ok(delta) = delta {
        let mut aggregate = aggregate.lock().unwrap_or_else(PoisonError::into_inner);
        aggregate.absorb(delta);
    }
    true
}
