//! Carrying a drill out: load, probes, faults by the clock, and everything taken back at the end.

use std::error::Error;
use std::ffi::OsString;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use indexmap::IndexMap;
use service_runtime::Shutdown;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::control::{Caller, Target};
use super::judge::{self, Outcome};
use super::observe::{BreakerSeen, Observations, Probe};
use super::{Drill, Load};

/// Probes under way at most; further ones are left out and counted.
const PROBES_UNDER_WAY: usize = 64;
/// How often breakers are looked at and recovery is judged.
const LOOK: Duration = Duration::from_millis(200);
/// Time for the driver to end after it was asked to.
const DRIVER_END: Duration = Duration::from_secs(15);
/// Observations on their way to the one who judges.
const UNREAD: usize = 1_024;

/// Why a drill did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ConductError {
    #[error("no mock detector is called {name}; there are {known}")]
    UnknownDetector { name: String, known: String },
    #[error("the profile of {detector} cannot be read, so it could not be put back")]
    Profile {
        detector: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("the profile of {detector} cannot be changed")]
    Inject {
        detector: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("{detector} has kept the drill's profile; `sparring fault reset` or a restart helps")]
    Restore {
        detector: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("the load driver cannot be started")]
    Driver(#[source] std::io::Error),
    #[error("interrupted; everything injected was taken back")]
    Interrupted,
}

/// What goes on, for people who watch.
#[derive(Debug, Clone)]
pub enum Stage {
    Steadying,
    Injected { detector: String, patch: String },
    TakenBack { detector: String },
    Breaker { detector: String, state: String },
    Recovering,
}

/// Carries out `drill` on `target`. `driver` is the command line that runs a k6 script, without
/// the script; `tell` hears what goes on. The profiles are put back also on errors and on
/// `shutdown`.
///
/// # Errors
/// The drill could not be carried out; what it found is then not judged.
pub async fn conduct(
    drill: &Drill,
    target: &Target,
    driver: &[OsString],
    shutdown: &Shutdown,
    tell: impl Fn(Duration, Stage),
) -> Result<(Outcome, Observations), ConductError> {
    let caller = Caller::new();
    let before = profiles(drill, target, &caller).await?;
    let load = match &drill.load {
        Some(load) => Some(start(load, target, driver).map_err(ConductError::Driver)?),
        None => None,
    };
    let (sender, receiver) = mpsc::channel(UNREAD);
    let begun = Instant::now();
    let stop = shutdown.child_token();
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
        caller: &caller,
        begun,
        load,
        before: &before,
        receiver,
        seen: Observations::default(),
        spoilt: Vec::new(),
        tell,
    };
    let end = tokio::select! {
        end = conductor.go() => end,
        () = shutdown.cancelled() => Err(ConductError::Interrupted),
    };
    let now = begun.elapsed();
    let restored = restore(target, &caller, &before).await;
    stop.cancel();
    conductor.stop_load().await;
    while watchers.join_next().await.is_some() {}
    end.and(restored)?;
    let mut spoilt = conductor.spoilt;
    let seen = conductor.seen;
    if seen.probes_left_out > 0 {
        spoilt.push(format!("{} probes were left out", seen.probes_left_out));
    }
    Ok((judge::judge(drill, &seen, now, &spoilt), seen))
}

/// The profiles of all detectors that will be changed, as they are now.
async fn profiles(
    drill: &Drill,
    target: &Target,
    caller: &Caller,
) -> Result<IndexMap<String, Bytes>, ConductError> {
    let mut profiles = IndexMap::new();
    for fault in &drill.faults {
        for (name, url) in chosen(target, &fault.detector)? {
            let profile = caller.profile(url).await;
            let profile = profile.map_err(|source| ConductError::Profile {
                detector: name.clone(),
                source,
            })?;
            profiles.insert(name.clone(), profile);
        }
    }
    Ok(profiles)
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

/// Puts every profile back; all are tried, the first failure is told.
async fn restore(
    target: &Target,
    caller: &Caller,
    before: &IndexMap<String, Bytes>,
) -> Result<(), ConductError> {
    let mut result = Ok(());
    for (name, profile) in before {
        let Some(url) = target.detectors.get(name) else {
            continue;
        };
        if let Err(source) = caller.restore(url, profile.clone()).await {
            result = result.and(Err(ConductError::Restore {
                detector: name.clone(),
                source,
            }));
        }
    }
    result
}

fn start(load: &Load, target: &Target, driver: &[OsString]) -> std::io::Result<Driver> {
    let (program, arguments) = driver
        .split_first()
        .ok_or_else(|| std::io::Error::other("no command line for the driver"))?;
    Command::new(program)
        .args(arguments)
        .arg(&load.script)
        .envs(&load.env)
        .env("PERF_BASE_URL", &target.orchestrator)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .map(Driver)
}

enum Seen {
    Probe(Probe),
    LeftOut,
    Breaker(BreakerSeen),
}

/// What watches the system: probes at a fixed pace, and a look at the breakers.
#[derive(Clone)]
struct Watch {
    drill: Drill,
    target: Target,
    caller: Caller,
    begun: Instant,
}

impl Watch {
    async fn probe(self, sender: mpsc::Sender<Seen>, stop: Shutdown) {
        let places = Arc::new(Semaphore::new(PROBES_UNDER_WAY));
        let mut tick = ticks(Duration::from_millis(self.drill.probe.interval_ms.max(10)));
        let mut under_way = JoinSet::new();
        let mut number = 0_u64;
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            number += 1;
            while under_way.try_join_next().is_some() {}
            let Ok(place) = places.clone().try_acquire_owned() else {
                drop(sender.try_send(Seen::LeftOut));
                continue;
            };
            let (watch, sender) = (self.clone(), sender.clone());
            under_way.spawn(async move {
                let sent = watch.begun.elapsed();
                let content =
                    format!("drill probe {number} at {sent:?}: write to jane@example.com");
                let answer = watch
                    .caller
                    .probe(&watch.target, &watch.drill.probe, content)
                    .await;
                let (status, coverage) = answer.unwrap_or((0, 0.0));
                let took = watch.begun.elapsed() - sent;
                let probe = Probe {
                    sent,
                    took,
                    status,
                    coverage,
                };
                drop(sender.send(Seen::Probe(probe)).await);
                drop(place);
            });
        }
    }

    async fn look(self, sender: mpsc::Sender<Seen>, stop: Shutdown) {
        let mut tick = ticks(LOOK);
        let mut last: IndexMap<String, String> = IndexMap::new();
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let Ok(states) = self.caller.breakers(&self.target.orchestrator).await else {
                continue;
            };
            for (detector, state) in states {
                let was = last.insert(detector.clone(), state.clone());
                if was.as_ref() == Some(&state) || (was.is_none() && state == "closed") {
                    continue;
                }
                let at = self.begun.elapsed();
                drop(
                    sender
                        .send(Seen::Breaker(BreakerSeen {
                            at,
                            detector,
                            state,
                        }))
                        .await,
                );
            }
        }
    }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

