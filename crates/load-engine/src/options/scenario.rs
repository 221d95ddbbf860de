//! One scenario's configuration, as written (`None` is "not set").

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

/// A point of a ramp: within `duration`, go to `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// The length of the ramp.
    pub duration: Duration,
    /// VUs, or iterations per time unit, at its end.
    pub target: i64,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// How its iterations are scheduled.
    pub executor: Executor,
    /// Its start, after the start of the run.
    pub start_time: Option<Duration>,
    /// How long iterations may continue after its end.
    pub graceful_stop: Option<Duration>,
    /// The function to run.
    pub exec: Option<String>,
    /// Environment of its VUs.
    pub env: Option<IndexMap<String, String>>,
    /// Tags of its samples.
    pub tags: Option<IndexMap<String, String>>,
    /// Options for modules (`browser`).
    pub options: Option<Value>,
}

/// An executor's settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Executor {
    /// VUs that iterate for a time.
    ConstantVus(ConstantVus),
    /// A changing number of VUs that iterate.
    RampingVus(RampingVus),
    /// A number of iterations, shared by VUs.
    SharedIterations(Iterations),
    /// A number of iterations for each VU.
    PerVuIterations(Iterations),
    /// Iterations begin at a fixed rate.
    ConstantArrivalRate(ConstantArrivalRate),
    /// Iterations begin at a changing rate.
    RampingArrivalRate(RampingArrivalRate),
    /// VUs that are scaled from outside.
    ExternallyControlled(ExternallyControlled),
}

/// `constant-vus`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConstantVus {
    pub vus: Option<i64>,
    pub duration: Option<Duration>,
}

/// `ramping-vus`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RampingVus {
    pub start_vus: Option<i64>,
    pub stages: Option<Vec<Stage>>,
    pub graceful_ramp_down: Option<Duration>,
}

/// `shared-iterations`, `per-vu-iterations`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Iterations {
    pub vus: Option<i64>,
    pub iterations: Option<i64>,
    pub max_duration: Option<Duration>,
}

/// `constant-arrival-rate`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConstantArrivalRate {
    pub duration: Option<Duration>,
    pub rate: Option<i64>,
    pub time_unit: Option<Duration>,
    pub pre_allocated_vus: Option<i64>,
    pub max_vus: Option<i64>,
}

/// `ramping-arrival-rate`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RampingArrivalRate {
    pub start_rate: Option<i64>,
    pub time_unit: Option<Duration>,
    pub stages: Option<Vec<Stage>>,
    pub pre_allocated_vus: Option<i64>,
    pub max_vus: Option<i64>,
}

/// `externally-controlled`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExternallyControlled {
    pub vus: Option<i64>,
    pub duration: Option<Duration>,
    pub max_vus: Option<i64>,
}

/// k6's default for `gracefulStop` and `gracefulRampDown`.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(30);
/// k6's default for `maxDuration`.
pub const DEFAULT_MAX_DURATION: Duration = Duration::from_secs(600);

impl Scenario {
    /// A scenario with nothing but an executor.
    pub fn new(name: &str, executor: Executor) -> Self {
        Self {
            name: name.to_owned(),
            executor,
            start_time: None,
            graceful_stop: None,
            exec: None,
            env: None,
            tags: None,
            options: None,
        }
    }

    /// Its start, after the start of the run.
    pub fn start_time(&self) -> Duration {
        self.start_time.unwrap_or_default()
    }

    /// How long iterations may continue after its end; externally controlled scenarios have no grace.
    pub fn graceful_stop(&self) -> Duration {
        match self.executor {
            Executor::ExternallyControlled(_) => Duration::ZERO,
            _ => self.graceful_stop.unwrap_or(DEFAULT_GRACE),
        }
    }

    /// The function to run.
    pub fn function(&self) -> &str {
        self.exec.as_deref().unwrap_or("default")
    }

    /// Its regular time, without the grace.
    pub fn duration(&self) -> Duration {
        match &self.executor {
            Executor::ConstantVus(c) => c.duration.unwrap_or_default(),
            Executor::RampingVus(c) => total(c.stages.as_deref()),
            Executor::SharedIterations(c) | Executor::PerVuIterations(c) => c.max_duration(),
            Executor::ConstantArrivalRate(c) => c.duration.unwrap_or_default(),
            Executor::RampingArrivalRate(c) => total(c.stages.as_deref()),
            Executor::ExternallyControlled(c) => c.duration.unwrap_or_default(),
        }
    }
}

fn total(stages: Option<&[Stage]>) -> Duration {
    stages
        .unwrap_or_default()
        .iter()
        .map(|stage| stage.duration)
        .sum()
}

impl Iterations {
    /// The time limit.
    pub fn max_duration(&self) -> Duration {
        self.max_duration.unwrap_or(DEFAULT_MAX_DURATION)
    }
}

impl Executor {
    /// The executor's name in configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConstantVus(_) => "constant-vus",
            Self::RampingVus(_) => "ramping-vus",
            Self::SharedIterations(_) => "shared-iterations",
            Self::PerVuIterations(_) => "per-vu-iterations",
            Self::ConstantArrivalRate(_) => "constant-arrival-rate",
            Self::RampingArrivalRate(_) => "ramping-arrival-rate",
            Self::ExternallyControlled(_) => "externally-controlled",
        }
    }
}
