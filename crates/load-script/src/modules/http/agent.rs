//! The state of a virtual user that its requests need.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_client::client::Client;
use load_engine::RunState;
use load_engine::log::Logger;
use load_metrics::Recorder;

use crate::vu::state::VuState;

/// The state of a VU that requests need. It outlives a call, so that requests can continue in the background.
pub(super) struct Agent {
    pub(super) client: Rc<Client>,
    pub(super) recorder: Recorder,
    pub(super) run: Arc<RunState>,
    pub(super) logger: Logger,
    /// VU and iteration, for the log.
    pub(super) place: (u64, u64),
    /// The lateness of the iteration; `None` when it is not measured.
    pub(super) late: Option<Duration>,
}

impl Agent {
    pub(super) fn of(vu: &VuState) -> Self {
        Self {
            client: Rc::clone(&vu.client),
            recorder: vu.recorder.clone(),
            run: Arc::clone(&vu.run),
            logger: vu.logger.clone(),
            place: (
                vu.ids.in_instance,
                vu.iteration.get().map_or(0, |iteration| iteration.in_vu),
            ),
            late: vu.run.measures_intended().then(|| {
                let iteration = vu.iteration.get();
                iteration.map_or_else(Default::default, |iteration| iteration.late)
            }),
        }
    }
}
