//! Faults on a target system while its load is steady, one after the other (section 7 of the suites'
//! design).
//!
//! A fault is a patch that lies over the system's document for the length of the fault, or a crash. The
//! patch also expires by itself, in case this process ends without reverting it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use load_engine::system_errors::without_numbers;
use report::record::EventKind;
use serde_json::{Value, json};
use simulated_server::AdminError;
use ureq::Agent;

use super::admin::Admin;
use super::ladder::wait_until;
use super::measure::unix_now;
use super::reconcile::{ID_HEADER, PROBE_PREFIX};
use super::record::so_far;
use super::signs::Signs;
use super::stage::{Aside, Stage};
use super::visits;
use crate::file::{Probe, SystemFault};
use crate::judge;
use crate::plan::{Kind, PROBE, PROBE_EVERY, PlannedFault, WELL_FOR, good_probes, settled};

const OVERLAY: &str = "sparring-fault";
/// An overlay that is not reverted expires this much later.
const MARGIN: Duration = Duration::from_secs(10);
const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// The samples of a second have arrived by then.
const SETTLED_S: f64 = 1.5;
/// A probe is late if it takes this many times the slowest one before the fault.
const LATE: f64 = 2.0;

/// The results of the faults of a test.
#[derive(Debug, Default)]
pub struct Injected {
    /// The observations of the probes, by fault.
    pub seen: Value,
    /// Faults for which the load was too short.
    pub left_out: Vec<String>,
    /// Faults that could not be injected, with the reasons.
    pub failed: Vec<String>,
}

/// Injects all faults of the test during its load, and ends the load after the last one.
pub fn inject(stage: &Stage<'_>, admin: &Admin, aside: &Aside<'_>) -> Injected {
    let faults = declared(stage);
    let scale = stage.job.plan.time_scale;
    let steady = stage
        .test
        .phases
        .iter()
        .find(|phase| phase.kind == Kind::Steady);
    let begin = steady.map_or(0.0, |phase| phase.begin_s) + settled(scale).as_secs_f64();
    let before = admin.resources().unwrap_or_default();
    let mut injected = Injected {
        seen: json!({}),
        left_out: faults
            .iter()
            .map(|(planned, _)| planned.name.clone())
            .collect(),
        failed: Vec::new(),
    };
    if !wait_until(aside, begin) {
        return injected;
    }
    for (planned, fault) in faults {
        let name = planned.name.as_str();
        let one = One {
            stage,
            admin,
            aside,
            name,
            planned,
            fault,
            before: &before,
            good_probes: good_probes(scale),
        };
        match one.conduct() {
            Ok(Some(probed)) => injected.seen[name] = probed,
            Ok(None) => return injected,
            Err(error) => {
                let error = without_numbers(&error.to_string());
                let text = format!("the fault {name} could not be injected: {error}");
                stage.job.tell.line(&text);
                stage.note(EventKind::Warning, text.clone(), Value::Null);
                injected.failed.push(text);
            }
        }
        injected.left_out.retain(|left| left != name);
    }
    let text = "all faults are over: the load ends";
    stage.note(EventKind::Phase, text, Value::Null);
    aside.end.cancel();
    injected
}

/// The faults of the plan, with their declarations in the file.
fn declared<'a>(stage: &'a Stage<'_>) -> Vec<(&'a PlannedFault, &'a SystemFault)> {
    let Some(test) = stage.job.file.tests.get(&stage.test.name) else {
        return Vec::new();
    };
    let part = stage
        .test
        .part
        .as_ref()
        .and_then(|part| test.parts.get(part));
    let find = |planned: &'a PlannedFault| {
        let own = part.and_then(|part| part.faults.get(&planned.name));
        Some((planned, own.or(test.faults.get(&planned.name))?))
    };
    stage.test.faults.iter().filter_map(find).collect()
}

struct One<'a> {
    stage: &'a Stage<'a>,
    admin: &'a Admin,
    aside: &'a Aside<'a>,
    name: &'a str,
    planned: &'a PlannedFault,
    fault: &'a SystemFault,
    /// The target's resources before the first fault.
    before: &'a Value,
    good_probes: u32,
}

