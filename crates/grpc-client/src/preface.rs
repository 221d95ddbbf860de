//! Detects from the first frame whether the peer uses HTTP/2.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// Length, kind, flags and number of the stream.
const HEADER_BYTES: usize = 9;
/// The kind of the first frame.
const SETTINGS: u8 = 4;

/// The received part of the first frame.
#[derive(Default)]
pub(crate) struct Preface {
    bytes: RefCell<Vec<u8>>,
    has_come: Cell<bool>,
    came: Notify,
}

impl Preface {
    /// Waits for the header of the first frame.
    ///
    /// # Errors
    /// The data is not a valid server preface.
    pub(crate) async fn wait(&self) -> Result<(), String> {
        while !self.has_come.get() {
            self.came.notified().await;
        }
        self.judge()
    }

    /// The error that the first bytes indicate, when the connection has already ended.
    pub(crate) fn judge(&self) -> Result<(), String> {
        let bytes = self.bytes.borrow();
        if bytes.get(3) == Some(&SETTINGS) {
            return Ok(());
        }
        let what = match bytes.starts_with(b"HTTP/1.") {
            true => {
                "http2: frame too large, note that the frame header looked like an HTTP/1.1 header"
            }
            false if bytes.is_empty() => "EOF",
            false => "the first frame received from the server is not a settings frame",
        };
        Err(format!("error reading server preface: {what}"))
    }

    fn note(&self, bytes: &[u8]) {
        if self.has_come.get() {
            return;
        }
        let mut known = self.bytes.borrow_mut();
        let wanted = HEADER_BYTES - known.len();
        known.extend_from_slice(&bytes[..bytes.len().min(wanted)]);
        if known.len() == HEADER_BYTES {
            self.has_come.set(true);
            self.came.notify_waiters();
            self.came.notify_one();
        }
    }
}

/// A stream whose first bytes are inspected.
pub(crate) struct Watched<S> {
    stream: S,
    preface: Rc<Preface>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, preface: &Rc<Preface>) -> Self {
        Self {
            stream,
            preface: Rc::clone(preface),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.preface.note(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_settings_begin_a_connection() {
        for (bytes, expected) in [
            (&b"\0\0\0\x04\0\0\0\0\0rest"[..], Ok(())),
            (b"HTTP/1.1 400 Bad Request", Err("HTTP/1.1")),
            (
                b"\x15\x03\x03\0\x02\x02\x50abcdef",
                Err("not a settings frame"),
            ),
        ] {
            let preface = Preface::default();
            for piece in bytes.chunks(4) {
                preface.note(piece);
            }
            let found = preface.wait().await;
            match expected {
                Ok(()) => assert_eq!(found, Ok(())),
                Err(part) => assert!(found.is_err_and(|error| error.contains(part)), "{part}"),
            }
        }
    }
}
