//! Counting requests, however they end.

use detector_api::orchestrate::ProcessingMode;
use tokio::time::Instant;

use super::Task;
use crate::answering::Answering;
use crate::metrics::Finished;

/// The end of a request, for its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Success,
    Partial,
    Error,
}

/// A request while it is worked on: in flight until this is dropped, even if its client leaves.
pub(super) struct Counted<'a> {
    service: &'a Answering,
    tenant: String,
    policy: String,
    mode: ProcessingMode,
    started: Instant,
}

impl<'a> Counted<'a> {
    pub(super) fn begin(service: &'a Answering, task: &Task) -> Self {
        service.metrics.in_flight.inc();
        Self {
            service,
            tenant: task.request.tenant.clone(),
            policy: task.request.bundle.clone(),
            mode: task.envelope.mode,
            started: task.envelope.started,
        }
    }

    /// Counts its end.
    pub(super) fn end(self, ended: Ended) {
        self.service.metrics.finished(&Finished {
            tenant: &self.tenant,
            policy: &self.policy,
            status: match ended {
                Ended::Success => "success",
                Ended::Partial => "partial",
                Ended::Error => "error",
            },
            mode: self.mode,
            duration: self.started.elapsed(),
        });
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.service.metrics.in_flight.dec();
    }
}
