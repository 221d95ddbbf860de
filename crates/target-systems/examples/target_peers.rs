//! Measurements of `cargo xtask bench target`: the simulated systems beside bare axum, a client that sends
//! requests at a rate, and the network alone in virtual time.
//!
//! `target_peers serve lab|aiaas|axum` prints its address and serves until its input ends.
//! `target_peers ask ADDRESS SYSTEM CONNECTIONS RATE SECONDS` prints statuses and lateness as JSON.
//! `target_peers events REQUESTS` prints the time that an event takes as JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use service_runtime::Shutdown;
use service_runtime::allocator::BySize;
use target_systems::network::{Arrival, Detail, Key, Network};
use target_systems::serve::{Config, run};
use target_systems::truth::requests;
use target_systems::{System, systems};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

// The same allocator as in the distributed binary.
#[global_allocator]
static ALLOCATOR: BySize = BySize;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", peer] => serve(peer).await,
        ["ask", address, system, connections, rate, seconds] => {
            let asking = Asking {
                connections: connections.parse()?,
                rate: rate.parse()?,
                length: Duration::from_secs(seconds.parse()?),
            };
            ask(address.parse()?, questions(system)?, asking).await
        }
        ["events", requests] => events(requests.parse()?),
        _ => Err(
            "use serve PEER, ask ADDRESS SYSTEM CONNECTIONS RATE SECONDS or events REQUESTS".into(),
        ),
    }
}

fn shipped(name: &str) -> Result<System, String> {
    let text = systems::text(name).ok_or_else(|| format!("there is no system {name}"))?;
    System::read(text).map_err(|invalid| invalid.to_string())
}

async fn serve(peer: &str) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = Shutdown::new();
    if peer == "axum" {
        let router = Router::new().route("/md1", get(|| async { Json(json!({ "ok": true })) }));
        tokio::spawn(async move { axum::serve(listener, router).await });
    } else {
        tokio::spawn(run(Config::new(shipped(peer)?), listener, shutdown.clone()));
    }
    let mut output = std::io::stdout().lock();
    writeln!(output, "{address}")?;
    output.flush()?;
    let end =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    end.await??;
    shutdown.cancel();
    Ok(())
}

/// Requests of the first mix of a system with their shares, as bytes to send; for the lab, a single one.
fn questions(name: &str) -> Result<Vec<(f64, Vec<u8>)>, String> {
    if name == "lab" {
        return Ok(vec![(1.0, request("GET /md1", &Value::Null))]);
    }
    let system = shipped(name)?;
    let document = &system.document;
    let mix = document.mixes.values().next().ok_or("no mix")?;
    let weights: f64 = mix.values().map(|entry| entry.weight).sum();
    let mut questions = Vec::new();
    for (endpoint, entry) in mix {
        let endpoint = &document.endpoints[endpoint];
        let example = endpoint.examples.first();
        let body = example.map_or(&Value::Null, |example| &example.body);
        let mut route = endpoint.route.clone();
        for (name, value) in example.into_iter().flat_map(|one| &one.path) {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            route = route.replace(&format!("{{{name}}}"), &text);
        }
        // Parameters that no example sets get the value `one`.
        while let Some((before, after)) = route.split_once('{') {
            let rest = after.split_once('}').map_or("", |(_, rest)| rest);
            route = format!("{before}one{rest}");
        }
        questions.push((entry.weight / weights, request(&route, body)));
    }
    Ok(questions)
}

fn request(route: &str, body: &Value) -> Vec<u8> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let head = format!("{route} HTTP/1.1\r\nhost: target\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The parameters of the client.
#[derive(Clone, Copy)]
struct Asking {
    connections: u32,
    rate: u32,
    length: Duration,
}

/// A response that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// A response as seen by the client: its status, and its lateness in µs by the client's clock and by the
/// response's own header.
struct Seen {
    status: u16,
    by_client_us: Option<i64>,
    by_target_us: Option<i64>,
}

async fn ask(address: SocketAddr, questions: Vec<(f64, Vec<u8>)>, asking: Asking) -> Outcome {
    let questions = Arc::new(questions);
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
        let questions = questions.clone();
        let mut at = begin + period.mul_f64(place as f64 / f64::from(asking.connections));
        tasks.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut draw = Draw(place as u64);
            while at < begin + asking.length {
                tokio::time::sleep_until(at.into()).await;
                let question = chosen(&questions, draw.next());
                let sent = Instant::now();
                stream.write_all(question).await?;
                let head = tokio::time::timeout(PATIENCE, read_answer(&mut stream)).await??;
                seen.push(told(&head, sent.elapsed()));
                at += period;
            }
            Ok::<_, std::io::Error>(seen)
        }));
    }
    let mut seen = Vec::new();
    for task in tasks {
        seen.extend(task.await??);
    }
    report(&seen)
}

