//! The endpoints of one detector, each with its own breaker, limit and load, and which of them a
//! call goes to: one that is in rotation, not ejected and admitted by its breaker, by power of two
//! choices. When there is no such one, ejected ones are asked before nobody is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Uri};
use resilience::balance::{Load, choose};
use resilience::breaker::{Breaker, Counts, Outcome, Permit, Rejected, State, Transition};
use resilience::limit::{Gate, Waiting};
use resilience::outlier::Outliers;
use tokio::time::Instant;

use crate::config::DetectorSettings;
use crate::events::{Events, Kind};
use crate::metrics::Metrics;
use crate::transport::host;

/// One endpoint at run time.
pub struct Replica {
    pub uri: Uri,
    /// As requests to it name it.
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
    /// What a failed call counts as in the load, or a replica that fails fast would draw all calls.
    penalty: Duration,
    /// From when the next call of last resort may be made, and how far those are apart.
    next_resort: Mutex<Option<Instant>>,
    interval: Duration,
}

/// A replica that may be called, until this is dropped.
pub struct Picked<'a> {
    pub place: usize,
    pub replica: &'a Replica,
    permit: Option<Permit>,
    replicas: &'a Replicas,
}

impl Replicas {
    pub fn new(settings: &DetectorSettings, metrics: &Arc<Metrics>, events: &Arc<Events>) -> Self {
        let now = Instant::now().into_std();
        let uris: Vec<Uri> = settings.endpoints().cloned().collect();
        let told = Arc::new(Told {
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

    /// A replica for one call, with leave of its breaker. `avoid` is only taken when no other one
    /// can be. Where all are open, one call an interval goes to a `required` detector all the same:
    /// nobody can stand in for it, and its wait may have grown long.
    ///
    /// # Errors
    /// All breakers refuse; the one that may admit again first.
    pub fn pick(&self, avoid: Option<usize>, required: bool) -> Result<Picked<'_>, Rejected> {
        match self.admitted(avoid) {
            Err(rejected) if required => self.last_resort().ok_or(rejected),
            picked => picked,
        }
    }

    fn admitted(&self, avoid: Option<usize>) -> Result<Picked<'_>, Rejected> {
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

    /// One call to all of them together per interval.
    fn last_resort(&self) -> Option<Picked<'_>> {
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

    /// Who is asked first, who only when none of those can be, and so on.
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

    fn picked(&self, place: usize, permit: Permit) -> Picked<'_> {
        let replica = &self.all[place];
        replica.load().begin();
        Picked {
            place,
            replica,
            permit: Some(permit),
            replicas: self,
        }
    }

    /// The state as callers meet it: that of the replica whose breaker lets through most.
    pub fn state(&self) -> State {
        best(self.all.iter().map(|replica| replica.breaker.state()))
    }

    /// What all breakers' windows hold.
    pub fn counts(&self) -> Counts {
        self.all.iter().fold(Counts::default(), |mut sum, replica| {
            let counts = replica.breaker.counts();
            sum.calls += counts.calls;
            sum.failed += counts.failed;
            sum.slow += counts.slow;
            sum
        })
    }

    /// Replicas that are left out because they fail more than the others.
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
    /// Whether health checks leave it in rotation. Until the first check it is.
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

impl Picked<'_> {
    /// Counts what became of the call that took so long until now; whether that ejected the
    /// replica.
    pub fn report(
        mut self,
        outcome: Outcome,
        (took, now): (Duration, Instant),
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

impl Drop for Picked<'_> {
    fn drop(&mut self) {
        // Never answered: the permit goes back by itself.
        if self.permit.is_some() {
            self.replica.load().end(Instant::now().into_std(), None);
        }
    }
}

/// Tells metrics and events of changes. The metric is per detector and shows the best state of its
/// replicas: what a call to the detector meets.
struct Told {
    detector: String,
    states: Mutex<Vec<State>>,
    metrics: Arc<Metrics>,
    events: Arc<Events>,
}

impl Told {
    fn moved(&self, place: usize, endpoint: Option<&str>, step: Transition) {
        tracing::info!(
            detector = self.detector, endpoint, from = %step.from, to = %step.to,
            reason = step.reason.name(), "circuit breaker changed its state"
        );
        let best = {
            let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            states[place] = step.to;
            best(states.iter().copied())
        };
        self.metrics.breaker_moved(&self.detector, step, best);
        let states = (step.from.name(), step.to.name());
        let reason = step.reason.name();
        let about = (self.detector.as_str(), endpoint);
        self.events
            .changed(Kind::CircuitBreaker, about, states, reason);
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
