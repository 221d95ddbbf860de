//! The API's view of a run that is under way.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use load_metrics::threshold::ExpressionError;
use load_metrics::{Aggregate, Registry};
use serde_json::Value;

use super::{Control, MetricView, Refusal, Running, Status};
use crate::options::Executor;
use crate::output::CheckResult;
use crate::state::{Phase, RunState, TestEnd};
use crate::thresholds::Thresholds;

/// A run, seen through its state and what was gathered last.
#[derive(Debug)]
pub struct Live {
    state: Arc<RunState>,
    registry: Arc<Registry>,
    aggregate: Arc<Mutex<Aggregate>>,
    /// Its own copy: those of the run belong to the task that watches them.
    thresholds: Mutex<Thresholds>,
}

/// k6's number for a run that was ended before its time.
const INTERRUPTED: u8 = 10;

impl Live {
    /// A view of the run with this state, these metrics, and what is gathered of them.
    ///
    /// # Errors
    /// When a threshold cannot be used.
    pub fn new(
        state: Arc<RunState>,
        registry: Arc<Registry>,
        aggregate: Arc<Mutex<Aggregate>>,
    ) -> Result<Self, ExpressionError> {
        let thresholds = match &state.options().thresholds {
            Some(configured) => Thresholds::new(configured, &registry)?,
            None => Thresholds::default(),
        };
        Ok(Self {
            state,
            registry,
            aggregate,
            thresholds: Mutex::new(thresholds),
        })
    }

    /// What was asked for last, or at the beginning.
    fn wanted_vus(&self, first: Option<i64>) -> i64 {
        let asked = *self.state.scale().borrow();
        asked.map_or(first.unwrap_or(1), |vus| {
            i64::try_from(vus).unwrap_or(i64::MAX)
        })
    }

    fn crossed(&self) -> Vec<String> {
        let mut thresholds = lock(&self.thresholds);
        let mut aggregate = lock(&self.aggregate);
        let verdict = thresholds.evaluate(&mut aggregate, self.state.run_time());
        verdict.crossed
    }
}

impl Control for Live {
    fn status(&self) -> Status {
        let stopped = self.state.end().is_some();
        let phase = self.state.phase();
        let ended = phase >= Phase::Ended as u8;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Status {
            phase: if ended && stopped { INTERRUPTED } else { phase },
            paused: self.state.is_paused(),
            vus: count(&self.state.instance.vus_active),
            vus_max: count(&self.state.instance.vus_initialized),
            stopped,
            running: phase > Phase::Paused as u8 && !ended,
            tainted: !self.crossed().is_empty(),
        }
    }

    fn set_paused(&self, paused: bool) -> Result<(), Refusal> {
        let waits = self.state.is_paused() && self.state.phase() <= Phase::Paused as u8;
        if waits && paused {
            return Err(Refusal::pause("execution is already paused"));
        }
        if waits {
            self.state.set_paused(false);
            return Ok(());
        }
        let is_external =
            |executor: &Executor| matches!(executor, Executor::ExternallyControlled(_));
        let scenarios = self.state.options().scenarios();
        if scenarios
            .iter()
            .all(|scenario| is_external(&scenario.executor))
        {
            self.state.set_paused(paused);
            return Ok(());
        }
        let named = scenarios
            .iter()
            .find(|scenario| !is_external(&scenario.executor));
        let (executor, name) = named.map_or(("", ""), |scenario| {
            (scenario.executor.name(), scenario.name.as_str())
        });
        Err(Refusal::pause(format!(
            "{executor} executor '{name}' doesn't support pause and resume operations after its \
             start"
        )))
    }

    fn stop(&self) {
        self.state.stop(TestEnd::RestApi);
    }

    fn scale(&self, vus: Option<i64>, most: Option<i64>) -> Result<(), Refusal> {
        let mut scenarios = self.state.options().scenarios().iter();
        let external = scenarios.find_map(|scenario| match &scenario.executor {
            Executor::ExternallyControlled(config) => Some(config),
            _ => None,
        });
        let Some(config) = external else {
            return Err(Refusal::not_scalable());
        };
        let refused = |detail: String| {
            Err(Refusal {
                status: 400,
                title: "Config update error",
                detail,
            })
        };
        let limit = config.max_vus.or(config.vus).unwrap_or(1);
        if most.is_some_and(|most| most > limit) {
            return refused(format!(
                "the number of VUs that there may be stays at {limit}"
            ));
        }
        let most = most.unwrap_or(limit);
        let wanted = vus.unwrap_or_else(|| self.wanted_vus(config.vus).min(most));
        if wanted > most {
            return refused(format!("there may be {most} VUs at most, not {wanted}"));
        }
        let Ok(wanted) = u64::try_from(wanted) else {
            return refused("the number of VUs can't be negative".to_owned());
        };
        self.state.scale_to(wanted);
        Ok(())
    }

