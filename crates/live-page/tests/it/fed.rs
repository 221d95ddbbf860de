//! A live run with figures, a server for it, and a client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use live_page::{Feed, LiveRun, Phase, Server, Settings, Task, UserClass};
use load_engine::log::Logger;
use load_engine::options::Options;
use load_metrics::{MetricId, Registry, Sample, Tags, UnixNanos, builtin};
use load_outputs::{Output, Setup};
use report::record::LoadModel;
use serde_json::json;

/// Interval of updates in tests.
pub const PERIOD: Duration = Duration::from_millis(20);
const BEGAN_MS: i64 = 1_767_225_600_000;

/// The setup of outputs: two thresholds, one of them on a sub-metric.
pub fn setup(logger: Logger) -> Setup {
    let options = json!({ "thresholds": {
        "http_req_duration": ["p(95)<500"],
        "http_req_failed{name:/slow}": ["rate<0.01"],
    }});
    let mut options: Options = load_engine::options::json::read(&options)
        .expect("options")
        .options;
    load_engine::options::derive::scenarios(&mut options).expect("scenarios");
    Setup {
        registry: Arc::new(Registry::new()),
        options: Arc::new(options),
        logger,
        standings: load_engine::Standings::default(),
        stdout: Arc::new(Mutex::new(Vec::new())),
    }
}

fn tags(name: &str, failed: bool) -> Arc<Tags> {
    let pairs = [
        ("method", "GET"),
        ("name", name),
        ("status", if failed { "500" } else { "200" }),
        ("expected_response", if failed { "false" } else { "true" }),
    ];
    Arc::new(pairs.into_iter().collect())
}

pub fn sample(metric: MetricId, after_ms: i64, value: f64, tags: &Arc<Tags>) -> Sample {
    Sample {
        metric,
        at: UnixNanos((BEGAN_MS + after_ms) * 1_000_000),
        value,
        tags: Arc::clone(tags),
        metadata: None,
    }
}

/// Twelve seconds: ten requests a second, one of ten fails and is slow.
pub fn samples() -> Vec<Sample> {
    let (good, bad) = (tags("/fast", false), tags("/slow", true));
    let none = Arc::new(Tags::default());
    let mut samples = vec![sample(builtin::VUS, 60, 5.0, &none)];
    for number in 0..120 {
        let is_bad = number % 10 == 9;
        let (tags, value) = if is_bad { (&bad, 800.0) } else { (&good, 20.0) };
        let after_ms = number * 100 + 50;
        samples.push(sample(builtin::HTTP_REQ_DURATION, after_ms, value, tags));
        samples.push(sample(
            builtin::HTTP_REQ_FAILED,
            after_ms,
            f64::from(u8::from(is_bad)),
            tags,
        ));
        let bytes = if is_bad { 30.0 } else { 90.0 };
        samples.push(sample(
            builtin::HTTP_REQ_CONTENT_BYTES,
            after_ms,
            bytes,
            tags,
        ));
        samples.push(sample(builtin::DATA_RECEIVED, after_ms, 100.0, &none));
    }
    samples
}

/// A live run with those samples.
pub fn board() -> LiveRun {
    let board = LiveRun::new("shop <test>", "http://shop.example");
    let task = |name: &str, weight| Task {
        name: name.to_owned(),
        weight,
    };
    let class = |name: &str, weight, tasks| UserClass {
        name: name.to_owned(),
        weight,
        tasks,
    };
    let buyer = class("Buyer", 3.0, vec![task("look", 3.0), task("buy", 1.0)]);
    let reader = class("Reader", 1.0, vec![task("read", 1.0)]);
    board.begin("load", LoadModel::Closed, vec![buyer, reader]);
    let phase = Phase {
        name: "steady".to_owned(),
        begin_s: 2.0,
        end_s: 10.0,
        judged: true,
    };
    let mut feed = Feed::of_leg(board.clone(), vec![phase]);
    feed.start(&setup(Logger::silent())).expect("started");
    feed.consume(&samples()).expect("consumed");
    feed.tick().expect("judged");
    board
}

pub fn serve(board: LiveRun, control: Option<Arc<dyn live_page::locust::Control>>) -> Server {
    let settings = Settings {
        period: PERIOD,
        host: "localhost".to_owned(),
        control,
    };
    let listener = Server::bind("127.0.0.1", 0).expect("a free port");
    Server::start(listener, board, settings).expect("served")
}

/// Sends a request; returns status and headers in one text, the body in another.
pub fn ask(server: &Server, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{body}",
        server.address()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

pub fn get(server: &Server, path: &str) -> String {
    let (head, body) = ask(server, &format!("GET {path}"), "");
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    body
}
