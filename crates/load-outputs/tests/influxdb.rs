//! The requests and datagrams of the InfluxDB output, sent to a receiver in this process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load_engine::Standings;
use load_engine::log::Logger;
use load_engine::options::Options;
use load_metrics::{Batch, Registry, Sample, Tags, UnixNanos, builtin};
use load_outputs::influxdb::{Config, InfluxDb};
use load_outputs::{Environment, LaneReport, Outputs, RunEnd, Setup};

fn samples(count: u32, tags: &[(&str, &str)]) -> Batch {
    let tags: Arc<Tags> = Arc::new(tags.iter().copied().collect());
    let sample = |value| Sample {
        metric: builtin::ITERATIONS,
        at: UnixNanos(1_000_000_000),
        value: f64::from(value),
        tags: Arc::clone(&tags),
        metadata: Some(Arc::new([("vu", "1")].into_iter().collect())),
    };
    (0..count).map(sample).collect()
}

/// Runs the output over batches. Returns the result and the log.
fn run(config: Config, batches: Vec<Batch>) -> (LaneReport, Vec<String>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let setup = Setup {
        registry: Arc::new(Registry::new()),
        options: Arc::new(Options::default()),
        standings: Standings::default(),
        logger: Logger::new(move |line| {
            let line = format!("{} {}", line.level.name(), line.message);
            lines.lock().unwrap().push(line);
        }),
        stdout: Arc::new(Mutex::new(Vec::new())),
    };
    let outputs = Outputs::start(vec![Box::new(InfluxDb::new(config))], &setup).unwrap();
    let sink = outputs.sink();
    batches.into_iter().for_each(|batch| sink.offer(batch));
    let report = outputs.finish(RunEnd::default()).remove(0);
    let lines = log.lock().unwrap().clone();
    (report, lines)
}

fn read(url: &str, settings: &[(&str, &str)]) -> Config {
    let settings = settings.iter();
    let environment: Environment = settings
        .map(|(name, value)| (format!("K6_INFLUXDB_{name}"), (*value).to_owned()))
        .collect();
    Config::read(url, &environment).unwrap()
}

/// A server that answers every write with `status`. Returns its URL, and the heads and bodies of its requests.
fn serve(status: u16) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                while let Some((head, body)) = read_request(&mut stream) {
                    let status = if head.contains("/query?") {
                        200
                    } else {
                        status
                    };
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                    // Recorded before the response, so that a client that has the response finds the request.
                    if sender.send((head, body)).is_err()
                        || stream.write_all(answer.as_bytes()).is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    (url, requests)
}

fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut all = Vec::new();
    let mut part = [0; 65_536];
    loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        all.extend_from_slice(&part[..read]);
        let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.parse::<usize>().unwrap())
        });
        if all.len() >= end + 4 + length.unwrap_or(0) {
            let body = String::from_utf8_lossy(&all[end + 4..]).into_owned();
            return Some((head, body));
        }
    }
}

fn first_line(head: &str) -> &str {
    head.lines().next().unwrap()
}

#[test]
fn the_database_is_created_and_every_sample_is_a_line() {
    let (url, requests) = serve(204);
    let config = read(&format!("{url}/mine"), &[]);
    let batch = samples(2, &[("scenario", "a b"), ("url", "http://h")]);
    let (report, log) = run(config, vec![batch]);
    assert_eq!((report.dropped_samples, report.error.is_none()), (0, true));
    assert_eq!(log, [""; 0]);
    let requests: Vec<_> = requests.try_iter().collect();
    assert_eq!(requests.len(), 2);
    let lines: Vec<&str> = requests.iter().map(|(head, _)| first_line(head)).collect();
    assert_eq!(
        lines,
        [
            "POST /query?q=CREATE+DATABASE+mine HTTP/1.1",
            "POST /write?consistency=&db=mine&precision=ns&rp= HTTP/1.1",
        ]
    );
    let wanted = "iterations,scenario=a\\ b url=\"http://h\",value=0 1000000000\n\
                  iterations,scenario=a\\ b url=\"http://h\",value=1 1000000000\n";
    assert_eq!(requests[1].1, wanted);
}

