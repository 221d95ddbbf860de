//! `handleSummary`, at the end of a run or for the measurements of other processes.

use tokio::time::timeout;

use crate::log::Level;
use crate::run::{Run, SummaryFiles, SummaryOutput};
use crate::script::{Interrupt, ScriptError, SummaryCall, SummaryFile, SummaryReturn};
use crate::summary::Summary;
use crate::vu::Program;
use crate::worker::Command;
use crate::worker_pool::WorkerPool;

impl<P: Program> Run<P> {
    /// Calls only `handleSummary`, for the measurements of other processes. Must be called inside a `LocalSet`.
    pub async fn hand_summary(self, summary: &Summary) -> SummaryOutput {
        let Some(workers) = self.start_pool() else {
            return SummaryOutput {
                files: SummaryFiles::Unusable,
                data: None,
            };
        };
        let output = self.handle_summary(&workers, summary).await;
        workers.end();
        output
    }

    pub(crate) async fn handle_summary(
        &self,
        workers: &WorkerPool,
        summary: &Summary,
    ) -> SummaryOutput {
        let Some(summary_data) = &self.summary_data else {
            return SummaryOutput::default();
        };
        // Even without such a function: as in k6, the init code runs once more.
        let limit = self.state.options().handle_summary_timeout();
        let interrupt = Interrupt::new();
        let call = SummaryCall {
            data: summary_data(summary),
            reads_back: self.reads_summary_back,
            interrupt: interrupt.clone(),
        };
        let Some(worker) = self.able(workers) else {
            return SummaryOutput::default();
        };
        let asked = worker.ask(|reply| Command::Summary { call, reply });
        match timeout(limit, asked).await {
            Err(_) => {
                interrupt.cancel();
                let limit = limit.as_secs();
                self.logger
                    .error(&format!("handleSummary() timed out after {limit} seconds"));
                SummaryOutput::default()
            }
            Ok(Some(returned)) => self.output_of(returned),
            Ok(None) => SummaryOutput::default(),
        }
    }

    fn output_of(&self, returned: SummaryReturn) -> SummaryOutput {
        let data = match returned.data.transpose() {
            Ok(data) => data,
            Err(why) => {
                let why = format!("unexpected error while generating the summary: {why}");
                self.log_unusable(&why);
                return SummaryOutput {
                    files: SummaryFiles::Unusable,
                    data: None,
                };
            }
        };
        SummaryOutput {
            files: self.files_of(returned.files),
            data,
        }
    }

    fn files_of(&self, files: Result<Option<Vec<SummaryFile>>, ScriptError>) -> SummaryFiles {
        match files {
            Ok(Some(files)) => SummaryFiles::Returned(files),
            Ok(None) => SummaryFiles::Default,
            Err(ScriptError::Unusable(why)) => {
                self.log_unusable(&why);
                SummaryFiles::Unusable
            }
            Err(ScriptError::Rejected(text)) => {
                self.logger.error(&text);
                SummaryFiles::Returned(Vec::new())
            }
            Err(error) => {
                let fields = [("hint", "script exception")];
                self.logger.log(Level::Error, &error.to_string(), &fields);
                SummaryFiles::Default
            }
        }
    }

    fn log_unusable(&self, why: &str) {
        let message = "failed to handle the end-of-test summary";
        self.logger.log(Level::Error, message, &[("error", why)]);
    }
}
