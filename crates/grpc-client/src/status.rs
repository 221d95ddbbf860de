//! The status of a call.

use std::fmt;

use h2::Reason;
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode;

use super::metadata;

/// The numbers of the statuses, as gRPC defines them.
pub mod code {
    pub const OK: u32 = 0;
    pub const CANCELED: u32 = 1;
    pub const UNKNOWN: u32 = 2;
    pub const DEADLINE_EXCEEDED: u32 = 4;
    pub const PERMISSION_DENIED: u32 = 7;
    pub const RESOURCE_EXHAUSTED: u32 = 8;
    pub const UNIMPLEMENTED: u32 = 12;
    pub const INTERNAL: u32 = 13;
    pub const UNAVAILABLE: u32 = 14;
    pub const UNAUTHENTICATED: u32 = 16;
}

/// The names of the statuses by their numbers.
pub const NAMES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// The name of a status; `Code(99)` for a number without one.
pub fn name(code: u32) -> String {
    let known = usize::try_from(code).ok().and_then(|at| NAMES.get(at));
    known.map_or_else(|| format!("Code({code})"), |name| (*name).to_owned())
}

/// The status of a call: a number, a message, and perhaps details.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    pub code: u32,
    pub message: String,
    /// An encoded `google.rpc.Status`, or nothing.
    pub details: Vec<u8>,
}

impl Status {
    /// A status without details.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The status of a call whose deadline has passed.
    pub fn late() -> Self {
        Self::new(code::DEADLINE_EXCEEDED, "context deadline exceeded")
    }

    /// Whether the call succeeded.
    pub fn is_ok(&self) -> bool {
        self.code == code::OK
    }

    /// The status in the trailers; `None` if they have none.
    pub(crate) fn of_trailers(trailers: &HeaderMap) -> Option<Self> {
        let text = trailers.get("grpc-status")?;
        let text = String::from_utf8_lossy(text.as_bytes());
        let Ok(code) = text.parse::<u32>() else {
            return Some(Self::new(
                code::UNKNOWN,
                format!("malformed grpc-status: {text:?}"),
            ));
        };
        let message = trailers.get("grpc-message");
        let message = message.map_or(String::new(), |value| {
            let decoded: Vec<u8> = percent_decode(value.as_bytes()).collect();
            String::from_utf8_lossy(&decoded).into_owned()
        });
        let details = trailers.get("grpc-status-details-bin");
        let details = details.and_then(|value| metadata::decode_binary(value.as_bytes()));
        Some(Self {
            code,
            message,
            details: details.unwrap_or_default(),
        })
    }

    /// The status for a response that is not gRPC.
    pub(crate) fn of_http(status: StatusCode, content_type: Option<&str>) -> Self {
        let code = match status.as_u16() {
            400 => code::INTERNAL,
            401 => code::UNAUTHENTICATED,
            403 => code::PERMISSION_DENIED,
            404 => code::UNIMPLEMENTED,
            429 | 502..=504 => code::UNAVAILABLE,
            _ => code::UNKNOWN,
        };
        let mut message = Vec::new();
        if status != StatusCode::OK {
            message.push(format!(
                "unexpected HTTP status code received from server: {} ({})",
                status.as_u16(),
                status.canonical_reason().unwrap_or_default()
            ));
        }
        message.push(match content_type {
            Some(other) => format!("transport: received unexpected content-type {other:?}"),
            None => "malformed header: missing HTTP content-type".to_owned(),
        });
        Self::new(code, message.join("; "))
    }

    /// The status of a stream or connection that broke.
    pub(crate) fn of_h2(error: &h2::Error) -> Self {
        let Some(reason) = error.reason().filter(|_| error.get_io().is_none()) else {
            return Self::new(code::UNAVAILABLE, "error reading from server: EOF");
        };
        if error.is_go_away() {
            return Self::new(
                code::UNAVAILABLE,
                format!(
                    "the connection is draining: received goaway: {}",
                    named(reason)
                ),
            );
        }
        let code = match reason {
            Reason::CANCEL => code::CANCELED,
            Reason::REFUSED_STREAM => code::UNAVAILABLE,
            Reason::ENHANCE_YOUR_CALM => code::RESOURCE_EXHAUSTED,
            Reason::INADEQUATE_SECURITY => code::PERMISSION_DENIED,
            _ => code::INTERNAL,
        };
        Self::new(
            code,
            format!(
                "stream terminated by RST_STREAM with error code: {}",
                named(reason)
            ),
        )
    }
}

/// The standard's name of an error code of HTTP/2.
fn named(reason: Reason) -> String {
    let name = format!("{reason:?}");
    match name.starts_with("Reason(") {
        true => format!("ErrCode({})", u32::from(reason)),
        false => name,
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = name(self.code);
        write!(f, "rpc error: code = {name} desc = {}", self.message)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn trailers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).expect("a header value");
        pairs
            .iter()
            .map(|(name, text)| ((*name).try_into().expect("a name"), value(text)))
            .collect()
    }

    #[test]
    fn trailers_have_a_number_a_message_and_details() {
        let found = Status::of_trailers(&trailers(&[
            ("grpc-status", "5"),
            ("grpc-message", "not%20here%2"),
            ("grpc-status-details-bin", "aGk"),
        ]));
        let expected = Status {
            code: 5,
            message: "not here%2".to_owned(),
            details: b"hi".to_vec(),
        };
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn trailers_without_a_usable_number_are_no_success() {
        assert_eq!(
            Status::of_trailers(&trailers(&[("grpc-message", "x")])),
            None
        );
        let found = Status::of_trailers(&trailers(&[("grpc-status", "fine")]));
        assert_eq!(found.map(|status| status.code), Some(code::UNKNOWN));
    }

    #[test]
    fn numbers_have_names() {
        assert_eq!(
            (name(0), name(16), name(17)),
            ("OK".into(), "Unauthenticated".into(), "Code(17)".into())
        );
    }

    #[test]
    fn answers_of_other_servers_have_the_status_of_their_http_status() {
        let check = |status: u16, content_type, expected: (u32, &str)| {
            let status = StatusCode::from_u16(status).expect("a status");
            let found = Status::of_http(status, content_type);
            assert_eq!((found.code, found.message.as_str()), expected);
        };
        check(
            404,
            Some("text/html"),
            (
                code::UNIMPLEMENTED,
                "unexpected HTTP status code received from server: 404 (Not Found); \
                 transport: received unexpected content-type \"text/html\"",
            ),
        );
        check(
            200,
            None,
            (code::UNKNOWN, "malformed header: missing HTTP content-type"),
        );
    }
}