#[tokio::test]
async fn the_output_can_start_on_a_thread_that_runs_tasks() {
    let (url, requests) = serve(204);
    let (report, _) = run(read(&url, &[]), vec![samples(1, &[])]);
    assert_eq!(report.dropped_samples, 0);
    assert_eq!(requests.try_iter().count(), 2);
}

#[test]
fn settings_are_sent_with_every_request() {
    let (url, requests) = serve(204);
    let settings = [
        ("ADDR", url.as_str()),
        ("DB", "my-db"),
        ("USERNAME", "me"),
        ("PASSWORD", "pw"),
        ("PRECISION", "ms"),
        ("RETENTION", "week"),
        ("CONSISTENCY", "any"),
    ];
    run(read("", &settings), vec![samples(1, &[])]);
    let requests: Vec<_> = requests.try_iter().collect();
    let lines: Vec<&str> = requests.iter().map(|(head, _)| first_line(head)).collect();
    assert_eq!(
        lines,
        [
            "POST /query?q=CREATE+DATABASE+%22my-db%22 HTTP/1.1",
            "POST /write?consistency=any&db=my-db&precision=ms&rp=week HTTP/1.1",
        ]
    );
    for (head, _) in &requests {
        assert!(
            head.to_lowercase()
                .contains("authorization: basic bwu6chc="),
            "{head}"
        );
    }
    assert_eq!(requests[1].1, "iterations value=0 1000\n");
}

#[test]
fn refused_samples_are_logged_counted_and_not_sent_again() {
    let (url, requests) = serve(500);
    let (report, log) = run(read(&url, &[]), vec![samples(7, &[])]);
    assert_eq!(report.dropped_samples, 7);
    assert!(report.error.is_none(), "the output goes on");
    assert_eq!(log, ["error Couldn't write stats"]);
    let writes = requests
        .try_iter()
        .filter(|(head, _)| head.contains("/write?"));
    assert_eq!(writes.count(), 1);
}

#[test]
fn a_server_that_is_not_there_does_not_stop_the_run() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/k6", closed.local_addr().unwrap());
    drop(closed);
    let (report, log) = run(read(&url, &[]), vec![samples(3, &[])]);
    assert_eq!(report.dropped_samples, 3);
    assert_eq!(
        log,
        [
            "debug The database could not be created; it may exist",
            "error Couldn't write stats",
        ]
    );
}

#[test]
fn much_is_sent_in_several_bodies_by_several_threads() {
    let (url, requests) = serve(204);
    let long = "x".repeat(1000);
    let batches = (0..20).map(|_| samples(500, &[("long", &long)])).collect();
    let (report, _) = run(read(&url, &[("CONCURRENT_WRITES", "2")]), batches);
    assert_eq!(report.dropped_samples, 0);
    let bodies = requests
        .try_iter()
        .filter(|(head, _)| head.contains("/write?"));
    let lines: Vec<usize> = bodies.map(|(_, body)| body.lines().count()).collect();
    assert!(lines.len() > 2, "{lines:?}");
    assert_eq!(lines.iter().sum::<usize>(), 10_000);
}

#[test]
fn datagrams_hold_whole_lines_up_to_their_size() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let url = format!("udp://{}/k6", socket.local_addr().unwrap());
    let config = read(&url, &[("PAYLOAD_SIZE", "64")]);
    let (report, log) = run(config, vec![samples(5, &[])]);
    assert_eq!((report.dropped_samples, log.len()), (0, 0));
    let mut lines = Vec::new();
    while lines.len() < 5 {
        let mut datagram = [0; 2048];
        let length = socket.recv(&mut datagram).unwrap();
        assert!(length <= 64, "{length} bytes");
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        assert!(text.ends_with('\n'));
        lines.extend(text.lines().map(str::to_owned));
    }
    let wanted = (0..5).map(|value| format!("iterations value={value} 1000000000"));
    assert_eq!(lines, wanted.collect::<Vec<_>>());
}
