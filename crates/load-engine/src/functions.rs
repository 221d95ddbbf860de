//! `setup` and `teardown`, each within its time: as parts of a run, and when they are asked for from
//! outside.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::state::RunState;
use crate::vu::{Interrupt, ScriptError};
use crate::worker::{Command, ask};

/// Why a function did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FunctionError {
    /// By its own fault, or it was interrupted.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// It took too long.
    #[error("{function}() execution timed out after {} seconds", limit.as_secs())]
    TimedOut {
        function: &'static str,
        limit: Duration,
    },
}

/// How long an interrupted function may take to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs `setup` on the worker that takes these commands; what it returned is kept.
pub(crate) async fn setup(
    worker: &mpsc::Sender<Command>,
    run: &RunState,
    interrupt: Interrupt,
) -> Result<(), FunctionError> {
    let token = interrupt.clone();
    let asked = ask(worker, |reply| Command::Setup {
        interrupt: token,
        reply,
    });
    let limit = run.options().setup_timeout();
    let done = within(asked, limit, &interrupt).await;
    let done = done.ok_or(FunctionError::TimedOut {
        function: "setup",
        limit,
    })?;
    let data: Option<Arc<str>> = done.unwrap_or(Err(ScriptError::Interrupted))?;
    run.set_setup_data(data);
    Ok(())
}

/// Runs `teardown` with what `setup` returned.
pub(crate) async fn teardown(
    worker: &mpsc::Sender<Command>,
    run: &RunState,
) -> Result<(), FunctionError> {
    // Not a child of the run's: an ended run is cleaned up after.
    let interrupt = Interrupt::new();
    let token = interrupt.clone();
    let asked = ask(worker, |reply| Command::Teardown {
        data: run.setup_data(),
        interrupt: token,
        reply,
    });
    let limit = run.options().teardown_timeout();
    let done = within(asked, limit, &interrupt).await;
    let done = done.ok_or(FunctionError::TimedOut {
        function: "teardown",
        limit,
    })?;
    Ok(done.unwrap_or(Ok(()))?)
}

async fn within<T>(
    asked: impl Future<Output = T>,
    limit: Duration,
    interrupt: &Interrupt,
) -> Option<T> {
    tokio::pin!(asked);
    match timeout(limit, &mut asked).await {
        Ok(done) => Some(done),
        Err(_) => {
            interrupt.cancel();
            let _ = timeout(LAST_WORDS, asked).await; // its samples count
            None
        }
    }
}
