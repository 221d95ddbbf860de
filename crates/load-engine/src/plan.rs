//! The requirements of a run: pure functions of the options.

use std::collections::VecDeque;
use std::time::Duration;

use crate::options::scenario::{DEFAULT_GRACE, Executor, RampingVus, Scenario};
use crate::segment::{Segment, Stripe};

/// From `at` on, `vus` are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// After the scenario's start.
    pub at: Duration,
    /// The number of VUs.
    pub vus: u64,
}

/// The requirements of the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// VUs to make before the start.
    pub planned_vus: u64,
    /// The maximum of VUs, including those that arrival rates may add.
    pub most_vus: u64,
    /// The maximum duration.
    pub duration: Duration,
}

/// The requirements of all scenarios together.
pub fn needs(scenarios: &[Scenario], segment: &Segment) -> Needs {
    let stripe = segment.stripe();
    let mut timeline: Vec<(Duration, usize, u64, u64)> = Vec::new();
    for (n, scenario) in in_order(scenarios).into_iter().enumerate() {
        let unplanned = unplanned_vus(scenario, &stripe);
        for (index, step) in scenario_steps(scenario, &stripe).into_iter().enumerate() {
            // Arrival rates have two steps. A segment may get none of the VUs of the first step.
            let extra = if index == 0 { unplanned } else { 0 };
            timeline.push((scenario.start_time() + step.at, n, step.vus, extra));
        }
    }
    // A stable sort: at one moment earlier scenarios step first, and each step counts separately, as in k6.
    timeline.sort_by_key(|(at, ..)| *at);
    let mut current = vec![(0, 0); scenarios.len()];
    let (mut planned_vus, mut most_vus) = (0, 0);
    for (_, n, vus, extra) in timeline {
        current[n] = (vus, extra);
        let planned: u64 = current.iter().map(|(vus, _)| vus).sum();
        planned_vus = planned_vus.max(planned);
        most_vus = most_vus.max(planned + current.iter().map(|(_, extra)| extra).sum::<u64>());
    }
    let ends = scenarios.iter().map(|scenario| {
        let last = scenario_steps(scenario, &stripe).last().map(|step| step.at);
        scenario.start_time() + last.unwrap_or_default()
    });
    Needs {
        planned_vus,
        most_vus,
        duration: ends.max().unwrap_or_default(),
    }
}

/// The scenarios in the order of display and planning: by start time, then by name.
pub fn in_order(scenarios: &[Scenario]) -> Vec<&Scenario> {
    let mut ordered: Vec<&Scenario> = scenarios.iter().collect();
    ordered.sort_by(|a, b| (a.start_time(), &a.name).cmp(&(b.start_time(), &b.name)));
    ordered
}

/// The VUs that a scenario must have over time, grace included; ends with 0.
fn scenario_steps(scenario: &Scenario, stripe: &Stripe) -> Vec<Step> {
    let end = scenario.duration() + scenario.graceful_stop();
    let constant = |vus: i64| {
        vec![
            Step {
                at: Duration::ZERO,
                vus: scale(stripe, vus),
            },
            Step { at: end, vus: 0 },
        ]
    };
    match &scenario.executor {
        Executor::ConstantVus(c) => constant(c.vus.unwrap_or(1)),
        Executor::SharedIterations(c) | Executor::PerVuIterations(c) => {
            constant(c.vus.unwrap_or(1))
        }
        Executor::ConstantArrivalRate(c) => constant(c.pre_allocated_vus.unwrap_or(0)),
        Executor::RampingArrivalRate(c) => constant(c.pre_allocated_vus.unwrap_or(0)),
        Executor::ExternallyControlled(c) => {
            let most = c.max_vus.unwrap_or(c.vus.unwrap_or(1));
            let mut steps = constant(most);
            if scenario.duration().is_zero() {
                steps.truncate(1); // until it is stopped
            }
            steps
        }
        Executor::RampingVus(c) => {
            let mut steps = with_ramp_down(&all_ramp_steps(c, stripe), c.graceful_ramp_down());
            steps.retain(|step| step.at <= end);
            if steps.last().is_some_and(|last| last.vus > 0) {
                steps.push(Step { at: end, vus: 0 });
            }
            steps
        }
    }
}

