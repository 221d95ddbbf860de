//! A ladder of loads: efficiency, the Universal Scalability Law, four estimates of the capacity.
//!
//! Figures of the phases are computed again by the functions of `analysis`; only estimates that need other
//! data are taken from the record.

use std::collections::BTreeMap;

use analysis::capacity::{self, Agreement, Estimate, Method};
use analysis::ladder::{Figures as LadderFigures, Rung, Stability};
use analysis::service_demand::{Attribution, Resource, attribute};
use analysis::slo_search::{End, Found};
use analysis::usl::{self, Fit, Reach};
use serde_json::Value;

use crate::record::{PhaseKind, PhaseRecord, ResourceSample, Standing, TestContent, TestRecord};

const CONFIDENCE: f64 = 0.95;
/// Estimates this close to each other agree.
const TOLERANCE: f64 = 0.1;

/// A ladder, analysed.
#[derive(Debug)]
pub struct Ladder {
    /// By ascending load.
    pub steps: Vec<Step>,
    /// For users; `None` if the loads are rates.
    pub figures: Option<LadderFigures>,
    pub fit: Option<Fit>,
    pub estimates: Vec<Estimate>,
    /// The estimates that could not be made, with the reasons.
    pub missing: Vec<(Method, String)>,
    pub agreement: Agreement,
    pub attribution: Option<Attribution>,
    /// The unit of the load: `users` or `requests/s wanted`.
    pub unit: &'static str,
}

/// A steady phase of a ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub phase: String,
    pub load: f64,
    /// Successes per second.
    pub throughput: f64,
    pub success_rate: f64,
    pub mean_ms: f64,
    pub p95_ms: Option<f64>,
    /// CPU use of the busiest host.
    pub cpu: Option<f64>,
    /// Whether no requirement on it was crossed; `None` without requirements.
    pub passed: Option<bool>,
    utilisations: BTreeMap<String, f64>,
}

/// Analyses a ladder or a search; `None` for other tests, and with fewer than two different loads.
pub fn analyse(test: &TestRecord) -> Option<Ladder> {
    if !matches!(test.content, TestContent::Ladder | TestContent::Search) {
        return None;
    }
    let by_users = test
        .phases
        .iter()
        .any(|phase| phase.kind == PhaseKind::Steady && phase.users.is_some());
    let mut steps: Vec<Step> = test
        .phases
        .iter()
        .filter(|phase| phase.kind == PhaseKind::Steady)
        // Steps after a ladder's end, and steps that were cut short, do not count.
        .filter(|phase| phase.judged || test.content != TestContent::Ladder)
        .filter_map(|phase| step(test, phase, by_users))
        .collect();
    if test.content == TestContent::Ladder {
        keep_rising(&mut steps);
    }
    steps.sort_by(|a, b| a.load.total_cmp(&b.load));
    recorded_outcomes(test, &mut steps);
    by_law(test, &mut steps);
    let first = steps.first()?.load;
    if steps.iter().all(|step| step.load == first) {
        return None;
    }
    let mut ladder = Ladder {
        figures: if by_users { figures(&steps) } else { None },
        fit: None,
        estimates: Vec::new(),
        missing: Vec::new(),
        agreement: Agreement::TooFew,
        attribution: None,
        unit: if by_users {
            "users"
        } else {
            "requests/s wanted"
        },
        steps,
    };
    ladder.estimate();
    ladder.take_recorded(test);
    Some(ladder)
}

/// Which steps passed, according to the levels in the judgement of the whole ladder.
fn recorded_outcomes(test: &TestRecord, steps: &mut [Step]) {
    let level = |name: &str| test.analysis.get("capacity")?.get(name)?.as_f64();
    let (passed, failed) = (level("passed"), level("failed"));
    for step in steps.iter_mut().filter(|step| step.passed.is_none()) {
        if passed.is_some_and(|passed| step.load <= passed) {
            step.passed = Some(true);
        } else if failed.is_some_and(|failed| step.load >= failed) {
            step.passed = Some(false);
        }
    }
}

