//! The layers of a configuration in force: a base, and overlays that are added and removed independently.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::control::{Compiled, Moment, Refused, config};
use crate::error::Invalid;
use crate::merge::merge;

/// The maximum number of overlays at a time.
const MOST_OVERLAYS: usize = 64;
/// The maximum number of changes at a time if at least one is temporary.
const MOST_AMENDMENTS: usize = 64;
/// The maximum length of an overlay's name in characters.
const MOST_NAME_CHARS: usize = 64;

/// A configuration, and the moment from which its time counts.
#[derive(Debug, Clone)]
struct Base<T> {
    config: T,
    since: Moment,
}

/// A change that is not part of the base yet: it is temporary, or depends on one that is.
#[derive(Debug, Clone)]
struct Amendment<T> {
    what: What<T>,
    since: Moment,
    /// `None` means permanent.
    expires: Option<Instant>,
}

#[derive(Debug, Clone)]
enum What<T> {
    Whole(T),
    Patch(Value),
}

#[derive(Debug, Clone)]
struct Overlay {
    name: String,
    patch: Value,
    expires: Option<Instant>,
}

/// The base, the changes of it, each of which ends at its own time, and the overlays, both in the order of
/// their creation.
#[derive(Debug, Clone)]
pub(crate) struct Layers<T> {
    /// The configuration that `reset` restores.
    initial: T,
    base: Base<T>,
    /// The first of them, if any, is temporary: permanent ones at the bottom are part of the base.
    amendments: Vec<Amendment<T>>,
    overlays: Vec<Overlay>,
}

impl<T: Clone> Layers<T> {
    pub(crate) fn new(config: T) -> Self {
        Self {
            initial: config.clone(),
            base: Base {
                config,
                since: Moment::now(),
            },
            amendments: Vec::new(),
            overlays: Vec::new(),
        }
    }

    pub(crate) fn initial(&self) -> &T {
        &self.initial
    }

    /// The moment from which the time of the configuration below the overlays counts.
    pub(crate) fn since(&self) -> Moment {
        self.amendments
            .last()
            .map_or(self.base.since, |last| last.since)
    }

    /// The configuration below the overlays.
    ///
    /// # Errors
    /// The result of a change is not a valid configuration.
    pub(crate) fn amended<C: Compiled<Config = T>>(&self) -> Result<T, Invalid> {
        let base = Ok(self.base.config.clone());
        self.amendments
            .iter()
            .fold(base, |below, amendment| amendment.apply::<C>(below?))
    }

    /// # Errors
    /// The result of the overlays on `amended` is not a valid configuration.
    pub(crate) fn composed<C: Compiled<Config = T>>(&self, amended: T) -> Result<T, Invalid> {
        self.overlays.iter().try_fold(amended, |below, overlay| {
            patched::<C>(&below, &overlay.patch)
        })
    }

    /// Replaces the configuration below the overlays. A permanent one drops temporary changes, which could not
    /// become visible again.
    ///
    /// # Errors
    /// There are too many changes.
    pub(crate) fn replace(&mut self, config: T, ttl: Option<Duration>) -> Result<(), Refused> {
        if ttl.is_some() {
            return self.amend(What::Whole(config), ttl);
        }
        let since = Moment::now();
        self.base = Base { config, since };
        self.amendments.clear();
        Ok(())
    }

    /// Adds a patch below the overlays, after earlier changes. Those end at their own times, which leaves this
    /// one in place.
    ///
    /// # Errors
    /// The result is not a valid configuration, or there are too many changes.
    pub(crate) fn patch<C: Compiled<Config = T>>(
        &mut self,
        patch: &Value,
        ttl: Option<Duration>,
    ) -> Result<(), Refused> {
        self.amend(What::Patch(patch.clone()), ttl)?;
        Ok(self.settle::<C>()?)
    }

    fn amend(&mut self, what: What<T>, ttl: Option<Duration>) -> Result<(), Refused> {
        let since = Moment::now();
        let amendment = Amendment {
            what,
            since,
            expires: ttl.map(|ttl| since.instant + ttl),
        };
        if ttl.is_none() {
            self.forget_covered(&amendment.what);
        }
        if self.amendments.len() >= MOST_AMENDMENTS {
            return Err(Refused::TooManyChanges {
                most: MOST_AMENDMENTS,
            });
        }
        self.amendments.push(amendment);
        Ok(())
    }

