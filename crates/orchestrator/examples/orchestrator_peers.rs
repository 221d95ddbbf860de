//! The programs that `cargo xtask bench orchestrator` measures: the orchestrator, a simple fan-out with the
//! same HTTP client and the same threads, a bare echo, five detectors with constant time, and a load at a fixed
//! rate.

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
use futures_util::future::try_join_all;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use orchestrator::Config;
use orchestrator::config::DetectorSettings;
use serde_json::{Value, json};
use service_runtime::allocator::BySize;
use service_runtime::serve::HEAD;
use service_runtime::threads::{cores, place};
use service_runtime::{Serving, Shutdown, Stop, Threads, serve_within};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The allocator of the binary, for all peers.
#[global_allocator]
static ALLOCATOR: BySize = BySize;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Http = Client<HttpConnector, Full<Bytes>>;

const DETECTORS: usize = 5;
const TAKES: Duration = Duration::from_millis(20);
/// How long the load waits for a response.
const PATIENCE: Duration = Duration::from_secs(2);
/// The maximum number of concurrent requests of the generator. Without a bound, a machine that cannot keep up
/// would run out of file descriptors, and the measurement would not end.
const UNDER_WAY: usize = 500;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut runtime = match arguments.first() {
        // The generator and the detectors should use little of the cores themselves.
        Some(&("load" | "detectors")) => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(play(&arguments))
}

async fn play(arguments: &[&str]) -> Outcome {
    match arguments {
        ["detectors"] => detectors().await?,
        ["orchestrator", cache, urls @ ..] => orchestrator(*cache == "cached", urls).await?,
        ["fan-out", urls @ ..] => fan_out(urls, Threads::none()).await?,
        ["fan-out-threads", urls @ ..] => fan_out(urls, per_core()?).await?,
        ["echo"] => {
            let router = Router::new().route("/orchestrate", post(|body: Bytes| async { body }));
            println!("{}", serve(router, Threads::none()).await?);
        }
        ["load", address, rate, seconds, first] => {
            let load = Load {
                url: format!("http://{address}/orchestrate").parse()?,
                rate_per_s: rate.parse()?,
                seconds: seconds.parse()?,
                first: first.parse()?,
            };
            println!("{}", load.run().await?);
            return Ok(());
        }
        _ => {
            return Err(
                "use detectors, orchestrator, fan-out, fan-out-threads, echo or load".into(),
            );
        }
    }
    std::future::pending().await
}

async fn serve(router: Router, threads: Threads) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let serving = Serving {
            head: HEAD,
            stop: Stop::at(Shutdown::new()),
            threads: &threads,
        };
        serve_within(listener, router, serving).await
    });
    Ok(address)
}

/// As in the orchestrator.
fn per_core() -> Outcome<Threads> {
    Ok(Threads::start(cores(), "fan-out")?)
}

/// Responds after a constant time that nothing was found. The real duration in seconds is returned as the
/// confidence, the one field that every peer passes on unchanged.
async fn detectors() -> Outcome {
    let detect = |body: Bytes| async move {
        let begun = Instant::now();
        let id = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|body| Some(body.get("request_id")?.as_str()?.to_owned()));
        sleep(TAKES).await;
        axum::Json(json!({
            "request_id": id, "detector": "bench", "output": "clean",
            "confidence": begun.elapsed().as_secs_f64().min(1.0),
            "detections": [], "processing_time_ms": 20,
        }))
    };
    let health = axum::routing::get(|| async { "{}" });
    for _ in 0..DETECTORS {
        let router = Router::new()
            .route("/detect", post(detect))
            .route("/health", health.clone());
        println!("http://{}/detect", serve(router, Threads::none()).await?);
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
    // As the binary does by default.
    config.threads = cores();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    tokio::spawn(orchestrator::run(config, listener, Shutdown::new()));
    Ok(())
}

