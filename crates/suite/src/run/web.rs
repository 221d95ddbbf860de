//! The page of a run, and its manual controls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use live_page::locust::{Control, Swarm};
use live_page::{LiveRun, Phase, Stage, Task, UserClass};
use load_driver::RunHandle;
use report::page::live::Controls;
use report::record::{EventKind, LoadModel, TestContent};
use tokio_util::sync::CancellationToken;

use crate::plan::{Plan, PlannedClass, PlannedPhase, PlannedTest, share};

/// The interval between changes when users start or stop one by one.
const STEP: Duration = Duration::from_millis(100);

/// The page of a run; clones show and control the same run.
#[derive(Debug, Clone)]
pub struct Web {
    pub board: LiveRun,
    pub hand: Arc<Hand>,
}

/// Manual control of a run.
#[derive(Debug)]
pub struct Hand {
    stop: CancellationToken,
    start: CancellationToken,
    /// Whether the run is one closed test with phases: only then can its users be set.
    takes_users: bool,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    /// The latest request.
    wanted: Option<Swarm>,
    /// When the users were first set, in seconds from the start of the test.
    first_set_s: Option<f64>,
}

impl Web {
    /// Creates the page of a plan's run. `stop` ends the run; if `waits`, it begins on request.
    pub fn new(plan: &Plan, target: &str, stop: CancellationToken, waits: bool) -> Self {
        let start = CancellationToken::new();
        if !waits {
            start.cancel();
        }
        let takes_users = match plan.tests.as_slice() {
            [test] => {
                test.model == LoadModel::Closed
                    && test.content == TestContent::Phases
                    && test.search.is_none()
            }
            _ => false,
        };
        Self {
            board: LiveRun::new(&plan.suite, target),
            hand: Arc::new(Hand {
                stop,
                start,
                takes_users,
                users: Mutex::default(),
            }),
        }
    }

    /// Waits until the run may begin; blocks. Returns false if it was ended before.
    pub fn wait_for_start(&self) -> bool {
        let hand = &self.hand;
        if !hand.start.is_cancelled() {
            self.board.set_stage(Stage::Waiting);
        }
        while !hand.start.is_cancelled() && !hand.stop.is_cancelled() {
            std::thread::sleep(STEP);
        }
        self.board.set_stage(Stage::Starting);
        !hand.stop.is_cancelled()
    }

    /// Called when a test begins. The tasks of the user's own script are unknown.
    pub fn begin(&self, test: &PlannedTest, has_own_script: bool) {
        let mut classes: Vec<UserClass> = test.classes.iter().map(class).collect();
        if has_own_script {
            classes.iter_mut().for_each(|it| it.tasks.clear());
        }
        self.board.begin(&test.label(), test.model, classes);
    }

    /// The reason why the test departed from its plan, if it did.
    pub fn departed(&self) -> Option<String> {
        let first_set_s = self.hand.lock().first_set_s?;
        Some(format!(
            "the number of users was set manually {first_set_s:.0} s after the start; the plan was not followed from then on"
        ))
    }

    /// Sets the requested number of users, one by one at the requested rate, until `over`; blocks.
    pub fn follow(&self, test: &PlannedTest, seen: &RunHandle, over: &CancellationToken) {
        let mut users: Option<f64> = None;
        while self.hand.takes_users && !over.is_cancelled() {
            std::thread::sleep(STEP);
            let wanted = self.hand.lock().wanted;
            let Some((swarm, wanted)) = wanted.and_then(|swarm| Some((swarm, swarm.users?))) else {
                continue;
            };
            let Some(began_ms) = seen.began_unix_ms() else {
                continue;
            };
            if users.is_none() {
                let at_s = super::measure::unix_now() - began_ms as f64 / 1e3;
                self.hand.lock().first_set_s.get_or_insert(at_s);
            }
            let from = users.unwrap_or_else(|| self.board.users().unwrap_or(0.0));
            let next = towards(from, wanted as f64, swarm.spawn_rate);
            if users.map(f64::round) != Some(next.round()) {
                seen.set_users(shared(test, next.round() as u64));
            }
            users = Some(next);
        }
    }
}

/// A class whose plan names no tasks has one: the function of its script.
fn class(class: &PlannedClass) -> UserClass {
    let task = |(name, weight): (&String, &u32)| Task {
        name: name.clone(),
        weight: f64::from(*weight),
    };
    let mut tasks: Vec<Task> = class.tasks.iter().map(task).collect();
    if tasks.is_empty() {
        tasks.push(task((&class.exec, &1)));
    }
    UserClass {
        name: class.name.clone(),
        weight: f64::from(class.weight),
        tasks,
    }
}

/// The phases of a leg, for the shading on the page.
pub fn phases(planned: &[PlannedPhase]) -> Vec<Phase> {
    let phase = |phase: &PlannedPhase| Phase {
        name: phase.name.clone(),
        begin_s: phase.begin_s,
        end_s: phase.end_s,
        judged: phase.judged,
    };
    planned.iter().map(phase).collect()
}

