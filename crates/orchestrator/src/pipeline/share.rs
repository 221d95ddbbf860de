//! Single flight: identical concurrent requests share one run.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use detector_api::orchestrate::ErrorCode;
use futures_util::FutureExt;
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;

use crate::answering::Answering;
use crate::error::ApiError;
use crate::request::planned::{Keys, Planned};
use crate::share::answered::Answered;

/// Runs the `work` that answers a request, or joins identical work in progress; waits no longer than the
/// request may take. Without keys nothing is shared: a client that disconnects cancels the work.
///
/// # Errors
/// The work's, the time was up, or the work broke off.
pub(super) async fn share<F>(
    service: &Arc<Answering>,
    keys: Option<Keys>,
    planned: Planned,
    work: impl FnOnce(Arc<Answering>, Planned) -> F,
) -> Result<Arc<Answered>, ApiError>
where
    F: Future<Output = Result<Answered, ApiError>> + Send + 'static,
{
    let deadline = planned.deadline;
    let Some(keys) = keys else {
        let answered = AssertUnwindSafe(Box::pin(work(service.clone(), planned))).catch_unwind();
        let answered = timeout_at(deadline, answered).await;
        return landed(answered.map(|it| {
            let answered = it.ok()?.unwrap_or_else(Answered::refused);
            Some(Arc::new(answered))
        }));
    };
    let (flight, joined) = service.flights.share(planned.flight_key(keys), || {
        let service = service.clone();
        let asked_at = planned.asked_at.clone();
        let answered = work(service.clone(), planned);
        let answered = async move {
            let answered = Arc::new(answered.await.unwrap_or_else(Answered::refused));
            let answers = &service.answers;
            answers.keep(keys.answer, &answered, &asked_at).await;
            answered
        };
        // A panic of one request must not break other requests' connections.
        AssertUnwindSafe(answered).catch_unwind().map(Result::ok)
    });
    if joined {
        service.metrics.coalesced.inc();
    }
    landed(timeout_at(deadline, flight).await)
}

/// The result: late, broken, or an answer that may be an error.
fn landed(answered: Result<Option<Arc<Answered>>, Elapsed>) -> Result<Arc<Answered>, ApiError> {
    match answered {
        Ok(Some(answered)) => match &answered.error {
            Some(error) => Err(error.clone()),
            None => Ok(answered),
        },
        Ok(None) => Err(ApiError::broken()),
        Err(_) => {
            let message = "no detector answered before the request's deadline";
            Err(ApiError::new(ErrorCode::RequestTimeout, message))
        }
    }
}
