//! The page and its stream.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use live_page::{LiveRun, Server, Stage};
use report::record::EventKind;

use crate::fed::{ask, board, get, serve};

const PATIENCE: Duration = Duration::from_secs(60);

fn connect(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).expect("sent");
    stream
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_page_can_be_read_without_a_script() {
    let server = serve(board(), None);
    let html = get(&server, "/");
    for text in [
        "<h1>shop &lt;test&gt;</h1>",
        "<noscript><meta http-equiv=\"refresh\"",
        "<figcaption>Throughput <span>",
        "<figcaption>Latency <span>",
        "<figcaption>Users <span>",
        "Figures by endpoint",
        "Status code: 500",
        "http_req_duration: p(95)&lt;500",
        "http_req_failed{name:/slow}: rate&lt;0.01",
        // The 109th and the 119th of 120 requests, and the 12th of 12 failures.
        "800 ms to 800 ms",
        "73.5 % to 100 %",
        "steady</span>",
        "<dt>requests</dt><dd>120</dd>",
        "crossed",
    ] {
        assert!(html.contains(text), "no {text:?}");
    }
    // Nothing is loaded except its own script, and there is no inline script.
    assert_eq!(html.matches("<script").count(), 1, "{html}");
    assert!(
        !html.contains("http://") || !html.contains("href=\"http"),
        "{html}"
    );
}

/// Reads until a line has this text.
fn until(text: &str, lines: &mut impl Iterator<Item = String>) {
    if !lines.any(|line| line.contains(text)) {
        panic!("the stream has no {text}");
    }
}

#[test]
fn readers_get_the_parts_again_as_they_change_and_then_the_end() {
    let board = board();
    let server = serve(board.clone(), None);
    let mut lines = BufReader::new(connect(&server))
        .lines()
        .map(|line| line.expect("a line"));
    until("event: parts", &mut lines);
    until("<dd>120</dd>", &mut lines);
    board.note(EventKind::Reaction, "the breaker of the shop opened");
    until("the breaker of the shop opened", &mut lines);
    board.set_stage(Stage::Ended);
    let ending = std::thread::spawn(move || server.end());
    until("event: end", &mut lines);
    until("The run has ended", &mut lines);
    ending.join().expect("the server ends");
    // Nothing follows, and the connection is closed.
    assert!(lines.all(|line| !line.contains("event: parts")));
}

#[test]
fn a_reader_that_never_reads_is_dropped_and_counted_and_the_others_go_on() {
    let board = board();
    // Enough parts to exceed a socket's buffers.
    for number in 0..200 {
        board.note(
            EventKind::Reaction,
            &format!("{number} {}", "x".repeat(400)),
        );
    }
    let server = serve(board, None);
    let mut idle = connect(&server);
    wait_until("the reader is not dropped", || {
        server.dropped_readers() == 1
    });
    // Its connection is closed, after the data in transit.
    let mut rest = Vec::new();
    let read = idle.read_to_end(&mut rest);
    assert!(!rest.is_empty(), "{read:?}");
    let html = get(&server, "/");
    assert!(
        html.contains("1 client of this page was too slow and was disconnected."),
        "{html}"
    );
    let mut awake = BufReader::new(connect(&server)).lines();
    assert!(awake.any(|line| line.is_ok_and(|line| line == "event: parts")));
}

#[test]
fn a_page_of_nothing_is_a_page() {
    let server = serve(LiveRun::new("empty", ""), None);
    let html = get(&server, "/");
    assert!(html.contains("Starting"), "{html}");
    assert!(!html.contains("NaN"), "{html}");
    assert!(get(&server, "/report").contains("No test ran"));
    assert!(get(&server, "/live.js").contains("EventSource"));
}

#[test]
fn a_page_reached_by_a_name_of_another_site_is_refused_and_scripts_in_it_are_its_own() {
    let server = serve(board(), None);
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    let request = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    let (head, _) = ask(&server, "GET /", "");
    let head = head.to_lowercase();
    assert!(
        head.contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    assert!(head.contains("script-src 'self'"), "{head}");
}

#[test]
fn the_record_so_far_can_be_read() {
    let server = serve(board(), None);
    let record = report::record::read(&get(&server, "/report.json")).expect("a record");
    let test = &record.tests[0];
    assert_eq!((test.figures.requests, test.figures.failures), (120, 12));
    assert_eq!(test.seconds.len(), 12);
    let p50 = test.figures.percentile("p50").expect("it was measured");
    assert!((p50 - 20.0).abs() < 0.02, "{p50}");
    assert_eq!(test.endpoints.len(), 2);
    assert_eq!(
        test.judgements
            .iter()
            .filter(|judgement| judgement.bound.is_some())
            .count(),
        2
    );
    assert!(report::verify::verify(&record, &|_| None).is_sound());
}
