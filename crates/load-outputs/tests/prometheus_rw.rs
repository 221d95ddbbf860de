//! The requests of remote write, sent to a receiver in this process and to a real Prometheus if there is one.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use load_engine::log::Logger;
use load_engine::options::Options;
use load_engine::{Standings, ThresholdResult};
use load_metrics::{Contains, Kind, Registry, Sample, Tags, UnixNanos};
use load_outputs::prometheus_rw::wire::WriteRequest;
use load_outputs::prometheus_rw::{Config, PrometheusRw};
use load_outputs::{Environment, Outputs, RunEnd, Setup};
use prost::Message;
use serde_json::Value;

/// Samples as `(metric, kind, contains, tags, values)`, written as a script would.
type Taken = (
    &'static str,
    Kind,
    Contains,
    &'static [(&'static str, &'static str)],
    &'static [f64],
);

const TAKEN: &[Taken] = &[
    (
        "mine",
        Kind::Counter,
        Contains::Default,
        &[("group", "")],
        &[1.0, 2.5],
    ),
    ("level", Kind::Gauge, Contains::Default, &[], &[4.0, 2.0]),
    (
        "share",
        Kind::Rate,
        Contains::Default,
        &[("a", "b")],
        &[1.0, 0.0, 1.0, 1.0],
    ),
    (
        "times",
        Kind::Trend,
        Contains::Time,
        &[("a", "b")],
        &[5.0, 250.0, 0.25],
    ),
    (
        "plain",
        Kind::Trend,
        Contains::Default,
        &[],
        &[-5.0, 0.0, 10.0, 20.0, 1e6],
    ),
];

fn run(url: &str, settings: &[(&str, &str)]) -> Vec<String> {
    let config = Config::read(url, &environment(settings)).unwrap();
    run_with(config, RunEnd::default())
}

fn environment(settings: &[(&str, &str)]) -> Environment {
    let prefixed =
        |(name, value): &(&str, &str)| (format!("K6_PROMETHEUS_RW_{name}"), (*value).to_owned());
    settings.iter().map(prefixed).collect()
}

fn run_with(config: Config, end: RunEnd) -> Vec<String> {
    let registry = Registry::new();
    let mut batch = Vec::new();
    for (name, kind, contains, tags, values) in TAKEN {
        let metric = registry.register(name, *kind, *contains).unwrap();
        for value in *values {
            let tags: Tags = tags.iter().copied().collect();
            batch.push(Sample {
                metric,
                at: UnixNanos(0),
                value: *value,
                tags: Arc::new(tags),
                metadata: None,
            });
        }
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let setup = Setup {
        registry: Arc::new(registry),
        options: Arc::new(Options {
            tags: Some([("team".to_owned(), "a".to_owned())].into()),
            ..Options::default()
        }),
        standings: Standings::default(),
        logger: Logger::new(move |line| {
            lines
                .lock()
                .unwrap()
                .push(format!("{} {:?}", line.message, line.fields));
        }),
        stdout: Arc::new(Mutex::new(Vec::new())),
    };
    let output = PrometheusRw::new(config);
    let outputs = Outputs::start(vec![Box::new(output)], &setup).unwrap();
    outputs.sink().offer(batch);
    outputs.finish(end);
    log.lock().unwrap().clone()
}

/// A thread that returns the heads and bodies of all requests.
type Receiving = std::thread::JoinHandle<Vec<(String, Vec<u8>)>>;

/// Accepts `requests` requests, answers each with `status`, and returns their heads and bodies.
fn receive(requests: usize, status: u16) -> (String, Receiving) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/write", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        (0..requests)
            .map(|_| {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read_request(&mut stream);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwell"
                );
                stream.write_all(answer.as_bytes()).unwrap();
                request
            })
            .collect()
    });
    (url, thread)
}

fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part).unwrap();
        all.extend(&part[..read]);
        let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse::<usize>().unwrap());
        if all.len() >= end + 4 + length {
            return (head, all.split_off(end + 4));
        }
    }
}

/// Series by their labels, `k6_mine_total{a=b}`, and their values.
fn decode(body: &[u8]) -> BTreeMap<String, f64> {
    let body = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    let request = WriteRequest::decode(body.as_slice()).unwrap();
    let series = request.timeseries.iter().map(|series| {
        assert!(series.labels.is_sorted(), "receivers want labels in order");
        let named = series.labels.iter().find(|label| label.name == "__name__");
        let others = series
            .labels
            .iter()
            .filter(|label| label.name != "__name__");
        let others: Vec<_> = others
            .map(|label| format!("{}={}", label.name, label.value))
            .collect();
        let name = format!("{}{{{}}}", named.unwrap().value, others.join(","));
        (
            name,
            series
                .samples
                .first()
                .map_or(f64::NAN, |sample| sample.value),
        )
    });
    series.collect()
}

