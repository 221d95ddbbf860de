//! The header with the decision: `rev=3;key=req-1;fault=none;planned_us=200000;…`.

use axum::http::HeaderValue;

const KEY_BYTES: usize = 128;

/// The decision for a request.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// The revision of the configuration that applied.
    pub revision: u64,
    /// The position in the tenant's stream.
    pub index: u64,
    pub key: &'a str,
    /// `none`, a kind of failure or of refusal.
    pub fault: &'a str,
    pub planned_us: u64,
    pub queued_us: u64,
    pub actual_us: u64,
    /// The server breaks its promise about delays at present.
    pub degraded: bool,
}

/// The value for a request that was carried out.
///
/// # Panics
/// Never panics: all bytes are visible ASCII, provided that `fault` is.
pub fn value(decided: &Decided<'_>) -> HeaderValue {
    let mut text = Vec::with_capacity(128);
    let mut number = itoa::Buffer::new();
    let mut put = |name: &str, value: u64| {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(number.format(value).as_bytes());
    };
    put("rev=", decided.revision);
    put(";index=", decided.index);
    text.extend_from_slice(b";key=");
    push_key(&mut text, decided.key);
    text.extend_from_slice(b";fault=");
    text.extend_from_slice(decided.fault.as_bytes());
    let mut put = |name: &str, value: u64| {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(number.format(value).as_bytes());
    };
    put(";planned_us=", decided.planned_us);
    put(";queued_us=", decided.queued_us);
    put(";actual_us=", decided.actual_us);
    if decided.degraded {
        text.extend_from_slice(b";degraded=1");
    }
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).expect("all bytes are visible ASCII")
}

/// The key as visible ASCII, the rest percent-encoded, cut at a length.
fn push_key(text: &mut Vec<u8>, key: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in key.bytes().take(KEY_BYTES) {
        if byte.is_ascii_graphic() && byte != b';' && byte != b'%' {
            text.push(byte);
        } else {
            text.extend_from_slice(&[b'%', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_key_makes_a_valid_header() {
        for (key, expected) in [
            ("a-1", "a-1"),
            ("a;b c%", "a%3Bb%20c%25"),
            ("ü\r\n", "%C3%BC%0D%0A"),
        ] {
            let mut text = Vec::new();
            push_key(&mut text, key);
            assert_eq!(String::from_utf8(text).expect("ASCII"), expected);
        }
    }
}
