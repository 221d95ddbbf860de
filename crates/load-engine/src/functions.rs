//! `setup` and `teardown` with their timeouts, as parts of a run and on external request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::call::{Call, ask};
use crate::script::{Interrupt, ScriptError};
use crate::state::RunState;
use crate::worker::PATIENCE;

/// The reason why a function did not complete.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// It failed, or it was interrupted.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// It timed out.
    #[error("{function}() execution timed out after {} seconds", limit.as_secs())]
    TimedOut {
        /// Its name.
        function: &'static str,
        /// Its time limit.
        limit: Duration,
    },
}

/// The time that a function has to end after its timeout.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs `setup` on external request and stores its result; `None` when the run has ended.
///
/// # Errors
/// See [`FunctionError`].
pub async fn run_setup(run: &RunState) -> Option<Result<(), FunctionError>> {
    let worker = run.functions().await?;
    let interrupt = run.stopped().child_token();
    Some(setup(&worker, run, interrupt).await)
}

/// Runs `teardown` on external request; `None` when the run has ended.
///
/// # Errors
/// See [`FunctionError`].
pub async fn run_teardown(run: &RunState) -> Option<Result<(), FunctionError>> {
    let worker = run.functions().await?;
    Some(teardown(&worker, run).await)
}

/// Runs `setup` on the worker that receives these calls, and stores its result.
pub(crate) async fn setup(
    worker: &mpsc::Sender<Call>,
    run: &RunState,
    interrupt: Interrupt,
) -> Result<(), FunctionError> {
    let token = interrupt.clone();
    let asked = ask(worker, |reply| Call::Setup {
        interrupt: token,
        reply,
    });
    let limit = run.options().setup_timeout();
    let done = within(asked, limit, &interrupt).await;
    let done = done.map_err(|TimedOut| FunctionError::TimedOut {
        function: "setup",
        limit,
    })?;
    let data: Option<Arc<str>> = done.unwrap_or(Err(ScriptError::Interrupted))?;
    run.set_setup_data(data);
    Ok(())
}

/// Runs `teardown` with the result of `setup`.
pub(crate) async fn teardown(
    worker: &mpsc::Sender<Call>,
    run: &RunState,
) -> Result<(), FunctionError> {
    // Not a child of the run's token, since `teardown` also runs after a stopped run.
    let interrupt = Interrupt::new();
    let token = interrupt.clone();
    let asked = ask(worker, |reply| Call::Teardown {
        data: run.setup_data(),
        interrupt: token,
        reply,
    });
    let limit = run.options().teardown_timeout();
    let done = within(asked, limit, &interrupt).await;
    // With a limit of zero it always times out.
    let done = done.and_then(|done| match limit.is_zero() {
        true => Err(TimedOut),
        false => Ok(done),
    });
    let done = done.map_err(|TimedOut| FunctionError::TimedOut {
        function: "teardown",
        limit,
    })?;
    Ok(done.unwrap_or(Ok(()))?)
}

struct TimedOut;

/// The result within the limit; `None` when the function was interrupted and still does not return.
async fn within<T>(
    asked: impl Future<Output = Option<T>>,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Option<T>, TimedOut> {
    tokio::pin!(asked);
    tokio::select! {
        biased;
        done = &mut asked => Ok(done),
        () = sleep(limit) => {
            interrupt.cancel();
            let _ = timeout(LAST_WORDS, asked).await; // its samples count
            Err(TimedOut)
        }
        () = interrupt.cancelled() => Ok(timeout(PATIENCE, asked).await.unwrap_or(None)),
    }
}
