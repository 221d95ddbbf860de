//! A GET of JSON over HTTP/1.0, where the body ends with the connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(10);

/// # Errors
/// The request failed; the message is one readable line.
pub fn get(address: &str, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
    let body = fetch(address, &target(path, query))
        .map_err(|error| format!("{address} cannot be queried: {error}"))?;
    let (_, json) = body.split_once("\r\n\r\n").unwrap_or_default();
    serde_json::from_str(json)
        .map_err(|_| format!("{address}{path} does not return JSON: {body:.200}"))
}

fn fetch(address: &str, target: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut body = String::new();
    stream.read_to_string(&mut body)?;
    Ok(body)
}

fn target(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn queries_are_escaped() {
        assert_eq!(
            super::target("/q", &[("query", "a{b=\"ü\"}")]),
            "/q?query=a%7Bb%3D%22%C3%BC%22%7D"
        );
    }
}