/// The first step by the response-time law, X = N/(R + Z), if the judgement used it as reference, because its users
/// completed too few iterations for a count.
fn by_law(test: &TestRecord, steps: &mut [Step]) {
    let ladder = test.analysis.get("ladder");
    let think_s = ladder.and_then(|ladder| ladder.get("base_think_s")?.as_f64());
    if let (Some(think_s), Some(first)) = (think_s, steps.first_mut()) {
        first.throughput = first.load / (think_s + first.mean_ms / 1_000.0);
    }
}

/// The final step back of a ladder shows the recovery and is not a further load.
fn keep_rising(steps: &mut Vec<Step>) {
    let mut highest = 0.0;
    steps.retain(|step| {
        let rises = step.load > highest;
        highest = f64::max(highest, step.load);
        rises
    });
}

fn step(test: &TestRecord, phase: &PhaseRecord, by_users: bool) -> Option<Step> {
    let load = if by_users {
        phase.users?
    } else {
        phase.rate_per_s?
    };
    let samples = || {
        let within =
            |sample: &&ResourceSample| sample.at_s >= phase.begin_s && sample.at_s < phase.end_s;
        test.observed.target.iter().filter(within)
    };
    let utilisations = utilisations(samples());
    let cpu = utilisations
        .iter()
        .filter(|(name, _)| name.ends_with("cpu"))
        .map(|(_, busy)| *busy)
        .reduce(f64::max);
    let asked: Vec<Standing> = test
        .judgements
        .iter()
        .filter(|judgement| judgement.phase.as_deref() == Some(&phase.name))
        .map(|judgement| judgement.standing)
        .filter(|standing| matches!(standing, Standing::Held | Standing::Crossed))
        .collect();
    let passed = (!asked.is_empty()).then(|| !asked.contains(&Standing::Crossed));
    let is_load = load.is_finite() && load > 0.0;
    Some(Step {
        phase: phase.name.clone(),
        load: is_load.then_some(load)?,
        throughput: phase.figures.successes_per_s()?,
        success_rate: phase.figures.success_rate()?,
        mean_ms: phase.figures.latency.as_ref()?.mean,
        p95_ms: phase.figures.percentile("p95"),
        cpu,
        passed,
        utilisations,
    })
}

/// The mean busy share by resource, over the samples of a window.
fn utilisations<'a>(samples: impl Iterator<Item = &'a ResourceSample>) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    for sample in samples {
        let host = sample
            .host
            .as_deref()
            .map(|host| format!("{host} "))
            .unwrap_or_default();
        let mut add = |name: &str, value: Option<f64>| {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                let sum = sums.entry(format!("{host}{name}")).or_default();
                sum.0 += value;
                sum.1 += 1;
            }
        };
        add("cpu", sample.cpu_ratio);
        add("disk", sample.disk_ratio);
        add("network", sample.network_ratio);
        for (name, value) in &sample.other {
            if name.ends_with("_ratio") || name.ends_with("_utilisation") || name.ends_with("_busy")
            {
                add(name, Some(*value));
            }
        }
    }
    sums.into_iter()
        .map(|(name, (sum, count))| (name, sum / f64::from(count)))
        .collect()
}

fn figures(steps: &[Step]) -> Option<LadderFigures> {
    let rungs: Vec<Rung> = steps
        .iter()
        .map(|step| Rung {
            users: step.load,
            throughput: step.throughput,
            success_rate: step.success_rate,
            mean_response: step.mean_ms,
            cpu: step.cpu,
        })
        .collect();
    analysis::ladder::figures(&rungs, &Stability::default()).ok()
}

impl Ladder {
    fn estimate(&mut self) {
        let loads: Vec<f64> = self.steps.iter().map(|step| step.load).collect();
        let throughputs: Vec<f64> = self.steps.iter().map(|step| step.throughput).collect();
        let search = self.search().map(|found| capacity::from_search(&found));
        match search {
            Some(found) => self.add(Method::SloSearch, Ok(found)),
            None => self.lacks(Method::SloSearch, "the single steps have no requirements"),
        }
        if self.unit == "users" {
            let fit = usl::fit(&loads, &throughputs, CONFIDENCE);
            self.add(
                Method::UslPeak,
                fit.as_ref()
                    .map(capacity::from_usl)
                    .map_err(ToString::to_string),
            );
            self.fit = fit.ok();
        } else {
            self.lacks(
                Method::UslPeak,
                "the law applies to users, and the loads are rates",
            );
        }
        let knee = capacity::from_knee(&loads, &throughputs);
        self.add(Method::Kneedle, knee.map_err(|error| error.to_string()));
        self.demand(&throughputs);
    }

