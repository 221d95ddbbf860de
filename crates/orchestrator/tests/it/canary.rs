//! Content goes only to the detectors: a word in it never appears in an answer, error, metric, event or log
//! line, whatever fails.

use std::cell::Cell;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use orchestrator::Config;
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, settings_at, start};

const CANARY: &str = "canary-5f1d";

/// All output of the service.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(String, String)>>>);

impl Told {
    fn note(&self, what: impl Into<String>, text: impl Into<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((what.into(), text.into()));
    }

    fn answer(&self, what: &str, answer: &Response) {
        self.note(
            what,
            format!("{} {:?} {}", answer.status, answer.headers, answer.text),
        );
    }

    fn count(&self, what: &str) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|told| told.0 == what).count()
    }

    fn assert_silent(&self) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, text) in all.iter() {
            assert!(!text.contains(CANARY), "{what} tells the content: {text}");
        }
    }
}

impl io::Write for Told {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.note("log", String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Told {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every log line of this thread, of all levels and all crates. Tests have one thread each.
fn listen(told: &Told) -> DefaultGuard {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(told.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

/// Content that no other request of the test contains.
fn content(number: usize) -> String {
    format!("{CANARY} {number}: my number is 555-0199")
}

/// All ways in which detectors return findings, fail and echo.
async fn detectors() -> Vec<(&'static str, Act)> {
    let slow = Act::Slow(Duration::from_secs(30), Box::new(Act::Clean));
    vec![
        ("clean", Act::Clean),
        ("finds", Act::FindAll("secret")),
        ("status", Act::Echo(500)),
        ("refuses", Act::Echo(422)),
        ("echoes", Act::Echo(200)),
        ("malformed", Act::Body(format!("{CANARY} is no JSON"))),
        (
            "labels",
            Act::Body(json!({"request_id": CANARY}).to_string()),
        ),
        ("header", Act::StatusWith(503, format!("x-echo: {CANARY}"))),
        ("truncated", Act::Truncated),
        ("reset", Act::Reset),
        ("slow", slow),
    ]
}

async fn served(
    acts: &[(&'static str, Act)],
    folder: &std::path::Path,
) -> (Service, Vec<Detector>) {
    let mut running = Vec::new();
    let mut all = vec![settings_at("gone", "http://127.0.0.1:1/detect")];
    for (name, act) in acts {
        let detector = Detector::start(act.clone()).await;
        all.push(settings(name, &detector));
        running.push(detector);
    }
    let mut config: Config = config(all);
    config.sla.normal = Duration::from_millis(900);
    config.store = Some(job_store::Config::new(folder.join("jobs.redb")));
    (start(config).await, running)
}

async fn until_ended(service: &Service, accepted: &Response, told: &Told) -> String {
    let place = accepted.header("location").to_owned();
    for _ in 0..1_000 {
        let status = service.get(&place).await;
        told.answer("job", &status);
        let state = status.json["status"].as_str().unwrap_or("").to_owned();
        if ["completed", "failed"].contains(&state.as_str()) {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the job at {place} never ended");
}

#[tokio::test]
async fn content_is_sent_only_to_the_detectors() {
    let told = Told::default();
    let _listening = listen(&told);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let acts = detectors().await;
    let (service, running) = served(&acts, folder.path()).await;
    let mut events = service.open("/events/stream").await;
    let names: Vec<&str> = acts.iter().map(|(name, _)| *name).chain(["gone"]).collect();
    // Each detector alone, synchronously and as a job; then all of them.
    let number = Cell::new(0);
    let ask = |required: Value| {
        number.set(number.get() + 1);
        let own = content(number.get());
        request(json!({"content": own, "required_detectors": required}))
    };
    for name in &names {
        told.answer(
            "sync",
            &service.post("/orchestrate", &ask(json!([name]))).await,
        );
        told.answer(
            "plan",
            &service.post("/orchestrate/plan", &ask(json!([name]))).await,
        );
        let mut job = ask(json!([name]));
        job["processing_mode"] = json!("async");
        if *name != "slow" {
            let accepted = service.post("/orchestrate", &job).await;
            told.answer("accepted", &accepted);
            let ended = until_ended(&service, &accepted, &told).await;
            let answers = ["clean", "finds"].contains(name);
            assert_eq!(ended == "completed", answers, "{name}");
        }
    }
    let partial = service.post("/orchestrate", &ask(Value::Null)).await;
    assert_eq!(partial.status, 206, "{}", partial.text);
    told.answer("partial", &partial);
    let token = &partial.json["resume_token"];
    for given in [content(number.get()), format!("{CANARY}, another one")] {
        let body = json!({"resume_token": token, "content": given, "tenant_id": "t"});
        told.answer("resume", &service.post("/orchestrate/resume", &body).await);
    }
    let batch: Vec<Value> = names.iter().map(|name| ask(json!([name]))).collect();
    told.answer(
        "batch",
        &service.post("/orchestrate/batch", &json!(batch)).await,
    );
    for body in [
        request(json!({"content": content(1)})),
        request(json!({"content": content(2)})),
    ] {
        let headers = [("idempotency-key", "same")];
        let answer = service.send(Method::POST, "/orchestrate", &headers, body.to_string());
        told.answer("idempotent", &answer.await);
    }
    refused(&service, &told).await;
    service
        .post("/circuit-breakers/clean/force-open", &json!({}))
        .await;
    told.answer("incidents", &service.get("/events/incidents").await);
    let frame = tokio::time::timeout(Duration::from_secs(5), events.frame());
    let frame = frame
        .await
        .expect("in time")
        .expect("goes on")
        .expect("unbroken");
    told.note(
        "event",
        String::from_utf8_lossy(frame.data_ref().expect("data")),
    );
    told.answer("metrics", &service.get("/metrics").await);
    told.answer("detectors", &service.get("/detectors").await);
    told.answer("breakers", &service.get("/circuit-breakers").await);
    assert!(running.iter().all(|it| it.count() > 0), "all were asked");
    service.stop().await;
    assert!(
        told.count("log") > 100,
        "nothing was logged: {}",
        told.count("log")
    );
    told.assert_silent();
}

/// Bodies that are invalid around the content, and content in wrong places.
async fn refused(service: &Service, told: &Told) {
    let good = request(json!({"content": CANARY})).to_string();
    let mut bodies = vec![
        CANARY.to_owned(),
        format!("\"{CANARY}\""),
        format!("{{\"content\": \"{CANARY}"),
        format!("{{\"content\": {CANARY}}}"),
        format!("{{\"content\": \"{CANARY}\\x\"}}"),
        format!("{{\"content\": [\"{CANARY}\"], \"content_type\": \"text\"}}"),
        good[..good.len() - 1].to_owned(),
        format!("{good}{good}"),
        request(json!({"content": CANARY.repeat(6_000)})).to_string(),
        request(json!({"content": CANARY.repeat(120_000)})).to_string(),
    ];
    for field in [
        "content_type",
        "environment",
        "processing_mode",
        "priority",
        "metadata",
        "required_detectors",
        "excluded_detectors",
    ] {
        for value in [json!(CANARY), json!([7, CANARY]), json!({"a": CANARY})] {
            if field == "metadata" && value.is_object() {
                continue;
            }
            bodies.push(request(json!({ field: value })).to_string());
        }
    }
    for path in [
        "/orchestrate",
        "/orchestrate/batch",
        "/orchestrate/plan",
        "/orchestrate/resume",
        "/api/v2/text/detection/content",
        "/cache/invalidate",
        "/detectors",
    ] {
        for body in &bodies {
            let headers = [("content-type", "application/json")];
            let answer = service
                .send(Method::POST, path, &headers, body.clone())
                .await;
            // A detector's name is not content: an answer may contain it.
            let names_detector = body.contains("_detectors\":[") && answer.status != 400;
            if !names_detector {
                told.answer("refused", &answer);
            }
        }
    }
    let fms = json!({"content": CANARY, "detectors": {"status": {}}});
    told.answer(
        "fms",
        &service.post("/api/v2/text/detection/content", &fms).await,
    );
}
