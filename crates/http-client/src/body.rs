//! Finds the end of the body of an HTTP/1 response.

/// The reason why bytes are not an HTTP body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// A chunk does not begin with its size in hexadecimal.
    #[error("invalid byte in chunk length")]
    ChunkSize,
    /// A chunk is not followed by a line end.
    #[error("malformed chunked encoding")]
    ChunkEnd,
}

/// The rule by which the end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// At the close of the connection.
    UntilClose,
}

/// Takes bytes as they arrive and finds the end.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    keeps: bool,
    body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    UntilClose,
    Size {
        so_far: u64,
        digits: u8,
    },
    Extension(u64),
    Data(u64),
    DataEnd,
    /// Length of the trailer line so far.
    Trailer(u32),
    Done,
}

/// A buffer up to this size is reserved at once; a larger one grows.
const RESERVE_LIMIT: u64 = 1 << 20;

impl Decoder {
    /// A decoder that stores the bytes if `keep`, and otherwise only finds the end.
    pub(crate) fn new(framing: Framing, keeps: bool) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size {
                so_far: 0,
                digits: 0,
            },
            Framing::UntilClose => State::UntilClose,
        };
        let reserve = match framing {
            Framing::Length(length) if keeps => length.min(RESERVE_LIMIT),
            _ => 0,
        };
        Self {
            state,
            keeps,
            body: Vec::with_capacity(reserve as usize),
        }
    }

    /// Takes bytes. Returns how many of them belong to this body.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<usize, BodyError> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            let rest = &bytes[at..];
            at += match self.state {
                State::Length(left) => self.take(rest, left, |left| {
                    if left == 0 {
                        State::Done
                    } else {
                        State::Length(left)
                    }
                }),
                State::Data(left) => self.take(rest, left, |left| {
                    if left == 0 {
                        State::DataEnd
                    } else {
                        State::Data(left)
                    }
                }),
                State::UntilClose => self.take(rest, u64::MAX, |_| State::UntilClose),
                _ => self.step(rest[0]).map(|()| 1)?,
            };
        }
        Ok(at)
    }

    /// Whether the end was found.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the end of the connection is the end of the body.
    pub(crate) fn ends_with_connection(&self) -> bool {
        self.state == State::UntilClose
    }

    /// A decoder that has found its end.
    pub(crate) fn ended_with(body: Vec<u8>) -> Self {
        Self {
            state: State::Done,
            keeps: false,
            body,
        }
    }

    /// The stored bytes.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }

    fn take(&mut self, bytes: &[u8], left: u64, then: impl FnOnce(u64) -> State) -> usize {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        if self.keeps {
            self.body.extend_from_slice(&bytes[..count]);
        }
        self.state = then(left - count as u64);
        count
    }

    fn step(&mut self, byte: u8) -> Result<(), BodyError> {
        self.state = match (self.state, byte) {
            (State::Size { so_far, digits }, byte) if byte.is_ascii_hexdigit() => {
                let digit = (byte as char).to_digit(16).unwrap_or(0);
                if digits >= 15 {
                    return Err(BodyError::ChunkSize);
                }
                State::Size {
                    so_far: so_far * 16 + u64::from(digit),
                    digits: digits + 1,
                }
            }
            (State::Size { digits: 0, .. }, _) => return Err(BodyError::ChunkSize),
            (State::Size { so_far, .. } | State::Extension(so_far), b'\n') if so_far == 0 => {
                State::Trailer(0)
            }
            (State::Size { so_far, .. } | State::Extension(so_far), b'\n') => State::Data(so_far),
            (State::Size { so_far, .. }, b'\r' | b' ' | b'\t' | b';') => State::Extension(so_far),
            (State::Size { .. }, _) => return Err(BodyError::ChunkSize),
            (State::Extension(size), _) => State::Extension(size),
            (State::DataEnd, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size {
                so_far: 0,
                digits: 0,
            },
            (State::DataEnd, _) => return Err(BodyError::ChunkEnd),
            (State::Trailer(0), b'\n') => State::Done,
            (State::Trailer(_), b'\n') => State::Trailer(0),
            (State::Trailer(length), b'\r') => State::Trailer(length),
            (State::Trailer(length), _) => State::Trailer(length.saturating_add(1)),
            (other, _) => other,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(framing: Framing, pieces: &[&[u8]], expected: &[u8], rest: usize) {
        let mut decoder = Decoder::new(framing, true);
        let mut left = 0;
        for piece in pieces {
            left = piece.len() - decoder.feed(piece).expect("a valid body");
        }
        assert!(decoder.is_done() || framing == Framing::UntilClose);
        assert_eq!((decoder.into_body().as_slice(), left), (expected, rest));
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        check(Framing::Length(3), &[b"a", b"bcd"], b"abc", 1);
        check(Framing::UntilClose, &[b"a", b"bcd"], b"abcd", 0);
        check(
            Framing::Chunked,
            &[b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\nrest"],
            b"abcde",
            4,
        );
        check(Framing::Chunked, &[b"0\r\nTrailer: x\r\n\r\n"], b"", 0);
    }

    #[test]
    fn a_body_may_arrive_byte_by_byte() {
        let wire = b"a\r\n0123456789\r\n0\r\n\r\n";
        let pieces: Vec<&[u8]> = wire.chunks(1).collect();
        check(Framing::Chunked, &pieces, b"0123456789", 0);
    }

    #[test]
    fn broken_chunks_are_refused() {
        for bad in [
            &b"x\r\n"[..],
            b"\r\n",
            b"1\r\nabc",
            b"ffffffffffffffffff\r\n",
        ] {
            assert!(
                Decoder::new(Framing::Chunked, true).feed(bad).is_err(),
                "{bad:?}"
            );
        }
    }
}
