//! The transport of bodies of lines to the server: HTTP or datagrams.

use std::net::UdpSocket;

use form_urlencoded::Serializer;

use super::config::Config;
use crate::push::{Endpoint, Poster, Proxy, PushError, Pusher};

/// One sending thread for each concurrent write.
pub(super) fn pushers(config: &Config) -> Result<Vec<Pusher>, PushError> {
    let one = |_| {
        if is_udp(config) {
            let (socket, payload_bytes) = (socket(config)?, config.payload_bytes);
            return Ok(Pusher::with(move |body| {
                send_datagrams(&socket, &body, payload_bytes)
            }));
        }
        let parameters = [
            ("consistency", config.consistency.as_str()),
            ("db", &config.database),
            ("precision", config.precision.name),
            ("rp", &config.retention),
        ];
        Pusher::start(&endpoint(config, "write", &parameters))
    };
    (0..config.concurrent_writes).map(one).collect()
}

/// Creates the database, if it does not exist.
pub(super) fn create_database(config: &Config) -> Result<(), PushError> {
    if is_udp(config) {
        return Ok(()); // the server's configuration names the database of datagrams
    }
    let query = format!("CREATE DATABASE {}", identifier(&config.database));
    let endpoint = endpoint(config, "query", &[("q", &query)]);
    // The caller may be a thread of an async runtime, which must not block on another task.
    let thread = std::thread::spawn(|| Poster::new(endpoint)?.post(Vec::new()));
    thread.join().expect("a request does not panic")
}

fn is_udp(config: &Config) -> bool {
    config.address.scheme() == "udp"
}

fn endpoint(config: &Config, path: &str, parameters: &[(&str, &str)]) -> Endpoint {
    let query = Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let address = config.shown_address();
    Endpoint {
        url: format!("{address}/{path}?{query}"),
        headers: vec![("User-Agent".to_owned(), "k6".to_owned())],
        basic_auth: config.user.clone(),
        insecure_skip_tls_verify: config.insecure,
        proxy: config.proxy.clone().map_or(Proxy::None, Proxy::At),
        ..Endpoint::default()
    }
}

/// A name in a query: in quotes unless it is a plain word.
fn identifier(name: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return name.to_owned();
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

fn socket(config: &Config) -> Result<UdpSocket, PushError> {
    let host = config.address.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = config.address.port().unwrap_or(8089);
    crate::datagram::connect((host, port)).map_err(|error| {
        let address = config.shown_address();
        PushError::Settings(format!("cannot send to {address}: {error}"))
    })
}

/// Sends lines, as many in each datagram as fit; a longer line has one of its own.
fn send_datagrams(socket: &UdpSocket, body: &[u8], payload_bytes: usize) -> Result<(), PushError> {
    let mut start = 0;
    let mut end = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if end > start && end - start + line.len() > payload_bytes {
            send_datagram(socket, &body[start..end])?;
            start = end;
        }
        end += line.len();
    }
    send_datagram(socket, &body[start..end])
}

/// The refusal of a datagram is reported a little after it was sent, if at all.
fn send_datagram(socket: &UdpSocket, datagram: &[u8]) -> Result<(), PushError> {
    let failed = |error: std::io::Error| PushError::Datagram(error.to_string());
    socket.send(datagram).map_err(failed)?;
    match socket.take_error() {
        Ok(Some(error)) | Err(error) => Err(failed(error)),
        Ok(None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_a_word_is_quoted() {
        assert_eq!(identifier("k6"), "k6");
        assert_eq!(identifier("my-db"), "\"my-db\"");
        assert_eq!(identifier("6k"), "\"6k\"");
        assert_eq!(identifier("a\"b\\"), "\"a\\\"b\\\\\"");
    }
}
