//! The REST API gives the same responses as k6; the texts were observed.

use std::sync::{Arc, Mutex};

use load_engine::CheckResult;
use load_metrics::{Aggregate, Kind, Registry, builtin};
use load_outputs::rest::client::Client;
use load_outputs::rest::{self, Control, MetricView, Refusal, Running, Status};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A run that is paused before its start and records its commands.
struct Held {
    status: Mutex<Status>,
    setup: Mutex<Option<Value>>,
}

impl Control for Held {
    fn status(&self) -> Status {
        *self.status.lock().unwrap()
    }

    fn set_paused(&self, paused: bool) -> Running<'_> {
        let mut status = self.status.lock().unwrap();
        let changed = if status.paused == paused {
            Err(Refusal::pause("execution is already paused"))
        } else {
            status.paused = paused;
            Ok(())
        };
        Box::pin(async { changed })
    }

    fn stop(&self) {
        self.status.lock().unwrap().stopped = true;
    }

    fn scale(&self, _: Option<i64>, _: Option<i64>) -> Running<'_> {
        Box::pin(async { Err(Refusal::not_scalable()) })
    }

    fn metrics(&self) -> Vec<MetricView> {
        let registry = Registry::new();
        let mut aggregate = Aggregate::default();
        aggregate.add(builtin::HTTP_REQ_DURATION, Kind::Trend, 5.0);
        let view = |id, tainted| {
            let metric = registry.metric(id);
            let run_time = std::time::Duration::from_secs(1);
            MetricView::new(&metric, &mut aggregate, run_time, tainted)
        };
        let mut view = view;
        vec![
            view(builtin::HTTP_REQ_DURATION, Some(true)),
            view(builtin::ITERATIONS, None),
        ]
    }

    fn groups(&self) -> Vec<String> {
        Vec::new()
    }

    fn checks(&self) -> Vec<CheckResult> {
        Vec::new()
    }

    fn setup_data(&self) -> Option<Value> {
        self.setup.lock().unwrap().clone()
    }

    fn set_setup_data(&self, data: Option<Value>) {
        *self.setup.lock().unwrap() = data;
    }

    fn run_setup(&self) -> Running<'_> {
        self.set_setup_data(Some(json!({"a": [1, "x"]})));
        Box::pin(async { Ok(()) })
    }

    fn run_teardown(&self) -> Running<'_> {
        Box::pin(async { Ok(()) })
    }
}