impl One<'_> {
    /// Injects the fault and reverts it. `None`: the load ended meanwhile.
    fn conduct(&self) -> Result<Option<Value>, AdminError> {
        let mut prober = Prober::new(self.stage.job.target.base_url(), &self.fault.probe);
        let usual = Duration::from_secs_f64(self.planned.usual_s);
        let usual = self.probe_for(&mut prober, usual);
        let lasts = Duration::from_secs_f64(self.planned.for_s);
        let url = self.stage.job.target.base_url();
        let asked = self.fault.detect.as_ref();
        let signs = asked.map(|detect| Signs::new(detect, self.admin, url));
        let injected_s = self.now_s();
        self.inject(lasts)?;
        let during = self.probe_beside(signs.as_ref(), &mut prober, lasts);
        self.take_back()?;
        let removed_s = self.now_s();
        if during.is_none() {
            return Ok(None);
        }
        let within = Duration::from_secs_f64(self.planned.recover_within_s);
        let slowest = usual.as_ref().map_or(0.0, |usual| usual.slowest_ms);
        let recovered = self.recover(&mut prober, within, slowest);
        self.say_recovered(recovered);
        let most_s = removed_s + within.as_secs_f64() + WELL_FOR.as_secs_f64();
        if !self.watch_clients([injected_s, removed_s, most_s]) {
            return Ok(None);
        }
        let shown = |probed: Option<Probed>| probed.map_or(Value::Null, Probed::shown);
        Ok(Some(json!({
            "before": shown(usual), "during": shown(during), "recovered_after_s": recovered,
        })))
    }

    fn inject(&self, lasts: Duration) -> Result<(), AdminError> {
        let fault = self.fault;
        let mut costs = None;
        let (text, patch) = match (&fault.patch, &fault.crash) {
            (Some(patch), _) => {
                self.admin.lay(OVERLAY, patch, lasts + MARGIN)?;
                (format!("fault {}: {patch}", self.name), patch.clone())
            }
            (None, Some(host)) => {
                let instances = fault.instances.unwrap_or(1);
                let now = self.admin.resources().unwrap_or_default();
                costs = visits::crash(self.before, &now, host, instances);
                self.crash(host, instances)?;
                (
                    format!("fault {}: {host} crashes", self.name),
                    json!({ "crash": host }),
                )
            }
            (None, None) => return Ok(()),
        };
        self.stage
            .job
            .tell
            .line(&format!("{}  {text}", self.stage.test.label()));
        let mut detail =
            json!({ "fault": self.name, "patch": patch, "for_s": lasts.as_secs_f64() });
        if let Some(costs) = costs {
            detail["crash"] = costs;
        }
        self.stage.note(EventKind::FaultInjected, text, detail);
        Ok(())
    }

    /// Crashes this number of instances, including those that are already down.
    fn crash(&self, host: &str, instances: u32) -> Result<(), AdminError> {
        let crashed = (0..instances).map(|instance| self.admin.crash(host, instance));
        let (down, refused): (Vec<_>, Vec<_>) = crashed.partition(Result::is_ok);
        match refused.into_iter().next() {
            Some(refused) if down.is_empty() => refused,
            _ => Ok(()),
        }
    }

    /// Seconds from the start of the load.
    fn now_s(&self) -> f64 {
        let began_ms = self.aside.seen.began_unix_ms().unwrap_or_default();
        unix_now() - began_ms as f64 / 1e3
    }

    /// Waits until clients have recovered for long enough to be judged (N-07), with a minimum time and up to the time
    /// limit. Returns false if the load ended meanwhile.
    fn watch_clients(&self, [injected_s, removed_s, most_s]: [f64; 3]) -> bool {
        let least_s = self.now_s() + WELL_FOR.as_secs_f64();
        loop {
            if self.is_over() {
                return false;
            }
            let now_s = self.now_s();
            if now_s >= least_s
                && (now_s >= most_s || self.are_well([injected_s, removed_s, now_s]))
            {
                return true;
            }
            std::thread::sleep(PROBE_EVERY);
        }
    }

    fn are_well(&self, [injected_s, removed_s, now_s]: [f64; 3]) -> bool {
        let record = so_far(
            self.stage.test,
            &self.stage.store.lock(),
            &self.stage.test.phases,
        );
        judge::recovered(&record.seconds, [injected_s, removed_s, now_s - SETTLED_S])
    }

    fn take_back(&self) -> Result<(), AdminError> {
        let lifted = self.admin.lift(OVERLAY);
        let text = format!("fault {}: reverted", self.name);
        self.stage.note(
            EventKind::FaultReverted,
            text,
            json!({ "fault": self.name }),
        );
        lifted
    }

    /// Sends probes during the fault, and checks whether the system reports it.
    fn probe_beside(
        &self,
        signs: Option<&Signs<'_>>,
        prober: &mut Prober<'_>,
        time: Duration,
    ) -> Option<Probed> {
        let Some(signs) = signs else {
            return self.probe_for(prober, time);
        };
        let is_reverted = AtomicBool::new(false);
        let is_over = || is_reverted.load(Ordering::Relaxed);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| signs.wait(is_over));
            let during = self.probe_for(prober, time);
            is_reverted.store(true, Ordering::Relaxed);
            let reported = waiting.join().expect("looking for a sign does not panic");
            self.say_reported(reported, signs.was_there);
            during
        })
    }

    fn say_reported(&self, reported: Option<f64>, was_there: bool) {
        let text = match reported {
            Some(seconds) => format!(
                "fault {}: the system reported it after {seconds:.1} s",
                self.name
            ),
            None if was_there => format!(
                "fault {}: its indicator showed a problem before the fault",
                self.name
            ),
            None => format!("fault {}: the system did not report it", self.name),
        };
        self.say(
            text,
            json!({ "fault": self.name, "reported_after_s": reported }),
        );
    }

    /// Sends probes for a time. `None`: the load ended meanwhile.
    fn probe_for(&self, prober: &mut Prober<'_>, time: Duration) -> Option<Probed> {
        let end = Instant::now() + time;
        let mut probed = Probed::default();
        while Instant::now() < end {
            if self.is_over() {
                return None;
            }
            let left = end.saturating_duration_since(Instant::now());
            probed.add(&prober.probe(left.clamp(PROBE, PROBE_WITHIN)));
            std::thread::sleep(PROBE_EVERY.min(end.saturating_duration_since(Instant::now())));
        }
        Some(probed)
    }

    /// Seconds until the first of enough consecutive good probes; `None`: not within the time limit and the
    /// time that those probes take.
    fn recover(&self, prober: &mut Prober<'_>, within: Duration, usual_ms: f64) -> Option<f64> {
        let begun = Instant::now();
        let needed = self.good_probes;
        let (mut good, mut since) = (0, 0.0);
        while begun.elapsed() < within + PROBE_EVERY * needed {
            if self.is_over() {
                return None;
            }
            let at = begun.elapsed().as_secs_f64();
            let left = within.saturating_sub(begun.elapsed());
            let probe = prober.probe(left.clamp(PROBE, PROBE_WITHIN));
            if probe.ok && (usual_ms <= 0.0 || probe.took_ms <= usual_ms * LATE) {
                if good == 0 {
                    since = at;
                }
                good += 1;
            } else {
                good = 0;
            }
            if good >= needed {
                return (since <= within.as_secs_f64()).then_some(since);
            }
            std::thread::sleep(PROBE_EVERY);
        }
        None
    }

    fn say_recovered(&self, recovered: Option<f64>) {
        let text = match recovered {
            Some(seconds) => format!("fault {}: probes recovered after {seconds:.1} s", self.name),
            None => format!("fault {}: probes did not recover in time", self.name),
        };
        self.say(
            text,
            json!({ "fault": self.name, "recovered_after_s": recovered }),
        );
    }

    fn say(&self, text: String, detail: Value) {
        let line = format!("{}  {text}", self.stage.test.label());
        self.stage.job.tell.line(&line);
        self.stage.note(EventKind::Reaction, text, detail);
    }

    fn is_over(&self) -> bool {
        self.aside.over.is_cancelled() || self.stage.job.stop.is_cancelled()
    }
}

