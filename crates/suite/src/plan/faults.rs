//! The length of the steady load that faults on a system need.
//!
//! The runner injects faults one after the other during the load and ends the load after the last one, so the planned
//! length is their maximum. A system fails and restarts in its own time: the time needed to observe that does not
//! shrink with the time scale.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phases::{Kind, PlannedPhase};
use super::scale::{SHORTEST, scaled};
use crate::file::SystemFault;

/// Steady load before the first fault, times the time scale.
const SETTLE: Duration = Duration::from_secs(20);
/// Probes before each fault establish its baseline; times the time scale.
const USUAL: Duration = Duration::from_secs(2);
/// Crashed systems are up again within this time, whatever the time scale.
pub(crate) const RESTART: Duration = Duration::from_secs(15);
/// Load without a fault after each fault: the period used to judge whether clients have recovered (N-07),
/// whatever the time scale.
pub(crate) const WELL_FOR: Duration = Duration::from_secs(7);
/// The last probe of a period may exceed it by this time.
pub(crate) const PROBE: Duration = Duration::from_secs(1);
pub(crate) const PROBE_EVERY: Duration = Duration::from_millis(200);
/// The system has recovered after this number of consecutive good probes.
const GOOD_PROBES: u32 = 25;
const FEWEST_GOOD_PROBES: u32 = 3;

/// A fault on the system with its times, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    pub name: String,
    /// The time of the probes before it.
    pub usual_s: f64,
    pub for_s: f64,
    /// From its injection; absent if clients need not notice it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detect_within_s: Option<f64>,
    /// From its injection; absent if the system need not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_within_s: Option<f64>,
    /// From its end.
    pub recover_within_s: f64,
    /// The maximum total time.
    pub longest_s: f64,
    /// In the resilience score; absent: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

/// The length of the steady load before the first fault.
pub(crate) fn settled(time_scale: f64) -> Duration {
    scaled(SETTLE, time_scale)
}

/// The number of consecutive good probes that show a recovery.
pub(crate) fn good_probes(time_scale: f64) -> u32 {
    let scaled = (f64::from(GOOD_PROBES) * time_scale) as u32;
    scaled.clamp(FEWEST_GOOD_PROBES, GOOD_PROBES)
}

pub(super) fn planned(name: &str, fault: &SystemFault, time_scale: f64) -> PlannedFault {
    let usual = scaled(USUAL, time_scale);
    let at_least_a_restart = |whole: Duration| {
        scaled(whole, time_scale)
            .max(RESTART.min(whole))
            .max(SHORTEST)
    };
    // The next fault must not hit an instance that is still restarting.
    let lasts = match &fault.crash {
        Some(_) => at_least_a_restart(fault.lasts.get()),
        None => scaled(fault.lasts.get(), time_scale).max(SHORTEST),
    };
    let within = at_least_a_restart(fault.recover_within.get());
    let seen = PROBE_EVERY * good_probes(time_scale);
    PlannedFault {
        name: name.to_owned(),
        usual_s: usual.as_secs_f64(),
        for_s: lasts.as_secs_f64(),
        detect_within_s: fault.detect_within.map(|span| span.get().as_secs_f64()),
        sign_within_s: fault
            .detect
            .as_ref()
            .map(|detect| detect.within.get().as_secs_f64()),
        recover_within_s: within.as_secs_f64(),
        longest_s: (usual + lasts + within + seen + WELL_FOR + PROBE).as_secs_f64(),
        weight: fault.weight,
    }
}

/// The steady load that faults need, in seconds.
pub(super) fn needed_s(faults: &[PlannedFault], time_scale: f64) -> f64 {
    let each = faults.iter().map(|fault| fault.longest_s);
    settled(time_scale).as_secs_f64() + each.sum::<f64>()
}

/// The phase during which faults are injected.
pub(super) fn beside(phases: &[PlannedPhase]) -> Option<&PlannedPhase> {
    phases.iter().find(|phase| phase.kind == Kind::Steady)
}

/// Extends the phase during which faults are injected to the length that they need.
pub(super) fn make_room(phases: &mut [PlannedPhase], faults: &[PlannedFault], time_scale: f64) {
    if faults.is_empty() {
        return;
    }
    let Some(place) = phases.iter().position(|phase| phase.kind == Kind::Steady) else {
        return;
    };
    let length = phases[place].length().as_secs_f64();
    let lacks = (needed_s(faults, time_scale) - length).max(0.0);
    phases[place].end_s += lacks;
    for phase in &mut phases[place + 1..] {
        phase.begin_s += lacks;
        phase.end_s += lacks;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::{BUILT_IN, built_in};
    use crate::plan::{Selection, loaded, plan};

    #[test]
    fn faults_have_time_at_every_scale() {
        for (name, _) in BUILT_IN {
            let file = built_in(name).expect("built in").expect("sound");
            for time_scale in [0.001, 0.02, 0.3, 1.0] {
                let selection = Selection {
                    tests: vec!["fault-tolerance".to_owned()],
                    time_scale,
                    ..Selection::default()
                };
                let planned = plan(&file, &selection, &|_| None);
                let plan = planned.unwrap_or_else(|error| panic!("{error}"));
                loaded(&plan).unwrap_or_else(|error| panic!("{name} at {time_scale}: {error}"));
                for test in plan.tests.iter().filter(|test| !test.faults.is_empty()) {
                    let steady = beside(&test.phases).expect("a steady phase");
                    let needed = needed_s(&test.faults, time_scale);
                    let length = steady.end_s - steady.begin_s;
                    assert!(length + 1e-6 >= needed, "{name}: {length} of {needed} s");
                    let whole = file.tests["fault-tolerance"].phases.as_ref();
                    assert!(whole.is_some_and(|phases| phases.len() == 2), "{name}");
                    if time_scale == 1.0 {
                        assert!((length - 600.0).abs() < 1e-6, "{name}: as it is written");
                    }
                }
            }
        }
    }

    #[test]
    fn the_observation_of_a_fault_does_not_shrink_below_its_minimum() {
        let file = built_in("acis").expect("built in").expect("sound");
        let fault = &file.tests["fault-tolerance"].faults["slow_database"];
        let short = planned("slow_database", fault, 0.001);
        assert_eq!([short.usual_s, short.for_s], [1.0, 1.0]);
        assert_eq!(short.recover_within_s, 15.0);
        let whole = planned("slow_database", fault, 1.0);
        assert_eq!([whole.usual_s, whole.for_s], [2.0, 20.0]);
        assert_eq!(whole.recover_within_s, 30.0);
        assert_eq!((good_probes(0.001), good_probes(1.0)), (3, 25));
    }
}
