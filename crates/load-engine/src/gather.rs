//! Collects the samples that workers have gathered.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use load_metrics::{Aggregate, Delta};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::worker::{Command, Worker};

/// Requests for the samples of workers. A busy worker replies later; nothing is lost.
#[derive(Default)]
pub struct Gatherer {
    /// The open request to each worker, by its index.
    asked: Vec<Option<oneshot::Receiver<Delta>>>,
}

impl Gatherer {
    /// Asks all workers and takes the replies that arrive within `limit`. Returns for each whether it has
    /// handed over everything; an abandoned worker is not waited for.
    pub(crate) async fn gather(
        &mut self,
        workers: &[&Worker],
        aggregate: &Mutex<Aggregate>,
        limit: Duration,
    ) -> Vec<bool> {
        let deadline = Instant::now() + limit;
        let count = workers.len().max(self.asked.len());
        self.asked.resize_with(count, || None);
        // A worker that has not replied to the last request is not asked again, since its queue is bounded.
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

/// Sends a request to a worker; `None` when the worker cannot take it.
async fn ask(worker: &Worker, deadline: Instant) -> Option<oneshot::Receiver<Delta>> {
    let (reply, answer) = oneshot::channel();
    let told = timeout_at(deadline, worker.tell(Command::Flush(reply))).await;
    (told == Ok(true)).then_some(answer)
}

/// Takes the reply of a worker; false when it does not arrive in time.
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
    let Ok(delta) = delta else { return false }; // it arrives with the next call
    *asked = None;
    // The panic hook has reported a worker that ended without a reply.
    if let Ok(delta) = delta {
        let mut aggregate = aggregate.lock().unwrap_or_else(PoisonError::into_inner);
        aggregate.absorb(delta);
    }
    true
}
