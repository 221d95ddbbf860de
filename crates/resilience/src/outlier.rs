//! Ejection of members that fail more than the others, for a while. Never of all: when all fail, ejecting one
//! does not help.

use std::time::{Duration, Instant};

use live_config::{Check, ConfigError};
use serde::{Deserialize, Serialize};

/// When a member is ejected, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// False: no replica is ever ejected.
    pub enabled: bool,
    /// The interval after which the counts of calls are reset.
    pub interval_ms: u64,
    /// The number of calls of a member in an interval before it is judged.
    pub minimum_calls: u32,
    /// A member is ejected when its failure rate exceeds that of the others by this much, above
    /// 0 to 1.
    pub failure_margin: f64,
    /// The length of the first ejection; the n-th one is n times as long.
    pub ejection_ms: u64,
    /// The maximum length of an ejection; at least `ejection_ms`.
    pub max_ejection_ms: u64,
    /// The maximum share of members that are ejected at once, in percent; at least one member, never all.
    pub max_ejection_percent: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            interval_ms: 10_000,
            minimum_calls: 10,
            failure_margin: 0.2,
            ejection_ms: 30_000,
            max_ejection_ms: 300_000,
            max_ejection_percent: 50,
        }
    }
}

impl Config {
    /// Adds an error for every invalid value.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        let mut check = Check::new(faults);
        check.at_least("interval_ms", self.interval_ms, 1);
        check.at_least("ejection_ms", self.ejection_ms, 1);
        check.at_least("minimum_calls", self.minimum_calls, 1);
        check.share_above_0("failure_margin", self.failure_margin);
        if self.max_ejection_ms < self.ejection_ms {
            let hint = format!("is below ejection_ms ({})", self.ejection_ms);
            check.error("max_ejection_ms", hint);
        }
        check.between("max_ejection_percent", self.max_ejection_percent, 0, 100);
    }

    /// Maximum number of members that may be ejected at once.
    fn most_ejected(&self, members: usize) -> usize {
        if self.max_ejection_percent == 0 {
            return 0;
        }
        let share = members * self.max_ejection_percent as usize / 100;
        share.max(1).min(members.saturating_sub(1))
    }
}

/// The members of one group.
#[derive(Debug)]
pub struct Outliers {
    config: Config,
    members: Vec<Member>,
    since: Instant,
}

#[derive(Debug, Default)]
struct Member {
    calls: u32,
    failed: u32,
    out_until: Option<Instant>,
    /// Consecutive ejections; each interval without one subtracts one.
    ejections: u32,
}

impl Outliers {
    pub fn new(config: Config, members: usize, now: Instant) -> Self {
        Self {
            config,
            members: std::iter::repeat_with(Member::default)
                .take(members)
                .collect(),
            since: now,
        }
    }

    /// Records a call of this member. Returns whether it was ejected.
    pub fn report(&mut self, now: Instant, member: usize, failed: bool) -> bool {
        self.turn(now);
        let one = &mut self.members[member];
        one.calls = one.calls.saturating_add(1);
        one.failed = one.failed.saturating_add(u32::from(failed));
        if !failed || !self.should_eject(now, member) {
            return false;
        }
        let one = &mut self.members[member];
        one.ejections = one.ejections.saturating_add(1);
        let longest = Duration::from_millis(self.config.max_ejection_ms);
        let time = Duration::from_millis(self.config.ejection_ms).saturating_mul(one.ejections);
        one.out_until = Some(now + time.min(longest));
        // Judged again after it is back.
        one.calls = 0;
        one.failed = 0;
        true
    }

    /// Whether this member is ejected now.
    pub fn is_ejected(&self, now: Instant, member: usize) -> bool {
        self.members[member]
            .out_until
            .is_some_and(|until| now < until)
    }

    /// Members that are ejected now.
    pub fn ejected(&self, now: Instant) -> usize {
        (0..self.members.len())
            .filter(|member| self.is_ejected(now, *member))
            .count()
    }

