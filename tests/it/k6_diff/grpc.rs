//! A hand-written gRPC server for `data/grpc/lab.proto`, which can also send responses that no library would.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use grpc_client::frame::{self, Decoder};
use grpc_client::schema::{DynamicMessage, Message, Schema, Value};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::keys::{Keys, Wishes};
use super::reflection;

/// Starts the endpoints. Returns the variables with their addresses for scripts, without a scheme.
pub async fn start(keys: &Keys) -> Vec<(String, String)> {
    let schema = Arc::new(schema());
    let tls = |pair, asks_for_certificate, alpn| {
        let wishes = Wishes {
            alpn,
            asks_for_certificate,
            ..Wishes::default()
        };
        Some(TlsAcceptor::from(keys.server(pair, &wishes)))
    };
    const H2: &[&[u8]] = &[b"h2"];
    let ends = [
        ("GRPC", "127.0.0.1", None),
        ("GRPC_TLS", "localhost", tls(keys.trusted(), false, H2)),
        ("GRPC_MUTUAL", "localhost", tls(keys.trusted(), true, H2)),
        ("GRPC_UNKNOWN", "localhost", tls(Keys::unknown(), false, H2)),
    ];
    let mut variables = Vec::new();
    for (name, host, acceptor) in ends {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        variables.push((name.to_owned(), format!("{host}:{port}")));
        tokio::spawn(accept(listener, acceptor, Arc::clone(&schema)));
    }
    variables
}

