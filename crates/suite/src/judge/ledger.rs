//! The validity ledger (N-05): the quality of the measurement itself.
//!
//! A starved generator measures itself. Requests that it could not send, or sent late, did not load the
//! target, so that such a run cannot pass.

use report::record::{
    Conclusion, EventKind, Judgement, LedgerEntry, LoadModel, ResourceSample, Standing,
    TestContent, TestRecord,
};

use super::figure::mean_of;
use super::thresholds::Metric;
use super::verdict::{Sheet, number};
use super::{Case, laws};

/// Bounds on the share of planned iterations that were not sent.
const UNSENT_SUSPECT: f64 = 0.001;
const UNSENT_INVALID: f64 = 0.01;
/// The lateness in ms above which a simulated target counts a response as late.
const PROMISED_MS: f64 = 0.3;
/// Bounds on lateness in ms, of starts and of samples of the driver's threads.
const LATE_MS: f64 = 10.0;
const VERY_LATE_MS: f64 = 100.0;
/// Bounds on the share of late starts. Beyond the second, the generator did not follow its plan (S-16).
const LATE_SUSPECT: f64 = 0.001;
const LATE_INVALID: f64 = 0.01;
/// Users of a closed test have no planned start. Threads time their responses, and may not stall for
/// more than this share of the time.
const STALLED_SHARE: f64 = 0.1;
/// The permitted share of late responses of a simulated target (S-16).
const SIMULATOR_LATE: f64 = 0.01;
/// Minimum number of responses for a share.
const FEW: f64 = 5.0;
/// Busy share of the cores that the generator may use (S-16).
const BUSY_SUSPECT: f64 = 0.8;
const BUSY_INVALID: f64 = 0.9;
/// Consecutive seconds at this utilisation that make a run invalid.
const BUSY_SECONDS: usize = 3;
const STEAL_SUSPECT: f64 = 0.05;
const STEAL_INVALID: f64 = 0.2;
const USED_UP: f64 = 0.95;
/// The share of requests without a response from which on the latencies are doubtful.
const SILENT: f64 = 0.01;

pub(super) fn fill(case: &Case<'_>, sheet: &mut Sheet) {
    let record = case.record;
    let entries = [
        iterations(case),
        send_rate(case),
        generator_cpu(record),
        lateness(record),
        dropped_samples(record),
        laws::ledger(sheet),
        steal(record),
        without_response(record),
        simulator(record, sheet),
        clock(record),
        used_up(record, "descriptors", "descriptors_ratio"),
        used_up(record, "ports", "ports_ratio"),
    ];
    sheet.ledger.extend(entries.into_iter().flatten());
}

fn entry(what: &str, conclusion: Conclusion, text: String) -> LedgerEntry {
    LedgerEntry {
        what: what.to_owned(),
        conclusion,
        text,
    }
}

/// Grades a value that should stay below two bounds.
fn graded(value: f64, suspect: f64, invalid: f64) -> Conclusion {
    if value > invalid {
        Conclusion::Invalid
    } else if value > suspect {
        Conclusion::Suspect
    } else {
        Conclusion::Valid
    }
}

/// A run without a completed iteration proves nothing, whatever was sent.
fn iterations(case: &Case<'_>) -> Option<LedgerEntry> {
    let metrics = case.record.k6_summary.get("metrics")?.as_object()?;
    if metrics.is_empty() {
        return None;
    }
    let ended = Metric::find(&case.record.k6_summary, "iterations")
        .and_then(|metric| metric.value("count"))
        .unwrap_or(0.0);
    if ended > 0.0 {
        return None;
    }
    let text = "No iteration completed.".to_owned();
    Some(entry("iterations", Conclusion::Invalid, text))
}

/// Iterations that an open test had to drop because no user was free.
fn send_rate(case: &Case<'_>) -> Option<LedgerEntry> {
    let record = case.record;
    if record.model != LoadModel::Open {
        return None;
    }
    let counted: u64 = record.seconds.iter().map(|it| it.dropped_iterations).sum();
    let summary = Metric::find(&record.k6_summary, "dropped_iterations")
        .and_then(|metric| metric.value("count"));
    let dropped = summary.unwrap_or(counted as f64).max(counted as f64);
    let ended = Metric::find(&record.k6_summary, "iterations")
        .and_then(|metric| metric.value("count"))
        .unwrap_or(record.figures.requests as f64);
    let planned = ended + dropped;
    if planned <= 0.0 {
        let text = "The generator sent nothing.".to_owned();
        return Some(entry("send_rate", Conclusion::Invalid, text));
    }
    let share = dropped / planned;
    // A search overloads the target on purpose.
    let conclusion = if record.content == TestContent::Search {
        graded(share, UNSENT_SUSPECT, f64::INFINITY)
    } else {
        graded(share, UNSENT_SUSPECT, UNSENT_INVALID)
    };
    let text = format!(
        "{} of {} iterations ({} %) were dropped because no virtual user was free.",
        number(dropped),
        number(planned),
        number(share * 100.0)
    );
    Some(entry("send_rate", conclusion, text))
}

