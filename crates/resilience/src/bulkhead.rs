//! At most N calls in flight and a short bounded queue; further calls are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use live_config::{Check, ConfigError};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The limits of running and waiting calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Calls in flight at once.
    pub max_in_flight: u32,
    /// Calls that wait for a place.
    pub max_queued: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_in_flight: 256,
            max_queued: 64,
        }
    }
}

impl Config {
    /// Adds an error for every invalid value.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        Check::new(faults).at_least("max_in_flight", self.max_in_flight, 1);
    }
}

/// The reason why a call is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("all slots and the queue are full")]
    Queue,
    #[error("no slot became free in time")]
    Late,
}

/// Bounds the calls to one detector. Clones share the places.
#[derive(Debug, Clone)]
pub struct Bulkhead {
    places: Arc<Semaphore>,
    queued: Arc<AtomicUsize>,
    config: Config,
}

/// One place, released on drop.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Bulkhead {
    pub fn new(config: Config) -> Self {
        let places = (config.max_in_flight as usize).min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            queued: Arc::default(),
            config,
        }
    }

    /// A place, at once or after a wait in the queue until `deadline`.
    ///
    /// # Errors
    /// The queue is full too, or the deadline passed.
    pub async fn enter(&self, deadline: Instant) -> Result<Permit, Full> {
        if let Ok(permit) = self.places.clone().try_acquire_owned() {
            return Ok(Permit { _permit: permit });
        }
        let _queued = Queued::join(&self.queued, self.config.max_queued as usize)?;
        match tokio::time::timeout_at(deadline, self.places.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit { _permit: permit }),
            // The semaphore is never closed; if it were, there would be no place either.
            Ok(Err(_)) | Err(_) => Err(Full::Late),
        }
    }

    /// Calls in flight now.
    pub fn in_flight(&self) -> usize {
        (self.config.max_in_flight as usize).saturating_sub(self.places.available_permits())
    }

    /// Calls that wait now.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}

/// A place in the queue, released on drop, so that a cancelled wait does not stay counted.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn join(queue: &'a AtomicUsize, limit: usize) -> Result<Self, Full> {
        queue
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < limit).then_some(waiting + 1)
            })
            .map(|_| Self(queue))
            .map_err(|_| Full::Queue)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bulkhead_queues_then_refuses_at_once() {
        let bulkhead = Bulkhead::new(Config {
            max_in_flight: 1,
            max_queued: 1,
        });
        let place = bulkhead.enter(soon()).await.expect("free");
        let waiting = tokio::spawn({
            let bulkhead = bulkhead.clone();
            async move { bulkhead.enter(soon()).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (1, 1));
        let started = Instant::now();
        assert_eq!(bulkhead.enter(soon()).await.err(), Some(Full::Queue));
        assert_eq!(started.elapsed(), Duration::ZERO);
        drop(place);
        assert_eq!(waiting.await.expect("no panic"), Ok(()));
        assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_deadline_and_leaves_the_queue() {
        let bulkhead = Bulkhead::new(Config {
            max_in_flight: 1,
            max_queued: 1,
        });
        let _place = bulkhead.enter(soon()).await.expect("free");
        assert_eq!(bulkhead.enter(soon()).await.err(), Some(Full::Late));
        assert_eq!(bulkhead.queued(), 0);
    }
}