/// The interface of the server.
pub fn schema() -> Schema {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/k6-diff/data/grpc");
    let open = move |name: &str| {
        std::fs::read_to_string(std::path::Path::new(folder).join(name)).map_err(|e| e.to_string())
    };
    Schema::compile(Arc::new(open), &["lab.proto".to_owned()]).expect("the interface compiles")
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, schema: Arc<Schema>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, schema) = (acceptor.clone(), Arc::clone(&schema));
        tokio::spawn(async move {
            let _ = tcp.set_nodelay(true);
            match acceptor {
                None => serve(tcp, schema).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        serve(stream, schema).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, schema: Arc<Schema>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let schema = Arc::clone(&schema);
        tokio::spawn(async move {
            let call = Call::new(request, respond, schema);
            call.answer().await;
        });
    }
}

/// A call: the request stream, and the response stream.
pub struct Call {
    path: String,
    sent_headers: HeaderMap,
    body: RecvStream,
    decoder: Decoder,
    respond: SendResponse<Bytes>,
    stream: Option<SendStream<Bytes>>,
    headers: HeaderMap,
    trailers: HeaderMap,
    pub schema: Arc<Schema>,
}

impl Call {
    fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        schema: Arc<Schema>,
    ) -> Self {
        let (parts, body) = request.into_parts();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        Self {
            path: parts.uri.path().to_owned(),
            sent_headers: parts.headers,
            body,
            decoder: Decoder::new(64 << 20),
            respond,
            stream: None,
            headers,
            trailers: HeaderMap::new(),
            schema,
        }
    }

    /// The next message as bytes; `None` when the client has ended the stream or disconnected.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.decoder.next_message().ok()? {
                return Some(message);
            }
            let piece = self.body.data().await?.ok()?;
            self.body
                .flow_control()
                .release_capacity(piece.len())
                .ok()?;
            self.decoder.feed(&piece);
        }
    }

    async fn message(&mut self, name: &str) -> Option<DynamicMessage> {
        let bytes = self.next().await?;
        DynamicMessage::decode(self.descriptor(name), bytes).ok()
    }

    fn descriptor(&self, name: &str) -> grpc_client::schema::MessageDescriptor {
        let found = self.schema.pool().get_message_by_name(name);
        found.expect("the interface has the message")
    }

    fn open(&mut self) {
        if self.stream.is_none() {
            let mut response = Response::new(());
            *response.headers_mut() = self.headers.clone();
            self.stream = self.respond.send_response(response, false).ok();
        }
    }

    /// Sends a message.
    pub fn send(&mut self, bytes: &[u8]) {
        self.open();
        if let Some(stream) = &mut self.stream {
            let _ = stream.send_data(frame::encode(bytes), false);
        }
    }

    /// Ends the call; without messages the response consists only of headers.
    pub fn end(mut self, code: u32, message: &str) {
        let mut trailers = std::mem::take(&mut self.trailers);
        trailers.insert("grpc-status", code.into());
        if !message.is_empty() {
            let message = HeaderValue::from_str(message);
            trailers.insert("grpc-message", message.expect("a header"));
        }
        match &mut self.stream {
            Some(stream) => {
                let _ = stream.send_trailers(trailers);
            }
            None => {
                let mut response = Response::new(());
                self.headers.extend(trailers);
                *response.headers_mut() = self.headers;
                let _ = self.respond.send_response(response, true);
            }
        }
    }

    fn number(&self, value: i64) -> Vec<u8> {
        let mut message = DynamicMessage::new(self.descriptor("lab.v1.Number"));
        message.set_field_by_name("value", Value::I64(value));
        message.encode_to_vec()
    }

    fn text(&self, text: &str) -> Vec<u8> {
        let mut message = DynamicMessage::new(self.descriptor("lab.v1.Text"));
        message.set_field_by_name("text", Value::String(text.to_owned()));
        message.encode_to_vec()
    }

    async fn answer(mut self) {
        match self.path.as_str() {
            "/lab.v1.Lab/Echo" => {
                let Some(message) = self.next().await else {
                    return self.end(12, "a message is missing");
                };
                self.send(&message);
                self.end(0, "");
            }
            "/lab.v1.Lab/Fail" => self.fail().await,
            "/lab.v1.Lab/Metadata" => self.metadata().await,
            "/lab.v1.Lab/Wait" => {
                let millis = self.delay().await.map_or(0, |delay| delay.millis);
                tokio::time::sleep(Duration::from_millis(millis)).await;
                let number = self.number(i64::try_from(millis).unwrap_or(0));
                self.send(&number);
                self.end(0, "");
            }
            "/lab.v1.Lab/Fill" => {
                let wanted = self.message("lab.v1.Number").await;
                let length = usize::try_from(integer(wanted.as_ref(), "value")).unwrap_or(0);
                let text = self.text(&"x".repeat(length));
                self.send(&text);
                self.end(0, "");
            }
            "/lab.v1.Lab/Count" => self.count().await,
            "/lab.v1.Lab/Sum" => {
                let mut sum = 0;
                while let Some(number) = self.message("lab.v1.Number").await {
                    sum += integer(Some(&number), "value");
                }
                let sum = self.number(sum);
                self.send(&sum);
                self.end(0, "");
            }
            "/lab.v1.Lab/Chat" => self.chat().await,
            "/lab.v1.Lab/Odd" => self.odd().await,
            "/grpc.health.v1.Health/Check" => {
                let _ = self.next().await;
                self.send(b"\x08\x01");
                self.end(0, "");
            }
            path if path.ends_with(".ServerReflection/ServerReflectionInfo") => {
                reflection::answer(self).await;
            }
            _ => self.end(12, "no such method"),
        }
    }

    async fn fail(mut self) {
        let wanted = self.message("lab.v1.Failure").await;
        let code = u8::try_from(integer(wanted.as_ref(), "code")).unwrap_or(2);
        let message = string(wanted.as_ref(), "message");
        let has_details = wanted
            .as_ref()
            .and_then(|wanted| wanted.get_field_by_name("with_details"))
            .and_then(|flag| flag.as_bool());
        if has_details == Some(true) {
            // `google.rpc.Status` with one `Any` of a known type.
            let text = self.text("detail");
            let url = b"type.googleapis.com/lab.v1.Text";
            let any = [&field(0x0a, url)[..], &field(0x12, &text)].concat();
            let status = [&[0x08, code][..], &field(0x1a, &any)].concat();
            self.trailers
                .insert("grpc-status-details-bin", base64(&status));
            self.trailers
                .insert("x-why", HeaderValue::from_static("asked"));
        }
        self.end(u32::from(code), &message);
    }

    /// The received metadata `x-…`, in order of the names.
    async fn metadata(mut self) {
        let _ = self.next().await;
        for value in ["one", "two"] {
            self.headers
                .append("x-head", HeaderValue::from_static(value));
        }
        self.headers.insert("x-bytes-bin", base64(&[0, 255, 1]));
        self.trailers
            .insert("x-tail", HeaderValue::from_static("three"));
        self.trailers.insert("x-tail-bin", base64(&[1, 2]));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.sent_headers {
            if name.as_str().starts_with("x-") {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                pairs.push((name.to_string(), value));
            }
        }
        pairs.sort();
        pairs.push(("path".to_owned(), self.path.clone()));
        let entry = self.descriptor("lab.v1.Pair");
        let made = pairs.into_iter().map(|(name, value)| {
            let mut pair = DynamicMessage::new(entry.clone());
            pair.set_field_by_name("name", Value::String(name));
            pair.set_field_by_name("value", Value::String(value));
            Value::Message(pair)
        });
        let mut answer = DynamicMessage::new(self.descriptor("lab.v1.Pairs"));
        answer.set_field_by_name("pairs", Value::List(made.collect()));
        self.send(&answer.encode_to_vec());
        self.end(0, "");
    }

    async fn delay(&mut self) -> Option<Delay> {
        let message = self.message("lab.v1.Delay").await?;
        let read = |name: &str| u64::try_from(integer(Some(&message), name)).unwrap_or(0);
        Some(Delay {
            count: read("count"),
            millis: read("millis"),
            code: u32::try_from(read("code")).unwrap_or(2),
        })
    }

    async fn count(mut self) {
        let Some(delay) = self.delay().await else {
            return self.end(12, "a message is missing");
        };
        for number in 1..=delay.count {
            tokio::time::sleep(Duration::from_millis(delay.millis)).await;
            let number = self.number(i64::try_from(number).unwrap_or(0));
            self.send(&number);
        }
        let message = if delay.code == 0 { "" } else { "counted" };
        self.end(delay.code, message);
    }

    async fn chat(mut self) {
        self.open();
        while let Some(message) = self.message("lab.v1.Text").await {
            let text = string(Some(&message), "text");
            match text.as_str() {
                "stop" => return self.end(0, ""),
                "fail" => return self.end(13, "told to"),
                _ => {
                    let answer = self.text(&text.to_uppercase());
                    self.send(&answer);
                }
            }
        }
        self.end(0, "");
    }

    /// Malformed responses.
    async fn odd(mut self) {
        let message = self.message("lab.v1.Text").await;
        let what = string(message.as_ref(), "text");
        match what.as_str() {
            "bytes" => {
                self.send(b"\xff\xff\xff");
                self.end(0, "");
            }
            "twice" => {
                let number = self.number(1);
                self.send(&number);
                self.send(&number);
                self.end(0, "");
            }
            "status" => self.end(99, "odd"),
            "page" => {
                let page = Response::builder()
                    .status(404)
                    .header("content-type", "text/html");
                let _ = self
                    .respond
                    .send_response(page.body(()).expect("a page"), true);
            }
            "reset" => self.respond.send_reset(Reason::CANCEL),
            "refused" => self.respond.send_reset(Reason::REFUSED_STREAM),
            _ => {
                self.open();
                if let Some(stream) = &mut self.stream {
                    let _ = stream.send_data(Bytes::new(), true);
                }
            }
        }
    }
}

struct Delay {
    count: u64,
    millis: u64,
    code: u32,
}

fn integer(message: Option<&DynamicMessage>, name: &str) -> i64 {
    let value = message.and_then(|message| message.get_field_by_name(name));
    value.map_or(0, |value| match *value {
        Value::I32(number) => i64::from(number),
        Value::I64(number) => number,
        _ => 0,
    })
}

fn string(message: Option<&DynamicMessage>, name: &str) -> String {
    let value = message.and_then(|message| message.get_field_by_name(name));
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A field of bytes, shorter than 128.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("short");
    [&[tag, length][..], bytes].concat()
}

fn base64(bytes: &[u8]) -> HeaderValue {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
    HeaderValue::from_str(&text).expect("a header")
}
