//! One server: its pool, and retries of commands.

use std::cell::Cell;
use std::time::Duration;

use redis::Value;
use tokio::time::{Instant, sleep};

use super::command::Command;
use super::failure::Failure;
use super::options::Backoff;
use super::pool::Pool;

/// A server, or a node of a cluster.
pub(crate) struct Node {
    pool: Pool,
    backoff: Backoff,
    /// The shortest measured response time.
    latency: Cell<Option<Duration>>,
    /// The time at which a command found the node failed.
    failed: Cell<Option<Instant>>,
}

/// How long a failed node is avoided.
const FAILED_FOR: Duration = Duration::from_secs(15);

impl Node {
    pub(crate) fn new(pool: Pool, backoff: Backoff) -> Self {
        Self {
            pool,
            backoff,
            latency: Cell::default(),
            failed: Cell::default(),
        }
    }

    /// Sends a command, and retries it after transient failures.
    pub(crate) async fn send(&self, command: &Command) -> Result<Value, Failure> {
        let mut attempt = 0;
        loop {
            let reply = self.send_once(&[command]).await;
            match &reply {
                Err(failure) if failure.may_pass() && attempt < self.backoff.retries => {
                    attempt += 1;
                    sleep(self.backoff.wait(attempt)).await;
                }
                _ => return reply,
            }
        }
    }

    /// Sends commands over one connection. Returns the reply of the last one.
    pub(crate) async fn send_once(&self, commands: &[&Command]) -> Result<Value, Failure> {
        let begin = Instant::now();
        let reply = self.pool.send(commands).await;
        if reply.is_ok() {
            let took = begin.elapsed();
            let known = self.latency.get().unwrap_or(took);
            self.latency.set(Some(known.min(took)));
        }
        reply
    }

    /// The latency of the node, which is measured if it is unknown; the maximum if the node does not reply.
    pub(crate) async fn latency(&self) -> Duration {
        if let Some(known) = self.latency.get() {
            return known;
        }
        let _ = self.send_once(&[&Command::new("ping")]).await;
        let measured = self.latency.get().unwrap_or(Duration::MAX);
        self.latency.set(Some(measured));
        measured
    }

    /// Avoids the node for a while, if there are others.
    pub(crate) fn mark_failed(&self) {
        self.failed.set(Some(Instant::now()));
    }

    /// Whether it was marked recently.
    pub(crate) fn has_failed(&self) -> bool {
        let failed = self.failed.get();
        failed.is_some_and(|at| at.elapsed() < FAILED_FOR)
    }
}
