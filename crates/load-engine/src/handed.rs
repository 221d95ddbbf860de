//! `handleSummary`, at the end of a run or for what others have measured.

use tokio::time::timeout;

use crate::log::Level;
use crate::run::{Run, SummaryFiles};
use crate::script::{Interrupt, ScriptError};
use crate::summary::Summary;
use crate::vu::Program;
use crate::worker::Command;
use crate::worker_pool::WorkerPool;

impl<P: Program> Run<P> {
    /// Calls `handleSummary` for what others have measured, and nothing else. Must be called inside a `LocalSet`.
    pub async fn hand_summary(self, summary: &Summary) -> SummaryFiles {
        let Some(workers) = self.start_pool() else {
            return SummaryFiles::Unusable;
        };
        let files = self.handle_summary(&workers, summary).await;
        workers.end();
        files
    }

    pub(crate) async fn handle_summary(
        &self,
        workers: &WorkerPool,
        summary: &Summary,
    ) -> SummaryFiles {
        let Some(summary_data) = &self.summary_data else {
            return SummaryFiles::Default;
        };
        // Even without such a function: as in k6, the init code runs once more.
        let limit = self.state.options().handle_summary_timeout();
        let data = summary_data(summary);
        let interrupt = Interrupt::new();
        let token = interrupt.clone();
        let Some(worker) = self.able(workers) else {
            return SummaryFiles::Default;
        };
        let asked = worker.ask(|reply| Command::Summary {
            data,
            interrupt: token,
            reply,
        });
        match timeout(limit, asked).await {
            Err(_) => {
                interrupt.cancel();
                let limit = limit.as_secs();
                self.logger
                    .error(&format!("handleSummary() timed out after {limit} seconds"));
                SummaryFiles::Default
            }
            Ok(Some(Ok(Some(files)))) => SummaryFiles::Returned(files),
            Ok(Some(Ok(None))) => SummaryFiles::Default,
            Ok(Some(Err(ScriptError::Unusable(why)))) => {
                let message = "failed to handle the end-of-test summary";
                self.logger.log(Level::Error, message, &[("error", &why)]);
                SummaryFiles::Unusable
            }
            Ok(Some(Err(ScriptError::Rejected(text)))) => {
                self.logger.error(&text);
                SummaryFiles::Returned(Vec::new())
            }
            Ok(Some(Err(error))) => {
                let fields = [("hint", "script exception")];
                self.logger.log(Level::Error, &error.to_string(), &fields);
                SummaryFiles::Default
            }
            Ok(None) => SummaryFiles::Default,
        }
    }
}
