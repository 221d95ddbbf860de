//! Locust's routes, as clients of Locust use them.

use std::sync::{Arc, Mutex};

use live_page::locust::{Control, Swarm};
use live_page::{LiveRun, Stage};
use load_engine::log::{Level, LogEntry};
use report::page::live::Controls;
use serde_json::{Value, json};

use crate::fed::{ask, board, get, serve};

/// Records its calls.
#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Control for Noted {
    fn controls(&self, board: &LiveRun) -> Controls {
        Controls {
            can_start: board.stage() == Stage::Waiting,
            can_set_users: true,
            can_stop: true,
            users: 5,
            spawn_rate: 1.0,
        }
    }

    fn swarm(&self, wanted: &Swarm) -> Result<&'static str, String> {
        if wanted.users == Some(0) {
            return Err("no users are no load".to_owned());
        }
        self.0
            .lock()
            .expect("not poisoned")
            .push(format!("{wanted:?}"));
        Ok("Swarming started")
    }

    fn stop(&self) {
        self.0.lock().expect("not poisoned").push("stop".to_owned());
    }
}

#[test]
fn a_run_is_started_changed_and_stopped_by_hand() {
    let control = Arc::new(Noted::default());
    let server = serve(board(), Some(control.clone()));
    let (_, body) = ask(&server, "POST /swarm", "user_count=30&spawn_rate=2");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (&answer["success"], &answer["message"]),
        (&true.into(), &"Swarming started".into())
    );
    let (_, body) = ask(&server, "POST /swarm", "user_count=0");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (&answer["success"], &answer["message"]),
        (&false.into(), &"no users are no load".into())
    );
    let (_, body) = ask(&server, "POST /swarm", "user_count=many");
    assert!(body.contains("Invalid user_count value: 'many'"), "{body}");
    assert_eq!(
        serde_json::from_str::<Value>(&get(&server, "/stop")).expect("JSON")["success"],
        true
    );
    let noted = control.0.lock().expect("not poisoned").clone();
    assert_eq!(
        noted,
        ["Swarm { users: Some(30), spawn_rate: Some(2.0) }", "stop"]
    );
}

#[test]
fn a_form_of_the_page_leads_back_to_the_page() {
    let server = serve(board(), Some(Arc::new(Noted::default())));
    let html = get(&server, "/");
    assert!(
        html.contains("<form class=\"controls\" method=\"post\" action=\"swarm\">"),
        "{html}"
    );
    assert!(html.contains("Stop the run"), "{html}");
    let (head, _) = ask(
        &server,
        "POST /stop HTTP/1.1\r\nAccept: text/html\r\nX:",
        "",
    );
    assert!(head.starts_with("HTTP/1.1 303"), "{head}");
}

