//! WebSockets: every text message passes through the network and gets a response with its id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use live_config::{Live, strict};
use prometheus::IntCounter;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Target;
use super::exchange::{Exchange, Refused, failure_body};
use super::playing::Playing;
use crate::network::{Cause, Outcome};
use crate::request::Incoming;

/// Maximum number of messages that wait to be sent to one client; a client that does not read loses the
/// rest.
const MOST_WAITING: usize = 64;
/// Maximum size of a message in bytes.
const MOST_BYTES: usize = 64 * 1024;
/// A longer message is read completely up to this size, so that its sender gets the reason of the
/// rejection.
const MOST_READ_BYTES: usize = 1024 * 1024;
/// Bytes that are read at once. The buffer is zeroed before each read, and most sockets are idle: the
/// library's 128 KiB would be more than a gigabyte for ten thousand of them. Buffers for longer messages
/// grow.
const READ_BYTES: usize = 4 * 1024;
/// Maximum time to send the queued messages of a connection that ends.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Maximum number of rooms, and of members of each.
const MOST_ROOMS: usize = 10_000;

/// The receivers of a room's messages.
#[derive(Debug)]
pub(super) struct Rooms {
    members: Mutex<HashMap<String, HashMap<u64, mpsc::Sender<Message>>>>,
    next: AtomicU64,
    /// Messages that were not sent because a client does not read.
    dropped: IntCounter,
}

impl Rooms {
    /// Creates rooms without receivers; messages that are not sent are counted in `dropped`.
    pub(super) fn new(dropped: IntCounter) -> Self {
        Self {
            members: Mutex::default(),
            next: AtomicU64::new(0),
            dropped,
        }
    }

    fn join(&self, room: &str, member: u64, sender: &mpsc::Sender<Message>) -> bool {
        let mut rooms = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() >= MOST_ROOMS && !rooms.contains_key(room) {
            return false;
        }
        rooms
            .entry(room.to_owned())
            .or_default()
            .insert(member, sender.clone());
        true
    }

    fn leave(&self, rooms: &[String], member: u64) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        for room in rooms {
            if let Some(inside) = members.get_mut(room) {
                inside.remove(&member);
                if inside.is_empty() {
                    members.remove(room);
                }
            }
        }
    }

    /// Sends a text to the others in the room, to `most` of them.
    fn tell(&self, room: &str, from: u64, text: &str, most: usize) {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let others = members
            .get(room)
            .into_iter()
            .flatten()
            .filter(|(member, _)| **member != from);
        // One text that all receivers share.
        let text = Utf8Bytes::from(text);
        for (_, sender) in others.take(most) {
            self.send(sender, text.clone());
        }
    }

    fn send(&self, sender: &mpsc::Sender<Message>, text: impl Into<Utf8Bytes>) {
        if sender.try_send(Message::Text(text.into())).is_err() {
            self.dropped.inc();
        }
    }
}

/// A message of a client.
#[derive(Debug, Deserialize)]
struct Sent {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    room: Option<String>,
    #[serde(default)]
    text: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Ping,
    Message,
    Subscribe,
}

/// Upgrades a connection, if the hub has space for another one.
pub(super) async fn upgrade(
    talk: Talk,
    live: &Live<Playing>,
    hub: usize,
    parts: &mut Parts,
) -> Result<Response, Refused> {
    let target = talk.target.clone();
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &())
        .await
        .map_err(|refusal| {
            Refused::new(
                426,
                "bad_request",
                format!("this is a WebSocket: {}", refusal.body_text()),
            )
            .with(header::UPGRADE, "websocket")
        })?;
    let (socket, closed) = target.clock.open(live, hub).map_err(|failed| {
        target.metrics.refused_socket();
        let (error_type, detail) = match failed.cause {
            Cause::Crashed => ("crashed", "the instance of the hub has crashed"),
            _ if failed.retry_after.is_some() => ("unavailable", "no instance of the hub is up"),
            _ => ("unavailable", "the limit of connections is reached"),
        };
        Refused::new(failed.status, error_type, detail)
    })?;
    let upgrade = upgrade
        .read_buffer_size(READ_BYTES)
        .max_message_size(MOST_READ_BYTES)
        .max_frame_size(MOST_READ_BYTES);
    let failed = target.clone();
    Ok(upgrade
        .on_failed_upgrade(move |_| failed.clock.close(socket))
        .on_upgrade(move |stream| async move {
            tokio::select! {
                () = talk.run(stream) => {}
                () = closed.cancelled() => {}
            }
            target.clock.close(socket);
        }))
}

/// A conversation over a socket.
pub(super) struct Talk {
    pub(super) target: Arc<Target>,
    /// The endpoint's name.
    pub(super) endpoint: String,
    pub(super) tenant: Arc<str>,
}

/// The other end of a socket, as a member of rooms.
struct Member {
    number: u64,
    sender: mpsc::Sender<Message>,
    rooms: Vec<String>,
}

