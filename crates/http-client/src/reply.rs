//! A received response and its times.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ocsp::Status;

/// A received response. Header lines are kept as received and parsed on demand.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    /// The reason phrase after the status.
    pub reason: Cow<'static, str>,
    /// `HTTP/1.1`
    pub proto: &'static str,
    /// Header lines, each with its line end.
    pub head: Vec<u8>,
    /// The body as received; `None` for statuses without one, or when it was not requested.
    pub body: Option<Vec<u8>>,
    pub timings: Timings,
    pub remote: Option<SocketAddr>,
    pub tls: Option<TlsInfo>,
    /// The response has a `Content-Encoding` line.
    pub is_encoded: bool,
    /// The response has a `Set-Cookie` line.
    pub sets_cookies: bool,
}

/// The times of the phases of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the start until the connection was available.
    pub blocked: Duration,
    pub connecting: Duration,
    pub tls_handshaking: Duration,
    pub sending: Duration,
    /// From the last byte sent to the first byte received.
    pub waiting: Duration,
    pub receiving: Duration,
}

impl Timings {
    /// Sending, waiting and receiving.
    pub fn duration(&self) -> Duration {
        self.sending + self.waiting + self.receiving
    }
}

/// The negotiated parameters of a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `tls1.3`
    pub version: &'static str,
    /// IANA's name of the cipher suite.
    pub cipher: String,
    /// The OCSP response that the server has stapled to its certificate.
    pub ocsp: Option<Arc<[u8]>>,
}

impl TlsInfo {
    /// The status of the certificate according to the staple; `unknown` without one.
    pub fn ocsp(&self) -> Status {
        let parsed = self.ocsp.as_deref().and_then(Status::parse);
        parsed.unwrap_or(Status::UNKNOWN)
    }
}

impl Reply {
    /// Name and value of every header line, in order, names as received.
    pub fn lines(&self) -> impl Iterator<Item = (&str, String)> {
        self.head.split(|b| *b == b'\n').filter_map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = line.iter().position(|b| *b == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?.trim();
            Some((
                name,
                String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned(),
            ))
        })
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        self.lines()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Headers with Go's spelling of their names; several values are joined with a comma.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = Vec::new();
        let can_have_trailers =
            self.proto == "HTTP/2.0" || self.header("Transfer-Encoding").is_some();
        for (name, value) in self.lines() {
            let name = canonical(name);
            // They concern the connection and the end of the body, and Go removes them.
            if name == "Transfer-Encoding" || (can_have_trailers && name == "Trailer") {
                continue;
            }
            match headers.iter_mut().find(|(known, _)| *known == name) {
                Some((_, joined)) => {
                    joined.push_str(", ");
                    joined.push_str(&value);
                }
                None => headers.push((name, value)),
            }
        }
        headers
    }

    /// Status and reason phrase, as k6's `status_text`.
    pub fn status_text(&self) -> String {
        match (self.status, &*self.reason) {
            (0, _) => String::new(),
            (status, "") => status.to_string(),
            (status, reason) => format!("{status} {reason}"),
        }
    }
}

/// A header name with capitals as in Go: `Content-Type`.
pub fn canonical(name: &str) -> String {
    if !name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    {
        return name.to_owned();
    }
    let mut upper = true;
    let spelled = name.chars().map(|c| {
        let spelled = if upper {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        };
        upper = c == '-';
        spelled
    });
    spelled.collect()
}