fn generator_cpu(record: &TestRecord) -> Option<LedgerEntry> {
    let samples = &record.observed.generator;
    let busy = mean_of(|sample| sample.cpu_ratio)(&samples.iter().collect::<Vec<_>>())?;
    let longest = longest_run(samples, |it| it.cpu_ratio.is_some_and(|r| r > BUSY_INVALID));
    let conclusion = if longest >= BUSY_SECONDS {
        Conclusion::Invalid
    } else {
        graded(busy, BUSY_SUSPECT, BUSY_INVALID)
    };
    let text = format!(
        "The generator used {} % of its processor time on average, and more than {} % for at most {longest} consecutive samples.",
        number(busy * 100.0),
        number(BUSY_INVALID * 100.0)
    );
    Some(entry("generator_cpu", conclusion, text))
}

fn longest_run(samples: &[ResourceSample], is_bad: impl Fn(&ResourceSample) -> bool) -> usize {
    let mut runs = (0, 0);
    for sample in samples {
        runs.0 = if is_bad(sample) { runs.0 + 1 } else { 0 };
        runs.1 = runs.1.max(runs.0);
    }
    runs.1
}

fn largest(samples: &[ResourceSample], name: &str) -> Option<f64> {
    let values = samples.iter().filter_map(|it| it.other.get(name).copied());
    values.reduce(f64::max)
}

fn sum(samples: &[ResourceSample], name: &str) -> f64 {
    let values = samples.iter().filter_map(|it| it.other.get(name));
    values.fold(0.0, |sum, value| sum + value)
}

fn lateness(record: &TestRecord) -> Option<LedgerEntry> {
    let samples = &record.observed.generator;
    let latest_ms = largest(samples, "lateness_ms");
    let counted = Counted::of(samples, "starts").or_else(|| Counted::of(samples, "looks"));
    if let Some(counted) = counted {
        // A search counts no level as passed at which the generator was late.
        let most = match record.content {
            TestContent::Search => Conclusion::Suspect,
            _ => Conclusion::Invalid,
        };
        return Some(counted.entry(latest_ms.unwrap_or(0.0), most));
    }
    let late = latest_ms.or_else(|| scheduled_lateness(record))?;
    let text = format!(
        "Requests started up to {} ms later than planned.",
        number(late)
    );
    let conclusion = graded(late, LATE_MS, VERY_LATE_MS);
    Some(entry("lateness", conclusion, text))
}

/// The number of late starts or samples, by two bounds.
struct Counted {
    /// `starts` of iterations, or `looks`: samples of the event loops.
    what: &'static str,
    all: f64,
    late: f64,
    very_late: f64,
}

impl Counted {
    /// Over all samples; `None` if there is no such count.
    fn of(samples: &[ResourceSample], what: &'static str) -> Option<Self> {
        let counted = Self {
            what,
            all: sum(samples, what),
            late: sum(samples, &format!("late_{what}")),
            very_late: sum(samples, &format!("very_late_{what}")),
        };
        (counted.all > 0.0).then_some(counted)
    }

    fn conclusion(&self) -> Conclusion {
        let (late, very_late) = (self.late / self.all, self.very_late / self.all);
        match self.what {
            "starts" if self.late < FEW => graded(late, LATE_SUSPECT, f64::INFINITY),
            "starts" => graded(late, LATE_SUSPECT, LATE_INVALID),
            _ if very_late > STALLED_SHARE => Conclusion::Invalid,
            _ => graded(late, STALLED_SHARE, f64::INFINITY),
        }
    }

    /// `most` is the worst possible conclusion.
    fn entry(&self, latest_ms: f64, most: Conclusion) -> LedgerEntry {
        let conclusion = match self.conclusion() {
            Conclusion::Invalid => most,
            other => other,
        };
        let (of, what) = match self.what {
            "starts" => ("iterations", "started late"),
            _ => ("samples of the driver's threads", "were late"),
        };
        let text = format!(
            "{} of {} {of} {what} by more than {LATE_MS} ms and {} by more than {VERY_LATE_MS} ms, the latest by {} ms.",
            number(self.late),
            number(self.all),
            number(self.very_late),
            number(latest_ms),
        );
        entry("lateness", conclusion, text)
    }
}