#[test]
fn figures_have_the_fields_of_locust() {
    let server = serve(board(), Some(Arc::new(Noted::default())));
    let answer: Value = serde_json::from_str(&get(&server, "/stats/requests")).expect("JSON");
    let stats = answer["stats"].as_array().expect("rows");
    assert_eq!(stats.len(), 3);
    let total = &stats[2];
    assert_eq!(
        (
            &total["name"],
            &total["num_requests"],
            &total["num_failures"]
        ),
        (&"Aggregated".into(), &120.into(), &12.into())
    );
    let median = total["median_response_time"].as_f64().expect("a number");
    assert!((median - 20.0).abs() < 0.02, "{median}");
    assert_eq!(total["response_time_percentile_0.95"], 800.0);
    assert_eq!(answer["current_rps"], 10.0);
    assert_eq!(stats[1]["current_fail_per_sec"], 1.0);
    assert_eq!(
        (
            &answer["fail_ratio"],
            &answer["state"],
            &answer["user_count"]
        ),
        (&0.1.into(), &"running".into(), &5.into())
    );
    assert_eq!(
        [&stats[0], &stats[1], total].map(|row| row["avg_content_length"].as_f64()),
        [Some(90.0), Some(30.0), Some(84.0)]
    );
    let history = answer["history"].as_array().expect("points");
    assert_eq!(history.len(), 2, "{history:?}");
    let at = "2026-01-01T00:00:10Z";
    assert_eq!(history[1]["time"], at);
    assert_eq!(history[1]["current_rps"], json!([at, 10.0]));
    assert_eq!(history[1]["current_fail_per_sec"], json!([at, 1.0]));
    assert_eq!(history[1]["user_count"], json!([at, 5]));
    assert_eq!(
        history[1]["response_time_percentile_0.95"],
        json!([at, 800.0])
    );
    assert_eq!(answer["errors"][0]["error"], "Status code: 500");
    assert_eq!(answer["errors"][0]["occurrences"], 12);
    // The tenth request is the first to fail, the last one the last.
    let seen = ["first_seen", "last_seen"].map(|key| answer["errors"][0][key].as_f64());
    let [first, last] = seen.map(|at| at.expect("a time"));
    assert!((last - first - 11.0).abs() < 1e-3, "{first} {last}");
    assert!((first - 1_767_225_600.0 - 0.95).abs() < 0.1, "{first}");
    let tasks: Value = serde_json::from_str(&get(&server, "/tasks")).expect("JSON");
    let ratio = |ratio: f64| json!({ "ratio": ratio });
    let expected = json!({
        "per_class": {
            "Buyer": { "ratio": 0.75, "tasks": { "look": ratio(0.75), "buy": ratio(0.25) } },
            "Reader": { "ratio": 0.25, "tasks": { "read": ratio(1.0) } },
        },
        "total": {
            "Buyer": { "ratio": 0.75, "tasks": { "look": ratio(0.5625), "buy": ratio(0.1875) } },
            "Reader": { "ratio": 0.25, "tasks": { "read": ratio(0.25) } },
        },
    });
    assert_eq!(tasks, expected);
    assert_eq!(get(&server, "/worker-count"), r#"{"worker_count":0}"#);
}

#[test]
fn a_reset_begins_the_figures_anew() {
    let server = serve(board(), Some(Arc::new(Noted::default())));
    let (_, said) = ask(&server, "POST /stats/reset", "");
    assert_eq!(said, "ok");
    let answer: Value = serde_json::from_str(&get(&server, "/stats/requests")).expect("JSON");
    assert_eq!(answer["stats"][0]["num_requests"], 0);
}

#[test]
fn files_have_the_headers_of_locust() {
    let board = board();
    let exception = LogEntry {
        level: Level::Error,
        message: "ReferenceError: x is not defined\n\tat buy (file:///s.js:3:5(2))\n\tat default (file:///s.js:9:1(4))\n",
        fields: &[("executor", "ramping-vus"), ("source", "stacktrace")],
    };
    board.log(&exception, "time=\"…\" level=error msg=…");
    board.log(&exception, "time=\"…\" level=error msg=…");
    let said = LogEntry {
        level: Level::Error,
        message: "an error that the script says itself",
        fields: &[("source", "console")],
    };
    board.log(&said, "time=\"…\" level=error msg=…");
    let server = serve(board, Some(Arc::new(Noted::default())));
    let check = |path: &str, begin: &str, lines: usize| {
        let text = get(&server, path);
        assert!(text.starts_with(begin), "{path}: {text}");
        assert_eq!(text.lines().count(), lines, "{path}: {text}");
    };
    check(
        "/stats/requests/csv",
        "Type,Name,Request Count,Failure Count,Median Response Time,",
        4,
    );
    check(
        "/stats/requests_full_history/csv",
        "Timestamp,User Count,Type,Name,Requests/s,",
        13,
    );
    check(
        "/stats/failures/csv",
        "Method,Name,Error,Occurrences,First Seen,Last Seen",
        2,
    );
    let failures = get(&server, "/stats/failures/csv");
    assert!(
        failures.contains(",12,2026-01-01T00:00:00Z,2026-01-01T00:00:11Z"),
        "{failures}"
    );
    let places = "at buy (file:///s.js:3:5(2))\nat default (file:///s.js:9:1(4))";
    assert_eq!(
        get(&server, "/exceptions/csv"),
        format!(
            "Count,Message,Traceback,Nodes\r\n2,ReferenceError: x is not defined,\"{places}\",local\r\n"
        )
    );
    let exceptions: Value = serde_json::from_str(&get(&server, "/exceptions")).expect("JSON");
    assert_eq!(
        exceptions,
        json!({ "exceptions": [
            { "count": 2, "msg": "ReferenceError: x is not defined", "traceback": places, "nodes": "local" }
        ] })
    );
    let history = get(&server, "/stats/requests_full_history/csv");
    let last = history.lines().last().unwrap_or_default();
    assert!(last.ends_with(",20,800,84"), "{last}");
    let size = get(&server, "/stats/requests/csv");
    assert!(size.contains(",84,"), "{size}");
    let logs: Value = serde_json::from_str(&get(&server, "/logs")).expect("JSON");
    assert_eq!(logs["master"].as_array().map(Vec::len), Some(3));
    let report = get(&server, "/stats/report");
    assert!(report.contains("<figcaption>Throughput <span>"));
    // A running test has no outcome.
    for text in [
        "running, not judged yet</title>",
        "<p class=\"word\">RUNNING, NOT JUDGED YET</p>",
        "The test is running and not judged yet, with ",
        "… running, not judged yet</span>",
    ] {
        assert!(report.contains(text), "no {text:?} in {report}");
    }
    assert!(!report.to_lowercase().contains("passed"), "{report}");
}

#[test]
fn a_page_that_can_only_be_read_has_none_of_these_routes() {
    let server = serve(board(), None);
    let (head, _) = ask(&server, "POST /swarm", "user_count=1");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}
