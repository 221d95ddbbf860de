//! The endpoints of one detector, each with its own breaker, limit and load, and the selection for a call: an
//! endpoint that is in rotation, not ejected and admitted by its breaker, by power of two choices. If there is
//! none, ejected endpoints are used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Uri};
use resilience::balance::{Load, choose};
use resilience::breaker::{Breaker, Counts, Outcome, Permit, Rejected, State, Transition};
use resilience::limit::{Gate, Waiting};
use resilience::outlier::Outliers;
use tokio::time::Instant;

use crate::ask::transport::host;
use crate::config::DetectorSettings;
use crate::events::{Change, Events, Kind};
use crate::metrics::Metrics;

/// One endpoint at run time.
pub struct Replica {
    pub uri: Uri,
    /// The `Host` header of requests to it.
    pub host: Option<HeaderValue>,
    pub breaker: Breaker,
    pub gate: Gate,
    load: Mutex<Load>,
    in_rotation: AtomicBool,
}

/// All endpoints of one detector.
pub struct Replicas {
    all: Vec<Replica>,
    outliers: Mutex<Outliers>,
    /// The latency that a failed call counts as in the load; otherwise a replica that fails fast would attract
    /// all calls.
    penalty: Duration,
    /// The time of the next call of last resort, and the interval between them.
    next_resort: Mutex<Option<Instant>>,
    interval: Duration,
}

/// Permission to call a replica, until this is dropped.
pub struct ReplicaPermit<'a> {
    pub place: usize,
    pub replica: &'a Replica,
    permit: Option<Permit>,
    replicas: &'a Replicas,
}

impl Replicas {
    pub fn new(settings: &DetectorSettings, metrics: &Arc<Metrics>, events: &Arc<Events>) -> Self {
        let now = Instant::now().into_std();
        let uris: Vec<Uri> = settings.endpoints().cloned().collect();
        let told = Arc::new(StateReporter {
            detector: settings.name.clone(),
            states: Mutex::new(vec![State::Closed; uris.len()]),
            metrics: metrics.clone(),
            events: events.clone(),
        });
        let waiting = Waiting {
            most: settings.bulkhead.max_queued as usize,
        };
        let count = uris.len();
        let replica = |(place, uri): (usize, Uri)| {
            let told = told.clone();
            let named = (count > 1).then(|| uri.to_string());
            let on_transition = move |step| told.moved(place, named.as_deref(), step);
            Replica {
                host: host(&uri),
                uri,
                breaker: Breaker::new(settings.breaker.clone(), on_transition),
                gate: Gate::new(settings.limit.clone(), waiting),
                load: Mutex::new(Load::new(now)),
                in_rotation: AtomicBool::new(true),
            }
        };
        Self {
            outliers: Mutex::new(Outliers::new(settings.outlier.clone(), count, now)),
            all: uris.into_iter().enumerate().map(replica).collect(),
            penalty: settings.timeout,
            next_resort: Mutex::default(),
            interval: Duration::from_millis(settings.breaker.open_ms),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Replica> {
        self.all.iter()
    }

    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// A replica for one call, admitted by its breaker. `avoid` is used only if no other one is possible. While
    /// all breakers are open, a `required` detector still gets one call per interval, since no other can
    /// replace it and its wait may have grown long.
    ///
    /// # Errors
    /// All breakers refuse; returns the one that may admit a call first.
    pub fn pick(
        &self,
        avoid: Option<usize>,
        required: bool,
    ) -> Result<ReplicaPermit<'_>, Rejected> {
        match self.admitted(avoid) {
            Err(rejected) if required => self.last_resort().ok_or(rejected),
            picked => picked,
        }
    }

    fn admitted(&self, avoid: Option<usize>) -> Result<ReplicaPermit<'_>, Rejected> {
        if let [only] = &self.all[..] {
            return Ok(self.picked(0, only.breaker.acquire()?));
        }
        let now = Instant::now();
        let mut soonest: Option<Rejected> = None;
        for tier in self.tiers(now, avoid) {
            let mut left = tier;
            while let Some(place) = self.cheapest(now, &left) {
                left.retain(|other| *other != place);
                match self.all[place].breaker.acquire() {
                    Ok(permit) => return Ok(self.picked(place, permit)),
                    Err(rejected) => {
                        soonest = Some(match soonest {
                            Some(known) if known.retry_after <= rejected.retry_after => known,
                            _ => rejected,
                        });
                    }
                }
            }
        }
        Err(soonest.unwrap_or(Rejected {
            state: State::Open,
            retry_after: Duration::from_secs(1),
        }))
    }

