//! Functions of the script that a worker runs on request.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::script::{Interrupt, ScriptError};

/// A function, and the receiver of its result.
#[derive(Debug)]
pub(crate) enum Call {
    /// Run `setup` in a fresh VU.
    Setup {
        interrupt: Interrupt,
        reply: oneshot::Sender<Result<Option<Arc<str>>, ScriptError>>,
    },
    /// Run `teardown` in a fresh VU.
    Teardown {
        data: Option<Arc<str>>,
        interrupt: Interrupt,
        reply: oneshot::Sender<Result<(), ScriptError>>,
    },
}

/// Sends a request and waits for the reply; `None` when the receiver has ended.
pub(crate) async fn ask<Q, T>(
    questions: &mpsc::Sender<Q>,
    question: impl FnOnce(oneshot::Sender<T>) -> Q,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    questions.send(question(reply)).await.ok()?;
    answer.await.ok()
}
