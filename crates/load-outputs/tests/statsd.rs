//! The datagrams of the StatsD outputs, sent to a receiver in this process.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load_engine::Standings;
use load_engine::log::Logger;
use load_engine::options::Options;
use load_metrics::{Batch, Registry, Sample, UnixNanos, builtin};
use load_outputs::{Environment, LaneReport, Outputs, RunEnd, Setup, create};

fn samples(count: u32) -> Batch {
    let tags = [("scenario", "main"), ("url", "http://h/7"), ("vu", "3")];
    let tags = Arc::new(tags.into_iter().collect());
    let sample = |value| Sample {
        metric: builtin::ITERATION_DURATION,
        at: UnixNanos(0),
        value: f64::from(value) + 0.5,
        tags: Arc::clone(&tags),
        metadata: None,
    };
    (0..count).map(sample).collect()
}

/// Runs an output over samples. Returns the result and the log.
fn run(output: &str, settings: &[(&str, &str)], batch: Batch) -> (LaneReport, Vec<String>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let setup = Setup {
        registry: Arc::new(Registry::new()),
        options: Arc::new(Options::default()),
        standings: Standings::default(),
        logger: Logger::new(move |line| {
            let samples = line.fields.iter().find(|(name, _)| *name == "samples");
            let line = format!("{} {} {samples:?}", line.level.name(), line.message);
            lines.lock().unwrap().push(line);
        }),
        stdout: Arc::new(Mutex::new(Vec::new())),
    };
    let settings = settings.iter();
    let environment: Environment = settings
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let output = create(output, &environment).unwrap();
    let outputs = Outputs::start(vec![output], &setup).unwrap();
    outputs.sink().offer(batch);
    let report = outputs.finish(RunEnd::default()).remove(0);
    let lines = log.lock().unwrap().clone();
    (report, lines)
}

fn listen() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

fn receive(socket: &UdpSocket) -> String {
    let mut datagram = [0; 65_536];
    let length = socket.recv(&mut datagram).unwrap();
    String::from_utf8(datagram[..length].to_vec()).unwrap()
}

#[test]
fn values_are_sent_in_datagrams_of_the_buffers_size() {
    let (socket, address) = listen();
    let settings = [
        ("K6_STATSD_ADDR", address.as_str()),
        ("K6_STATSD_NAMESPACE", "load."),
        ("K6_STATSD_BUFFER_SIZE", "2"),
    ];
    let (report, log) = run("output-statsd", &settings, samples(3));
    assert_eq!((report.dropped_samples, log.len()), (0, 0));
    assert_eq!(report.name, format!("statsd ({address})"));
    assert_eq!(
        receive(&socket),
        "load.iteration_duration:0.5|ms\nload.iteration_duration:1.5|ms"
    );
    assert_eq!(receive(&socket), "load.iteration_duration:2.5|ms");
}

#[test]
fn datadog_gets_tags() {
    let (socket, address) = listen();
    run(&format!("datadog={address}"), &[], samples(1));
    assert_eq!(
        receive(&socket),
        "k6.iteration_duration:0.5|ms|#scenario:main"
    );
}

#[test]
fn statsd_gets_tags_if_it_is_told_so() {
    let (socket, address) = listen();
    let settings = [
        ("K6_STATSD_ADDR", address.as_str()),
        ("K6_STATSD_ENABLE_TAGS", "true"),
        ("K6_STATSD_TAG_BLOCKLIST", "scenario"),
    ];
    run("statsd", &settings, samples(1));
    assert_eq!(
        receive(&socket),
        "k6.iteration_duration:0.5|ms|#url:http://h/7,vu:3"
    );
}

#[test]
fn a_datagram_passes_a_network_of_the_usual_size() {
    let (socket, address) = listen();
    let settings = [("K6_STATSD_BUFFER_SIZE", "1000")];
    run(&format!("statsd={address}"), &settings, samples(500));
    let mut values = 0;
    while values < 500 {
        let datagram = receive(&socket);
        assert!(datagram.len() <= 1432, "{} bytes", datagram.len());
        values += datagram.lines().count();
    }
    assert_eq!(values, 500);
}

#[test]
fn nobody_who_listens_is_a_warning_and_lost_samples_are_counted() {
    let (socket, address) = listen();
    drop(socket);
    let settings = [("K6_STATSD_BUFFER_SIZE", "10")];
    let (report, log) = run(&format!("statsd={address}"), &settings, samples(25));
    assert_eq!(report.dropped_samples, 25);
    assert!(report.error.is_none(), "the output goes on");
    assert_eq!(
        log,
        ["warning Samples could not be sent Some((\"samples\", \"25\"))"]
    );
}

#[test]
fn a_host_that_does_not_exist_stops_the_run_before_its_start() {
    let setup = Setup {
        registry: Arc::new(Registry::new()),
        options: Arc::new(Options::default()),
        standings: Standings::default(),
        logger: Logger::silent(),
        stdout: Arc::new(Mutex::new(Vec::new())),
    };
    let output = create("statsd=no.such.host.invalid:8125", &Environment::new()).unwrap();
    let error = Outputs::start(vec![output], &setup)
        .unwrap_err()
        .to_string();
    let wanted = "could not create the 'statsd' output: cannot send to no.such.host.invalid:8125: ";
    assert!(error.starts_with(wanted), "{error}");
}
