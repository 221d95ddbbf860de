//! Faults on a target system while its load is steady, one after the other (section 7 of the suites'
//! design).
//!
//! A fault is a patch that lies over the system's document for as long as it is asked for, or a crash.
//! What it lays goes by itself, too, should we end without taking it back.

use std::time::{Duration, Instant};

use report::record::EventKind;
use serde_json::{Value, json};
use simulated_server::AdminError;
use ureq::Agent;

use super::admin::Admin;
use super::ladder::wait_until;
use super::stage::{Aside, Stage};
use crate::file::{Probe, SystemFault};
use crate::plan::Kind;

const OVERLAY: &str = "sparring-fault";
/// An overlay that is not reverted goes this much later.
const MARGIN: Duration = Duration::from_secs(10);
const PROBE_EVERY: Duration = Duration::from_millis(200);
const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// Steady load before the first fault, times the time scale.
const SETTLE: Duration = Duration::from_secs(20);
const SHORTEST: Duration = Duration::from_secs(1);
/// Well again: so many good probes in a row.
const GOOD_PROBES: u32 = 25;
/// A probe is late from this many times the slowest one before the fault.
const LATE: f64 = 2.0;
/// Load without a fault after each: from so long a stretch it is judged whether clients are well again
/// (N-07), whatever the time scale.
const WELL_FOR: Duration = Duration::from_secs(7);

/// What came of the faults of a test.
#[derive(Debug, Default)]
pub struct Injected {
    /// What the probes saw, by fault.
    pub seen: Value,
    /// Faults for which the load was not long enough.
    pub left_out: Vec<String>,
}

/// Injects all faults of the test beside its load, and ends the load after the last one.
pub fn inject(stage: &Stage<'_>, admin: &Admin, aside: &Aside<'_>) -> Injected {
    let faults = declared(stage);
    let scale = stage.job.plan.time_scale;
    let steady = stage
        .test
        .phases
        .iter()
        .find(|phase| phase.kind == Kind::Steady);
    let begin = steady.map_or(0.0, |phase| phase.begin_s)
        + SETTLE.mul_f64(scale).max(SHORTEST).as_secs_f64();
    let mut injected = Injected {
        seen: json!({}),
        left_out: faults.iter().map(|(name, _)| (*name).to_owned()).collect(),
    };
    if !wait_until(aside, begin) {
        return injected;
    }
    for (name, fault) in faults {
        let one = One {
            stage,
            admin,
            aside,
            name,
            fault,
            scale,
        };
        match one.conduct() {
            Ok(Some(probed)) => injected.seen[name] = probed,
            Ok(None) => return injected,
            Err(error) => {
                let text = format!("the fault {name} could not be injected: {error}");
                stage.job.tell.line(&text);
                stage.note(EventKind::Warning, text, Value::Null);
                continue;
            }
        }
        injected.left_out.retain(|left| left != name);
    }
    let text = "all faults are over: the load ends";
    stage.note(EventKind::Phase, text, Value::Null);
    aside.end.cancel();
    injected
}

/// The faults that the plan names, as the file declares them.
fn declared<'a>(stage: &'a Stage<'_>) -> Vec<(&'a str, &'a SystemFault)> {
    let Some(test) = stage.job.file.tests.get(&stage.test.name) else {
        return Vec::new();
    };
    let part = stage
        .test
        .part
        .as_ref()
        .and_then(|part| test.parts.get(part));
    let find = |name: &'a String| {
        let own = part.and_then(|part| part.faults.get(name));
        Some((name.as_str(), own.or(test.faults.get(name))?))
    };
    stage.test.faults.iter().filter_map(find).collect()
}

struct One<'a> {
    stage: &'a Stage<'a>,
    admin: &'a Admin,
    aside: &'a Aside<'a>,
    name: &'a str,
    fault: &'a SystemFault,
    scale: f64,
}

