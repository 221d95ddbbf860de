//! The requests of the OpenTelemetry output, sent to a collector in this process.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use load_engine::log::Logger;
use load_engine::options::Options;
use load_metrics::{Contains, Kind, Registry, Sample, Tags, UnixNanos};
use load_outputs::opentelemetry::wire::{ExportRequest, KeyValue, Metric};
use load_outputs::opentelemetry::{Config, OpenTelemetry};
use load_outputs::{Environment, Outputs, RunEnd, Setup};
use prost::Message;

fn samples(registry: &Registry) -> Vec<Sample> {
    let taken: [(&str, Kind, Contains, &[f64]); 4] = [
        ("mine", Kind::Counter, Contains::Default, &[1.0, 2.5]),
        ("level", Kind::Gauge, Contains::Data, &[4.0, 2.0]),
        ("share", Kind::Rate, Contains::Default, &[1.0, 0.0, 1.0]),
        (
            "times",
            Kind::Trend,
            Contains::Time,
            &[5.0, 5.1, 0.0, 99_999.0],
        ),
    ];
    let mut all = Vec::new();
    for (name, kind, contains, values) in taken {
        let metric = registry.register(name, kind, contains).unwrap();
        all.extend(values.iter().map(|value| Sample {
            metric,
            at: UnixNanos(0),
            value: *value,
            tags: Arc::new([("group", "")].into_iter().collect::<Tags>()),
            metadata: None,
        }));
    }
    all
}

/// Runs the output to its end. Returns its log and whether it failed.
fn run(address: SocketAddr, settings: &[(&str, &str)]) -> (Vec<String>, bool) {
    let registry = Registry::new();
    let batch = samples(&registry);
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let setup = Setup {
        registry: Arc::new(registry),
        options: Arc::new(Options::default()),
        logger: Logger::new(move |line| {
            let text = format!("{} {:?}", line.message, line.fields);
            lines.lock().unwrap().push(text);
        }),
        standings: load_engine::Standings::default(),
        stdout: Arc::new(Mutex::new(Vec::new())),
    };
    let address = address.to_string();
    let usual = [
        ("GRPC_EXPORTER_ENDPOINT", address.as_str()),
        ("GRPC_EXPORTER_INSECURE", "true"),
        ("HTTP_EXPORTER_ENDPOINT", &address),
        ("HTTP_EXPORTER_INSECURE", "true"),
        ("METRIC_PREFIX", "k6_"),
        ("HEADERS", "x-who=me"),
    ];
    let all = usual.iter().chain(settings);
    let environment: Environment = all
        .map(|(name, value)| (format!("K6_OTEL_{name}"), (*value).to_owned()))
        .collect();
    let output = OpenTelemetry::new(Config::read("", &environment).unwrap());
    let outputs = Outputs::start(vec![Box::new(output)], &setup).unwrap();
    outputs.sink().offer(batch);
    let report = outputs.finish(RunEnd::default()).remove(0);
    let log = log.lock().unwrap().clone();
    (log, report.error.is_some())
}

/// Accepts one request over HTTP. Returns its head and body.
fn collect_http(status: u16) -> (SocketAddr, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = read_request(&mut stream);
        let answer =
            format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        request
    });
    (address, thread)
}

fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

/// Accepts one call over gRPC and answers with this status. Returns its path, one header and the message.
fn collect_grpc(status: &'static str) -> (SocketAddr, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let mut seen = None;
            while let Some(call) = connection.accept().await {
                let (request, mut respond) = call.unwrap();
                let (parts, mut body) = request.into_parts();
                let mut message = Vec::new();
                let reading = async {
                    while let Some(chunk) = body.data().await {
                        let chunk = chunk.unwrap();
                        body.flow_control().release_capacity(chunk.len()).unwrap();
                        message.extend(chunk);
                    }
                };
                // The connection makes progress only while the next call is awaited.
                tokio::select! {
                    () = reading => {}
                    _ = connection.accept() => panic!("one call at a time"),
                }
                let head = format!("{} {:?}", parts.uri.path(), parts.headers.get("x-who"));
                seen = Some((head, message));
                let mut stream = respond
                    .send_response(http::Response::new(()), false)
                    .unwrap();
                stream
                    .send_data(Bytes::from_static(&[0; 5]), false)
                    .unwrap();
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", status.parse().unwrap());
                trailers.insert("grpc-message", "said so".parse().unwrap());
                stream.send_trailers(trailers).unwrap();
            }
            seen.expect("there was a call")
        })
    });
    (address, thread)
}