    /// Drops permanent changes right below that `above` hides completely.
    fn forget_covered(&mut self, above: &What<T>) {
        let What::Patch(above) = above else { return };
        let lowest = self
            .amendments
            .iter()
            .rposition(|amendment| amendment.expires.is_some())
            .map_or(0, |last| last + 1);
        let upper = self.amendments.split_off(lowest);
        let stays = |below: &Amendment<T>| match &below.what {
            What::Patch(below) => !covers(above, below),
            What::Whole(_) => true,
        };
        self.amendments.extend(upper.into_iter().filter(stays));
    }

    /// Merges the lowest changes into the base if they are permanent.
    fn settle<C: Compiled<Config = T>>(&mut self) -> Result<(), Invalid> {
        while self
            .amendments
            .first()
            .is_some_and(|lowest| lowest.expires.is_none())
        {
            let lowest = self.amendments.remove(0);
            let config = lowest.apply::<C>(self.base.config.clone())?;
            let since = lowest.since;
            self.base = Base { config, since };
        }
        Ok(())
    }

    /// Restores the initial configuration; overlays are removed.
    ///
    /// # Errors
    /// There are too many changes.
    pub(crate) fn reset(&mut self, ttl: Option<Duration>) -> Result<(), Refused> {
        self.overlays.clear();
        self.replace(self.initial.clone(), ttl)
    }

    /// Replaces the initial configuration. Permanent changes end. Changes with a TTL and overlays stay in
    /// force upon the new configuration until they expire, and a schedule that both configurations have
    /// continues. A change that does not fit the new configuration is dropped.
    pub(crate) fn reload<C: Compiled<Config = T>>(&mut self, config: T) {
        self.initial = config.clone();
        let since = if C::goes_on(&self.base.config, &config) {
            self.base.since
        } else {
            Moment::now()
        };
        self.base = Base { config, since };
        self.amendments
            .retain(|amendment| amendment.expires.is_some());
        for misfit in self.drop_misfits::<C>() {
            tracing::warn!(
                error = %misfit,
                "a change was dropped: it is not valid with the reloaded configuration"
            );
        }
    }

    /// Drops each change and each overlay whose result is no longer a valid configuration. Returns those that
    /// were dropped, with the errors.
    pub(crate) fn drop_misfits<C: Compiled<Config = T>>(&mut self) -> Vec<Invalid> {
        let mut below = self.base.config.clone();
        let mut misfits = Vec::new();
        let mut fits = |applied: Result<T, Invalid>, below: &mut T| match applied {
            Ok(config) => {
                *below = config;
                true
            }
            Err(error) => {
                misfits.push(error);
                false
            }
        };
        self.amendments
            .retain(|amendment| fits(amendment.apply::<C>(below.clone()), &mut below));
        self.overlays
            .retain(|overlay| fits(patched::<C>(&below, &overlay.patch), &mut below));
        misfits
    }

    /// A patch with the same name is replaced in its place.
    pub(crate) fn lay(
        &mut self,
        name: &str,
        patch: &Value,
        ttl: Option<Duration>,
    ) -> Result<(), Refused> {
        let usable = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > MOST_NAME_CHARS || !name.chars().all(usable) {
            return Err(Refused::OverlayName);
        }
        let overlay = Overlay {
            name: name.to_owned(),
            patch: patch.clone(),
            expires: ttl.map(|ttl| Instant::now() + ttl),
        };
        let known = self.overlays.iter().position(|known| known.name == name);
        match known {
            Some(index) => self.overlays[index] = overlay,
            None if self.overlays.len() >= MOST_OVERLAYS => {
                return Err(Refused::TooManyOverlays {
                    most: MOST_OVERLAYS,
                });
            }
            None => self.overlays.push(overlay),
        }
        Ok(())
    }

    pub(crate) fn lift(&mut self, name: &str) -> Result<(), Refused> {
        let known = self.overlays.iter().position(|known| known.name == name);
        let index = known.ok_or_else(|| Refused::NoOverlay(name.to_owned()))?;
        self.overlays.remove(index);
        Ok(())
    }

    pub(crate) fn renew(&mut self, name: &str, ttl: Option<Duration>) -> Result<(), Refused> {
        let overlay = self.overlays.iter_mut().find(|known| known.name == name);
        let overlay = overlay.ok_or_else(|| Refused::NoOverlay(name.to_owned()))?;
        overlay.expires = ttl.map(|ttl| Instant::now() + ttl);
        Ok(())
    }

