//! What `cargo xtask bench orchestrator` measures: the orchestrator, a bare fan-out over the same
//! HTTP client, a bare echo, five detectors of constant time, and a load at a fixed rate.

#![expect(
    clippy::print_stdout,
    reason = "a program that tells another one what it found"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use orchestrator::Config;
use orchestrator::config::DetectorSettings;
use serde_json::{Value, json};
use service_runtime::Shutdown;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Http = Client<HttpConnector, Full<Bytes>>;

const DETECTORS: usize = 5;
const TAKES: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["detectors"] => detectors().await?,
        ["orchestrator", cache, ref urls @ ..] => orchestrator(cache == "cached", urls).await?,
        ["fan-out", ref urls @ ..] => fan_out(urls).await?,
        ["echo"] => {
            let router = Router::new().route("/orchestrate", post(|body: Bytes| async { body }));
            println!("{}", serve(router).await?);
        }
        ["load", address, rate, seconds] => {
            let seconds = seconds.parse()?;
            println!("{}", load(address.parse()?, rate.parse()?, seconds).await?);
            return Ok(());
        }
        _ => return Err("use detectors, orchestrator, fan-out, echo or load".into()),
    }
    std::future::pending().await
}

async fn serve(router: Router) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(service_runtime::serve(listener, router, Shutdown::new()));
    Ok(address)
}

/// Answers that nothing was found, after a constant time.
async fn detectors() -> Outcome {
    let detect = |body: Bytes| async move {
        let id = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|body| Some(body.get("request_id")?.as_str()?.to_owned()));
        sleep(TAKES).await;
        axum::Json(json!({
            "request_id": id, "detector": "bench", "output": "clean", "confidence": 0.9,
            "detections": [], "processing_time_ms": 20,
        }))
    };
    let health = axum::routing::get(|| async { "{}" });
    for _ in 0..DETECTORS {
        let router = Router::new()
            .route("/detect", post(detect))
            .route("/health", health.clone());
        println!("http://{}/detect", serve(router).await?);
    }
    Ok(())
}

async fn orchestrator(cached: bool, urls: &[&str]) -> Outcome {
    let named = urls.iter().enumerate();
    let detectors = named.map(|(n, url)| DetectorSettings::new(&format!("d{n}"), url));
    let mut config = Config {
        detectors: detectors.collect::<Result<_, _>>()?,
        ..Config::default()
    };
    config.cache.enabled = cached;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    tokio::spawn(orchestrator::run(config, listener, Shutdown::new()));
    Ok(())
}

/// The least that a fan-out can do: sends the body to all, reads all answers, sends them back.
async fn fan_out(urls: &[&str]) -> Outcome {
    let urls: Arc<[http::Uri]> = urls.iter().map(|it| it.parse()).collect::<Result<_, _>>()?;
    let client = client();
    let ask = move |body: Bytes| {
        let (client, urls) = (client.clone(), urls.clone());
        async move {
            let calls = urls.iter().map(|url| async {
                let request = Request::post(url.clone())
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(Full::new(body.clone()))
                    .expect("a request");
                let answer = client.request(request).await.expect("an answer");
                answer
                    .into_body()
                    .collect()
                    .await
                    .expect("a body")
                    .to_bytes()
            });
            join_all(calls).await.concat()
        }
    };
    println!(
        "{}",
        serve(Router::new().route("/orchestrate", post(ask))).await?
    );
    Ok(())
}

fn client() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(4_096)
        .build(connector)
}

/// Requests at a fixed rate, each with other content. Latencies in microseconds: as the client
/// sees them, and without the time that `Server-Timing` says was spent waiting for detectors.
async fn load(address: SocketAddr, rate_per_s: f64, seconds: f64) -> Outcome<Value> {
    let client = client();
    let begun = Instant::now() + Duration::from_millis(100);
    let tasks: Vec<_> = (0..(rate_per_s * seconds) as usize)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                sleep_until(begun + Duration::from_secs_f64(n as f64 / rate_per_s)).await;
                let body = json!({
                    "content": format!("message {n}"), "content_type": "text", "tenant_id": "t",
                });
                let request = Request::post(format!("http://{address}/orchestrate"))
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(Full::new(Bytes::from(body.to_string())))
                    .expect("a request");
                let sent = Instant::now();
                let answer = client.request(request).await.ok()?;
                let (parts, body) = answer.into_parts();
                body.collect().await.ok()?;
                let took = sent.elapsed();
                let timing = parts.headers.get("server-timing");
                let waited = timing.and_then(|it| detectors_ms(it.to_str().ok()?));
                let waited = Duration::from_secs_f64(waited.unwrap_or(0.0) / 1e3);
                parts
                    .status
                    .is_success()
                    .then(|| (took, took.saturating_sub(waited)))
            })
        })
        .collect();
    let (mut all, mut over, mut failed) = (Vec::new(), Vec::new(), 0);
    for task in tasks {
        match task.await? {
            Some((took, rest)) => {
                all.push(took);
                over.push(rest);
            }
            None => failed += 1,
        }
    }
    Ok(json!({
        "failed": failed, "requests": all.len() + failed,
        "latency_us": quantiles(all), "overhead_us": quantiles(over),
    }))
}

fn detectors_ms(timing: &str) -> Option<f64> {
    timing
        .split(", ")
        .find_map(|part| part.strip_prefix("detectors;dur="))?
        .parse()
        .ok()
}

fn quantiles(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times
            .get(place.min(times.len().saturating_sub(1)))
            .map(Duration::as_micros)
    };
    json!({ "p50": at(0.5).unwrap_or(0), "p99": at(0.99).unwrap_or(0) })
}
