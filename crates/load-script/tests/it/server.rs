//! A server whose responses are selected by the path.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Starts a server that ends with the process. Returns its address, such as `127.0.0.1:1234`.
pub fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            head.push_str(&header);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut words = line.split_whitespace();
        let (method, path) = (words.next()?, words.next()?);
        let answer = answer(method, path, &head, &body)?;
        writer.write_all(&answer).ok()?;
    }
}

fn answer(method: &str, path: &str, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let with = |status: &str, headers: &str, body: &[u8]| {
        let mut all = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        )
        .into_bytes();
        if method != "HEAD" {
            all.extend_from_slice(body);
        }
        Some(all)
    };
    let (name, argument) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or((path.trim_start_matches('/'), ""));
    match name {
        "json" => with("200 OK", "Content-Type: application/json\r\n", br#"{"a":{"b":[1,2,{"c":"x"}]},"ok":true}"#),
        "echo" => {
            let text = format!("{method} {path}\n{head}\n{}", String::from_utf8_lossy(body));
            with("200 OK", "", text.as_bytes())
        }
        "status" => with(&format!("{argument} Some Words"), "", b"body"),
        "cookie" => with("200 OK", "Set-Cookie: k=v; Path=/\r\nSet-Cookie: other=1\r\nX-Multi: a\r\nx-multi: b\r\n", b""),
        "redirect" => {
            let left: u32 = argument.parse().ok()?;
            let to = if left > 1 { format!("/redirect/{}", left - 1) } else { "/json".to_owned() };
            with("302 Found", &format!("Location: {to}\r\n"), b"")
        }
        "chunked" => Some(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_vec()),
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(b"unpacked").ok()?;
            with("200 OK", "Content-Encoding: gzip\r\n", &encoder.finish().ok()?)
        }
        "slow" => {
            thread::sleep(std::time::Duration::from_secs(5));
            with("200 OK", "", b"late")
        }
        "broken" => None,
        _ => with("200 OK", "Content-Type: text/plain\r\n", b"hello"),
    }
}