    /// Names and ends of the overlays.
    pub(crate) fn overlays(&self) -> Vec<(String, Option<Instant>)> {
        self.overlays
            .iter()
            .map(|overlay| (overlay.name.clone(), overlay.expires))
            .collect()
    }

    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let overlays = self.overlays.iter().map(|overlay| overlay.expires);
        let amendments = self.amendments.iter().map(|amendment| amendment.expires);
        overlays.chain(amendments).flatten().min()
    }

    /// Removes what has expired. False when nothing has.
    pub(crate) fn expire<C: Compiled<Config = T>>(&mut self, now: Instant) -> bool {
        let over = |expires: Option<Instant>| expires.is_some_and(|at| at <= now);
        let before = self.overlays.len() + self.amendments.len();
        self.overlays.retain(|overlay| !over(overlay.expires));
        self.amendments.retain(|amendment| !over(amendment.expires));
        let changed = self.overlays.len() + self.amendments.len() < before;
        if changed {
            for misfit in self.drop_misfits::<C>() {
                tracing::error!(
                    error = %misfit,
                    "a change was dropped: it is not valid with the reverted configuration"
                );
            }
            if let Err(error) = self.settle::<C>() {
                tracing::error!(%error, "a change could not be applied to the configuration");
            }
        }
        changed
    }
}

impl<T: Clone> Amendment<T> {
    fn apply<C: Compiled<Config = T>>(&self, below: T) -> Result<T, Invalid> {
        match &self.what {
            What::Whole(config) => Ok(config.clone()),
            What::Patch(patch) => patched::<C>(&below, patch),
        }
    }
}

/// Whether `above` sets everything that the patch `below` sets, so that both together equal `above`.
fn covers(above: &Value, below: &Value) -> bool {
    let (Value::Object(above), Value::Object(below)) = (above, below) else {
        return !above.is_object();
    };
    below
        .iter()
        .all(|(name, below)| above.get(name).is_some_and(|above| covers(above, below)))
}

