//! Metadata: the headers and trailers of a call, binary values included.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
pub use http::HeaderMap;
use http::{HeaderName, HeaderValue};

/// Names and the bytes of their values, in order.
pub type Metadata = Vec<(String, Vec<u8>)>;

/// Headers that belong to the protocol and not to the caller.
const RESERVED: [&str; 8] = [
    "content-type",
    "grpc-encoding",
    "grpc-message",
    "grpc-message-type",
    "grpc-status",
    "grpc-timeout",
    "te",
    "user-agent",
];

/// Base64, written without padding, read with or without it.
const BINARY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Adds the metadata of a caller to the headers of a request.
///
/// # Errors
/// A name or a value is invalid; the error is in the words of gRPC's own client.
pub(crate) fn append(headers: &mut HeaderMap, metadata: &Metadata) -> Result<(), String> {
    for (name, value) in metadata {
        let name = name.to_ascii_lowercase();
        if name.is_empty() {
            return Err("there is an empty key in the header".to_owned());
        }
        if name.starts_with(':') || RESERVED.contains(&name.as_str()) {
            continue;
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !name.bytes().all(is_allowed) {
            return Err(format!(
                "header key {name:?} contains illegal characters not in [0-9a-z-_.]"
            ));
        }
        let value = match name.ends_with("-bin") {
            true => BINARY.encode(value).into_bytes(),
            false if value.iter().all(|byte| (0x20..0x7f).contains(byte)) => value.clone(),
            false => {
                return Err(format!(
                    "header key {name:?} contains value with non-printable ASCII characters"
                ));
            }
        };
        let both = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(&value),
        );
        if let (Ok(name), Ok(value)) = both {
            headers.append(name, value);
        }
    }
    Ok(())
}

/// The metadata in the headers or trailers of a response; each name once, with all its values.
pub fn of_headers(headers: &HeaderMap) -> Vec<(String, Vec<Vec<u8>>)> {
    const OWN: [&str; 4] = ["grpc-status", "grpc-message", "grpc-encoding", "te"];
    let names = headers.keys().map(HeaderName::as_str);
    let names = names.filter(|name| !OWN.contains(name));
    names
        .map(|name| {
            let values = headers.get_all(name).iter();
            let values = values.map(|value| match name.ends_with("-bin") {
                true => decode_binary(value.as_bytes()).unwrap_or_default(),
                false => value.as_bytes().to_vec(),
            });
            (name.to_owned(), values.collect())
        })
        .collect()
}

/// The bytes of a value of a name that ends in `-bin`.
pub(crate) fn decode_binary(value: &[u8]) -> Option<Vec<u8>> {
    BINARY.decode(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(name: &str, value: &[u8]) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        append(&mut headers, &vec![(name.to_owned(), value.to_vec())])?;
        Ok(headers)
    }

    #[test]
    fn binary_values_are_base64_on_the_wire() {
        let headers = appended("X-Some-Bin", &[0, 255]).expect("valid");
        assert_eq!(headers["x-some-bin"], "AP8");
        assert_eq!(
            of_headers(&headers),
            [("x-some-bin".to_owned(), vec![vec![0, 255]])]
        );
        assert_eq!(decode_binary(b"AP8="), Some(vec![0, 255]));
    }

    #[test]
    fn names_of_the_protocol_are_left_out() {
        for name in ["Content-Type", "te", ":path", "grpc-timeout", "user-agent"] {
            assert_eq!(
                appended(name, b"x").map(|headers| headers.len()),
                Ok(0),
                "{name}"
            );
        }
        assert_eq!(
            appended("grpc-other", b"x").map(|headers| headers.len()),
            Ok(1)
        );
    }

    #[test]
    fn names_and_values_that_cannot_be_sent_are_refused() {
        for (name, value, part) in [
            ("", "x", "empty key"),
            ("a b", "x", "illegal characters"),
            ("a", "ü", "non-printable"),
            ("a", "x\ny", "non-printable"),
        ] {
            let error = appended(name, value.as_bytes()).expect_err("refused");
            assert!(error.contains(part), "{error}");
        }
    }
}
