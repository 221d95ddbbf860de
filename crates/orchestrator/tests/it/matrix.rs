//! The fault matrix: every way a detector can fail, times what its failure means, times whether it is required.
//! No fault passes silently: a pass without the detector's answer names it among the reasons, and only if it is
//! declared as fail-open. `cargo xtask matrix` prints the table.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::join_all;
use orchestrator::config::OnFailure;
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{config, settings, settings_at, start};

const MODES: [OnFailure; 3] = [OnFailure::Closed, OnFailure::Degrade, OnFailure::Open];

/// Name, the detector's behaviour, and whether that is still a valid answer.
fn faults() -> Vec<(&'static str, Option<Act>, bool)> {
    let body = |more: Value| {
        let mut body = json!({
            "request_id": "matrix", "detector": "d", "output": "clean", "confidence": 0.9,
            "detections": [], "processing_time_ms": 1,
        });
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        body.to_string()
    };
    let nan = body(json!({})).replace("0.9", "NaN");
    let late = |ms, act| Act::Slow(Duration::from_millis(ms), Box::new(act));
    vec![
        ("refused", None, false),
        ("reset", Some(Act::Reset), false),
        ("timeout", Some(late(60_000, Act::Clean)), false),
        ("stalled head", Some(Act::StallHead), false),
        ("stalled body", Some(Act::StallBody), false),
        ("truncated", Some(Act::Truncated), false),
        ("4xx", Some(Act::Status(422, None)), false),
        ("5xx", Some(Act::Status(500, None)), false),
        (
            "429 with Retry-After",
            Some(Act::Status(429, Some(60))),
            false,
        ),
        (
            "malformed JSON",
            Some(Act::Body("{\"request_id\": ".to_owned())),
            false,
        ),
        (
            "wrong shape",
            Some(Act::Body("{\"safe\": true}".to_owned())),
            false,
        ),
        (
            "short list",
            Some(Act::Body(body(json!({"output": "email"})))),
            false,
        ),
        ("NaN", Some(Act::Body(nan)), false),
        ("slow", Some(late(50, Act::Clean)), true),
    ]
}

/// The contract's result for a missing answer.
fn demanded(mode: OnFailure, required: bool, answered: bool) -> &'static str {
    match mode {
        _ if answered => "pass",
        OnFailure::Closed => "block",
        OnFailure::Degrade => "degraded",
        OnFailure::Open if required => "degraded",
        OnFailure::Open => "pass",
    }
}

struct Row {
    fault: &'static str,
    mode: OnFailure,
    required: bool,
    status: u16,
    detector: String,
    verdict: String,
    coverage: f64,
    named: bool,
    answered: bool,
}

impl Row {
    fn is_silent_pass(&self) -> bool {
        !self.answered && self.verdict == "pass" && !self.named
    }

    fn is_as_demanded(&self) -> bool {
        self.verdict == demanded(self.mode, self.required, self.answered)
            && (self.detector == "success") == self.answered
            && self.coverage == if self.answered { 1.0 } else { 0.5 }
    }
}

async fn row(fault: (&'static str, Option<Act>, bool), mode: OnFailure, required: bool) -> Row {
    let (fault, act, answered) = fault;
    let good = Detector::start(Act::Clean).await;
    let bad = Detector::start(act.clone().unwrap_or(Act::Reset)).await;
    let mut bad_settings = match act {
        Some(_) => settings("bad", &bad),
        None => settings_at("bad", "http://127.0.0.1:1/detect"),
    };
    bad_settings.on_failure = mode;
    // Long enough for a busy machine, except where the detector has to be late.
    let never = ["timeout", "stalled head", "stalled body"].contains(&fault);
    bad_settings.timeout = Duration::from_millis(if never { 100 } else { 1_500 });
    let mut config = config(vec![settings("good", &good), bad_settings]);
    // Coverage must not be the reason for the result.
    config.partial_coverage_threshold = 0.0;
    let service = start(config).await;
    let names = if required {
        json!(["good", "bad"])
    } else {
        Value::Null
    };
    let body = json!({
        "content": "hello", "content_type": "text", "tenant_id": "t", "required_detectors": names,
    });
    let headers = [("x-request-id", "matrix")];
    let method = http::Method::POST;
    let answer = service
        .send(method, "/orchestrate", &headers, body.to_string())
        .await;
    let reasons = answer.json["verdict_reasons"].to_string();
    Row {
        fault,
        mode,
        required,
        status: answer.status,
        detector: answer.result("bad")["status"]
            .as_str()
            .unwrap_or("")
            .to_owned(),
        verdict: answer.json["verdict"].as_str().unwrap_or("").to_owned(),
        coverage: answer.json["coverage_achieved"].as_f64().unwrap_or(-1.0),
        named: reasons.contains("detector bad did not answer"),
        answered,
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<22}{:<10}{:<10}{:<8}{:<13}{:<10}{:<10}{}\n",
        "fault", "on_failure", " needed", "status", "detector", "coverage", "verdict", "named"
    );
    for row in rows {
        let mode = format!("{:?}", row.mode).to_lowercase();
        let needed = if row.required {
            " required"
        } else {
            " optional"
        };
        let wrong = if row.is_silent_pass() {
            "  SILENT PASS"
        } else if row.is_as_demanded() {
            ""
        } else {
            "  NOT AS DEMANDED"
        };
        let (fault, named) = (row.fault, if row.named { "yes" } else { "-" });
        let (status, detector) = (row.status, &row.detector);
        let (coverage, verdict) = (row.coverage, &row.verdict);
        writeln!(
            text,
            "{fault:<22}{mode:<10}{needed:<10}{status:<8}{detector:<13}{coverage:<10.2}\
             {verdict:<10}{named}{wrong}"
        )
        .expect("writing to a string");
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_passes_silently() {
    let mut rows = Vec::new();
    for fault in faults() {
        let cases = MODES
            .iter()
            .flat_map(|mode| [true, false].map(|needed| (*mode, needed)));
        rows.extend(join_all(cases.map(|(mode, needed)| row(fault.clone(), mode, needed))).await);
    }
    let table = table(&rows);
    let silent = rows.iter().filter(|row| row.is_silent_pass()).count();
    println!("{table}\n{} cases, {silent} silent passes", rows.len());
    assert_eq!(rows.len(), 14 * 3 * 2);
    assert!(
        rows.iter()
            .all(|row| row.is_as_demanded() && !row.is_silent_pass()),
        "\n{table}"
    );
    assert!(
        rows.iter().all(|row| row.answered || row.named),
        "\n{table}"
    );
}
