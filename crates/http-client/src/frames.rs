//! Arrival times of HTTP/2 frames: many streams share a connection, and one read may return frames of several.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::arrival::Arrival;
use super::connection::Stream;

/// Length, kind, flags and number of the stream.
const HEADER_BYTES: usize = 9;

/// The arrivals on streams that wait for a response.
#[derive(Default)]
pub(super) struct Frames {
    streams: RefCell<Vec<WatchedStream>>,
}

/// A stream with its first and last arrival.
struct WatchedStream {
    number: u32,
    came: Option<Arrivals>,
}

/// Arrivals on one stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrivals {
    pub(super) first: Arrival,
    pub(super) last: Arrival,
}

/// A stream whose arrivals are recorded as long as this lives.
pub(super) struct Watch {
    frames: Rc<Frames>,
    number: u32,
}

/// Finds the frames in the bytes from the server.
#[derive(Default)]
struct Scanner {
    header: [u8; HEADER_BYTES],
    /// Bytes of the header that have arrived.
    filled: usize,
    /// Bytes of the frame that are still missing.
    left: usize,
}

/// A connection whose frames are recorded as they arrive.
pub(super) struct Watched {
    stream: Stream,
    scanner: Scanner,
    frames: Rc<Frames>,
}

impl Frames {
    /// Records arrivals on a stream from now on.
    pub(super) fn watch(self: &Rc<Self>, number: u32) -> Watch {
        self.streams
            .borrow_mut()
            .push(WatchedStream { number, came: None });
        Watch {
            frames: Rc::clone(self),
            number,
        }
    }

    fn note(&self, number: u32, arrival: Arrival) {
        let mut streams = self.streams.borrow_mut();
        if let Some(noted) = streams.iter_mut().find(|noted| noted.number == number) {
            let first = noted.came.map_or(arrival, |came| came.first);
            noted.came = Some(Arrivals {
                first,
                last: arrival,
            });
        }
    }
}

impl Watch {
    /// The first and last arrival so far.
    pub(super) fn came(&self) -> Option<Arrivals> {
        let streams = self.frames.streams.borrow();
        let noted = streams.iter().find(|noted| noted.number == self.number);
        noted.and_then(|noted| noted.came)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut streams = self.frames.streams.borrow_mut();
        streams.retain(|noted| noted.number != self.number);
    }
}

impl Scanner {
    /// Calls `note` with the stream of each frame that begins or ends in these bytes.
    fn feed(&mut self, mut bytes: &[u8], mut note: impl FnMut(u32)) {
        while !bytes.is_empty() {
            if self.filled < HEADER_BYTES {
                let count = (HEADER_BYTES - self.filled).min(bytes.len());
                self.header[self.filled..self.filled + count].copy_from_slice(&bytes[..count]);
                self.filled += count;
                bytes = &bytes[count..];
                if self.filled < HEADER_BYTES {
                    return;
                }
                let [high, middle, low, ..] = self.header;
                self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
                note(self.number());
            }
            let count = self.left.min(bytes.len());
            self.left -= count;
            bytes = &bytes[count..];
            if self.left == 0 {
                self.filled = 0;
                note(self.number());
            }
        }
    }

    fn number(&self) -> u32 {
        let [.., a, b, c, d] = self.header;
        u32::from_be_bytes([a, b, c, d]) & (u32::MAX >> 1)
    }
}

impl Watched {
    /// A connection from which nothing was read yet.
    pub(super) fn new(stream: Stream, frames: &Rc<Frames>) -> Self {
        Self {
            stream,
            scanner: Scanner::default(),
            frames: Rc::clone(frames),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let arrival = this.stream.arrival();
        let frames = &this.frames;
        let note = |number| frames.note(number, arrival);
        this.scanner.feed(&buffer.filled()[before..], note);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use proptest::prelude::*;

    fn frame(number: u32, payload_bytes: usize) -> Vec<u8> {
        let length = u32::try_from(payload_bytes).expect("a few bytes");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&[0, 0]);
        // The highest bit has no meaning.
        frame.extend_from_slice(&(number | 1 << 31).to_be_bytes());
        frame.resize(HEADER_BYTES + payload_bytes, 0xff);
        frame
    }

    proptest! {
        #[test]
        fn frames_are_found_in_pieces_of_any_size(
            frames in proptest::collection::vec((0_u32..9, 0_usize..40), 0..12),
            piece in 1_usize..60,
        ) {
            let wire: Vec<u8> = frames.iter().flat_map(|(number, bytes)| frame(*number, *bytes)).collect();
            let expected: Vec<u32> = frames.iter().flat_map(|(number, _)| [*number; 2]).collect();
            let (mut scanner, mut found) = (Scanner::default(), Vec::new());
            for piece in wire.chunks(piece) {
                scanner.feed(piece, |number| found.push(number));
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_stream_has_the_arrivals_of_its_own_frames() {
        let frames = Rc::<Frames>::default();
        let (one, three) = (frames.watch(1), frames.watch(3));
        let begin = Arrival::now();
        let after = |ms| Arrival {
            at: begin.at + Duration::from_millis(ms),
            read: begin.read + Duration::from_secs(1),
        };
        let mut scanner = Scanner::default();
        let mut read = |bytes: &[u8], ms| {
            scanner.feed(bytes, |number| frames.note(number, after(ms)));
        };
        read(&frame(1, 5), 10);
        let (head, rest) = (frame(3, 7), frame(3, 20));
        read(&head, 20);
        read(&rest[..15], 30);
        read(&rest[15..], 40);
        read(&frame(0, 8), 50);
        let came = |watch: &Watch| {
            let came = watch.came().expect("something has come");
            (came.first.at, came.last.at)
        };
        assert_eq!(came(&one), (after(10).at, after(10).at));
        assert_eq!(came(&three), (after(20).at, after(40).at));
        drop((one, three));
        assert!(frames.streams.borrow().is_empty());
        assert!(frames.watch(5).came().is_none());
    }
}
