//! A scripted detector, down to the bytes on the wire, which records its calls.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The behaviour of a detector for a call.
#[derive(Debug, Clone)]
pub enum Act {
    /// A valid answer without findings.
    Clean,
    /// A valid answer with this label for the content's first character.
    Find(&'static str, f64),
    /// An answer after a delay.
    Slow(Duration, Box<Act>),
    /// A valid answer; every n-th one after a delay.
    SlowEvery(usize, Duration),
    /// A valid answer after this service time; this many calls at once, the others queue.
    Work(usize, Duration),
    /// A status, optionally with `Retry-After` seconds.
    Status(u16, Option<u64>),
    /// A status with this header line.
    StatusWith(u16, String),
    /// A status with the content as the body, as from a careless detector.
    Echo(u16),
    /// A valid answer with this label for all of the content.
    FindAll(&'static str),
    /// 200 with this body.
    Body(String),
    /// Closes the connection without an answer.
    Reset,
    /// A valid answer to the first request on each connection; closes it on the next one.
    CleanOnce,
    /// A finding for every word of the content.
    FindWords(&'static str),
    /// 200 with a body of this size that is not an answer.
    Endless(usize),
    /// Never answers.
    StallHead,
    /// Never answers the first attempt, and answers all others.
    StallFirstAttempt,
    /// Begins an answer and never ends it.
    StallBody,
    /// Closes the connection in the middle of the body.
    Truncated,
}

/// One call as received.
#[derive(Debug, Clone)]
pub struct Call {
    pub headers: HashMap<String, String>,
    pub body: Value,
}

/// A running detector; stops when dropped.
pub struct Detector {
    pub address: SocketAddr,
    state: Arc<State>,
    _stop: DropGuard,
}

struct State {
    act: Mutex<Act>,
    calls: Mutex<Vec<Call>>,
    probes_fail: Mutex<bool>,
    cancelled: AtomicUsize,
    connections: AtomicUsize,
    places: Semaphore,
}

impl Detector {
    pub async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let state = Arc::new(State {
            act: Mutex::new(act.clone()),
            calls: Mutex::default(),
            probes_fail: Mutex::new(false),
            cancelled: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            places: Semaphore::new(if let Act::Work(places, _) = act {
                places
            } else {
                0
            }),
        });
        let stop = CancellationToken::new();
        let (serving, token) = (state.clone(), stop.clone());
        tokio::spawn(async move {
            let connections = TaskTracker::new();
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    Ok((stream, _)) = listener.accept() => {
                        let (serving, token) = (serving.clone(), token.clone());
                        connections.spawn(async move {
                            tokio::select! {
                                () = token.cancelled() => {}
                                _ = connection(stream, serving) => {}
                            }
                        });
                    }
                }
            }
        });
        Self {
            address,
            state,
            _stop: stop.drop_guard(),
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}/detect", self.address)
    }

    pub fn act(&self, act: Act) {
        *self.state.act.lock().expect("not poisoned") = act;
    }

    pub fn fail_probes(&self, fail: bool) {
        *self.state.probes_fail.lock().expect("not poisoned") = fail;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().expect("not poisoned").clone()
    }

    pub fn count(&self) -> usize {
        self.calls().len()
    }

    /// Connections with a call.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Calls whose caller disconnected before the answer.
    pub fn cancelled(&self) -> usize {
        self.state.cancelled.load(Ordering::SeqCst)
    }
}

