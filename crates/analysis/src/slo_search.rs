//! The search for the largest arrival rate that meets the service level objectives.
//!
//! A pure state machine: it returns the rate to try, receives the result, and ends with an interval from
//! the largest rate that passed to the smallest that failed. It doubles until a probe fails, bisects until
//! the interval is narrow, then confirms the lower end (Nighthawk's adjusting and testing stages).
//! Durations, cool-downs and criteria are the caller's.

use crate::input::{self, InputError};

/// The parameters of a search. Rates have the caller's unit, usually requests per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The first rate.
    pub start: f64,
    /// The lower bound of the tried rates.
    pub smallest: f64,
    /// The upper bound of the tried rates.
    pub largest: f64,
    /// The final interval's width is at most this share of its upper end.
    pub resolution: f64,
    /// Number of times that the found rate has to pass again.
    pub confirmations: u32,
    /// Maximum number of probes, after which the search ends.
    pub probes: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            start: 10.0,
            smallest: 1.0,
            largest: 100_000.0,
            resolution: 0.05,
            confirmations: 1,
            probes: 40,
        }
    }
}

/// The next step of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    Probe { rate: f64, stage: Stage },
    Done(Found),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Doubling,
    /// The start has failed already.
    Halving,
    Bisection,
    Confirmation,
}

/// The result of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    Passed,
    Failed,
    /// The generator could not send the rate, so the target was not tested.
    GeneratorLimited,
}

/// The end of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The largest rate that passed, and still passes when probed again.
    pub passed: Option<f64>,
    /// The smallest rate that failed.
    pub failed: Option<f64>,
    pub probes: u32,
    pub end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The capacity is between `passed` and `failed`, within the required resolution, and was confirmed.
    Bracketed,
    /// The largest rate still passes.
    NothingFails,
    /// The smallest rate already fails.
    NothingPasses,
    /// The generator is the limit; the capacity is at least `passed`.
    GeneratorLimited,
    /// The maximum number of probes is reached; the interval is wider than required, or unconfirmed.
    OutOfProbes,
}

/// A running search.
#[derive(Debug, Clone)]
pub struct Search {
    plan: Plan,
    passed: Option<f64>,
    failed: Option<f64>,
    limited: bool,
    confirmed: u32,
    probes: u32,
}

impl Search {
    /// # Errors
    /// `OutOfRange` unless 0 < smallest <= start <= largest and 0 < resolution < 1; `Empty` for no
    /// probes.
    pub fn new(plan: Plan) -> Result<Self, InputError> {
        input::positive("the smallest rate", plan.smallest)?;
        input::positive("the largest rate", plan.largest)?;
        input::holds(
            "the start rate",
            plan.start,
            plan.smallest <= plan.start && plan.start <= plan.largest,
            "between the smallest and the largest rate",
        )?;
        input::open_unit("the resolution", plan.resolution)?;
        if plan.probes == 0 {
            return Err(InputError::Empty { what: "the probes" });
        }
        Ok(Self {
            plan,
            passed: None,
            failed: None,
            limited: false,
            confirmed: 0,
            probes: 0,
        })
    }

    /// The next probe, or the end. The same until [`Search::observe`] is called.
    pub fn step(&self) -> Step {
        if let Some(end) = self.end() {
            return Step::Done(Found {
                passed: self.passed,
                failed: self.failed,
                probes: self.probes,
                end,
            });
        }
        let (rate, stage) = match (self.passed, self.failed) {
            (None, None) => (self.plan.start, Stage::Doubling),
            (Some(passed), None) if self.may_grow(passed) => {
                ((2.0 * passed).min(self.plan.largest), Stage::Doubling)
            }
            (None, Some(failed)) => ((failed / 2.0).max(self.plan.smallest), Stage::Halving),
            (Some(passed), Some(failed)) if !self.is_narrow(passed, failed) => {
                (f64::midpoint(passed, failed), Stage::Bisection)
            }
            (Some(passed), _) => (passed, Stage::Confirmation),
        };
        Step::Probe { rate, stage }
    }

    /// Records the result of the probe from [`Search::step`]. After the end it has no effect.
    pub fn observe(&mut self, probe: Probe) {
        let Step::Probe { rate, stage } = self.step() else {
            return;
        };
        self.probes += 1;
        match (probe, stage) {
            (Probe::Passed, Stage::Confirmation) => self.confirmed += 1,
            (Probe::Passed, _) => self.passed = Some(rate),
            (Probe::Failed, Stage::Confirmation) => {
                // The pass was luck. No lower rate is known to pass, so the range below is searched again.
                self.failed = Some(rate);
                self.passed = None;
                self.confirmed = 0;
                self.limited = false;
            }
            (Probe::Failed, _) => self.failed = Some(rate),
            (Probe::GeneratorLimited, _) => self.limited = true,
        }
    }