struct Conductor<'a, T> {
    drill: &'a Drill,
    target: &'a Target,
    caller: &'a Caller,
    begun: Instant,
    load: Option<Driver>,
    before: &'a IndexMap<String, Bytes>,
    receiver: mpsc::Receiver<Seen>,
    seen: Observations,
    spoilt: Vec<String>,
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
            self.turn(
                &spells[index].fault.detector,
                &spells[index].fault.patch,
                injects,
            )
            .await?;
        }
        self.say(Stage::Recovering);
        let stable = Duration::from_millis(drill.steady_state.for_ms);
        let last =
            judge::end_of_faults(drill) + Duration::from_millis(drill.recover.within_ms) + stable;
        while judge::recovered(drill, &self.seen, self.begun.elapsed()).is_none()
            && self.begun.elapsed() < last
        {
            self.watch_until(self.begun.elapsed() + LOOK).await;
        }
        Ok(())
    }

    async fn turn(
        &mut self,
        name: &str,
        patch: &serde_json::Value,
        injects: bool,
    ) -> Result<(), ConductError> {
        for (detector, url) in chosen(self.target, name)? {
            let done = match (injects, self.before.get(detector)) {
                (false, Some(profile)) => self.caller.restore(url, profile.clone()).await,
                _ => self.caller.patch(url, patch).await,
            };
            let detector = detector.clone();
            if let Err(source) = done {
                return Err(ConductError::Inject { detector, source });
            }
            self.say(match injects {
                true => Stage::Injected {
                    detector,
                    patch: patch.to_string(),
                },
                false => Stage::TakenBack { detector },
            });
        }
        Ok(())
    }

    /// Takes in what is seen until `at`, and notices a driver that ends too early.
    async fn watch_until(&mut self, at: Duration) {
        let deadline = self.begun + at;
        while let Ok(Some(seen)) = tokio::time::timeout_at(deadline, self.receiver.recv()).await {
            match seen {
                Seen::Probe(probe) => self.seen.probes.push(probe),
                Seen::LeftOut => self.seen.probes_left_out += 1,
                Seen::Breaker(breaker) => {
                    let (detector, state) = (breaker.detector.clone(), breaker.state.clone());
                    self.seen.breakers.push(breaker);
                    self.say(Stage::Breaker { detector, state });
                }
            }
        }
        if let Some(Ok(Some(status))) = self.load.as_mut().map(|driver| driver.0.try_wait()) {
            self.load = None;
            self.spoilt
                .push(format!("the load driver ended during the drill: {status}"));
        }
    }

    /// Asks the driver to end as Ctrl-C does, and waits for it.
    async fn stop_load(&mut self) {
        let Some(mut driver) = self.load.take() else {
            return;
        };
        match driver.end().await {
            // Ended by our signal, or by itself with its thresholds held or crossed.
            Ok(Some(status)) if matches!(status.code(), Some(0 | 99 | 105)) => {}
            Ok(Some(status)) => self
                .spoilt
                .push(format!("the load driver ended with {status}")),
            Ok(None) => self
                .spoilt
                .push("the load driver did not end when asked".to_owned()),
            Err(error) => self
                .spoilt
                .push(format!("the load driver is lost: {error}")),
        }
    }

    fn say(&self, stage: Stage) {
        (self.tell)(self.begun.elapsed(), stage);
    }
}

/// The load driver's process; it does not outlive this value.
struct Driver(Child);

impl Driver {
    /// Sends it what Ctrl-C sends. None: it was still there after some time.
    async fn end(&mut self) -> std::io::Result<Option<ExitStatus>> {
        if let (None, Ok(pid)) = (self.0.try_wait()?, i32::try_from(self.0.id())) {
            // SAFETY: kill(2) takes any pid; the child was not waited for, so its pid is its own.
            unsafe { libc::kill(pid, libc::SIGINT) };
        }
        let deadline = Instant::now() + DRIVER_END;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(None)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}