async fn connection(mut stream: TcpStream, state: Arc<State>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    let mut calls = 0;
    while let Some((path, call)) = read_call(&mut stream, &mut buffer).await? {
        if path != "/detect" {
            let fail = *state.probes_fail.lock().expect("not poisoned");
            answer(&mut stream, if fail { 503 } else { 200 }, "", "{}").await?;
            continue;
        }
        let act = state.act.lock().expect("not poisoned").clone();
        calls += 1;
        if calls == 1 {
            state.connections.fetch_add(1, Ordering::SeqCst);
        } else if matches!(act, Act::CleanOnce) {
            // As if it had been closed before this request, which was not read.
            return Ok(());
        }
        state.calls.lock().expect("not poisoned").push(call.clone());
        if !perform(&mut stream, act, &call, &state).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the connection stays open.
async fn perform(
    stream: &mut TcpStream,
    act: Act,
    call: &Call,
    state: &State,
) -> std::io::Result<bool> {
    let act = match act {
        Act::SlowEvery(every, wait) => {
            let calls = state.calls.lock().expect("not poisoned").len();
            if calls.is_multiple_of(every) {
                Act::Slow(wait, Box::new(Act::Clean))
            } else {
                Act::Clean
            }
        }
        act => act,
    };
    let act = match act {
        Act::Slow(wait, act) => {
            let mut byte = [0];
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stream.read(&mut byte) => {
                    state.cancelled.fetch_add(1, Ordering::SeqCst);
                    return Ok(false);
                }
            }
            *act
        }
        act => act,
    };
    match act {
        Act::Work(_, time) => {
            let place = state.places.acquire().await.expect("never closed");
            tokio::time::sleep(time).await;
            drop(place);
            answer(stream, 200, "", &clean(call).to_string()).await?;
        }
        Act::Clean | Act::CleanOnce => {
            answer(stream, 200, "", &clean(call).to_string()).await?;
        }
        Act::FindWords(label) => {
            let content = call.body["content"].as_str().expect("content is a string");
            let mut body = found(call, label, 0.9);
            body["detections"] = words(content, label);
            answer(stream, 200, "", &body.to_string()).await?;
        }
        Act::Endless(bytes) => answer(stream, 200, "", &" ".repeat(bytes)).await?,
        Act::Find(label, score) => {
            answer(stream, 200, "", &found(call, label, score).to_string()).await?;
        }
        Act::Status(status, wait) => {
            let header = wait
                .map(|wait| format!("retry-after: {wait}\r\n"))
                .unwrap_or_default();
            answer(stream, status, &header, r#"{"error": "scripted"}"#).await?;
        }
        Act::StatusWith(status, line) => {
            let header = format!("{line}\r\n");
            answer(stream, status, &header, r#"{"error": "scripted"}"#).await?;
        }
        Act::Echo(status) => {
            let content = call.body["content"].as_str().unwrap_or("");
            let body = json!({"error": format!("cannot handle {content}")});
            answer(stream, status, "", &body.to_string()).await?;
        }
        Act::FindAll(label) => {
            let content = call.body["content"].as_str().expect("content is a string");
            let mut body = found(call, label, 0.9);
            body["detections"][0]["end"] = json!(content.chars().count());
            body["detections"][0]["text"] = json!(content);
            answer(stream, 200, "", &body.to_string()).await?;
        }
        Act::Body(body) => answer(stream, 200, "", &body).await?,
        Act::Reset => return Ok(false),
        Act::StallFirstAttempt if call.headers["x-attempt"] != "1" => {
            answer(stream, 200, "", &clean(call).to_string()).await?;
        }
        Act::StallHead | Act::StallFirstAttempt => hang(stream, state).await,
        Act::StallBody => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"req")
                .await?;
            hang(stream, state).await;
            return Ok(false);
        }
        Act::Truncated => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"req")
                .await?;
            return Ok(false);
        }
        Act::Slow(..) | Act::SlowEvery(..) => unreachable!("a wait within a wait is not scripted"),
    }
    Ok(true)
}

/// Until the caller disconnects.
async fn hang(stream: &mut TcpStream, state: &State) {
    let mut byte = [0];
    while matches!(stream.read(&mut byte).await, Ok(1)) {}
    state.cancelled.fetch_add(1, Ordering::SeqCst);
}

fn clean(call: &Call) -> Value {
    json!({
        "request_id": call.body["request_id"], "detector": "scripted", "output": "clean",
        "confidence": 0.9, "detections": [], "processing_time_ms": 1,
    })
}

fn found(call: &Call, label: &str, score: f64) -> Value {
    let content = call.body["content"].as_str().expect("content is a string");
    let first: String = content.chars().take(1).collect();
    json!({
        "request_id": call.body["request_id"], "detector": "scripted", "output": label,
        "confidence": score, "processing_time_ms": 1,
        "detections": [{
            "start": 0, "end": 1, "text": first, "label": label, "category": "test", "score": score,
        }],
    })
}

/// A finding for each word of ASCII content with single spaces.
fn words(content: &str, label: &str) -> Value {
    let mut start = 0;
    let found = content.split(' ').map(|word| {
        let place = start..start + word.len();
        start = place.end + 1;
        json!({
            "start": place.start, "end": place.end, "text": word, "label": label,
            "category": "test", "score": 0.9,
        })
    });
    found.collect()
}

async fn answer(
    stream: &mut TcpStream,
    status: u16,
    headers: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await
}

async fn read_call(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<(String, Call)>> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let path = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or("")
        .to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |it| it.parse().expect("a number"));
    while buffer.len() < head_end + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = serde_json::from_slice(&buffer[head_end..head_end + length]).unwrap_or(Value::Null);
    buffer.drain(..head_end + length);
    Ok(Some((path, Call { headers, body })))
}