fn unplanned_vus(scenario: &Scenario, stripe: &Stripe) -> u64 {
    let (most, planned) = match &scenario.executor {
        Executor::ConstantArrivalRate(c) => (c.max_vus, c.pre_allocated_vus),
        Executor::RampingArrivalRate(c) => (c.max_vus, c.pre_allocated_vus),
        _ => (None, None),
    };
    let planned = planned.unwrap_or(0);
    scale(stripe, most.unwrap_or(planned)).saturating_sub(scale(stripe, planned))
}

/// The share of `count` of this instance; a negative count is zero.
pub fn scale(stripe: &Stripe, count: i64) -> u64 {
    stripe.scale(u64::try_from(count).unwrap_or(0))
}

impl RampingVus {
    /// How long a removed VU may continue its iteration.
    pub fn graceful_ramp_down(&self) -> Duration {
        self.graceful_ramp_down.unwrap_or(DEFAULT_GRACE)
    }
}

/// The planned numbers of VUs over time, without grace. Within a stage from A to B that takes D: going up, VU k
/// is added at end − D·(B−k)/(B−A); going down, VU k is removed when the line reaches k−1.
pub fn ramp_steps(ramp: &RampingVus, stripe: &Stripe) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for step in all_ramp_steps(ramp, stripe) {
        match steps.last_mut() {
            Some(last) if last.at == step.at => *last = step,
            _ => steps.push(step),
        }
    }
    steps.dedup_by_key(|step| step.vus);
    steps
}

/// The same, including peaks of no duration, where a stage without duration is followed by another one: no VU
/// runs for them, but they are planned for.
fn all_ramp_steps(ramp: &RampingVus, stripe: &Stripe) -> Vec<Step> {
    let mut count = u64::try_from(ramp.start_vus.unwrap_or(1)).unwrap_or(0);
    let mut steps = vec![Step {
        at: Duration::ZERO,
        vus: stripe.scale(count),
    }];
    let mut push = |at: Duration, count: u64| {
        let vus = stripe.scale(count);
        if steps.last().is_none_or(|last| last.vus != vus) {
            steps.push(Step { at, vus });
        }
    };
    let mut begin = Duration::ZERO;
    for stage in ramp.stages.as_deref().unwrap_or_default() {
        let target = u64::try_from(stage.target).unwrap_or(0);
        let end = begin + stage.duration;
        if stage.duration.is_zero() {
            push(end, target);
        }
        let span = count.abs_diff(target);
        for done in 1..=span {
            let left = (stage.duration.as_nanos() * u128::from(span - done)) / u128::from(span);
            let at = end - nanos(left);
            let now = if target > count {
                count + done
            } else {
                count - done
            };
            if !stage.duration.is_zero() {
                push(at, now);
            }
        }
        (count, begin) = (target, end);
    }
    steps
}

