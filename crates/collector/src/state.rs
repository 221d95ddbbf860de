//! The collector's state of a run on several machines. Pure: time is a parameter.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::judged::{Judge, JudgeError};
use super::runner::{Refused, Runner};
use super::sinks;
use super::wire::{Begin, Ended, Joining, Push, Reply, SetupData, Teardown, Turn};

/// The time from the readiness of the last runner to the common start.
const UNTIL_BEGIN: Duration = Duration::from_millis(700);

/// The requirements of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The required number of runners.
    pub runners: usize,
    /// A runner that is silent for this time is lost.
    pub lost_after: Duration,
    /// Whether a run continues without a lost runner.
    pub degraded: bool,
}

/// The run.
#[derive(Debug)]
pub struct State {
    plan: Plan,
    pub runners: BTreeMap<String, Runner>,
    judge: Option<Judge>,
    /// The runner that runs `setup`, and `teardown` if it is still connected.
    leader: Option<String>,
    /// The runner that runs `teardown`. No other one takes over, even if this one is lost,
    /// because its work could be repeated.
    tears_down: Option<String>,
    setup_data: Option<Value>,
    /// The common start, in milliseconds since 1970.
    begin_unix_ms: Option<f64>,
    stop: Option<String>,
}

/// The reason why a runner's request is rejected.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("a runner named {0} is already part of the run; give each runner a unique name")]
    Taken(String),
    #[error("all {0} runners are already connected")]
    Full(usize),
    #[error("its thresholds differ from those of the other runners")]
    OtherThresholds,
    #[error("no runner {0} is part of the run")]
    Unknown(String),
    #[error("the runner {0} was declared lost {1:.0} s ago because it was silent")]
    Lost(String, f64),
    #[error("the type of the metric {0} differs from the announced one")]
    Kind(String),
    #[error(transparent)]
    Judge(#[from] JudgeError),
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl State {
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            runners: BTreeMap::new(),
            judge: None,
            leader: None,
            tears_down: None,
            setup_data: None,
            begin_unix_ms: None,
            stop: None,
        }
    }

    /// A runner joins the run.
    ///
    /// # Errors
    /// Its name is taken, all runners are connected, or it runs another test.
    pub fn join(&mut self, joining: Joining, now: Duration) -> Result<(), Fault> {
        if self.runners.contains_key(&joining.name) {
            return Err(Fault::Taken(joining.name));
        }
        if self.runners.len() >= self.plan.runners {
            return Err(Fault::Full(self.plan.runners));
        }
        match self.runners.values().next() {
            Some(first) if first.joining.thresholds != joining.thresholds => {
                return Err(Fault::OtherThresholds);
            }
            Some(_) => {}
            None => self.judge = Some(Judge::new(&joining)?),
        }
        self.runners
            .insert(joining.name.clone(), Runner::new(joining, now));
        Ok(())
    }

    /// The role of a runner in `setup`. The first runner to ask runs it; if that one is lost,
    /// the next one that asks.
    ///
    /// # Errors
    /// It is not part of the run.
    pub fn turn(&mut self, name: &str, now: Duration) -> Result<Turn, Fault> {
        self.hear(name, now)?;
        if let Some(data) = &self.setup_data {
            return Ok(Turn::Take(data.clone()));
        }
        let leader = self
            .leader
            .as_ref()
            .and_then(|leader| self.runners.get(leader));
        if leader.is_none_or(|leader| !leader.is_running()) {
            self.leader = Some(name.to_owned());
        }
        Ok(if self.leader.as_deref() == Some(name) {
            Turn::Run
        } else {
            Turn::Wait
        })
    }

    /// # Errors
    /// It is not part of the run.
    pub fn set_up(&mut self, setup: SetupData, now: Duration) -> Result<Reply, Fault> {
        self.hear(&setup.name, now)?;
        self.setup_data = Some(setup.data);
        Ok(self.answer())
    }

    /// A runner is ready; when all are, the common start is set.
    ///
    /// # Errors
    /// It is not part of the run.
    pub fn ready(&mut self, name: &str, now: Duration, unix_ms: f64) -> Result<Begin, Fault> {
        self.hear(name, now)?.is_ready = true;
        let ready = self
            .runners
            .values()
            .filter(|runner| runner.is_ready)
            .count();
        if ready == self.plan.runners && self.begin_unix_ms.is_none() {
            self.begin_unix_ms = Some(unix_ms + UNTIL_BEGIN.as_secs_f64() * 1e3);
        }
        Ok(Begin {
            at_unix_ms: self.begin_unix_ms,
            stop: self.stop.clone(),
        })
    }

    /// Adds the measurements of a runner.
    ///
    /// # Errors
    /// It is not part of the run, or its push is not valid.
    pub fn push(&mut self, push: Push, now: Duration) -> Result<Reply, Fault> {
        if let Some(judge) = &self.judge {
            for of in &push.sinks {
                if !judge.fits(&of.metric, &sinks::from_wire(of.sink.clone())) {
                    return Err(Fault::Kind(of.metric.clone()));
                }
            }
        }
        self.hear(&push.name.clone(), now)?.take(push)?;
        Ok(self.answer())
    }

    /// A runner has finished.
    ///
    /// # Errors
    /// It is not part of the run.
    pub fn end(&mut self, ended: Ended, now: Duration) -> Result<Reply, Fault> {
        let runner = self.hear(&ended.name.clone(), now)?;
        runner.ended.get_or_insert(ended);
        Ok(self.answer())
    }

    /// Whether a runner has to run `teardown`. After all have finished, one runner does: the one that
    /// ran `setup`, or the first of the others if that one is lost. Until then all wait, because the runner that
    /// would have done it may be lost.
    ///
    /// # Errors
    /// It is not part of the run.
    pub fn teardown(&mut self, name: &str, now: Duration) -> Result<Teardown, Fault> {
        self.hear(name, now)?.is_at_teardown = true;
        if let Some(chosen) = &self.tears_down {
            // The same response again: the first may not have arrived.
            return Ok(if chosen == name {
                Teardown::Run
            } else {
                Teardown::No
            });
        }
        if self.setup_data.is_none() {
            // Nothing has started, so there is nothing to clean up.
            return Ok(Teardown::No);
        }
        let mut running = self.runners.values().filter(|runner| runner.is_running());
        if !running.clone().all(|runner| runner.is_at_teardown) {
            return Ok(Teardown::Wait);
        }
        let leader = self.leader.as_deref();
        let chosen = running
            .clone()
            .find(|runner| leader == Some(&runner.joining.name))
            .or_else(|| running.next());
        if chosen.is_none_or(|chosen| chosen.joining.name != name) {
            return Ok(Teardown::Wait);
        }
        self.tears_down = Some(name.to_owned());
        Ok(Teardown::Run)
    }

    /// The problem with `teardown`, once the run is over.
    pub fn teardown_missing(&self) -> Option<String> {
        let Some(name) = &self.tears_down else {
            let is_asked = |runner: &Runner| runner.joining.has_teardown;
            let never = "teardown was not run: no runner was left";
            return (self.setup_data.is_some() && self.runners.values().any(is_asked))
                .then(|| never.to_owned());
        };
        let is_lost = self.runners.get(name)?.lost.is_some();
        is_lost.then(|| {
            format!("the runner {name} was lost while it ran teardown, which may be incomplete")
        })
    }

    /// Declares silent runners lost and returns the names of the newly lost ones.
    pub fn lose(&mut self, now: Duration) -> Vec<String> {
        let mut lost = Vec::new();
        for runner in self
            .runners
            .values_mut()
            .filter(|runner| runner.ended.is_none() && runner.lost.is_none())
        {
            if now.saturating_sub(runner.heard) > self.plan.lost_after {
                runner.lost = Some(now);
                lost.push(runner.joining.name.clone());
            }
        }
        if let Some(first) = lost.first().filter(|_| !self.plan.degraded) {
            let why = format!("the runner {first} is lost; the run would continue with less load");
            self.stop.get_or_insert(why);
        }
        lost
    }

    /// Evaluates the thresholds; a crossed one with `abortOnFail` ends the run.
    pub fn watch(&mut self, now_unix_ms: f64) {
        let Some(begin) = self.begin_unix_ms.filter(|_| self.stop.is_none()) else {
            return;
        };
        let run_time = Duration::from_secs_f64(((now_unix_ms - begin) / 1e3).max(0.0));
        let judge = self.judge.as_mut();
        let judged = judge.map(|judge| judge.judge(self.runners.values(), run_time, false).0);
        if let Some(crossed) = judged.and_then(|judged| judged.abort) {
            self.stop = Some(format!("the threshold {crossed} is crossed"));
        }
    }

    /// Tells all runners to end.
    pub fn stop(&mut self, why: &str) {
        self.stop.get_or_insert_with(|| why.to_owned());
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        let all_here = self.runners.len() == self.plan.runners || self.stop.is_some();
        all_here && self.runners.values().all(|runner| !runner.is_running())
    }

    pub fn has_begun(&self) -> bool {
        self.begin_unix_ms.is_some()
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn begin_unix_ms(&self) -> Option<f64> {
        self.begin_unix_ms
    }

    pub fn stopped(&self) -> Option<&str> {
        self.stop.as_deref()
    }

    /// What `setup` returned.
    pub const fn setup_data(&self) -> Option<&Value> {
        self.setup_data.as_ref()
    }

    pub fn judge_mut(&mut self) -> (Option<&mut Judge>, &BTreeMap<String, Runner>) {
        (self.judge.as_mut(), &self.runners)
    }

    fn answer(&self) -> Reply {
        Reply {
            stop: self.stop.clone(),
        }
    }

    /// Records a sign of life of a runner.
    fn hear(&mut self, name: &str, now: Duration) -> Result<&mut Runner, Fault> {
        let runner = self
            .runners
            .get_mut(name)
            .ok_or_else(|| Fault::Unknown(name.to_owned()))?;
        if let Some(lost) = runner.lost {
            // Its measurements of the meantime would be an unnoticed gap.
            return Err(Fault::Lost(
                name.to_owned(),
                now.saturating_sub(lost).as_secs_f64(),
            ));
        }
        runner.heard = now;
        Ok(runner)
    }
}

#[cfg(test)]
mod tests;
