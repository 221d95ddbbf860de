//! Arriving bytes to events.

use std::io::Read;

use super::encode::{
    BINARY, CLOSE, CONTINUATION, MAX_CONTROL_BYTES, PING, PONG, TEXT, is_sendable,
};

/// An event from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The server closes; without a code if it sent none (1005 for scripts).
    Close {
        code: Option<u16>,
        reason: String,
    },
}

/// The reason why the connection must be failed. [`Self::close_code`] is the code to send to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("the server violated the WebSocket protocol: {0}")]
    Broken(&'static str),
    #[error("the server sent a text that is not UTF-8")]
    NotUtf8,
    #[error("the server sent a message of more than {0} bytes")]
    TooBig(usize),
}

impl ProtocolError {
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Self::Broken(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig(_) => 1009,
        }
    }
}

/// Assembles whole messages and control frames from bytes in pieces of any size.
#[derive(Debug)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// The message of which more frames follow.
    partial: Option<Partial>,
    max_bytes: usize,
    inflates: bool,
}

#[derive(Debug)]
struct Partial {
    is_text: bool,
    is_deflated: bool,
    bytes: Vec<u8>,
}

struct Frame {
    is_final: bool,
    is_deflated: bool,
    kind: u8,
    payload: Vec<u8>,
}

impl Decoder {
    /// A decoder of messages of up to `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            partial: None,
            max_bytes,
            inflates: false,
        }
    }

    /// The server may send messages compressed (permessage-deflate without context takeover).
    pub fn inflate(&mut self) {
        self.inflates = true;
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next event, `None` if more bytes are needed.
    ///
    /// # Errors
    /// The server violated the protocol; the decoder must not be used any more.
    pub fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        while let Some(frame) = self.next_frame()? {
            if let Some(event) = self.take(frame)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, ProtocolError> {
        let [first, second, ..] = self.bytes[..] else {
            return Ok(None);
        };
        let is_deflated = first & 0x40 != 0;
        let may_be_deflated = self.inflates && matches!(first & 0x0f, TEXT | BINARY);
        if first & 0x30 != 0 || is_deflated && !may_be_deflated {
            return Err(ProtocolError::Broken("reserved bits are set"));
        }
        if second & 0x80 != 0 {
            return Err(ProtocolError::Broken("its frame is masked"));
        }
        let (is_final, kind) = (first & 0x80 != 0, first & 0x0f);
        let (header_bytes, length) = match second {
            126 => (4, self.bytes.get(2..4).map(big_endian)),
            127 => (10, self.bytes.get(2..10).map(big_endian)),
            length => (2, Some(u64::from(length))),
        };
        let Some(length) = length else {
            return Ok(None);
        };
        if kind >= CLOSE && (length > MAX_CONTROL_BYTES as u64 || !is_final) {
            return Err(ProtocolError::Broken(
                "a control frame is long or in pieces",
            ));
        }
        let held = self
            .partial
            .as_ref()
            .map_or(0, |partial| partial.bytes.len());
        let fits = usize::try_from(length)
            .ok()
            .filter(|length| length.saturating_add(held) <= self.max_bytes);
        let is_control = kind >= CLOSE;
        let length = match fits {
            Some(length) => length,
            None if is_control => length as usize,
            None => return Err(ProtocolError::TooBig(self.max_bytes)),
        };
        if self.bytes.len() < header_bytes + length {
            return Ok(None);
        }
        let payload = self.bytes[header_bytes..header_bytes + length].to_vec();
        self.bytes.drain(..header_bytes + length);
        Ok(Some(Frame {
            is_final,
            is_deflated,
            kind,
            payload,
        }))
    }

    fn take(&mut self, frame: Frame) -> Result<Option<Event>, ProtocolError> {
        let mut message = match (frame.kind, self.partial.take()) {
            (CONTINUATION, Some(partial)) => partial,
            (TEXT | BINARY, None) => Partial {
                is_text: frame.kind == TEXT,
                is_deflated: frame.is_deflated,
                bytes: Vec::new(),
            },
            (CONTINUATION, None) => {
                return Err(ProtocolError::Broken("a message has no beginning"));
            }
            (TEXT | BINARY, Some(_)) => return Err(ProtocolError::Broken("a message has no end")),
            (_, partial) => {
                self.partial = partial;
                return control(frame).map(Some);
            }
        };
        message.bytes.extend_from_slice(&frame.payload);
        if !frame.is_final {
            self.partial = Some(message);
            return Ok(None);
        }
        let bytes = if message.is_deflated {
            inflate(message.bytes, self.max_bytes)?
        } else {
            message.bytes
        };
        if !message.is_text {
            return Ok(Some(Event::Binary(bytes)));
        }
        String::from_utf8(bytes)
            .map(|text| Some(Event::Text(text)))
            .map_err(|_| ProtocolError::NotUtf8)
    }
}

/// RFC 7692: the sender has removed the end of an empty stored block.
fn inflate(mut bytes: Vec<u8>, max_bytes: usize) -> Result<Vec<u8>, ProtocolError> {
    bytes.extend_from_slice(&[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]);
    let mut out = Vec::new();
    let limit = (max_bytes as u64).saturating_add(1);
    flate2::read::DeflateDecoder::new(&bytes[..])
        .take(limit)
        .read_to_end(&mut out)
        .map_err(|_| ProtocolError::Broken("a message is badly compressed"))?;
    if out.len() > max_bytes {
        return Err(ProtocolError::TooBig(max_bytes));
    }
    Ok(out)
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn control(frame: Frame) -> Result<Event, ProtocolError> {
    match frame.kind {
        PING => Ok(Event::Ping(frame.payload)),
        PONG => Ok(Event::Pong(frame.payload)),
        CLOSE => match frame.payload[..] {
            [] => Ok(Event::Close {
                code: None,
                reason: String::new(),
            }),
            [_] => Err(ProtocolError::Broken("a close code is cut")),
            [high, low, ref reason @ ..] => {
                let code = u16::from_be_bytes([high, low]);
                if !is_sendable(code) {
                    return Err(ProtocolError::Broken("a close code is not allowed"));
                }
                let reason =
                    String::from_utf8(reason.to_vec()).map_err(|_| ProtocolError::NotUtf8)?;
                Ok(Event::Close {
                    code: Some(code),
                    reason,
                })
            }
        },
        _ => Err(ProtocolError::Broken("a frame is of an unknown kind")),
    }
}