/// The steps with every VU kept for `grace` after its removal: the greatest count within the last `grace`
/// before each moment.
fn with_ramp_down(steps: &[Step], grace: Duration) -> Vec<Step> {
    let mut moments: Vec<Duration> = steps.iter().map(|step| step.at).collect();
    moments.extend(steps.iter().map(|step| step.at + grace));
    moments.sort_unstable();
    moments.dedup();
    let mut window: VecDeque<(usize, u64)> = VecDeque::new();
    let mut next = 0;
    let mut out: Vec<Step> = Vec::new();
    let mut note = |at, window: &VecDeque<(usize, u64)>| {
        let vus = window.front().map_or(0, |(_, vus)| *vus);
        if out.last().is_none_or(|last: &Step| last.vus != vus) {
            out.push(Step { at, vus });
        }
    };
    for at in moments {
        while let Some(step) = steps.get(next).filter(|step| step.at <= at) {
            while window.back().is_some_and(|(_, vus)| *vus <= step.vus) {
                window.pop_back();
            }
            window.push_back((next, step.vus));
            next += 1;
            note(at, &window);
        }
        // A step counts until `grace` after its successor.
        while window.len() > 1 && steps[window[0].0 + 1].at + grace <= at {
            window.pop_front();
        }
        note(at, &window);
    }
    out
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Stage;

    fn ramp(start: i64, stages: &[(u64, i64)]) -> RampingVus {
        let stage = |&(ms, target): &(u64, i64)| Stage {
            duration: Duration::from_millis(ms),
            target,
        };
        RampingVus {
            start_vus: Some(start),
            stages: Some(stages.iter().map(stage).collect()),
            graceful_ramp_down: Some(Duration::from_millis(100)),
        }
    }

    fn steps(start: i64, stages: &[(u64, i64)]) -> Vec<(u64, u64)> {
        let steps = ramp_steps(&ramp(start, stages), &Stripe::full());
        steps
            .iter()
            .map(|step| (u64::try_from(step.at.as_millis()).expect("short"), step.vus))
            .collect()
    }

    #[test]
    fn a_segment_may_add_vus_when_it_starts_without_any() {
        use crate::options::{derive, json};
        let scenario = serde_json::json!({ "scenarios": { "s": {
            "executor": "constant-arrival-rate", "rate": 40, "duration": "1s",
            "preAllocatedVUs": 2, "maxVUs": 10,
        } } });
        let mut options = json::read(&scenario).expect("valid").options;
        derive::scenarios(&mut options).expect("derivable");
        let sequence = "0,3/6,4/6,5/6,1";
        let segment = Segment::parse(Some("5/6:1"), Some(sequence)).expect("valid");
        let needs = needs(options.scenarios(), &segment);
        assert_eq!((needs.planned_vus, needs.most_vus), (0, 1));
    }

    #[test]
    fn a_ramp_adds_and_removes_vus_when_the_line_reaches_them() {
        let expected = [(0, 0), (500, 1), (1000, 2), (1500, 1), (2000, 0)];
        assert_eq!(steps(0, &[(1000, 2), (1000, 0)]), expected);
    }

    #[test]
    fn a_stage_without_time_jumps() {
        assert_eq!(steps(1, &[(0, 5), (1000, 5), (0, 2)]), [(0, 5), (1000, 2)]);
    }

    fn check_most(ramp: RampingVus, most: u64) {
        let scenario = Scenario {
            graceful_stop: Some(Duration::ZERO),
            ..Scenario::new("a", Executor::RampingVus(ramp))
        };
        let needs = needs(&[scenario], &Segment::full());
        assert_eq!(needs.most_vus, most);
    }

    #[test]
    fn peaks_of_no_duration_are_planned_for() {
        // The output of k6 1.1 for the same stages with `inspect --execution-requirements`.
        let without_grace = |start, stages: &[(u64, i64)]| RampingVus {
            graceful_ramp_down: Some(Duration::ZERO),
            ..ramp(start, stages)
        };
        check_most(without_grace(1, &[(1000, 11)]), 11);
        check_most(
            without_grace(0, &[(1000, 0), (0, 20), (0, 0), (1000, 3)]),
            20,
        );
        check_most(without_grace(7, &[(0, 0), (1000, 3)]), 7);
    }

    #[test]
    fn vus_are_kept_for_the_graceful_ramp_down() {
        let ramp = ramp(0, &[(0, 3), (1000, 3), (0, 1), (50, 1), (0, 2), (1000, 2)]);
        let kept = with_ramp_down(
            &ramp_steps(&ramp, &Stripe::full()),
            Duration::from_millis(100),
        );
        let millis = |ms| Duration::from_millis(ms);
        let expected = [
            Step {
                at: millis(0),
                vus: 3,
            },
            Step {
                at: millis(1100),
                vus: 2,
            },
        ];
        assert_eq!(kept, expected);
    }
}
