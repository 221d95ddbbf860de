//! Messages on the wire: a flag, a length of four bytes, the message.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes before each message.
const HEADER_BYTES: usize = 5;

/// An error of the framing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The message has more bytes than the caller accepts.
    #[error("grpc: received message larger than max ({0} vs. {1})")]
    TooLarge(usize, usize),
    /// The message is compressed, and no compression was offered.
    #[error("grpc: compressed flag set with identity or empty encoding")]
    Compressed,
    /// A flag that is neither "plain" nor "compressed".
    #[error("grpc: received unexpected payload format {0}")]
    Flag(u8),
}

/// A message with its prefix.
pub fn encode(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(message);
    frame.freeze()
}

/// Finds the messages in data that arrives in pieces.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    max_bytes: usize,
}

impl Decoder {
    /// A decoder that accepts messages of up to `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            max_bytes,
        }
    }

    /// Adds a piece.
    pub fn feed(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// Whether a message has begun and not ended.
    pub fn is_midway(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next message, if it is complete.
    ///
    /// # Errors
    /// The data is not a message, or the message is too large. The decoder must not be used after that.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [flag, length @ ..] = *header;
        match flag {
            0 => {}
            1 => return Err(FrameError::Compressed),
            other => return Err(FrameError::Flag(other)),
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > self.max_bytes {
            return Err(FrameError::TooLarge(length, self.max_bytes));
        }
        if self.buffer.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_larger_than_allowed_is_refused_before_it_is_stored() {
        let mut decoder = Decoder::new(3);
        decoder.feed(&[0, 0, 0, 0, 4]);
        assert_eq!(decoder.next_message(), Err(FrameError::TooLarge(4, 3)));
    }

    #[test]
    fn flags_other_than_plain_are_refused() {
        for (flag, expected) in [(1, FrameError::Compressed), (7, FrameError::Flag(7))] {
            let mut decoder = Decoder::new(10);
            decoder.feed(&[flag, 0, 0, 0, 0]);
            assert_eq!(decoder.next_message(), Err(expected));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

        #[test]
        fn messages_come_out_as_they_went_in_whatever_the_pieces(
            messages in vec(vec(any::<u8>(), 0..40), 0..6),
            cuts in vec(1_usize..9, 1..8),
        ) {
            let wire: Vec<u8> = messages.iter().flat_map(|message| encode(message)).collect();
            let mut decoder = Decoder::new(40);
            let (mut found, mut rest, mut cut) = (Vec::new(), wire.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let length = (*cut.next().expect("a cycle")).min(rest.len());
                decoder.feed(&rest[..length]);
                rest = &rest[length..];
                while let Some(message) = decoder.next_message().expect("well formed") {
                    found.push(message.to_vec());
                }
            }
            prop_assert_eq!(found, messages);
            prop_assert!(!decoder.is_midway());
        }

        #[test]
        fn any_bytes_are_messages_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::new(64);
            decoder.feed(&bytes);
            let mut count = 0;
            while let Ok(Some(message)) = decoder.next_message() {
                prop_assert!(message.len() <= 64);
                count += 1;
            }
            prop_assert!(count <= bytes.len() / HEADER_BYTES);
        }
    }
}
