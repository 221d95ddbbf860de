//! The expected cost of a crash, if it has a closed form (section 7 of the suites' design).
//!
//! A crashed instance receives its share of the requests until the crash is noticed. If k of n instances crash, a
//! request that visits them v times fails with probability 1 − (1 − k/n)^v; without any instance left, all requests
//! fail until the first one is up again. Requests in flight at a crashed instance are lost. Failures beyond that, and
//! beyond chance, are not explained by the crash alone.
//!
//! A time scale does not apply: a system detects a crash and restarts in its own time, and requests are not scaled either.

use analysis::threshold::Limit;
use serde_json::Value;

use super::Case;
use super::decide::Decision;
use super::expression::Bound;
use super::faults::Fault;
use super::verdict::{Question, Sheet, number};

/// A sum of independent failures exceeds its mean by more than this many deviations once in 700 times.
const DEVIATIONS: f64 = 3.0;
const RULE: &str = "failed requests <= requests until the crash is noticed x (1 - (1 - k/n)^visits) + those in flight on the k instances \
                    + what failed at this rate before, and three standard deviations; detection and restart take the system's own time at any time scale";

/// The bound on the failures of a crash.
struct Crash {
    /// The share of requests that fails until the crash is noticed, or the host is up again.
    share: f64,
    lasts_s: f64,
    in_flight: f64,
}

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet, fault: &Fault) {
    let Some(crash) = fault.crash.as_ref().and_then(Crash::read) else {
        return;
    };
    let most = crash.most(case, fault);
    let bound = Bound::Limit(Limit::at_most(most));
    let question = Question {
        kind: "expected",
        name: &fault.name,
        phase: None,
        unit: "requests",
        rule: RULE,
    };
    let asked = format!(
        "{}: no more failed requests than the crash explains, {}",
        fault.name.replace('_', " "),
        number(most)
    );
    let measured = Some(fault.failures as f64);
    sheet.answer(question, &asked, bound, Decision::plain(measured, bound));
}

impl Crash {
    fn read(detail: &Value) -> Option<Self> {
        let figure = |name: &str| detail[name].as_f64();
        let (crashed, instances) = (figure("crashed")?, figure("instances")?);
        let left = 1.0 - (crashed / instances).min(1.0);
        let lasts_s = if left > 0.0 {
            figure("detect_s")?
        } else {
            figure("restart_s")?
        };
        Some(Self {
            share: 1.0 - left.powf(figure("visits_per_request")?),
            lasts_s,
            in_flight: figure("in_flight")?,
        })
    }

    /// The maximum number of failures that this crash explains, rounded up.
    fn most(&self, case: &Case<'_>, fault: &Fault) -> f64 {
        let seconds = &case.record.seconds;
        // Whole seconds: a request sent in the last one may end in the next.
        let until_s = fault.injected_s + self.lasts_s + 1.0;
        let exposed = seconds
            .iter()
            .filter(|it| it.at_s + 1.0 > fault.injected_s && it.at_s < until_s);
        let exposed: u64 = exposed.map(|it| it.requests).sum();
        let before = seconds
            .iter()
            .filter(|it| it.at_s + 1.0 <= fault.injected_s);
        let (failed, all) = before.fold((0, 0), |(failed, all), it| {
            (failed + it.failures, all + it.requests)
        });
        let during = seconds
            .iter()
            .filter(|it| it.at_s + 1.0 > fault.injected_s && it.at_s < fault.removed_s);
        let during: u64 = during.map(|it| it.requests).sum();
        let usual = failed as f64 / (all as f64).max(1.0) * during as f64;
        let hit = exposed as f64 * self.share;
        let variance = hit * (1.0 - self.share) + usual + self.in_flight;
        (hit + usual + self.in_flight + DEVIATIONS * variance.sqrt()).ceil()
    }
}
