//! A run that is one part of a larger one on several machines.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::state::{RunState, TestEnd};

/// A step that waits for others.
pub type TogetherFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The coordination between the parts of a run.
pub trait Together {
    /// Waits until the scenarios of all parts begin. By then one of them has run `setup`, and its data is the
    /// run's.
    ///
    /// # Errors
    /// The reason why the run cannot begin.
    fn begin<'a>(&'a self, state: &'a Arc<RunState>) -> TogetherFuture<'a, Result<(), String>>;

    /// Whether this part runs `teardown`; waits until all parts have ended, since any of them may have to run it.
    fn tears_down(&self) -> TogetherFuture<'_, bool>;
}

/// How long a part that was stopped alone waits for the others. If all were stopped, all are about to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// [`Together::tears_down`], for a run that may be stopped.
pub(crate) async fn tears_down(together: &dyn Together, state: &RunState) -> bool {
    let impatience = async {
        state.stopped().cancelled().await;
        if let Some(TestEnd::Collector(_)) = state.end() {
            pending::<()>().await;
        }
        sleep(PATIENCE).await;
    };
    tokio::select! {
        biased;
        turn = together.tears_down() => turn,
        () = impatience => false,
    }
}