/// The result of a patch on a configuration.
///
/// # Errors
/// The result is invalid.
pub(crate) fn patched<C: Compiled>(below: &C::Config, patch: &Value) -> Result<C::Config, Invalid> {
    if !patch.is_object() {
        return Err(Invalid::one("", "a patch is a JSON object"));
    }
    let mut value =
        serde_json::to_value(below).map_err(|error| Invalid::one("", error.to_string()))?;
    merge(&mut value, patch, C::CHOICES);
    config::<C>(value)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Two {
        #[serde(default)]
        rate: u64,
        #[serde(default)]
        delay: u64,
    }

    #[derive(Debug)]
    struct Sound;

    impl Compiled for Sound {
        type Config = Two;
        const CHOICES: &'static [&'static str] = &[];

        fn validate(config: &Two) -> Result<(), Invalid> {
            if config.delay > 50 && config.rate == 0 {
                return Err(Invalid::one("delay", "more than 50 needs a rate"));
            }
            Ok(())
        }

        fn compile(config: &Two, _: &str, _: Moment) -> Result<Self, Invalid> {
            Self::validate(config).map(|()| Self)
        }
    }

    /// Two values, and their expected course over time (in seconds from now).
    struct Course {
        layers: Layers<Two>,
    }

    impl Course {
        fn new() -> Self {
            let layers = Layers::new(Two { rate: 0, delay: 0 });
            Self { layers }
        }

        fn patch(&mut self, patch: Value, seconds: Option<u64>) -> Result<(), Refused> {
            let ttl = seconds.map(Duration::from_secs);
            self.layers.patch::<Sound>(&patch, ttl)
        }

        fn after(&mut self, seconds: u64) -> (u64, u64) {
            let now = Instant::now() + Duration::from_secs(seconds);
            self.layers.expire::<Sound>(now);
            let held = self.layers.amended::<Sound>().expect("valid");
            (held.rate, held.delay)
        }
    }

    #[test]
    fn each_change_is_reverted_after_its_own_time_whatever_happens_meanwhile() {
        let (rate, delay) = (|| json!({"rate": 1}), || json!({"delay": 5}));
        for (first, second, courses) in [
            (Some(20), None, [(0, (1, 5)), (30, (0, 5)), (90, (0, 5))]),
            (
                Some(20),
                Some(60),
                [(0, (1, 5)), (30, (0, 5)), (90, (0, 0))],
            ),
            (
                Some(60),
                Some(20),
                [(0, (1, 5)), (30, (1, 0)), (90, (0, 0))],
            ),
            (None, Some(20), [(0, (1, 5)), (30, (1, 0)), (90, (1, 0))]),
        ] {
            let mut course = Course::new();
            course.patch(rate(), first).expect("valid");
            course.patch(delay(), second).expect("valid");
            for (seconds, held) in courses {
                let found = course.after(seconds);
                assert_eq!(found, held, "{first:?}, {second:?} after {seconds} s");
            }
        }
    }

    #[test]
    fn the_last_change_of_a_value_is_in_force_and_a_permanent_one_outlives_those_below() {
        let mut course = Course::new();
        course.patch(json!({"rate": 1}), Some(20)).expect("valid");
        course.patch(json!({"rate": 2}), None).expect("valid");
        assert_eq!(course.after(0), (2, 0));
        course.patch(json!({"rate": 3}), Some(60)).expect("valid");
        assert_eq!(course.after(30), (3, 0));
        assert_eq!(course.after(90), (2, 0));
        assert_eq!(course.layers.amendments.len(), 0);
        course.patch(json!({"rate": 3}), Some(60)).expect("valid");
        let whole = Two { rate: 7, delay: 7 };
        course.layers.replace(whole, None).expect("few changes");
        assert_eq!(course.after(90), (7, 7));
    }

    #[test]
    fn changes_that_hide_each_other_do_not_accumulate_and_others_are_bounded() {
        let mut course = Course::new();
        course.patch(json!({"rate": 1}), Some(20)).expect("valid");
        for delay in 1..500 {
            course
                .patch(json!({"delay": delay % 40}), None)
                .expect("valid");
        }
        assert_eq!(course.layers.amendments.len(), 2);
        let refused = (0..500).find_map(|_| course.patch(json!({"rate": 9}), Some(30)).err());
        let most = MOST_AMENDMENTS;
        assert_eq!(refused, Some(Refused::TooManyChanges { most }));
        assert_eq!(course.after(90), (0, 499 % 40));
    }

    #[test]
    fn a_reload_keeps_changes_with_a_ttl_and_ends_permanent_ones() {
        let mut course = Course::new();
        course.patch(json!({"delay": 9}), None).expect("valid");
        course.patch(json!({"rate": 1}), Some(20)).expect("valid");
        course.patch(json!({"delay": 5}), None).expect("valid");
        let whole = Two { rate: 3, delay: 3 };
        let until = Some(Duration::from_secs(60));
        course.layers.replace(whole, until).expect("few changes");
        course.patch(json!({"delay": 4}), Some(40)).expect("valid");
        course.layers.reload::<Sound>(Two { rate: 7, delay: 8 });
        for (seconds, held) in [(0, (3, 4)), (30, (3, 4)), (50, (3, 3)), (70, (7, 8))] {
            assert_eq!(course.after(seconds), held, "after {seconds} s");
        }
        course.layers.reset(None).expect("few changes");
        assert_eq!(course.after(0), (7, 8), "what was last reloaded");
    }

    #[test]
    fn a_reload_drops_only_changes_that_do_not_fit() {
        let mut course = Course::new();
        course.patch(json!({"rate": 1}), None).expect("valid");
        course.patch(json!({"delay": 60}), Some(20)).expect("valid");
        course.patch(json!({"delay": 4}), Some(30)).expect("valid");
        let overlay = course.layers.lay("o", &json!({"delay": 70}), None);
        overlay.expect("a good name");
        course.layers.reload::<Sound>(Two { rate: 0, delay: 1 });
        assert_eq!(course.layers.overlays().len(), 0);
        assert_eq!(course.after(0), (0, 4));
        assert_eq!(course.after(40), (0, 1));
    }

    #[test]
    fn a_change_that_does_not_fit_a_reverted_state_is_dropped_alone() {
        let mut course = Course::new();
        course.patch(json!({"rate": 1}), Some(20)).expect("valid");
        course.patch(json!({"delay": 60}), None).expect("valid");
        let overlay = course.layers.lay("o", &json!({"delay": 6}), None);
        overlay.expect("a good name");
        assert_eq!(course.after(30), (0, 0));
        assert_eq!(course.layers.overlays().len(), 1);
    }
}
