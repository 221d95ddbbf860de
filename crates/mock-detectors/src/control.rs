//! The profile that is in force, and changing it while requests run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use fault_profile::{Invalid, Model, Profile, patch};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What a change does to requests that are being delayed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum InFlight {
    /// They end as they were decided.
    #[default]
    Finish,
    /// Their delay ends at once; the rest stays as decided.
    Release,
    /// They are decided anew under the new profile; time already waited counts.
    Redraw,
}

/// A change of the profile.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Only while this revision is in force.
    pub if_revision: Option<u64>,
    /// The profile before it comes back after this time.
    pub ttl: Option<Duration>,
    pub in_flight: InFlight,
}

/// Why a change was refused; nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("revision {in_force} is in force, not {expected}; read the profile again")]
    Revision { in_force: u64, expected: u64 },
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("there is no detector {0}")]
    Unknown(String),
}

/// A profile in force, with everything that is decided by it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) revision: u64,
    pub(crate) profile: Profile,
    pub(crate) model: Model,
    /// When it took effect.
    pub(crate) since: SystemTime,
    /// When it goes by itself.
    pub(crate) expires: Option<Instant>,
    /// The profile's time zero, and how far it was past when `zero` was taken.
    zero: Instant,
    zero_offset: Duration,
    /// Shared with the profiles before it that let their requests finish, so that a later change
    /// reaches those, too.
    ending: Arc<Ending>,
}

/// Tells requests that are being delayed that they shall not wait on.
#[derive(Debug, Default)]
struct Ending {
    token: CancellationToken,
    redraws: AtomicBool,
}

impl Live {
    fn new(detector: &str, profile: Profile, revision: u64) -> Result<Self, Invalid> {
        let model = Model::new(&profile, detector)?;
        let since = SystemTime::now();
        let zero_offset = profile
            .schedule
            .start_unix_ms
            .map_or(Duration::ZERO, |start_unix_ms| {
                let start = SystemTime::UNIX_EPOCH + Duration::from_millis(start_unix_ms);
                since.duration_since(start).unwrap_or_default()
            });
        // A start in the future moves time zero there.
        let ahead = profile
            .schedule
            .start_unix_ms
            .map_or(Duration::ZERO, |start_unix_ms| {
                let start = SystemTime::UNIX_EPOCH + Duration::from_millis(start_unix_ms);
                start.duration_since(since).unwrap_or_default()
            });
        Ok(Self {
            revision,
            profile,
            model,
            since,
            expires: None,
            zero: Instant::now() + ahead,
            zero_offset,
            ending: Arc::default(),
        })
    }

    /// Time since the profile's time zero.
    pub(crate) fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.zero) + self.zero_offset
    }

    /// When the schedule next changes what holds.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        let at = self.at(now);
        self.model
            .timeline()
            .next_change(at)
            .map(|next| now.max(self.zero) + (next - at))
    }

    /// Completes when requests under this profile shall not wait on.
    pub(crate) async fn ended(&self) {
        self.ending.token.cancelled().await;
    }

    /// Whether requests that `ended` wakes shall be decided anew.
    pub(crate) fn redraws(&self) -> bool {
        self.ending.redraws.load(Ordering::Acquire)
    }
}

/// The one place where a detector's profile changes.
#[derive(Debug)]
pub(crate) struct Control {
    detector: String,
    live: RwLock<Arc<Live>>,
    /// Held while a change is made, so that changes come one after the other.
    changing: Mutex<Undo>,
    revision: AtomicU64,
    /// Told of every change.
    pub(crate) changed: Notify,
}

#[derive(Debug)]
struct Undo {
    /// What `reset` returns to.
    initial: Profile,
    /// What comes back when the profile in force expires.
    before: Option<Profile>,
}

impl Control {
    pub(crate) fn new(detector: &str, profile: Profile) -> Result<Self, Invalid> {
        let live = Live::new(detector, profile.clone(), 1)?;
        Ok(Self {
            detector: detector.to_owned(),
            live: RwLock::new(Arc::new(live)),
            changing: Mutex::new(Undo {
                initial: profile,
                before: None,
            }),
            revision: AtomicU64::new(1),
            changed: Notify::new(),
        })
    }

