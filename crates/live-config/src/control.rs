//! The configuration in force, and its changes while requests run.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::error::{ConfigError, Invalid};
use crate::layers::Layers;
use crate::read;

/// The compiled form of a configuration, which requests use.
pub trait Compiled: Sized + fmt::Debug + Send + Sync + 'static {
    /// The configuration as written.
    type Config: Clone
        + PartialEq
        + fmt::Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;

    /// Fields with a choice; see [`merge()`](crate::merge()).
    const CHOICES: &'static [&'static str];

    /// Checks a well-formed configuration.
    ///
    /// # Errors
    /// All its errors.
    fn validate(config: &Self::Config) -> Result<(), Invalid>;

    /// Compiles the configuration of the server called `name`, in force from `since` on.
    ///
    /// # Errors
    /// As [`Compiled::validate`].
    fn compile(config: &Self::Config, name: &str, since: Moment) -> Result<Self, Invalid>;

    /// Whether `new` continues where `old` is: its time counts from the same moment, so that a running schedule
    /// continues.
    fn goes_on(old: &Self::Config, new: &Self::Config) -> bool {
        let _ = (old, new);
        true
    }

    /// The changes of `next` that are impossible while the server runs with `self`; none by default.
    fn conflicts(&self, next: &Self) -> Vec<ConfigError> {
        let _ = next;
        Vec::new()
    }
}

/// A configuration from JSON.
///
/// # Errors
/// All its errors, with suggestions for unknown names.
pub(crate) fn config<C: Compiled>(value: Value) -> Result<C::Config, Invalid> {
    let config = read::from_value(value).map_err(|errors| Invalid { errors })?;
    C::validate(&config)?;
    Ok(config)
}

/// The same moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub instant: Instant,
    pub system: SystemTime,
}

impl Moment {
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            system: SystemTime::now(),
        }
    }
}

/// The effect of a change on delayed requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InFlight {
    /// They end as decided.
    #[default]
    Finish,
    /// Their delay ends at once; the rest stays as decided.
    Release,
    /// They are decided again under the new configuration; time already waited counts.
    Redraw,
}

/// A change of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Only while this revision is in force.
    pub if_revision: Option<u64>,
    /// The change is reverted after this time; other changes are left alone.
    pub ttl: Option<Duration>,
    pub in_flight: InFlight,
}

/// The reason why a change was refused; nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("revision {in_force} is in force, not {expected}; read the profile again")]
    Revision { in_force: u64, expected: u64 },
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("cannot change while it runs: {0}")]
    NotWhileRunning(Invalid),
    #[error("no overlay {0}; it has expired or was reverted")]
    NoOverlay(String),
    #[error("an overlay's name has 1 to 64 letters, digits, `-`, `_` or `.`")]
    OverlayName,
    #[error("{most} overlays exist, the maximum; revert one first")]
    TooManyOverlays { most: usize },
    #[error("{most} changes wait for an earlier one to expire; wait, or reset")]
    TooManyChanges { most: usize },
}

/// A configuration in force. Requests use its compiled form, to which it derefs.
#[derive(Debug)]
pub struct Live<C: Compiled> {
    pub revision: u64,
    pub config: C::Config,
    /// The time from which it is in force.
    pub since: SystemTime,
    /// The next expiry of it or of an overlay.
    pub expires: Option<Instant>,
    compiled: Arc<C>,
    /// The moment from which its time counts.
    from: Moment,
    /// Shared with earlier configurations that let their requests finish, so that a later change also reaches
    /// those.
    ending: Arc<Ending>,
}

/// Wakes delayed requests, which must not wait any longer.
#[derive(Debug, Default)]
struct Ending {
    token: CancellationToken,
    redraws: AtomicBool,
}

impl<C: Compiled> Deref for Live<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.compiled
    }
}

impl<C: Compiled> Live<C> {
    /// Completes when requests under this configuration must not wait any longer.
    pub async fn ended(&self) {
        self.ending.token.cancelled().await;
    }

