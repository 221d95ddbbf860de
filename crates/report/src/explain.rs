//! Explains a statement of the report: rule, inputs, window, computation, and what would refute it.

mod radius;
mod truth;

use std::fmt::{self, Write as _};

use serde::Serialize;
use serde_json::{Value, json};

use self::radius::RADII;
use crate::alerting;
use crate::number::{DASH, count, figure, more_requests, or_dash, seconds, with_unit};
use crate::record::{Figures, Finding, Judgement, Outcome, RunRecord, Standing, TestRecord};

/// The record has no entry with this id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{run} has no id `{id}`; known: {}", known(ids))]
pub struct UnknownId {
    pub run: String,
    pub id: String,
    pub ids: Vec<String>,
}

fn known(ids: &[String]) -> String {
    let most = 12;
    let mut text = ids
        .iter()
        .take(most)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if ids.len() > most {
        let _ = write!(text, " and {} more", ids.len() - most);
    }
    text
}

/// All ids of a record: `outcome`, `TEST.outcome`, judgements, findings, `TEST.found.WHAT`, and
/// `TEST.replay.ALERT`, `TEST.radius.FAULT`.
pub fn ids(run: &RunRecord) -> Vec<String> {
    let mut ids = vec!["outcome".to_owned()];
    for test in &run.tests {
        let title = test.title();
        ids.push(format!("{title}.outcome"));
        ids.extend(test.judgements.iter().map(|judgement| judgement.id.clone()));
        ids.extend(test.findings.iter().map(|finding| finding.id.clone()));
        ids.extend(
            test.truth
                .iter()
                .map(|truth| format!("{title}.found.{}", truth.what)),
        );
        let replay = alerting::recorded(test).into_iter();
        let alerts = replay.flat_map(|replay| replay.alerts);
        ids.extend(alerts.map(|alert| format!("{title}.replay.{}", alert.alert)));
        let controls = RADII
            .iter()
            .flat_map(|radius| listed(test, radius.controls));
        ids.extend(controls.filter_map(|it| Some(it.get("id")?.as_str()?.to_owned())));
    }
    ids
}

/// The explanation of a statement of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    pub run: String,
    pub id: String,
    pub title: String,
    pub lines: Vec<Line>,
    /// The entry of the record that has this id.
    pub entry: Value,
}

/// One fact, such as the rule or the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub name: &'static str,
    pub text: String,
}

/// The explanation of one id.
///
/// # Errors
/// The id is unknown.
pub fn explain(run: &RunRecord, id: &str) -> Result<Explanation, UnknownId> {
    let explained = find(run, id).ok_or_else(|| UnknownId {
        run: run.run.clone(),
        id: id.to_owned(),
        ids: ids(run),
    });
    explained.map(|found| Explanation {
        run: run.run.clone(),
        id: id.to_owned(),
        ..found
    })
}

fn find(run: &RunRecord, id: &str) -> Option<Explanation> {
    if id == "outcome" {
        return Some(run_outcome(run));
    }
    for test in &run.tests {
        let title = test.title();
        if id == format!("{title}.outcome") {
            return Some(test_outcome(test));
        }
        if let Some(judgement) = test.judgements.iter().find(|judgement| judgement.id == id) {
            return Some(explain_judgement(run, test, judgement));
        }
        if let Some(finding) = test.findings.iter().find(|finding| finding.id == id) {
            return Some(explain_finding(test, finding));
        }
        let named = |what: &str| id == format!("{title}.found.{what}");
        if let Some(truth) = test.truth.iter().find(|truth| named(&truth.what)) {
            return Some(truth::explain(&title, truth));
        }
        for radius in &RADII {
            let mut controls = listed(test, radius.controls);
            if let Some(control) = controls.find(|it| it["id"] == *id) {
                return Some(radius.explain(test, id, control));
            }
        }
        if let Some(text) = explain_replay(test, id.strip_prefix(&format!("{title}.replay."))) {
            return Some(text);
        }
    }
    None
}

impl Explanation {
    fn new(title: String, entry: &impl Serialize) -> Self {
        Self {
            run: String::new(),
            id: String::new(),
            title,
            lines: Vec::new(),
            entry: serde_json::to_value(entry).unwrap_or_default(),
        }
    }

    fn line(&mut self, name: &'static str, text: &str) {
        let text = text.to_owned();
        self.lines.push(Line { name, text });
    }
}

impl fmt::Display for Explanation {
    /// A name that several lines share is shown once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let mut before = "";
        for Line { name, text } in &self.lines {
            let shown = if *name == "inputs" && before == *name {
                ""
            } else {
                name
            };
            writeln!(f, "  {shown:<12} {text}")?;
            before = name;
        }
        Ok(())
    }
}

