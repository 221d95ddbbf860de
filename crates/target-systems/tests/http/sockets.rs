//! WebSockets: many at once, one too many, and clients that send without reading (C-27).

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::served::Served;

pub type Socket = WebSocketStream<TcpStream>;

const PATIENCE: Duration = Duration::from_secs(60);

/// Number of concurrent sockets. With thousands, client and server are two processes: see
/// `tests/it/many_sockets.rs`.
const MANY: usize = 300;

pub async fn open(system: &Served) -> Result<Socket, Error> {
    let stream = TcpStream::connect(system.address).await?;
    let url = format!("ws://{}/api/v1/ws", system.address);
    client_async(url, stream).await.map(|(socket, _)| socket)
}

async fn say(socket: &mut Socket, value: &Value) {
    let message = Message::text(value.to_string());
    socket.send(message).await.expect("an open socket");
}

/// The next message with this `id`; messages of rooms in between are skipped.
async fn answer(socket: &mut Socket, id: &Value) -> Value {
    let reading = async {
        loop {
            let message = socket.next().await.expect("more").expect("a frame");
            let Message::Text(text) = message else {
                continue;
            };
            let value: Value = serde_json::from_str(&text).expect("JSON");
            if value["id"] == *id {
                return value;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("an answer")
}

/// The status with which an upgrade was rejected.
pub async fn refusal(system: &Served) -> Option<u16> {
    match open(system).await {
        Err(Error::Http(response)) => Some(response.status().as_u16()),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    }
}

async fn metric(system: &Served, name: &str) -> f64 {
    let text = system.get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0.0, |value| value.trim().parse().expect("a number"))
}

async fn set_most(system: &Served, most: usize) {
    let patch = json!({ "components": { "hub": { "max_connections": most } } });
    let patched = system
        .send("PATCH", "/__admin/profile", Some(&patch.to_string()), &[])
        .await;
    assert_eq!(patched.status, 200, "{}", patched.body);
}

#[tokio::test]
async fn c_27_each_of_many_sockets_is_answered_with_its_ids() {
    let system = Served::start("aiaas").await;
    let mut sockets = Vec::new();
    for _ in 0..MANY {
        sockets.push(open(&system).await.expect("room"));
    }
    let talks = sockets
        .into_iter()
        .enumerate()
        .map(|(place, mut socket)| async move {
            // Three messages of each: 1 000/s, as in the design.
            tokio::time::sleep(Duration::from_millis(3) * place as u32).await;
            let mut times = Vec::new();
            for (number, kind) in ["ping", "subscribe", "message"].into_iter().enumerate() {
                let id = json!(format!("{place}-{number}"));
                let begun = Instant::now();
                let room = format!("room-{}", place % 50);
                say(
                    &mut socket,
                    &json!({ "type": kind, "id": id, "room": room }),
                )
                .await;
                let found = answer(&mut socket, &id).await;
                let expected = ["pong", "subscribed", "message"][number];
                assert_eq!(found["type"], expected, "{found}");
                assert!(found["server_ms"].is_number(), "{found}");
                times.push(begun.elapsed());
            }
            times
        });
    let mut times: Vec<Duration> = futures_util::future::join_all(talks).await.concat();
    times.sort_unstable();
    let counted = metric(&system, "messages_processed_total").await;
    assert_eq!(counted as usize, times.len(), "messages that were counted");
    // Printed, not asserted: it also depends on the machine.
    println!(
        "p99 {:?} of {} messages",
        times[times.len() * 99 / 100],
        times.len()
    );
}

#[tokio::test]
async fn a_socket_beyond_the_maximum_is_refused_and_counted_and_a_place_that_is_left_is_given_again()
 {
    let system = Served::start("aiaas").await;
    set_most(&system, 3).await;
    let mut inside = Vec::new();
    for _ in 0..3 {
        inside.push(open(&system).await.expect("room"));
    }
    assert_eq!(refusal(&system).await, Some(503));
    assert_eq!(refusal(&system).await, Some(503));
    assert_eq!(
        metric(&system, "sparring_target_sockets_refused_total").await,
        2.0
    );
    // The connected clients are still served.
    say(&mut inside[0], &json!({ "type": "ping", "id": 1 })).await;
    assert_eq!(answer(&mut inside[0], &json!(1)).await["type"], "pong");
    drop(inside.pop());
    let begun = Instant::now();
    while refusal(&system).await.is_some() {
        assert!(begun.elapsed() < PATIENCE, "the place is not given again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_client_that_never_reads_loses_only_its_own_answers() {
    let system = Served::start("aiaas").await;
    let (mut deaf, mut other) = (
        open(&system).await.expect("room"),
        open(&system).await.expect("room"),
    );
    // Responses contain the id: these fill the buffers of the connection, and then the server's queue.
    let long = "x".repeat(50_000);
    let sending = async {
        for number in 0..600 {
            let id = format!("{number}-{long}");
            say(&mut deaf, &json!({ "type": "ping", "id": id })).await;
        }
        let begun = Instant::now();
        while metric(&system, "sparring_target_messages_dropped_total").await == 0.0 {
            assert!(begun.elapsed() < PATIENCE, "nothing is dropped");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let talking = async {
        for number in 0..20 {
            say(&mut other, &json!({ "type": "ping", "id": number })).await;
            assert_eq!(answer(&mut other, &json!(number)).await["type"], "pong");
        }
    };
    tokio::join!(sending, talking);
    drop(deaf);
    drop(other);
    system
        .until("/__admin", |state| state["in_flight"] == 0)
        .await;
}

#[tokio::test]
async fn messages_that_cannot_be_read_are_answered_and_the_socket_goes_on() {
    let system = Served::start("aiaas").await;
    let mut socket = open(&system).await.expect("room");
    let twice = "{\"type\":\"ping\",\"extra\":1,\"extra\":2}";
    for text in [
        "",
        "{",
        "[]",
        "{\"type\":\"shout\"}",
        "\u{fffd}",
        "null",
        twice,
    ] {
        socket
            .send(Message::text(text))
            .await
            .expect("an open socket");
        let refused = answer(&mut socket, &Value::Null).await;
        assert_eq!(refused["error_type"], "bad_request", "{text}: {refused}");
    }
    say(&mut socket, &json!({ "type": "ping", "id": "last" })).await;
    assert_eq!(answer(&mut socket, &json!("last")).await["type"], "pong");
    // The error of a message with invalid fields contains its id.
    for (text, id) in [
        ("{\"type\": \"shout\", \"id\": 7}", json!(7)),
        ("{\"id\": \"a\"}", json!("a")),
        (
            "{\"type\": \"ping\", \"id\": \"b\", \"room\": 1}",
            json!("b"),
        ),
        (
            "{\"type\": \"ping\", \"id\": 9, \"extra\": 1, \"extra\": 2}",
            json!(9),
        ),
    ] {
        let message = Message::text(text);
        socket.send(message).await.expect("an open socket");
        let refused = answer(&mut socket, &id).await;
        assert_eq!(refused["error_type"], "bad_request", "{text}: {refused}");
        assert!(refused["detail"].is_string(), "{text}: {refused}");
    }
    // A WebSocket requires an upgrade.
    assert_eq!(system.get("/api/v1/ws").await.status, 426);
    socket
        .send(Message::binary(vec![1, 2, 3]))
        .await
        .expect("an open socket");
    assert_eq!(close_code(&mut socket).await, 1003);
}

/// The code with which the other end closes.
async fn close_code(socket: &mut Socket) -> u16 {
    let closed = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(Some(frame)) = message {
                return u16::from(frame.code);
            }
        }
        0
    };
    tokio::time::timeout(PATIENCE, closed)
        .await
        .expect("a close")
}

/// A frame from a client, masked with zeros.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

#[tokio::test]
async fn frames_that_are_wrong_close_with_the_code_of_their_kind_and_are_journalled() {
    let system = Served::start("aiaas").await;
    let wrong = [
        (1007, frame(0x81, b"\xff\xfe")),
        (1009, frame(0x81, &[b'x'; 100_000])),
        (1002, frame(0x83, b"a reserved code")),
        (1002, frame(0xc1, b"a reserved bit")),
        (1003, frame(0x82, b"no text")),
    ];
    for (code, bytes) in &wrong {
        let mut socket = open(&system).await.expect("room");
        socket
            .get_mut()
            .write_all(bytes)
            .await
            .expect("an open socket");
        assert_eq!(close_code(&mut socket).await, *code);
        let verify =
            format!("/__admin/journal?status={code}&error_type=bad_request&endpoint=socket");
        let told = |journal: &Value| {
            journal["entries"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        };
        system.until(&verify, told).await;
    }
    let refused = "sparring_target_messages_total{endpoint=\"socket\",error_type=\"bad_request\"}";
    assert_eq!(system.metric(refused).await, Some(wrong.len() as f64));
    // A client that just disconnects is not an error.
    drop(open(&system).await.expect("room"));
    system
        .until("/__admin", |state| state["in_flight"] == 0)
        .await;
    assert_eq!(system.metric(refused).await, Some(wrong.len() as f64));
}