struct Served {
    address: String,
    shutdown: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn serve() -> Served {
    let held = Held {
        status: Mutex::new(Status {
            phase: 4,
            paused: true,
            vus_max: 1,
            ..Status::default()
        }),
        setup: Mutex::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    tokio::spawn(rest::serve(listener, Arc::new(held), shutdown.clone()));
    Served { address, shutdown }
}

/// Sends one request and compares status line, content type and body.
async fn check(served: &Served, request: (&str, &str, &str), wanted: (u16, &str, &str)) {
    let (method, path, body) = request;
    let mut stream = TcpStream::connect(&served.address).await.unwrap();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let content_type = head
        .lines()
        .find_map(|line| line.strip_prefix("content-type: "))
        .unwrap_or_default();
    assert_eq!((status, content_type, body), wanted, "{method} {path}");
}

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const PAUSED: &str = r#"{"data":{"type":"status","id":"default","attributes":{"status":4,"paused":true,"vus":0,"vus-max":1,"stopped":false,"running":false,"tainted":false}}}"#;

#[tokio::test]
async fn a_paused_run_answers_probes_and_is_resumed_by_the_starter() {
    let served = serve().await;
    check(&served, ("GET", "/v1/status", ""), (200, JSON, PAUSED)).await;
    let starter = r#"{"data":{"attributes":{"paused":false,"stopped":false},"id":"default","type":"status"}}"#;
    let resumed = PAUSED.replace("\"paused\":true", "\"paused\":false");
    check(
        &served,
        ("PATCH", "/v1/status", starter),
        (200, JSON, &resumed),
    )
    .await;
    let stopper = r#"{"data":{"attributes":{"paused":true,"stopped":true}}}"#;
    let stopped = resumed.replace("\"stopped\":false", "\"stopped\":true");
    check(
        &served,
        ("PATCH", "/v1/status", stopper),
        (200, JSON, &stopped),
    )
    .await;
}

#[tokio::test]
async fn an_empty_change_is_answered_with_the_status() {
    let served = serve().await;
    check(&served, ("PATCH", "/v1/status", "{}"), (200, JSON, PAUSED)).await;
}

#[tokio::test]
async fn refusals_are_error_objects() {
    let served = serve().await;
    let cases = [
        (
            r#"{"data":{"attributes":{"paused":true}}}"#,
            500,
            r#"{"errors":[{"status":"500","title":"Pause error","detail":"execution is already paused"}]}"#,
        ),
        (
            r#"{"data":{"attributes":{"vus":3}}}"#,
            500,
            r#"{"errors":[{"status":"500","title":"Execution config error","detail":"an externally-controlled executor needs to be configured for live configuration updates"}]}"#,
        ),
        (
            "garbage",
            400,
            r#"{"errors":[{"status":"400","title":"Invalid data","detail":"invalid character 'g' looking for beginning of value"}]}"#,
        ),
        (
            r#"{"data":{"attributes":{"paused":"x"}}}"#,
            400,
            r#"{"errors":[{"status":"400","title":"Invalid data","detail":"json: cannot unmarshal string into Go value of type null.Bool"}]}"#,
        ),
    ];
    for (body, status, answer) in cases {
        check(
            &served,
            ("PATCH", "/v1/status", body),
            (status, JSON, answer),
        )
        .await;
    }
}

#[tokio::test]
async fn metrics_carry_their_aggregates() {
    let served = serve().await;
    let one = r#"{"type":"metrics","id":"http_req_duration","attributes":{"type":"trend","contains":"time","tainted":true,"sample":{"avg":5,"max":5,"med":5,"min":5,"p(90)":5,"p(95)":5}}}"#;
    let other = r#"{"type":"metrics","id":"iterations","attributes":{"type":"counter","contains":"default","tainted":null,"sample":{"count":0,"rate":0}}}"#;
    check(
        &served,
        ("GET", "/v1/metrics", ""),
        (200, TEXT, &format!("{{\"data\":[{one},{other}]}}")),
    )
    .await;
    check(
        &served,
        ("GET", "/v1/metrics/http_req_duration", ""),
        (200, TEXT, &format!("{{\"data\":{one}}}")),
    )
    .await;
    check(
        &served,
        ("GET", "/v1/metrics/nope", ""),
        (
            404,
            TEXT,
            r#"{"errors":[{"status":"404","title":"Not Found","detail":"No metric with that ID was found"}]}"#,
        ),
    )
    .await;
}

#[tokio::test]
async fn the_root_group_is_always_there() {
    let served = serve().await;
    let root = r#"{"data":[{"type":"groups","id":"d41d8cd98f00b204e9800998ecf8427e","attributes":{"path":"","name":"","checks":null},"relationships":{"groups":{"data":[]},"parent":{"data":null}}}]}"#;
    check(&served, ("GET", "/v1/groups", ""), (200, TEXT, root)).await;
}

#[tokio::test]
async fn setup_data_can_be_set_made_and_read() {
    let served = serve().await;
    let with = |attributes: &str| {
        format!(r#"{{"data":{{"type":"setupData","id":"default","attributes":{attributes}}}}}"#)
    };
    let json = "application/json";
    check(&served, ("GET", "/v1/setup", ""), (200, json, &with("{}"))).await;
    let set = with(r#"{"data":{"z":1}}"#);
    check(
        &served,
        ("PUT", "/v1/setup", "{\"z\":1}"),
        (200, json, &set),
    )
    .await;
    let bad = r#"{"errors":[{"status":"400","title":"Error parsing request body","detail":"invalid character 'b' looking for beginning of value"}]}"#;
    check(&served, ("PUT", "/v1/setup", "bad"), (400, TEXT, bad)).await;
    let made = with(r#"{"data":{"a":[1,"x"]}}"#);
    check(&served, ("POST", "/v1/setup", ""), (200, json, &made)).await;
    check(&served, ("GET", "/v1/setup", ""), (200, json, &made)).await;
    check(&served, ("POST", "/v1/teardown", ""), (200, "", "")).await;
}

#[tokio::test]
async fn other_paths_answer_as_in_k6() {
    let served = serve().await;
    check(&served, ("GET", "/ping", ""), (200, TEXT, "ok")).await;
    check(&served, ("GET", "/", ""), (200, TEXT, "ok")).await;
    check(
        &served,
        ("GET", "/v1/", ""),
        (404, TEXT, "404 page not found\n"),
    )
    .await;
    check(&served, ("POST", "/v1/status", ""), (405, "", "")).await;
    check(&served, ("GET", "/v1/teardown", ""), (405, "", "")).await;
}

#[tokio::test]
async fn the_client_prints_what_k6_prints() {
    let served = serve().await;
    let client = Client::new(&served.address);
    let status = "status: 4\npaused: \"true\"\nvus: \"0\"\nvus-max: \"1\"\nstopped: false\n\
                  running: false\ntainted: false\n";
    assert_eq!(client.status().await.unwrap(), status);
    let again = client.set_paused(true).await.unwrap_err();
    assert_eq!(
        again.to_string(),
        "Pause error: execution is already paused"
    );
    let resumed = client.set_paused(false).await.unwrap();
    assert_eq!(resumed, status.replace("\"true\"", "\"false\""));
    let nothing = client.scale(None, None).await.unwrap_err();
    assert_eq!(nothing.to_string(), "Specify either -u/--vus or -m/--max");
    let refused = client.scale(Some(3), None).await.unwrap_err();
    assert!(refused.to_string().starts_with("Execution config error: "));
    let stats = client.stats().await.unwrap();
    assert!(
        stats.starts_with(
            "- name: http_req_duration\n  type:\n    type: trend\n    valid: true\n  contains:\n    \
             type: time\n    valid: true\n  tainted: \"true\"\n  sample:\n    avg: 5\n"
        ),
        "{stats}"
    );
}

#[tokio::test]
async fn a_client_without_a_run_says_where_it_looked() {
    let address = {
        let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        unused.local_addr().unwrap().to_string()
    };
    let error = Client::new(&address).stats().await.unwrap_err();
    let wanted = format!("Get \"http://{address}/v1/metrics\": dial tcp {address}: ");
    assert!(error.to_string().starts_with(&wanted), "{error}");
}