    fn metrics(&self) -> Vec<MetricView> {
        let crossed = self.crossed();
        let thresholds = lock(&self.thresholds);
        let mut aggregate = lock(&self.aggregate);
        let run_time = self.state.run_time();
        let mut views = Vec::new();
        for metric in self.registry.all() {
            let watched = thresholds.watches().iter().find(|w| w.metric == metric.id);
            let seen = aggregate.sink(metric.id).is_some();
            if watched.is_none() && !seen {
                continue;
            }
            let tainted = watched
                .filter(|_| seen)
                .map(|watch| crossed.contains(&watch.name));
            views.push(MetricView::new(&metric, &mut aggregate, run_time, tainted));
        }
        views
    }

    fn groups(&self) -> Vec<String> {
        let aggregate = lock(&self.aggregate);
        let parts = aggregate.parts();
        parts.into_iter().map(|part| part.group.clone()).collect()
    }

    fn checks(&self) -> Vec<CheckResult> {
        let aggregate = lock(&self.aggregate);
        CheckResult::all_of(&aggregate)
    }

    fn setup_data(&self) -> Option<Value> {
        serde_json::from_str(&self.state.setup_data()?).ok()
    }

    fn set_setup_data(&self, data: Value) {
        self.state.set_setup_data(Some(data.to_string().into()));
    }

    fn run_setup(&self) -> Running<'_> {
        Box::pin(async { Err(not_on_demand("setup")) })
    }

    fn run_teardown(&self) -> Running<'_> {
        Box::pin(async { Err(not_on_demand("teardown")) })
    }
}

fn not_on_demand(function: &str) -> Refusal {
    Refusal {
        status: 501,
        title: "Not Implemented",
        detail: format!("{function}() runs as a part of the test, not on demand"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use load_metrics::{Kind, builtin};
    use serde_json::json;

    use super::*;
    use crate::options::Options;

    fn live(options: Value) -> Live {
        let mut options: Options = crate::options::json::read(&options).unwrap().options;
        crate::options::derive::scenarios(&mut options).unwrap();
        let aggregate = Arc::new(Mutex::new(Aggregate::default()));
        let state = Arc::new(RunState::new(Arc::new(options)));
        Live::new(state, Arc::new(Registry::new()), aggregate).unwrap()
    }

    #[test]
    fn a_paused_run_can_be_resumed_but_not_paused_again() {
        let live = live(json!({"paused": true, "vus": 1, "duration": "1s"}));
        assert!(live.status().paused);
        let refused = live.set_paused(true).unwrap_err();
        assert_eq!(refused.detail, "execution is already paused");
        live.set_paused(false).unwrap();
        assert!(!live.status().paused);
        let refused = live.set_paused(true).unwrap_err();
        assert_eq!(
            refused.detail,
            "constant-vus executor 'default' doesn't support pause and resume operations after \
             its start"
        );
    }

    #[test]
    fn a_stop_ends_the_run_by_the_api() {
        let live = live(json!({}));
        live.stop();
        assert_eq!(live.state.end(), Some(TestEnd::RestApi));
        assert!(live.status().stopped);
        live.state.enter(Phase::Ended);
        assert_eq!(live.status().phase, INTERRUPTED);
        assert!(!live.status().running);
    }

    #[test]
    fn metrics_are_those_with_samples_or_thresholds() {
        let live = live(json!({"thresholds": {"iterations": ["count<1"], "checks": ["rate>0"]}}));
        lock(&live.aggregate).add(builtin::ITERATIONS, Kind::Counter, 3.0);
        lock(&live.aggregate).add(builtin::VUS, Kind::Gauge, 1.0);
        let seen: Vec<_> = live
            .metrics()
            .into_iter()
            .map(|metric| (metric.name, metric.tainted))
            .collect();
        let wanted = [("vus", None), ("iterations", Some(true)), ("checks", None)];
        assert_eq!(
            seen,
            wanted.map(|(name, tainted)| (name.to_owned(), tainted))
        );
        assert!(live.status().tainted);
    }
}
