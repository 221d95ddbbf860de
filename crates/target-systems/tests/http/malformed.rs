//! C-29: whatever is sent, no response is an undeclared 5xx, nothing panics, and nothing is left behind.
//!
//! `SPARRING_MALFORMED=1000000` sends the design's number of requests; the seed of a failing connection is
//! printed.

use fault_profile::draw::{Draws, Purpose, Root};
use target_systems::serve::Config;
use target_systems::{System, systems};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::served::Served;

const CONNECTIONS: u64 = 16;
/// The size of the journal, small enough to be reached.
const JOURNAL: usize = 500;

fn malformed() -> u64 {
    let text = std::env::var("SPARRING_MALFORMED").ok();
    text.map_or(3_000, |text| {
        text.parse().expect("SPARRING_MALFORMED is a number")
    })
}

/// Almost valid requests.
struct Chance(Draws);

/// (method, path, body) of valid requests.
const RIGHT: [(&str, &str, &str); 7] = [
    (
        "POST",
        "/agent/execute",
        r#"{"query": "x", "tools": ["rest_tool", "database_tool"]}"#,
    ),
    ("POST", "/workflow/init", r#"{"workflow_type": "analysis"}"#),
    ("POST", "/workflow/none/step", r#"{"step_data": "x"}"#),
    (
        "POST",
        "/data/process",
        r#"{"data_size": "small", "operations": ["transform"]}"#,
    ),
    ("GET", "/health", ""),
    (
        "PATCH",
        "/__admin/limits",
        r#"{"agent360": {"memory_mb": 8192, "cpu_cores": 64}}"#,
    ),
    (
        "PATCH",
        "/__admin/toggles",
        r#"{"parallel_tools": true, "caching": true}"#,
    ),
];

const ODD: [&str; 14] = [
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "1e999",
    "-0",
    "\u{0}",
    "\\u0000",
    "null",
    "{}",
    "\"",
    "\u{1F980}",
    "99999999999999999999999999",
    "%00",
    "../../..",
    "true",
    ",",
];

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        (self.0.next_word() % bound.max(1) as u64) as usize
    }

    /// Changes, cuts or doubles some bytes, or replaces them by unusual ones.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 => {
                    let part = bytes[at..].to_vec();
                    bytes.extend(part);
                }
                _ => {
                    let odd = ODD[self.below(ODD.len())].as_bytes().to_vec();
                    bytes.splice(at..at, odd);
                }
            }
        }
        bytes.truncate(4_000);
    }

    fn request(&mut self) -> Vec<u8> {
        let (method, path, body) = RIGHT[self.below(RIGHT.len())];
        let (mut path, mut body) = (path.as_bytes().to_vec(), body.as_bytes().to_vec());
        let mut headers = b"x-request-id: r\r\nx-tenant-id: t\r\ntraceparent: 00-1".to_vec();
        let part = self.below(8);
        match part {
            0 => self.spoil(&mut path),
            1 => self.spoil(&mut headers),
            2 => return self.garbage(),
            _ => self.spoil(&mut body),
        }
        let head = format!(
            "host: target\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        let parts: [&[u8]; 9] = [
            method.as_bytes(),
            b" ",
            &path,
            b" HTTP/1.1\r\n",
            head.as_bytes(),
            &headers,
            b"\r\n\r\n",
            &body,
            b"",
        ];
        parts.concat()
    }

    /// No valid request, or the frames of a WebSocket without an upgrade.
    fn garbage(&mut self) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..self.below(200))
            .map(|_| self.below(256) as u8)
            .collect();
        bytes.extend(b"\r\n\r\n");
        bytes
    }
}

struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Connection {
    async fn open(system: &Served) -> Self {
        let stream = TcpStream::connect(system.address)
            .await
            .expect("it listens");
        let (reader, writer) = stream.into_split();
        Self {
            reader: BufReader::new(reader),
            writer,
        }
    }

    /// Status and body of the response; `None`: the connection is closed, or there is no response for now,
    /// for example because the announced body has not arrived.
    async fn ask(&mut self, request: &[u8]) -> Option<(u16, String)> {
        self.writer.write_all(request).await.ok()?;
        let patience = std::time::Duration::from_millis(1_500);
        tokio::time::timeout(patience, self.read()).await.ok()?
    }

    async fn read(&mut self) -> Option<(u16, String)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.reader.read_u8().await.ok()?);
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.reader.read_exact(&mut body).await.ok()?;
        // Without a length the begin of the next response is unknown.
        length?;
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

fn small_journal() -> Config {
    let text = systems::text("agent360").expect("an embedded system");
    // Fast and without crashes, so that no 5xx has a declared cause.
    let patch = serde_json::json!({
        "edge": { "max_in_flight": 100_000 },
        "components": {
            "tool": { "operations": { "rest_tool": { "service_ms": 1 }, "analysis_tool": { "service_ms": 1 }, "database_tool": { "service_ms": 1 } } },
            "data": { "operations": { "analyze": { "service_ms": 1 } } },
        },
    });
    let system = System::read(text).expect("shipped").patched(&patch);
    Config {
        journal_entries: JOURNAL,
        log_entries: 1_000,
        ..Config::new(system.expect("a sound patch"))
    }
}

async fn send(system: &Served, seed: u64, count: u64) -> [u64; 6] {
    let mut chance = Chance(Root::new(seed).text("malformed").draws(Purpose::Choice));
    let mut connection = Connection::open(system).await;
    let mut by_class = [0; 6];
    for number in 0..count {
        let request = chance.request();
        let Some((status, body)) = connection.ask(&request).await else {
            by_class[0] += 1;
            connection = Connection::open(system).await;
            continue;
        };
        let shown = String::from_utf8_lossy(&request);
        assert!(
            (100..500).contains(&status),
            "seed {seed}, number {number}: {status} {body} to {shown:?}"
        );
        by_class[usize::from(status / 100)] += 1;
    }
    by_class
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_29_malformed_requests_are_refused_and_nothing_of_them_stays() {
    let system = Served::serve(small_journal()).await;
    let each = malformed() / CONNECTIONS;
    let sending = (0..CONNECTIONS).map(|seed| send(&system, seed, each));
    let found = futures_util::future::join_all(sending).await;
    let total = found.iter().fold([0; 6], |mut total, one| {
        total
            .iter_mut()
            .zip(one)
            .for_each(|(sum, more)| *sum += more);
        total
    });
    println!(
        "closed or silent {}, 2xx {}, 4xx {}",
        total[0], total[2], total[4]
    );
    assert!(total[2] > 0 && total[4] > 0, "{total:?}");
    system
        .until("/__admin", |state| state["in_flight"] == 0)
        .await;
    let journal = system.get("/__admin/journal").await.body;
    let kept = journal["entries"].as_array().map_or(0, Vec::len);
    assert!(kept <= JOURNAL, "{kept} entries");
    assert_eq!(
        journal["recorded"].as_u64(),
        journal["evicted"]
            .as_u64()
            .map(|evicted| evicted + kept as u64)
    );
    assert_eq!(system.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn c_29_malformed_frames_end_their_own_socket_only() {
    let system = Served::start("aiaas").await;
    let upgrade =
        b"GET /api/v1/ws HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for seed in 0..200u64 {
        let mut chance = Chance(Root::new(seed).text("frames").draws(Purpose::Choice));
        let mut stream = TcpStream::connect(system.address)
            .await
            .expect("it listens");
        stream.write_all(upgrade).await.expect("an open connection");
        let mut head = vec![0; 12];
        stream.read_exact(&mut head).await.expect("an answer");
        assert_eq!(&head[9..], b"101", "seed {seed}");
        let frames: Vec<u8> = (0..chance.below(300))
            .map(|_| chance.below(256) as u8)
            .collect();
        drop(stream.write_all(&frames).await);
    }
    let text = system.get("/metrics").await.text;
    assert!(text.contains("sparring_target_"), "{text}");
    system
        .until("/__admin", |state| state["in_flight"] == 0)
        .await;
}