impl Hand {
    fn lock(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control for Web {
    fn controls(&self, board: &LiveRun) -> Controls {
        let users = self.hand.lock();
        let wanted = users.wanted.unwrap_or_default();
        let measured = board.users().unwrap_or(0.0) as u64;
        Controls {
            can_start: !self.hand.start.is_cancelled(),
            can_set_users: self.hand.takes_users,
            can_stop: !self.hand.stop.is_cancelled(),
            users: wanted.users.unwrap_or(measured),
            spawn_rate: wanted.spawn_rate.unwrap_or(1.0),
        }
    }

    fn swarm(&self, wanted: &Swarm) -> Result<&'static str, String> {
        if self.hand.stop.is_cancelled() {
            return Err("the run has been stopped".to_owned());
        }
        if wanted.users.is_some() && !self.hand.takes_users {
            return Err("users can be set in a run of one closed test with phases".to_owned());
        }
        let is_start = !self.hand.start.is_cancelled();
        if let Some(users) = wanted.users {
            self.hand.lock().wanted = Some(*wanted);
            let text = format!("the number of users was set to {users} manually");
            self.board.note(EventKind::Setting, &text);
        }
        self.hand.start.cancel();
        Ok(match (is_start, wanted.users) {
            (true, _) => "Swarming started",
            (false, Some(_)) => "Users updated",
            (false, None) => "Swarming is running",
        })
    }

    fn stop(&self) {
        self.board.set_stage(Stage::Stopping);
        self.hand.stop.cancel();
    }
}

/// The length of a change from one number of users to another.
fn towards(from: f64, to: f64, spawn_rate: Option<f64>) -> f64 {
    let step = spawn_rate.map_or(f64::INFINITY, |rate| rate * STEP.as_secs_f64());
    if from < to {
        (from + step).min(to)
    } else {
        (from - step).max(to)
    }
}

/// Users by scenario: each class has a scenario of its name.
fn shared(test: &PlannedTest, users: u64) -> BTreeMap<String, u64> {
    let weights: Vec<u32> = test.classes.iter().map(|class| class.weight).collect();
    let names = test.classes.iter().map(|class| class.name.clone());
    names.zip(share::users(users, &weights)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::built_in;
    use crate::plan::{Selection, plan};

    fn planned(tests: &[&str]) -> Plan {
        let file = built_in("acso").expect("a built-in suite").expect("sound");
        let selection = Selection {
            tests: tests.iter().map(|name| (*name).to_owned()).collect(),
            ..Selection::default()
        };
        plan(&file, &selection, &|_| None).expect("a plan")
    }

    fn web(tests: &[&str], waits: bool) -> Web {
        Web::new(&planned(tests), "x", CancellationToken::new(), waits)
    }

    #[test]
    fn users_come_and_go_at_their_rate() {
        assert!((towards(0.0, 10.0, Some(20.0)) - 2.0).abs() < 1e-9);
        assert!((towards(9.5, 10.0, Some(20.0)) - 10.0).abs() < 1e-9);
        assert!((towards(10.0, 0.0, Some(5.0)) - 9.5).abs() < 1e-9);
        assert!((towards(10.0, 300.0, None) - 300.0).abs() < 1e-9);
    }

    #[test]
    fn a_run_that_waits_begins_by_hand_and_only_one_closed_test_takes_users() {
        let closed = planned(&["all-tests"]);
        let closed = closed
            .tests
            .iter()
            .find(|test| {
                test.model == LoadModel::Closed
                    && test.content == TestContent::Phases
                    && test.part.is_none()
            })
            .expect("acso has one");
        let web = web(&[closed.name.as_str()], true);
        let users = |users| Swarm {
            users: Some(users),
            spawn_rate: None,
        };
        assert!(web.controls(&web.board).can_start);
        let takes_users = web.hand.takes_users;
        assert_eq!(web.swarm(&users(7)).is_ok(), takes_users);
        assert!(web.swarm(&Swarm::default()).is_ok());
        assert!(web.wait_for_start());
        assert!(!web.controls(&web.board).can_start);
        web.stop();
        assert!(web.swarm(&Swarm::default()).is_err());
        let several = self::web(&["all-tests"], false);
        assert!(several.swarm(&users(7)).is_err());
        assert!(several.wait_for_start());
    }

    #[test]
    fn classes_have_the_tasks_of_the_plan_or_the_function_of_their_script() {
        let plan = planned(&["quick-check"]);
        let mut planned = plan.tests[0].classes[0].clone();
        let tasks = |planned: &PlannedClass| -> Vec<(String, f64)> {
            let tasks = class(planned).tasks.into_iter();
            tasks.map(|task| (task.name, task.weight)).collect()
        };
        let expected = [("threats", 40.0), ("services", 35.0), ("finance", 25.0)];
        assert_eq!(
            tasks(&planned),
            expected.map(|(name, weight)| (name.to_owned(), weight))
        );
        planned.tasks.clear();
        assert_eq!(tasks(&planned), [("mixed".to_owned(), 1.0)]);
    }

    #[test]
    fn users_are_shared_by_weight() {
        let plan = planned(&["all-tests"]);
        let test = plan.tests.iter().max_by_key(|test| test.classes.len());
        let test = test.expect("a test");
        let all = shared(test, 100);
        assert_eq!(all.len(), test.classes.len());
        assert_eq!(all.values().sum::<u64>(), 100);
    }
}
