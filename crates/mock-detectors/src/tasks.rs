//! The tasks of one server.

use std::time::Duration;

use service_runtime::Shutdown;
use tokio_util::task::TaskTracker;

/// Spawns tasks that end at the latest with the server. Also the executor of HTTP/2.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    abort: Shutdown,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            abort: Shutdown::new(),
        }
    }

    /// Gives tasks `drain` to end, ends the others, and returns when all have ended.
    pub(crate) async fn end(self, drain: Duration) {
        self.tracker.close();
        drop(tokio::time::timeout(drain, self.tracker.wait()).await);
        self.abort.cancel();
        self.tracker.wait().await;
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        // Boxed: an argument of an async function is in its future twice.
        let task = Box::pin(task);
        self.tracker.spawn(async move {
            abort.run_until_cancelled(task).await;
        });
    }
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}
