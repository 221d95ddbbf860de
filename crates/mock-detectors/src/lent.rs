//! A lent stream that is returned when its user is dropped.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::stream::Stream;

/// A client that closes its half within this time after its last byte may still wait for the answer.
const TOGETHER: Duration = Duration::from_millis(50);
/// How long it is assumed to wait; after that it has left.
const WAITS: Duration = Duration::from_secs(2);

/// The place to which a lent stream returns.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReturnSlot(Arc<Mutex<Option<Stream>>>);

impl ReturnSlot {
    pub(crate) fn lend(&self, stream: Stream) -> LentStream {
        LentStream {
            stream: Some(stream),
            home: self.clone(),
            last_byte: None,
            held_back: None,
        }
    }

    /// The stream, once its user was dropped.
    pub(crate) fn take(&self) -> Option<Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A stream in the hands of an HTTP implementation. Dropping it returns the open socket, so that a fault can
/// continue byte by byte where HTTP ended.
///
/// TCP does not distinguish a client that has left from one that only closes its half (`nc -N`). One that
/// closes it later than its request has left. The close of one that closes it together with its request is
/// reported only after a while, unless it is answered before.
#[derive(Debug)]
pub(crate) struct LentStream {
    stream: Option<Stream>,
    home: ReturnSlot,
    /// The arrival of the client's last byte, unless something was sent since.
    last_byte: Option<Instant>,
    /// The client has closed its half, which is not reported yet.
    held_back: Option<Pin<Box<Sleep>>>,
}

impl LentStream {
    fn stream(&mut self) -> Pin<&mut Stream> {
        Pin::new(
            self.stream
                .as_mut()
                .expect("the stream leaves in drop only"),
        )
    }
}

impl Drop for LentStream {
    fn drop(&mut self) {
        *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
    }
}

impl AsyncRead for LentStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let is_answered = self.last_byte.is_none();
        if let Some(time) = &mut self.held_back {
            if !is_answered {
                ready!(time.as_mut().poll(context));
            }
            return Poll::Ready(Ok(()));
        }
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        ready!(self.stream().poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.last_byte = Some(Instant::now());
        } else if room > 0 && self.last_byte.is_some_and(|at| at.elapsed() < TOGETHER) {
            self.held_back = Some(Box::pin(sleep(WAITS)));
            return self.poll_read(context, buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LentStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.last_byte = None;
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.last_byte = None;
        self.stream().poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