impl One<'_> {
    /// `None`: the load ended meanwhile.
    fn conduct(&self) -> Result<Option<Value>, AdminError> {
        let mut prober = Prober::new(self.stage.job.target.base_url(), &self.fault.probe);
        let usual = self.probe_for(
            &mut prober,
            SHORTEST.max(Duration::from_secs(2).mul_f64(self.scale)),
        );
        let lasts = self.fault.lasts.get().mul_f64(self.scale).max(SHORTEST);
        self.inject(lasts)?;
        let during = self.probe_for(&mut prober, lasts);
        self.take_back()?;
        if during.is_none() {
            return Ok(None);
        }
        let within = self
            .fault
            .recover_within
            .get()
            .mul_f64(self.scale)
            .max(SHORTEST);
        let slowest = usual.as_ref().map_or(0.0, |usual| usual.slowest_ms);
        let recovered = self.recover(&mut prober, within, slowest);
        self.say_recovered(recovered);
        if self.probe_for(&mut prober, WELL_FOR).is_none() {
            return Ok(None);
        }
        let shown = |probed: Option<Probed>| probed.map_or(Value::Null, Probed::shown);
        Ok(Some(json!({
            "before": shown(usual), "during": shown(during), "recovered_after_s": recovered,
        })))
    }

    fn inject(&self, lasts: Duration) -> Result<(), AdminError> {
        let fault = self.fault;
        let (text, patch) = match (&fault.patch, &fault.crash) {
            (Some(patch), _) => {
                self.admin.lay(OVERLAY, patch, lasts + MARGIN)?;
                (format!("fault {}: {patch}", self.name), patch.clone())
            }
            (None, Some(host)) => {
                for instance in 0..fault.instances.unwrap_or(1) {
                    self.admin.crash(host, instance)?;
                }
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
        let detail = json!({ "fault": self.name, "patch": patch, "for_s": lasts.as_secs_f64() });
        self.stage.note(EventKind::FaultInjected, text, detail);
        Ok(())
    }

    fn take_back(&self) -> Result<(), AdminError> {
        let lifted = self.admin.lift(OVERLAY);
        let text = format!("fault {}: reverted", self.name);
        self.stage.note(
            EventKind::FaultTakenBack,
            text,
            json!({ "fault": self.name }),
        );
        lifted
    }

    /// Probes for a while. `None`: the load ended meanwhile.
    fn probe_for(&self, prober: &mut Prober<'_>, time: Duration) -> Option<Probed> {
        let end = Instant::now() + time;
        let mut probed = Probed::default();
        while Instant::now() < end {
            if self.is_over() {
                return None;
            }
            probed.add(&prober.probe());
            std::thread::sleep(PROBE_EVERY.min(end.saturating_duration_since(Instant::now())));
        }
        Some(probed)
    }

    /// Seconds until the first of enough good probes in a row; `None`: not within the time, and those
    /// that it takes to see it.
    fn recover(&self, prober: &mut Prober<'_>, within: Duration, usual_ms: f64) -> Option<f64> {
        let begun = Instant::now();
        let needed = ((f64::from(GOOD_PROBES) * self.scale) as u32).clamp(3, GOOD_PROBES);
        let (mut good, mut since) = (0, 0.0);
        while begun.elapsed() < within + PROBE_EVERY * needed {
            if self.is_over() {
                return None;
            }
            let at = begun.elapsed().as_secs_f64();
            let probe = prober.probe();
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
            Some(seconds) => format!(
                "fault {}: probes are good again after {seconds:.1} s",
                self.name
            ),
            None => format!(
                "fault {}: probes did not become good again in time",
                self.name
            ),
        };
        self.stage
            .job
            .tell
            .line(&format!("{}  {text}", self.stage.test.label()));
        let detail = json!({ "fault": self.name, "recovered_after_s": recovered });
        self.stage.note(EventKind::Reaction, text, detail);
    }

    fn is_over(&self) -> bool {
        self.aside.over.is_cancelled() || self.stage.job.stop.is_cancelled()
    }
}

/// Sends a fault's probes.
struct Prober<'a> {
    agent: Agent,
    url: String,
    method: &'a str,
    probe: &'a Probe,
}

struct ProbeResult {
    ok: bool,
    took_ms: f64,
}

impl<'a> Prober<'a> {
    fn new(base_url: &str, probe: &'a Probe) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PROBE_WITHIN))
            .http_status_as_error(false)
            .build();
        let (method, path) = probe.route.split_once(' ').unwrap_or(("GET", &probe.route));
        Self {
            agent: config.into(),
            url: format!("{}{}", base_url.trim_end_matches('/'), path.trim()),
            method,
            probe,
        }
    }

    fn probe(&mut self) -> ProbeResult {
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
            .body(body);
        let status = request
            .ok()
            .and_then(|request| self.agent.run(request).ok())
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
