//! Frames to send. A client masks each with four bytes that the caller draws at random.

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The largest payload of a control frame.
pub(super) const MAX_CONTROL_BYTES: usize = 125;

/// The reason why a close frame cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    #[error("the reason to close has {0} bytes, at most 123 are allowed")]
    LongReason(usize),
    #[error("the close code {0} must not be sent")]
    Code(u16),
}

/// A message in one frame: text, or binary data.
#[must_use]
pub fn message(is_text: bool, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    frame(if is_text { TEXT } else { BINARY }, payload, mask)
}

/// A compressed message (permessage-deflate without context takeover).
#[must_use]
pub fn deflated_message(is_text: bool, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    const COMPRESSED: u8 = 0x40;
    let mut compressed = Vec::new();
    let mut compressor = flate2::Compress::new(flate2::Compression::fast(), false);
    compressed.reserve(payload.len() + 64);
    // A sync flush ends with an empty stored block, whose four bytes are not sent.
    let done = compressor.compress_vec(payload, &mut compressed, flate2::FlushCompress::Sync);
    while done.is_ok() && compressed.len() == compressed.capacity() {
        compressed.reserve(4096);
        let rest = &payload[compressor.total_in() as usize..];
        if compressor
            .compress_vec(rest, &mut compressed, flate2::FlushCompress::Sync)
            .is_err()
        {
            break;
        }
    }
    compressed.truncate(compressed.len().saturating_sub(4));
    frame(
        COMPRESSED | if is_text { TEXT } else { BINARY },
        &compressed,
        mask,
    )
}

/// A ping; only the first 125 bytes of a longer payload are sent.
#[must_use]
pub fn ping(payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    frame(PING, &payload[..payload.len().min(MAX_CONTROL_BYTES)], mask)
}

/// A pong, the response to a ping with the same payload.
#[must_use]
pub fn pong(payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    frame(PONG, &payload[..payload.len().min(MAX_CONTROL_BYTES)], mask)
}

/// A close frame, which begins or answers the closing handshake; empty without a code.
///
/// # Errors
/// The code is reserved for the absence of one, or the reason is too long.
pub fn close(code: Option<u16>, reason: &str, mask: [u8; 4]) -> Result<Vec<u8>, CloseError> {
    let Some(code) = code else {
        return Ok(frame(CLOSE, &[], mask));
    };
    if !is_sendable(code) {
        return Err(CloseError::Code(code));
    }
    if reason.len() > MAX_CONTROL_BYTES - 2 {
        return Err(CloseError::LongReason(reason.len()));
    }
    let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
    Ok(frame(CLOSE, &payload, mask))
}

/// Whether a close code may be used in a frame (RFC 6455, section 7.4).
pub(super) fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

fn frame(kind: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    const FINAL: u8 = 0x80;
    const MASKED: u8 = 0x80;
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(FINAL | kind);
    match payload.len() {
        length @ 0..=125 => frame.push(MASKED | length as u8),
        length @ 126..=0xffff => {
            frame.push(MASKED | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASKED | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}