/// A minimal fan-out: sends the body to all detectors, reads all responses, sends them back.
async fn fan_out(urls: &[&str], threads: Threads) -> Outcome {
    let urls: Arc<[http::Uri]> = urls.iter().map(|it| it.parse()).collect::<Result<_, _>>()?;
    let clients: Arc<[Http]> = (0..=threads.count()).map(|_| client()).collect();
    let ask = move |body: Bytes| {
        let (clients, urls) = (clients.clone(), urls.clone());
        async move {
            let client = &clients[place()];
            let calls = urls.iter().map(|url| async {
                let request = Request::post(url.clone())
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(Full::new(body.clone()))
                    .expect("a request");
                let answer = client.request(request).await.map_err(drop)?;
                let body = answer.into_body().collect().await.map_err(drop)?;
                Ok::<Bytes, ()>(body.to_bytes())
            });
            match timeout(PATIENCE, try_join_all(calls)).await {
                Ok(Ok(answers)) => Ok(answers.concat()),
                Ok(Err(())) => Err(StatusCode::BAD_GATEWAY),
                Err(_) => Err(StatusCode::GATEWAY_TIMEOUT),
            }
        }
    };
    let router = Router::new().route("/orchestrate", post(ask));
    println!("{}", serve(router, threads).await?);
    Ok(())
}

fn client() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(512)
        .build(connector)
}

/// Requests at a fixed rate, each with different content: from number `first` on.
struct Load {
    url: http::Uri,
    rate_per_s: f64,
    seconds: f64,
    first: usize,
}

/// The result of one request.
struct Sent {
    /// The delay of its start.
    late: Duration,
    /// The latency that the client sees, and the same without the time of the slowest detector; `None` if it
    /// failed.
    took: Option<(Duration, Duration)>,
}

impl Load {
    /// Latencies in microseconds, and the accuracy of the schedule. Ends at most `PATIENCE` after the last
    /// request; requests beyond `UNDER_WAY` at once are not sent.
    async fn run(self) -> Outcome<Value> {
        let client = client();
        let places = Arc::new(Semaphore::new(UNDER_WAY));
        let begun = Instant::now() + Duration::from_millis(100);
        let (mut tasks, mut skipped) = (JoinSet::new(), 0);
        for n in 0..(self.rate_per_s * self.seconds) as usize {
            let due = begun + Duration::from_secs_f64(n as f64 / self.rate_per_s);
            sleep_until(due).await;
            let Ok(place) = places.clone().try_acquire_owned() else {
                skipped += 1;
                continue;
            };
            let (client, url, n) = (client.clone(), self.url.clone(), self.first + n);
            tasks.spawn(async move {
                let _place = place;
                let late = due.elapsed();
                let took = timeout(PATIENCE, send(&client, url, n)).await;
                Sent {
                    late,
                    took: took.ok().flatten(),
                }
            });
        }
        let all = tasks.join_all().await;
        let took: Vec<_> = all.iter().filter_map(|it| it.took).collect();
        Ok(json!({
            "answered": took.len(), "failed": all.len() - took.len(), "skipped": skipped,
            "latency_us": quantiles(took.iter().map(|it| it.0).collect()),
            "overhead_us": quantiles(took.iter().map(|it| it.1).collect()),
            "late_us": quantiles(all.iter().map(|it| it.late).collect()),
        }))
    }
}

async fn send(client: &Http, url: http::Uri, n: usize) -> Option<(Duration, Duration)> {
    let body = json!({
        "content": format!("message {n}"), "content_type": "text", "tenant_id": "t",
    });
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a request");
    let sent = Instant::now();
    let answer = client.request(request).await.ok()?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    let took = sent.elapsed();
    let slowest = slowest(std::str::from_utf8(&body).ok()?)?;
    let whole = parts.status == StatusCode::OK;
    whole.then(|| (took, took.saturating_sub(slowest)))
}

/// The longest duration that a detector reports; `None` unless all report one.
fn slowest(answer: &str) -> Option<Duration> {
    let said: Vec<f64> = answer
        .split("\"confidence\":")
        .skip(1)
        .filter_map(|rest| rest.split([',', '}']).next()?.trim().parse().ok())
        .collect();
    (said.len() >= DETECTORS).then(|| Duration::from_secs_f64(said.into_iter().fold(0.0, f64::max)))
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
