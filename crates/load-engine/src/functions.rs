//! `setup` and `teardown`, each within its time: as parts of a run, and when they are asked for from
//! outside.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::state::RunState;
use crate::vu::{Interrupt, ScriptError};
use crate::worker::{Command, PATIENCE, ask};

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

/// How long a function that took too long may take to end.
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
    let done = done.map_err(|TooLong| FunctionError::TimedOut {
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
    // Without any time it is late, however fast it was.
    let done = done.and_then(|done| match limit.is_zero() {
        true => Err(TooLong),
        false => Ok(done),
    });
    let done = done.map_err(|TooLong| FunctionError::TimedOut {
        function: "teardown",
        limit,
    })?;
    Ok(done.unwrap_or(Ok(()))?)
}

struct TooLong;

/// What comes within the limit; `None` when that was interrupted and still does not come.
async fn within<T>(
    asked: impl Future<Output = Option<T>>,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Option<T>, TooLong> {
    tokio::pin!(asked);
    tokio::select! {
        biased;
        done = &mut asked => Ok(done),
        () = sleep(limit) => {
            interrupt.cancel();
            let _ = timeout(LAST_WORDS, asked).await; // its samples count
            Err(TooLong)
        }
        () = interrupt.cancelled() => Ok(timeout(PATIENCE, asked).await.unwrap_or(None)),
    }
}
