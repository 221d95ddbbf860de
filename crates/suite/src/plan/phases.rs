//! Phases with begin and end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{SHORTEST, scaled};
use crate::file::{Ladder, Model, Phase, Ramp};

/// One phase of a plan; times are seconds from the begin of the test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedPhase {
    pub name: String,
    pub kind: Kind,
    pub begin_s: f64,
    pub end_s: f64,
    /// The level at the end of the phase in a closed test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<f64>,
    /// The level at the end of the phase in an open test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<f64>,
    pub judged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    WarmUp,
    Ramp,
    Steady,
    RampDown,
    Rest,
}

impl PlannedPhase {
    /// The level at the end of the phase, users or arrivals per second.
    pub fn level(&self) -> f64 {
        self.users.or(self.rate_per_s).unwrap_or_default()
    }

    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.end_s - self.begin_s)
    }
}

/// A phase before it has a place in time.
struct Step {
    name: Option<String>,
    kind: Kind,
    level: f64,
    lasts: Duration,
    judged: bool,
}

/// The phases of a test under a time scale.
pub(super) fn of_phases(phases: &[Phase], model: Model, time_scale: f64) -> Vec<PlannedPhase> {
    let mut level = 0.0;
    let steps = phases
        .iter()
        .map(|phase| {
            let step = step(phase, level, time_scale);
            level = step.level;
            step
        })
        .collect();
    placed(borrowed(steps), model)
}

/// The steps of a ladder: each is a ramp and what is left of `each` as a steady phase.
pub(super) fn of_ladder(ladder: &Ladder, model: Model, time_scale: f64) -> Vec<PlannedPhase> {
    let mut steps = Vec::new();
    let mut level = 0.0_f64;
    let back = ladder.back_to.iter().copied();
    for (place, next) in ladder.levels.iter().copied().chain(back).enumerate() {
        if place > 0
            && let Some(rest) = ladder.rest
        {
            let lasts = scaled(rest, time_scale);
            let name = Some(format!("rest {place}"));
            steps.push(Step {
                name,
                kind: Kind::Rest,
                level: 0.0,
                lasts,
                judged: false,
            });
            level = 0.0;
        }
        let each = scaled(ladder.each, time_scale);
        let ramp =
            Duration::from_secs_f64((next - level).abs() / ladder.at_per_s).mul_f64(time_scale);
        let ramp = ramp.min(each.saturating_sub(SHORTEST));
        let label = if place == ladder.levels.len() {
            format!("back to {next}")
        } else {
            next.to_string()
        };
        steps.push(Step {
            name: Some(format!("ramp to {next}")),
            kind: Kind::Ramp,
            level: next,
            lasts: ramp,
            judged: false,
        });
        let lasts = each.saturating_sub(ramp);
        steps.push(Step {
            name: Some(label),
            kind: Kind::Steady,
            level: next,
            lasts,
            judged: true,
        });
        level = next;
    }
    placed(steps, model)
}

/// A ramp and a steady phase that together last `total`, as Locust counts its run time.
pub(super) fn of_run_time(
    level: f64,
    at_per_s: f64,
    total: Duration,
    model: Model,
) -> Vec<PlannedPhase> {
    let ramp = Duration::from_secs_f64(level / at_per_s);
    if ramp >= total {
        let reached = (at_per_s * total.as_secs_f64()).floor();
        let step = Step {
            name: None,
            kind: Kind::Ramp,
            level: reached,
            lasts: total,
            judged: false,
        };
        return placed(vec![step], model);
    }
    placed(
        vec![
            Step {
                name: None,
                kind: Kind::Ramp,
                level,
                lasts: ramp,
                judged: false,
            },
            Step {
                name: None,
                kind: Kind::Steady,
                level,
                lasts: total - ramp,
                judged: true,
            },
        ],
        model,
    )
}

fn step(phase: &Phase, level: f64, time_scale: f64) -> Step {
    match phase {
        Phase::WarmUp(it) => Step {
            name: it.name.clone(),
            kind: Kind::WarmUp,
            level,
            lasts: scaled(it.lasts, time_scale),
            judged: false,
        },
        Phase::Ramp(ramp) => Step {
            name: ramp.name.clone(),
            kind: Kind::Ramp,
            level: ramp.to,
            lasts: ramp_time(ramp, level, time_scale),
            judged: false,
        },
        Phase::Steady(it) => Step {
            name: it.name.clone(),
            kind: Kind::Steady,
            level,
            lasts: scaled(it.lasts, time_scale),
            judged: it.judged.unwrap_or(true),
        },
        Phase::RampDown(it) => Step {
            name: it.name.clone(),
            kind: Kind::RampDown,
            level: 0.0,
            lasts: scaled(it.lasts, time_scale),
            judged: false,
        },
        Phase::Rest(it) => Step {
            name: it.name.clone(),
            kind: Kind::Rest,
            level: 0.0,
            lasts: scaled(it.lasts, time_scale),
            judged: false,
        },
    }
}

/// A ramp without speed or time is a jump.
fn ramp_time(ramp: &Ramp, level: f64, time_scale: f64) -> Duration {
    match (ramp.lasts, ramp.at_per_s) {
        (Some(lasts), _) => scaled(lasts, time_scale),
        (None, Some(at_per_s)) => {
            let whole = Duration::from_secs_f64((ramp.to - level).abs() / at_per_s);
            scaled(whole.into(), time_scale)
        }
        (None, None) => Duration::ZERO,
    }
}

/// What a phase was lengthened by to last a second, the next one gives back: a scaled test lasts
/// what its own length scaled would. Applies to ramps, whose true scaled length can be far below.
fn borrowed(mut steps: Vec<Step>) -> Vec<Step> {
    for place in 1..steps.len() {
        let (before, after) = steps.split_at_mut(place);
        let (ramp, next) = (&before[place - 1], &mut after[0]);
        if ramp.kind == Kind::Ramp && ramp.lasts == SHORTEST && next.lasts >= SHORTEST * 2 {
            next.lasts -= SHORTEST;
        }
    }
    steps
}

fn placed(steps: Vec<Step>, model: Model) -> Vec<PlannedPhase> {
    let mut begin = Duration::ZERO;
    let mut counted = 0;
    steps
        .into_iter()
        .map(|step| {
            let end = begin + step.lasts;
            counted += 1;
            let phase = PlannedPhase {
                name: step
                    .name
                    .unwrap_or_else(|| format!("{} {counted}", step.kind.name())),
                kind: step.kind,
                begin_s: begin.as_secs_f64(),
                end_s: end.as_secs_f64(),
                users: (model == Model::Closed).then_some(step.level),
                rate_per_s: (model == Model::Open).then_some(step.level),
                judged: step.judged,
            };
            begin = end;
            phase
        })
        .collect()
}

impl Kind {
    /// Whether the level of the phase holds from its begin instead of being approached.
    pub(crate) const fn jumps(self) -> bool {
        matches!(self, Self::WarmUp | Self::Steady | Self::Rest)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Ramp => "ramp",
            Self::Steady => "steady",
            Self::RampDown => "ramp-down",
            Self::Rest => "rest",
        }
    }
}
