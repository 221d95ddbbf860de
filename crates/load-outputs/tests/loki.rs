//! Log lines reach a server with Loki's API.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use load_engine::log::{Level, LogEntry};
use load_outputs::loki::{Config, Loki};
use serde_json::{Value, json};

/// A server that answers every request with this status. Returns the heads and bodies of the requests.
fn serve(status: &'static str) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (got, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    break;
                }
            }
            let lower = head.to_ascii_lowercase();
            let length = lower
                .lines()
                .find_map(|l| l.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().expect("a number"));
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            // A client that has gone needs no response.
            let _ = reader.get_mut().write_all(answer.as_bytes());
            let body = serde_json::from_slice(&body).expect("JSON");
            if got.send((lower, body)).is_err() {
                return;
            }
        }
    });
    (format!("http://{address}/loki/api/v1/push"), requests)
}

fn say(loki: &Loki, level: Level, message: &str) {
    loki.queue().take(&LogEntry {
        level,
        message,
        fields: &[("source", "console")],
    });
}

#[test]
fn lines_are_streams_by_their_labels_and_the_last_ones_are_sent_at_the_end() {
    let (url, requests) = serve("204 No Content");
    let settings = format!("{url},label.team=a,header.X-Scope=me,level=info,pushPeriod=1h");
    let config = Config::parse(&settings).expect("valid");
    let loki = Loki::start(config, |why| panic!("{why}")).expect("started");
    say(&loki, Level::Info, "one");
    say(&loki, Level::Error, "two");
    say(&loki, Level::Info, "three");
    say(&loki, Level::Debug, "not for loki");
    drop(loki);
    let (head, body) = requests.recv().expect("a request");
    assert!(head.starts_with("post /loki/api/v1/push"), "{head}");
    assert!(head.contains("x-scope: me") && head.contains("content-type: application/json"));
    let streams = body["streams"].as_array().expect("streams");
    let labels = json!({"source": "console", "team": "a", "level": "info"});
    assert_eq!(streams.len(), 2);
    assert_eq!(streams[0]["stream"], labels);
    let texts: Vec<&Value> = streams[0]["values"]
        .as_array()
        .expect("values")
        .iter()
        .map(|value| &value[1])
        .collect();
    assert_eq!(texts, ["one", "three"]);
    assert_eq!(streams[1]["values"][0][1], "two");
    let nanos = streams[1]["values"][0][0].as_str().expect("text");
    assert!(nanos.parse::<u64>().is_ok() && nanos.len() == 19, "{nanos}");
}

#[test]
fn a_period_ends_without_the_run() {
    let (url, requests) = serve("204 No Content");
    let config = Config::parse(&format!("{url},pushPeriod=10ms")).expect("valid");
    let loki = Loki::start(config, |why| panic!("{why}")).expect("started");
    say(&loki, Level::Info, "one");
    let (_, body) = requests.recv().expect("a request");
    assert_eq!(body["streams"][0]["values"][0][1], "one");
    drop(loki);
}

#[test]
fn a_refusal_is_told_and_stops_nobody() {
    let (url, requests) = serve("429 Too Many Requests");
    let (said, failures) = channel();
    let config = Config::parse(&format!("{url},pushPeriod=10ms")).expect("valid");
    let loki = Loki::start(config, move |why| said.send(why.to_owned()).expect("heard"));
    let loki = loki.expect("started");
    for message in ["one", "two"] {
        say(&loki, Level::Info, message);
        requests.recv().expect("a request");
        let why = failures.recv().expect("told");
        assert!(why.contains("429"), "{why}");
    }
}
