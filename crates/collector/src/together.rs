//! A runner's side of the coordination: `setup` once, a common start, `teardown` once.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use load_engine::functions::run_setup;
use load_engine::{RunState, Together, TogetherFuture};
use tokio::time::sleep;

use super::client::{Client, ClientError};
use super::output::Began;
use super::server::unix_ms;
use super::wire::{Teardown, Turn};

/// Interval between polls of the collector.
const ASK: Duration = Duration::from_millis(100);
/// Consecutive failures after which a runner gives up before its start.
const MOST_FAILURES: u32 = 5;

/// A runner of a run on several machines.
#[derive(Debug, Clone)]
pub struct Member {
    client: Client,
    began: Began,
    has_setup: bool,
}

impl Member {
    /// `has_setup`: the script has a `setup` function.
    pub fn new(client: Client, has_setup: bool) -> Self {
        Self {
            client,
            began: Began::default(),
            has_setup,
        }
    }

    /// Receives the time of the start.
    pub fn began(&self) -> Began {
        self.began.clone()
    }

    /// The same, for the engine.
    pub fn into_together(self) -> Rc<dyn Together> {
        Rc::new(self)
    }

    async fn set_up(&self, state: &Arc<RunState>) -> Result<(), String> {
        loop {
            match self.ask(Client::turn).await? {
                Turn::Wait => sleep(ASK).await,
                Turn::Take(data) => {
                    let text = (!data.is_null()).then(|| data.to_string().into());
                    state.set_setup_data(text);
                    return Ok(());
                }
                Turn::Run => {
                    if self.has_setup {
                        let done = run_setup(state).await.ok_or("the run has ended")?;
                        done.map_err(|error| error.to_string())?;
                    }
                    let data = state.setup_data();
                    let data = data
                        .and_then(|text| serde_json::from_str(&text).ok())
                        .unwrap_or_default();
                    self.ask(move |client| client.set_up(data)).await?;
                    return Ok(());
                }
            }
        }
    }

    async fn begin(&self) -> Result<(), String> {
        let begin = loop {
            let begin = self.ask(Client::ready).await?;
            match (begin.stop, begin.at_unix_ms) {
                (Some(why), _) => return Err(format!("the collector ends the run: {why}")),
                (None, Some(at)) => break at,
                (None, None) => sleep(ASK).await,
            }
        };
        sleep(self.client.until(begin)).await;
        self.began.set(unix_ms());
        Ok(())
    }

    /// Sends a request without blocking the thread, and retries while the collector cannot be reached.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Client) -> Result<T, ClientError> + Clone + Send + 'static,
    ) -> Result<T, String> {
        let mut failures = 0;
        loop {
            let (client, question) = (self.client.clone(), question.clone());
            let asked = tokio::task::spawn_blocking(move || question(&client)).await;
            match asked.map_err(|error| error.to_string())? {
                Ok(answer) => return Ok(answer),
                Err(error @ ClientError::Refused(_)) => return Err(error.to_string()),
                Err(error) => {
                    failures += 1;
                    if failures >= MOST_FAILURES {
                        return Err(error.to_string());
                    }
                    sleep(ASK * 5).await;
                }
            }
        }
    }
}

impl Together for Member {
    fn begin<'a>(&'a self, state: &'a Arc<RunState>) -> TogetherFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.set_up(state).await?;
            Member::begin(self).await
        })
    }

    fn tears_down(&self) -> TogetherFuture<'_, bool> {
        Box::pin(async move {
            loop {
                match self.ask(Client::teardown).await {
                    Ok(Teardown::Run) => return true,
                    Ok(Teardown::No) => return false,
                    Ok(Teardown::Wait) => sleep(ASK * 5).await,
                    // Only the collector knows which runner is next.
                    Err(_) => return false,
                }
            }
        })
    }
}
