//! The observers: probes at a fixed rate, and polls of the breakers.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use service_runtime::Shutdown;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::Drill;
use super::breaker::BreakerState;
use super::control::{Caller, Target, breaker_states, detector_calls, own_limit};
use super::observe::{BreakerSeen, Calls, CallsSeen, Probe};

/// Maximum number of probes in flight; further ones are skipped and counted.
const PROBES_UNDER_WAY: usize = 64;
/// Interval between polls of the breakers.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// One observation.
pub(super) enum Seen {
    Probe(Probe),
    LeftOut,
    /// A probe was not sent because of this machine, for this reason.
    OwnLimit(&'static str),
    Breaker(BreakerSeen),
    Calls(CallsSeen),
    /// The breakers were polled; with an error if that failed.
    Look(Result<(), String>),
}

#[derive(Clone)]
pub(super) struct Watch {
    pub drill: Drill,
    pub target: Target,
    pub caller: Caller,
    pub begun: Instant,
}

impl Watch {
    pub async fn probe(self, sender: mpsc::Sender<Seen>, stop: Shutdown) {
        let places = Arc::new(Semaphore::new(PROBES_UNDER_WAY));
        let mut tick = ticks(Duration::from_millis(self.drill.probe.interval_ms.max(10)));
        let mut under_way = JoinSet::new();
        let mut number = 0_u64;
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            number += 1;
            while under_way.try_join_next().is_some() {}
            let Ok(place) = places.clone().try_acquire_owned() else {
                drop(sender.try_send(Seen::LeftOut));
                continue;
            };
            let (watch, sender) = (self.clone(), sender.clone());
            under_way.spawn(async move {
                drop(sender.send(watch.ask(number).await).await);
                drop(place);
            });
        }
    }

    async fn ask(&self, number: u64) -> Seen {
        let sent = self.begun.elapsed();
        let content = format!("drill probe {number} at {sent:?}: write to jane@example.com");
        let answer = self.caller.probe(&self.target, &self.drill.probe, content);
        let (status, coverage) = match answer.await {
            Ok(answer) => answer,
            Err(error) => match own_limit(error.as_ref()) {
                Some(limit) => return Seen::OwnLimit(limit),
                None => (0, 0.0),
            },
        };
        Seen::Probe(Probe {
            sent,
            took: self.begun.elapsed() - sent,
            status,
            coverage,
        })
    }

    pub async fn look(self, sender: mpsc::Sender<Seen>, stop: Shutdown) {
        let mut tick = ticks(LOOK);
        let mut last: IndexMap<String, BreakerState> = IndexMap::new();
        let mut last_calls: IndexMap<String, Calls> = IndexMap::new();
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let metrics = match self.caller.metrics(&self.target.orchestrator).await {
                Ok(metrics) => metrics,
                Err(error) => {
                    drop(sender.send(Seen::Look(Err(error.to_string()))).await);
                    continue;
                }
            };
            drop(sender.send(Seen::Look(Ok(()))).await);
            for (detector, calls) in detector_calls(&metrics) {
                if last_calls.insert(detector.clone(), calls) == Some(calls) {
                    continue;
                }
                let seen = CallsSeen {
                    at: self.begun.elapsed(),
                    detector,
                    calls,
                };
                drop(sender.send(Seen::Calls(seen)).await);
            }
            for (detector, state) in breaker_states(&metrics) {
                let was = last.insert(detector.clone(), state.clone());
                if was.as_ref() == Some(&state) || (was.is_none() && state == BreakerState::Closed)
                {
                    continue;
                }
                let seen = BreakerSeen {
                    at: self.begun.elapsed(),
                    detector,
                    state,
                };
                drop(sender.send(Seen::Breaker(seen)).await);
            }
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}
