//! Deferred commands to Redis, sent in order as soon as there is a connection, by the task that maintains it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Script, Value};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Component, Redis};

/// The capacity: beyond it, new commands are dropped and counted as fallbacks; leases repair the consequences.
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
    /// Runs a script once there is a connection.
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
                "the queue for Redis is full; an entry was dropped"
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

    /// Waits until everything is sent, so that an ending replica leaves nothing to time-outs. Use a time limit,
    /// since this waits while Redis is unavailable.
    pub async fn settled(&self) {
        while !self.inner.later.lock().is_empty() {
            sleep(SETTLING).await;
        }
    }

    /// Sends deferred commands; returns when the connection is lost.
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
            // Redis would refuse a refused command again.
            self.inner.later.lock().pop_front();
        }
    }
}