fn run_outcome(run: &RunRecord) -> Explanation {
    let mut text = Explanation::new(
        format!("{}: {}", run.run, run.outcome.word()),
        &json!({ "outcome": run.outcome }),
    );
    text.line("rule", "the worst outcome of all tests");
    for test in &run.tests {
        text.line(
            "input",
            &format!("{}: {}", test.title(), test.outcome.word()),
        );
    }
    for title in &run.not_run {
        text.line("input", &format!("{title}: did not run"));
    }
    if let Some(why) = &run.incomplete_because {
        text.line("input", &format!("not complete: {why}"));
    }
    text.line("exit code", &run.outcome.exit_code().to_string());
    text.line("wrong if", "a test had a worse outcome");
    text
}

fn test_outcome(test: &TestRecord) -> Explanation {
    let mut text = Explanation::new(
        format!("{}: {}", test.title(), test.outcome.word()),
        &json!({ "outcome": test.outcome }),
    );
    text.line(
        "rule",
        "the worst of the judgements and the validity of the measurement",
    );
    let judged = test
        .judgements
        .iter()
        .filter(|judgement| judgement.standing.outcome() != Outcome::Passed);
    for judgement in judged {
        text.line(
            "input",
            &format!(
                "{}: {} ({})",
                judgement.id,
                judgement.standing.word(),
                judgement.asked
            ),
        );
    }
    let held = test
        .judgements
        .iter()
        .filter(|judgement| judgement.standing == Standing::Held)
        .count();
    text.line(
        "input",
        &format!("{held} of {} judgements held", test.judgements.len()),
    );
    for entry in &test.ledger {
        text.line("ledger", &format!("{:?}: {}", entry.conclusion, entry.text));
    }
    for reason in &test.reasons {
        text.line("reason", reason);
    }
    text.line(
        "wrong if",
        "one of these inputs is wrong; `sparring verify` recomputes them",
    );
    text
}

fn explain_judgement(run: &RunRecord, test: &TestRecord, judgement: &Judgement) -> Explanation {
    let title = format!(
        "{}: {} — {}",
        judgement.id,
        judgement.asked,
        judgement.standing.word()
    );
    let mut text = Explanation::new(title, judgement);
    let unit = judgement.unit.as_str();
    let amount =
        |value: Option<f64>| value.map_or_else(|| DASH.to_owned(), |value| with_unit(value, unit));
    text.line("rule", &judgement.rule);
    text.line("kind", &judgement.kind);
    let (window, figures) = window(test, judgement.phase.as_deref());
    text.line("window", &window);
    inputs(figures, &mut text);
    text.line("percentiles", &run.percentile_method);
    text.line("measured", &amount(judgement.measured));
    match judgement.interval {
        Some([low, high]) => text.line(
            "interval",
            &format!(
                "{} to {} ({})",
                amount(Some(low)),
                amount(Some(high)),
                interval_kind(test, [low, high])
            ),
        ),
        None => text.line("interval", DASH),
    }
    text.line("bound", &amount(judgement.bound));
    if let Some(grade) = &judgement.grade {
        text.line("grade", grade);
    }
    text.line("computation", &computation(judgement, &amount));
    text.line("wrong if", &falsified(judgement));
    text
}

/// A search and a ladder enclose a level between two levels that they tried: that interval has no
/// confidence level.
fn interval_kind(test: &TestRecord, [low, high]: [f64; 2]) -> &'static str {
    let tried = |key: &str| test.analysis.get("capacity")?.get(key)?.as_f64();
    if tried("passed") == Some(low) && tried("failed") == Some(high) {
        "bracket: the highest level that held, the lowest that did not"
    } else {
        "95 %"
    }
}

fn window<'a>(test: &'a TestRecord, phase: Option<&str>) -> (String, &'a Figures) {
    let found = phase.and_then(|name| test.phases.iter().find(|phase| phase.name == name));
    match found {
        Some(phase) => (
            format!(
                "{} of {}, {} to {}",
                phase.name,
                test.title(),
                seconds(phase.begin_s),
                seconds(phase.end_s)
            ),
            &phase.figures,
        ),
        None => (
            format!("all of {}, {}", test.title(), seconds(test.figures.seconds)),
            &test.figures,
        ),
    }
}

fn inputs(figures: &Figures, text: &mut Explanation) {
    text.line(
        "inputs",
        &format!(
            "{} requests in {}, {} failed, {} requests/s",
            count(figures.requests),
            seconds(figures.seconds),
            count(figures.failures),
            or_dash(figures.requests_per_s, figure)
        ),
    );
    if let Some(latency) = &figures.latency {
        let percentile = |key: &str| or_dash(latency.percentiles.get(key).copied(), figure);
        text.line(
            "inputs",
            &format!(
                "latency in ms: mean {}, min {}, p50 {}, p95 {}, p99 {}, max {}",
                figure(latency.mean),
                figure(latency.min),
                percentile("p50"),
                percentile("p95"),
                percentile("p99"),
                figure(latency.max)
            ),
        );
    }
}