    /// Adds the recorded estimates of methods that need more than the phases.
    fn take_recorded(&mut self, test: &TestRecord) {
        let recorded = test.analysis.get("capacities").and_then(Value::as_array);
        for value in recorded.into_iter().flatten() {
            let Some(estimate) = recorded_estimate(value) else {
                continue;
            };
            if self
                .estimates
                .iter()
                .all(|known| known.method != estimate.method)
            {
                self.missing
                    .retain(|(method, _)| *method != estimate.method);
                self.estimates.push(estimate);
            }
        }
        self.agreement =
            capacity::agreement(&self.estimates, TOLERANCE).unwrap_or(Agreement::TooFew);
    }

    /// The resources that were sampled in every step.
    fn demand(&mut self, throughputs: &[f64]) {
        let Some(first) = self.steps.first() else {
            return;
        };
        let watched: Vec<(String, Vec<f64>)> = first
            .utilisations
            .keys()
            .filter_map(|name| {
                let all = self
                    .steps
                    .iter()
                    .map(|step| step.utilisations.get(name).copied());
                Some((name.clone(), all.collect::<Option<Vec<f64>>>()?))
            })
            .collect();
        if watched.is_empty() {
            self.lacks(
                Method::ServiceDemand,
                "no resource of the target was monitored in every step",
            );
            return;
        }
        let resources: Vec<Resource> = watched
            .iter()
            .map(|(name, utilisations)| Resource { name, utilisations })
            .collect();
        let attribution = attribute(throughputs, &resources, CONFIDENCE);
        let estimate = attribution.as_ref().map(capacity::from_demand);
        self.add(Method::ServiceDemand, estimate.map_err(ToString::to_string));
        self.attribution = attribution.ok();
    }

    fn add(&mut self, method: Method, estimate: Result<Option<Estimate>, String>) {
        match estimate {
            Ok(Some(estimate)) => self.estimates.push(estimate),
            Ok(None) => self.lacks(method, "the data show none"),
            Err(why) => self.missing.push((method, why)),
        }
    }

    fn lacks(&mut self, method: Method, why: &str) {
        self.missing.push((method, why.to_owned()));
    }

    /// The largest throughput that passed below every failed one, and the smallest that failed.
    fn search(&self) -> Option<Found> {
        let of = |wanted| {
            let asked = self
                .steps
                .iter()
                .filter(move |step| step.passed == Some(wanted));
            asked.map(|step| step.throughput)
        };
        let probes = self
            .steps
            .iter()
            .filter(|step| step.passed.is_some())
            .count() as u32;
        if probes == 0 {
            return None;
        }
        let failed = of(false).reduce(f64::min);
        let passed = of(true)
            .filter(|throughput| failed.is_none_or(|failed| *throughput < failed))
            .reduce(f64::max);
        Some(Found {
            passed,
            failed,
            probes,
            end: match (passed, failed) {
                (Some(_), Some(_)) => End::Bracketed,
                (None, _) => End::NothingPasses,
                _ => End::NothingFails,
            },
        })
    }
}

fn recorded_estimate(value: &Value) -> Option<Estimate> {
    let number = |name: &str| value.get(name).and_then(Value::as_f64);
    let end = |at: usize| value.get("interval")?.get(at)?.as_f64();
    Some(Estimate {
        method: match value.get("method")?.as_str()? {
            "slo_search" => Method::SloSearch,
            "usl_peak" => Method::UslPeak,
            "kneedle" => Method::Kneedle,
            "service_demand" => Method::ServiceDemand,
            _ => return None,
        },
        throughput: number("throughput_per_s")?,
        interval: end(0).zip(end(1)).map(|(lower, upper)| analysis::Interval {
            lower,
            upper,
            confidence: CONFIDENCE,
        }),
        load: number("load"),
        reach: match number("extrapolated_beyond") {
            Some(beyond) => Reach::Extrapolated { beyond },
            None => Reach::Measured,
        },
    })
}
