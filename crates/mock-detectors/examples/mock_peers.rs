//! The programs that `cargo xtask bench mock` measures: the mock, bare axum and bare hyper with the same
//! contract, and a client that checks delays with its own clock.
//!
//! `mock_peers serve mock|axum|hyper` prints its address and serves until its input ends.
//! `mock_peers delay ADDRESS CONNECTIONS RATE SECONDS DELAY_MS` prints the lateness of responses as JSON.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use detector_api::detect::{DetectRequest, DetectResponse};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mock_detectors::{Config, Fleet};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", peer] => serve(peer).await,
        ["delay", address, connections, rate, seconds, delay_ms] => {
            let asking = Asking {
                connections: connections.parse()?,
                rate: rate.parse()?,
                length: Duration::from_secs(seconds.parse()?),
                delay: Duration::from_millis(delay_ms.parse()?),
            };
            delay(address.parse()?, asking).await
        }
        _ => Err("use serve PEER or delay ADDRESS CONNECTIONS RATE SECONDS DELAY_MS".into()),
    }
}

async fn serve(peer: &str) -> Outcome {
    let mut kept = None;
    let address = match peer {
        "mock" => {
            let fleet =
                Fleet::start([Config::new("mock", fault_profile::Profile::default())]).await?;
            let address = fleet.address("mock").ok_or("just started")?;
            kept = Some(fleet);
            address
        }
        "axum" => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let router = Router::new().route("/detect", post(axum_detect));
            tokio::spawn(async move { axum::serve(listener, router).await });
            address
        }
        "hyper" => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            tokio::spawn(serve_hyper(listener));
            address
        }
        _ => return Err(format!("there is no peer {peer}").into()),
    };
    let mut output = std::io::stdout().lock();
    writeln!(output, "{address}")?;
    output.flush()?;
    let end =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    end.await??;
    drop(kept);
    Ok(())
}

fn answer(request: DetectRequest) -> DetectResponse<'static> {
    DetectResponse {
        request_id: request
            .request_id
            .map_or(Cow::Borrowed("req-1"), Cow::Owned),
        detector: "bare".into(),
        output: "clean".into(),
        confidence: 0.97,
        detections: Vec::new(),
        processing_time_ms: 0,
    }
}

async fn axum_detect(Json(request): Json<DetectRequest>) -> Json<DetectResponse<'static>> {
    Json(answer(request))
}

async fn serve_hyper(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream.set_nodelay(true));
        let service = service_fn(|request: Request<Incoming>| async {
            let body = request
                .into_body()
                .collect()
                .await
                .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
            let response = serde_json::from_slice(&body).map(answer);
            let bytes = response
                .and_then(|response| serde_json::to_vec(&response))
                .unwrap_or_default();
            let mut response = Response::new(Full::new(Bytes::from(bytes)));
            let json = hyper::header::HeaderValue::from_static("application/json");
            response
                .headers_mut()
                .insert(hyper::header::CONTENT_TYPE, json);
            Ok::<_, Infallible>(response)
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// The load of the delay check.
#[derive(Clone, Copy)]
struct Asking {
    connections: u32,
    rate: u32,
    length: Duration,
    /// The delay after which a response is due.
    delay: Duration,
}

/// The time after which a response counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends requests at a constant rate over this many connections. Returns the lateness of each response by this
/// process's clock, and by the response's own header, if present.
async fn delay(address: SocketAddr, asking: Asking) -> Outcome {
    let request = Arc::new(request());
    let mut streams = Vec::new();
    for _ in 0..asking.connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let begin = Instant::now() + Duration::from_millis(500);
    let period = Duration::from_secs_f64(f64::from(asking.connections) / f64::from(asking.rate));
    let mut tasks = Vec::new();
    for (place, mut stream) in streams.into_iter().enumerate() {
        let request = request.clone();
        let first = begin + period.mul_f64(place as f64 / f64::from(asking.connections));
        tasks.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut at = first;
            while at < begin + asking.length {
                tokio::time::sleep_until(at.into()).await;
                let sent = Instant::now();
                stream.write_all(&request).await?;
                let text = tokio::time::timeout(PATIENCE, read_answer(&mut stream)).await??;
                let by_client = micros(sent.elapsed()) - micros(asking.delay);
                let value = |name: &str| -> Option<i64> {
                    let from = text.find(name)? + name.len();
                    text[from..].split([';', '\r']).next()?.parse().ok()
                };
                let own = value("planned_us=").zip(value("actual_us="));
                seen.push((own.map(|(planned, actual)| actual - planned), by_client));
                at += period;
            }
            Ok::<_, std::io::Error>(seen)
        }));
    }
    let (mut own, mut outside) = (Vec::new(), Vec::new());
    for task in tasks {
        for (by_mock, by_client) in task.await?? {
            own.extend(by_mock);
            outside.push(by_client);
        }
    }
    let report = json!({ "answers": outside.len(), "by_mock_us": quantiles(own), "by_client_us": quantiles(outside) });
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

fn micros(time: Duration) -> i64 {
    time.as_micros() as i64
}

fn request() -> Vec<u8> {
    let body = r#"{"content":"hello there"}"#;
    let head = "POST /detect HTTP/1.1\r\nhost: mock\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn read_answer(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && is_complete(head, body)
        {
            return Ok(text.into_owned());
        }
    }
}

/// Whether a body is complete: by its length, or by its last chunk.
fn is_complete(head: &str, body: &str) -> bool {
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let length = value.trim().parse::<usize>().ok()?;
        name.eq_ignore_ascii_case("content-length")
            .then_some(length)
    });
    length.map_or_else(
        || body.ends_with("\r\n0\r\n\r\n"),
        |length| body.len() >= length,
    )
}

fn quantiles(mut values: Vec<i64>) -> serde_json::Value {
    values.sort_unstable();
    let at = |q: f64| {
        values.get(((values.len() as f64 * q) as usize).min(values.len().saturating_sub(1)))
    };
    json!({ "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": values.last() })
}
