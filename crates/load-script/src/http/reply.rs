//! A response, as far as it is looked at.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ocsp::Status;

/// A received response. Header lines are kept as they came and parsed when somebody asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The words after the number.
    pub(crate) reason: Cow<'static, str>,
    /// `HTTP/1.1`
    pub(crate) proto: &'static str,
    /// Header lines, each with its line end.
    pub(crate) head: Vec<u8>,
    /// The body as it came; `None` for statuses that have none, or when it was not wanted.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) timings: Timings,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) tls: Option<TlsInfo>,
    /// There is a `Content-Encoding` line.
    pub(crate) is_encoded: bool,
    /// There is a `Set-Cookie` line.
    pub(crate) sets_cookies: bool,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Timings {
    /// From the start until there was a connection.
    pub(crate) blocked: Duration,
    pub(crate) connecting: Duration,
    pub(crate) tls_handshaking: Duration,
    pub(crate) sending: Duration,
    /// From the last byte sent to the first byte received.
    pub(crate) waiting: Duration,
    pub(crate) receiving: Duration,
}

impl Timings {
    /// Sending, waiting and receiving.
    pub(crate) fn duration(&self) -> Duration {
        self.sending + self.waiting + self.receiving
    }
}

/// What was agreed for a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsInfo {
    /// `tls1.3`
    pub(crate) version: &'static str,
    /// IANA's name.
    pub(crate) cipher: String,
    /// The OCSP response that the server has stapled to its certificate.
    pub(crate) ocsp: Option<Arc<[u8]>>,
}

impl TlsInfo {
    /// What the staple says of the certificate; `unknown` when there is none.
    pub(crate) fn ocsp(&self) -> Status {
        let parsed = self.ocsp.as_deref().and_then(Status::parse);
        parsed.unwrap_or(Status::UNKNOWN)
    }
}

impl Reply {
    /// Name and value of every header line, in order, names as they came.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, String)> {
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
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.lines()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Headers with Go's spelling of their names; several values are joined with a comma.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in self.lines() {
            let name = canonical(name);
            // It is about the connection; Go takes it away.
            if name == "Transfer-Encoding" {
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

    /// Number and words, as k6's `status_text`.
    pub(crate) fn status_text(&self) -> String {
        match (self.status, &*self.reason) {
            (0, _) => String::new(),
            (status, "") => status.to_string(),
            (status, reason) => format!("{status} {reason}"),
        }
    }
}

/// A header name with capitals as Go writes them: `Content-Type`.
pub(crate) fn canonical(name: &str) -> String {
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
