//! The API's view of a run in progress.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use load_metrics::threshold::ExpressionError;
use load_metrics::{Aggregate, Registry};
use serde_json::Value;

use super::{Control, MetricView, Refusal, Running, Status};
use load_engine::CheckResult;
use load_engine::functions::{self, FunctionError};
use load_engine::log::{Level, Logger};
use load_engine::options::Executor;
use load_engine::options::scenario::ExternallyControlled;
use load_engine::thresholds::Thresholds;
use load_engine::{Phase, RunState, TestEnd};

/// A view of a run: its state and the latest aggregates.
#[derive(Debug)]
pub struct Live {
    state: Arc<RunState>,
    registry: Arc<Registry>,
    aggregate: Arc<Mutex<Aggregate>>,
    /// A copy, because the originals belong to the task that evaluates them.
    thresholds: Mutex<Thresholds>,
    logger: Logger,
}

/// k6's status number for an aborted run.
const INTERRUPTED: u8 = 10;

impl Live {
    /// A view of the run with this state, these metrics and their aggregates.
    ///
    /// # Errors
    /// A threshold is not valid.
    pub fn new(
        state: Arc<RunState>,
        registry: Arc<Registry>,
        aggregate: Arc<Mutex<Aggregate>>,
        logger: Logger,
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
            logger,
        })
    }

    /// The externally controlled scenario, if any.
    fn external(&self) -> Option<&ExternallyControlled> {
        let mut scenarios = self.state.options().scenarios().iter();
        scenarios.find_map(|scenario| match &scenario.executor {
            Executor::ExternallyControlled(config) => Some(config),
            _ => None,
        })
    }

    /// Before the scenarios start, a change has no immediate effect; it applies from their start.
    async fn wait_until_followed(&self) {
        if self.state.phase() == Phase::Running as u8 {
            self.state.wait_until_followed().await;
        }
    }

    async fn pause_or_resume(&self, paused: bool) -> Result<(), Refusal> {
        let is_paused = self.state.is_paused();
        if self.state.phase() <= Phase::Paused as u8 && is_paused {
            if paused {
                return Err(Refusal::pause("execution is already paused"));
            }
            self.state.change_control(|control| control.paused = false);
            return Ok(());
        }
        let is_external =
            |executor: &Executor| matches!(executor, Executor::ExternallyControlled(_));
        let mut scenarios = self.state.options().scenarios().iter();
        if let Some(named) = scenarios.find(|scenario| !is_external(&scenario.executor)) {
            let (executor, name) = (named.executor.name(), &named.name);
            return Err(Refusal::pause(format!(
                "{executor} executor '{name}' doesn't support pause and resume operations after \
                 its start"
            )));
        }
        if is_paused == paused {
            let state = if paused {
                "was already paused"
            } else {
                "wasn't paused"
            };
            return Err(Refusal::pause(format!("test execution {state}")));
        }
        self.state.change_control(|control| control.paused = paused);
        self.wait_until_followed().await;
        Ok(())
    }

    async fn rescale(&self, vus: Option<i64>, most: Option<i64>) -> Result<(), Refusal> {
        let external = self.external().ok_or_else(Refusal::not_scalable)?;
        let control = self.state.control();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let least = external.max_vus.or(external.vus).unwrap_or(1);
        let most = most.unwrap_or_else(|| control.most_vus.map_or(least, number));
        let vus = vus.unwrap_or_else(|| control.vus.map_or(external.vus.unwrap_or(1), number));
        let (vus, most) = check_scale(vus, most, least)?;
        self.state.change_control(|control| {
            control.vus = Some(vus);
            control.most_vus = Some(most);
        });
        self.wait_until_followed().await;
        Ok(())
    }

    fn failed(&self, title: &'static str, error: &FunctionError) -> Refusal {
        let detail = error.to_string();
        let fields = [("error", detail.as_str())];
        self.logger.log(Level::Error, title, &fields);
        Refusal {
            status: 500,
            title,
            detail,
        }
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
            running: phase > Phase::Paused as u8 && (!ended || stopped),
            tainted: !self.crossed().is_empty(),
        }
    }

    fn set_paused(&self, paused: bool) -> Running<'_> {
        Box::pin(self.pause_or_resume(paused))
    }

    fn stop(&self) {
        self.state.stop(TestEnd::RestApi);
    }

    fn scale(&self, vus: Option<i64>, most: Option<i64>) -> Running<'_> {
        Box::pin(self.rescale(vus, most))
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

    fn set_setup_data(&self, data: Option<Value>) {
        let text = data.map(|data| data.to_string().into());
        self.state.set_setup_data(text);
    }

    fn run_setup(&self) -> Running<'_> {
        Box::pin(async {
            let done = functions::run_setup(&self.state).await;
            let done = done.ok_or_else(has_ended)?;
            done.map_err(|error| self.failed("Error executing setup", &error))
        })
    }

    fn run_teardown(&self) -> Running<'_> {
        Box::pin(async {
            let done = functions::run_teardown(&self.state).await;
            let done = done.ok_or_else(has_ended)?;
            done.map_err(|error| self.failed("Error executing teardown", &error))
        })
    }
}