/// The sender of a fault's probes.
struct Prober<'a> {
    agent: Agent,
    url: String,
    method: &'a str,
    probe: &'a Probe,
    /// Part of the probes' ids: a system rejects an id that is reused with another body.
    began_ms: u64,
    sent: u64,
}

struct ProbeResult {
    ok: bool,
    took_ms: f64,
}

impl<'a> Prober<'a> {
    fn new(base_url: &str, probe: &'a Probe) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).build();
        let (method, path) = probe.route.split_once(' ').unwrap_or(("GET", &probe.route));
        Self {
            agent: config.into(),
            url: format!("{}{}", base_url.trim_end_matches('/'), path.trim()),
            method,
            probe,
            began_ms: (unix_now() * 1e3) as u64,
            sent: 0,
        }
    }

    fn probe(&mut self, within: Duration) -> ProbeResult {
        self.sent += 1;
        let id = format!("{PROBE_PREFIX}-{:x}-{}", self.began_ms, self.sent);
        let begun = Instant::now();
        let body = self
            .probe
            .body
            .as_ref()
            .map(Value::to_string)
            .unwrap_or_default();
        let request = http::Request::builder()
            .method(self.method)
            .uri(&self.url)
            .header("Content-Type", "application/json")
            .header(ID_HEADER, id)
            .body(body);
        let limited = |request| {
            let request = self.agent.configure_request(request);
            request.timeout_global(Some(within)).build()
        };
        let status = request
            .ok()
            .and_then(|request| self.agent.run(limited(request)).ok())
            .map(|answer| answer.status().as_u16());
        ProbeResult {
            ok: status.is_some_and(|status| self.probe.ok.contains(&status)),
            took_ms: begun.elapsed().as_secs_f64() * 1e3,
        }
    }
}

#[derive(Default)]
struct Probed {
    probes: u64,
    failed: u64,
    sum_ms: f64,
    slowest_ms: f64,
}

impl Probed {
    fn add(&mut self, answer: &ProbeResult) {
        self.probes += 1;
        self.failed += u64::from(!answer.ok);
        self.sum_ms += answer.took_ms;
        self.slowest_ms = self.slowest_ms.max(answer.took_ms);
    }

    fn shown(self) -> Value {
        let mean = (self.probes > 0).then(|| self.sum_ms / self.probes as f64);
        json!({ "probes": self.probes, "failed": self.failed, "mean_ms": mean, "slowest_ms": self.slowest_ms })
    }
}
