//! The takeover of a connection from HTTP by a request's fault.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::raw::Plan;

/// The slot in which a request's fault asks for the socket of its connection.
#[derive(Debug, Default)]
pub(crate) struct Takeover {
    asked: AtomicBool,
    plan: Mutex<Option<Plan>>,
    /// Wakes the connection: with HTTP/2, requests run in their own tasks.
    notify: Notify,
}

impl Takeover {
    /// Asks for the connection. The first plan wins.
    pub(crate) fn take(&self, plan: Plan) {
        let mut slot = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(plan);
        self.asked.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// The plan, if it was requested; it is taken out.
    pub(crate) fn plan(&self) -> Option<Plan> {
        if !self.asked.load(Ordering::Acquire) {
            return None;
        }
        self.plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Waits until the connection is requested.
    pub(crate) async fn asked(&self) {
        self.notify.notified().await;
    }
}

/// The connection's data for its requests.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionHandle {
    pub(crate) takeover: Arc<Takeover>,
    pub(crate) http2: bool,
}
