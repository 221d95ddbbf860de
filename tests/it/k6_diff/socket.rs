//! A WebSocket server that behaves as the path says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use load_script::websocket::accept_of;

/// Starts a server that ends with the process; gives its address, as `ws://127.0.0.1:1234`.
pub fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    format!("ws://{address}")
}

fn serve(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
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
        return stream.write_all(answer).ok();
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
    stream.write_all(answer.as_bytes()).ok()?;
    match path.as_str() {
        "/bye" => send(&mut stream, 8, b"\x0f\xa0bye")?,
        "/usual" => send(&mut stream, 8, b"\x03\xe8")?,
        "/ping" => send(&mut stream, 9, b"hi")?,
        "/binary" => send(&mut stream, 2, &[1, 2, 3])?,
        "/cut" => return send(&mut stream, 1, b"last words"),
        "/headers" => {
            headers.retain(|line| !line.to_lowercase().starts_with("sec-websocket-key"));
            headers.retain(|line| !line.starts_with("Host") && !line.starts_with("User-Agent"));
            headers.sort();
            send(&mut stream, 1, headers.join("|").as_bytes())?;
        }
        _ => {}
    }
    loop {
        let (kind, payload) = receive(&mut reader)?;
        match kind {
            8 => return send(&mut stream, 8, &payload),
            9 => send(&mut stream, 10, &payload)?,
            1 | 2 => send(&mut stream, kind, &payload)?,
            _ => {}
        }
    }
}

fn send(stream: &mut TcpStream, kind: u8, payload: &[u8]) -> Option<()> {
    let mut frame = vec![0x80 | kind];
    if payload.len() < 126 {
        frame.push(payload.len() as u8);
    } else {
        frame.push(126);
        frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    }
    frame.extend_from_slice(payload);
    stream.write_all(&frame).ok()
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
