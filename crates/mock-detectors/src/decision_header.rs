//! The header that says what was done: `rev=3;key=req-1;fault=none;planned_us=200000;…`.

use hyper::http::HeaderValue;

use crate::journal::Entry;

const KEY_BYTES: usize = 128;

/// The value for a request that was carried out.
pub(crate) fn value(entry: &Entry, degraded: bool) -> HeaderValue {
    let mut text = Vec::with_capacity(128);
    let mut number = itoa::Buffer::new();
    let mut put = |name: &str, value: u64| {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(number.format(value).as_bytes());
    };
    put("rev=", entry.revision);
    put(";index=", entry.index);
    text.extend_from_slice(b";key=");
    push_key(&mut text, &entry.key);
    text.extend_from_slice(b";fault=");
    text.extend_from_slice(entry.fault.as_bytes());
    let mut put = |name: &str, value: u64| {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(number.format(value).as_bytes());
    };
    put(";planned_us=", entry.planned_us);
    put(";queued_us=", entry.queued_us);
    put(";actual_us=", entry.actual_us);
    if degraded {
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
