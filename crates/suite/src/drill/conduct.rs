//! Executes a drill: load, probes, scheduled faults, and their reversal at the end.

use std::any::Any;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http::Method;
use load_engine::system_errors::without_numbers;
use service_runtime::Shutdown;
use simulated_server::{AdminClient, AdminError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::control::{Caller, Target};
use super::driver::Driver;
use super::error::ConductError;
use super::injector::{Injection, Injector};
use super::judge::{self, Outcome};
use super::observe::{Event, Observations, Stage};
use super::watch::{LOOK, Seen, Watch};
use super::{Drill, Spell};

/// Capacity of the channel from the observers to the judgement.
const UNREAD: usize = 1_024;

/// Requests to end a drill early.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Revert everything and stop.
    pub asked: Shutdown,
    /// The same, without waiting for the load driver.
    pub hurry: Shutdown,
}

/// The result of a drill.
#[derive(Debug)]
pub struct Conducted {
    pub outcome: Outcome,
    pub seen: Observations,
    /// When it began; all times of `seen` are from there.
    pub began: SystemTime,
    pub took: Duration,
    /// Whether every injected fault was reverted by the drill itself.
    pub is_reverted: bool,
}

/// Carries out `drill` on `target`. `driver` is the command line that runs a k6 script, without the script;
/// `tell` receives the progress. Faults are reverted also on errors, on a panic of `tell` and when the
/// drill is interrupted; a mock that loses contact with the drill reverts its fault by itself. Nothing is
/// changed if the system is not steady. An interrupted drill has what was observed so far. A detector that is lost during the drill makes it untrusted, but
/// the measurements are kept.
///
/// # Errors
/// Nothing was injected, because the drill could not be carried out.
pub async fn conduct(
    drill: &Drill,
    target: &Target,
    driver: &[OsString],
    ending: &Ending,
    tell: impl Fn(Duration, Stage),
) -> Result<Conducted, ConductError> {
    let caller = Caller::new();
    find_all(drill, target).await?;
    let load = match &drill.load {
        Some(load) => {
            let started = Driver::start(load, &target.orchestrator, driver);
            Some(started.map_err(ConductError::Driver)?)
        }
        None => None,
    };
    let (sender, receiver) = mpsc::channel(UNREAD);
    let (begun, began) = (Instant::now(), SystemTime::now());
    let stop = ending.asked.child_token();
    let injector = Injector::new();
    let mut watchers = JoinSet::new();
    let watch = Watch {
        drill: drill.clone(),
        target: target.clone(),
        caller: caller.clone(),
        begun,
    };
    watchers.spawn(watch.clone().probe(sender.clone(), stop.clone()));
    watchers.spawn(watch.look(sender, stop.clone()));

    let mut conductor = Conductor {
        drill,
        target,
        injector: &injector,
        begun,
        load,
        receiver,
        seen: Observations::default(),
        invalid_because: Vec::new(),
        tell,
    };
    let (end, is_interrupted) = tokio::select! {
        end = caught(conductor.go()) => (end, false),
        () = ending.asked.cancelled() => (Ok(Ok(())), true),
        () = injector.clone().keep() => (Ok(Ok(())), false),
    };
    let now = begun.elapsed();
    let reverted = injector.take_all_back().await;
    stop.cancel();
    // The channel has no reader any more, so that its senders must not block.
    conductor.receiver.close();
    conductor.stop_load(&ending.hurry).await;
    while let Some(ended) = watchers.join_next().await {
        if ended.is_err() {
            conductor
                .invalid_because
                .push("the observer of the system failed".to_owned());
        }
    }
    match end {
        Err(panic) => resume_unwind(panic),
        Ok(end) => end?,
    }
    let is_reverted = reverted.is_ok();
    conductor.invalidate_unless(reverted);
    let (seen, mut invalid_because) = (conductor.seen, conductor.invalid_because);
    invalid_because.extend(seen.distrust());
    invalid_because.extend(injector.lost().into_iter().map(|detector| {
        format!(
            "the fault of {detector} was reverted by another client, or was not renewed in time"
        )
    }));
    let mut outcome = judge::judge(drill, &seen, now, &invalid_because);
    if is_interrupted {
        // Requirements are judged at the end, which was not reached.
        outcome.verdict = judge::Verdict::Interrupted;
        outcome.broken = invalid_because;
    }
    Ok(Conducted {
        outcome,
        is_reverted,
        seen,
        began,
        took: now,
    })
}

/// Returns a future's output, or the panic that ended it.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        // After a panic, the only state of the future that is still used is the list of injected faults.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// Checks that all affected detectors are reachable, before the drill starts.
async fn find_all(drill: &Drill, target: &Target) -> Result<(), ConductError> {
    for fault in &drill.faults {
        for (name, url) in chosen(target, &fault.detector)? {
            let admin = AdminClient::new(url);
            let asked = admin.send(Method::GET, "/profile", None).await;
            asked.map_err(|error| ConductError::Silent {
                detector: name.clone(),
                url: url.clone(),
                why: match error {
                    AdminError::Unreachable { why, .. } => why,
                    error => error.to_string(),
                },
            })?;
        }
    }
    Ok(())
}

fn chosen<'a>(
    target: &'a Target,
    name: &str,
) -> Result<Vec<(&'a String, &'a String)>, ConductError> {
    if name == "all" {
        return Ok(target.detectors.iter().collect());
    }
    let found = target.detectors.get_key_value(name);
    found
        .map(|pair| vec![pair])
        .ok_or_else(|| ConductError::UnknownDetector {
            name: name.to_owned(),
            known: target
                .detectors
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(", "),
        })
}

