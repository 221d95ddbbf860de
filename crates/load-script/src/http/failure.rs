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

    /// The name could not be looked up: it has no address, or nobody could say.
    pub(crate) fn lookup(host: &str, error: &io::Error) -> Self {
        // The words of EAI_AGAIN: the number does not reach us.
        if error.to_string().contains("Temporary failure") {
            return Self::new(1100, format!("lookup {host}: server misbehaving"));
        }
        Self::no_such_host(host)
    }

    /// No connection to `address`.
    pub(crate) fn dial(address: &str, error: &io::Error) -> Self {
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
        Self {
            code,
            message,
            detail: format!("dial tcp {address}: connect: {}", plain(error)),
        }
    }

    /// Our own end of the connection was closed because the server had closed its end.
    pub(crate) fn closed(operation: &str, ends: Option<(SocketAddr, SocketAddr)>) -> Self {
        let ends = ends.map_or(String::new(), |(local, remote)| {
            format!(" {local}->{remote}")
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_that_do_not_answer_are_no_missing_names() {
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
    fn a_dial_that_takes_too_long_has_its_code() {
        let error = io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(Failure::dial("127.0.0.1:1", &error).code, 1211);
    }
}