impl Talk {
    async fn run(&self, stream: WebSocket) {
        let (mut sink, mut source) = stream.split();
        let (sender, mut waiting) = mpsc::channel::<Message>(MOST_WAITING);
        let writer = async {
            while let Some(message) = waiting.recv().await {
                // Queued messages are sent at once: a room of many is one write.
                let mut next = Some(message);
                while let Some(message) = next {
                    if sink.feed(message).await.is_err() {
                        return;
                    }
                    next = waiting.try_recv().ok();
                }
                if sink.flush().await.is_err() {
                    return;
                }
            }
        };
        let mut member = Member {
            number: self.target.rooms.next.fetch_add(1, Ordering::Relaxed),
            sender,
            rooms: Vec::new(),
        };
        let reader = async {
            while let Some(message) = source.next().await {
                let end = match message {
                    Ok(Message::Text(text)) if text.len() > MOST_BYTES => Some(too_long()),
                    Ok(Message::Text(text)) => {
                        self.hear(&text, &mut member).await;
                        None
                    }
                    Ok(Message::Binary(_)) => Some((
                        close_code::UNSUPPORTED,
                        "text messages are expected".to_owned(),
                    )),
                    Ok(Message::Close(_)) => return,
                    Ok(Message::Ping(_) | Message::Pong(_)) => None,
                    Err(error) => match broken(error) {
                        Some(end) => Some(end),
                        None => return,
                    },
                };
                if let Some((code, reason)) = end {
                    return self.hang_up(code, &reason, &member).await;
                }
            }
        };
        tokio::pin!(writer);
        let has_ended = tokio::select! {
            () = &mut writer => false,
            () = reader => true,
        };
        self.target.rooms.leave(&member.rooms, member.number);
        drop(member);
        if has_ended {
            // The last messages still have to be sent, including the reason of the end.
            drop(tokio::time::timeout(LAST_WORDS, writer).await);
        }
    }

    async fn hear(&self, text: &str, member: &mut Member) {
        let id = id_of(text);
        let key = match &id {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        };
        let mut exchange = Exchange::message(&self.target, &self.endpoint, &self.tenant, key);
        let answer = match self.pass(&mut exchange, text).await {
            Ok(sent) => self.answer(&sent, member, exchange.arrived.elapsed()),
            Err(mut failure) => {
                failure["type"] = "error".into();
                failure["id"] = id;
                failure
            }
        };
        exchange.end();
        self.target.rooms.send(&member.sender, answer.to_string());
    }

    /// Passes a message through the network; a failure ends there.
    async fn pass(&self, exchange: &mut Exchange, text: &str) -> Result<Sent, Value> {
        let live = exchange.live.clone();
        let Some(place) = exchange.endpoint else {
            return Err(exchange.fail(404, "not_found", "the endpoint was removed"));
        };
        let incoming = Incoming {
            body: text.as_bytes().to_vec(),
            ..Incoming::default()
        };
        let accepted = live.endpoints[place].expected.accept(&incoming);
        let accepted = accepted
            .map_err(|refusal| exchange.fail(refusal.status, "bad_request", &refusal.detail))?;
        let sent: Sent = strict::read(text.as_bytes()).map_err(|error| {
            exchange.fail(422, "bad_request", &format!("cannot be read: {error}"))
        })?;
        let passed = exchange.pass(place, text.len() as u64 * 2, &accepted).await;
        let (finished, origin) = passed.map_err(|refused| exchange.told(&refused))?;
        exchange.finish(&finished, origin);
        match &finished.outcome {
            Outcome::Succeeded { .. } => Ok(sent),
            Outcome::Failed(failed) => Err(failure_body(failed)),
            Outcome::Left => Err(json!({ "error_type": "left" })),
        }
    }

    /// Ends the conversation with a reason.
    async fn hang_up(&self, code: u16, reason: &str, member: &Member) {
        let mut exchange = Exchange::message(&self.target, &self.endpoint, &self.tenant, None);
        exchange.fail(code, "bad_request", reason);
        exchange.end();
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        drop(member.sender.send(Message::Close(Some(frame))).await);
    }

    fn answer(&self, sent: &Sent, member: &mut Member, took: Duration) -> Value {
        let server_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        let answer = |kind: &str| json!({ "type": kind, "id": sent.id, "server_ms": server_ms });
        match (sent.kind, sent.room.as_deref()) {
            (Kind::Ping, _) => answer("pong"),
            (Kind::Subscribe, Some(room)) => {
                if member.rooms.iter().all(|known| known != room)
                    && self.target.rooms.join(room, member.number, &member.sender)
                {
                    member.rooms.push(room.to_owned());
                }
                answer("subscribed")
            }
            (Kind::Subscribe, None) => answer("subscribed"),
            (Kind::Message, room) => {
                if let Some(room) = room {
                    let told = json!({ "type": "message", "room": room, "text": sent.text, "from": member.number });
                    let most = self.target.fan_out(&self.endpoint);
                    self.target
                        .rooms
                        .tell(room, member.number, &told.to_string(), most);
                }
                answer("message")
            }
        }
    }
}

/// The id of a message, even of an invalid one; null if it has none.
fn id_of(text: &str) -> Value {
    let message: Option<Value> = serde_json::from_str(text).ok();
    let id = message.and_then(|mut message| Some(message.get_mut("id")?.take()));
    id.unwrap_or_default()
}

fn too_long() -> (u16, String) {
    let reason = format!("a message has more than {MOST_BYTES} bytes");
    (close_code::SIZE, reason)
}

/// The close code for unreadable frames (RFC 6455, 7.4.1); `None` if the connection failed.
fn broken(error: axum::Error) -> Option<(u16, String)> {
    use tokio_tungstenite::tungstenite::Error;
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    match error.into_inner().downcast_ref::<Error>()? {
        Error::Utf8(_) => Some((
            close_code::INVALID,
            "a text message is not UTF-8".to_owned(),
        )),
        Error::Capacity(_) => Some(too_long()),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(error) => Some((close_code::PROTOCOL, error.to_string())),
        _ => None,
    }
}
