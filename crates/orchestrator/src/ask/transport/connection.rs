//! A connection that knows its age, and whether a request was sent on it when it was already dead.
//!
//! A server that closes an idle connection does so while a client may be sending on it. Such a request was not
//! processed: it is sent once more on a new connection, and does not count as a failure of the server. It
//! differs from a failing server in that the connection had answered before, nothing was received for this
//! request, and the end was orderly (FIN), or came after a pause in which a middlebox may have dropped the
//! connection.
//!
//! A connection that is too old closes before its next request, so that changed addresses of a name take
//! effect.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http::{Extensions, Uri};
use hyper_util::client::legacy::Error;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower::Service;

use crate::ask::network::Resolver;

/// The idle time after which a reset counts as a connection that a middlebox dropped.
const FORGOTTEN: Duration = Duration::from_secs(1);

/// Makes connections with a limited lifetime.
#[derive(Clone)]
pub struct Connector {
    pub inner: HttpConnector<Resolver>,
    pub max_age: Duration,
}

/// One connection.
pub struct Dated {
    inner: TcpStream,
    until: Instant,
    /// Whether the last operation was a read, so that the next write starts a request.
    is_idle: bool,
    requests: u32,
    last_read: Instant,
    state: State,
}

/// The state of the current request, visible outside the connection.
#[derive(Clone, Default)]
pub struct State(Arc<AtomicU8>);

const FRESH: u8 = 0;
/// A request was sent on a connection that had answered before, and nothing was received yet.
const WAITING: u8 = 1;
/// The same, after a pause.
const WAITING_AFTER_PAUSE: u8 = 2;
/// The connection ended before anything was received.
const DEAD: u8 = 3;

impl State {
    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }

    fn is_dead(&self) -> bool {
        self.0.load(Ordering::Relaxed) == DEAD
    }
}

/// Whether a request failed because its connection was dead or too old when it was sent.
pub fn was_stale(error: &Error) -> bool {
    let mut extras = Extensions::new();
    let Some(connected) = error.connect_info() else {
        return false;
    };
    connected.get_extras(&mut extras);
    extras.get::<State>().is_some_and(State::is_dead)
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Dated>;
    type Error = <HttpConnector<Resolver> as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        // Connections that were made together do not end together.
        let age = self.max_age.mul_f64(1.0 - 0.2 * rand::random::<f64>());
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            Ok(TokioIo::new(Dated::new(stream, age)))
        })
    }
}

impl Dated {
    fn new(inner: TcpStream, age: Duration) -> Self {
        let now = Instant::now();
        Self {
            inner,
            until: now + age,
            is_idle: true,
            requests: 0,
            last_read: now,
            state: State::default(),
        }
    }

    /// Called before a write: begins a request, unless it continues one.
    fn begin(&mut self) -> io::Result<()> {
        if !self.is_idle {
            return Ok(());
        }
        self.is_idle = false;
        self.requests = self.requests.saturating_add(1);
        if self.requests == 1 {
            return Ok(());
        }
        let now = Instant::now();
        if now >= self.until {
            self.state.set(DEAD);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let paused = now.duration_since(self.last_read) >= FORGOTTEN;
        self.state
            .set(if paused { WAITING_AFTER_PAUSE } else { WAITING });
        Ok(())
    }

    /// Handles the result of a read or a write.
    fn ended(&self, error: Option<&io::Error>) {
        let state = self.state.0.load(Ordering::Relaxed);
        let in_order = error.is_none_or(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if state == WAITING_AFTER_PAUSE || (state == WAITING && in_order) {
            self.state.set(DEAD);
        }
    }

    fn wrote(&self, written: &io::Result<usize>) {
        if let Err(error) = written {
            self.ended(Some(error));
        }
    }
}

impl Connection for Dated {
    fn connected(&self) -> Connected {
        self.inner.connected().extra(self.state.clone())
    }
}

impl AsyncRead for Dated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        match &read {
            Ok(()) if buffer.filled().len() == before => self.ended(None),
            Ok(()) => {
                self.is_idle = true;
                self.last_read = Instant::now();
                self.state.set(FRESH);
            }
            Err(error) => self.ended(Some(error)),
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Dated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.begin()?;
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, bytes));
        self.wrote(&written);
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin()?;
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, parts));
        self.wrote(&written);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
