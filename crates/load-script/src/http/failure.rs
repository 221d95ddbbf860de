//! Why a request got no response, with k6's numbers and words.

use std::io;
use std::net::SocketAddr;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// k6's error code.
    pub(crate) code: u16,
    /// What `response.error` says.
    pub(crate) message: String,
    /// What the log line says after method and URL.
    pub(crate) detail: String,
}

/// The text of time-outs in the log; Go's.
const TIMEOUT: &str = "request timeout";

impl Failure {
    /// The code of what is no failed response but an exception, wanted or not.
    pub(crate) const EXCEPTION: u16 = 0;

    /// A failure with the same words for script and log.
    pub(crate) fn new(code: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            detail: message.clone(),
            message,
        }
    }

    /// The whole request took too long.
    pub(crate) fn timeout() -> Self {
        Self::new(1050, TIMEOUT)
    }

    /// The name has no address.
    pub(crate) fn no_such_host(host: &str) -> Self {
        Self {
            code: 1101,
            message: "lookup: no such host".to_owned(),
            detail: format!("lookup {host}: no such host"),
        }
    }

    /// No connection to `address`.
    pub(crate) fn dial(address: &str, error: &io::Error) -> Self {
        let (code, message) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (1212, "dial: connection refused".to_owned()),
            io::ErrorKind::TimedOut => (1211, "dial: i/o timeout".to_owned()),
            io::ErrorKind::ConnectionReset => (1220, "dial: connection reset by peer".to_owned()),
            _ => match error.raw_os_error() {
                Some(errno) => (
                    1213,
                    format!(
                        "dial: unknown errno {errno} error with msg `{}`",
                        plain(error)
                    ),
                ),
                None => (1210, format!("dial: {error}")),
            },
        };
        Self {
            code,
            message,
            detail: format!("dial tcp {address}: connect: {}", plain(error)),
        }
    }

    /// Our own end of the connection was closed because the server had closed its end.
    pub(crate) fn closed(operation: &str, ends: Option<(SocketAddr, SocketAddr)>) -> Self {
        let ends = ends.map_or(String::new(), |(local, remote)| format!(" {local}->{remote}"));
        Self::new(
            1200,
            format!("{operation} tcp{ends}: use of closed network connection"),
        )
    }

    /// An established connection broke while it was read or written.
    pub(crate) fn broken(operation: &str, error: &io::Error) -> Self {
        if let Some(failure) = Self::of_tls(error) {
            return failure;
        }
        let (code, message) = match error.kind() {
            io::ErrorKind::ConnectionReset => {
                (1220, format!("{operation}: connection reset by peer"))
            }
            io::ErrorKind::BrokenPipe => (1201, format!("{operation}: broken pipe")),
            io::ErrorKind::UnexpectedEof => (1000, "EOF".to_owned()),
            _ => match error.raw_os_error() {
                Some(errno) => (
                    1202,
                    format!(
                        "{operation}: unknown errno `{errno}` on linux with message `{}`",
                        plain(error)
                    ),
                ),
                None => (1000, error.to_string()),
            },
        };
        Self {
            code,
            detail: message.clone(),
            message,
        }
    }
}

/// The operating system's words without Rust's "(os error 1)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let cut = text.find(" (os error").unwrap_or(text.len());
    text[..cut].to_lowercase()
}
