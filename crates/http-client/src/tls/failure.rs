//! TLS errors, with k6's error codes and Go's messages.

use std::io;

use jiff::Timestamp;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError as Bad, Error, InvalidMessage, PeerMisbehaved};

use crate::failure::Failure;

const NO_HANDSHAKE: &str = "tls: first record does not look like a TLS handshake";

impl Failure {
    /// The TLS handshake failed.
    pub(crate) fn handshake(error: &io::Error) -> Self {
        Self::of_tls(error).unwrap_or_else(|| match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::eof(),
            _ => Self::broken("read", error),
        })
    }

    /// The TLS error inside an error of a stream; `None` when TLS was not the cause.
    pub(crate) fn of_tls(error: &io::Error) -> Option<Self> {
        let cause = error.get_ref()?.downcast_ref::<Error>()?;
        Some(match cause {
            Error::InvalidCertificate(bad) => of_certificate(bad),
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self {
                detail: "http: server gave HTTP response to HTTPS client".to_owned(),
                ..Self::new(1301, NO_HANDSHAKE)
            },
            Error::InvalidMessage(
                InvalidMessage::MessageTooLarge | InvalidMessage::InvalidEmptyPayload,
            )
            | Error::InappropriateMessage { .. } => Self::new(1301, NO_HANDSHAKE),
            Error::InvalidMessage(_) => Self::new(1010, "local error: tls: unexpected message"),
            Error::DecryptError => Self::new(1010, "local error: tls: bad record MAC"),
            Error::PeerMisbehaved(
                PeerMisbehaved::SelectedUnusableCipherSuiteForVersion
                | PeerMisbehaved::SelectedUnofferedCipherSuite,
            ) => Self::new(1000, "tls: server chose an unconfigured cipher suite"),
            Error::AlertReceived(alert) => {
                Self::new(1010, format!("remote error: tls: {}", words(*alert)))
            }
            other => Self::new(1000, format!("tls: {other}")),
        })
    }
}

fn of_certificate(bad: &Bad) -> Failure {
    let refused = |code, message: &str, detail: String| Failure {
        detail: format!("tls: failed to verify certificate: {detail}"),
        ..Failure::new(code, message)
    };
    match bad {
        Bad::UnknownIssuer => refused(
            1310,
            "x509: unknown authority",
            "x509: certificate signed by unknown authority".to_owned(),
        ),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => refused(
            1311,
            "x509: certificate doesn't match hostname",
            format!("x509: certificate is {}", valid_for(bad)),
        ),
        Bad::ExpiredContext { time, not_after } => {
            let message = expired(*time, "after", *not_after);
            refused(1000, &message, message.clone())
        }
        Bad::NotValidYetContext { time, not_before } => {
            let message = expired(*time, "before", *not_before);
            refused(1000, &message, message.clone())
        }
        other => {
            let message = format!("x509: {other}");
            refused(1000, &message, message.clone())
        }
    }
}

/// Go's message for a certificate that is valid for other names than the requested one.
fn valid_for(bad: &Bad) -> String {
    let Bad::NotValidForNameContext {
        expected,
        presented,
    } = bad
    else {
        return "not valid for any names".to_owned();
    };
    let kind = match expected {
        ServerName::IpAddress(_) => "IpAddress",
        _ => "DnsName",
    };
    let inside = |name: &String| {
        let name = name.strip_prefix(kind)?.strip_prefix('(')?;
        Some(name.strip_suffix(')')?.trim_matches('"').to_owned())
    };
    let names: Vec<String> = presented.iter().filter_map(inside).collect();
    format!("valid for {}, not {}", names.join(", "), expected.to_str())
}

fn expired(now: UnixTime, relation: &str, limit: UnixTime) -> String {
    let shown = |time: UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    };
    format!(
        "x509: certificate has expired or is not yet valid: current time {} is {relation} {}",
        shown(now),
        shown(limit)
    )
}

/// Go's message for an alert.
fn words(alert: AlertDescription) -> String {
    let known = match alert {
        AlertDescription::CloseNotify => "close notify",
        AlertDescription::UnexpectedMessage => "unexpected message",
        AlertDescription::BadRecordMac => "bad record MAC",
        AlertDescription::RecordOverflow => "record overflow",
        AlertDescription::HandshakeFailure => "handshake failure",
        AlertDescription::BadCertificate => "bad certificate",
        AlertDescription::UnsupportedCertificate => "unsupported certificate",
        AlertDescription::CertificateRevoked => "revoked certificate",
        AlertDescription::CertificateExpired => "expired certificate",
        AlertDescription::CertificateUnknown => "unknown certificate",
        AlertDescription::IllegalParameter => "illegal parameter",
        AlertDescription::UnknownCA => "unknown certificate authority",
        AlertDescription::AccessDenied => "access denied",
        AlertDescription::DecodeError => "error decoding message",
        AlertDescription::DecryptError => "error decrypting message",
        AlertDescription::ProtocolVersion => "protocol version not supported",
        AlertDescription::InsufficientSecurity => "insufficient security level",
        AlertDescription::InternalError => "internal error",
        AlertDescription::UserCanceled => "user canceled",
        AlertDescription::MissingExtension => "missing extension",
        AlertDescription::UnrecognisedName => "unrecognized name",
        AlertDescription::CertificateRequired => "certificate required",
        AlertDescription::NoApplicationProtocol => "no application protocol",
        other => return format!("alert({})", u8::from(other)),
    };
    known.to_owned()
}
