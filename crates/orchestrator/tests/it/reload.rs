//! Detectors and policies that follow their file while requests run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orchestrator::{Config, Reload};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::detector::{Act, Detector};
use crate::service::{Service, config, settings_at, start_following};

/// A service whose settings are read from a file that names detectors and a policy's block score.
struct Followed {
    service: Arc<Service>,
    folder: tempfile::TempDir,
    asked: Arc<Notify>,
}

fn read(path: &Path, all: &[(String, String)]) -> Result<Config, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let given: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let named = |name: &Value| {
        let (name, endpoint) = all.iter().find(|it| it.0 == *name).expect("a known name");
        settings_at(name, endpoint)
    };
    let names = given["detectors"].as_array().expect("a list").iter();
    let mut config = config(names.map(named).collect());
    if let Some(policy) = given.get("policy") {
        let policy = serde_json::from_value(policy.clone()).map_err(|error| error.to_string())?;
        let key = ("*".to_owned(), "default".to_owned());
        config.policies.insert(key, policy);
    }
    Ok(config)
}

impl Followed {
    async fn start(detectors: &[(&str, &Detector)], text: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings.json");
        std::fs::write(&path, text.to_string()).expect("writable");
        let all = detectors.iter();
        let all: Vec<(String, String)> = all
            .map(|(name, detector)| ((*name).to_owned(), detector.endpoint()))
            .collect();
        let asked = Arc::new(Notify::new());
        let first = read(&path, &all).expect("sound settings");
        let file = path.clone();
        let source = Reload {
            read: Box::new(move || Ok(read(&path, &all)?)),
            file: Some(file),
            asked: asked.clone(),
        };
        Self {
            service: Arc::new(start_following(first, source).await),
            folder,
            asked,
        }
    }

    /// Writes the file, triggers a reload as SIGHUP does, and waits until `line` is in the metrics.
    async fn change(&self, text: &str, line: &str) {
        std::fs::write(self.folder.path().join("settings.json"), text).expect("writable");
        self.asked.notify_one();
        self.service.until_metric(line).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detectors_and_policies_follow_the_file_under_load_without_an_error() {
    let (a, b) = (
        Detector::start(Act::Find("email", 0.6)).await,
        Detector::start(Act::Find("email", 0.6)).await,
    );
    let both = [("a", &a), ("b", &b)];
    let followed = Followed::start(&both, &json!({"detectors": ["a"]})).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = (0..4).map(|client| {
        let (service, stop) = (followed.service.clone(), stop.clone());
        tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                let answer = service
                    .orchestrate(json!({"content": format!("{client} {number}")}))
                    .await;
                assert!(answer.status < 500, "{}", answer.text);
            }
            number
        })
    });
    let load: Vec<_> = load.collect();
    let first = followed.service.orchestrate(json!({})).await;
    assert_eq!(first.json["version_info"]["policy"], "default@0");
    assert_eq!(first.json["verdict"], "block");

    let applied =
        |count: u32| format!("orchestrator_config_reloads_total{{result=\"applied\"}} {count}");
    let policy = json!({"block_score": 0.7});
    let text = json!({"detectors": ["a", "b"], "policy": policy}).to_string();
    followed.change(&text, &applied(1)).await;
    let second = followed.service.orchestrate(json!({})).await;
    assert_eq!(
        second.header("x-cache"),
        "miss",
        "made under another policy"
    );
    assert_eq!(second.json["version_info"]["policy"], "default@1");
    assert_eq!(second.json["detectors_succeeded"], 2);
    assert_ne!(second.json["verdict"], "block");

    // Refused as a whole: none of it applies, and all of the old file does.
    for (bad, count) in [
        ("{", 1),
        (r#"{"detectors": ["a"], "policy": {"nope": 1}}"#, 2),
    ] {
        let line = format!("orchestrator_config_reloads_total{{result=\"refused\"}} {count}");
        followed.change(bad, &line).await;
        let same = followed.service.orchestrate(json!({})).await;
        assert_eq!(same.header("x-cache"), "hit", "nothing changed");
    }

    let text = json!({"detectors": ["b"]}).to_string();
    followed.change(&text, &applied(2)).await;
    let third = followed.service.orchestrate(json!({})).await;
    let selected = &third.json["routing_decision"]["selected_detectors"];
    assert_eq!(*selected, json!(["b"]));
    assert_eq!(third.json["version_info"]["policy"], "default@0");
    stop.store(true, Ordering::Relaxed);
    for client in load {
        assert!(client.await.expect("no client saw an error") > 0);
    }
}

#[tokio::test]
async fn unchanged_detectors_keep_their_state_and_registered_ones_stay() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let both = [("a", &a), ("b", &b)];
    let followed = Followed::start(&both, &json!({"detectors": ["a", "b"]})).await;
    let service = &followed.service;
    service
        .post("/circuit-breakers/a/force-open", &json!({}))
        .await;
    let body = json!({"name": "mine", "endpoint": b.endpoint()});
    assert_eq!(service.post("/detectors", &body).await.status, 201);
    let text = json!({"detectors": ["a"]}).to_string();
    let line = "orchestrator_config_reloads_total{result=\"applied\"} 1";
    followed.change(&text, line).await;
    assert_eq!(
        service.get("/detectors/a").await.json["circuit_breaker"],
        "open"
    );
    assert_eq!(service.get("/detectors/b").await.status, 404);
    assert_eq!(
        service.get("/detectors/mine").await.json["registered_by"],
        "api"
    );
}

#[tokio::test]
async fn a_changed_file_is_noticed_without_a_signal() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let both = [("a", &a), ("b", &b)];
    let followed = Followed::start(&both, &json!({"detectors": ["a"]})).await;
    // Once it serves, it also follows the file.
    assert_eq!(followed.service.get("/health").await.status, 200);
    let path = followed.folder.path().join("settings.json");
    std::fs::write(path, json!({"detectors": ["a", "b"]}).to_string()).expect("writable");
    let line = "orchestrator_config_reloads_total{result=\"applied\"} 1";
    followed.service.until_metric(line).await;
    assert_eq!(followed.service.get("/detectors/b").await.status, 200);
}

#[tokio::test]
async fn a_file_that_changed_while_the_service_started_is_followed() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("settings.json");
    let all = [("a", &a), ("b", &b)].map(|(name, it)| (name.to_owned(), it.endpoint()));
    std::fs::write(&path, json!({"detectors": ["a"]}).to_string()).expect("writable");
    let started_with = read(&path, &all).expect("sound settings");
    std::fs::write(&path, json!({"detectors": ["a", "b"]}).to_string()).expect("writable");
    let file = path.clone();
    let source = Reload {
        read: Box::new(move || Ok(read(&path, &all)?)),
        file: Some(file),
        asked: Arc::default(),
    };
    let service = start_following(started_with, source).await;
    service
        .until_metric("detector_health_status{detector=\"b\"} 1")
        .await;
    let listed = service.get("/detectors").await;
    assert_eq!(listed.json["detectors"].as_array().map(Vec::len), Some(2));
}