    /// Whether requests that `ended` wakes have to be decided again.
    pub fn redraws(&self) -> bool {
        self.ending.redraws.load(Ordering::Acquire)
    }
}

/// The one place where a server's configuration changes.
#[derive(Debug)]
pub struct Control<C: Compiled> {
    /// The server's name, which is part of the seed.
    name: String,
    live: RwLock<Arc<Live<C>>>,
    /// Held while a change is made, so that changes come one after the other.
    layers: Mutex<Layers<C::Config>>,
    revision: AtomicU64,
    /// Notified of every change and of every new expiry.
    pub changed: Notify,
}

impl<C: Compiled> Control<C> {
    /// A server's first configuration, which is revision 1.
    ///
    /// # Errors
    /// It is invalid.
    pub fn new(name: &str, config: C::Config) -> Result<Self, Invalid> {
        let layers = Layers::new(config.clone());
        let live = Live {
            revision: 1,
            compiled: Arc::new(C::compile(&config, name, layers.since())?),
            config,
            since: layers.since().system,
            from: layers.since(),
            expires: None,
            ending: Arc::default(),
        };
        Ok(Self {
            name: name.to_owned(),
            live: RwLock::new(Arc::new(live)),
            layers: Mutex::new(layers),
            revision: AtomicU64::new(1),
            changed: Notify::new(),
        })
    }