struct Conductor<'a, T> {
    drill: &'a Drill,
    target: &'a Target,
    injector: &'a Injector,
    begun: Instant,
    load: Option<Driver>,
    receiver: mpsc::Receiver<Seen>,
    seen: Observations,
    invalid_because: Vec<String>,
    tell: T,
}

impl<T: Fn(Duration, Stage)> Conductor<'_, T> {
    async fn go(&mut self) -> Result<(), ConductError> {
        let drill = self.drill;
        self.say(Stage::Steadying);
        self.watch_until(drill.injection()).await;
        if !judge::unsteady(drill, &self.seen).is_empty() {
            return Ok(());
        }
        let mut turns: Vec<(Duration, bool, usize)> = Vec::new();
        let spells = drill.spells();
        for (index, spell) in spells.iter().enumerate() {
            turns.extend([(spell.begin, true, index), (spell.end, false, index)]);
        }
        turns.sort();
        for (at, injects, index) in turns {
            self.watch_until(at).await;
            match self.turn(index, spells[index], injects).await {
                Err(error) if self.seen.events.is_empty() => return Err(error),
                Err(error) => {
                    self.invalidate_unless(Err(error));
                    break;
                }
                Ok(()) => {}
            }
        }
        self.say(Stage::Recovering);
        let stable = Duration::from_millis(drill.steady_state.for_ms);
        let last = drill.end_of_faults() + Duration::from_millis(drill.recover.within_ms) + stable;
        while judge::recovered(drill, &self.seen, self.begun.elapsed()).is_none()
            && self.begun.elapsed() < last
        {
            self.watch_until(self.begun.elapsed() + LOOK).await;
        }
        Ok(())
    }

    /// A detector that cannot be reached reverts a fault on its own, so that the drill continues.
    ///
    /// # Errors
    /// Something could not be injected.
    async fn turn(
        &mut self,
        index: usize,
        spell: Spell<'_>,
        injects: bool,
    ) -> Result<(), ConductError> {
        let patch = &spell.fault.patch;
        for (detector, url) in chosen(self.target, &spell.fault.detector)? {
            let injection = Injection {
                index,
                detector,
                url,
                patch,
                lasts: spell.end - spell.begin,
            };
            let detector = detector.clone();
            if injects {
                if !self.injector.inject(injection).await? {
                    self.invalidate(format!(
                        "{patch} changes nothing in {detector}: nothing was injected"
                    ));
                }
                let patch = patch.to_string();
                self.say(Stage::Injected { detector, patch });
            } else {
                match self.injector.take_back(injection).await {
                    Ok(()) => self.say(Stage::Reverted { detector }),
                    Err(error) => self.invalidate_unless(Err(error)),
                }
            }
        }
        Ok(())
    }

    /// Processes observations until `at`, and detects an early exit of the driver.
    async fn watch_until(&mut self, at: Duration) {
        let deadline = self.begun + at;
        while let Ok(Some(seen)) = tokio::time::timeout_at(deadline, self.receiver.recv()).await {
            match seen {
                Seen::Probe(probe) => self.seen.probes.push(probe),
                Seen::LeftOut => self.seen.probes_left_out += 1,
                Seen::OwnLimit(limit) => *self.seen.own_limits.entry(limit).or_default() += 1,
                Seen::Look(look) => self.seen.note_look(look),
                Seen::Calls(calls) => self.seen.calls.push(calls),
                Seen::Breaker(breaker) => {
                    let (detector, state) = (breaker.detector.clone(), breaker.state.clone());
                    self.seen.breakers.push(breaker);
                    self.say(Stage::Breaker { detector, state });
                }
            }
        }
        if let Some(Ok(Some(status))) = self.load.as_mut().map(Driver::ended) {
            self.load = None;
            self.invalid_because
                .push(format!("the load driver ended during the drill: {status}"));
        }
    }

    /// Asks the driver to end as Ctrl-C does, and waits for it.
    async fn stop_load(&mut self, hurry: &Shutdown) {
        let Some(mut driver) = self.load.take() else {
            return;
        };
        match driver.end(hurry).await {
            // Ended by the signal of this process, or regularly, with its thresholds held or crossed.
            Ok(Some(status)) if matches!(status.code(), Some(0 | 99 | 105)) => {}
            Ok(Some(status)) => self
                .invalid_because
                .push(format!("the load driver ended with {status}")),
            Ok(None) => self
                .invalid_because
                .push("the load driver did not end when asked".to_owned()),
            Err(error) => self.invalid_because.push(format!(
                "the exit status of the load driver is unknown: {}",
                without_numbers(&error.to_string())
            )),
        }
    }

    /// Records a reason why the measurement is untrusted, once.
    fn invalidate(&mut self, line: String) {
        if !self.invalid_because.contains(&line) {
            self.invalid_because.push(line);
        }
    }

    fn invalidate_unless(&mut self, result: Result<(), ConductError>) {
        if let Err(error) = result {
            self.invalidate(error.with_cause());
        }
    }

    fn say(&mut self, stage: Stage) {
        let at = self.begun.elapsed();
        self.seen.events.extend(Event::of(at, &stage));
        (self.tell)(at, stage);
    }
}
