//! A WebSocket server whose behaviour the path selects.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use http_client::websocket::accept_of;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Starts a server that ends with the process. Returns its address, such as `ws://127.0.0.1:1234`.
pub fn start() -> String {
    format!("ws://127.0.0.1:{}", listen(serve::<TcpStream>))
}

/// The same over TLS: `wss://localhost:1234`.
pub fn start_secure(config: Arc<ServerConfig>) -> String {
    let port = listen(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).ok()?;
        serve(StreamOwned::new(connection, stream))
    });
    format!("wss://localhost:{port}")
}

fn listen(serve: impl Fn(TcpStream) -> Option<()> + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    address.port()
}

fn serve<S: Read + Write>(stream: S) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut request, mut headers) = (String::new(), Vec::new());
    reader.read_line(&mut request).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        headers.push(line.trim().to_owned());
    }
    let path = request.split_whitespace().nth(1)?.to_owned();
    if path == "/refused" {
        let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: so\r\n\r\nno";
        return write(&mut reader, answer);
    }
    let header = |name: &str| {
        let mut pairs = headers.iter().filter_map(|line| line.split_once(": "));
        pairs
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let accept = accept_of(header("sec-websocket-key")?);
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    );
    if let Some(protocol) = header("sec-websocket-protocol").and_then(|all| all.split(',').next()) {
        answer.push_str(&format!("Sec-WebSocket-Protocol: {protocol}\r\n"));
    }
    answer.push_str("\r\n");
    write(&mut reader, answer.as_bytes())?;
    let stream = &mut reader;
    match path.as_str() {
        "/bye" => send(stream, 8, b"\x0f\xa0bye")?,
        "/usual" => send(stream, 8, b"\x03\xe8")?,
        "/ping" => send(stream, 9, b"hi")?,
        "/binary" => send(stream, 2, &[1, 2, 3])?,
        "/cut" => return send(stream, 1, b"last words"),
        "/headers" => {
            headers.retain(|line| !line.to_lowercase().starts_with("sec-websocket-key"));
            headers.retain(|line| !line.starts_with("Host") && !line.starts_with("User-Agent"));
            headers.sort();
            send(stream, 1, headers.join("|").as_bytes())?;
        }
        _ => {}
    }
    loop {
        let (kind, payload) = receive(stream)?;
        match kind {
            8 => return send(stream, 8, &payload),
            9 => send(stream, 10, &payload)?,
            1 | 2 => send(stream, kind, &payload)?,
            _ => {}
        }
    }
}

fn write<S: Read + Write>(stream: &mut BufReader<S>, bytes: &[u8]) -> Option<()> {
    let stream = stream.get_mut();
    stream.write_all(bytes).and_then(|()| stream.flush()).ok()
}

fn send<S: Read + Write>(stream: &mut BufReader<S>, kind: u8, payload: &[u8]) -> Option<()> {
    let mut frame = vec![0x80 | kind];
    if payload.len() < 126 {
        frame.push(payload.len() as u8);
    } else {
        frame.push(126);
        frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    }
    frame.extend_from_slice(payload);
    write(stream, &frame)
}

/// A frame of fewer than 65 536 bytes.
fn receive(reader: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let (mut head, mut mask) = ([0; 2], [0; 4]);
    reader.read_exact(&mut head).ok()?;
    let mut length = usize::from(head[1] & 0x7f);
    if length == 126 {
        let mut long = [0; 2];
        reader.read_exact(&mut long).ok()?;
        length = usize::from(u16::from_be_bytes(long));
    }
    reader.read_exact(&mut mask).ok()?;
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).ok()?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Some((head[0] & 0x0f, payload))
}
