//! Many WebSockets of one system (C-27). Server and client are two processes: each has a descriptor
//! for every socket.
//!
//! `SPARRING_SOCKETS=10000` is the design's number and takes about a minute; the default is smaller.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use soketto::handshake::{Client, ServerResponse};
use soketto::{Receiver, Sender};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::served_target::Target;

const USUAL: usize = 2_000;
const MESSAGES: usize = 10_000;
const MESSAGES_PER_S: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// The number of concurrent handshakes.
const AT_ONCE: usize = 200;
/// Source addresses of connections on this machine, each with its own ports.
const SOURCES: usize = 8;

struct Socket {
    sender: Sender<Compat<TcpStream>>,
    receiver: Receiver<Compat<TcpStream>>,
}

fn count() -> usize {
    let text = std::env::var("SPARRING_SOCKETS").ok();
    text.map_or(USUAL, |text| {
        text.parse().expect("SPARRING_SOCKETS is a number")
    })
}

/// The status of a response that is not an upgrade.
type Refused = u16;

async fn open(server: SocketAddr, number: usize) -> Result<Socket, Refused> {
    let source = Ipv4Addr::new(127, 0, 0, 1 + (number % SOURCES) as u8);
    let socket = TcpSocket::new_v4().expect("a descriptor");
    let any_port = SocketAddr::from((source, 0));
    socket.bind(any_port).expect("an address of this machine");
    let stream = socket.connect(server).await.expect("it listens");
    stream.set_nodelay(true).expect("a TCP connection");
    let host = server.to_string();
    let mut client = Client::new(stream.compat(), &host, "/api/v1/ws");
    match client.handshake().await.expect("an answer") {
        ServerResponse::Accepted { .. } => {
            let (sender, receiver) = client.into_builder().finish();
            Ok(Socket { sender, receiver })
        }
        ServerResponse::Rejected { status_code } => Err(status_code),
        ServerResponse::Redirect { location, .. } => panic!("redirected to {location}"),
    }
}

impl Socket {
    /// Sends each message at its time and waits for its response. Returns the time of each response
    /// since its message was due.
    async fn talk(&mut self, due: Vec<(usize, Instant)>) -> Vec<Duration> {
        let mut took = Vec::new();
        let mut answer = Vec::new();
        for (number, at) in due {
            tokio::time::sleep_until(at.into()).await;
            let message = json!({ "type": "ping", "id": format!("m-{number}") });
            let text = message.to_string();
            self.sender.send_text(text).await.expect("an open socket");
            self.sender.flush().await.expect("an open socket");
            answer.clear();
            let heard = self.receiver.receive_data(&mut answer);
            let heard = tokio::time::timeout(PATIENCE, heard).await;
            heard.expect("an answer").expect("a frame");
            let found: Value = serde_json::from_slice(&answer).expect("JSON");
            assert_eq!(
                (&found["type"], &found["id"]),
                (&json!("pong"), &message["id"])
            );
            took.push(at.elapsed());
        }
        took
    }
}

/// The due time of each message of this socket.
fn due(socket: usize, sockets: usize, begun: Instant) -> Vec<(usize, Instant)> {
    let gap = Duration::from_secs(1) / MESSAGES_PER_S as u32;
    let numbers = (socket..MESSAGES).step_by(sockets);
    numbers
        .map(|number| (number, begun + gap * number as u32))
        .collect()
}

#[test]
fn each_of_many_sockets_is_answered_with_its_id_and_one_more_is_refused() {
    service_runtime::limits::raise_descriptors();
    let most = count();
    let setting = format!("components.hub.max_connections={most}");
    let target = Target::start("aiaas", &["--set", &setting]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let begun = Instant::now();
        let opening = (0..most).map(|number| open(target.address(), number));
        let opening = stream::iter(opening).buffer_unordered(AT_ONCE);
        let sockets: Vec<Socket> = opening
            .map(|opened| opened.expect("there is room"))
            .collect()
            .await;
        let opened = begun.elapsed();
        assert_eq!(target.metric("websocket_connections"), most as f64);
        assert_eq!(open(target.address(), most).await.err(), Some(503));

        let begun = Instant::now();
        let talks = sockets.into_iter().enumerate().map(|(place, mut socket)| {
            let due = due(place, most, begun);
            tokio::spawn(async move { (socket.talk(due).await, socket) })
        });
        let talks: Vec<_> = talks.collect();
        let mut took = Vec::new();
        let mut sockets = Vec::new();
        for talk in talks {
            let (times, socket) = talk.await.expect("no panic");
            took.extend(times);
            sockets.push(socket);
        }
        assert_eq!(took.len(), MESSAGES);
        assert_eq!(target.metric("messages_processed_total"), MESSAGES as f64);
        took.sort_unstable();
        // The figure is printed but not judged, since it also depends on the machine.
        println!(
            "{most} sockets opened in {opened:?}; of {MESSAGES} messages p50 {:?}, p99 {:?}, \
             longest {:?}; the server has {} MB",
            took[MESSAGES / 2],
            took[MESSAGES * 99 / 100],
            took[MESSAGES - 1],
            target.resident_mb(),
        );
        drop(sockets);
        let begun = Instant::now();
        while target.metric("websocket_connections") > 0.0 {
            assert!(begun.elapsed() < PATIENCE, "sockets are left open");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}
