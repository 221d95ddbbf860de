//! One server: its pool, and commands that are tried again.

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
    /// The shortest time that a reply took.
    latency: Cell<Option<Duration>>,
    /// A command found it out of order.
    failed: Cell<Option<Instant>>,
}

/// How long a node that failed is passed over.
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

    /// Sends a command, again if what went wrong may pass.
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

    /// Sends commands over one connection; gives the reply of the last.
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

    /// How fast it answers; it is asked if that is not known. The longest of all times if it does not answer.
    pub(crate) async fn latency(&self) -> Duration {
        if let Some(known) = self.latency.get() {
            return known;
        }
        let _ = self.send_once(&[&Command::new("ping")]).await;
        let measured = self.latency.get().unwrap_or(Duration::MAX);
        self.latency.set(Some(measured));
        measured
    }

    /// Passes the node over for a while, where there are others.
    pub(crate) fn mark_failed(&self) {
        self.failed.set(Some(Instant::now()));
    }

    /// Whether it was marked lately.
    pub(crate) fn has_failed(&self) -> bool {
        let failed = self.failed.get();
        failed.is_some_and(|at| at.elapsed() < FAILED_FOR)
    }
}