/// Open tests: the increase of the 99th percentile when times count from the planned start instead of the
/// real one (N-08).
fn scheduled_lateness(record: &TestRecord) -> Option<f64> {
    let intended = record.figures.intended_latency.as_ref()?;
    let sent = record.figures.percentile("p99")?;
    Some((intended.percentiles.get("p99")? - sent).max(0.0))
}

fn dropped_samples(record: &TestRecord) -> Option<LedgerEntry> {
    let dropped = largest(&record.observed.generator, "dropped_samples")?;
    let conclusion = if dropped > 0.0 {
        Conclusion::Invalid
    } else {
        Conclusion::Valid
    };
    let text = format!("{} measured samples were dropped.", number(dropped));
    Some(entry("dropped_samples", conclusion, text))
}

fn steal(record: &TestRecord) -> Option<LedgerEntry> {
    let samples: Vec<&ResourceSample> = record.observed.generator.iter().collect();
    let steal = mean_of(|sample| sample.steal_ratio)(&samples)?;
    let text = format!(
        "The hypervisor stole {} % of the processor time.",
        number(steal * 100.0)
    );
    let conclusion = graded(steal, STEAL_SUSPECT, STEAL_INVALID);
    Some(entry("steal", conclusion, text))
}

/// A simulated target whose responses are late (S-16). Late responses never improve a result, so that a
/// passed test remains passed, unless most responses are too late.
fn simulator(record: &TestRecord, sheet: &Sheet) -> Option<LedgerEntry> {
    let samples = &record.observed.simulator;
    let degraded =
        |sample: &&ResourceSample| sample.other.get("degraded").is_some_and(|it| *it > 0.0);
    let known = samples
        .iter()
        .filter(|it| it.other.contains_key("degraded"));
    let known = known.count();
    let warned = record.observed.events.iter().any(|event| {
        event.kind == EventKind::Warning && event.detail.get("simulator_degraded").is_some()
    });
    if known == 0 && !warned {
        return None;
    }
    let late = samples.iter().filter(degraded).count();
    let [answers, late_answers, very_late] =
        ["answers", "late_answers", "very_late_answers"].map(|name| sum(samples, name));
    let many = |count: f64| count >= FEW && count > SIMULATOR_LATE * answers;
    let held = |it: &Judgement| matches!(it.standing, Standing::Held | Standing::Reported);
    let failed = !sheet.judgements.iter().all(held);
    let conclusion = if many(very_late) || (failed && many(late_answers)) {
        Conclusion::Invalid
    } else if late > 0 || warned {
        Conclusion::Suspect
    } else {
        Conclusion::Valid
    };
    let mut text = format!(
        "In {late} of {known} samples the simulated target reported that more than 1 % of its responses were late by more than {PROMISED_MS} ms"
    );
    if answers > 0.0 {
        text += &format!(
            "; {} of {} responses were late by more than {LATE_MS} ms and {} by more than {VERY_LATE_MS} ms",
            number(late_answers),
            number(answers),
            number(very_late),
        );
    }
    Some(entry("simulator", conclusion, format!("{text}.")))
}

/// Failures without a response have a latency too: a refused connection takes almost no time, and a time-out all of
/// it.
fn without_response(record: &TestRecord) -> Option<LedgerEntry> {
    let (silent, all) = (record.without_response(), record.figures.requests);
    let share = silent as f64 / (all as f64).max(1.0);
    let text = format!(
        "{silent} of {all} requests ({} %) got no response; the latencies include them, each with the time until it failed.",
        number(share * 100.0)
    );
    (share > SILENT).then(|| entry("without_response", Conclusion::Suspect, text))
}

fn clock(record: &TestRecord) -> Option<LedgerEntry> {
    let samples = record.observed.generator.iter();
    let steps = samples.filter_map(|it| it.other.get("clock_step_s").map(|step| step.abs()));
    let step = steps.reduce(f64::max)?;
    let text = format!(
        "The wall clock stepped by up to {} s; durations come from the monotonic clock.",
        number(step)
    );
    Some(entry("clock", graded(step, 0.5, f64::INFINITY), text))
}

fn used_up(record: &TestRecord, what: &str, figure: &str) -> Option<LedgerEntry> {
    let used = largest(&record.observed.generator, figure)?;
    let conclusion = graded(used, 0.6, USED_UP);
    let text = format!(
        "The generator used {} % of its {what}.",
        number(used * 100.0)
    );
    Some(entry(what, conclusion, text))
}