#[test]
fn every_metric_becomes_the_series_that_k6_makes() {
    let (url, received) = receive(1, 204);
    let stats = "count,sum,min,max,avg,med,p(95),p(99.9)";
    let settings = [
        ("TREND_STATS", stats),
        ("USERNAME", "u"),
        ("PASSWORD", "p"),
        ("HTTP_HEADERS", "X-Who:me"),
    ];
    assert_eq!(run(&url, &settings), [""; 0]);
    let (head, body) = received.join().unwrap().remove(0);
    for line in [
        "post /api/v1/write http/1.1",
        "content-encoding: snappy",
        "content-type: application/x-protobuf",
        "x-prometheus-remote-write-version: 0.1.0",
        "x-who: me",
        "authorization: basic dtpw",
    ] {
        assert!(head.contains(line), "no {line:?} in {head}");
    }
    let found = decode(&body);
    let wanted = [
        ("k6_mine_total{}", 3.5),
        ("k6_level{}", 2.0),
        ("k6_share_rate{a=b}", 0.75),
        ("k6_times_count{a=b}", 3.0),
        ("k6_times_sum{a=b}", 0.255_25),
        ("k6_times_min{a=b}", 0.000_25),
        ("k6_times_max{a=b}", 0.25),
        ("k6_times_avg{a=b}", 0.255_25 / 3.0),
        ("k6_times_med{a=b}", 0.005),
        ("k6_times_p95{a=b}", 0.225_5),
        ("k6_times_p999{a=b}", 0.249_51),
        ("k6_plain_med{}", 10.0),
        ("k6_plain_sum{}", 1_000_025.0),
    ];
    for (name, value) in wanted {
        let is = found
            .get(name)
            .copied()
            .unwrap_or_else(|| panic!("no {name} in {found:?}"));
        assert!((is - value).abs() < 1e-9, "{name} is {is}, not {value}");
    }
    assert_eq!(found.len(), 3 + 2 * 8);
}

#[test]
fn with_stale_markers_a_second_push_ends_every_series() {
    let (url, received) = receive(2, 200);
    assert_eq!(run(&url, &[("STALE_MARKERS", "true")]), [""; 0]);
    let bodies = received.join().unwrap();
    let (first, last) = (decode(&bodies[0].1), decode(&bodies[1].1));
    assert!(first.keys().eq(last.keys()));
    let stale = |value: &f64| value.to_bits() == 0x7ff0_0000_0000_0002;
    assert!(last.values().all(stale), "{last:?}");
}

/// The series of `-o prometheus` for a run with two thresholds, one of them on a metric without samples.
fn run_ours(url: &str, settings: &[(&str, &str)]) -> Vec<String> {
    let threshold = |metric: &str, expression: &str, observed| ThresholdResult {
        metric: metric.to_owned(),
        expression: expression.to_owned(),
        passed: false,
        observed,
    };
    let end = RunEnd {
        thresholds: vec![
            threshold("times", "p(95)<200", Some(225.5)),
            threshold("never", "max<1", None),
        ],
        ..RunEnd::default()
    };
    let named = "20260814T093000Z".to_owned();
    run_with(
        Config::read_ours(url, &environment(settings), named).unwrap(),
        end,
    )
}

#[test]
fn ours_names_the_test_shows_thresholds_and_ends_all_series() {
    let (url, received) = receive(2, 200);
    assert_eq!(run_ours(&url, &[]), [""; 0]);
    let bodies = received.join().unwrap();
    let (first, last) = (decode(&bodies[0].1), decode(&bodies[1].1));
    let threshold =
        "k6_threshold_ok{metric=times,team=a,testid=20260814T093000Z,threshold=p(95)<200}";
    let wanted = [
        threshold,
        "k6_mine_total{testid=20260814T093000Z}",
        "k6_plain{testid=20260814T093000Z}",
        "k6_times_seconds{a=b,testid=20260814T093000Z}",
    ];
    for name in wanted {
        assert!(first.contains_key(name), "no {name} in {first:?}");
    }
    assert_eq!(first[threshold], 0.0);
    // One more for the threshold, and two for the counts of the rate.
    assert_eq!(first.len(), TAKEN.len() + 3, "{first:?}");
    assert!(first.keys().eq(last.keys()));
    let stale = |value: &f64| value.to_bits() == 0x7ff0_0000_0000_0002;
    assert!(last.values().all(stale), "{last:?}");
    // Variables take precedence.
    let (url, received) = receive(1, 200);
    let settings = [
        ("STALE_MARKERS", "false"),
        ("TREND_AS_NATIVE_HISTOGRAM", "0"),
    ];
    assert_eq!(run_ours(&url, &settings), [""; 0]);
    let only = decode(&received.join().unwrap().remove(0).1);
    assert!(
        only.contains_key("k6_times_p99{a=b,testid=20260814T093000Z}"),
        "{only:?}"
    );
}

