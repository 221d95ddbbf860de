//! The state of a client, detected from its connection: connected, done with sending, or gone.
//!
//! A client that has sent everything may close its half of the connection and still wait for the response; a
//! client that leaves closes both halves. TCP shows the end of the stream in both cases, until something is
//! sent: a closed socket answers with a reset. So a request continues after its client has closed its half, and
//! after a moment an interim response (100, RFC 9110 section 15.2), which every HTTP/1.1 client has to skip,
//! shows whether the client is still there.
//!
//! The connection belongs to the server's protocol. It is checked on each flush, which follows each poll for
//! the response.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::Version;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How often a long request checks its client.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a reset may take after the interim response.
const RESET_AFTER: Duration = Duration::from_millis(50);
const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Requests a check whether the client still sends; with or without a wake-up while it does.
const LOOK: u8 = 1;
const LOOK_ON: u8 = 2;
/// Requests a check whether the client still receives.
const PROBE: u8 = 3;
/// The results of checks.
const SENDS: u8 = 4;
const ENDED: u8 = 5;
const PROBED: u8 = 6;
const GONE: u8 = 7;

/// The state of a client, shared by its clones.
#[derive(Debug, Clone, Default)]
pub struct Client(Arc<AtomicU8>);

/// The connection of a client.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    client: Client,
}

impl Client {
    /// Returns once the client of a request has left. Must be polled only before the first byte of the
    /// response, since it may send an interim response.
    pub async fn left(&self, version: Version) {
        loop {
            sleep(LOOK_EVERY).await;
            match self.ask(LOOK).await {
                ENDED => break,
                GONE => return,
                _ => {}
            }
        }
        // Older clients do not know interim responses.
        if version != Version::HTTP_11 {
            return pending().await;
        }
        let mut told = self.ask(PROBE).await;
        while told != GONE {
            sleep(RESET_AFTER).await;
            told = self.ask(LOOK).await;
        }
    }

    async fn ask(&self, what: u8) -> u8 {
        self.set(what);
        poll_fn(|_| match self.get() {
            still if still == what => Poll::Pending,
            told => Poll::Ready(told),
        })
        .await
    }

    /// A streamed body, which ends when its client closes its half, since the next part would reveal too late
    /// that the client has gone.
    pub fn watched(&self, body: Body) -> Body {
        if body.size_hint().exact().is_some() || body.is_end_stream() {
            return body;
        }
        let client = self.clone();
        Body::new(Watched { body, client })
    }

    /// The response has begun, so a pending check must no longer be performed.
    pub fn answered(&self) {
        self.set(0);
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }
}

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        let client = Client::default();
        Self { stream, client }
    }

    pub fn client(&self) -> Client {
        self.client.clone()
    }

    fn look(&self, context: &mut Context<'_>) -> u8 {
        if matches!(self.stream.take_error(), Ok(Some(_)) | Err(_)) {
            return GONE;
        }
        let mut byte = [0];
        // Waits for data, if there is none yet.
        match self.stream.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Ok(0)) => ENDED,
            Poll::Ready(Err(_)) => GONE,
            Poll::Ready(Ok(_)) | Poll::Pending => SENDS,
        }
    }
}

struct Watched {
    body: Body,
    client: Client,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        if [ENDED, GONE].contains(&self.client.get()) {
            return Poll::Ready(None);
        }
        self.client.set(LOOK_ON);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let told = match self.client.get() {
            asked @ (LOOK | LOOK_ON) => {
                let told = self.look(context);
                if asked == LOOK || told != SENDS {
                    context.waker().wake_by_ref();
                }
                Some(told)
            }
            PROBE => {
                context.waker().wake_by_ref();
                // The send buffer is empty, so there is room for all of it.
                let sent = self.stream.try_write(INTERIM);
                Some(if sent.is_ok() { PROBED } else { GONE })
            }
            _ => None,
        };
        if let Some(told) = told {
            self.client.set(told);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