fn by_name(body: &[u8]) -> BTreeMap<String, Metric> {
    let request = ExportRequest::decode(body).unwrap();
    let resource = request.resource_metrics[0].resource.clone().unwrap();
    assert_eq!(resource.attributes[0], KeyValue::new("service.name", "k6"));
    let metrics = request.resource_metrics[0].scope_metrics[0].metrics.iter();
    metrics
        .map(|metric| (metric.name.clone(), metric.clone()))
        .collect()
}

fn check(metrics: &BTreeMap<String, Metric>) {
    let counter = metrics["k6_mine"].sum.clone().unwrap();
    assert!(counter.is_monotonic);
    assert_eq!(counter.data_points[0].value, Some(3.5));
    assert_eq!(
        counter.data_points[0].attributes,
        [KeyValue::new("group", "")]
    );
    let gauge = &metrics["k6_level"];
    assert_eq!(gauge.unit, "By");
    assert_eq!(gauge.gauge.clone().unwrap().data_points[0].value, Some(2.0));
    let share = metrics["k6_share"].sum.clone().unwrap().data_points;
    let counts: Vec<_> = share
        .iter()
        .map(|point| (point.attributes[1].clone(), point.value))
        .collect();
    let condition = |name| KeyValue::new("condition", name);
    let expected = [
        (condition("zero"), Some(1.0)),
        (condition("nonzero"), Some(2.0)),
    ];
    assert_eq!(counts, expected);
    let times = &metrics["k6_times"];
    assert_eq!(times.unit, "ms");
    let point = &times.histogram.clone().unwrap().data_points[0];
    assert_eq!(
        (point.count, point.min, point.max),
        (4, Some(0.0), Some(99_999.0))
    );
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    // 0, then 5, then 5.1, and a value beyond all bounds.
    assert_eq!(point.bucket_counts[..3], [1, 1, 1]);
    assert_eq!(point.bucket_counts.last(), Some(&1));
}

#[test]
fn a_collector_gets_all_metrics_over_http() {
    let (address, collector) = collect_http(200);
    let (log, failed) = run(address, &[("EXPORTER_PROTOCOL", "http/protobuf")]);
    let (head, body) = collector.join().unwrap();
    assert!(head.starts_with("post /v1/metrics "), "{head}");
    assert!(head.contains("x-who: me"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf"),
        "{head}"
    );
    check(&by_name(&body));
    assert_eq!((log, failed), (Vec::new(), false));
}

#[test]
fn a_collector_gets_all_metrics_over_grpc() {
    let (address, collector) = collect_grpc("0");
    let (log, failed) = run(address, &[]);
    let (head, message) = collector.join().unwrap();
    let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    assert_eq!(head, format!("{path} Some(\"me\")"));
    let length = u32::from_be_bytes(message[1..5].try_into().unwrap());
    assert_eq!((message[0], length as usize), (0, message.len() - 5));
    check(&by_name(&message[5..]));
    assert_eq!((log, failed), (Vec::new(), false));
}

#[test]
fn a_collector_that_refuses_makes_the_output_a_failed_one() {
    let (address, collector) = collect_http(503);
    let (log, failed) = run(address, &[("EXPORTER_PROTOCOL", "http/protobuf")]);
    collector.join().unwrap();
    assert!(failed && log[0].contains("got status code: 503"), "{log:?}");
    let (address, collector) = collect_grpc("14");
    let (log, failed) = run(address, &[]);
    collector.join().unwrap();
    assert!(
        failed && log[0].contains("gRPC status 14: said so"),
        "{log:?}"
    );
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let refused = |name: &str, value: &str| {
        let environment = Environment::from([(format!("K6_OTEL_{name}"), value.to_owned())]);
        Config::read("", &environment).unwrap_err().to_string()
    };
    assert!(refused("EXPORTER_PROTOCOL", "carrier-pigeon").contains("carrier-pigeon"));
    assert!(refused("EXPORT_INTERVAL", "soon").contains("soon"));
    assert!(refused("HEADERS", "no pair").contains("no pair"));
    assert!(refused("GRPC_EXPORTER_INSECURE", "maybe").contains("maybe"));
}
