//! Clients that send one synchronous request after another, each on a connection that stays open as
//! long as the server permits, and that retry only refused requests.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::orchestrator_process::PATIENCE;

const CLIENTS: usize = 4;
/// The wait after all servers have refused a request.
const PAUSE: Duration = Duration::from_millis(5);

/// Clients that are active until they are stopped.
pub struct SteadyLoad {
    seen: Arc<Seen>,
    clients: Vec<JoinHandle<()>>,
}

/// The observations of the clients.
#[derive(Default)]
pub struct Seen {
    stop: AtomicBool,
    /// Requests answered by each server.
    pub answered: Vec<AtomicUsize>,
    /// How often all servers refused a request.
    pub refused: AtomicUsize,
    /// Observations that no client should make.
    pub failures: Mutex<Vec<String>>,
}

/// The reason why a request has no response.
enum Failure {
    Refused,
    Other(String),
}

struct Client {
    /// `host:port` of each server, in turn.
    servers: Vec<String>,
    kept: Vec<Option<BufReader<TcpStream>>>,
}

impl SteadyLoad {
    /// Sends requests to the servers at these URLs in turn; a refused request goes to the next server.
    pub fn start(urls: &[&str]) -> Self {
        let servers: Vec<_> = urls
            .iter()
            .map(|url| {
                url.trim_start_matches("http://")
                    .trim_end_matches('/')
                    .to_owned()
            })
            .collect();
        let seen = Arc::new(Seen {
            answered: servers.iter().map(|_| AtomicUsize::new(0)).collect(),
            ..Seen::default()
        });
        let client = |number: usize| {
            let (seen, servers) = (Arc::clone(&seen), servers.clone());
            std::thread::spawn(move || work(&seen, servers, number))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { seen, clients }
    }

    /// Requests that were answered so far.
    pub fn answered(&self) -> usize {
        let counts = self.seen.answered.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Waits until this many more requests have been answered.
    pub fn await_more(&self, more: usize) {
        let wanted = self.answered() + more;
        let begun = std::time::Instant::now();
        while self.answered() < wanted {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.seen.failures);
            std::thread::sleep(PAUSE);
        }
    }

    /// Each client ends after its last response.
    pub fn stop(self) -> Arc<Seen> {
        self.seen.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("no client panics");
        }
        self.seen
    }
}

fn work(seen: &Seen, servers: Vec<String>, number: usize) {
    let count = servers.len();
    let kept = servers.iter().map(|_| None).collect();
    let mut client = Client { servers, kept };
    let mut turn = number;
    let mut body = 0;
    while !seen.stop.load(Ordering::Relaxed) {
        body += 1;
        // Unique content, so that no answer comes from a cache.
        let content = format!("{number}-{body}");
        let mut tried = 0;
        loop {
            turn += 1;
            match client.ask(turn % count, &content) {
                Ok(()) => {
                    seen.answered[turn % count].fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(Failure::Refused) => tried += 1,
                Err(Failure::Other(what)) => {
                    let mut failures = seen.failures.lock().expect("no client panics with it");
                    failures.push(format!("{content}: {what}"));
                    break;
                }
            }
            if tried == count {
                seen.refused.fetch_add(1, Ordering::Relaxed);
                if seen.stop.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(PAUSE);
                tried = 0;
            }
        }
    }
}

impl Client {
    fn ask(&mut self, server: usize, content: &str) -> Result<(), Failure> {
        let other = |error: std::io::Error| Failure::Other(error.to_string());
        let mut stream = match self.kept[server].take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.servers[server]);
                let stream = stream.map_err(|error| match error.kind() {
                    ErrorKind::ConnectionRefused => Failure::Refused,
                    _ => other(error),
                })?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(other)?;
                BufReader::new(stream)
            }
        };
        let body = format!(r#"{{"content":"{content}","content_type":"text","tenant_id":"t"}}"#);
        let call = format!(
            "POST /orchestrate HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.servers[server],
            body.len()
        );
        stream.get_mut().write_all(call.as_bytes()).map_err(other)?;
        if read(&mut stream)? {
            self.kept[server] = Some(stream);
        }
        Ok(())
    }
}

/// Reads a response. Returns whether the connection stays open.
fn read(stream: &mut BufReader<TcpStream>) -> Result<bool, Failure> {
    let other = |error: std::io::Error| Failure::Other(error.to_string());
    let mut line = String::new();
    stream.read_line(&mut line).map_err(other)?;
    let status = line.trim().to_owned();
    let (mut length, mut open) = (0, true);
    loop {
        line.clear();
        stream.read_line(&mut line).map_err(other)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "connection" => open = !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).map_err(other)?;
    if status.starts_with("HTTP/1.1 200") {
        Ok(open)
    } else {
        let body = String::from_utf8_lossy(&body).into_owned();
        Err(Failure::Other(format!("{status:?} {body}")))
    }
}