    /// The profile in force. A request takes it once, so it sees one profile whole.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Replaces the profile.
    pub(crate) fn put(&self, profile: Profile, change: &Change) -> Result<Arc<Live>, Refused> {
        let undo = self.begin(change)?;
        self.replace(undo, profile, change)
    }

    /// Merges a patch into the profile; see [`patch::merge`].
    pub(crate) fn patch(&self, patch: &Value, change: &Change) -> Result<Arc<Live>, Refused> {
        let undo = self.begin(change)?;
        let profile = self.patched(patch)?;
        self.replace(undo, profile, change)
    }

    /// What a patch would make of the profile.
    pub(crate) fn patched(&self, patch: &Value) -> Result<Profile, Invalid> {
        let one = |path: &str, message: String| Invalid {
            faults: vec![(path.to_owned(), message)],
        };
        if !patch.is_object() {
            return Err(one("", "a patch is a JSON object".to_owned()));
        }
        let mut value = serde_json::to_value(&self.live().profile)
            .map_err(|error| one("", error.to_string()))?;
        patch::merge(&mut value, patch);
        read_profile(value)
    }

    /// Back to the profile that the mock was started with, or that was last reloaded.
    pub(crate) fn reset(&self, change: &Change) -> Result<Arc<Live>, Refused> {
        let undo = self.begin(change)?;
        let profile = undo.initial.clone();
        self.replace(undo, profile, change)
    }

    /// A new profile to start from and to reset to. Nothing changes when it is the same.
    pub(crate) fn reload(&self, profile: Profile) -> Result<bool, Refused> {
        let change = Change::default();
        let mut undo = self.begin(&change)?;
        if undo.initial == profile {
            return Ok(false);
        }
        Model::new(&profile, &self.detector)?;
        undo.initial = profile.clone();
        self.replace(undo, profile, &change).map(|_| true)
    }

    /// Brings back what was before, if the profile in force has expired by `now`.
    pub(crate) fn expire(&self, now: Instant) {
        let mut undo = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.live().expires.is_none_or(|expires| expires > now) {
            return;
        }
        if let Some(before) = undo.before.take()
            && let Err(error) = self.replace(undo, before, &Change::default())
        {
            tracing::error!(%error, "an expired profile could not be taken back");
        }
    }

    fn begin(&self, change: &Change) -> Result<MutexGuard<'_, Undo>, Refused> {
        let undo = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let in_force = self.revision();
        match change.if_revision {
            Some(expected) if expected != in_force => Err(Refused::Revision { in_force, expected }),
            _ => Ok(undo),
        }
    }

    fn replace(
        &self,
        mut undo: MutexGuard<'_, Undo>,
        profile: Profile,
        change: &Change,
    ) -> Result<Arc<Live>, Refused> {
        let old = self.live();
        let mut live = Live::new(&self.detector, profile, old.revision + 1)?;
        if let Some(ttl) = change.ttl {
            live.expires = Some(Instant::now() + ttl);
            // A change with a TTL upon another one goes back to what was before both.
            undo.before.get_or_insert_with(|| old.profile.clone());
        } else {
            undo.before = None;
        }
        if change.in_flight == InFlight::Finish {
            live.ending = old.ending.clone();
        }
        let live = Arc::new(live);
        self.revision.store(live.revision, Ordering::Relaxed);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live.clone();
        drop(undo);
        if change.in_flight != InFlight::Finish {
            let redraws = change.in_flight == InFlight::Redraw;
            old.ending.redraws.store(redraws, Ordering::Release);
            old.ending.token.cancel();
        }
        self.changed.notify_waiters();
        Ok(live)
    }
}

/// A profile from JSON, with all its faults at once and suggestions for unknown names.
pub(crate) fn read_profile(value: Value) -> Result<Profile, Invalid> {
    let profile: Profile = fleet::read::from_value(value).map_err(|faults| Invalid {
        faults: faults
            .into_iter()
            .map(|fault| (fault.path, fault.message))
            .collect(),
    })?;
    let mut faults = Vec::new();
    profile.validate(&mut faults);
    if faults.is_empty() {
        Ok(profile)
    } else {
        Err(Invalid { faults })
    }
}