/// Knuth's linear congruential generator, which is good enough for a mix.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn chosen(questions: &[(f64, Vec<u8>)], unit: f64) -> &[u8] {
    let mut up_to = 0.0;
    let found = questions.iter().find(|(share, _)| {
        up_to += share;
        unit < up_to
    });
    found.map_or(&questions[0].1, |(_, question)| question)
}

fn told(head: &str, took: Duration) -> Seen {
    let value = |name: &str| -> Option<i64> {
        let from = head.find(name)? + name.len();
        head[from..].split([';', '\r']).next()?.parse().ok()
    };
    let due = value("planned_us=")
        .zip(value("queued_us="))
        .map(|(planned, queued)| planned + queued);
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    Seen {
        status: status.unwrap_or(0),
        by_client_us: due.map(|due| took.as_micros() as i64 - due),
        by_target_us: due
            .zip(value("actual_us="))
            .map(|(due, actual)| actual - due),
    }
}

fn report(seen: &[Seen]) -> Outcome {
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for one in seen {
        *statuses.entry(one.status).or_default() += 1;
    }
    let report = json!({
        "answers": seen.len(),
        "statuses": statuses,
        "by_client_us": quantiles(seen.iter().filter_map(|one| one.by_client_us).collect()),
        "by_target_us": quantiles(seen.iter().filter_map(|one| one.by_target_us).collect()),
    });
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

fn quantiles(mut values: Vec<i64>) -> Value {
    values.sort_unstable();
    let at = |share: f64| values.get((values.len().saturating_sub(1) as f64 * share) as usize);
    json!({ "p50": at(0.5), "p99": at(0.99), "max": values.last() })
}

/// Reads the head of a response whose body has arrived.
async fn read_answer(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::with_capacity(2_048);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<usize>().ok())?
        });
        if bytes.len() >= end + 4 + length.unwrap_or(0) {
            return Ok(head);
        }
    }
}

/// The network alone: nanoseconds of an event, at half of the capacity of a system.
fn events(count: u64) -> Outcome {
    let mut found = serde_json::Map::new();
    for (name, mix, rate) in [
        ("lab", "mm1", 50.0),
        ("aiaas", "aiaas_user", 2_500.0),
        ("acso", "mixed", 100.0),
        ("acis", "api_user", 110.0),
    ] {
        let system = shipped(name)?;
        let samples = requests(&system, mix)?;
        let mut network = Network::new(system.plan.as_ref().clone(), Detail::Visits)
            .map_err(|problems| problems.join("; "))?;
        let gap = Duration::from_secs_f64(1.0 / rate);
        let begun = Instant::now();
        let mut ended = Vec::new();
        for index in 1..=count {
            let sample = &samples[(index % samples.len() as u64) as usize];
            let arrival = Arrival {
                endpoint: sample.endpoint,
                tenant: Arc::from(""),
                key: Key::Index(index),
                attempt: 1,
                index,
                bytes: 500,
                input: sample.input.clone(),
            };
            network.arrive(gap.mul_f64(index as f64), arrival);
            network.take_finished(&mut ended);
        }
        let took_ns = begun.elapsed().as_nanos() as f64;
        let happened = network.events() as f64;
        let told = json!({
            "ns_per_event": took_ns / happened,
            "events_per_request": happened / count as f64,
        });
        found.insert(name.to_owned(), told);
    }
    writeln!(std::io::stdout(), "{}", Value::from(found))?;
    Ok(())
}
