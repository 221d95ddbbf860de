//! A profile in force: its decision model, and its position on the schedule.

use std::time::{Duration, Instant, SystemTime};

use fault_profile::{Model, Profile, patch};
use live_config::{Compiled, Invalid, Moment};

/// A profile with its derived state.
pub(crate) type Live = live_config::Live<ActiveProfile>;

/// The one place where a detector's profile changes.
pub(crate) type Control = live_config::Control<ActiveProfile>;

/// A compiled profile and its clock.
#[derive(Debug)]
pub(crate) struct ActiveProfile {
    pub(crate) model: Model,
    /// The profile's time zero, and the time that had passed when `zero` was taken.
    zero: Instant,
    zero_offset: Duration,
}

impl Compiled for ActiveProfile {
    type Config = Profile;
    const CHOICES: &'static [&'static str] = &patch::CHOICES;

    fn validate(profile: &Profile) -> Result<(), Invalid> {
        let mut faults = Vec::new();
        profile.validate(&mut faults);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.into())
        }
    }

    fn compile(profile: &Profile, name: &str, since: Moment) -> Result<Self, Invalid> {
        let model = Model::new(profile, name)?;
        let start = profile
            .schedule
            .start_unix_ms
            .map(|start_unix_ms| SystemTime::UNIX_EPOCH + Duration::from_millis(start_unix_ms));
        let time_from = |from: Option<SystemTime>, to: Option<SystemTime>| {
            let time = from.zip(to).map(|(from, to)| to.duration_since(from));
            time.and_then(Result::ok).unwrap_or_default()
        };
        // A start in the future moves time zero there.
        let ahead = time_from(Some(since.system), start);
        Ok(Self {
            model,
            zero: since.instant + ahead,
            zero_offset: time_from(start, Some(since.system)),
        })
    }

    fn goes_on(old: &Profile, new: &Profile) -> bool {
        old.schedule == new.schedule
    }
}

impl ActiveProfile {
    /// Time since the profile's time zero.
    pub(crate) fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.zero) + self.zero_offset
    }

    /// The next change by the schedule.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        let at = self.at(now);
        self.model
            .timeline()
            .next_change(at)
            .map(|next| now.max(self.zero) + (next - at))
    }
}

#[cfg(test)]
mod tests {
    use live_config::Change;
    use serde_json::{Value, json};

    use super::*;

    fn control(schedule: Value) -> Control {
        let profile = serde_json::from_value(json!({ "schedule": schedule }));
        Control::new("mock", profile.expect("the test's own profile")).expect("a valid profile")
    }

    fn at(control: &Control) -> Duration {
        control.live().at(Instant::now())
    }

    fn stages(at_ms: u64) -> Value {
        json!({"stages": [{"at_ms": at_ms, "for_ms": 1, "set": {"success_rate": 0}}]})
    }

    const PASSED: Duration = Duration::from_millis(30);

    #[test]
    fn a_schedule_continues_below_overlays() {
        let control = control(stages(3_600_000));
        std::thread::sleep(PASSED);
        let change = Change::default();
        let laid = control.lay("a", &json!({"success_rate": 0}), &change);
        laid.expect("valid");
        assert!(at(&control) >= PASSED, "an overlay begins no schedule anew");
        control.lift("a", &change).expect("laid");
        assert!(at(&control) >= PASSED, "nor does its end");
        let short = Change {
            ttl: Some(Duration::from_secs(60)),
            ..Change::default()
        };
        let patched = control.patch(&json!({"success_rate": 0.5}), &short);
        let expires = patched.expect("valid").expires.expect("a time limit");
        assert!(at(&control) < PASSED, "a new profile begins anew");
        control.expire(expires);
        assert!(at(&control) >= PASSED, "what was before it has gone on");
    }

    #[test]
    fn a_reload_begins_a_schedule_anew_only_where_it_changes_it() {
        let control = control(stages(3_600_000));
        let reloaded = |success_rate: f64, schedule: Value| {
            let profile = json!({ "success_rate": success_rate, "schedule": schedule });
            let profile = serde_json::from_value(profile).expect("the test's own profile");
            assert!(control.reload(profile).expect("a valid profile"));
        };
        std::thread::sleep(PASSED);
        reloaded(0.5, stages(3_600_000));
        assert!(at(&control) >= PASSED, "the same schedule goes on");
        reloaded(0.5, stages(7_200_000));
        assert!(at(&control) < PASSED, "another one begins");
    }

    #[test]
    fn an_overlay_with_its_own_schedule_starts_it() {
        let control = control(stages(3_600_000));
        std::thread::sleep(PASSED);
        let laid = control.lay("a", &json!({ "schedule": stages(1) }), &Change::default());
        laid.expect("valid");
        assert!(at(&control) < PASSED);
    }
}