    fn end(&self) -> Option<End> {
        if self.passed.is_none() && self.failed == Some(self.plan.smallest) {
            return Some(End::NothingPasses);
        }
        let is_confirmed = self.confirmed >= self.plan.confirmations;
        if self.limited && (is_confirmed || self.passed.is_none() || self.failed.is_some()) {
            return Some(End::GeneratorLimited);
        }
        match (self.passed, self.failed) {
            (Some(passed), None) if passed >= self.plan.largest && is_confirmed => {
                Some(End::NothingFails)
            }
            (Some(passed), Some(failed)) if self.is_narrow(passed, failed) && is_confirmed => {
                Some(End::Bracketed)
            }
            _ => (self.probes >= self.plan.probes).then_some(End::OutOfProbes),
        }
    }

    fn may_grow(&self, passed: f64) -> bool {
        passed < self.plan.largest && !self.limited
    }

    fn is_narrow(&self, passed: f64, failed: f64) -> bool {
        failed - passed <= self.plan.resolution * failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a target that passes up to `capacity`, with a generator that sends up to `sends`.
    fn search(plan: Plan, capacity: f64, sends: f64) -> Found {
        let mut search = Search::new(plan).expect("a valid plan");
        loop {
            match search.step() {
                Step::Done(found) => return found,
                Step::Probe { rate, .. } if rate > sends => {
                    search.observe(Probe::GeneratorLimited);
                }
                Step::Probe { rate, .. } if rate > capacity => search.observe(Probe::Failed),
                Step::Probe { .. } => search.observe(Probe::Passed),
            }
        }
    }

    fn check(capacity: f64, sends: f64, expected: End) -> Found {
        let found = search(Plan::default(), capacity, sends);
        assert_eq!(found.end, expected, "{found:?}");
        found
    }

    #[test]
    fn the_interval_holds_the_capacity_and_is_narrow() {
        for capacity in [1.3, 9.9, 10.0, 10.1, 100.0, 733.0, 54_321.0] {
            let found = check(capacity, f64::INFINITY, End::Bracketed);
            let (passed, failed) = found.passed.zip(found.failed).expect("a bracket");
            assert!(passed <= capacity && capacity < failed, "{found:?}");
            assert!(failed - passed <= 0.05 * failed, "{found:?}");
        }
    }

    #[test]
    fn ends_that_are_not_reached_are_named() {
        assert_eq!(
            check(1e9, f64::INFINITY, End::NothingFails).passed,
            Some(1e5)
        );
        assert_eq!(check(0.5, f64::INFINITY, End::NothingPasses).passed, None);
        assert_eq!(
            check(1e9, 1000.0, End::GeneratorLimited).passed,
            Some(640.0)
        );
    }

    #[test]
    fn a_pass_by_luck_does_not_survive_its_confirmation() {
        let mut search = Search::new(Plan::default()).expect("a valid plan");
        // Passes at 10 and 20, fails at 40; every later probe above 12 fails.
        let mut probes = 0;
        let found = loop {
            match search.step() {
                Step::Done(found) => break found,
                Step::Probe { rate, .. } => {
                    probes += 1;
                    let limit = if probes <= 2 { 25.0 } else { 12.0 };
                    search.observe(if rate <= limit {
                        Probe::Passed
                    } else {
                        Probe::Failed
                    });
                }
            }
        };
        assert_eq!(found.end, End::Bracketed, "{found:?}");
        assert!(found.passed.is_some_and(|passed| passed <= 12.0));
        assert!(found.failed.is_some_and(|failed| failed > 12.0));
    }

    #[test]
    fn the_search_ends_when_its_probes_are_used_up() {
        let plan = Plan {
            probes: 3,
            ..Plan::default()
        };
        let found = search(plan, 100.0, f64::INFINITY);
        assert_eq!((found.end, found.probes), (End::OutOfProbes, 3));
    }

    #[test]
    fn a_start_outside_the_range_is_refused() {
        let plan = Plan {
            start: 0.5,
            ..Plan::default()
        };
        assert!(Search::new(plan).is_err());
    }
}