    fn should_eject(&self, now: Instant, member: usize) -> bool {
        let one = &self.members[member];
        if !self.config.enabled
            || one.calls < self.config.minimum_calls
            || self.is_ejected(now, member)
            || self.ejected(now) >= self.config.most_ejected(self.members.len())
        {
            return false;
        }
        let others = self.members.iter().enumerate();
        let (calls, failed) = others
            .filter(|(place, _)| *place != member && !self.is_ejected(now, *place))
            .fold((0_u64, 0_u64), |(calls, failed), (_, other)| {
                (
                    calls + u64::from(other.calls),
                    failed + u64::from(other.failed),
                )
            });
        // Members without recent calls are not known to be better.
        calls >= u64::from(self.config.minimum_calls)
            && share(one.failed.into(), one.calls.into())
                >= share(failed, calls) + self.config.failure_margin
    }

    fn turn(&mut self, now: Instant) {
        let interval = Duration::from_millis(self.config.interval_ms);
        if now.saturating_duration_since(self.since) < interval {
            return;
        }
        self.since = now;
        for member in &mut self.members {
            member.calls = 0;
            member.failed = 0;
            if member.out_until.is_some_and(|until| until <= now) {
                member.out_until = None;
            } else if member.out_until.is_none() {
                member.ejections = member.ejections.saturating_sub(1);
            }
        }
    }
}

fn share(failed: u64, calls: u64) -> f64 {
    if calls == 0 {
        0.0
    } else {
        failed as f64 / calls as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn feed(outliers: &mut Outliers, now: Instant, shares: &[f64], calls: u32) {
        for call in 0..calls {
            for (member, share) in shares.iter().enumerate() {
                let failed = f64::from(call % 100) < share * 100.0;
                outliers.report(now, member, failed);
            }
        }
    }

    #[test]
    fn a_member_that_fails_more_than_the_others_is_ejected_and_returns() {
        let start = Instant::now();
        let mut outliers = Outliers::new(Config::default(), 3, start);
        feed(&mut outliers, start, &[0.0, 1.0, 0.0], 20);
        let out = |outliers: &Outliers, at| [0, 1, 2].map(|member| outliers.is_ejected(at, member));
        assert_eq!(out(&outliers, start), [false, true, false]);
        assert_eq!(out(&outliers, start + 29 * SECOND), [false, true, false]);
        assert_eq!(out(&outliers, start + 30 * SECOND), [false; 3]);
        feed(&mut outliers, start + 31 * SECOND, &[0.0, 1.0, 0.0], 20);
        assert_eq!(
            out(&outliers, start + 90 * SECOND),
            [false, true, false],
            "the second time it is out for twice as long"
        );
    }

    #[test]
    fn no_member_is_ejected_when_all_fail_alike() {
        let now = Instant::now();
        let mut outliers = Outliers::new(Config::default(), 3, now);
        feed(&mut outliers, now, &[0.5, 0.5, 0.6], 100);
        assert_eq!(outliers.ejected(now), 0);
    }

    #[test]
    fn a_single_member_is_never_ejected() {
        let now = Instant::now();
        let mut outliers = Outliers::new(Config::default(), 1, now);
        feed(&mut outliers, now, &[1.0], 1_000);
        assert_eq!(outliers.ejected(now), 0);
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_and_never_all(
            members in 1_usize..12, percent in 0_u32..=100,
            calls in proptest::collection::vec((0_usize..12, any::<bool>(), 0_u64..3_000), 1..600),
        ) {
            let config = Config {
                minimum_calls: 2, failure_margin: 0.01, max_ejection_percent: percent,
                ..Config::default()
            };
            let mut now = Instant::now();
            let mut outliers = Outliers::new(config, members, now);
            for (member, failed, wait_ms) in calls {
                now += Duration::from_millis(wait_ms);
                outliers.report(now, member % members, failed);
                let out = outliers.ejected(now);
                prop_assert!(out < members);
                prop_assert!(out <= (members * percent as usize / 100).max(1));
                prop_assert!(percent > 0 || out == 0);
            }
        }
    }
}