#[test]
fn a_receiver_that_refuses_is_logged_and_does_not_end_the_run() {
    let (url, received) = receive(1, 400);
    let log = run(&url, &[]);
    received.join().unwrap();
    // The log has the failed push, and the failure of the output as a whole.
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[0].starts_with("Failed to send the time series data to the endpoint"));
    assert!(log[0].contains("got status code: 400"), "{}", log[0]);
}

#[test]
fn a_real_prometheus_takes_stats_and_native_histograms() {
    let Some(prometheus) = Prometheus::start() else {
        return;
    };
    let url = format!("http://{}/api/v1/write", prometheus.address);
    assert_eq!(run(&url, &[("TREND_STATS", "p(95),count")]), [""; 0]);
    assert_eq!(run(&url, &[("TREND_AS_NATIVE_HISTOGRAM", "true")]), [""; 0]);
    let value = |query: &str| {
        prometheus.query(query)["value"][1]
            .as_str()
            .map(str::to_owned)
    };
    assert_eq!(value("k6_mine_total").as_deref(), Some("3.5"));
    assert_eq!(
        value("k6_times_p95{a=\"b\"}").as_deref(),
        Some("0.22549999999999998")
    );
    assert_eq!(value("k6_plain_count").as_deref(), Some("5"));
    let times = prometheus.query("k6_times_seconds")["histogram"][1].clone();
    assert_eq!(times["count"], "3");
    // The bounds that Prometheus shows when k6 writes the same values.
    assert_eq!(
        times["buckets"][2],
        serde_json::json!([0, "0.22925101080116778", "0.25", "1"])
    );
    let plain = prometheus.query("k6_plain")["histogram"][1].clone();
    assert_eq!(plain["count"], "5");
    assert_eq!(
        plain["buckets"][0],
        serde_json::json!([1, "-5.187358218604039", "-4.756828460010884", "1"])
    );
    let zero = "2.938735877055719e-39";
    assert_eq!(
        plain["buckets"][1],
        serde_json::json!([3, format!("-{zero}"), zero, "1"])
    );
}

#[test]
fn series_of_ours_are_there_during_the_run_and_gone_after_it() {
    let Some(prometheus) = Prometheus::start() else {
        return;
    };
    let url = format!("http://{}/api/v1/write", prometheus.address);
    assert_eq!(run_ours(&url, &[]), [""; 0]);
    for query in ["k6_mine_total", "k6_threshold_ok", "k6_times_seconds"] {
        let now = prometheus.query(query);
        assert_eq!(now, Value::Null, "{query} has ended with the run");
        let before = prometheus.query(&format!("count_over_time({query}[1m])"));
        assert_eq!(
            before["metric"]["testid"], "20260814T093000Z",
            "{query}: {before}"
        );
    }
    let threshold = prometheus.query("min_over_time(k6_threshold_ok[1m])");
    assert_eq!(threshold["value"][1], "0");
    assert_eq!(threshold["metric"]["threshold"], "p(95)<200");
}

struct Prometheus {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// `None` with a message if there is none; with `REQUIRE_PROMETHEUS` this is a failure.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("p.yml"),
            "global: {scrape_interval: 1h}\n",
        )
        .unwrap();
        let address = {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().to_string()
        };
        let process = Command::new("prometheus")
            .current_dir(folder.path())
            .args(["--config.file=p.yml", "--web.enable-remote-write-receiver"])
            .args([
                "--enable-feature=native-histograms",
                "--storage.tsdb.path=data",
            ])
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .inspect_err(|error| {
                let required = std::env::var_os("REQUIRE_PROMETHEUS").is_some();
                assert!(!required, "there is no prometheus: {error}");
                eprintln!("skipped: there is no prometheus: {error}");
            })
            .ok()?;
        let prometheus = Self {
            process,
            address,
            _folder: folder,
        };
        let limit = Instant::now() + Duration::from_secs(60);
        while !prometheus.get("/-/ready").contains("200 OK") {
            assert!(Instant::now() < limit, "prometheus does not get ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(prometheus)
    }

    fn get(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(&self.address) else {
            return String::new();
        };
        let request = format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n");
        let mut answer = String::new();
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// The first result of a query.
    fn query(&self, query: &str) -> Value {
        let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={query}"));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        body["data"]["result"][0].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
