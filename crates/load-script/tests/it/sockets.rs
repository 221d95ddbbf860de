//! WebSockets that the end of their scenario interrupts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use http_client::websocket::accept_of;

use crate::run::run;

/// Accepts one WebSocket. Returns its address, and the code of the close frame that arrives before the end.
fn server() -> (String, Receiver<Option<u16>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let _ = sender.send(closing_code(stream));
    });
    (address, receiver)
}

fn closing_code(stream: TcpStream) -> Option<u16> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut key) = (String::new(), String::new());
    while line.trim() != "" || key.is_empty() {
        line.clear();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.strip_prefix("Sec-WebSocket-Key: ") {
            value.trim().clone_into(&mut key);
        }
    }
    let accept = accept_of(&key);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    reader.get_mut().write_all(answer.as_bytes()).ok()?;
    let mut frames = Vec::new();
    let _ = reader.read_to_end(&mut frames);
    // Masked, with a payload of two bytes.
    let [0x88, 0x82, a, b, _, _, high, low] = *frames else {
        return None;
    };
    Some(u16::from_be_bytes([high ^ a, low ^ b]))
}

fn check(open: &str, said: &[&str], code: u16) {
    let (address, closed) = server();
    let script = format!(
        "import ws from 'k6/ws'; import {{ WebSocket }} from 'k6/websockets'; import {{ sleep }} from 'k6';
         const url = 'ws://{address}/';
         export const options = {{ scenarios: {{ s: {{ executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '0s' }} }} }};
         export default function () {{ {open} }}"
    );
    let finished = run(&script);
    assert_eq!(finished.said(), said, "{open}");
    let has_duration = finished.summary().metric("ws_session_duration").is_some();
    assert!(!has_duration, "{open}");
    let code_seen = closed.recv_timeout(Duration::from_secs(30));
    assert_eq!(code_seen, Ok(Some(code)), "{open}");
}

#[test]
fn an_interrupted_callback_socket_is_told_and_closed() {
    let open = "ws.connect(url, null, (socket) => {
        socket.on('close', (code) => { console.log(`closed ${code}`); sleep(30); console.log('never'); });
    });";
    check(open, &["closed 1001"], 1001);
}

#[test]
fn an_interrupted_standard_socket_is_closed() {
    let open = "const socket = new WebSocket(url); socket.onclose = () => console.log('never');";
    check(open, &[], 1000);
}