/// The numbers, if they are valid for an externally controlled scenario.
fn check_scale(vus: i64, most: i64, least: i64) -> Result<(u64, u64), Refusal> {
    let refused = |detail: String| Refusal {
        status: 400,
        title: "Config update error",
        detail,
    };
    let invalid = |why: &str| refused(format!("invalid configuration supplied: {why}"));
    let Ok(count) = u64::try_from(vus) else {
        return Err(invalid("the number of VUs can't be negative"));
    };
    if vus > most {
        return Err(invalid(&format!(
            "the number of active VUs ({vus}) must be less than or equal to the number of maxVUs \
             ({most})"
        )));
    }
    if most < least {
        return Err(refused(format!(
            "the new number of max VUs cannot be lower than the starting number of max VUs ({least})"
        )));
    }
    Ok((count, u64::try_from(most).unwrap_or(count)))
}

fn has_ended() -> Refusal {
    Refusal {
        status: 500,
        title: "Error executing function",
        detail: "the run has ended".to_owned(),
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
    use load_engine::options::Options;

    fn live(options: Value) -> Live {
        let mut options: Options = load_engine::options::json::read(&options).unwrap().options;
        load_engine::options::derive::scenarios(&mut options).unwrap();
        let aggregate = Arc::new(Mutex::new(Aggregate::default()));
        let state = Arc::new(RunState::new(Arc::new(options)));
        let registry = Arc::new(Registry::new());
        Live::new(state, registry, aggregate, Logger::silent()).unwrap()
    }

    #[tokio::test]
    async fn a_paused_run_can_be_resumed_but_not_paused_again() {
        let live = live(json!({"paused": true, "vus": 1, "duration": "1s"}));
        assert!(live.status().paused);
        let refused = live.set_paused(true).await.unwrap_err();
        assert_eq!(refused.detail, "execution is already paused");
        live.set_paused(false).await.unwrap();
        assert!(!live.status().paused);
        let refused = live.set_paused(true).await.unwrap_err();
        assert_eq!(
            refused.detail,
            "constant-vus executor 'default' doesn't support pause and resume operations after \
             its start"
        );
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused_in_k6s_words() {
        let check = |vus, most, detail: &str| {
            let refused = check_scale(vus, most, 4).unwrap_err();
            assert_eq!((refused.status, refused.detail.as_str()), (400, detail));
        };
        assert_eq!(check_scale(3, 6, 4), Ok((3, 6)));
        check(
            9,
            6,
            "invalid configuration supplied: the number of active VUs (9) must be less than or \
             equal to the number of maxVUs (6)",
        );
        check(
            1,
            2,
            "the new number of max VUs cannot be lower than the starting number of max VUs (4)",
        );
        check(
            -1,
            4,
            "invalid configuration supplied: the number of VUs can't be negative",
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
        // As in k6: a run that was stopped counts as running as long as it is served.
        assert!(live.status().running);
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
