//! What Redis must still be told: said in order as soon as there is a connection, by the task that
//! keeps it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Script, Value};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Component, Redis};

/// Past it the newest is dropped and counted as a fallback; leases repair what that leaves.
const LIMIT: usize = 10_000;
const SETTLING: Duration = Duration::from_millis(5);

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Later>>,
    more: Notify,
}

#[derive(Clone)]
struct Later {
    component: Component,
    script: &'static Script,
    arguments: Vec<Vec<u8>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Later>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Redis {
    /// Has a script run once there is a connection.
    pub(super) fn later(
        &self,
        component: Component,
        script: &'static Script,
        arguments: Vec<Vec<u8>>,
    ) {
        let mut waiting = self.inner.later.lock();
        if waiting.len() >= LIMIT {
            drop(waiting);
            self.fell_back(component);
            tracing::warn!(
                component = component.name(),
                "too much waits for Redis; dropped"
            );
            return;
        }
        waiting.push_back(Later {
            component,
            script,
            arguments,
        });
        drop(waiting);
        self.inner.later.more.notify_one();
    }

    /// Waits until everything was said, so that a replica that ends leaves nothing to time-outs.
    /// While Redis is lost that takes as long as it is: give it a time limit.
    pub async fn settled(&self) {
        while !self.inner.later.lock().is_empty() {
            sleep(SETTLING).await;
        }
    }

    /// Says what waits, for ever; returns when the connection is lost.
    pub(super) async fn catch_up(&self) {
        loop {
            let next = self.inner.later.lock().front().cloned();
            let Some(next) = next else {
                self.inner.later.more.notified().await;
                continue;
            };
            let said: Option<Value> = self.ask(next.component, next.script, &next.arguments).await;
            if said.is_none() && !self.is_connected() {
                return;
            }
            // What Redis refuses it will refuse again.
            self.inner.later.lock().pop_front();
        }
    }
}
