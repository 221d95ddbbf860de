//! Converts a live run into a record for pages, tables and files.

use indexmap::IndexMap;
use jiff::Timestamp;
use report::RunRecord;
use report::record::{
    Check, Endpoint, Generator, Observed, Outcome, PERCENTILE_METHOD, PhaseKind, PhaseRecord,
    SCHEMA, Standing, Target, TestContent, TestRecord,
};
use serde_json::Value;

use super::figures::Group;
use super::live_run::{LiveRun, Phase, Shown, Stage};
use super::measured::Key;

/// The current state of the run: the tests that have ended, and the one in progress.
pub fn record(board: &LiveRun) -> RunRecord {
    let shown = board.lock();
    let mut run = shown.finished.clone().unwrap_or_else(|| empty(&shown));
    if shown.origin_ms.is_some() && !shown.test.is_empty() {
        let mut test = test(&shown);
        if let (Ok(began), Some(origin_ms)) = (run.began.parse::<Timestamp>(), shown.origin_ms) {
            test.begin_s = ((origin_ms - began.as_millisecond()) as f64 / 1e3).max(0.0);
        }
        run.duration_s = run.duration_s.max(test.begin_s + test.duration_s);
        run.outcome = run.outcome.worst(test.outcome);
        run.tests.push(test);
    }
    if shown.stage != Stage::Ended {
        run.outcome = run.outcome.worst(Outcome::Running);
    }
    run
}

/// The test in progress, or the last one; without values before the first.
pub fn current(board: &LiveRun) -> TestRecord {
    let last = record(board).tests.pop();
    last.unwrap_or_else(|| test(&board.lock()))
}

fn empty(shown: &Shown) -> RunRecord {
    let began = shown
        .origin_ms
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    RunRecord {
        schema: SCHEMA,
        run: String::new(),
        suite: shown.title.clone(),
        began: began.unwrap_or_else(Timestamp::now).to_string(),
        duration_s: 0.0,
        complete: shown.stage == Stage::Ended && shown.broken_off.is_none(),
        incomplete_because: shown.broken_off.clone(),
        not_run: Vec::new(),
        outcome: Outcome::Passed,
        time_scale: 1.0,
        seed: None,
        plan_hash: String::new(),
        evidence: IndexMap::new(),
        percentile_method: PERCENTILE_METHOD.to_owned(),
        target: Target {
            name: shown.target.clone(),
            base_url: String::new(),
            simulated: false,
            revision: None,
        },
        generator: Generator {
            name: "sparring".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cpu_model: None,
            cores: std::thread::available_parallelism()
                .ok()
                .and_then(|cores| cores.get().try_into().ok()),
            memory_bytes: None,
            kernel: None,
        },
        environment: IndexMap::new(),
        tests: Vec::new(),
    }
}

fn test(shown: &Shown) -> TestRecord {
    let measured = &shown.measured;
    let length = measured.last_s();
    let crossed = shown
        .judgements
        .iter()
        .filter(|judgement| judgement.standing == Standing::Crossed);
    let reasons: Vec<String> = crossed
        .map(|judgement| format!("crossed: {}", judgement.asked))
        .collect();
    let mut figures = measured.all.figures(length);
    figures.intended_latency = measured.intended.latency();
    (figures.sent_bytes, figures.received_bytes) = (measured.sent_bytes, measured.received_bytes);
    TestRecord {
        name: shown.test.clone(),
        part: None,
        cell: IndexMap::new(),
        model: shown.model,
        content: TestContent::Phases,
        classes: Vec::new(),
        begin_s: 0.0,
        duration_s: length,
        complete: shown.stage == Stage::Ended && shown.broken_off.is_none(),
        outcome: match (&shown.broken_off, reasons.is_empty()) {
            // Thresholds are judged at the end: a crossed one may hold again.
            _ if shown.stage != Stage::Ended => Outcome::Running,
            (_, false) => Outcome::ThresholdsCrossed,
            (Some(_), true) => Outcome::Interrupted,
            (None, true) => Outcome::Passed,
        },
        reasons,
        phases: shown
            .phases
            .iter()
            .filter(|phase| phase.begin_s <= length)
            .map(|phase| planned(phase, length))
            .collect(),
        figures,
        endpoints: measured
            .endpoints
            .iter()
            .map(|(key, group)| endpoint(key, group, length))
            .collect(),
        seconds: measured.seconds(),
        probes: Vec::new(),
        asked: Vec::new(),
        observed: Observed {
            events: shown.events.clone(),
            ..Observed::default()
        },
        judgements: shown.judgements.clone(),
        findings: Vec::new(),
        truth: Vec::new(),
        ledger: Vec::new(),
        checks: checks(&measured.checks),
        exceptions: shown.exceptions.list(),
        k6_summary: Value::Null,
        locust_result: None,
        analysis: IndexMap::new(),
    }
}

/// A phase for the shading of charts; its values are computed by the suite.
fn planned(phase: &Phase, length: f64) -> PhaseRecord {
    PhaseRecord {
        name: phase.name.clone(),
        kind: PhaseKind::Unknown,
        begin_s: phase.begin_s,
        end_s: phase.end_s.min(length),
        users: None,
        rate_per_s: None,
        judged: phase.judged,
        figures: report::record::Figures::default(),
        endpoints: Vec::new(),
    }
}

fn endpoint(key: &Key, group: &Group, length: f64) -> Endpoint {
    let statuses = group
        .statuses
        .iter()
        .map(|(status, count)| (status.to_string(), *count));
    let mut errors: Vec<(String, u64)> = group
        .errors
        .iter()
        .map(|(text, count)| (text.clone(), *count))
        .collect();
    errors.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Endpoint {
        method: key.method.clone(),
        name: key.name.clone(),
        class: key.class.clone(),
        figures: group.figures(length),
        statuses: statuses.collect(),
        errors,
        error_times: group.error_times.clone(),
        seconds: Vec::new(),
    }
}

fn checks(checks: &IndexMap<String, (u64, u64)>) -> Vec<Check> {
    let check = |(name, (passes, fails)): (&String, &(u64, u64))| Check {
        name: name.clone(),
        passes: *passes,
        fails: *fails,
    };
    checks.iter().map(check).collect()
}