    /// One call per interval to all of them together.
    fn last_resort(&self) -> Option<ReplicaPermit<'_>> {
        let now = Instant::now();
        let mut next = self
            .next_resort
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if next.is_some_and(|next| now < next) {
            return None;
        }
        let tiers = self.tiers(now, None);
        let (place, permit) = tiers
            .iter()
            .flatten()
            .find_map(|place| Some((*place, self.all[*place].breaker.last_resort()?)))?;
        *next = Some(now + self.interval);
        Some(self.picked(place, permit))
    }

    /// The groups of replicas in order of preference.
    fn tiers(&self, now: Instant, avoid: Option<usize>) -> [Vec<usize>; 4] {
        let mut tiers: [Vec<usize>; 4] = Default::default();
        let outliers = self.outliers();
        for (place, replica) in self.all.iter().enumerate() {
            let tier = if !replica.is_in_rotation() {
                3
            } else if outliers.is_ejected(now.into_std(), place) {
                2
            } else {
                usize::from(avoid == Some(place) || replica.gate.is_full())
            };
            tiers[tier].push(place);
        }
        tiers
    }

    fn cheapest(&self, now: Instant, places: &[usize]) -> Option<usize> {
        if let [] | [_] = places {
            return places.first().copied();
        }
        let cost = |place: &usize| self.all[*place].load().cost(now.into_std());
        let costs: Vec<f64> = places.iter().map(cost).collect();
        Some(places[choose(&costs, &mut rand::rng())?])
    }

    fn picked(&self, place: usize, permit: Permit) -> ReplicaPermit<'_> {
        let replica = &self.all[place];
        replica.load().begin();
        ReplicaPermit {
            place,
            replica,
            permit: Some(permit),
            replicas: self,
        }
    }

    /// The state for callers: that of the replica whose breaker admits most.
    pub fn state(&self) -> State {
        best(self.all.iter().map(|replica| replica.breaker.state()))
    }

    /// The sum of all breakers' windows.
    pub fn counts(&self) -> Counts {
        self.all.iter().fold(Counts::default(), |mut sum, replica| {
            let counts = replica.breaker.counts();
            sum.calls += counts.calls;
            sum.failed += counts.failed;
            sum.slow += counts.slow;
            sum
        })
    }

    /// The ejected replicas, which fail more than the others.
    pub fn ejected(&self) -> Vec<bool> {
        let now = Instant::now().into_std();
        let outliers = self.outliers();
        (0..self.all.len())
            .map(|place| outliers.is_ejected(now, place))
            .collect()
    }

    pub fn reset(&self) {
        for replica in &self.all {
            replica.breaker.reset();
        }
    }

    pub fn force_open(&self) {
        for replica in &self.all {
            replica.breaker.force_open();
        }
    }

    fn outliers(&self) -> MutexGuard<'_, Outliers> {
        self.outliers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replica {
    /// Whether health checks leave it in rotation. Before the first check it is in rotation.
    pub fn is_in_rotation(&self) -> bool {
        self.in_rotation.load(Ordering::Relaxed)
    }

    pub fn set_in_rotation(&self, inside: bool) {
        self.in_rotation.store(inside, Ordering::Relaxed);
    }

    fn load(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplicaPermit<'_> {
    /// Records the outcome and duration of the call. Returns whether it ejected the replica.
    pub fn report(
        mut self,
        outcome: Outcome,
        took: Duration,
        now: Instant,
        asked: Option<Duration>,
    ) -> bool {
        let Some(permit) = self.permit.take() else {
            return false;
        };
        permit.report(outcome, took, asked);
        let now = now.into_std();
        let (counts, failed) = match outcome {
            Outcome::Success => (Some(took), false),
            Outcome::Failure | Outcome::Overload => (Some(self.replicas.penalty), true),
            Outcome::CutOff | Outcome::Ignored => (None, false),
        };
        self.replica.load().end(now, counts);
        counts.is_some()
            && self.replicas.count() > 1
            && self.replicas.outliers().report(now, self.place, failed)
    }
}

impl Drop for ReplicaPermit<'_> {
    fn drop(&mut self) {
        // There is no outcome: the permit is released on drop.
        if self.permit.is_some() {
            self.replica.load().end(Instant::now().into_std(), None);
        }
    }
}

/// Reports changes to metrics and events. The metric is per detector and shows the best state of its replicas,
/// which is the one for calls.
struct StateReporter {
    detector: String,
    states: Mutex<Vec<State>>,
    metrics: Arc<Metrics>,
    events: Arc<Events>,
}

impl StateReporter {
    fn moved(&self, place: usize, endpoint: Option<&str>, step: Transition) {
        tracing::info!(
            detector = self.detector, endpoint, from = %step.from, to = %step.to,
            reason = step.reason.name(), "the circuit breaker changed state"
        );
        let best = {
            let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            states[place] = step.to;
            best(states.iter().copied())
        };
        self.metrics.breaker_moved(&self.detector, step, best);
        self.events.changed(&Change {
            kind: Kind::CircuitBreaker,
            detector: &self.detector,
            endpoint,
            from: step.from.name(),
            to: step.to.name(),
            reason: step.reason.name(),
        });
    }
}

fn best(states: impl Iterator<Item = State>) -> State {
    let rank = |state: &State| match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    };
    states.min_by_key(rank).unwrap_or(State::Closed)
}
