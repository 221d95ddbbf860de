//! Phases with start and end.

use std::time::Duration;

use report::record::PhaseKind;
use serde::{Deserialize, Serialize};

use super::scale::{SHORTEST, Scale};
use crate::file::{Ladder, Model, Phase, Ramp, Span};

/// One phase of a plan; times are seconds from the start of the test.
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

impl From<Kind> for PhaseKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::WarmUp => Self::WarmUp,
            Kind::Ramp => Self::Ramp,
            Kind::Steady => Self::Steady,
            Kind::RampDown => Self::RampDown,
            Kind::Rest => Self::Rest,
        }
    }
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

/// A phase without its place in time.
struct Step {
    name: Option<String>,
    kind: Kind,
    level: f64,
    lasts: Duration,
    judged: bool,
}

/// The phases of a test under a time scale.
pub(super) fn of_phases(phases: &[Phase], model: Model, scale: Scale) -> Vec<PlannedPhase> {
    let mut level = 0.0;
    let mut steps = Vec::new();
    // Extending a short ramp to one second shortens the next phase by the same time, so that a scaled test has its own
    // scaled length: the true scaled length of a ramp can be far below a second.
    let mut owed = Duration::ZERO;
    for phase in phases {
        let (mut step, least) = step(phase, level, scale);
        level = step.level;
        if step.lasts >= least + owed {
            step.lasts -= owed;
        }
        owed = match phase {
            Phase::Ramp(ramp) => lengthened(ramp, &step, &steps, scale),
            _ => Duration::ZERO,
        };
        steps.push(step);
    }
    placed(steps, model)
}

/// The time by which a ramp exceeds its scaled length.
fn lengthened(ramp: &Ramp, step: &Step, before: &[Step], scale: Scale) -> Duration {
    let level = before.last().map_or(0.0, |before| before.level);
    step.lasts
        .saturating_sub(scale.exactly(ramp_time(ramp, level)))
}

/// The steps of a ladder: each is a ramp, and the rest of `each` as a steady phase.
pub(super) fn of_ladder(ladder: &Ladder, model: Model, scale: Scale) -> Vec<PlannedPhase> {
    let mut steps = Vec::new();
    let mut level = 0.0_f64;
    let back = ladder.back_to.iter().copied();
    for (place, next) in ladder.levels.iter().copied().chain(back).enumerate() {
        if place > 0
            && let Some(rest) = ladder.rest
        {
            let lasts = scale.any(rest.get());
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
        let ramp = Duration::from_secs_f64((next - level).abs() / ladder.at_per_s);
        let ramp = scale.exactly(ramp);
        let each = scale.with_ramp(ladder.each.get(), ramp);
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

/// A phase with its minimum length.
fn step(phase: &Phase, level: f64, scale: Scale) -> (Step, Duration) {
    let at = |name: &Option<String>, kind, level, lasts| Step {
        name: name.clone(),
        kind,
        level,
        lasts,
        judged: false,
    };
    let any = |lasts: Span| scale.any(lasts.get());
    let step = match phase {
        Phase::WarmUp(it) => at(&it.name, Kind::WarmUp, level, any(it.lasts)),
        Phase::Ramp(it) => at(&it.name, Kind::Ramp, it.to, scale.any(ramp_time(it, level))),
        Phase::Steady(it) => {
            let lasts = scale.held(it.lasts.get());
            let step = Step {
                judged: it.judged.unwrap_or(true),
                ..at(&it.name, Kind::Steady, level, lasts)
            };
            return (step, scale.least(it.lasts.get()));
        }
        Phase::RampDown(it) => at(&it.name, Kind::RampDown, 0.0, any(it.lasts)),
        Phase::Rest(it) => at(&it.name, Kind::Rest, 0.0, any(it.lasts)),
    };
    (step, SHORTEST)
}

/// The length of a ramp in the file. A ramp without speed or time is a jump.
fn ramp_time(ramp: &Ramp, level: f64) -> Duration {
    match (ramp.lasts, ramp.at_per_s) {
        (Some(lasts), _) => lasts.get(),
        (None, Some(at_per_s)) => Duration::from_secs_f64((ramp.to - level).abs() / at_per_s),
        (None, None) => Duration::ZERO,
    }
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
    /// Whether the phase has its level from the beginning instead of approaching it.
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
