//! Reasons why a request has no response, with k6's error codes and messages.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// A limit of the sending machine, not of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnLimit {
    /// Open files of the process or the system.
    Descriptors,
    /// Local ports for connections to one address.
    Ports,
}

/// The reason of a failure, as far as the client acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The peer ended the connection where more was expected.
    Eof,
    OwnLimit(OwnLimit),
    Other,
}

/// The addresses of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

impl fmt::Display for Ends {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}->{}", self.local, self.remote)
    }
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// k6's error code.
    pub code: u16,
    /// The text of `response.error`.
    pub message: String,
    /// The text of the log line after method and URL.
    pub detail: String,
    pub(crate) cause: Cause,
}

/// Go's log text for time-outs.
const TIMEOUT: &str = "request timeout";

impl Failure {
    /// The code of a failure that always throws an exception instead of returning a failed response.
    pub const EXCEPTION: u16 = 0;

    /// A failure with the same text for script and log.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            detail: message.clone(),
            message,
            cause: Cause::Other,
        }
    }

    /// The peer ended the connection where more was expected.
    pub(crate) fn eof() -> Self {
        Self {
            cause: Cause::Eof,
            ..Self::new(1000, "EOF")
        }
    }

    /// Whether this is [`Failure::eof`].
    pub(crate) fn is_eof(&self) -> bool {
        self.cause == Cause::Eof
    }

    /// The whole request took too long.
    pub fn timeout() -> Self {
        Self::new(1050, TIMEOUT)
    }

    /// The name has no address.
    pub fn no_such_host(host: &str) -> Self {
        Self {
            detail: format!("lookup {host}: no such host"),
            ..Self::new(1101, "lookup: no such host")
        }
    }

    /// The name could not be looked up: it has no address, or the resolver failed.
    pub fn lookup(host: &str, error: &io::Error) -> Self {
        if is_temporary(error) {
            return Self::new(1100, format!("lookup {host}: server misbehaving"));
        }
        Self::no_such_host(host)
    }

    /// No connection to `address`.
    pub fn dial(address: &str, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut {
            return Self::new(1211, "dial: i/o timeout");
        }
        let (code, message) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (1212, "dial: connection refused".to_owned()),
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
        let limit = match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => Some(OwnLimit::Descriptors),
            Some(libc::EADDRNOTAVAIL) => Some(OwnLimit::Ports),
            _ => None,
        };
        Self {
            code,
            message,
            detail: format!("dial tcp {address}: connect: {}", plain(error)),
            cause: limit.map_or(Cause::Other, Cause::OwnLimit),
        }
    }

    /// The limit of this machine that prevented the connection, if there was one.
    pub(crate) fn own_limit(&self) -> Option<OwnLimit> {
        match self.cause {
            Cause::OwnLimit(limit) => Some(limit),
            Cause::Eof | Cause::Other => None,
        }
    }

    /// The local end of the connection was closed because the server had closed its end.
    pub fn closed(operation: &str, ends: Option<Ends>) -> Self {
        let ends = ends.map_or(String::new(), |ends| format!(" {ends}"));
        Self::new(
            1200,
            format!("{operation} tcp{ends}: use of closed network connection"),
        )
    }

    /// An established connection broke while it was read or written.
    pub fn broken(operation: &str, error: &io::Error) -> Self {
        if let Some(failure) = Self::of_tls(error) {
            return failure;
        }
        let (code, message) = match error.kind() {
            io::ErrorKind::ConnectionReset => {
                (1220, format!("{operation}: connection reset by peer"))
            }
            io::ErrorKind::BrokenPipe => (1201, format!("{operation}: broken pipe")),
            io::ErrorKind::UnexpectedEof => return Self::eof(),
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
        Self::new(code, message)
    }
}

/// Whether the resolver failed. It does not tell its EAI_AGAIN but in the text.
fn is_temporary(error: &io::Error) -> bool {
    error.to_string().contains("Temporary failure")
}

/// The operating system's message without Rust's "(os error 1)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let cut = text.find(" (os error").unwrap_or(text.len());
    text[..cut].to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_name_server_differs_from_a_missing_name() {
        let check = |said: &str, code, message: &str| {
            let error = io::Error::other(format!("failed to lookup address information: {said}"));
            let failure = Failure::lookup("h", &error);
            assert_eq!((failure.code, failure.message.as_str()), (code, message));
        };
        check("Name or service not known", 1101, "lookup: no such host");
        let misbehaving = "lookup h: server misbehaving";
        check("Temporary failure in name resolution", 1100, misbehaving);
    }

    #[test]
    fn broken_connections_have_the_codes_of_their_reasons() {
        let check = |errno, code, message: &str| {
            let failure = Failure::broken("write", &io::Error::from_raw_os_error(errno));
            assert_eq!((failure.code, failure.message.as_str()), (code, message));
        };
        check(libc::EPIPE, 1201, "write: broken pipe");
        check(libc::ECONNRESET, 1220, "write: connection reset by peer");
        check(
            libc::EHOSTUNREACH,
            1202,
            "write: unknown errno `113` on linux with message `no route to host`",
        );
    }

    #[test]
    fn a_local_limit_is_distinguished_from_a_refusal_by_the_server() {
        for (errno, limit) in [
            (libc::EMFILE, Some(OwnLimit::Descriptors)),
            (libc::EADDRNOTAVAIL, Some(OwnLimit::Ports)),
            (libc::EHOSTUNREACH, None),
            (libc::ECONNREFUSED, None),
        ] {
            let failure = Failure::dial("127.0.0.1:1", &io::Error::from_raw_os_error(errno));
            assert_eq!(failure.own_limit(), limit, "{failure:?}");
        }
    }

    #[test]
    fn a_dial_that_takes_too_long_has_its_code() {
        let error = io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(Failure::dial("127.0.0.1:1", &error).code, 1211);
    }
}