    /// The configuration in force. A request takes it once, so that it sees one consistent configuration.
    pub fn live(&self) -> Arc<Live<C>> {
        self.live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The revision in force.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Replaces the configuration below the overlays by one in JSON.
    ///
    /// # Errors
    /// It is invalid, or another revision is in force.
    pub fn put(&self, value: Value, change: &Change) -> Result<Arc<Live<C>>, Refused> {
        let config = config::<C>(value)?;
        self.change(change, |layers| layers.replace(config, change.ttl))
    }

    /// Merges a patch into the configuration below the overlays; see [`merge()`](crate::merge()).
    ///
    /// # Errors
    /// As [`Control::put`].
    pub fn patch(&self, patch: &Value, change: &Change) -> Result<Arc<Live<C>>, Refused> {
        self.change(change, |layers| layers.patch::<C>(patch, change.ttl))
    }

    /// Restores the configuration of the start or of the last reload. Overlays are removed.
    ///
    /// # Errors
    /// Another revision is in force.
    pub fn reset(&self, change: &Change) -> Result<Arc<Live<C>>, Refused> {
        self.change(change, |layers| layers.reset(change.ttl))
    }

    /// Sets a new initial configuration. Changes with a TTL and overlays stay in force upon it. False when it
    /// equals the present initial one, and nothing changes.
    ///
    /// # Errors
    /// It is invalid.
    pub fn reload(&self, config: C::Config) -> Result<bool, Refused> {
        if *self.lock().initial() == config {
            return Ok(false);
        }
        C::validate(&config)?;
        let reloaded = self.change(&Change::default(), |layers| {
            layers.reload::<C>(config);
            Ok(())
        });
        reloaded.map(|_| true)
    }

    /// Adds a named overlay, or replaces the one with this name. It expires after the change's TTL. The rest
    /// stays unchanged: several overlays end independently, and a TTL and a schedule below them continue.
    ///
    /// # Errors
    /// The result is not a valid configuration, the name is invalid, or another revision is in force.
    pub fn lay(&self, name: &str, patch: &Value, change: &Change) -> Result<Arc<Live<C>>, Refused> {
        self.change(change, |layers| layers.lay(name, patch, change.ttl))
    }

    /// Removes an overlay.
    ///
    /// # Errors
    /// There is none with this name, or another revision is in force.
    pub fn lift(&self, name: &str, change: &Change) -> Result<Arc<Live<C>>, Refused> {
        self.change(change, |layers| layers.lift(name))
    }

    /// Gives an overlay a new time to live, from now; `None` means permanently. The revision stays.
    ///
    /// # Errors
    /// There is none with this name: one that has expired is not restored.
    pub fn renew(&self, name: &str, ttl: Option<Duration>) -> Result<Arc<Live<C>>, Refused> {
        let mut layers = self.lock();
        let mut next = layers.clone();
        next.renew(name, ttl)?;
        let old = self.live();
        let live = Live {
            revision: old.revision,
            since: old.since,
            ending: old.ending.clone(),
            ..self.settle(&next)?
        };
        *layers = next;
        Ok(self.publish(layers, live))
    }

    /// Something that the configuration plans has taken effect: the same configuration is the next revision.
    pub fn advance(&self) -> Arc<Live<C>> {
        let layers = self.lock();
        let old = self.live();
        let live = Live {
            revision: old.revision + 1,
            compiled: old.compiled.clone(),
            config: old.config.clone(),
            since: SystemTime::now(),
            from: old.from,
            expires: old.expires,
            ending: old.ending.clone(),
        };
        self.publish(layers, live)
    }

    /// The overlays in the order in which they were added, each with its end.
    pub fn overlays(&self) -> Vec<(String, Option<Instant>)> {
        self.lock().overlays()
    }

    /// Reverts everything that has expired by `now`.
    pub fn expire(&self, now: Instant) {
        let mut layers = self.lock();
        let mut next = layers.clone();
        if !next.expire::<C>(now) {
            return;
        }
        match self.settle(&next) {
            Ok(mut live) => {
                *layers = next;
                live.ending = self.live().ending.clone();
                self.publish(layers, live);
            }
            Err(error) => {
                tracing::error!(%error, "an expired configuration could not be reverted");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Layers<C::Config>> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Edits a copy of the layers, and applies it if the result is a valid configuration.
    fn change(
        &self,
        change: &Change,
        edit: impl FnOnce(&mut Layers<C::Config>) -> Result<(), Refused>,
    ) -> Result<Arc<Live<C>>, Refused> {
        let mut layers = self.lock();
        let in_force = self.revision();
        match change.if_revision {
            Some(expected) if expected != in_force => {
                return Err(Refused::Revision { in_force, expected });
            }
            _ => {}
        }
        let mut next = layers.clone();
        edit(&mut next)?;
        let mut live = self.settle(&next)?;
        let old = self.live();
        let conflicts = old.compiled.conflicts(&live.compiled);
        Invalid::unless_empty(conflicts).map_err(Refused::NotWhileRunning)?;
        *layers = next;
        if change.in_flight == InFlight::Finish {
            live.ending = old.ending.clone();
        }
        let live = self.publish(layers, live);
        if change.in_flight != InFlight::Finish {
            let redraws = change.in_flight == InFlight::Redraw;
            old.ending.redraws.store(redraws, Ordering::Release);
            old.ending.token.cancel();
        }
        Ok(live)
    }

    /// The result of these layers, as the next revision.
    fn settle(&self, layers: &Layers<C::Config>) -> Result<Live<C>, Invalid> {
        let old = self.live();
        let amended = layers.amended::<C>()?;
        let config = layers.composed::<C>(amended.clone())?;
        let from = if C::goes_on(&amended, &config) {
            layers.since()
        } else if C::goes_on(&old.config, &config) {
            old.from
        } else {
            Moment::now()
        };
        Ok(Live {
            revision: old.revision + 1,
            compiled: Arc::new(C::compile(&config, &self.name, from)?),
            config,
            since: SystemTime::now(),
            from,
            expires: layers.next_expiry(),
            ending: Arc::default(),
        })
    }

    fn publish(&self, layers: MutexGuard<'_, Layers<C::Config>>, live: Live<C>) -> Arc<Live<C>> {
        let live = Arc::new(live);
        self.revision.store(live.revision, Ordering::Relaxed);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live.clone();
        drop(layers);
        self.changed.notify_waiters();
        live
    }
}

#[cfg(test)]
mod tests;
