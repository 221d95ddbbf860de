//! Arriving bytes to events.

use super::encode::{
    BINARY, CLOSE, CONTINUATION, MAX_CONTROL_BYTES, PING, PONG, TEXT, is_sendable,
};

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The server closes; without a code it gave none (1005 for scripts).
    Close {
        code: Option<u16>,
        reason: String,
    },
}

/// Why the connection must be failed. [`Self::close_code`] is what to tell the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("the server broke the WebSocket protocol: {0}")]
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

/// Takes bytes in any pieces and gives whole messages and control frames.
#[derive(Debug)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// The message of which more frames follow, and whether it is text.
    partial: Option<(bool, Vec<u8>)>,
    max_bytes: usize,
}

struct Frame {
    is_final: bool,
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
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next event, nothing if more bytes are needed.
    ///
    /// # Errors
    /// The bytes are not what a server may send; the decoder is of no use then.
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
        if first & 0x70 != 0 {
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
            .map_or(0, |(_, message)| message.len());
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
            kind,
            payload,
        }))
    }

    fn take(&mut self, frame: Frame) -> Result<Option<Event>, ProtocolError> {
        let (is_text, mut message) = match (frame.kind, self.partial.take()) {
            (CONTINUATION, Some(partial)) => partial,
            (TEXT | BINARY, None) => (frame.kind == TEXT, Vec::new()),
            (CONTINUATION, None) => {
                return Err(ProtocolError::Broken("a message has no beginning"));
            }
            (TEXT | BINARY, Some(_)) => return Err(ProtocolError::Broken("a message has no end")),
            (_, partial) => {
                self.partial = partial;
                return control(frame).map(Some);
            }
        };
        message.extend_from_slice(&frame.payload);
        if !frame.is_final {
            self.partial = Some((is_text, message));
            return Ok(None);
        }
        if !is_text {
            return Ok(Some(Event::Binary(message)));
        }
        String::from_utf8(message)
            .map(|text| Some(Event::Text(text)))
            .map_err(|_| ProtocolError::NotUtf8)
    }
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