fn computation(judgement: &Judgement, amount: &dyn Fn(Option<f64>) -> String) -> String {
    let (measured, bound) = (amount(judgement.measured), amount(judgement.bound));
    let side = match judgement.standing {
        Standing::NoData => return "nothing was measured, so there is no decision".to_owned(),
        Standing::Reported => {
            return "measured and shown; it has no effect on the outcome".to_owned();
        }
        Standing::Inconclusive => return undecided(judgement, &bound),
        Standing::Held => "good",
        Standing::Crossed => "bad",
    };
    match (judgement.measured, judgement.bound, judgement.interval) {
        (Some(_), Some(_), _) if judgement.proved == Some(false) => {
            let more = judgement.needs_more.map_or_else(String::new, |more| {
                format!("; {} would prove it", more_requests(more))
            });
            format!(
                "{measured} is on the {side} side of {bound}; the interval contains the bound, so that the sample does not prove it{more}"
            )
        }
        (Some(_), Some(_), Some([low, high])) if agrees(judgement) => {
            let [low, high] = [low, high].map(|end| amount(Some(end)));
            format!("{measured} agrees with {bound}, which its interval contains: {low} to {high}")
        }
        (Some(_), Some(_), Some(_)) => {
            format!("the whole interval around {measured} is on the {side} side of {bound}")
        }
        (Some(_), Some(_), None) => format!("{measured} is on the {side} side of {bound}"),
        (Some(_), None, _) => {
            format!("the rule decides on {measured} without a bound in numbers")
        }
        (None, _, _) => "the rule decides without a single figure".to_owned(),
    }
}

/// Whether the rule is that the interval contains the bound: a declared value, or a requested rate.
fn agrees(judgement: &Judgement) -> bool {
    let contains = |[low, high]: [f64; 2], bound| low <= bound && bound <= high;
    judgement.standing == Standing::Held
        && judgement.proved.is_none()
        && matches!((judgement.interval, judgement.bound), (Some(it), Some(bound)) if contains(it, bound))
}

fn undecided(judgement: &Judgement, bound: &str) -> String {
    let why = match (judgement.bound, judgement.interval) {
        (Some(_), Some(_)) => format!("the interval contains the bound of {bound}"),
        _ => "the measurement does not decide it".to_owned(),
    };
    match judgement.needs_more {
        Some(more) => format!("{why}; {} would decide it", more_requests(more)),
        None => why,
    }
}

fn falsified(judgement: &Judgement) -> String {
    let has_both = judgement.bound.is_some() && judgement.interval.is_some();
    match judgement.standing {
        Standing::Held if agrees(judgement) => {
            "a repetition of the test gives an interval without the bound"
        }
        Standing::Held | Standing::Crossed if has_both => {
            "a repetition of the test gives an interval on the other side of the bound"
        }
        Standing::Held | Standing::Crossed => "a repetition of the test has another result",
        Standing::Inconclusive if has_both => "a longer run gives an interval without the bound",
        Standing::Inconclusive => "a longer run decides it",
        Standing::NoData => "the samples have a value in this window",
        Standing::Reported => "the samples give another value",
    }
    .to_owned()
}

fn explain_finding(test: &TestRecord, finding: &Finding) -> Explanation {
    let mut text = Explanation::new(format!("{}: {}", finding.id, finding.text), finding);
    text.line("rule", &finding.rule);
    text.line(
        "severity",
        &format!("{:?}", finding.severity).to_lowercase(),
    );
    match finding.window_s {
        Some([from, to]) => text.line(
            "window",
            &format!("{} to {} of {}", seconds(from), seconds(to), test.title()),
        ),
        None => text.line("window", &format!("all of {}", test.title())),
    }
    text.line("inputs", &finding.evidence.to_string());
    text.line("action", &finding.action);
    text.line("wrong if", &finding.falsified_by);
    text
}

fn explain_replay(test: &TestRecord, alert: Option<&str>) -> Option<Explanation> {
    let replay = alerting::recorded(test)?;
    let found = replay
        .alerts
        .iter()
        .find(|it| Some(it.alert.as_str()) == alert)?;
    let mut text = Explanation::new(format!("{}: {}", found.alert, found.condition), found);
    let rule = format!(
        "an alert of Prometheus: it fires when the condition holds at each second for {} s, and is resolved by the \
         first second at which it does not",
        replay.for_s
    );
    text.line("rule", &rule);
    for judgement in &found.judgements {
        text.line("input", &format!("the bound of {judgement}"));
    }
    let scraped = format!(
        "the seconds of the test, scraped every {} s",
        replay.scrape_s
    );
    text.line("input", &scraped);
    for fired in &found.fired {
        text.line("fired", &fired.sentence());
    }
    if found.fired.is_empty() {
        text.line("fired", "never");
    }
    text.line(
        "wrong if",
        "`promtool test rules` fails on what `sparring report --format rules` writes",
    );
    Some(text)
}

/// The entries of an analysis that is a list.
fn listed<'a>(test: &'a TestRecord, name: &str) -> impl Iterator<Item = &'a Value> {
    let list = test.analysis.get(name).and_then(Value::as_array);
    list.into_iter().flatten()
}
